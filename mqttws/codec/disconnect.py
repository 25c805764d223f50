"""DISCONNECT (3.14), both versions. In 3.1.1 it is the Client's, and empty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from mqttws.codec.faults import not_in_3_1_1, trailing
from mqttws.codec.primitives import write_packet
from mqttws.codec.properties import DisconnectProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.codec.reasons import ReasonTable
from mqttws.vocabulary import PacketType, ReasonCode, Role

_RULES: Final = PropertyRules(PacketType.DISCONNECT)
_CODES: Final = ReasonTable(PacketType.DISCONNECT, "MQTT-3.14.2-1")


@dataclass(slots=True)
class Disconnect:
    """The last packet of a connection. 0x00 from a Client drops its Will, 0x04 asks for it."""

    packet_type: ClassVar[PacketType] = PacketType.DISCONNECT

    reason_code: int = ReasonCode.NORMAL_DISCONNECTION
    properties: DisconnectProperties = field(default_factory=DisconnectProperties)


def decode_disconnect_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> Disconnect:
    """The body of a DISCONNECT; Reason Code and properties may be left out from behind (3.14.2.1, 3.14.2.2.1)."""
    if pos == end:
        return Disconnect(ReasonCode.NORMAL_DISCONNECTION, {})
    code = _CODES.read(buf, pos, sender)
    if pos + 1 == end:
        return Disconnect(code, {})
    properties, stop = read_properties(buf, pos + 1, end, _RULES, sender)
    if stop != end:
        raise trailing(end - stop, stop)
    return Disconnect(code, properties)


def decode_disconnect_v3_1_1(_buf: bytes, pos: int, end: int, _sender: Role | None) -> Disconnect:
    """The body of a DISCONNECT, which is empty."""
    if pos != end:
        raise trailing(end - pos, pos)
    return Disconnect(ReasonCode.NORMAL_DISCONNECTION, {})


def encode_disconnect_v5(packet: Disconnect) -> bytes:
    """The whole packet in its shortest form. Who sends it is not known here: what either end may say passes."""
    code = _CODES.write(packet.reason_code)
    if packet.properties:
        return write_packet(0xE0, code + write_properties(packet.properties, _RULES))
    return write_packet(0xE0, code if packet.reason_code else b"")


def encode_disconnect_v3_1_1(packet: Disconnect) -> bytes:
    """The whole packet, which cannot say a reason."""
    if packet.reason_code:
        raise not_in_3_1_1("Reason Code in DISCONNECT", "reason_code")
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    return b"\xe0\0"
