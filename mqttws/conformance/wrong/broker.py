"""What the reference Server does with messages: routing, retained messages, shared subscriptions, Wills and Sessions.

Small methods, one for each rule that a wrong Server may break.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import trio

from mqttws.codec import Publish, Subscription, Will
from mqttws.conformance.wrong.member import Held, Member, Message, Waiting
from mqttws.vocabulary import ProtocolVersion, QoS, RetainHandling

__all__ = ["Broker"]

_NEVER = 0xFFFF_FFFF


class Broker:
    """All that outlives a connection. Times are trio's clock."""

    member_type: type[Member] = Member

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.retained: dict[str, Message] = {}
        self._turns: Counter[str] = Counter()
        self._stirred = trio.Event()

    # -- messages ---------------------------------------------------------------------------------------------------

    def publish(self, message: Message) -> None:
        """A message has come: keep it if it asks for that, and send it to whoever has subscribed."""
        if message.retain:
            self.keep(message)
        for member, held in list(self.recipients(message)):
            self.deliver(member, message, held)

    def keep(self, message: Message) -> None:
        """The message takes the place of what was retained; an empty one leaves nothing [MQTT-3.3.1-5, -6, -7]."""
        if message.payload:
            self.retained[message.topic] = message
        else:
            self.retained.pop(message.topic, None)

    def recipients(self, message: Message) -> Iterator[tuple[Member, list[Held]]]:
        """Who gets it, and because of which subscriptions."""
        groups: dict[str, list[tuple[Member, Held]]] = defaultdict(list)
        for member in self.members.values():
            plain = []
            for held in member.subscriptions.values():
                if not held.matches(message.topic):
                    continue
                if held.share is not None:
                    groups[held.options.topic_filter].append((member, held))
                elif not self.is_own(member, message, held):
                    plain.append(held)
            if plain:
                yield member, plain
        for name, candidates in groups.items():
            yield from self.pick(name, candidates)

    def is_own(self, member: Member, message: Message, held: Held) -> bool:
        """Whether No Local keeps a message from its own sender [MQTT-3.8.3-3]."""
        return held.options.no_local and message.sender == member.key

    def pick(self, name: str, candidates: list[tuple[Member, Held]]) -> Iterable[tuple[Member, list[Held]]]:
        """One of a shared subscription, by turns; who is connected goes first."""
        connected = [one for one in candidates if one[0].link is not None] or candidates
        member, held = connected[self._turns[name] % len(connected)]
        self._turns[name] += 1
        return [(member, [held])]

    def deliver(self, member: Member, message: Message, held: list[Held]) -> None:
        """Send it to one Client: once, however many of its subscriptions ask for it [3.1.1: MQTT-3.3.5-1]."""
        kept = any(one.options.retain_as_published for one in held)
        member.put(Waiting(self.copy(member, message, held, retain=message.retain and kept), message.expires))

    def copy(self, member: Member, message: Message, held: list[Held], *, retain: bool) -> Publish:
        """The PUBLISH for one Client."""
        properties: Any = {}
        if member.version == ProtocolVersion.V5:
            properties = self.properties_for(message, held)
        return Publish(message.topic, message.payload, self.qos_for(message, held), retain, properties=properties)

    def qos_for(self, message: Message, held: list[Held]) -> QoS:
        """The lower one of the message's and the highest that was granted [MQTT-3.8.4-8; 3.1.1: -6]."""
        return min(message.qos, max(one.options.qos for one in held))

    def properties_for(self, message: Message, held: list[Held]) -> dict[str, Any]:
        """The message's own, and the identifiers of the subscriptions [MQTT-3.3.4-3, -4, -5]."""
        properties = dict(message.properties)
        identifiers = [one.identifier for one in held if one.identifier is not None]
        if identifiers:
            properties["subscription_identifier"] = identifiers
        return properties

    # -- subscriptions ----------------------------------------------------------------------------------------------

    def subscribe(self, member: Member, options: Subscription, identifier: int | None) -> bool:
        """Take a subscription in, in the place of one with the same filter; whether it is new [MQTT-3.8.4-3]."""
        is_new = options.topic_filter not in member.subscriptions
        member.subscriptions[options.topic_filter] = Held.of(options, identifier, v5=member.version == 5)
        return is_new

    def send_retained(self, member: Member, options: Subscription, *, is_new: bool) -> None:
        """Send what is retained for a subscription that was made."""
        held = member.subscriptions[options.topic_filter]
        if not self.wants_retained(member, held, is_new=is_new):
            return
        now = trio.current_time()
        for message in list(self.retained.values()):
            if message.expires > now and held.matches(message.topic) and not self.is_own(member, message, held):
                member.put(Waiting(self.copy(member, message, [held], retain=True), message.expires))

    def wants_retained(self, member: Member, held: Held, *, is_new: bool) -> bool:
        """By Retain Handling [MQTT-3.3.1-9, -10, -11]; a shared subscription never [4.8.2], 3.1.1 always."""
        handling = held.options.retain_handling
        if member.version == ProtocolVersion.V3_1_1:
            return True
        if held.share is not None or handling == RetainHandling.DO_NOT_SEND:
            return False
        return is_new or handling == RetainHandling.SEND

    def unsubscribe(self, member: Member, topic_filter: str) -> bool:
        """Drop a subscription; whether there was one. What waits to be sent still is [MQTT-3.10.4-1, -2, -3]."""
        return member.subscriptions.pop(topic_filter, None) is not None

    # -- Sessions ---------------------------------------------------------------------------------------------------

    def join(self, key: str, version: ProtocolVersion, *, clean: bool) -> tuple[Member, bool]:
        """The Client with this key, and whether it goes on with its Session [MQTT-3.1.2-4, -5, -6]."""
        known = self.members.get(key)
        if known is not None and not clean:
            self.resume(known, version)
            return known, True
        if known is not None:
            self.end(known)
        self.members[key] = member = self.member_type(key, version)
        return member, False

    def resume(self, member: Member, version: ProtocolVersion) -> None:
        """Its Session goes on: a Will that still waits for its time is not published [MQTT-3.1.3-9]."""
        member.version = version
        member.will = None
        member.will_at = member.ends_at = math.inf

    def leave(self, member: Member, expiry: int, *, with_will: bool) -> None:
        """Its connection has ended; ``expiry`` is how long the Session lasts, in seconds."""
        now = trio.current_time()
        member.attach(None)
        for waiting in [one for one in member.waiting if not one.publish.qos]:
            member.waiting.remove(waiting)
        if not with_will:
            member.will = None
        member.ends_at = now + (math.inf if expiry == _NEVER else expiry)
        member.will_at = now + member.will_delay if member.will is not None else math.inf
        self.tend_one(member, now)
        self._stirred.set()

    def end(self, member: Member) -> None:
        """The Session is over: its Will is published, if it has one that still waits [MQTT-3.1.2-8]."""
        self.members.pop(member.key, None)
        self.speak(member)

    def speak(self, member: Member) -> None:
        """Publish the Will, once [MQTT-3.1.2-10]."""
        will, member.will, member.will_at = member.will, None, math.inf
        if will is not None:
            will.expires = trio.current_time() + will.properties.get("message_expiry_interval", math.inf)
            self.publish(will)

    def will_of(self, will: Will, key: str) -> tuple[Message, int]:
        """A Will as a message, and its delay in seconds."""
        said: Mapping[str, Any] = will.properties
        return Message.of(will, key, trio.current_time()), said.get("will_delay_interval", 0)

    async def tend(self) -> None:
        """Publish Wills and end Sessions when their time has come."""
        while True:
            deadline = min((min(one.will_at, one.ends_at) for one in self.members.values()), default=math.inf)
            with trio.move_on_at(deadline):
                await self._stirred.wait()
            self._stirred = trio.Event()
            now = trio.current_time()
            for member in list(self.members.values()):
                self.tend_one(member, now)

    def tend_one(self, member: Member, now: float) -> None:
        """The same for one Client."""
        if member.will_at <= now:
            self.speak(member)
        if member.ends_at <= now and self.members.get(member.key) is member:
            self.end(member)
