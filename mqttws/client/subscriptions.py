"""The Topic Filters that a Client has asked the Server for, shared by the streams that want them.

A Session outlives a connection, and the streams may outlive a Session: what was not answered is asked for again on the
next connection, and what was subscribed is subscribed anew where the Server has lost the Session.

Filters that overlap get Subscription Identifiers, so that each stream gets the copies that are meant for it. Where
nothing overlaps there is nothing to tell apart, and a property in each message would cost a third of the throughput.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.client.wanted import Request, Wanted, takes_identifiers
from mqttws.codec import SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, encode
from mqttws.codec.properties import SubscribeProperties, UnsubscribeProperties
from mqttws.errors import LocalProtocolError, SubscribeRefused, name_of
from mqttws.session import Connection
from mqttws.topics import has_wildcard, is_shared, overlap, shared_filter
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["Subscriptions"]

logger = logging.getLogger("mqttws.client")


#: The largest Subscription Identifier (5.0: 3.8.2.1.2).
LARGEST_IDENTIFIER: Final = 268_435_455
#: How many filters one UNSUBSCRIBE gives up that could not be given up without a connection.
BATCH: Final = 20


class Subscriptions:
    """One SUBSCRIBE for each filter, however many streams want it; UNSUBSCRIBE when the last one goes."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._wanted: dict[str, Wanted] = {}
        self._kept: dict[str, Wanted] = {}  # in the Session, without a stream
        self._wide: dict[str, None] = {}  # those of both that may overlap with a plain Topic Name
        self._requests: dict[int, Request] = {}
        self._farewells: dict[int, tuple[str, ...]] = {}
        self._unasked: list[Request] = []  # for the next connection
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
    ) -> list[Request]:
        """Let a stream in, and subscribe to what is not subscribed yet or only at a lower QoS, as soon as may be.

        Returns what to wait for, filter by filter. Raises :class:`LocalProtocolError`, and changes nothing, where a
        filter is subscribed with other options: one Session has one set of options for a filter [MQTT-3.8.4-3].
        """
        new = [subscription for subscription in subscriptions if self._is_new(subscription)]
        if new:
            request = Request(properties.copy() if properties else {})
            for subscription in new:
                known = self._wanted.get(subscription.topic_filter)
                request.asked.append((known or Wanted(subscription, request), subscription))
            _check(request, connection)
            requests = [*self._tell_apart(request, connection), request]
            if connection.is_open:
                for each in requests:
                    self._send(each, connection, now)
            else:
                self._unasked += requests
            for wanted, subscription in request.asked:
                wanted.subscription, wanted.request = subscription, request
                self._wanted[subscription.topic_filter] = wanted
                self._kept.pop(subscription.topic_filter, None)
                self._owed.pop(subscription.topic_filter, None)
                if _is_wide(subscription.topic_filter):
                    self._wide[subscription.topic_filter] = None
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

    def _send(self, request: Request, connection: Connection, now: float) -> None:
        sent = connection.send(request.packet(connection), now)
        assert isinstance(sent, Subscribe)
        self._requests[sent.packet_id] = request
        request.sent = True
        names = [subscription.topic_filter for subscription in sent.subscriptions]
        self._dispatcher.identify(sent.properties.get("subscription_identifier"), names)

    def _tell_apart(self, request: Request, connection: Connection) -> list[Request]:
        """Give a request an identifier if that is needed, and return those that give one to what it overlaps with.

        They go first: a Server that sends one copy for all subscriptions names only those that have an identifier.
        """
        if not takes_identifiers(connection):
            return []
        names = [subscription.topic_filter for _, subscription in request.asked]
        identified = self._dispatcher.identified
        candidates = (*self._wanted, *self._kept) if any(map(_is_wide, names)) else self._wide
        rivals = [
            self._wanted.get(topic_filter) or self._kept[topic_filter]
            for topic_filter in candidates
            if topic_filter not in names and _overlap_any(topic_filter, names)
        ]
        rivals = [wanted for wanted in rivals if not wanted.refused]
        if rivals or not identified.isdisjoint(names):
            request.identifier = self._next_identifier()
        renewals: dict[Request, Request] = {}
        for wanted in rivals:
            if wanted.subscription.topic_filter in identified:
                continue
            old = wanted.request
            if old not in renewals:
                renewals[old] = Request(old.properties, self._next_identifier(), renewal=True)
            renewals[old].asked.append((wanted, wanted.subscription))
        try:
            for each in (*renewals.values(), request):
                _check(each, connection)
        except LocalProtocolError:  # too large with an identifier: better not told apart than not subscribed
            request.identifier = None
            return []
        for renewal in renewals.values():
            for wanted, _ in renewal.asked:
                wanted.request = renewal
        return list(renewals.values())

    def _next_identifier(self) -> int:
        self._last_identifier = self._last_identifier % LARGEST_IDENTIFIER + 1
        return self._last_identifier

    async def granted(self, stream: Messages, requests: Sequence[Request]) -> None:
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
            if wanted.keep and not wanted.refused:
                self._kept[topic_filter] = wanted
                continue
            self._wide.pop(topic_filter, None)
            if not wanted.refused:
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
        said = properties if properties and connection.version is ProtocolVersion.V5 else {}
        try:
            sent = connection.send(Unsubscribe(0, list(topic_filters), said), now)
        except LocalProtocolError as error:
            # Too large for this Server: without properties then, and in pieces.
            if said:
                self._unsubscribe(topic_filters, connection, now)
            elif (half := len(topic_filters) // 2) > 0:
                self._unsubscribe(topic_filters[:half], connection, now)
                self._unsubscribe(topic_filters[half:], connection, now)
            else:
                logger.warning("The subscription to %r cannot be given up: %s", topic_filters[0], error)
            return
        assert isinstance(sent, Unsubscribe)
        self._farewells[sent.packet_id] = tuple(topic_filters)

    # -- what the Server says -----------------------------------------------------------------------------------------

    def on_suback(self, packet: SubAck) -> None:
        """The Server has answered a SUBSCRIBE."""
        request = self._requests.pop(packet.packet_id, None)
        if request is None:
            return  # the client has ended or moves to another connection, while what came before was being handed out
        request.answer = packet
        for (wanted, subscription), code in zip(request.asked, packet.reason_codes, strict=True):
            request.reason_codes[subscription.topic_filter] = code
            if code < 0x80:
                wanted.granted = subscription, request
            elif wanted.request is request:
                if wanted.granted is not None:
                    # A higher QoS was refused, or an identifier; the subscription that there was stays.
                    wanted.subscription, wanted.request = wanted.granted
                    if request.renewal:
                        self._dispatcher.identify(None, [subscription.topic_filter])
                else:
                    self._end_streams(
                        wanted,
                        Failure(
                            SubscribeRefused((code,), packet.properties, topic_filters=(subscription.topic_filter,))
                        ),
                    )
        request.answered.set()

    def _end_streams(self, wanted: Wanted, failure: Failure) -> None:
        """A filter is not subscribed, or not any more: whoever iterates over its messages is told."""
        for stream in wanted.streams:
            self._dispatcher.end(stream, failure)
        topic_filter = wanted.subscription.topic_filter
        if self._kept.get(topic_filter) is wanted:
            del self._kept[topic_filter]
            self._wide.pop(topic_filter, None)
            logger.warning("The subscription to %r could not be kept: %s", topic_filter, failure.error)

    def on_unsuback(self, packet: UnsubAck) -> None:
        """The Server has answered an UNSUBSCRIBE, which nobody waits for: a refusal is worth a line in the log."""
        topic_filters = self._farewells.pop(packet.packet_id, ())
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

    def connected(self, connection: Connection, now: float, *, resumed: bool, doubtful: bool = False) -> None:
        """A connection is open: ask for what was not answered, and if the Session was not ``resumed`` for all else.

        ``doubtful`` when it was, but may be another one than ours: asking again for what is subscribed already changes
        nothing. A new Session has nothing to unsubscribe from.
        """
        self.disconnected()
        if not connection.is_open:
            # It has ended with the very bytes that began it: the next one is asked, even if that resumes a new Session.
            if not resumed:
                self._owed.clear()
            if not resumed or doubtful:
                self._unasked = [*self._anew(), *self._unasked]
            return
        owed = list(self._owed) if resumed else []
        self._owed.clear()
        requests = self._unasked if resumed and not doubtful else [*self._anew(), *self._unasked]
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

    def _is_current(self, request: Request) -> bool:
        return any(self._has(wanted) for wanted, _ in request.asked)

    def _has(self, wanted: Wanted) -> bool:
        topic_filter = wanted.subscription.topic_filter
        return self._wanted.get(topic_filter) is wanted or self._kept.get(topic_filter) is wanted

    def _anew(self) -> list[Request]:
        """The Server has lost the Session: SUBSCRIBE as before for all that was granted and is still wanted."""
        again: dict[Request, Request] = {}
        for wanted in (*self._wanted.values(), *self._kept.values()):
            granted, wanted.granted = wanted.granted, None
            if granted is None or not wanted.request.answered.is_set():
                continue  # refused, or asked for again in any case
            subscription, old = granted
            request = again.setdefault(old, Request(old.properties, old.identifier))
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


def _is_wide(topic_filter: str) -> bool:
    """Whether a filter may overlap with another one that has no wildcard."""
    return has_wildcard(topic_filter) or is_shared(topic_filter)


def _overlap_any(topic_filter: str, others: Sequence[str]) -> bool:
    mine = _inner(topic_filter)
    return any(overlap(mine, _inner(other)) for other in others)


def _inner(topic_filter: str) -> str:
    return shared_filter(topic_filter)[1] if is_shared(topic_filter) else topic_filter


def _check(request: Request, connection: Connection) -> None:
    """What sending would check, as far as it can be known before, or without a connection: by the limits known last."""
    packet = request.packet(connection)
    packet.packet_id = 1
    connection.limits.check_subscribe(packet)
    size = len(encode(packet, connection.version or ProtocolVersion.V5))
    connection.limits.check_size(size, "SUBSCRIBE", Role.CLIENT)
