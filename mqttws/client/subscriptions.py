"""The Topic Filters that a Client has asked the Server for, shared by the streams that want them.

A Session outlives a connection, and the streams may outlive a Session: what was not answered is asked for again on the
next connection, and what was subscribed is subscribed anew where the Server has lost the Session.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.codec import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, encode
from mqttws.codec.properties import SubscribeProperties, UnsubscribeProperties
from mqttws.errors import LocalProtocolError, SubscribeRefused, name_of
from mqttws.session import Connection
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Subscriptions"]

logger = logging.getLogger("mqttws.client")


#: The largest Subscription Identifier (5.0: 3.8.2.1.2).
LARGEST_IDENTIFIER: Final = 268_435_455
#: How many filters one UNSUBSCRIBE gives up that could not be given up without a connection.
BATCH: Final = 20


@dataclass(slots=True, eq=False)
class _Request:
    """A SUBSCRIBE: what it asks for, and what SUBACK says to each filter once it is there.

    ``identifier`` is its Subscription Identifier, unless ``properties`` have one. It may be sent more than once.
    """

    properties: SubscribeProperties
    identifier: int
    asked: list[tuple[_Wanted, Subscription]] = field(default_factory=list)
    sent: bool = False
    answered: trio.Event = field(default_factory=trio.Event)
    reason_codes: dict[str, int] = field(default_factory=dict)
    answer: SubAck | None = None
    failure: Failure | None = None

    async def wait(self) -> None:
        await self.answered.wait()
        if self.failure is not None:
            raise self.failure.fresh()

    def fail(self, failure: Failure) -> None:
        self.failure = failure
        self.answered.set()

    def packet(self, connection: Connection) -> Subscribe:
        """The SUBSCRIBE for a connection, with a Subscription Identifier where its Server takes any."""
        properties = self.properties
        if connection.version is ProtocolVersion.V5 and connection.limits.subscription_identifiers_available:
            own: SubscribeProperties = {"subscription_identifier": self.identifier}
            properties = own | properties
        return Subscribe(0, [subscription for _, subscription in self.asked], properties)


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

    @property
    def refused(self) -> bool:
        """Whether the Server has been asked, has answered, and there is no subscription."""
        return self.granted is None and self.request.answered.is_set()


class Subscriptions:
    """One SUBSCRIBE for each filter, however many streams want it; UNSUBSCRIBE when the last one goes."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._wanted: dict[str, _Wanted] = {}
        self._kept: dict[str, _Wanted] = {}  # in the Session, without a stream
        self._requests: dict[int, _Request] = {}
        self._farewells: dict[int, tuple[str, ...]] = {}
        self._unasked: list[_Request] = []  # for the next connection
        self._owed: dict[str, None] = {}  # to be unsubscribed on it
        self._last_identifier = 0

    # -- what streams do ----------------------------------------------------------------------------------------------

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
        """Let a stream in, and subscribe to what is not subscribed yet or only at a lower QoS, as soon as may be.

        Returns what to wait for, filter by filter. Raises :class:`LocalProtocolError`, and changes nothing, where a
        filter is subscribed with other options: one Session has one set of options for a filter [MQTT-3.8.4-3].
        """
        new = [subscription for subscription in subscriptions if self._is_new(subscription)]
        if new:
            self._last_identifier = self._last_identifier % LARGEST_IDENTIFIER + 1
            request = _Request(properties.copy() if properties else {}, self._last_identifier)
            for subscription in new:
                known = self._wanted.get(subscription.topic_filter)
                request.asked.append((known or _Wanted(subscription, request), subscription))
            if connection.is_open:
                self._send(request, connection, now)
            else:
                _check(request, connection)
                self._unasked.append(request)
            for wanted, subscription in request.asked:
                wanted.subscription, wanted.request = subscription, request
                self._wanted[subscription.topic_filter] = wanted
                self._kept.pop(subscription.topic_filter, None)
                self._owed.pop(subscription.topic_filter, None)
        entered = [self._wanted[subscription.topic_filter] for subscription in subscriptions]
        for wanted in entered:
            wanted.keep |= keep
            wanted.streams.append(stream)
        return [wanted.request for wanted in entered]

    def _is_new(self, subscription: Subscription) -> bool:
        known = self._wanted.get(subscription.topic_filter)
        if known is None or known.refused:
            return True
        asked, held = _options(subscription), _options(known.subscription)
        if asked != held:
            raise LocalProtocolError(f"{subscription.topic_filter!r} is subscribed already, with other options")
        return subscription.qos > known.subscription.qos

    def _send(self, request: _Request, connection: Connection, now: float) -> None:
        sent = connection.send(request.packet(connection), now)
        assert isinstance(sent, Subscribe)
        self._requests[sent.packet_id] = request
        request.sent = True
        if (identifier := sent.properties.get("subscription_identifier")) is not None:
            self._dispatcher.identify(identifier, [subscription.topic_filter for subscription in sent.subscriptions])

    async def granted(self, stream: Messages, requests: Sequence[_Request]) -> None:
        """Wait until the Server has answered; raise :class:`SubscribeRefused` where it refused any of the filters."""
        for request in requests:
            await request.wait()
        pairs = list(zip(stream.topic_filters, requests, strict=True))
        stream.reason_codes = tuple(request.reason_codes[topic_filter] for topic_filter, request in pairs)
        if (first := requests[0].answer) is not None:
            stream.properties = first.properties
        if max(stream.reason_codes) < 0x80:
            return
        refusing = next(request for topic_filter, request in pairs if request.reason_codes[topic_filter] >= 0x80)
        assert refusing.answer is not None  # codes come with an answer
        raise SubscribeRefused(stream.reason_codes, refusing.answer.properties, topic_filters=stream.topic_filters)

    def leave(self, stream: Messages, connection: Connection, now: float) -> tuple[str, ...]:
        """Let a stream out; returns the filters that it was the last to want, which are unsubscribed."""
        given_up, known_to_server = [], []
        for topic_filter in stream.topic_filters:
            wanted = self._wanted[topic_filter]
            wanted.streams.remove(stream)
            if wanted.streams:
                continue
            del self._wanted[topic_filter]
            if wanted.refused:
                continue
            if wanted.keep:
                self._kept[topic_filter] = wanted
            else:
                given_up.append(topic_filter)
                if wanted.request.sent or wanted.granted is not None:
                    known_to_server.append(topic_filter)
        if known_to_server and connection.is_open:
            self._unsubscribe(known_to_server, connection, now, stream.farewell)
        else:
            self._owed |= dict.fromkeys(known_to_server)
            self._unasked = [request for request in self._unasked if self._is_current(request)]
        return tuple(given_up)

    def _unsubscribe(
        self,
        topic_filters: Sequence[str],
        connection: Connection,
        now: float,
        properties: UnsubscribeProperties | None = None,
    ) -> None:
        farewell = Unsubscribe(0, list(topic_filters))
        if properties and connection.version is ProtocolVersion.V5:
            try:
                sent = connection.send(Unsubscribe(0, farewell.topic_filters, properties), now)
            except LocalProtocolError:  # too large with them
                sent = connection.send(farewell, now)
        else:
            sent = connection.send(farewell, now)
        assert isinstance(sent, Unsubscribe)
        self._farewells[sent.packet_id] = tuple(topic_filters)

    # -- what the Server says -----------------------------------------------------------------------------------------

    def on_suback(self, packet: SubAck) -> None:
        """The Server has answered a SUBSCRIBE."""
        request = self._requests.pop(packet.packet_id)
        request.answer = packet
        for (wanted, subscription), code in zip(request.asked, packet.reason_codes, strict=True):
            request.reason_codes[subscription.topic_filter] = code
            if code < 0x80:
                wanted.granted = subscription, request
            elif wanted.request is request:
                if wanted.granted is not None:
                    # A higher QoS was refused, the subscription that there was stays.
                    wanted.subscription, wanted.request = wanted.granted
                else:
                    self._end_streams(
                        wanted,
                        Failure(
                            SubscribeRefused((code,), packet.properties, topic_filters=(subscription.topic_filter,))
                        ),
                    )
        request.answered.set()

    def _end_streams(self, wanted: _Wanted, failure: Failure) -> None:
        """A filter is not subscribed, or not any more: whoever iterates over its messages is told."""
        for stream in wanted.streams:
            self._dispatcher.end(stream, failure)
        topic_filter = wanted.subscription.topic_filter
        if self._kept.get(topic_filter) is wanted:
            del self._kept[topic_filter]
            logger.warning("The subscription to %r could not be kept: %s", topic_filter, failure.error)

    def on_unsuback(self, packet: UnsubAck) -> None:
        """The Server has answered an UNSUBSCRIBE, which nobody waits for: a refusal is worth a line in the log."""
        topic_filters = self._farewells.pop(packet.packet_id)
        for topic_filter, code in zip(topic_filters, packet.reason_codes, strict=False):  # 3.1.1 has no codes
            if code >= 0x80:
                said = f" {dict(packet.properties)!r:.300}" if packet.properties else ""
                logger.warning("UNSUBSCRIBE of %r refused: %s%s", topic_filter, name_of(code), said)

    # -- connections that come and go ---------------------------------------------------------------------------------

    def disconnected(self) -> None:
        """The connection has ended: no answer will come to what was asked on it, so it is asked again."""
        self._unasked = [*self._requests.values(), *self._unasked]
        self._requests.clear()
        for topic_filters in self._farewells.values():
            self._owed |= {name: None for name in topic_filters if name not in self._wanted and name not in self._kept}
        self._farewells.clear()

    def connected(self, connection: Connection, now: float, *, resumed: bool) -> None:
        """A connection is open: ask for what was not answered, and if the Session was not ``resumed`` for all else.

        A new Session has nothing to unsubscribe from.
        """
        self.disconnected()
        owed = list(self._owed) if resumed else []
        self._owed.clear()
        requests = self._unasked if resumed else [*self._anew(), *self._unasked]
        self._unasked = []
        for request in filter(self._is_current, requests):
            request.asked = [(wanted, asked) for wanted, asked in request.asked if self._has(wanted)]
            try:
                self._send(request, connection, now)
            except LocalProtocolError as error:
                # This Server takes less than the one before.
                failure = Failure(error)
                request.fail(failure)
                for wanted, _ in request.asked:
                    self._end_streams(wanted, failure)
        for start in range(0, len(owed), BATCH):
            self._unsubscribe(owed[start : start + BATCH], connection, now)

    def _is_current(self, request: _Request) -> bool:
        return any(self._has(wanted) for wanted, _ in request.asked)

    def _has(self, wanted: _Wanted) -> bool:
        topic_filter = wanted.subscription.topic_filter
        return self._wanted.get(topic_filter) is wanted or self._kept.get(topic_filter) is wanted

    def _anew(self) -> list[_Request]:
        """The Server has lost the Session: SUBSCRIBE as before for all that was granted and is still wanted."""
        again: dict[_Request, _Request] = {}
        for wanted in (*self._wanted.values(), *self._kept.values()):
            granted, wanted.granted = wanted.granted, None
            if granted is None or not wanted.request.answered.is_set():
                continue  # refused, or asked for again in any case
            subscription, old = granted
            request = again.setdefault(old, _Request(old.properties, old.identifier))
            request.asked.append((wanted, subscription))
            wanted.request = request
        return list(again.values())

    def fail(self, failure: Failure) -> None:
        """The client has ended: no answer will come."""
        for request in (*self._requests.values(), *self._unasked):
            request.fail(failure)
        self._requests.clear()
        self._unasked.clear()
        self._farewells.clear()
        self._owed.clear()


def _options(subscription: Subscription) -> tuple[object, ...]:
    return subscription.no_local, subscription.retain_as_published, subscription.retain_handling


def _check(request: _Request, connection: Connection) -> None:
    """What sending would check, as far as it can be known without a connection."""
    packet = request.packet(connection)
    packet.packet_id = 1
    connection.limits.check_subscribe(packet)
    encode(packet, connection.version or ProtocolVersion.V5)
