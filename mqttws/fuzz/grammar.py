"""Every packet that one end may send in one version, built from the codec's tables by the choices of a source.

Each function covers the whole legal domain of its packet; ``sender`` None allows what either end may send. Sizes stay
small except rarely, where they reach the edges of length fields; ``longest`` bounds them, in bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    Will,
)
from mqttws.codec.dispatch import V3_1_1, V5
from mqttws.codec.properties import TABLE, WILL, Place, Property, WireType
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import (
    QOS,
    REASON_CODES,
    ConnectReturnCode,
    PacketType,
    ProtocolVersion,
    ReasonCode,
    RetainHandling,
    Role,
)

__all__ = ["BUILDERS", "packet", "packet_types", "properties", "topic_filter", "topic_name"]

_NUMBERS: Final = {WireType.U8: 0xFF, WireType.U16: 0xFFFF, WireType.U32: 0xFFFF_FFFF, WireType.VARINT: 268_435_455}
_LEVELS: Final = ("a", "", "b", "$SYS", "\N{LATIN SMALL LETTER E WITH ACUTE}")
_CODES_V3_1_1: Final = [ReasonCode(code) for code in (0x00, 0x01, 0x02, 0x80)]
_RETAIN_HANDLING: Final = tuple(RetainHandling)
_RETURN_CODES: Final = tuple(ConnectReturnCode)


def topic_name(source: Source, *, most: int = 20, longest: int = 65_535) -> str:
    """A Topic Name, ``$`` ones and such with empty levels included."""
    if source.boolean():
        return "/".join(source.choice(_LEVELS) for _ in range(2 + source.draw(2)))
    return source.text(least=1, most=most, longest=longest, without="#+")


def topic_filter(source: Source, version: int = 5, *, max_levels: int = 4) -> str:
    """A Topic Filter with or without wildcards; in 5.0 also a shared one."""
    levels = [
        "+" if source.boolean() else source.text(most=6, longest=200, without="/#+")
        for _ in range(source.draw(max_levels))
    ]
    if source.boolean():
        levels.append("#")
    built = "/".join(levels) or "/"
    if version == 5 and source.boolean():
        return f"$share/{source.text(least=1, most=6, longest=200, without='/#+')}/{built}"
    return "x" + built if built.startswith("$share/") else built


def property_value(source: Source, row: Property) -> Any:
    """What one occurrence of a property may hold."""
    match row.wire_type:
        case WireType.UTF8:
            return source.text()
        case WireType.TOPIC:
            return topic_name(source)
        case WireType.BINARY:
            return source.binary()
        case WireType.PAIR:
            return (source.text(most=6), source.text(most=6))
        case number:
            return source.integer(row.least or 0, _NUMBERS[number] if row.most is None else row.most)


def properties(source: Source, place: Place, sender: Role | None = None, *, max_many: int = 3) -> Any:
    """The properties that may stand in one place, from one end or from either, in any order."""
    chosen = []
    for row in TABLE:
        if _may_stand(row, place, sender, source.plain) and source.draw(2) == 2:
            many = place in row.many
            value = property_value(source, row)
            if many:
                value = [value, *(property_value(source, row) for _ in range(source.draw(max_many - 1)))]
            chosen.append((row.name, value))
    return dict(source.shuffled(chosen))


def _may_stand(row: Property, place: Place, sender: Role | None, plain: bool) -> bool:
    if place not in row.senders or (sender is not None and sender not in row.senders[place]):
        return False
    # 3.14.2.2.5 speaks of a Server that sends it, and forbids it to nobody
    disputed = row.name == "server_reference" and place is PacketType.DISCONNECT and sender is not Role.SERVER
    return not (plain and disputed)


def _properties(source: Source, version: int, place: Place, sender: Role | None) -> Any:
    return properties(source, place, sender) if version == 5 else {}


def _code(source: Source, packet_type: PacketType, sender: Role | None) -> ReasonCode:
    by_role = REASON_CODES[packet_type]
    roles = (Role.CLIENT, Role.SERVER) if sender is None else (sender,)
    return source.choice([code for role in roles for code in by_role[role].values()])


def _packet_id(source: Source) -> int:
    return source.integer(1, 65_535)


def _payload(source: Source, said: Any, *, most: int, longest: int) -> bytes:
    """A payload that keeps the promise of the Payload Format Indicator."""
    if said.get("payload_format_indicator") == 1:
        return source.text(most=most, longest=longest).encode()
    return source.binary(most=most, longest=longest)


def will(source: Source, version: int = 5) -> Will:
    """A Will Message."""
    said = _properties(source, version, WILL, Role.CLIENT)
    topic = topic_name(source)
    return Will(topic, _payload(source, said, most=40, longest=65_535), source.choice(QOS), source.boolean(), said)


def connect(source: Source, version: int = 5, sender: Role | None = None) -> Connect:
    """A CONNECT."""
    said = _properties(source, version, PacketType.CONNECT, sender)
    if "authentication_method" not in said:
        said.pop("authentication_data", None)
    client_id = source.text()
    clean_start = source.boolean() or (version == 4 and not client_id)
    username = source.text() if source.boolean() else None
    password = source.binary() if source.boolean() and (version == 5 or username is not None) else None
    the_will = will(source, version) if source.boolean() else None
    keep_alive = source.integer(0, 65_535)
    return Connect(ProtocolVersion(version), client_id, clean_start, keep_alive, username, password, the_will, said)


def connack(source: Source, version: int = 5, sender: Role | None = None) -> ConnAck:
    """A CONNACK."""
    code: int = _code(source, PacketType.CONNACK, Role.SERVER) if version == 5 else source.choice(_RETURN_CODES)
    session_present = not code and source.boolean()
    return ConnAck(session_present, code, _properties(source, version, PacketType.CONNACK, sender))


def publish(source: Source, version: int = 5, sender: Role | None = None, *, longest: int = 20_000) -> Publish:
    """A PUBLISH; in 5.0 also one that names its topic by an alias alone. ``longest`` bounds the payload."""
    said = _properties(source, version, PacketType.PUBLISH, sender)
    topic = "" if "topic_alias" in said and source.boolean() else topic_name(source)
    qos = source.choice(QOS)
    dup = qos > 0 and source.boolean()
    packet_id = _packet_id(source) if qos else None
    payload = _payload(source, said, most=40, longest=longest)
    return Publish(topic, payload, qos, source.boolean(), dup, packet_id, said)


def _acknowledgement(packet_class: Any) -> Callable[..., Any]:
    packet_type = packet_class.packet_type

    def acknowledgement(source: Source, version: int = 5, sender: Role | None = None) -> Any:
        code = _code(source, packet_type, sender) if version == 5 else ReasonCode.SUCCESS
        return packet_class(_packet_id(source), code, _properties(source, version, packet_type, sender))

    return acknowledgement


def subscription(source: Source, version: int = 5) -> Subscription:
    """One subscription of a SUBSCRIBE."""
    wanted = topic_filter(source, version)
    qos = source.choice(QOS)
    if version == 4:
        return Subscription(wanted, qos)
    no_local = not wanted.startswith("$share/") and source.boolean()
    return Subscription(wanted, qos, no_local, source.boolean(), source.choice(_RETAIN_HANDLING))


def subscribe(source: Source, version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Subscribe:
    """A SUBSCRIBE."""
    wanted = [subscription(source, version) for _ in range(1 + source.draw(max_size - 1))]
    return Subscribe(_packet_id(source), wanted, _properties(source, version, PacketType.SUBSCRIBE, sender))


def suback(source: Source, version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> SubAck:
    """A SUBACK."""
    codes: list[int] = [
        _code(source, PacketType.SUBACK, Role.SERVER) if version == 5 else source.choice(_CODES_V3_1_1)
        for _ in range(1 + source.draw(max_size - 1))
    ]
    return SubAck(_packet_id(source), codes, _properties(source, version, PacketType.SUBACK, sender))


def unsubscribe(source: Source, version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Unsubscribe:
    """An UNSUBSCRIBE."""
    filters = [topic_filter(source, version) for _ in range(1 + source.draw(max_size - 1))]
    return Unsubscribe(_packet_id(source), filters, _properties(source, version, PacketType.UNSUBSCRIBE, sender))


def unsuback(source: Source, version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> UnsubAck:
    """An UNSUBACK."""
    if version == 4:
        return UnsubAck(_packet_id(source))
    codes: list[int] = [_code(source, PacketType.UNSUBACK, Role.SERVER) for _ in range(1 + source.draw(max_size - 1))]
    return UnsubAck(_packet_id(source), codes, properties(source, PacketType.UNSUBACK, sender))


def pingreq(_source: Source, _version: int = 5, _sender: Role | None = None) -> PingReq:
    """A PINGREQ."""
    return PingReq()


def pingresp(_source: Source, _version: int = 5, _sender: Role | None = None) -> PingResp:
    """A PINGRESP."""
    return PingResp()


def disconnect(source: Source, version: int = 5, sender: Role | None = None) -> Disconnect:
    """A DISCONNECT."""
    if version == 4:
        return Disconnect()
    code = _code(source, PacketType.DISCONNECT, sender)
    return Disconnect(code, properties(source, PacketType.DISCONNECT, sender))


def auth(source: Source, _version: int = 5, sender: Role | None = None) -> Auth:
    """An AUTH, which exists in 5.0 only."""
    code = _code(source, PacketType.AUTH, sender)
    said = properties(source, PacketType.AUTH, sender)
    if code or source.plain:  # whether success needs a method is disputed
        said.setdefault("authentication_method", source.text())
    return Auth(code, said)


#: The builder of each packet type: ``(source, version, sender) -> packet``.
BUILDERS: Final[dict[PacketType, Callable[..., Any]]] = {
    PacketType.CONNECT: connect,
    PacketType.CONNACK: connack,
    PacketType.PUBLISH: publish,
    PacketType.PUBACK: _acknowledgement(PubAck),
    PacketType.PUBREC: _acknowledgement(PubRec),
    PacketType.PUBREL: _acknowledgement(PubRel),
    PacketType.PUBCOMP: _acknowledgement(PubComp),
    PacketType.SUBSCRIBE: subscribe,
    PacketType.SUBACK: suback,
    PacketType.UNSUBSCRIBE: unsubscribe,
    PacketType.UNSUBACK: unsuback,
    PacketType.PINGREQ: pingreq,
    PacketType.PINGRESP: pingresp,
    PacketType.DISCONNECT: disconnect,
    PacketType.AUTH: auth,
}


def packet_types(version: int = 5, sender: Role | None = None) -> list[PacketType]:
    """The types of packet that ``sender`` may send in ``version``, from either end if it is None."""
    return [
        row.packet_class.packet_type
        for row in (V5 if version == 5 else V3_1_1)
        if row is not None and row.senders and (sender is None or sender in row.senders)
    ]


_TYPES: Final = {
    (version, sender): tuple(packet_types(version, sender))
    for version in (4, 5)
    for sender in (None, Role.CLIENT, Role.SERVER)
}


def packet(source: Source, version: int = 5, sender: Role | None = None) -> Packet:
    """Any packet that ``sender`` may send in ``version``; from either end if it is None."""
    packet_type = source.choice(_TYPES[version, sender])
    built: Packet = BUILDERS[packet_type](source, version, sender)
    return built
