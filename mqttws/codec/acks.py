"""PUBACK, PUBREC, PUBREL and PUBCOMP (3.4 to 3.7), both versions: four packets of one form, one reader and writer."""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Final, TypeAlias

from mqttws.codec.faults import Decoder, not_in_3_1_1, past_end, trailing, zero_packet_id
from mqttws.codec.primitives import bad_packet_id, write_packet, write_packet_id
from mqttws.codec.properties import AckProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.codec.reasons import ReasonTable
from mqttws.vocabulary import PacketType, ReasonCode, Role

_SUCCESS: Final = ReasonCode.SUCCESS
_pack = Struct(">BBH").pack


@dataclass(slots=True)
class PubAck:
    """The answer to a PUBLISH with QoS 1. In 3.1.1 it is a Packet Identifier and nothing else."""

    packet_type: ClassVar[PacketType] = PacketType.PUBACK

    packet_id: int
    reason_code: int = ReasonCode.SUCCESS
    properties: AckProperties = field(default_factory=AckProperties)


@dataclass(slots=True)
class PubRec:
    """The answer to a PUBLISH with QoS 2. A Reason Code of 0x80 or above ends the exchange."""

    packet_type: ClassVar[PacketType] = PacketType.PUBREC

    packet_id: int
    reason_code: int = ReasonCode.SUCCESS
    properties: AckProperties = field(default_factory=AckProperties)


@dataclass(slots=True)
class PubRel:
    """The answer to a PUBREC: the receiver may forget the Packet Identifier."""

    packet_type: ClassVar[PacketType] = PacketType.PUBREL

    packet_id: int
    reason_code: int = ReasonCode.SUCCESS
    properties: AckProperties = field(default_factory=AckProperties)


@dataclass(slots=True)
class PubComp:
    """The answer to a PUBREL: the QoS 2 exchange is over."""

    packet_type: ClassVar[PacketType] = PacketType.PUBCOMP

    packet_id: int
    reason_code: int = ReasonCode.SUCCESS
    properties: AckProperties = field(default_factory=AckProperties)


Ack: TypeAlias = PubAck | PubRec | PubRel | PubComp

_CODES: Final = {
    PacketType.PUBACK: ReasonTable(PacketType.PUBACK, "MQTT-3.4.2-1"),
    PacketType.PUBREC: ReasonTable(PacketType.PUBREC, "MQTT-3.5.2-1"),
    PacketType.PUBREL: ReasonTable(PacketType.PUBREL, "MQTT-3.6.2-1"),
    PacketType.PUBCOMP: ReasonTable(PacketType.PUBCOMP, "MQTT-3.7.2-1"),
}
_RULES: Final = {packet_type: PropertyRules(packet_type) for packet_type in _CODES}


def ack_decoder_v5(packet_class: type[Ack]) -> Decoder:
    """The reader of one of the four. Reason Code and properties may be left out from behind (3.4.2.1, 3.4.2.2.1)."""
    packet_type = packet_class.packet_type
    codes, rules = _CODES[packet_type], _RULES[packet_type]

    def decode_ack_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> Ack:
        stop = pos + 2
        if stop > end:
            raise past_end("packet_id", pos)
        packet_id = buf[pos] << 8 | buf[pos + 1]
        if not packet_id:
            raise zero_packet_id(pos, "MQTT-2.2.1-5")
        if stop == end:
            return packet_class(packet_id, _SUCCESS, {})
        code = codes.read(buf, stop, sender)
        stop += 1
        if stop == end:
            return packet_class(packet_id, code, {})
        properties, stop = read_properties(buf, stop, end, rules, sender)
        if stop != end:
            raise trailing(end - stop, stop)
        return packet_class(packet_id, code, properties)

    return decode_ack_v5


def ack_decoder_v3_1_1(packet_class: type[Ack]) -> Decoder:
    """The reader of one of the four."""

    def decode_ack_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> Ack:
        stop = pos + 2
        if stop != end:
            raise past_end("packet_id", pos) if stop > end else trailing(end - stop, stop)
        packet_id = buf[pos] << 8 | buf[pos + 1]
        if not packet_id:
            raise zero_packet_id(pos, "MQTT-2.2.1-5")
        return packet_class(packet_id, _SUCCESS, {})

    return decode_ack_v3_1_1


_FIRST_BYTES: Final = {
    PacketType.PUBACK: 0x40,
    PacketType.PUBREC: 0x50,
    PacketType.PUBREL: 0x62,
    PacketType.PUBCOMP: 0x70,
}


def _write_shortest(packet: Ack) -> bytes:
    packet_id = packet.packet_id
    if not packet_id or packet_id >> 16:
        raise bad_packet_id(packet_id, "MQTT-2.2.1-5")
    return _pack(_FIRST_BYTES[packet.packet_type], 2, packet_id)


def encode_ack_v5(packet: Ack) -> bytes:
    """The shortest form: what is 0 or empty at the end is left out."""
    properties = packet.properties
    if not properties and not packet.reason_code:
        return _write_shortest(packet)
    packet_type = packet.packet_type
    body = write_packet_id(packet.packet_id, "MQTT-2.2.1-5") + _CODES[packet_type].write(packet.reason_code)
    if properties:
        body += write_properties(properties, _RULES[packet_type])
    return write_packet(_FIRST_BYTES[packet_type], body)


def encode_ack_v3_1_1(packet: Ack) -> bytes:
    """The Packet Identifier. A Reason Code or properties are refused: 3.1.1 cannot say them."""
    if packet.reason_code:
        raise not_in_3_1_1(f"Reason Code in {packet.packet_type.name}", "reason_code")
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    return _write_shortest(packet)
