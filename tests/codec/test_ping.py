"""PINGREQ and PINGRESP, the same in both versions."""

from __future__ import annotations

import pytest

from mqttws.codec import PingReq, PingResp, decode, encode
from tests.codec.checks import fault_of


@pytest.mark.parametrize("version", [4, 5])
def test_a_ping_is_a_fixed_header(version: int) -> None:
    assert encode(PingReq(), version) == b"\xc0\0"
    assert encode(PingResp(), version) == b"\xd0\0"
    assert decode(b"\xc0\0", version) == PingReq()
    assert decode(b"\xd0\0", version) == PingResp()


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(("wire", "count"), [("c0 01 00", "1 byte"), ("d0 02 0000", "2 bytes")])
def test_a_ping_with_a_body_is_malformed(wire: str, count: str, version: int) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.offset) == ("remaining_length", 2)
    assert error.message == f"{count} behind the last field"
