"""SUBSCRIBE and UNSUBSCRIBE (3.8, 3.10), both versions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, TypeAlias

from mqttws.codec.faults import in_field, not_in_3_1_1, past_end, peers_fault, zero_packet_id
from mqttws.codec.primitives import read_u16, read_utf8, write_packet, write_packet_id, write_utf8
from mqttws.codec.properties import SubscribeProperties, UnsubscribeProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.errors import LocalProtocolError, MalformedPacket, RemoteProtocolError
from mqttws.topics import check_filter, is_shared, shared_filter
from mqttws.vocabulary import QOS, PacketType, QoS, RetainHandling, Role

_SUBSCRIBE_RULES: Final = PropertyRules(PacketType.SUBSCRIBE)
_UNSUBSCRIBE_RULES: Final = PropertyRules(PacketType.UNSUBSCRIBE)
_RETAIN_HANDLING: Final = tuple(RetainHandling)


@dataclass(slots=True)
class Subscription:
    """A Topic Filter and what is wanted of it (3.8.3.1). All but ``qos`` exists in 5.0 only."""

    topic_filter: str
    qos: QoS = QoS.AT_MOST_ONCE
    no_local: bool = False
    retain_as_published: bool = False
    retain_handling: RetainHandling = RetainHandling.SEND


@dataclass(slots=True)
class Subscribe:
    """A Client's wish for messages, with at least one subscription.

    ``packet_id`` is 1 to 65,535; 0 stands for one that is still to be chosen, and cannot be encoded.
    """

    packet_type: ClassVar[PacketType] = PacketType.SUBSCRIBE

    packet_id: int
    subscriptions: list[Subscription]
    properties: SubscribeProperties = field(default_factory=SubscribeProperties)


@dataclass(slots=True)
class Unsubscribe:
    """A Client's farewell to at least one Topic Filter. ``packet_id`` as in SUBSCRIBE."""

    packet_type: ClassVar[PacketType] = PacketType.UNSUBSCRIBE

    packet_id: int
    topic_filters: list[str]
    properties: UnsubscribeProperties = field(default_factory=UnsubscribeProperties)


def _read_packet_id(buf: bytes, pos: int, end: int) -> tuple[int, int]:
    packet_id, stop = read_u16(buf, pos, end, "packet_id")
    if not packet_id:
        raise zero_packet_id(pos, "MQTT-2.2.1-3")
    return packet_id, stop


def _check_filter_v5(topic_filter: str) -> None:
    """``$share/`` is looked into in 5.0 only, where it means something."""
    if is_shared(topic_filter):
        shared_filter(topic_filter)
    else:
        check_filter(topic_filter)


_Check: TypeAlias = Callable[[str], None]


def _read_filter(buf: bytes, pos: int, end: int, name: str, check: _Check) -> tuple[str, int]:
    """A well-formed Topic Filter."""
    topic_filter, stop = read_utf8(buf, pos, end, name)
    try:
        check(topic_filter)
    except LocalProtocolError as error:
        raise peers_fault(error, pos + 2, name) from None
    return topic_filter, stop


def _write_filter(topic_filter: str, name: str, check: _Check) -> bytes:
    encoded = write_utf8(topic_filter, name)
    try:
        check(topic_filter)
    except LocalProtocolError as error:
        raise in_field(error, name) from None
    return encoded


def decode_subscribe_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> Subscribe:
    """The body of a SUBSCRIBE."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    properties, pos = read_properties(buf, pos, end, _SUBSCRIBE_RULES, sender)
    _not_empty(pos, end, "subscriptions", "MQTT-3.8.3-2")
    subscriptions = []
    while pos < end:
        topic_filter, pos = _read_filter(buf, pos, end, "topic_filter", _check_filter_v5)
        if pos == end:
            raise past_end("options", pos)
        subscriptions.append(_read_options(topic_filter, buf[pos], pos))
        pos += 1
    return Subscribe(packet_id, subscriptions, properties)


def _read_options(topic_filter: str, options: int, pos: int) -> Subscription:
    """The Subscription Options: two reserved bits, Retain Handling (2), Retain As Published, No Local, QoS (2)."""
    if options & 0xC0:
        raise MalformedPacket(
            "a reserved bit of the Subscription Options is set", statement="MQTT-3.8.3-5", offset=pos, field="options"
        )
    qos, retain_handling = options & 3, options >> 4
    if qos == 3:
        raise RemoteProtocolError("QoS 3 in the Subscription Options", offset=pos, field="qos")
    if retain_handling == 3:
        raise RemoteProtocolError("Retain Handling 3", offset=pos, field="retain_handling")
    no_local = bool(options & 4)
    if no_local and is_shared(topic_filter):
        raise RemoteProtocolError(
            "No Local on a shared subscription", statement="MQTT-3.8.3-4", offset=pos, field="no_local"
        )
    return Subscription(topic_filter, QOS[qos], no_local, bool(options & 8), _RETAIN_HANDLING[retain_handling])


def decode_subscribe_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> Subscribe:
    """The body of a SUBSCRIBE."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    _not_empty(pos, end, "subscriptions", "MQTT-3.8.3-2")
    subscriptions = []
    while pos < end:
        topic_filter, pos = _read_filter(buf, pos, end, "topic_filter", check_filter)
        if pos == end:
            raise past_end("qos", pos)
        if buf[pos] > 2:
            raise MalformedPacket(
                f"requested QoS byte 0x{buf[pos]:02X}", statement="MQTT-3.8.3-5", offset=pos, field="qos"
            )
        subscriptions.append(Subscription(topic_filter, QOS[buf[pos]]))
        pos += 1
    return Subscribe(packet_id, subscriptions, {})


