"""The state of one hub and the way of a message through it: from a topic to every member that subscribes to it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from mqttws.codec import Publish
from mqttws.endpoint.deadlines import Deadlines
from mqttws.endpoint.log import Log
from mqttws.endpoint.members import Counters, Member, Visitor
from mqttws.endpoint.messages import Message
from mqttws.endpoint.retained import RetainedMessages
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import ClientSession, Peer
from mqttws.endpoint.subscriber import Subscriber
from mqttws.endpoint.subscriptions import SubscriptionIndex
from mqttws.endpoint.upstream import Call, Wants

__all__ = ["Clock", "Router"]


class Clock(Enum):
    """What a member's deadlines are for."""

    EXPIRY = "the session ends"
    WILL = "its Will is published"
    ACCESS = "the token of its connection expires"
    PATIENCE = "publishers stop waiting for it"


class Router:
    """One hub's members, subscriptions and deadlines. Knows packets only by way of :class:`Member`.

    ``touched`` are the connections that have something new to send, ``overflowed`` the members that cannot go on; the
    hub empties both after each event. ``calls`` are for the event handlers that ``wants`` knows of.
    """

    __slots__ = (
        "calls", "counters", "deadlines", "index", "log", "members", "name", "overflowed", "retained", "service",
        "touched", "users", "wants",
    )  # fmt: skip

    def __init__(self, name: str, service: Service, log: Log, counters: Counters, wants: Wants) -> None:
        self.name = name
        self.service = service
        self.log = log
        self.counters = counters
        self.wants = wants
        self.members: dict[str, Member] = {}
        self.users: dict[str, dict[Member, None]] = {}
        self.index: SubscriptionIndex[Member] = SubscriptionIndex(wildcards=service.wildcards)
        self.retained: RetainedMessages[Member] = RetainedMessages(service)
        self.deadlines: Deadlines[tuple[Member, Clock]] = Deadlines()
        self.touched: dict[Visitor, None] = {}
        self.overflowed: dict[Member, None] = {}
        self.calls: list[Call] = []

    # -- members --------------------------------------------------------------------------------------------------

    def add(self, member: Member) -> None:
        """A member is here from now on, under its client id and its user id."""
        self.members[member.client_id] = member
        if member.user_id is not None:
            self.users.setdefault(member.user_id, {})[member] = None

    def remove(self, member: Member) -> None:
        """Forget a member, its subscriptions and its deadlines."""
        del self.members[member.client_id]
        if member.user_id is not None:
            of_user = self.users[member.user_id]
            del of_user[member]
            if not of_user:
                del self.users[member.user_id]
        for topic in tuple(member.subscriptions):
            self.unsubscribe(member, topic)
        for clock in Clock:
            self.deadlines.cancel((member, clock))
        self.overflowed.pop(member, None)

    def subscribe(self, member: Member, topic: str, subscriber: Subscriber) -> None:
        """Add or replace one subscription. A shared one that was not, or the other way round, has ended before."""
        member.subscriptions[topic] = subscriber
        self.index.add(topic, member, subscriber)

    def unsubscribe(self, member: Member, topic: str) -> bool:
        """End one subscription and forget what waits for it alone; False if there was none."""
        subscriber = member.subscriptions.pop(topic, None)
        if subscriber is None:
            return False
        if not self.index.wants(topic, member.subscriptions):
            member.forget(topic)
        self.index.discard(topic, member, shared=subscriber.shared)
        return True

    # -- messages -------------------------------------------------------------------------------------------------

    def route(
        self, message: Message, origin: Member | None, now: float, *, wanted: Callable[[Member], bool] | None = None
    ) -> Member | None:
        """Give a message to every subscriber, itself included unless No Local says otherwise [MQTT-3.8.3-3].

        ``wanted`` may leave some out. Returns a member that publishers should wait for, if there is one.
        """
        crowded = None
        for member, subscriber in self.index.matching(message.topic, origin):
            if wanted is not None and not wanted(member):
                continue
            if self.offer(member, message, subscriber, now) and member.crowded(now):
                crowded = member
        message.delivered()
        return crowded

    def retain(self, message: Message, origin: Member, now: float) -> bool:
        """Keep a message for later subscribers if it asks for that and the hub does so; False if there is no room."""
        if not message.retain or not self.service.retained_limit:
            return True
        return self.retained.keep(message, origin, now)

    def offer(self, member: Member, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Give a message to one member; False if that is the end of it."""
        if not member.offer(message, subscriber, now):
            self.overflowed[member] = None
            return False
        if member.peer is not None:
            self.touched[member.peer] = None
        return True

    def hold(self, crowded: ClientSession, publisher: ClientSession, publish: Publish) -> None:
        """Acknowledge a routed PUBLISH only when the crowded session has caught up, or our patience is over."""
        crowded.backlog.hold(publisher, publish)
        key: tuple[Member, Clock] = (crowded, Clock.PATIENCE)
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

    def went_offline(self, member: Member) -> None:
        """A member has lost its connection: publishers do not wait for it. When it is back it has patience anew."""
        if isinstance(member, ClientSession):
            self.release(member)
            member.backlog.went_offline()

    def release(self, session: ClientSession) -> None:
        """Let the acknowledgements go that wait for a session, each on the connection that its publisher has now."""
        self.deadlines.cancel((session, Clock.PATIENCE))
        for publisher, publish in session.backlog.release():
            peer = publisher.peer
            if isinstance(peer, Peer):
                peer.connection.acknowledge(publish)
                self.touched[peer] = None
            else:
                # Remembered by the session, and sent when the Client sends the message again.
                publisher.mqtt.incoming.acknowledge(publish, 0, {})
