"""The tables of Reason Codes, as the packets use them."""

from __future__ import annotations

import pytest

from mqttws.codec import Disconnect, PubAck, decode
from mqttws.vocabulary import ReasonCode
from tests.codec.checks import fault_of, own_fault


def test_a_decoded_reason_code_is_a_member() -> None:
    packet = decode(bytes.fromhex("40 03 0007 10"))
    assert isinstance(packet, PubAck)
    assert packet.reason_code is ReasonCode.NO_MATCHING_SUBSCRIBERS


def test_a_code_outside_the_table_is_named_with_its_place() -> None:
    error = fault_of("40 03 0007 05")
    assert (error.offset, error.field) == (4, "reason_code")
    assert "PUBACK" in error.message
    assert "0x05" in error.message


@pytest.mark.parametrize("code", [-1, 0x05, 0xFF, 256])
def test_a_code_outside_the_table_is_not_written(code: int) -> None:
    assert own_fault(Disconnect(code)).field == "reason_code"
