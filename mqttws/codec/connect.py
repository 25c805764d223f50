"""CONNECT (3.1). The packet says which version it is, so one reader serves both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, NoReturn

from mqttws.codec.faults import in_version, not_in_3_1_1, past_end, trailing
from mqttws.codec.primitives import (
    read_binary,
    read_topic,
    read_u16,
    read_utf8,
    write_binary,
    write_packet,
    write_topic,
    write_u16,
    write_utf8,
)
from mqttws.codec.properties import WILL, ConnectProperties, WillProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.errors import LocalProtocolError, MalformedPacket, ProtocolError, RemoteProtocolError
from mqttws.vocabulary import QOS, PacketType, ProtocolVersion, QoS, ReasonCode, Role

_RULES: Final = PropertyRules(PacketType.CONNECT)
_WILL_RULES: Final = PropertyRules(WILL)
_NAME: Final = b"\0\4MQTT"
_LEVELS: Final = {4: ProtocolVersion.V3_1_1, 5: ProtocolVersion.V5}

#: The Connect Flags (3.1.2.3).
USER_NAME_FLAG: Final = 0x80
PASSWORD_FLAG: Final = 0x40
WILL_RETAIN: Final = 0x20
WILL_QOS: Final = 0x18
WILL_FLAG: Final = 0x04
CLEAN_START: Final = 0x02
RESERVED: Final = 0x01


@dataclass(slots=True)
class Will:
    """The message that the Server publishes if the connection ends without a proper DISCONNECT (3.1.2.5)."""

    topic: str
    payload: bytes = b""
    qos: QoS = QoS.AT_MOST_ONCE
    retain: bool = False
    properties: WillProperties = field(default_factory=WillProperties)


@dataclass(slots=True)
class Connect:
    """The first packet of a connection, from the Client.

    ``clean_start`` is CleanSession in 3.1.1. ``keep_alive`` is in seconds, 0 turns it off. An empty ``client_id`` asks
    the Server to assign one, in 3.1.1 with ``clean_start`` only [3.1.1 MQTT-3.1.3-7]. The password is not shown in the
    ``repr``.
    """

    packet_type: ClassVar[PacketType] = PacketType.CONNECT

    version: ProtocolVersion = ProtocolVersion.V5
    client_id: str = ""
    clean_start: bool = True
    keep_alive: int = 0
    username: str | None = None
    password: bytes | None = field(default=None, repr=False)
    will: Will | None = None
    properties: ConnectProperties = field(default_factory=ConnectProperties)


def decode_connect(buf: bytes, pos: int, end: int, sender: Role | None) -> Connect:
    """The body of a CONNECT of either version.

    Another protocol name or level is refused with 0x84 [MQTT-3.1.2-1, -2]. The error carries the version of the level,
    or the nearest one, which is what its sender can be answered in. What does not fit the format breaks MQTT-3.1.4-1,
    if nothing more exact.
    """
    try:
        version, pos = _read_version(buf, pos, end)
        try:
            return _read_fields(version, buf, pos, end, sender)
        except ProtocolError as error:
            in_version(error, version)
            raise
    except MalformedPacket as error:
        error.statement = error.statement or "MQTT-3.1.4-1"
        raise


def _read_version(buf: bytes, pos: int, end: int) -> tuple[ProtocolVersion, int]:
    stop = pos + 6
    if buf[pos:stop] != _NAME or stop > end:
        _, stop = read_binary(buf, pos, end, "protocol_name")
        raise RemoteProtocolError(
            "the protocol name is not MQTT",
            reason_code=ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
            version=_nearest(buf[stop] if stop < end else 0),
            statement="MQTT-3.1.2-1",
            offset=pos,
            field="protocol_name",
        )
    if stop == end:
        raise past_end("version", stop)
    version = _LEVELS.get(buf[stop])
    if version is None:
        raise RemoteProtocolError(
            f"protocol level {buf[stop]}, which is neither 4 (3.1.1) nor 5 (5.0)",
            reason_code=ReasonCode.UNSUPPORTED_PROTOCOL_VERSION,
            version=_nearest(buf[stop]),
            statement="MQTT-3.1.2-2",
            offset=stop,
            field="version",
        )
    return version, stop + 1


def _nearest(level: int) -> ProtocolVersion:
    """The version whose CONNACK a Client of another level is most likely to understand."""
    return ProtocolVersion.V5 if level >= ProtocolVersion.V5 else ProtocolVersion.V3_1_1


def _read_fields(version: ProtocolVersion, buf: bytes, pos: int, end: int, sender: Role | None) -> Connect:
    if pos == end:
        raise past_end("connect_flags", pos)
    flags = buf[pos]
    _check_flags(flags, version, pos)
    keep_alive, pos = read_u16(buf, pos + 1, end, "keep_alive")
    properties: ConnectProperties = {}
    if version == 5:
        properties, pos = read_properties(buf, pos, end, _RULES, sender)
        if "authentication_data" in properties and "authentication_method" not in properties:
            raise RemoteProtocolError(
                "Authentication Data without Authentication Method", offset=pos, field="authentication_data"
            )
    start = _present(pos, end, "client_id", "MQTT-3.1.3-3")
    client_id, pos = read_utf8(buf, pos, end, "client_id")
    clean_start = bool(flags & CLEAN_START)
    if version == 4 and not client_id and not clean_start:
        raise RemoteProtocolError(
            "an empty Client Identifier with CleanSession 0",
            reason_code=ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            version=version,
            statement="MQTT-3.1.3-8",
            offset=start,
            field="client_id",
        )
    will = username = password = None
    if flags & WILL_FLAG:
        will, pos = _read_will(buf, pos, end, sender, version)
        will.qos, will.retain = QOS[flags >> 3 & 3], bool(flags & WILL_RETAIN)
    if flags & USER_NAME_FLAG:
        _present(pos, end, "username", "MQTT-3.1.2-17")
        username, pos = read_utf8(buf, pos, end, "username")
    if flags & PASSWORD_FLAG:
        _present(pos, end, "password", "MQTT-3.1.2-19")
        password, pos = read_binary(buf, pos, end, "password")
    if pos != end:
        raise _left_over(flags, buf, pos, end)
    return Connect(version, client_id, clean_start, keep_alive, username, password, will, properties)


def _left_over(flags: int, buf: bytes, pos: int, end: int) -> MalformedPacket:
    """What stands behind the last field: one more whole field is the user name or password that a flag denies."""
    error = trailing(end - pos, pos)
    if not flags & PASSWORD_FLAG and end - pos >= 2 and end - pos - 2 == buf[pos] << 8 | buf[pos + 1]:
        error.statement = "MQTT-3.1.2-18" if flags & USER_NAME_FLAG else "MQTT-3.1.2-16"
    return error


def _present(pos: int, end: int, name: str, statement: str) -> int:
    """Refuse a payload that ends where a field has to begin."""
    if pos == end:
        raise MalformedPacket(f"no {name} in the payload", statement=statement, offset=pos, field=name)
    return pos


def _check_flags(flags: int, version: ProtocolVersion, pos: int) -> None:
    """The reserved bit, and what is told of a Will or a Password that the other flags exclude."""
    if flags & RESERVED:
        _bad_flags("the reserved bit of the Connect Flags is set", "MQTT-3.1.2-3", pos)
    if flags & WILL_FLAG:
        if flags & WILL_QOS == WILL_QOS:
            _bad_flags("Will QoS is 3", "MQTT-3.1.2-12", pos)
    elif flags & WILL_QOS:
        _bad_flags("Will QoS without Will Flag", "MQTT-3.1.2-11", pos)
    elif flags & WILL_RETAIN:
        _bad_flags("Will Retain without Will Flag", "MQTT-3.1.2-13", pos)
    if version == 4 and flags & PASSWORD_FLAG and not flags & USER_NAME_FLAG:
        _bad_flags("a Password without User Name", "MQTT-3.1.2-22", pos, version)


def _bad_flags(message: str, statement: str, pos: int, version: int | None = None) -> NoReturn:
    raise MalformedPacket(message, version=version, statement=statement, offset=pos, field="connect_flags")


def _read_will(buf: bytes, pos: int, end: int, sender: Role | None, version: int) -> tuple[Will, int]:
    """What the payload says of the Will; its QoS and Retain stand in the flags."""
    properties: WillProperties = {}
    _present(pos, end, "will", "MQTT-3.1.2-9")
    if version == 5:
        properties, pos = read_properties(buf, pos, end, _WILL_RULES, sender)
        _present(pos, end, "will.topic", "MQTT-3.1.2-9")
    topic, pos = read_topic(buf, pos, end, "will.topic")
    _present(pos, end, "will.payload", "MQTT-3.1.2-9")
    payload, pos = read_binary(buf, pos, end, "will.payload")
    return Will(topic, payload, properties=properties), pos


def encode_connect(packet: Connect) -> bytes:
    """The whole packet, in the version it names."""
    version = packet.version
    if version not in _LEVELS:
        raise LocalProtocolError(
            f"protocol level {version}, which is neither 4 nor 5", statement="MQTT-3.1.2-2", field="version"
        )
    try:
        return write_packet(0x10, _write_v5(packet) if version == 5 else _write_v3_1_1(packet))
    except LocalProtocolError as error:
        in_version(error, version)
        raise


def _write_v5(packet: Connect) -> bytes:
    properties = packet.properties
    if "authentication_data" in properties and "authentication_method" not in properties:
        raise LocalProtocolError("Authentication Data without Authentication Method", field="authentication_data")
    will = packet.will
    return b"".join(
        (
            _NAME,
            b"\5%c" % _flags(packet),
            write_u16(packet.keep_alive, "keep_alive"),
            write_properties(properties, _RULES),
            write_utf8(packet.client_id, "client_id"),
            b"" if will is None else write_properties(will.properties, _WILL_RULES) + _write_will(will),
            _write_credentials(packet),
        )
    )


def _write_v3_1_1(packet: Connect) -> bytes:
    will = packet.will
    if packet.properties or (will is not None and will.properties):
        raise not_in_3_1_1("properties", "properties")
    if not packet.client_id and not packet.clean_start:
        raise LocalProtocolError(
            "an empty Client Identifier with CleanSession 0",
            reason_code=ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            version=ProtocolVersion.V3_1_1,
            statement="MQTT-3.1.3-7",
            field="client_id",
        )
    if packet.password is not None and packet.username is None:
        raise LocalProtocolError(
            "a Password without User Name",
            version=ProtocolVersion.V3_1_1,
            statement="MQTT-3.1.2-22",
            field="password",
        )
    return b"".join(
        (
            _NAME,
            b"\4%c" % _flags(packet),
            write_u16(packet.keep_alive, "keep_alive"),
            write_utf8(packet.client_id, "client_id"),
            b"" if will is None else _write_will(will),
            _write_credentials(packet),
        )
    )


def _flags(packet: Connect) -> int:
    will = packet.will
    flags = CLEAN_START if packet.clean_start else 0
    if packet.username is not None:
        flags |= USER_NAME_FLAG
    if packet.password is not None:
        flags |= PASSWORD_FLAG
    if will is not None:
        if will.qos not in (0, 1, 2):
            raise LocalProtocolError(
                f"Will QoS is 0, 1 or 2, not {will.qos}", statement="MQTT-3.1.2-12", field="will.qos"
            )
        flags |= WILL_FLAG | will.qos << 3 | (WILL_RETAIN if will.retain else 0)
    return flags


def _write_will(will: Will) -> bytes:
    return write_topic(will.topic, "will.topic") + write_binary(will.payload, "will.payload")


def _write_credentials(packet: Connect) -> bytes:
    username = b"" if packet.username is None else write_utf8(packet.username, "username")
    return username + (b"" if packet.password is None else write_binary(packet.password, "password"))