def _not_empty(pos: int, end: int, name: str, statement: str) -> None:
    if pos == end:
        raise RemoteProtocolError("no Topic Filter in the payload", statement=statement, offset=pos, field=name)


def decode_unsubscribe_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> Unsubscribe:
    """The body of an UNSUBSCRIBE."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    properties, pos = read_properties(buf, pos, end, _UNSUBSCRIBE_RULES, sender)
    return Unsubscribe(packet_id, _read_filters(buf, pos, end, _check_filter_v5), properties)


def decode_unsubscribe_v3_1_1(buf: bytes, pos: int, end: int, _sender: Role | None) -> Unsubscribe:
    """The body of an UNSUBSCRIBE."""
    packet_id, pos = _read_packet_id(buf, pos, end)
    return Unsubscribe(packet_id, _read_filters(buf, pos, end, check_filter), {})


def _read_filters(buf: bytes, pos: int, end: int, check: _Check) -> list[str]:
    _not_empty(pos, end, "topic_filters", "MQTT-3.10.3-2")
    topic_filters = []
    while pos < end:
        topic_filter, pos = _read_filter(buf, pos, end, "topic_filters", check)
        topic_filters.append(topic_filter)
    return topic_filters


def encode_subscribe_v5(packet: Subscribe) -> bytes:
    """The whole packet."""
    parts = [
        write_packet_id(packet.packet_id, "MQTT-2.2.1-3"),
        write_properties(packet.properties, _SUBSCRIBE_RULES),
    ]
    _require_filters(packet.subscriptions, "subscriptions", "MQTT-3.8.3-2")
    for subscription in packet.subscriptions:
        parts.append(_write_filter(subscription.topic_filter, "topic_filter", _check_filter_v5))
        parts.append(_write_options(subscription))
    return write_packet(0x82, b"".join(parts))


def _write_options(subscription: Subscription) -> bytes:
    qos, retain_handling = subscription.qos, subscription.retain_handling
    if qos not in (0, 1, 2):
        raise LocalProtocolError(f"QoS is 0, 1 or 2, not {qos}", field="qos")
    if retain_handling not in (0, 1, 2):
        raise LocalProtocolError(f"Retain Handling is 0, 1 or 2, not {retain_handling}", field="retain_handling")
    options = retain_handling << 4 | qos
    if subscription.no_local:
        if is_shared(subscription.topic_filter):
            raise LocalProtocolError("No Local on a shared subscription", statement="MQTT-3.8.3-4", field="no_local")
        options |= 4
    if subscription.retain_as_published:
        options |= 8
    return b"%c" % options


def encode_subscribe_v3_1_1(packet: Subscribe) -> bytes:
    """The whole packet. Options and properties of 5.0 are refused."""
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    parts = [write_packet_id(packet.packet_id, "MQTT-2.2.1-3")]
    _require_filters(packet.subscriptions, "subscriptions", "MQTT-3.8.3-2")
    for subscription in packet.subscriptions:
        if subscription.no_local or subscription.retain_as_published or subscription.retain_handling:
            raise not_in_3_1_1("Subscription Options", "options")
        if subscription.qos not in (0, 1, 2):
            raise LocalProtocolError(f"QoS is 0, 1 or 2, not {subscription.qos}", statement="MQTT-3.8.3-5", field="qos")
        parts.append(_write_filter(subscription.topic_filter, "topic_filter", check_filter))
        parts.append(b"%c" % subscription.qos)
    return write_packet(0x82, b"".join(parts))


def _require_filters(filters: list[Subscription] | list[str], name: str, statement: str) -> None:
    if not filters:
        raise LocalProtocolError("at least one Topic Filter is needed", statement=statement, field=name)


def encode_unsubscribe_v5(packet: Unsubscribe) -> bytes:
    """The whole packet."""
    return _write_unsubscribe(packet, write_properties(packet.properties, _UNSUBSCRIBE_RULES), _check_filter_v5)


def encode_unsubscribe_v3_1_1(packet: Unsubscribe) -> bytes:
    """The whole packet."""
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    return _write_unsubscribe(packet, b"", check_filter)


def _write_unsubscribe(packet: Unsubscribe, properties: bytes, check: _Check) -> bytes:
    _require_filters(packet.topic_filters, "topic_filters", "MQTT-3.10.3-2")
    return write_packet(
        0xA2,
        b"".join(
            (
                write_packet_id(packet.packet_id, "MQTT-2.2.1-3"),
                properties,
                *(_write_filter(topic_filter, "topic_filters", check) for topic_filter in packet.topic_filters),
            )
        ),
    )
