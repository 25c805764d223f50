"""SUBACK and UNSUBACK, both versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mqttws.codec import SubAck, UnsubAck, decode, encode
from mqttws.vocabulary import REASON_CODES, PacketType, ReasonCode, Role
from tests.codec.checks import fault_of, own_fault
from tests.strategies import subacks, unsubacks

VECTORS = [
    (5, "90 05 0001 00 01 87", SubAck(1, [ReasonCode.GRANTED_QOS_1, ReasonCode.NOT_AUTHORIZED])),
    (4, "90 04 0001 02 80", SubAck(1, [ReasonCode.GRANTED_QOS_2, ReasonCode.UNSPECIFIED_ERROR])),
    (5, "b0 05 0001 00 00 11", UnsubAck(1, [ReasonCode.SUCCESS, ReasonCode.NO_SUBSCRIPTION_EXISTED])),
    (4, "b0 02 0001", UnsubAck(1)),
]


@pytest.mark.parametrize(("version", "wire", "packet"), VECTORS)
def test_vectors_in_both_directions(version: int, wire: str, packet: Any) -> None:
    assert decode(bytes.fromhex(wire), version) == packet
    assert encode(packet, version) == bytes.fromhex(wire)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("strategy", [subacks, unsubacks])
def test_what_we_write_we_read(strategy: Any, version: int) -> None:
    @settings(max_examples=50)
    @given(strategy(version))
    def holds(packet: Any) -> None:
        assert decode(encode(packet, version), version) == packet

    holds()


@pytest.mark.parametrize("code", range(256))
def test_only_codes_of_the_table_pass(code: int) -> None:
    if code in REASON_CODES[PacketType.SUBACK][Role.SERVER]:
        assert decode(bytes([0x90, 4, 0, 1, 0, code])) == SubAck(1, [code])
    else:
        assert fault_of(bytes([0x90, 4, 0, 1, 0, code]).hex()).statement == "MQTT-3.9.3-2"
        assert own_fault(SubAck(1, [0, code])).statement == "MQTT-3.9.3-2"
    if code in REASON_CODES[PacketType.UNSUBACK][Role.SERVER]:
        assert decode(bytes([0xB0, 4, 0, 1, 0, code])) == UnsubAck(1, [code])
    else:
        assert fault_of(bytes([0xB0, 4, 0, 1, 0, code]).hex()).statement == "MQTT-3.11.3-2"
        assert own_fault(UnsubAck(1, [code])).statement == "MQTT-3.11.3-2"
    if code in (0, 1, 2, 0x80):
        assert decode(bytes([0x90, 3, 0, 1, code]), 4) == SubAck(1, [code])
    else:
        assert fault_of(bytes([0x90, 3, 0, 1, code]).hex(), 4).statement == "MQTT-3.9.3-2"
        assert own_fault(SubAck(1, [code]), 4).statement == "MQTT-3.9.3-2"


@pytest.mark.parametrize(
    ("version", "wire", "field", "statement"),
    [
        (5, "90 03 0001 00", "reason_codes", "MQTT-3.8.4-6"),
        (4, "90 02 0001", "reason_codes", "MQTT-3.8.4-5"),
        (5, "90 04 0000 00 00", "packet_id", "MQTT-2.2.1-6"),
        (4, "90 03 0000 00", "packet_id", "MQTT-2.3.1-7"),
        (4, "90 01 00", "packet_id", None),
        (5, "b0 03 0001 00", "reason_codes", "MQTT-3.11.3-2"),
        (5, "b0 02 0001", "properties", "MQTT-2.2.2-1"),
        (4, "b0 02 0000", "packet_id", "MQTT-2.3.1-7"),
        (4, "b0 03 0001 00", "remaining_length", None),
    ],
)
def test_what_the_standard_forbids_is_refused(version: int, wire: str, field: str, statement: str | None) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.statement) == (field, statement)


@pytest.mark.parametrize(
    ("version", "packet", "field", "statement"),
    [
        (5, SubAck(1, []), "reason_codes", "MQTT-3.8.4-6"),
        (4, SubAck(1, []), "reason_codes", "MQTT-3.8.4-5"),
        (5, SubAck(0, [0]), "packet_id", "MQTT-2.2.1-6"),
        (4, SubAck(1, [0], {"reason_string": "why"}), "properties", None),
        (5, UnsubAck(1), "reason_codes", "MQTT-3.11.3-2"),
        (4, UnsubAck(1, [0]), "reason_codes", None),
        (4, UnsubAck(1, [], {"reason_string": "why"}), "properties", None),
        (4, UnsubAck(0), "packet_id", "MQTT-2.3.1-7"),
    ],
)
def test_what_no_client_may_get_is_not_written(version: int, packet: Any, field: str, statement: str | None) -> None:
    error = own_fault(packet, version)
    assert (error.field, error.statement) == (field, statement)
    if field == "properties":
        assert error.message == "MQTT 3.1.1 has no properties"
