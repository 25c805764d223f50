"""The state of one hub and the way of a message through it: from a topic to every session that subscribes to it."""

from __future__ import annotations

from enum import Enum

from mqttws.codec import Publish
from mqttws.endpoint.deadlines import Deadlines
from mqttws.endpoint.log import Log
from mqttws.endpoint.messages import Message
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import ClientSession, Counters, Peer
from mqttws.endpoint.subscriptions import Subscriber, SubscriptionIndex

__all__ = ["Clock", "Router"]


class Clock(Enum):
    """What a session's deadlines are for."""

    EXPIRY = "the session ends"
    WILL = "its Will is published"
    PATIENCE = "publishers stop waiting for it"


class Router:
    """One hub's sessions, subscriptions and deadlines. Knows packets only by way of :class:`ClientSession`.

    ``touched`` are the connections that have something new to send, ``overflowed`` the sessions that cannot go on; the
    hub empties both after each event.
    """

    __slots__ = ("counters", "deadlines", "index", "log", "name", "overflowed", "service", "sessions", "touched")

    def __init__(self, name: str, service: Service, log: Log, counters: Counters) -> None:
        self.name = name
        self.service = service
        self.log = log
        self.counters = counters
        self.sessions: dict[str, ClientSession] = {}
        self.index: SubscriptionIndex[ClientSession] = SubscriptionIndex()
        self.deadlines: Deadlines[tuple[ClientSession, Clock]] = Deadlines()
        self.touched: dict[Peer, None] = {}
        self.overflowed: dict[ClientSession, None] = {}

    def subscribe(self, session: ClientSession, topic: str, subscriber: Subscriber) -> None:
        """Add or replace one subscription. There are no retained messages to send for it."""
        session.subscriptions[topic] = subscriber
        self.index.add(topic, session, subscriber)

    def unsubscribe(self, session: ClientSession, topic: str) -> bool:
        """End one subscription and forget what waits for it; False if there was none."""
        if session.subscriptions.pop(topic, None) is None:
            return False
        self.index.discard(topic, session)
        session.backlog.drop(topic)
        return True

    def route(self, message: Message, origin: ClientSession, now: float) -> ClientSession | None:
        """Give a message to every subscriber, itself included unless No Local says otherwise [MQTT-3.8.3-3].

        Returns a session that publishers should wait for, if there is one.
        """
        crowded = None
        for session, subscriber in self.index.matching(message.topic):
            if session is origin and subscriber.no_local:
                continue
            if self.offer(session, message, subscriber, now) and session.backlog and session.peer is not None:
                crowded = session if session.backlog.crowded(now) else crowded
        return crowded

    def offer(self, session: ClientSession, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Give a message to one session; False if that is the end of it."""
        if not session.offer(message, subscriber, now):
            self.overflowed[session] = None
            return False
        if session.peer is not None:
            self.touched[session.peer] = None
        return True

    def hold(self, crowded: ClientSession, peer: Peer, publish: Publish) -> None:
        """Acknowledge a routed PUBLISH only when the crowded session has caught up, or our patience is over."""
        assert peer.session is not None
        crowded.backlog.hold(peer.session, publish)
        key = (crowded, Clock.PATIENCE)
        if key not in self.deadlines:
            self.deadlines.set(key, crowded.backlog.crowded_since + self.service.patience)

    def drain(self, session: ClientSession, now: float) -> None:
        """Send what waits for a session as far as it is taken; relieve publishers when the queue has become short."""
        if not session.drain(now):
            return
        assert session.peer is not None  # nothing leaves without a connection
        self.touched[session.peer] = None
        if session.backlog.is_short:
            self.release(session)

    def release(self, session: ClientSession) -> None:
        """Let the acknowledgements go that wait for a session, each on the connection that its publisher has now."""
        self.deadlines.cancel((session, Clock.PATIENCE))
        for publisher, publish in session.backlog.release():
            if publisher.peer is None:
                # Remembered by the session, and sent when the Client sends the message again.
                publisher.mqtt.incoming.acknowledge(publish, 0, {})
            else:
                publisher.peer.connection.acknowledge(publish)
                self.touched[publisher.peer] = None
