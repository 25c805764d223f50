"""CONNACK (3.2), both versions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from mqttws.codec.faults import not_in_3_1_1, past_end, trailing
from mqttws.codec.primitives import write_packet
from mqttws.codec.properties import ConnAckProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.codec.reasons import ReasonTable
from mqttws.errors import LocalProtocolError, MalformedPacket, RemoteProtocolError
from mqttws.vocabulary import ConnectReturnCode, PacketType, ReasonCode, Role

_RULES: Final = PropertyRules(PacketType.CONNACK)
_CODES: Final = ReasonTable(PacketType.CONNACK, "MQTT-3.2.2-8")
_RETURN_CODES: Final = tuple(ConnectReturnCode)


@dataclass(slots=True)
class ConnAck:
    """The Server's answer to CONNECT.

    ``reason_code`` is a :class:`ReasonCode`, in 3.1.1 a :class:`ConnectReturnCode`; 0 accepts, and only then may
    ``session_present`` be set [5.0 MQTT-3.2.2-6, 3.1.1 MQTT-3.2.2-4].
    """

    packet_type: ClassVar[PacketType] = PacketType.CONNACK

    session_present: bool = False
    reason_code: int = ReasonCode.SUCCESS
    properties: ConnAckProperties = field(default_factory=ConnAckProperties)


def _read_session_present(buf: bytes, pos: int, end: int) -> bool:
    if pos + 2 > end:
        raise past_end("reason_code", end)
    if buf[pos] > 1:
        raise MalformedPacket(
            "a reserved bit of the Connect Acknowledge Flags is set",
            statement="MQTT-3.2.2-1",
            offset=pos,
            field="session_present",
        )
    return buf[pos] == 1


def _no_session_refused(session_present: bool, code: int, pos: int) -> None:
    if session_present and code:
        raise RemoteProtocolError(
            "Session Present in a CONNACK that refuses", statement="MQTT-3.2.2-6", offset=pos, field="session_present"
        )


def decode_connack_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> ConnAck:
    """The body of a CONNACK."""
    session_present = _read_session_present(buf, pos, end)
    code = _CODES.read(buf, pos + 1, None)
    _no_session_refused(session_present, code, pos)
    properties, stop = read_properties(buf, pos + 2, end, _RULES, sender)
    if stop != end:
        raise trailing(end - stop, stop)
    return ConnAck(session_present, code, properties)


def decode_connack_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> ConnAck:
    """The body of a CONNACK."""
    session_present = _read_session_present(buf, pos, end)
    code = buf[pos + 1]
    if code >= len(_RETURN_CODES):
        raise _CODES.fault(code, pos + 1)
    _no_session_refused(session_present, code, pos)
    if pos + 2 != end:
        raise trailing(end - pos - 2, pos + 2)
    return ConnAck(session_present, _RETURN_CODES[code], {})


def _write_session_present(packet: ConnAck) -> bytes:
    if packet.session_present and packet.reason_code:
        raise LocalProtocolError(
            "Session Present in a CONNACK that refuses", statement="MQTT-3.2.2-6", field="session_present"
        )
    return b"\1" if packet.session_present else b"\0"


def encode_connack_v5(packet: ConnAck) -> bytes:
    """The whole packet."""
    code = _CODES.write(packet.reason_code)
    return write_packet(0x20, _write_session_present(packet) + code + write_properties(packet.properties, _RULES))


def encode_connack_v3_1_1(packet: ConnAck) -> bytes:
    """The whole packet."""
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    if not 0 <= packet.reason_code < len(_RETURN_CODES):
        raise LocalProtocolError(
            f"CONNACK has no return code {packet.reason_code}", statement="MQTT-3.2.2-8", field="reason_code"
        )
    return write_packet(0x20, b"%b%c" % (_write_session_present(packet), packet.reason_code))
