"""Hypothesis strategies for everything the codec can say, derived from its tables.

Each covers the whole legal domain of its packet in one version, as one end may send it; ``sender`` None allows what
either end may. Sizes are bounded by keyword-only limits so that an example stays small; the values are not.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

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

__all__ = [
    "auths",
    "chunks",
    "connacks",
    "connects",
    "disconnects",
    "packet_ids",
    "packets",
    "pingreqs",
    "pingresps",
    "properties",
    "property_values",
    "pubacks",
    "pubcomps",
    "publishes",
    "pubrecs",
    "pubrels",
    "qualities",
    "subacks",
    "subscribes",
    "subscriptions",
    "texts",
    "topic_filters",
    "topic_names",
    "unsubacks",
    "unsubscribes",
    "wills",
]

Strategy = st.SearchStrategy

packet_ids = st.integers(1, 65_535)
qualities = st.sampled_from(QOS)


def texts(*, min_size: int = 0, max_size: int = 20, without: str = "") -> Strategy[str]:
    """UTF-8 Encoded Strings: any characters but surrogates and U+0000."""
    return st.text(
        st.characters(codec="utf-8", exclude_characters="\0" + without),
        min_size=min_size,
        max_size=max_size,
    )


def topic_names(*, max_size: int = 20) -> Strategy[str]:
    """Topic Names, ``$`` ones and such with empty levels included."""
    return st.one_of(
        texts(min_size=1, max_size=max_size, without="#+"),
        st.lists(st.sampled_from(["", "a", "b", "$SYS", "é"]), min_size=2, max_size=4).map("/".join),
    )


@st.composite
def topic_filters(draw: st.DrawFn, version: int = 5, *, max_levels: int = 4) -> str:
    """Topic Filters with and without wildcards; in 5.0 also shared ones."""
    level = st.one_of(texts(max_size=6, without="/#+"), st.just("+"))
    levels = draw(st.lists(level, max_size=max_levels))
    if draw(st.booleans()):
        levels.append("#")
    topic_filter = "/".join(levels) or "/"
    if version == 5 and draw(st.booleans()):
        return f"$share/{draw(texts(min_size=1, max_size=6, without='/#+'))}/{topic_filter}"
    return "x" + topic_filter if topic_filter.startswith("$share/") else topic_filter


def chunks(data: bytes) -> Strategy[list[bytes]]:
    """Ways to cut ``data`` into pieces, none of them empty: whole, byte by byte, and anything between."""

    def cut(at: list[int]) -> list[bytes]:
        edges = [0, *sorted(set(at)), len(data)]
        return [data[start:stop] for start, stop in pairwise(edges) if start < stop]

    inner = st.integers(1, max(1, len(data) - 1))
    return st.one_of(st.lists(inner, max_size=8).map(cut), st.just(cut(list(range(1, len(data))))))


_NUMBERS = {WireType.U8: 0xFF, WireType.U16: 0xFFFF, WireType.U32: 0xFFFF_FFFF, WireType.VARINT: 268_435_455}


def property_values(row: Property) -> Strategy[Any]:
    """What one occurrence of a property may hold."""
    match row.wire_type:
        case WireType.UTF8:
            return texts()
        case WireType.TOPIC:
            return topic_names()
        case WireType.BINARY:
            return st.binary(max_size=20)
        case WireType.PAIR:
            return st.tuples(texts(max_size=6), texts(max_size=6))
        case number:
            return st.integers(row.least or 0, _NUMBERS[number] if row.most is None else row.most)


def properties(place: Place, sender: Role | None = None, *, max_many: int = 3) -> Strategy[Any]:
    """The properties that may stand in one place, from one end or from either, in any order."""
    optional: dict[str, Strategy[Any]] = {}
    for row in TABLE:
        if place in row.senders and (sender is None or sender in row.senders[place]):
            values = property_values(row)
            many = place in row.many
            optional[row.name] = st.lists(values, min_size=1, max_size=max_many) if many else values
    return st.fixed_dictionaries({}, optional=optional).flatmap(
        lambda chosen: st.permutations(list(chosen.items())).map(dict)
    )


def _properties(version: int, place: Place, sender: Role | None) -> Strategy[Any]:
    return properties(place, sender) if version == 5 else st.just({})


def _codes(packet_type: PacketType, sender: Role | None) -> Strategy[ReasonCode]:
    by_role = REASON_CODES[packet_type]
    roles = (Role.CLIENT, Role.SERVER) if sender is None else (sender,)
    return st.sampled_from([code for role in roles for code in by_role[role].values()])


@st.composite
def wills(draw: st.DrawFn, version: int = 5) -> Will:
    """Will Messages."""
    return Will(
        draw(topic_names()),
        draw(st.binary(max_size=40)),
        draw(qualities),
        draw(st.booleans()),
        draw(_properties(version, WILL, Role.CLIENT)),
    )


@st.composite
def connects(draw: st.DrawFn, version: int = 5, sender: Role | None = None) -> Connect:
    """CONNECT packets."""
    chosen = draw(_properties(version, PacketType.CONNECT, sender))
    if "authentication_method" not in chosen:
        chosen.pop("authentication_data", None)
    client_id = draw(texts())
    clean_start = draw(st.booleans()) or (version == 4 and not client_id)
    username = draw(st.none() | texts())
    password = None if version == 4 and username is None else draw(st.none() | st.binary(max_size=20))
    will = draw(st.none() | wills(version))
    keep_alive = draw(st.integers(0, 65_535))
    return Connect(ProtocolVersion(version), client_id, clean_start, keep_alive, username, password, will, chosen)


@st.composite
def connacks(draw: st.DrawFn, version: int = 5, sender: Role | None = None) -> ConnAck:
    """CONNACK packets."""
    codes: Strategy[int] = (
        _codes(PacketType.CONNACK, Role.SERVER) if version == 5 else st.sampled_from(list(ConnectReturnCode))
    )
    code = draw(codes)
    session_present = not code and draw(st.booleans())
    return ConnAck(session_present, code, draw(_properties(version, PacketType.CONNACK, sender)))


@st.composite
def publishes(draw: st.DrawFn, version: int = 5, sender: Role | None = None, *, max_payload: int = 200) -> Publish:
    """PUBLISH packets; in 5.0 also such that name their topic by an alias alone."""
    chosen = draw(_properties(version, PacketType.PUBLISH, sender))
    topic = "" if "topic_alias" in chosen and draw(st.booleans()) else draw(topic_names())
    payload = draw(st.binary(max_size=max_payload))
    qos = draw(qualities)
    dup = qos > 0 and draw(st.booleans())
    return Publish(topic, payload, qos, draw(st.booleans()), dup, draw(packet_ids) if qos else None, chosen)


def _acks(packet_class: Any) -> Callable[..., Strategy[Any]]:
    def acks(version: int = 5, sender: Role | None = None) -> Strategy[Any]:
        packet_type = packet_class.packet_type
        codes = _codes(packet_type, sender) if version == 5 else st.just(ReasonCode.SUCCESS)
        return st.builds(packet_class, packet_ids, codes, _properties(version, packet_type, sender))

    return acks


pubacks: Callable[..., Strategy[PubAck]] = _acks(PubAck)
pubrecs: Callable[..., Strategy[PubRec]] = _acks(PubRec)
pubrels: Callable[..., Strategy[PubRel]] = _acks(PubRel)
pubcomps: Callable[..., Strategy[PubComp]] = _acks(PubComp)


@st.composite
def subscriptions(draw: st.DrawFn, version: int = 5) -> Subscription:
    """One subscription of a SUBSCRIBE."""
    topic_filter = draw(topic_filters(version))
    qos = draw(qualities)
    if version == 4:
        return Subscription(topic_filter, qos)
    no_local = not topic_filter.startswith("$share/") and draw(st.booleans())
    return Subscription(topic_filter, qos, no_local, draw(st.booleans()), draw(st.sampled_from(list(RetainHandling))))


def subscribes(version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Strategy[Subscribe]:
    """SUBSCRIBE packets."""
    filters = st.lists(subscriptions(version), min_size=1, max_size=max_size)
    return st.builds(Subscribe, packet_ids, filters, _properties(version, PacketType.SUBSCRIBE, sender))


def subacks(version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Strategy[SubAck]:
    """SUBACK packets."""
    codes = _codes(PacketType.SUBACK, Role.SERVER)
    if version == 4:
        codes = st.sampled_from([ReasonCode(code) for code in (0x00, 0x01, 0x02, 0x80)])
    return st.builds(
        SubAck,
        packet_ids,
        st.lists(codes, min_size=1, max_size=max_size),
        _properties(version, PacketType.SUBACK, sender),
    )


def unsubscribes(version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Strategy[Unsubscribe]:
    """UNSUBSCRIBE packets."""
    filters = st.lists(topic_filters(version), min_size=1, max_size=max_size)
    return st.builds(Unsubscribe, packet_ids, filters, _properties(version, PacketType.UNSUBSCRIBE, sender))


def unsubacks(version: int = 5, sender: Role | None = None, *, max_size: int = 4) -> Strategy[UnsubAck]:
    """UNSUBACK packets."""
    if version == 4:
        return st.builds(UnsubAck, packet_ids)
    codes = st.lists(_codes(PacketType.UNSUBACK, Role.SERVER), min_size=1, max_size=max_size)
    return st.builds(UnsubAck, packet_ids, codes, properties(PacketType.UNSUBACK, sender))


def pingreqs(version: int = 5, sender: Role | None = None) -> Strategy[PingReq]:  # noqa: ARG001 - as the others
    """PINGREQ packets."""
    return st.builds(PingReq)


def pingresps(version: int = 5, sender: Role | None = None) -> Strategy[PingResp]:  # noqa: ARG001 - as the others
    """PINGRESP packets."""
    return st.builds(PingResp)


def disconnects(version: int = 5, sender: Role | None = None) -> Strategy[Disconnect]:
    """DISCONNECT packets."""
    if version == 4:
        return st.builds(Disconnect)
    return st.builds(Disconnect, _codes(PacketType.DISCONNECT, sender), properties(PacketType.DISCONNECT, sender))


@st.composite
def auths(draw: st.DrawFn, version: int = 5, sender: Role | None = None) -> Auth:  # noqa: ARG001 - as the others
    """AUTH packets, which exist in 5.0 only."""
    code = draw(_codes(PacketType.AUTH, sender))
    chosen = draw(properties(PacketType.AUTH, sender))
    if code:
        chosen.setdefault("authentication_method", draw(texts()))
    return Auth(code, chosen)


_BY_TYPE: dict[PacketType, Callable[..., Strategy[Any]]] = {
    PacketType.CONNECT: connects,
    PacketType.CONNACK: connacks,
    PacketType.PUBLISH: publishes,
    PacketType.PUBACK: pubacks,
    PacketType.PUBREC: pubrecs,
    PacketType.PUBREL: pubrels,
    PacketType.PUBCOMP: pubcomps,
    PacketType.SUBSCRIBE: subscribes,
    PacketType.SUBACK: subacks,
    PacketType.UNSUBSCRIBE: unsubscribes,
    PacketType.UNSUBACK: unsubacks,
    PacketType.PINGREQ: pingreqs,
    PacketType.PINGRESP: pingresps,
    PacketType.DISCONNECT: disconnects,
    PacketType.AUTH: auths,
}


def packets(version: int = 5, sender: Role | None = None) -> Strategy[Packet]:
    """Any packet that ``sender`` may send in ``version``; from either end if it is None."""
    return st.one_of(
        [
            _BY_TYPE[row.packet_class.packet_type](version, sender)
            for row in (V5 if version == 5 else V3_1_1)
            if row is not None and row.senders and (sender is None or sender in row.senders)
        ]
    )
