"""An MQTT client's session in a hub, and the network connection that it may have."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from mqttws.codec import Connect, Publish
from mqttws.endpoint.admission import Accepted
from mqttws.endpoint.backlog import Backlog
from mqttws.endpoint.members import REASON_LIMIT, Ending, Member, Visitor
from mqttws.endpoint.messages import Message, size_of
from mqttws.endpoint.subscriber import Subscriber
from mqttws.errors import LocalProtocolError
from mqttws.session import Connection, Event, Session
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode

__all__ = ["ClientSession", "Peer"]


@dataclass(slots=True, eq=False, kw_only=True)
class Peer(Visitor):
    """The network connection of an MQTT client; it becomes a member with CONNECT.

    ``pending`` is a CONNECT that event handlers have not answered yet. ``waiting`` is None or, while they have not
    answered a user event, what has come behind it.
    """

    connection: Connection
    pending: tuple[Connect, Accepted] | None = None
    waiting: deque[Event] | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a user event has no answer yet."""
        return self.waiting is not None

    @property
    def version(self) -> ProtocolVersion:
        """The version of its CONNECT."""
        version = self.connection.version
        assert version is not None  # asked from CONNECT on only
        return version

    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        """End the connection: DISCONNECT with a reason to 5.0, and no packet to 3.1.1, which knows none."""
        self.dismissed = True
        self.pending = None
        if self.session is not None:
            v5 = self.connection.version is ProtocolVersion.V5
            self.session.ending = Ending(text or None, code=int(code) if v5 else None)
        self.connection.close(now, code, {"reason_string": text[:REASON_LIMIT]} if text else {})

    def reason(self, text: str) -> dict[str, Any]:
        """The Reason String property of an answer in 5.0; what 3.1.1 cannot say is left out."""
        return {"reason_string": text[:REASON_LIMIT]} if self.version is ProtocolVersion.V5 else {}


@dataclass(slots=True, eq=False)
class ClientSession(Member):
    """What a hub knows of one MQTT client id, from its first CONNECT until the session expires.

    ``in_flight`` is what its unacknowledged QoS 1 and 2 messages cost in bytes.
    """

    mqtt: Session = field(default_factory=Session)
    in_flight: int = 0
    backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        self.backlog = Backlog(self.service)

    @property
    def connection(self) -> Connection | None:
        """The MQTT connection it has now."""
        return self.peer.connection if isinstance(self.peer, Peer) else None

    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Send a message or, if its QoS is above 0 and the client cannot take it now, queue it.

        The QoS is the smaller one of the message's and the subscription's [MQTT-3.8.4-8; 3.1.1: MQTT-3.8.4-6]. What
        comes from a group whose name is no Topic Name cannot be said in MQTT and is dropped. False if the queue is
        full: the session cannot keep its promise any more and has to end.
        """
        qos = min(message.qos, subscriber.qos)
        connection = self.connection
        if not message.has_topic:
            self.counters.dropped += 1
            return True
        if qos == QoS.AT_MOST_ONCE:
            if connection is not None and self._takes_more(connection):
                self._send(connection, message, subscriber, qos, now)
            else:
                self.counters.dropped += 1
            return True
        if connection is not None and not self.backlog and self._has_window(connection):
            self._send(connection, message, subscriber, qos, now)
            return True
        return self.backlog.put(message, subscriber, now)

    def drain(self, now: float) -> bool:
        """Send what has been waiting, as far as the client takes it. Whether anything was sent or has expired."""
        before = len(self.backlog)
        connection = self.connection
        while before and connection is not None and self._has_window(connection):
            entry = self.backlog.take(now)
            if entry is None:
                break
            message, subscriber = entry
            self._send(connection, message, subscriber, min(message.qos, subscriber.qos), now)
        return len(self.backlog) < before

    def _takes_more(self, connection: Connection) -> bool:
        return connection.is_open and connection.bytes_pending < self.service.send_buffer_bytes

    def _has_window(self, connection: Connection) -> bool:
        """Whether a QoS 1 or 2 message may be sent now.

        One exchange is always allowed, however slow the reader is: its end is what makes us look at the queue again.
        """
        if not connection.is_open or connection.send_quota <= 0:
            return False
        under_way = len(self.mqtt.outgoing)
        if not under_way:
            return True
        service = self.service
        if under_way >= service.queue_messages or self.in_flight >= service.queue_bytes:
            return False  # it reads, but does not acknowledge
        return connection.bytes_pending < service.send_buffer_bytes

    def _send(self, connection: Connection, message: Message, subscriber: Subscriber, qos: QoS, now: float) -> None:
        version = connection.version
        assert version is not None  # the session is attached, so CONNECT has been seen
        try:
            if qos == QoS.AT_MOST_ONCE:
                connection.relay(*message.encoded(subscriber, version, now), now)
            else:
                connection.send(message.publish(subscriber, qos, version, now), now)
        except LocalProtocolError as error:
            if error.reason_code != ReasonCode.PACKET_TOO_LARGE:
                raise
            # Too large for this client: done with, as if it had been sent [MQTT-3.1.2-25].
            self.counters.dropped += 1
        else:
            self.counters.delivered += 1
            if qos > QoS.AT_MOST_ONCE:
                self.in_flight += message.size

    def delivered(self, publish: Publish) -> None:
        """The exchange of a QoS 1 or 2 message has ended."""
        self.in_flight -= size_of(publish.topic, publish.payload)

    def forget(self, topic: str) -> None:
        """Drop what waits on a topic whose subscription has ended (5.0: 3.10.4 allows either)."""
        self.backlog.drop(topic)

    def crowded(self, now: float) -> bool:
        """Whether publishers should wait: it is connected and its queue has grown long, for not too long yet."""
        return self.peer is not None and bool(self.backlog) and self.backlog.crowded(now)
