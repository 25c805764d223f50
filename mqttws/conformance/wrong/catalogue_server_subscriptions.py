"""Wrong Servers: SUBSCRIBE, UNSUBSCRIBE, topics and filters, shared subscriptions."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from mqttws.codec import PingResp, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.entry import Wrong, wrong_server
from mqttws.conformance.wrong.member import Held, Member, Message
from mqttws.conformance.wrong.reference_server import Visit
from mqttws.conformance.wrong.wire_faults import dropping, editing
from mqttws.topics import matches
from mqttws.vocabulary import QOS, QoS

__all__ = ["entries"]


def entries() -> Iterator[Wrong]:
    """All of them."""
    yield from _subscribe()
    yield from _granted()
    yield from _overlapping()
    yield from _unsubscribe()
    yield from _filters()
    yield from _shared()


def _subscribe() -> Iterator[Wrong]:
    yield wrong_server(
        "answers_no_subscribe", "It sends no SUBACK.",
        v5="MQTT-3.8.4-1", v311="MQTT-3.8.4-1", also=("*",), wire={"from_subject": dropping(SubAck)},
    )  # fmt: skip
    yield wrong_server(
        "answers_one_filter_only", "Its SUBACK has a code for the first filter only.",
        v5="MQTT-3.8.4-6", v311="MQTT-3.8.4-5",
        wire={"from_subject": editing(SubAck, reason_codes=lambda all_: all_[:1])},
    )  # fmt: skip
    yield wrong_server(
        "turns_suback_codes", "The codes in its SUBACK are in another order.",
        v5="MQTT-3.9.3-1", v311="MQTT-3.9.3-1",
        wire={"from_subject": editing(SubAck, reason_codes=lambda all_: all_[::-1])},
    )  # fmt: skip
    yield wrong_server(
        "adds_to_subscriptions", "A second subscription with the same filter stands beside the first.",
        v5="MQTT-3.8.4-3", v311="MQTT-3.8.4-3", also=("*",),
        broker={"recipients": _with_former, "subscribe": _keep_former},
    )  # fmt: skip
    yield wrong_server(
        "keeps_first_subscription", "A second subscription with the same filter changes nothing.",
        v5="MQTT-3.8.4-3", v311="MQTT-3.8.4-3", broker={"subscribe": _subscribe_once},
    )  # fmt: skip
    yield wrong_server(
        "takes_first_of_several_filters", "It makes the first subscription of a SUBSCRIBE only.",
        v5="MQTT-3.8.4-5", v311="MQTT-3.8.4-4", also=("*",), visit={"subscribe": _subscribe_first},
    )  # fmt: skip
    yield wrong_server(
        "loses_messages_at_resubscribe", "What waits for a Client is lost when it subscribes again.",
        v5="MQTT-3.8.4-4", v311="MQTT-3.8.4-3", broker={"subscribe": _subscribe_and_lose},
    )  # fmt: skip
    yield wrong_server(
        "sends_own_messages_back", "It knows no No Local.",
        v5="MQTT-3.8.3-3", broker={"is_own": lambda *_: False},
    )  # fmt: skip


def _keep_former(self: Broker, member: Member, options: Subscription, identifier: int | None) -> bool:
    former = member.subscriptions.get(options.topic_filter)
    if former is not None:
        self.__dict__.setdefault("former", []).append((member, former))
    return Broker.subscribe(self, member, options, identifier)


def _with_former(self: Broker, message: Message) -> Iterator[Any]:
    yield from Broker.recipients(self, message)
    for member, held in self.__dict__.get("former", []):
        if held.matches(message.topic):
            yield member, [held]


def _subscribe_once(self: Broker, member: Member, options: Subscription, identifier: int | None) -> bool:
    if options.topic_filter in member.subscriptions:
        return False
    return Broker.subscribe(self, member, options, identifier)


def _subscribe_and_lose(self: Broker, member: Member, options: Subscription, identifier: int | None) -> bool:
    if options.topic_filter in member.subscriptions:
        member.waiting.clear()
    return Broker.subscribe(self, member, options, identifier)


def _subscribe_first(self: Visit, packet: Subscribe, member: Member) -> None:
    codes = [int(one.qos) for one in packet.subscriptions]
    self.send(SubAck(packet.packet_id, codes))
    options = packet.subscriptions[0]
    is_new = self.broker.subscribe(member, options, packet.properties.get("subscription_identifier"))
    self.broker.send_retained(member, options, is_new=is_new)


def _granted() -> Iterator[Wrong]:
    yield wrong_server(
        "grants_more_than_it_gives", "Its SUBACK names QoS 2 for whatever was asked.",
        v5="MQTT-3.8.4-7", v311="MQTT-3.8.4-5",
        wire={"from_subject": editing(SubAck, reason_codes=lambda all_: [max(code, 2) for code in all_])},
    )  # fmt: skip
    yield wrong_server(
        "says_failed_and_subscribes", "Its SUBACK says that the subscription failed, but messages come.",
        v5="MQTT-3.8.4-7", v311="MQTT-3.8.4-5", also=("*",),
        wire={"from_subject": editing(SubAck, reason_codes=lambda all_: [0x80] * len(all_))},
    )  # fmt: skip
    yield wrong_server(
        "sends_at_publishers_qos", "It sends messages above the QoS that it has granted.",
        v5=("MQTT-3.8.4-8", "MQTT-3.8.4-7"), v311=("MQTT-3.8.4-6", "MQTT-3.8.4-5"), also=("*",),
        broker={"qos_for": lambda _self, message, _held: message.qos},
    )  # fmt: skip
    yield wrong_server(
        "sends_at_qos_0", "It sends all messages at QoS 0.",
        v5="MQTT-3.8.4-8", v311="MQTT-3.8.4-6", also=("*",), broker={"qos_for": lambda *_: QOS[0]},
    )  # fmt: skip
    yield wrong_server(
        "sends_at_granted_qos", "It sends messages at the granted QoS, also where the publisher's is lower.",
        v5="MQTT-3.8.4-8", v311="MQTT-3.8.4-6", also=("*",),
        broker={"qos_for": lambda _self, _message, held: max(one.options.qos for one in held)},
    )  # fmt: skip
    yield wrong_server(
        "grants_wildcards_it_does_not_have", "It grants filters with wildcards, and compares them letter by letter.",
        v5="MQTT 5.0, 3.2.2.3.11", v311="MQTT-3.8.3-2", offer="limited",
        visit={"grant": lambda _self, _filter, qos, **_: min(qos, 1)}, broker={"recipients": _exact_only},
    )  # fmt: skip


def _exact_only(self: Broker, message: Message) -> Iterator[Any]:
    for member, held in Broker.recipients(self, message):
        exact = [one for one in held if one.topic_filter == message.topic]
        if exact:
            yield member, exact


def _overlapping() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_at_lowest_qos", "Of overlapping subscriptions the lowest QoS counts.",
        v5="MQTT-3.3.4-2", v311="MQTT-3.3.5-1", broker={"qos_for": _lowest},
    )  # fmt: skip
    yield wrong_server(
        "sends_no_subscription_identifiers", "It sends no Subscription Identifier.",
        v5=("MQTT-3.3.4-3", "MQTT-3.3.4-4"), also=("*",), broker={"properties_for": _no_identifier},
    )  # fmt: skip
    yield wrong_server(
        "sends_first_subscription_identifier", "It sends the first Subscription Identifier only.",
        v5=("MQTT-3.3.4-3", "MQTT-3.3.4-4"), broker={"properties_for": _first_identifier},
    )  # fmt: skip
    yield wrong_server(
        "sends_other_subscription_identifier", "It sends another identifier than that of the subscription.",
        v5=("MQTT-3.3.4-3", "MQTT-3.3.4-4"), also=("*",), broker={"properties_for": _other_identifier},
    )  # fmt: skip
    yield wrong_server(
        "sends_copies_without_identifier", "It sends a copy for each subscription, without Subscription Identifiers.",
        v5=("MQTT-3.3.4-5", "MQTT-3.3.4-3"), also=("*",),
        broker={"deliver": _copies, "properties_for": _no_identifier},
    )  # fmt: skip
    yield wrong_server(
        "sends_copies_with_wrong_identifier", "It sends a copy for each subscription, each with the same identifier.",
        v5=("MQTT-3.3.4-5", "MQTT-3.3.4-3"), also=("*",), broker={"deliver": _copies_alike},
    )  # fmt: skip


def _lowest(self: Broker, message: Message, held: list[Held]) -> QoS:
    del self
    return min(message.qos, *(one.options.qos for one in held))


def _no_identifier(self: Broker, message: Message, held: list[Held]) -> dict[str, Any]:
    del self, held
    return dict(message.properties)


def _first_identifier(self: Broker, message: Message, held: list[Held]) -> dict[str, Any]:
    return Broker.properties_for(self, message, [one for one in held if one.identifier is not None][:1])


def _other_identifier(self: Broker, message: Message, held: list[Held]) -> dict[str, Any]:
    properties = Broker.properties_for(self, message, held)
    if "subscription_identifier" in properties:
        properties["subscription_identifier"] = [one + 1 for one in properties["subscription_identifier"]]
    return properties


def _copies(self: Broker, member: Member, message: Message, held: list[Held]) -> None:
    for one in held:
        Broker.deliver(self, member, message, [one])


def _copies_alike(self: Broker, member: Member, message: Message, held: list[Held]) -> None:
    for one in held:
        Broker.deliver(self, member, message, [replace(one, identifier=held[0].identifier)])


def _unsubscribe() -> Iterator[Wrong]:
    yield wrong_server(
        "answers_no_unsubscribe", "It sends no UNSUBACK.",
        v5="MQTT-3.10.4-4", v311="MQTT-3.10.4-4", also=("*",), wire={"from_subject": dropping(UnsubAck)},
    )  # fmt: skip
    yield wrong_server(
        "answers_known_filters_only", "It sends no UNSUBACK if no subscription was removed.",
        v5="MQTT-3.10.4-5", v311="MQTT-3.10.4-5", also=("*",), visit={"unsubscribe": _unsubscribe_known},
    )  # fmt: skip
    yield wrong_server(
        "unsubscribes_nothing", "Its subscriptions stay.",
        v5=("MQTT-3.10.4-1", "MQTT-3.10.4-2"), v311=("MQTT-3.10.4-1", "MQTT-3.10.4-2"), also=("*",),
        broker={"unsubscribe": lambda _self, member, topic_filter: topic_filter in member.subscriptions},
    )  # fmt: skip
    yield wrong_server(
        "unsubscribes_whatever_matches", "UNSUBSCRIBE removes each subscription that its filter matches.",
        v5="MQTT-3.10.4-1", v311="MQTT-3.10.4-1", broker={"unsubscribe": _unsubscribe_matching},
    )  # fmt: skip
    yield wrong_server(
        "unsubscribes_first_of_several", "It looks at the first filter of an UNSUBSCRIBE only.",
        v5="MQTT-3.10.4-6", v311="MQTT-3.10.4-6", visit={"unsubscribe": _unsubscribe_first},
    )  # fmt: skip
    yield wrong_server(
        "drops_what_is_under_way_at_unsubscribe", "It forgets messages under way when their subscription goes.",
        v5="MQTT-3.10.4-3", v311="MQTT-3.10.4-3", broker={"unsubscribe": _unsubscribe_and_forget},
    )  # fmt: skip
    yield wrong_server(
        "turns_unsuback_codes", "The codes in its UNSUBACK are in another order.",
        v5="MQTT-3.11.3-1", wire={"from_subject": editing(UnsubAck, reason_codes=lambda all_: all_[::-1])},
    )  # fmt: skip
    yield wrong_server(
        "answers_no_ping", "It sends no PINGRESP.",
        v5="MQTT-3.12.4-1", v311="MQTT-3.12.4-1", also=("*",), wire={"from_subject": dropping(PingResp)},
    )  # fmt: skip


def _unsubscribe_known(self: Visit, packet: Unsubscribe, member: Member) -> None:
    if any(topic_filter in member.subscriptions for topic_filter in packet.topic_filters):
        Visit.unsubscribe(self, packet, member)


def _unsubscribe_matching(self: Broker, member: Member, topic_filter: str) -> bool:
    found = [one for one in member.subscriptions if one == topic_filter or matches(topic_filter, one)]
    found += [one for one in member.subscriptions if one not in found and matches(one, topic_filter)]
    for one in found:
        Broker.unsubscribe(self, member, one)
    return bool(found)


def _unsubscribe_first(self: Visit, packet: Unsubscribe, member: Member) -> None:
    self.broker.unsubscribe(member, packet.topic_filters[0])
    self.send(UnsubAck(packet.packet_id, [0] * len(packet.topic_filters) if self.is_v5 else []))


def _unsubscribe_and_forget(self: Broker, member: Member, topic_filter: str) -> bool:
    member.session.outgoing.clear()
    member.waiting.clear()
    return Broker.unsubscribe(self, member, topic_filter)


def _filters() -> Iterator[Wrong]:
    yield wrong_server(
        "matches_dollar_topics", "Wildcards match topics that begin with $.",
        v5="MQTT-4.7.2-1", v311="MQTT-4.7.2-1", also=("*",), broker={"recipients": _matching(_dollar)},
    )  # fmt: skip
    yield wrong_server(
        "ignores_case", "It takes capital letters in topics for small ones.",
        v5="MQTT-4.7.3-4", v311="MQTT-4.7.3-4", broker={"recipients": _matching(str.lower)},
    )  # fmt: skip
    yield wrong_server(
        "normalises_topics", "It brings topics into a normal form of Unicode.",
        v5="MQTT-4.7.3-4", v311="MQTT-4.7.3-4", broker={"recipients": _matching(_composed)},
    )  # fmt: skip
    yield wrong_server(
        "strips_slashes", "It passes over slashes at the ends of a topic.",
        v5="MQTT-4.7.3-4", v311="MQTT-4.7.3-4", broker={"recipients": _matching(lambda topic: topic.strip("/"))},
    )  # fmt: skip


def _dollar(text: str) -> str:
    return text.replace("$", "d") if text.startswith("$") else text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _matching(form: Any) -> Any:
    """Filters and topics are compared in another form."""

    def recipients(self: Broker, message: Message) -> Iterator[Any]:
        for member in self.members.values():
            found = [
                held
                for held in member.subscriptions.values()
                if held.share is None and matches(form(held.topic_filter), form(message.topic))
            ]
            if found:
                yield member, found

    return recipients


def _shared() -> Iterator[Wrong]:
    yield wrong_server(
        "sends_shared_at_publishers_qos", "It sends messages of a shared subscription above the QoS that was granted.",
        v5="MQTT-4.8.2-3", also=("*",),
        broker={"qos_for": _shared_qos},
    )  # fmt: skip
    yield wrong_server(
        "hands_shared_on_at_end", "What an ended Session had of a shared subscription goes to another Client.",
        v5="MQTT-4.8.2-5", broker={"end": _end_and_hand_on},
    )  # fmt: skip
    yield wrong_server(
        "hands_refused_shared_on", "What a Client refuses of a shared subscription goes to another Client.",
        v5="MQTT-4.8.2-6", visit={"handle": _hand_on_refused},
    )  # fmt: skip


def _shared_qos(self: Broker, message: Message, held: list[Held]) -> QoS:
    return message.qos if held[0].share else Broker.qos_for(self, message, held)


def _end_and_hand_on(self: Broker, member: Member) -> None:
    lost = member.session.outgoing.clear()
    Broker.end(self, member)
    for publish in lost:
        self.publish(Message(publish.topic, publish.payload, publish.qos, False, {}, member.key))


def _hand_on_refused(self: Visit, event: Any) -> None:
    code = getattr(event, "reason_code", 0)
    publish = getattr(event, "publish", None)
    if publish is not None and code >= 0x80:
        self.broker.publish(Message(publish.topic, publish.payload, publish.qos, False))
    Visit.handle(self, event)
