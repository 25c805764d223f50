"""DISCONNECT, both versions."""

from __future__ import annotations

import pytest
from hypothesis import given

from mqttws.codec import Disconnect, decode, encode
from mqttws.vocabulary import REASON_CODES, PacketType, ReasonCode, Role
from tests.codec.checks import fault_of, own_fault
from tests.strategies import disconnects

_WILL = ReasonCode.DISCONNECT_WITH_WILL_MESSAGE
VECTORS = [
    (5, "e0 00", Disconnect()),
    (4, "e0 00", Disconnect()),
    (5, "e0 01 04", Disconnect(_WILL)),
    (5, "e0 07 00 05 11 0000000a", Disconnect(properties={"session_expiry_interval": 10})),
]


@pytest.mark.parametrize(("version", "wire", "packet"), VECTORS)
def test_vectors_in_both_directions(version: int, wire: str, packet: Disconnect) -> None:
    assert decode(bytes.fromhex(wire), version) == packet
    assert encode(packet, version) == bytes.fromhex(wire)


def test_longer_forms_are_read() -> None:
    assert decode(b"\xe0\1\0") == decode(b"\xe0\2\0\0") == Disconnect()
    assert decode(b"\xe0\2\4\0") == Disconnect(_WILL)


@pytest.mark.parametrize("sender", [None, Role.CLIENT, Role.SERVER])
def test_what_we_write_we_read(sender: Role | None) -> None:
    @given(disconnects(5, sender))
    def holds(packet: Disconnect) -> None:
        assert decode(encode(packet), sender=sender) == packet

    holds()


@pytest.mark.parametrize("code", range(256))
def test_each_end_has_its_own_table_of_codes(code: int) -> None:
    by_role = REASON_CODES[PacketType.DISCONNECT]
    data = bytes([0xE0, 1, code])
    for role in Role:
        if code in by_role[role]:
            assert decode(data, sender=role) == decode(data) == Disconnect(code)
        else:
            assert fault_of(data.hex(), sender=role).statement == "MQTT-3.14.2-1"
    if not any(code in codes for codes in by_role.values()):
        assert fault_of(data.hex()).statement == own_fault(Disconnect(code)).statement == "MQTT-3.14.2-1"


@pytest.mark.parametrize(
    ("version", "wire", "field"),
    [(5, "e0 03 00 00 00", "remaining_length"), (5, "e0 02 00 05", "properties"), (4, "e0 01 00", "remaining_length")],
)
def test_what_does_not_fit_is_malformed(version: int, wire: str, field: str) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.reason_code) == (field, ReasonCode.MALFORMED_PACKET)


def test_3_1_1_cannot_say_a_reason() -> None:
    assert own_fault(Disconnect(_WILL), 4).field == "reason_code"
    error = own_fault(Disconnect(properties={"session_expiry_interval": 1}), 4)
    assert (error.field, error.message) == ("properties", "MQTT 3.1.1 has no properties")
