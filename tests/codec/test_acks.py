"""PUBACK, PUBREC, PUBREL and PUBCOMP, both versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mqttws.codec import PubAck, PubComp, PubRec, PubRel, decode, encode
from mqttws.vocabulary import REASON_CODES, ReasonCode, Role
from tests import strategies
from tests.codec.checks import fault_of, own_fault

FIRST = {PubAck: 0x40, PubRec: 0x50, PubRel: 0x62, PubComp: 0x70}
STATEMENT = {PubAck: "MQTT-3.4.2-1", PubRec: "MQTT-3.5.2-1", PubRel: "MQTT-3.6.2-1", PubComp: "MQTT-3.7.2-1"}
STRATEGIES = {
    PubAck: strategies.pubacks,
    PubRec: strategies.pubrecs,
    PubRel: strategies.pubrels,
    PubComp: strategies.pubcomps,
}

pytestmark = pytest.mark.parametrize("ack", FIRST, ids=lambda ack: ack.__name__)


def _wire(ack: Any, body: str) -> bytes:
    data = bytes.fromhex(body)
    return bytes([FIRST[ack], len(data)]) + data


def test_the_shortest_form_is_written_and_every_form_read(ack: Any) -> None:
    assert encode(ack(7)) == encode(ack(7), 4) == _wire(ack, "0007")
    for body in ("0007", "0007 00", "0007 00 00"):
        assert decode(_wire(ack, body)) == ack(7)
    assert decode(_wire(ack, "0007"), 4) == ack(7)
    failure = max(REASON_CODES[ack.packet_type][Role.CLIENT])
    assert encode(ack(7, failure)) == _wire(ack, f"0007 {failure:02x}")
    for body in (f"0007 {failure:02x}", f"0007 {failure:02x} 00"):
        assert decode(_wire(ack, body)) == ack(7, failure)


@pytest.mark.parametrize("version", [4, 5])
def test_what_we_write_we_read(ack: Any, version: int) -> None:
    @settings(max_examples=50)
    @given(STRATEGIES[ack](version))
    def holds(packet: Any) -> None:
        assert decode(encode(packet, version), version) == packet

    holds()


def test_only_codes_of_the_table_pass(ack: Any) -> None:
    for code in range(256):
        data = _wire(ack, f"0007 {code:02x}")
        if code in REASON_CODES[ack.packet_type][Role.CLIENT]:
            for sender in (None, Role.CLIENT, Role.SERVER):
                assert decode(data, sender=sender) == ack(7, code)
        else:
            assert fault_of(data.hex()).statement == STATEMENT[ack]
            assert own_fault(ack(7, code)).statement == STATEMENT[ack]


def test_a_packet_identifier_of_0_is_refused(ack: Any) -> None:
    data = _wire(ack, "0000").hex()
    assert fault_of(data).statement == own_fault(ack(0)).statement == "MQTT-2.2.1-5"
    assert fault_of(data, 4).statement == own_fault(ack(0), 4).statement == "MQTT-2.3.1-6"


@pytest.mark.parametrize("packet_id", [-1, 0, 65_536])
def test_a_packet_identifier_fits_two_bytes(ack: Any, packet_id: int) -> None:
    failure = max(REASON_CODES[ack.packet_type][Role.CLIENT])
    assert decode(encode(ack(65_535))) == ack(65_535)
    for packet in (ack(packet_id), ack(packet_id, failure)):
        error = own_fault(packet)
        assert (error.field, error.statement) == ("packet_id", "MQTT-2.2.1-5")
    assert own_fault(ack(packet_id), 4).statement == "MQTT-2.3.1-6"


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("body", ["", "00"])
def test_a_body_cut_short_is_malformed(ack: Any, version: int, body: str) -> None:
    error = fault_of(_wire(ack, body).hex(), version)
    assert (error.field, error.reason_code) == ("packet_id", ReasonCode.MALFORMED_PACKET)


def test_bytes_behind_the_last_field_are_malformed(ack: Any) -> None:
    assert fault_of(_wire(ack, "0007 00").hex(), 4).field == "remaining_length"
    assert fault_of(_wire(ack, "0007 00 00 00").hex()).field == "remaining_length"
    assert fault_of(_wire(ack, "0007 00 01").hex()).field == "properties"


def test_3_1_1_cannot_say_a_reason(ack: Any) -> None:
    assert own_fault(ack(7, ReasonCode.PACKET_IDENTIFIER_NOT_FOUND), 4).field == "reason_code"
    error = own_fault(ack(7, properties={"reason_string": "why"}), 4)
    assert (error.field, error.message) == ("properties", "MQTT 3.1.1 has no properties")
