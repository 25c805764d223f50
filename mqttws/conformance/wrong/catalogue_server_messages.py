"""Wrong Servers: messages, from the PUBLISH that comes to those that go out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import (
    ConnAck,
    Disconnect,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    RawPacket,
    SubAck,
    UnsubAck,
    encode,
)
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Member, Message, Waiting
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.tampers import kind_of, swallower
from mqttws.conformance.wrong.wire_faults import adding, each
from mqttws.vocabulary import PacketType

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _taking()
    yield from _retaining()
    yield from _forwarding()
    yield from _properties()
    yield from _aliases()
    yield from _too_wordy()


def _taking() -> Iterator[Wrong]:
    broken = swallower(None, when=lambda packet: packet.packet_type is PacketType.PUBLISH)
    yield wrong_server(
        "passes_over_broken_publish", "It passes over each PUBLISH that breaks a rule by itself.",
        v5=("MQTT-3.3.1-4", "MQTT-3.3.2-1", "MQTT-3.3.2-8", "MQTT-4.7.3-1", "MQTT-4.7.3-2", "MQTT-1.5.4-2",
            "MQTT-4.13.1-1"),
        v311=("MQTT-3.3.1-4", "MQTT-3.3.2-1", "MQTT-4.7.3-1", "MQTT-4.7.3-2", "MQTT-1.5.3-2", "MQTT-4.8.0-1"),
        also=("*",), wire={"from_tester": broken.from_tester}, shows=False,
    )  # fmt: skip
    yield wrong_server(
        "forwards_to_wildcard_topics", "It takes a PUBLISH whose Topic Name has a wildcard in it, and forwards it.",
        v5=("MQTT-3.3.2-2", "MQTT-4.7.0-1"), v311=("MQTT-3.3.2-2", "MQTT-4.7.1-1"),
        wire={"from_tester": _wildcards_escaped, "from_subject": _wildcards_back},
    )  # fmt: skip
    yield wrong_server(
        "strips_byte_order_mark", "It takes U+FEFF out of topics.",
        v5="MQTT-1.5.4-3", v311="MQTT-1.5.3-3", also=("*",),
        broker={"publish": _publish_stripped},
    )  # fmt: skip
    yield wrong_server(
        "acknowledges_nothing_at_qos_1", "It sends no PUBACK.",
        v5=("MQTT-3.3.4-1", "MQTT-4.3.2-4"), v311=("MQTT-3.3.4-1", "MQTT-4.3.2-2"), also=("*",),
        wire={"from_subject": each(PubAck, lambda _packet: None)},
    )  # fmt: skip
    yield wrong_server(
        "acknowledges_nothing_at_qos_2", "It sends no PUBREC.",
        v5=("MQTT-3.3.4-1", "MQTT-4.3.3-8"), v311=("MQTT-3.3.4-1", "MQTT-4.3.3-2"), also=("*",),
        wire={"from_subject": each(PubRec, lambda _packet: None)},
    )  # fmt: skip
    yield wrong_server(
        "acknowledges_qos_0", "It answers a message at QoS 0 with PUBACK.",
        v5="MQTT-3.3.4-1", v311="MQTT-3.3.4-1", also=("*",), wire={"from_tester": _puback_for_all},
    )  # fmt: skip


def _publish_stripped(self: Broker, message: Message) -> None:
    Broker.publish(self, replace(message, topic=message.topic.replace("\ufeff", "")))


def _wildcards_escaped(tamper: Any, packet: Item) -> Iterable[Item]:
    del tamper
    if isinstance(packet, RawPacket) and kind_of(packet) is PacketType.PUBLISH:
        end = 2 + int.from_bytes(packet.body[:2], "big")
        topic = packet.body[2:end].replace(b"+", b"\x01").replace(b"#", b"\x02")
        return (replace(packet, body=packet.body[:2] + topic + packet.body[end:]),)
    return (packet,)


def _wildcards_back(tamper: Any, packet: Item) -> Iterable[Item]:
    """The same the other way round; such a packet can only be written as bytes."""
    if isinstance(packet, Publish) and not set("\x01\x02").isdisjoint(packet.topic):
        raw = RawPacket.parse(encode(packet, tamper.version))
        end = 2 + len(packet.topic)
        return (replace(raw, body=raw.body[:end].replace(b"\x01", b"+").replace(b"\x02", b"#") + raw.body[end:]),)
    return (packet,)


def _puback_for_all(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and not packet.qos:
        tamper.replies.append(PubAck(1))
    return (packet,)


def _retaining() -> Iterator[Wrong]:
    yield wrong_server(
        "retains_nothing", "It keeps no retained message.",
        v5="MQTT-3.3.1-5", v311=("MQTT-3.3.1-5", "MQTT-3.3.1-6"), also=("*retain*",),
        broker={"keep": lambda _self, _message: None},
    )  # fmt: skip
    yield wrong_server(
        "retains_the_first", "The first retained message of a topic stays.",
        v5="MQTT-3.3.1-5", v311=("MQTT-3.3.1-5", "MQTT-3.3.1-7"), broker={"keep": _keep_first},
    )  # fmt: skip
    yield wrong_server(
        "deletes_nothing_retained", "An empty retained message deletes nothing.",
        v5="MQTT-3.3.1-6", v311="MQTT-3.3.1-10", broker={"keep": _keep_full},
    )  # fmt: skip
    yield wrong_server(
        "forwards_no_empty_retained", "It does not forward a retained message without payload.",
        v5="MQTT-3.3.1-6", v311="MQTT-3.3.1-10", broker={"publish": _publish_full},
    )  # fmt: skip
    yield wrong_server(
        "retains_empty_messages", "It keeps retained messages without payload.",
        v5=("MQTT-3.3.1-6", "MQTT-3.3.1-7"), v311=("MQTT-3.3.1-10", "MQTT-3.3.1-11"),
        broker={"keep": lambda self, message: self.retained.__setitem__(message.topic, message)},
    )  # fmt: skip
    yield wrong_server(
        "retains_everything", "It keeps messages that ask for nothing of that kind.",
        v5="MQTT-3.3.1-8", v311="MQTT-3.3.1-12", broker={"publish": _publish_and_keep},
    )  # fmt: skip
    yield wrong_server(
        "forgets_retained_at_next", "A message that is not retained deletes the one that is.",
        v5="MQTT-3.3.1-8", v311="MQTT-3.3.1-12", broker={"publish": _publish_and_forget},
    )  # fmt: skip
    yield from _giving_retained()


def _giving_retained() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_retained_for_new_only", "It sends retained messages for new subscriptions only.",
        v5=("MQTT-3.3.1-9", "MQTT-3.8.4-4"), v311="MQTT-3.8.4-3", broker={"wants_retained": lambda *_, is_new: is_new},
    )  # fmt: skip
    yield wrong_server(
        "sends_no_retained", "It sends no retained message.",
        v5="MQTT-3.3.1-9", v311="MQTT-3.3.1-6", broker={"wants_retained": lambda *_, **__: False},
    )  # fmt: skip
    yield wrong_server(
        "sends_retained_always", "It sends retained messages whatever Retain Handling says.",
        v5=("MQTT-3.3.1-10", "MQTT-3.3.1-11"), broker={"wants_retained": lambda *_, **__: True},
    )  # fmt: skip
    yield wrong_server(
        "sends_retained_as_if_new", "It sends retained messages without RETAIN.",
        v311="MQTT-3.3.1-8", broker={"copy": lambda *said, **_: Broker.copy(*said, retain=False)},
    )  # fmt: skip
    yield wrong_server(
        "forwards_retain", "It forwards RETAIN as it came.",
        v5="MQTT-3.3.1-12", v311="MQTT-3.3.1-9", broker={"deliver": _deliver_as_published},
    )  # fmt: skip
    yield wrong_server(
        "forwards_no_retain", "It forwards messages without RETAIN, also where they are to go as published.",
        v5="MQTT-3.3.1-13", broker={"deliver": _deliver_unretained},
    )  # fmt: skip


def _keep_first(self: Broker, message: Message) -> None:
    if not message.payload or message.topic not in self.retained:
        Broker.keep(self, message)


def _keep_full(self: Broker, message: Message) -> None:
    if message.payload:
        Broker.keep(self, message)


def _publish_full(self: Broker, message: Message) -> None:
    if message.retain and not message.payload:
        self.keep(message)
    else:
        Broker.publish(self, message)


def _publish_and_keep(self: Broker, message: Message) -> None:
    self.keep(message)
    Broker.publish(self, message)


def _publish_and_forget(self: Broker, message: Message) -> None:
    self.retained.pop(message.topic, None)
    Broker.publish(self, message)


def _deliver_as_published(self: Broker, member: Member, message: Message, held: Any) -> None:
    member.put(Waiting(self.copy(member, message, held, retain=message.retain), message.expires))


def _deliver_unretained(self: Broker, member: Member, message: Message, held: Any) -> None:
    member.put(Waiting(self.copy(member, message, held, retain=False), message.expires))


def _forwarding() -> Iterator[Wrong]:
    yield wrong_server(
        "forwards_to_everybody", "It forwards each message to whoever has subscribed to anything.",
        v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", also=("*",), broker={"recipients": _everybody},
    )  # fmt: skip
    yield wrong_server(
        "forwards_dup", "It forwards DUP as it came.",
        v5="MQTT-3.3.1-3", v311="MQTT-3.3.1-3", also=("*",), wire={"from_tester": _note_dup, "from_subject": _same_dup},
    )  # fmt: skip
    yield wrong_server(
        "sends_expired_messages", "It sends messages that have expired.",
        v5="MQTT-3.3.2-5", broker={"deliver": _deliver_any_time},
    )  # fmt: skip
    yield wrong_server(
        "forwards_expiry_as_it_came", "It does not take the time that a message has waited from its expiry interval.",
        v5="MQTT-3.3.2-6", broker={"copy": _copy_with_expiry}, wire={"from_subject": each(Publish, _first_expiry)},
    )  # fmt: skip


def _everybody(self: Broker, message: Message) -> Iterator[Any]:
    del message
    for member in self.members.values():
        if member.subscriptions:
            yield member, list(member.subscriptions.values())


def _deliver_any_time(self: Broker, member: Member, message: Message, held: Any) -> None:
    Broker.deliver(self, member, replace(message, expires=math.inf), held)


#: Where a copy carries the expiry interval that it came with.
_MARK = "first-expiry"


def _copy_with_expiry(self: Broker, member: Member, message: Message, held: Any, *, retain: bool) -> Publish:
    publish = Broker.copy(self, member, message, held, retain=retain)
    if "message_expiry_interval" in publish.properties:
        pairs = publish.properties.get("user_property", [])
        publish.properties["user_property"] = [*pairs, (_MARK, str(publish.properties["message_expiry_interval"]))]
    return publish


def _first_expiry(publish: Publish) -> Publish:
    pairs = publish.properties.get("user_property", [])
    if pairs and pairs[-1][0] == _MARK:
        publish.properties["message_expiry_interval"] = int(pairs[-1][1])
        if not pairs[:-1]:
            del publish.properties["user_property"]
        else:
            publish.properties["user_property"] = pairs[:-1]
    return replace(publish)


def _note_dup(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.dup:
        tamper.shared[packet.topic, packet.payload] = True
    return (packet,)


def _same_dup(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and packet.qos and (packet.topic, packet.payload) in tamper.shared:
        return (replace(packet, dup=True),)
    return (packet,)


def _properties() -> Iterator[Wrong]:
    """Properties that a message loses on its way, or that are changed."""
    for name, statement in (
        ("payload_format_indicator", "MQTT-3.3.2-4"), ("response_topic", "MQTT-3.3.2-15"),
        ("correlation_data", "MQTT-3.3.2-16"), ("user_property", "MQTT-3.3.2-17"), ("content_type", "MQTT-3.3.2-20"),
    ):  # fmt: skip
        words = name.replace("_", " ").title()
        yield wrong_server(
            f"loses_{name}", f"It forwards messages without their {words}.", v5=statement,
            broker={"properties_for": _losing(name)},
        )  # fmt: skip
    yield wrong_server(
        "turns_user_properties", "It turns the order of User Properties.",
        v5=("MQTT-3.3.2-17", "MQTT-3.3.2-18"), broker={"properties_for": _turning},
    )  # fmt: skip
    yield wrong_server(
        "adds_user_property", "It adds a User Property to each message.",
        v5="MQTT-3.3.2-17", also=("*",), broker={"properties_for": _with_one_more},
    )  # fmt: skip
    yield wrong_server(
        "merges_user_properties", "It forwards only the last of User Properties with one name.",
        v5="MQTT-3.3.2-17", broker={"properties_for": _merging},
    )  # fmt: skip


def _losing(name: str) -> Any:
    def properties_for(self: Broker, message: Message, held: Any) -> dict[str, Any]:
        properties = Broker.properties_for(self, message, held)
        properties.pop(name, None)
        return properties

    return properties_for


def _turning(self: Broker, message: Message, held: Any) -> dict[str, Any]:
    properties = Broker.properties_for(self, message, held)
    if "user_property" in properties:
        properties["user_property"] = properties["user_property"][::-1]
    return properties


def _with_one_more(self: Broker, message: Message, held: Any) -> dict[str, Any]:
    properties = Broker.properties_for(self, message, held)
    return properties | {"user_property": [*properties.get("user_property", []), ("via", "reference")]}


def _merging(self: Broker, message: Message, held: Any) -> dict[str, Any]:
    properties = Broker.properties_for(self, message, held)
    if "user_property" in properties:
        properties["user_property"] = list(dict(properties["user_property"]).items())
    return properties


def _aliases() -> Iterator[Wrong]:
    yield wrong_server(
        "keeps_aliases", "It keeps the Topic Aliases of earlier connections.",
        v5="MQTT-3.3.2-7", also=("*alias*",), wire={"from_tester": _older_alias},
    )  # fmt: skip
    yield wrong_server(
        "refuses_highest_alias", "It does not take the highest Topic Alias that it allows.",
        v5="MQTT-3.3.2-12", also=("*alias*",),
        wire={"from_tester": each(Publish, lambda packet: b"\0\0" if _alias(packet) == 10 else packet)},
    )  # fmt: skip
    yield wrong_server(
        "refuses_lowest_alias", "It does not take Topic Alias 1.",
        v5="MQTT-3.3.2-12", also=("*alias*",),
        wire={"from_tester": each(Publish, lambda packet: b"\0\0" if _alias(packet) == 1 else packet)},
    )  # fmt: skip


def _alias(packet: Publish) -> int | None:
    return packet.properties.get("topic_alias")


def _older_alias(tamper: Any, packet: Item) -> Iterable[Item]:
    if not isinstance(packet, Publish) or (alias := _alias(packet)) is None:
        return (packet,)
    known = tamper.__dict__.setdefault("known", set())
    if packet.topic:
        known.add(alias)
        tamper.shared[alias] = packet.topic
    elif alias not in known and alias in tamper.shared:
        return (replace(packet, topic=tamper.shared[alias]),)
    return (packet,)


def _too_wordy() -> Iterator[Wrong]:
    """Packets that get too large for their receiver by what should be left out then."""
    long_text, long_pair = "long " * 200, [("long", "word " * 200)]
    for kind, reason, pair in (
        (ConnAck, "MQTT-3.2.2-19", "MQTT-3.2.2-20"), (PubAck, "MQTT-3.4.2-2", "MQTT-3.4.2-3"),
        (PubRec, "MQTT-3.5.2-2", "MQTT-3.5.2-3"), (PubRel, "MQTT-3.6.2-2", "MQTT-3.6.2-3"),
        (PubComp, "MQTT-3.7.2-2", "MQTT-3.7.2-3"), (SubAck, "MQTT-3.9.2-1", "MQTT-3.9.2-2"),
        (UnsubAck, "MQTT-3.11.2-1", "MQTT-3.11.2-2"), (Disconnect, "MQTT-3.14.2-3", "MQTT-3.14.2-4"),
    ):  # fmt: skip
        name = kind.packet_type.name
        yield wrong_server(
            f"explains_too_much_in_{name.lower()}", f"It puts a long Reason String into each {name}.",
            v5=(reason, "MQTT-3.1.2-24"), also=("*",), wire={"from_subject": adding(kind, reason_string=long_text)},
        )  # fmt: skip
        yield wrong_server(
            f"adds_too_much_to_{name.lower()}", f"It puts a long User Property into each {name}.",
            v5=(pair, "MQTT-3.1.2-24"), also=("*",), wire={"from_subject": adding(kind, user_property=long_pair)},
        )  # fmt: skip
    for kind in (PubAck, PubRec, PubRel, PubComp, SubAck, UnsubAck):
        name = kind.packet_type.name
        yield wrong_server(
            f"explains_unasked_in_{name.lower()}", f"It puts a Reason String into {name} for who wants none.",
            v5="MQTT-3.1.2-29", wire={"from_subject": adding(kind, reason_string="why")},
        )  # fmt: skip
