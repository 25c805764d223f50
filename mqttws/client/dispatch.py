"""Which stream gets which message, and when a message counts as consumed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mqttws.client.failure import Failure
from mqttws.client.inbox import Message, Messages
from mqttws.codec import Publish
from mqttws.topics import is_shared, matches, shared_filter

__all__ = ["Counters", "Dispatcher"]

#: Topics whose streams are remembered, and filters that were unsubscribed: bounds on memory, not on what works.
REMEMBERED = 1_000


@dataclass(slots=True)
class Counters:
    """Messages that did not simply arrive.

    ``unwanted``: QoS 0, dropped because no open stream wanted them. ``discarded``: QoS 1 or 2, acknowledged without
    a consumer because their subscription had been given up. ``held``: QoS 1 or 2, not acknowledged yet; together with
    Receive Maximum it says how much of the window is used, ``held_bytes`` how much memory. ``waiting``: those of them
    that no open stream wants.
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
    """

    def __init__(self, acknowledge: Callable[[Publish], None]) -> None:
        self.counters = Counters()
        #: Whether a stream is: reading on would drop what its consumer is about to take. See :meth:`catch_up`.
        self.crowded = False
        self._acknowledge = acknowledge
        self._streams: list[Messages] = []
        self._routes: dict[str, tuple[Messages, ...]] = {}
        self._waiting: list[Message] = []
        self._given_up: dict[str, None] = {}
        self._serial = 0

    def deliver(self, publish: Publish) -> None:
        """Hand a received message to every stream that wants it."""
        streams = self._routes.get(publish.topic)
        if streams is None:
            streams = self._route(publish.topic)
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
            self.counters.held_bytes += len(publish.payload)
            if not streams:
                self._waiting.append(message)
                self.counters.waiting += 1
        for stream in streams:
            stream.put(message)
            if stream.crowded:
                self.crowded = True

    def catch_up(self) -> None:
        """Every task that can run has run since the last call: look again at who is crowded."""
        for stream in self._streams:
            stream.catch_up()
        self.crowded = any(stream.crowded for stream in self._streams)

    def _route(self, topic: str) -> tuple[Messages, ...]:
        """The streams for a topic: those that name it, or else those that take whatever no other wants."""
        streams = tuple(stream for stream in self._streams if _wants(stream.topic_filters, topic))
        if not streams:
            streams = tuple(stream for stream in self._streams if not stream.topic_filters)
        if len(self._routes) >= REMEMBERED:
            self._routes.clear()
        self._routes[topic] = streams
        return streams

    def _was_given_up(self, topic: str) -> bool:
        return bool(self._given_up) and _wants(self._given_up, topic)

    def consumed(self, message: Message) -> None:
        """One stream is done with a QoS 1 or 2 message; the last one acknowledges it."""
        message.holders -= 1
        if not message.holders:
            self.counters.held -= 1
            self.counters.held_bytes -= len(message.payload)
            self._acknowledge(message.packet)

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
            self.counters.waiting = len(self._waiting)
            for message in wanted:
                stream.put(message)

    def close(self, stream: Messages, *, failed: bool, given_up: Iterable[str] = ()) -> None:
        """A stream ends. Its unconsumed messages wait for another, unless their subscription is ``given_up``.

        With ``failed`` they wait in any case: the application was interrupted, it did not say that it has enough.
        """
        self._streams.remove(stream)
        self._routes.clear()
        for topic_filter in given_up:
            self._given_up[topic_filter] = None
            if len(self._given_up) > REMEMBERED:
                del self._given_up[next(iter(self._given_up))]
        for message in stream.close(failed=failed):
            if failed or not self._is_settled(message):
                self._wait(message)
            else:
                self.consumed(message)
        self._waiting.sort(key=lambda message: message.serial)
        self.counters.waiting = len(self._waiting)

    def _is_settled(self, message: Message) -> bool:
        """Whether a message that a stream has left behind, without an exception, needs no consumer any more."""
        if message.holders > 1:
            return True  # another stream has it as well
        streams = self._route(message.topic)
        if not streams and self._was_given_up(message.topic):
            self.counters.discarded += 1
            return True
        return bool(streams) and not self._takers(message)

    def _takers(self, message: Message) -> list[Messages]:
        """The open streams that want a message and have not had it, since they were opened after it came."""
        return [stream for stream in self._route(message.topic) if stream.opened_at >= message.serial]

    def _wait(self, message: Message) -> None:
        """Keep a message that was left behind for a stream to come, unless there is one already."""
        if takers := self._takers(message):
            message.holders += len(takers) - 1
            for stream in takers:
                stream.put(message)
        elif any(other is message for other in self._waiting):
            message.holders -= 1  # it waits already, and needs to be consumed once only
        else:
            self._waiting.append(message)

    def connected(self, *, resumed: bool) -> None:
        """A connection is open; unless the Session was ``resumed``, nothing is held against its window."""
        if not resumed:
            self._given_up.clear()

    def fail(self, failure: Failure) -> None:
        """The connection has ended."""
        for stream in self._streams:
            stream.fail(failure)


def _wants(topic_filters: Iterable[str], topic: str) -> bool:
    return any(
        matches(shared_filter(topic_filter)[1] if is_shared(topic_filter) else topic_filter, topic)
        for topic_filter in topic_filters
    )
