"""CONNACK, both versions."""

from __future__ import annotations

import pytest
from hypothesis import given

from mqttws.codec import ConnAck, decode, encode
from mqttws.vocabulary import REASON_CODES, ConnectReturnCode, PacketType, ReasonCode, Role
from tests.codec.checks import fault_of, own_fault
from tests.strategies import connacks


@pytest.mark.parametrize(
    ("version", "wire", "packet"),
    [
        (5, "20 03 00 00 00", ConnAck()),
        (5, "20 03 01 00 00", ConnAck(True)),
        (5, "20 06 00 87 03 21 000a", ConnAck(False, ReasonCode.NOT_AUTHORIZED, {"receive_maximum": 10})),
        (4, "20 02 01 00", ConnAck(True, ConnectReturnCode.ACCEPTED)),
        (4, "20 02 00 05", ConnAck(False, ConnectReturnCode.NOT_AUTHORIZED)),
    ],
)
def test_vectors_in_both_directions(version: int, wire: str, packet: ConnAck) -> None:
    assert decode(bytes.fromhex(wire), version) == packet
    assert encode(packet, version) == bytes.fromhex(wire)


@pytest.mark.parametrize("version", [4, 5])
def test_what_we_write_we_read(version: int) -> None:
    @given(connacks(version))
    def holds(packet: ConnAck) -> None:
        back = decode(encode(packet, version), version)
        assert back == packet
        assert isinstance(back, ConnAck)
        assert isinstance(back.reason_code, ReasonCode if version == 5 else ConnectReturnCode)

    holds()


@pytest.mark.parametrize("code", range(256))
def test_only_codes_of_the_table_pass(code: int) -> None:
    if code in REASON_CODES[PacketType.CONNACK][Role.SERVER]:
        assert decode(bytes([0x20, 3, 0, code, 0])) == ConnAck(False, code)
    else:
        assert fault_of(bytes([0x20, 3, 0, code, 0]).hex()).statement == "MQTT-3.2.2-8"
        assert own_fault(ConnAck(False, code)).statement == "MQTT-3.2.2-8"
    if code < 6:
        assert decode(bytes([0x20, 2, 0, code]), 4) == ConnAck(False, code)
    else:
        assert fault_of(bytes([0x20, 2, 0, code]).hex(), 4).statement == "MQTT-3.2.2-6"
        assert own_fault(ConnAck(False, code), 4).statement == "MQTT-3.2.2-6"


@pytest.mark.parametrize(
    ("version", "wire", "field", "statement"),
    [
        (5, "20 03 02 00 00", "session_present", "MQTT-3.2.2-1"),
        (4, "20 02 80 00", "session_present", None),
        (5, "20 03 01 87 00", "session_present", "MQTT-3.2.2-6"),
        (4, "20 02 01 02", "session_present", "MQTT-3.2.2-4"),
        (5, "20 01 00", "reason_code", None),
        (4, "20 00", "reason_code", None),
        (5, "20 02 00 00", "properties", "MQTT-2.2.2-1"),
        (5, "20 04 00 00 00 00", "remaining_length", None),
        (4, "20 03 00 00 00", "remaining_length", None),
    ],
)
def test_what_the_standard_forbids_is_refused(version: int, wire: str, field: str, statement: str | None) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.statement) == (field, statement)


@pytest.mark.parametrize(
    ("version", "wire", "offset"),
    [
        (5, "20 03 02 00 00", 2),
        (4, "20 02 00 06", 3),
        (5, "20 03 00 06 00", 3),
        (5, "20 01 00", 3),
        (5, "20 02 00 00", 4),
        (5, "20 04 00 00 00 00", 5),
        (4, "20 03 00 00 00", 4),
    ],
)
def test_a_fault_says_where_it_is(version: int, wire: str, offset: int) -> None:
    assert fault_of(wire, version).offset == offset


def test_what_no_client_may_get_is_not_written() -> None:
    nameless = own_fault(ConnAck(False, -1), 4)
    assert (nameless.statement, nameless.field) == ("MQTT-3.2.2-6", "reason_code")
    banned = own_fault(ConnAck(True, ReasonCode.BANNED))
    assert (banned.statement, banned.field) == ("MQTT-3.2.2-6", "session_present")
    assert own_fault(ConnAck(True, ConnectReturnCode.NOT_AUTHORIZED), 4).statement == "MQTT-3.2.2-4"
    wordy = own_fault(ConnAck(properties={"receive_maximum": 10}), 4)
    assert (wordy.field, wordy.message) == ("properties", "MQTT 3.1.1 has no properties")
