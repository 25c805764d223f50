"""Which stream gets which message, and when a message counts as consumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from mqttws.client.failure import Failure
from mqttws.client.inbox import Message, Messages
from mqttws.client.window import Holder, holder_of
from mqttws.codec import Publish
from mqttws.topics import is_shared, matches, shared_filter

__all__ = ["Counters", "Dispatcher"]

#: Topics whose streams are remembered, filters that were unsubscribed, and Subscription Identifiers: bounds on memory,
#: not on what works.
REMEMBERED = 1_000

#: What streams are remembered by: a Topic Name, with the Subscription Identifiers where the message has any.
_Route: TypeAlias = str | tuple[str, tuple[int, ...]]


class Acknowledging(Protocol):
    """Whoever sends acknowledgements."""

    def __call__(self, publish: Publish, reason_code: int = 0, properties: Mapping[str, Any] | None = None, /) -> None:
        """Every stream that got this QoS 1 or 2 message is done with it."""


@dataclass(slots=True)
class Counters:
    """Messages that did not simply arrive.

    ``unwanted``: QoS 0, dropped because no open stream wanted them. ``discarded``: QoS 1 or 2, acknowledged without
    a consumer because their subscription had been given up, or because their stream acknowledged on receipt and was
    left before it had handed them out. ``held``: QoS 1 or 2, not consumed yet, so that the Server waits for their
    acknowledgement; ``held_bytes`` is the memory that such messages take, topics and properties and those of a Session
    that is lost included.
    ``waiting``: those of them that no open stream wants. ``client.window`` tells who has them.
    """

    unwanted: int = 0
    discarded: int = 0
    held: int = 0
    held_bytes: int = 0
    waiting: int = 0


class Dispatcher:
    """The open streams of a Client, by what they want.

    ``acknowledge`` is called once for each QoS 1 or 2 message, when every stream that got it has consumed it.

    A message that no open stream wants waits for one. At QoS 1 and 2 it stays unacknowledged and so counts against
    Receive Maximum; at QoS 0 it is dropped and counted. What matches nothing but a subscription that was given up is
    acknowledged and thrown away: it may come long after UNSUBSCRIBE, and would otherwise fill the window for good.

    Servers send a message once for each subscription that matches, or once for all of them [MQTT-3.3.4-2, -3]. Its
    Subscription Identifiers say which are meant; without them, everybody whose filter matches gets every copy.
    """

    def __init__(self, acknowledge: Acknowledging) -> None:
        self.counters = Counters()
        #: Whether a stream is: reading on would drop what its consumer is about to take. See :meth:`catch_up`.
        self.crowded = False
        self._acknowledge = acknowledge
        self._streams: list[Messages] = []
        self._routes: dict[_Route, tuple[Messages, ...]] = {}
        self._subscriptions: dict[int, frozenset[str]] = {}
        #: The filters that the Server has a Subscription Identifier for.
        self.identified: frozenset[str] = frozenset()
        self._waiting: list[Message] = []
        self._given_up: dict[str, None] = {}
        self._serial = 0
        self._lost_until = 0  # the last message of a Session that the Server has lost

    def deliver(self, publish: Publish) -> None:
        """Hand a received message to every stream that wants it."""
        streams = self._routes.get(publish.topic if not publish.properties else _route_of(publish))
        if streams is None:
            streams = self._find(publish)
        if not publish.qos:
            if not streams:
                self.counters.unwanted += 1
                return
        elif not streams and self._was_given_up(publish.topic):
            self.counters.discarded += 1
            self._acknowledge(publish)
            return
        self._serial += 1
        message = Message(
            publish.topic,
            publish.payload,
            publish.qos,
            publish.retain,
            publish.dup,
            publish.properties,
            publish,
            len(streams) or 1,
            self._serial,
        )
        if publish.qos:
            self.counters.held += 1
            self.counters.held_bytes += _size_of(publish)
            if not streams:
                self._waiting.append(message)
                self.counters.waiting += 1
        for stream in streams:
            stream.put(message)
            if stream.crowded:
                self.crowded = True
            if stream.on_receipt and message.qos:
                self._received(stream, message)

    def _received(self, stream: Messages, message: Message) -> None:
        """A stream that acknowledges on receipt has a message, or has ended because it had no room for it."""
        if stream.ended:
            self._routes.clear()
            self._wait(message)
            self._count_waiting()
        else:
            self.consumed(message)

    def catch_up(self) -> None:
        """Every task that can run has run since the last call: look again at who is crowded."""
        for stream in self._streams:
            stream.catch_up()
        self.crowded = any(stream.crowded for stream in self._streams)

    def _find(self, publish: Publish) -> tuple[Messages, ...]:
        """The streams for a message: those that want it, or else those that take whatever no other wants."""
        open_streams = [stream for stream in self._streams if not stream.ended]
        wanting = [stream for stream in open_streams if _wants(stream.topic_filters, publish.topic)]
        names = self._named_by(publish)
        if names is not None:
            # A subscription without an identifier is named by none, and may be meant all the same.
            meant = [
                {name for name in stream.topic_filters if name in names or name not in self.identified}
                for stream in wanting
            ]
            wanting = [
                stream
                for stream, filters in zip(wanting, meant, strict=True)
                if not stream.subscribed or _wants(filters, publish.topic)
            ]
        streams = tuple(wanting)
        if not streams:
            streams = tuple(stream for stream in open_streams if not stream.topic_filters)
        if len(self._routes) >= REMEMBERED:
            self._routes.clear()
        self._routes[_route_of(publish)] = streams
        return streams

    def identify(self, identifier: int | None, topic_filters: Sequence[str]) -> None:
        """A SUBSCRIBE for these filters goes out with this Subscription Identifier, or without one."""
        self._routes.clear()
        if identifier is None:
            if self.identified.isdisjoint(topic_filters):
                return
            for number, names in self._subscriptions.items():
                self._subscriptions[number] = names.difference(topic_filters)
        else:
            known = self._subscriptions.pop(identifier, frozenset())
            self._subscriptions[identifier] = known.union(topic_filters)
            if len(self._subscriptions) > REMEMBERED:
                del self._subscriptions[next(iter(self._subscriptions))]
        self.identified = frozenset().union(*self._subscriptions.values())

    def _named_by(self, publish: Publish) -> frozenset[str] | None:
        """The filters that a message's Subscription Identifiers stand for; None where not all of them are known.

        There may be some of an earlier process: such a message had better come twice than not at all.
        """
        names: frozenset[str] = frozenset()
        for identifier in publish.properties.get("subscription_identifier", ()):
            known = self._subscriptions.get(identifier)
            if known is None:
                return None
            names |= known
        return names or None

    def _was_given_up(self, topic: str) -> bool:
        return bool(self._given_up) and _wants(self._given_up, topic)

    def consumed(self, message: Message) -> None:
        """One stream is done with a QoS 1 or 2 message; the last one acknowledges it."""
        message.holders -= 1
        if not message.holders:
            if message.serial > self._lost_until:
                self.counters.held -= 1
            self.counters.held_bytes -= _size_of(message.packet)
            self._acknowledge(message.packet, message.reason_code, message.answer)

    def open(self, stream: Messages) -> None:
        """A stream begins; it gets what has waited for it."""
        self._streams.append(stream)
        self._routes.clear()
        stream.opened_at = self._serial
        for topic_filter in stream.topic_filters:
            self._given_up.pop(topic_filter, None)
        wanted = [m for m in self._waiting if not stream.topic_filters or _wants(stream.topic_filters, m.topic)]
        if wanted:
            taken = {id(message) for message in wanted}
            self._waiting = [message for message in self._waiting if id(message) not in taken]
            for message in wanted:
                self._hand(stream, message)
            self._count_waiting()

    def _hand(self, stream: Messages, message: Message) -> None:
        """Let one stream have a message that has waited, as long as it takes any."""
        if stream.ended:
            self._wait(message)
            return
        stream.put(message)
        if stream.on_receipt:
            self._received(stream, message)

    def _count_waiting(self) -> None:
        self._waiting.sort(key=lambda message: message.serial)
        self.counters.waiting = len(self._waiting)

    def close(self, stream: Messages, *, failed: bool, given_up: Iterable[str] = ()) -> None:
        """A stream's block is left. Its unconsumed messages wait for another, unless they are ``given_up``.

        With ``failed`` they wait in any case: the application was interrupted, it did not say that it has enough.
        """
        self._streams.remove(stream)
        self._routes.clear()
        for topic_filter in given_up:
            self._given_up[topic_filter] = None
            if len(self._given_up) > REMEMBERED:
                del self._given_up[next(iter(self._given_up))]
        left = stream.close(failed=failed)
        if stream.on_receipt:
            self.counters.discarded += len(left)
            left = []
        if not failed and given_up:
            # It may have ended before it was left, and others have come meanwhile.
            left += [message for message in self._waiting if self._was_given_up(message.topic)]
            self._waiting = [message for message in self._waiting if not self._was_given_up(message.topic)]
        for message in left:
            if failed or not self._is_settled(message):
                self._wait(message)
            else:
                self.consumed(message)
        self._count_waiting()

    def _is_settled(self, message: Message) -> bool:
        """Whether a message that a stream has left behind, without an exception, needs no consumer any more."""
        if message.holders > 1:
            return True  # another stream has it as well
        streams = self._find(message.packet)
        if not streams and self._was_given_up(message.topic):
            self.counters.discarded += 1
            return True
        return bool(streams) and not self._takers(message)

    def _takers(self, message: Message) -> list[Messages]:
        """The open streams that want a message and have not had it, since they were opened after it came."""
        return [stream for stream in self._find(message.packet) if stream.opened_at >= message.serial]

    def _wait(self, message: Message) -> None:
        """Keep a message that was left behind for a stream to come, unless there is one already."""
        if takers := self._takers(message):
            message.holders += len(takers) - 1
            for stream in takers:
                self._hand(stream, message)
        elif any(other is message for other in self._waiting):
            message.holders -= 1  # it waits already, and needs to be consumed once only
        else:
            self._waiting.append(message)

    def holders(self) -> tuple[Holder, ...]:
        """Who has messages that wait for their acknowledgement, the one with the oldest of them first."""
        everybody: list[tuple[tuple[str, ...] | None, list[Message]]] = [
            *((stream.topic_filters, stream.unconsumed()) for stream in self._streams),
            (None, self._waiting),
        ]
        parts = []
        for topic_filters, messages in everybody:
            if present := [message for message in messages if message.serial > self._lost_until]:
                parts.append((min(message.serial for message in present), holder_of(topic_filters, present)))
        return tuple(holder for _, holder in sorted(parts, key=lambda part: part[0]))

    def connected(self, *, resumed: bool) -> None:
        """A connection is open; unless the Session was ``resumed``, nothing is held against its window.

        What came in a lost Session is consumed as ever, but there is nobody any more to acknowledge it to.
        """
        if not resumed:
            self.counters.held = 0
            self._lost_until = self._serial

    def end(self, stream: Messages, failure: Failure) -> None:
        """One stream ends with an error of its own; what comes from now on is not for it."""
        stream.fail(failure)
        self._routes.clear()

    def fail(self, failure: Failure) -> None:
        """The client has ended."""
        for stream in self._streams:
            self.end(stream, failure)


def _size_of(publish: Publish) -> int:
    """What a message takes up: all that the Server chose to fill it with, and that need not be the payload."""
    size = len(publish.payload) + len(publish.topic)
    return size + _extent(list(publish.properties.values())) if publish.properties else size


def _extent(value: Any) -> int:
    if isinstance(value, str | bytes):
        return len(value)
    return sum(map(_extent, value)) if isinstance(value, list | tuple) else 4


def _route_of(publish: Publish) -> _Route:
    identifiers = publish.properties.get("subscription_identifier")
    return publish.topic if identifiers is None else (publish.topic, tuple(identifiers))


def _wants(topic_filters: Iterable[str], topic: str) -> bool:
    return any(
        matches(shared_filter(topic_filter)[1] if is_shared(topic_filter) else topic_filter, topic)
        for topic_filter in topic_filters
    )
