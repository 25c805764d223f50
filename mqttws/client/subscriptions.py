"""The Topic Filters that a Client has asked the Server for, shared by the streams that want them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.codec import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from mqttws.codec.properties import SubscribeProperties
from mqttws.errors import LocalProtocolError, SubscribeRefused, name_of
from mqttws.session import Connection

__all__ = ["Subscriptions"]

logger = logging.getLogger("mqttws.client")


@dataclass(slots=True, eq=False)
class _Request:
    """A SUBSCRIBE: what it asks for, and what SUBACK says to each filter once it is there."""

    asked: list[tuple[_Wanted, Subscription]] = field(default_factory=list)
    answered: trio.Event = field(default_factory=trio.Event)
    reason_codes: dict[str, int] = field(default_factory=dict)
    answer: SubAck | None = None
    failure: Failure | None = None

    async def wait(self) -> None:
        await self.answered.wait()
        if self.failure is not None:
            raise self.failure.fresh()


@dataclass(slots=True, eq=False)
class _Wanted:
    """One Topic Filter: the options asked for last, the SUBSCRIBE that did, and the streams that want it.

    ``granted`` are the last options that the Server took, with their SUBSCRIBE; None while there are none.
    """

    subscription: Subscription
    request: _Request
    granted: tuple[Subscription, _Request] | None = None
    keep: bool = False
    streams: list[Messages] = field(default_factory=list)


class Subscriptions:
    """One SUBSCRIBE for each filter, however many streams want it; UNSUBSCRIBE when the last one goes."""

    def __init__(self) -> None:
        self._wanted: dict[str, _Wanted] = {}
        self._requests: dict[int, _Request] = {}
        self._farewells: dict[int, tuple[str, ...]] = {}

    def enter(
        self,
        stream: Messages,
        subscriptions: Sequence[Subscription],
        properties: SubscribeProperties | None,
        connection: Connection,
        now: float,
        *,
        keep: bool,
    ) -> list[_Request]:
        """Let a stream in, and send SUBSCRIBE for what is not subscribed yet or only at a lower QoS.

        Returns what to wait for, filter by filter. Raises :class:`LocalProtocolError`, and changes nothing, where a
        filter is subscribed with other options: one Session has one set of options for a filter [MQTT-3.8.4-3].
        """
        new = [subscription for subscription in subscriptions if self._is_new(subscription)]
        if new:
            sent = connection.send(Subscribe(0, new, properties or {}), now)
            assert isinstance(sent, Subscribe)
            request = self._requests[sent.packet_id] = _Request()
            for subscription in new:
                known = self._wanted.get(subscription.topic_filter)
                if known is None:
                    known = self._wanted[subscription.topic_filter] = _Wanted(subscription, request)
                else:
                    known.subscription, known.request = subscription, request
                request.asked.append((known, subscription))
        entered = [self._wanted[subscription.topic_filter] for subscription in subscriptions]
        for wanted in entered:
            wanted.keep |= keep
            wanted.streams.append(stream)
        return [wanted.request for wanted in entered]

    def _is_new(self, subscription: Subscription) -> bool:
        known = self._wanted.get(subscription.topic_filter)
        if known is None:
            return True
        asked, held = _options(subscription), _options(known.subscription)
        if asked != held:
            raise LocalProtocolError(f"{subscription.topic_filter!r} is subscribed already, with other options")
        return subscription.qos > known.subscription.qos

    async def granted(self, stream: Messages, requests: Sequence[_Request]) -> None:
        """Wait until the Server has answered; raise :class:`SubscribeRefused` where it refused any of the filters."""
        for request in requests:
            await request.wait()
        pairs = list(zip(stream.topic_filters, requests, strict=True))
        stream.reason_codes = tuple(request.reason_codes[topic_filter] for topic_filter, request in pairs)
        if max(stream.reason_codes) < 0x80:
            return
        refusing = next(request for topic_filter, request in pairs if request.reason_codes[topic_filter] >= 0x80)
        assert refusing.answer is not None  # codes come with an answer
        raise SubscribeRefused(stream.reason_codes, refusing.answer.properties, topic_filters=stream.topic_filters)

    def leave(self, stream: Messages, connection: Connection, now: float) -> tuple[str, ...]:
        """Let a stream out; returns the filters that it was the last to want, for which UNSUBSCRIBE was sent."""
        given_up = []
        for topic_filter in stream.topic_filters:
            wanted = self._wanted[topic_filter]
            wanted.streams.remove(stream)
            if wanted.streams:
                continue
            del self._wanted[topic_filter]
            refused = wanted.granted is None and wanted.request.answered.is_set()
            if not wanted.keep and not refused:
                given_up.append(topic_filter)
        if given_up and connection.is_open:
            sent = connection.send(Unsubscribe(0, given_up), now)
            assert isinstance(sent, Unsubscribe)
            self._farewells[sent.packet_id] = tuple(given_up)
        return tuple(given_up)

    def on_suback(self, packet: SubAck) -> None:
        """The Server has answered a SUBSCRIBE."""
        request = self._requests.pop(packet.packet_id)
        request.answer = packet
        for (wanted, subscription), code in zip(request.asked, packet.reason_codes, strict=True):
            request.reason_codes[subscription.topic_filter] = code
            if code < 0x80:
                wanted.granted = subscription, request
            elif wanted.granted is not None and wanted.request is request:
                # A higher QoS was refused, the subscription that there was stays.
                wanted.subscription, wanted.request = wanted.granted
        request.answered.set()

    def on_unsuback(self, packet: UnsubAck) -> None:
        """The Server has answered an UNSUBSCRIBE, which nobody waits for: a refusal is worth a line in the log."""
        topic_filters = self._farewells.pop(packet.packet_id)
        for topic_filter, code in zip(topic_filters, packet.reason_codes, strict=False):  # 3.1.1 has no codes
            if code >= 0x80:
                logger.warning("UNSUBSCRIBE of %r refused: %s", topic_filter, name_of(code))

    def connected(self, connection: Connection, now: float, *, resumed: bool) -> None:
        """A connection is open; unless the Session was ``resumed``, subscribe anew to what is wanted."""
        if resumed or not self._wanted:
            return
        sent = connection.send(Subscribe(0, [wanted.subscription for wanted in self._wanted.values()]), now)
        assert isinstance(sent, Subscribe)
        request = self._requests[sent.packet_id] = _Request()
        request.asked = [(wanted, wanted.subscription) for wanted in self._wanted.values()]

    def disconnected(self) -> None:
        """The connection has ended, another will follow: no answer will come to what was asked."""
        self._requests.clear()
        self._farewells.clear()

    def fail(self, failure: Failure) -> None:
        """The connection has ended: no answer will come."""
        for request in self._requests.values():
            request.failure = failure
            request.answered.set()
        self._requests.clear()
        self._farewells.clear()


def _options(subscription: Subscription) -> tuple[object, ...]:
    return subscription.no_local, subscription.retain_as_published, subscription.retain_handling
