"""AUTH (3.15), which exists in 5.0 only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from mqttws.codec.faults import not_in_3_1_1, trailing
from mqttws.codec.primitives import write_packet
from mqttws.codec.properties import AuthProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.codec.reasons import ReasonTable
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.vocabulary import PacketType, ReasonCode, Role

_RULES: Final = PropertyRules(PacketType.AUTH)
_CODES: Final = ReasonTable(PacketType.AUTH, "MQTT-3.15.2-1")


@dataclass(slots=True)
class Auth:
    """A step of enhanced authentication, from either end.

    Continue authentication (0x18) and Re-authenticate (0x19) need an Authentication Method. Success (0x00) does not
    here: 3.15.2.1 describes its form without properties, though 3.15.2.2.2 asks for the method in general.
    """

    packet_type: ClassVar[PacketType] = PacketType.AUTH

    reason_code: int = ReasonCode.SUCCESS
    properties: AuthProperties = field(default_factory=AuthProperties)


def decode_auth(buf: bytes, pos: int, end: int, sender: Role | None) -> Auth:
    """The body of an AUTH; it is empty for success, which only a Server says, without properties."""
    if pos == end:
        if sender is Role.CLIENT:
            raise _CODES.fault(ReasonCode.SUCCESS, pos)
        return Auth(ReasonCode.SUCCESS, {})
    code = _CODES.read(buf, pos, sender)
    properties, stop = read_properties(buf, pos + 1, end, _RULES, sender)
    if stop != end:
        raise trailing(end - stop, stop)
    if code and "authentication_method" not in properties:
        raise RemoteProtocolError("AUTH without Authentication Method", offset=pos, field="authentication_method")
    return Auth(code, properties)


def encode_auth_v5(packet: Auth) -> bytes:
    """The whole packet, empty for success without properties."""
    code = _CODES.write(packet.reason_code)
    if packet.reason_code and "authentication_method" not in packet.properties:
        raise LocalProtocolError("AUTH without Authentication Method", field="authentication_method")
    if not packet.properties:  # so it is success
        return b"\xf0\0"
    return write_packet(0xF0, code + write_properties(packet.properties, _RULES))


def encode_auth_v3_1_1(_packet: Auth) -> bytes:
    """Nothing: 3.1.1 has no such packet."""
    raise not_in_3_1_1("AUTH", "packet_type")
