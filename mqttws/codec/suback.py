"""SUBACK and UNSUBACK (3.9, 3.11), both versions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from mqttws.codec.faults import not_in_3_1_1, trailing, zero_packet_id
from mqttws.codec.primitives import read_u16, write_packet, write_packet_id
from mqttws.codec.properties import SubAckProperties, UnsubAckProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.codec.reasons import ReasonTable
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.vocabulary import PacketType, ReasonCode, Role

_SUBACK_RULES: Final = PropertyRules(PacketType.SUBACK)
_UNSUBACK_RULES: Final = PropertyRules(PacketType.UNSUBACK)
_SUBACK_CODES: Final = ReasonTable(PacketType.SUBACK, "MQTT-3.9.3-2")
_UNSUBACK_CODES: Final = ReasonTable(PacketType.UNSUBACK, "MQTT-3.11.3-2")
_SUBACK_CODES_V3_1_1: Final = ReasonTable(
    PacketType.SUBACK, "MQTT-3.9.3-2", {code: ReasonCode(code) for code in (0x00, 0x01, 0x02, 0x80)}
)
#: The statements that ask for a Reason Code for each Topic Filter, of which there is at least one.
_NO_SUBACK_CODES: Final = "MQTT-3.8.4-6"
_NO_UNSUBACK_CODES: Final = "MQTT-3.11.3-2"


@dataclass(slots=True)
class SubAck:
    """The Server's answer to SUBSCRIBE: for each subscription, in order, the granted QoS or a failure."""

    packet_type: ClassVar[PacketType] = PacketType.SUBACK

    packet_id: int
    reason_codes: list[int]
    properties: SubAckProperties = field(default_factory=SubAckProperties)


@dataclass(slots=True)
class UnsubAck:
    """The Server's answer to UNSUBSCRIBE, with a Reason Code for each filter in 5.0 and none in 3.1.1."""

    packet_type: ClassVar[PacketType] = PacketType.UNSUBACK

    packet_id: int
    reason_codes: list[int] = field(default_factory=list)
    properties: UnsubAckProperties = field(default_factory=UnsubAckProperties)


def _read_packet_id(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    packet_id, stop = read_u16(buf, pos, end, "packet_id")
    if not packet_id:
        raise zero_packet_id(pos, "MQTT-2.2.1-6")
    return packet_id, stop


def _read_codes(buf: bytes, pos: int, end: int, table: ReasonTable, none: str) -> list[int]:
    """At least one Reason Code, all from the table; ``none`` is the statement broken if there is none."""
    if pos == end:
        raise RemoteProtocolError(
            f"{table.packet_type.name} without Reason Codes", statement=none, offset=pos, field="reason_codes"
        )
    return [table.read(buf, offset, None) for offset in range(pos, end)]


def decode_suback_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> SubAck:
    """The body of a SUBACK."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    properties, pos = read_properties(buf, pos, end, _SUBACK_RULES, sender)
    codes = _read_codes(buf, pos, end, _SUBACK_CODES, _NO_SUBACK_CODES)
    return SubAck(packet_id, codes, properties)


def decode_suback_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> SubAck:
    """The body of a SUBACK."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    codes = _read_codes(buf, pos, end, _SUBACK_CODES_V3_1_1, _NO_SUBACK_CODES)
    return SubAck(packet_id, codes, {})


def decode_unsuback_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> UnsubAck:
    """The body of an UNSUBACK."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    properties, pos = read_properties(buf, pos, end, _UNSUBACK_RULES, sender)
    codes = _read_codes(buf, pos, end, _UNSUBACK_CODES, _NO_UNSUBACK_CODES)
    return UnsubAck(packet_id, codes, properties)


def decode_unsuback_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> UnsubAck:
    """The body of an UNSUBACK: a Packet Identifier and nothing else."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    if pos != end:
        raise trailing(end - pos, pos)
    return UnsubAck(packet_id, [], {})


def _write(packet: SubAck | UnsubAck, properties: bytes, table: ReasonTable, none: str) -> bytes:
    if not packet.reason_codes:
        raise LocalProtocolError(f"{table.packet_type.name} without Reason Codes", statement=none, field="reason_codes")
    packet_id = write_packet_id(packet.packet_id, "MQTT-2.2.1-6")
    codes = map(table.write, packet.reason_codes)
    return write_packet(table.packet_type << 4, b"".join((packet_id, properties, *codes)))


def encode_suback_v5(packet: SubAck) -> bytes:
    """The whole packet."""
    return _write(packet, write_properties(packet.properties, _SUBACK_RULES), _SUBACK_CODES, _NO_SUBACK_CODES)


def encode_suback_v3_1_1(packet: SubAck) -> bytes:
    """The whole packet."""
    _no_properties(packet.properties)
    return _write(packet, b"", _SUBACK_CODES_V3_1_1, _NO_SUBACK_CODES)


def encode_unsuback_v5(packet: UnsubAck) -> bytes:
    """The whole packet."""
    return _write(packet, write_properties(packet.properties, _UNSUBACK_RULES), _UNSUBACK_CODES, _NO_UNSUBACK_CODES)


def encode_unsuback_v3_1_1(packet: UnsubAck) -> bytes:
    """The whole packet, which cannot say a Reason Code."""
    _no_properties(packet.properties)
    if packet.reason_codes:
        raise not_in_3_1_1("Reason Codes in UNSUBACK", "reason_codes")
    return write_packet(0xB0, write_packet_id(packet.packet_id, "MQTT-2.2.1-6"))


def _no_properties(properties: Mapping[str, Any]) -> None:
    if properties:
        raise not_in_3_1_1("properties", "properties")
