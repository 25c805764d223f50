"""Wrong Servers: who gets a message, and what becomes of it on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import (
    PubAck,
    Publish,
    PubRec,
    PubRel,
    RawPacket,
    Subscribe,
    Subscription,
    Unsubscribe,
    encode,
)
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Held, Member, Message
from mqttws.conformance.wrong.proxy import Item
from mqttws.conformance.wrong.tampers import kind_of, swallower
from mqttws.conformance.wrong.wire_faults import dropping, editing
from mqttws.vocabulary import QOS, PacketType, ProtocolVersion, QoS

__all__ = ["entries"]

_SUBSCRIBING = (PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE)


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _recipients()
    yield from _retained()
    yield from _changed()
    yield from _taken()
    yield from _filters()
    yield from _exchanges()


def _recipients() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_to_everybody", "A message goes to Clients that have subscribed to nothing, too.",
        v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", also=("*",), broker={"recipients": _everybody},
    )  # fmt: skip
    yield wrong_server(
        "matches_no_parent", "A filter that ends in # does not match the topic above.",
        v5="MQTT-4.5.0-1", v311="MQTT-4.5.0-1", also=("hash_*",), broker={"recipients": _without_parent},
    )  # fmt: skip
    yield wrong_server(
        "knows_no_local_for_all", "It sends nobody what he has published himself, asked for or not.",
        v5="MQTT-3.8.3-3", also=("*",), broker={"is_own": _is_own},
    )  # fmt: skip
    yield wrong_server(
        "sends_to_whole_group", "Each Client of a shared subscription gets each message.",
        v5="MQTT 5.0, 4.8.2", also=("*",),
        broker={"pick": lambda _self, _name, candidates: [(member, [held]) for member, held in candidates]},
    )  # fmt: skip
    yield wrong_server(
        "deaf_while_replacing", "The next message behind a subscription that was replaced is lost.",
        v5="MQTT-3.8.4-4", v311="MQTT-3.8.4-3", also=("*",), broker={"subscribe": _deaf, "deliver": _unheard},
    )  # fmt: skip
    yield wrong_server(
        "forgets_subscriptions_of_sessions", "A Client that comes back has no subscriptions any more.",
        v5="MQTT-4.1.0-1", v311="MQTT-4.1.0-1", also=("*",), broker={"resume": _resume_unsubscribed},
    )  # fmt: skip


def _everybody(self: Broker, message: Message) -> Iterator[Any]:
    reached = []
    for member, held in Broker.recipients(self, message):
        reached.append(member)
        yield member, held
    for member in self.members.values():
        if member.link is not None and member not in reached and not member.subscriptions:
            yield member, [Held.of(Subscription(message.topic, QOS[0]), None, v5=False)]


def _is_own(self: Broker, member: Member, message: Message, held: Held) -> bool:
    del self, held
    return message.sender == member.key


def _without_parent(self: Broker, message: Message) -> Iterator[Any]:
    for member, held in Broker.recipients(self, message):
        rest = [one for one in held if one.topic_filter != f"{message.topic}/#"]
        if rest:
            yield member, rest


def _deaf(self: Broker, member: Member, options: Subscription, identifier: int | None) -> bool:
    is_new = Broker.subscribe(self, member, options, identifier)
    if not is_new:
        self.__dict__.setdefault("deaf", set()).add(member.key)
    return is_new


def _unheard(self: Broker, member: Member, message: Message, held: list[Held]) -> None:
    deaf: set[str] = self.__dict__.get("deaf", set())
    if member.key in deaf:
        deaf.discard(member.key)
    else:
        Broker.deliver(self, member, message, held)


def _resume_unsubscribed(self: Broker, member: Member, version: ProtocolVersion) -> None:
    member.subscriptions.clear()
    Broker.resume(self, member, version)


def _retained() -> Iterator[Wrong]:
    yield wrong_server(
        "clears_retain", "Every message has RETAIN clear, be it a retained one or not.",
        v5=("MQTT 5.0, 3.3.1.3", "MQTT-3.3.1-13"), v311="MQTT-3.3.1-8", also=("*",),
        wire={"from_subject": editing(Publish, retain=False)},
    )  # fmt: skip
    yield wrong_server(
        "retains_for_ever", "A retained message never expires.",
        v5=("MQTT 5.0, 3.3.1.3", "MQTT-3.3.2-5"), also=("*",), broker={"keep": _keep_for_ever},
    )  # fmt: skip
    yield wrong_server(
        "forgets_retained_of_publisher", "A retained message goes with the Session of who has published it.",
        v5="MQTT 5.0, 4.1", v311="MQTT-3.1.2-7", also=("*",), broker={"end": _end_with_retained},
    )  # fmt: skip


def _keep_for_ever(self: Broker, message: Message) -> None:
    Broker.keep(self, replace(message, expires=math.inf, properties={}))


def _end_with_retained(self: Broker, member: Member) -> None:
    for topic in [one for one, message in self.retained.items() if message.sender == member.key]:
        del self.retained[topic]
    Broker.end(self, member)


def _changed() -> Iterator[Wrong]:
    yield wrong_server(
        "cuts_long_payloads", "Of a payload that is longer than 65,535 bytes the last one is lost.",
        v5="MQTT 5.0, 3.3.3", v311="MQTT 3.1.1, 3.3.3", also=("*",), broker={"publish": _publish_cut},
    )  # fmt: skip
    yield wrong_server(
        "forwards_no_expiry", "The Message Expiry Interval is not passed on.",
        v5="MQTT-3.3.2-6", also=("*",), broker={"properties_for": _without_expiry},
    )  # fmt: skip
    yield wrong_server(
        "raises_qos_0", "A message of QoS 0 comes at the QoS that was granted.",
        v5="MQTT-4.3.1-1", v311="MQTT-4.3.1-1", also=("*",), broker={"qos_for": _raised},
    )  # fmt: skip
    yield wrong_server(
        "forwards_dup_at_qos_0", "It forwards DUP of a PUBLISH at QoS 0, where it may not be set.",
        v5="MQTT-3.3.1-2", v311="MQTT-3.3.1-2", wire={"from_tester": _dup_taken, "from_subject": _dup_back},
    )  # fmt: skip


def _publish_cut(self: Broker, message: Message) -> None:
    payload = message.payload
    Broker.publish(self, replace(message, payload=payload[:-1] if len(payload) > 65_535 else payload))


def _without_expiry(self: Broker, message: Message, held: list[Held]) -> dict[str, Any]:
    properties = Broker.properties_for(self, message, held)
    properties.pop("message_expiry_interval", None)
    message.expires = math.inf
    return properties


def _raised(self: Broker, message: Message, held: list[Held]) -> QoS:
    return Broker.qos_for(self, message, held) or max(one.options.qos for one in held)


def _dup_taken(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, RawPacket) and packet.first_byte == 0x38:
        tamper.shared.setdefault("marked", set()).add(packet.body)
        return (replace(packet, first_byte=0x30),)
    return (packet,)


def _dup_back(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Publish) and not packet.qos:
        raw = RawPacket.parse(encode(packet, tamper.version))
        if raw.body in tamper.shared.get("marked", ()):
            return (replace(raw, first_byte=0x38),)
    return (packet,)


def _taken() -> Iterator[Wrong]:
    broken = swallower(None, when=lambda packet: packet.packet_type in _SUBSCRIBING)
    yield wrong_server(
        "passes_over_broken_subscribe", "It passes over each SUBSCRIBE or UNSUBSCRIBE that breaks a rule by itself.",
        v5=("MQTT-3.8.3-1", "MQTT-3.8.3-2", "MQTT-3.10.3-1", "MQTT-3.10.3-2"),
        v311=("MQTT-3.8.3-1", "MQTT-3.8.3-3", "MQTT-3.10.3-1", "MQTT-3.10.3-2"),
        also=("*",), wire={"from_tester": broken.from_tester}, shows=False,
    )  # fmt: skip


def _filters() -> Iterator[Wrong]:
    yield wrong_server(
        "takes_wildcards_inside_levels", "It takes + and # for wildcards wherever they stand.",
        v5=("MQTT-4.7.1-1", "MQTT-4.7.1-2"), v311=("MQTT-4.7.1-2", "MQTT-4.7.1-3"), also=("*",),
        wire={"from_tester": _refiltered(_levels_filled)}, shows=False,
    )  # fmt: skip
    yield wrong_server(
        "takes_any_share_name", "It takes shared subscriptions with any name, or none.",
        v5=("MQTT-4.8.2-1", "MQTT-4.8.2-2"), also=("*",), wire={"from_tester": _refiltered(_named)}, shows=False,
    )  # fmt: skip


def _refiltered(form: Any) -> Any:
    """A SUBSCRIBE that cannot be taken as it is is taken with another filter."""

    def from_tester(tamper: Any, packet: Item) -> Iterable[Item]:
        if not isinstance(packet, RawPacket) or kind_of(packet) is not PacketType.SUBSCRIBE:
            return (packet,)
        start = 3 if tamper.version == ProtocolVersion.V5 else 2
        end = start + 2 + int.from_bytes(packet.body[start : start + 2], "big")
        topic_filter = form(packet.body[start + 2 : end].decode(errors="replace"))
        if not topic_filter:
            return (packet,)
        packet_id, options = int.from_bytes(packet.body[:2], "big"), packet.body[end]
        return (Subscribe(packet_id, [Subscription(topic_filter, QOS[options & 1])]),)

    return from_tester


def _levels_filled(topic_filter: str) -> str:
    head, _, tail = topic_filter.partition("#")
    levels = [("+" if "+" in level else level) for level in head.split("/")]
    if tail or head != topic_filter:
        levels[-1] = "#"
    return "/".join(levels)


def _named(topic_filter: str) -> str:
    words = topic_filter.split("/", 2)
    return f"$share/any/{words[2]}" if words[0] == "$share" and len(words) == 3 and words[2] else ""


def _exchanges() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_acknowledged_again", "It sends a message again that was acknowledged.",
        v5="MQTT-4.4.0-1", v311="MQTT-4.4.0-1", also=("*",), wire={"from_tester": dropping(PubAck)},
    )  # fmt: skip
    yield wrong_server(
        "breaks_exchanges_off_at_unsubscribe", "Behind UNSUBSCRIBE it sends no PUBREL any more.",
        v5="MQTT-3.10.4-3", v311="MQTT-3.10.4-3", also=("*",),
        wire={"from_tester": _note_unsubscribe, "from_subject": _without_pubrel},
    )  # fmt: skip
    yield wrong_server(
        "holds_identifiers_of_refused", "An identifier is in use still behind a PUBREC that has refused.",
        v5="MQTT-4.3.3-9", also=("*",), wire={"from_tester": _refuse_and_hold},
    )  # fmt: skip
    yield wrong_server(
        "answers_half_its_window", "It answers half as many messages at a time as its Receive Maximum says.",
        v5="MQTT-4.9.0-3", also=("*",), wire={"from_tester": _count_out, "from_subject": _half},
    )  # fmt: skip


def _note_unsubscribe(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, Unsubscribe):
        tamper.is_unsubscribed = True
    return (packet,)


def _without_pubrel(tamper: Any, packet: Item) -> Iterable[Item]:
    return () if isinstance(packet, PubRel) and getattr(tamper, "is_unsubscribed", False) else (packet,)


def _refuse_and_hold(tamper: Any, packet: Item) -> Iterable[Item]:
    held: set[int | None] = tamper.__dict__.setdefault("held", set())
    if not isinstance(packet, Publish) or packet.qos != QOS[2] or packet.packet_id is None:
        return (packet,)
    if packet.packet_id in held:
        tamper.replies.append(PubRec(packet.packet_id))
        return ()
    if packet.topic.startswith("$SYS"):
        held.add(packet.packet_id)
        tamper.replies.append(PubRec(packet.packet_id, 0x87))
        return ()
    return (packet,)


def _count_out(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRel):
        tamper.open = getattr(tamper, "open", 0) - 1
    return (packet,)


def _half(tamper: Any, packet: Item) -> Iterable[Item]:
    if isinstance(packet, PubRec):
        tamper.open = getattr(tamper, "open", 0) + 1
        return (packet,) if tamper.open <= 10 else ()
    return (packet,)
