"""A client's session in a hub, and the network connection that it may have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mqttws.codec import Publish, Will
from mqttws.endpoint.backlog import Backlog
from mqttws.endpoint.handshake import Admission
from mqttws.endpoint.messages import Message, size_of
from mqttws.endpoint.service import Service
from mqttws.endpoint.subscriptions import Subscriber
from mqttws.errors import LocalProtocolError
from mqttws.session import Connection, Session
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode
from mqttws.webpubsub import Grants

__all__ = ["REASON_LIMIT", "ClientSession", "Counters", "Peer"]

#: Characters of a Reason String that quotes what the peer has sent.
REASON_LIMIT: Final = 500


@dataclass(slots=True)
class Counters:
    """What an endpoint has seen. ``open`` is a number of connections now, the others only grow.

    ``dropped`` counts deliveries that did not take place: QoS 0 for an offline or slow client, packets larger than the
    client takes.
    """

    open: int = 0
    accepted: int = 0
    refused: int = 0
    sessions_started: int = 0
    sessions_resumed: int = 0
    sessions_ended: int = 0
    published: int = 0
    delivered: int = 0
    dropped: int = 0


@dataclass(slots=True, eq=False)
class Peer:
    """One network connection that the handshake has let in.

    ``session`` is None before CONNECT and after the end. ``dismissed`` says that the hub has ended the connection, so
    that whatever it still brings counts for nothing; what a client sent before *its* end counts.
    """

    connection: Connection
    admission: Admission
    address: str = ""
    session: ClientSession | None = None
    client_id: str | None = None
    dismissed: bool = False

    @property
    def version(self) -> ProtocolVersion:
        """The version of its CONNECT."""
        version = self.connection.version
        assert version is not None  # asked from CONNECT on only
        return version

    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        """End the connection: DISCONNECT with a reason to 5.0, and no packet to 3.1.1, which knows none."""
        self.dismissed = True
        self.connection.close(now, code, {"reason_string": text[:REASON_LIMIT]} if text else {})

    def reason(self, text: str) -> dict[str, Any]:
        """The Reason String property of an answer in 5.0; what 3.1.1 cannot say is left out."""
        return {"reason_string": text[:REASON_LIMIT]} if self.version is ProtocolVersion.V5 else {}


@dataclass(slots=True, eq=False)
class ClientSession:
    """What a hub knows of one client id, from its first CONNECT until the session expires.

    ``expiry`` is how many seconds it outlives its network connection, ``in_flight`` what its unacknowledged QoS 1 and 2
    messages cost in bytes. User id and grants are those of the token that
    began the session, as documented for the service.
    """

    client_id: str
    user_id: str | None
    grants: Grants
    service: Service
    counters: Counters
    mqtt: Session = field(default_factory=Session)
    peer: Peer | None = None
    expiry: int = 0
    in_flight: int = 0
    will: Will | None = None
    subscriptions: dict[str, Subscriber] = field(default_factory=dict)
    backlog: Backlog = field(init=False)

    def __post_init__(self) -> None:
        self.backlog = Backlog(self.service)

    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Send a message or, if its QoS is above 0 and the client cannot take it now, queue it.

        The QoS is the smaller one of the message's and the subscription's [MQTT-3.8.4-8; 3.1.1: MQTT-3.8.4-6]. False
        if the queue is full: the session cannot keep its promise any more and has to end.
        """
        qos = min(message.qos, subscriber.qos)
        if qos == QoS.AT_MOST_ONCE:
            if self.peer is not None and self._takes_more(self.peer.connection):
                self._send(self.peer.connection, message, subscriber, qos, now)
            else:
                self.counters.dropped += 1
            return True
        if self.peer is not None and not self.backlog and self._has_window(self.peer.connection):
            self._send(self.peer.connection, message, subscriber, qos, now)
            return True
        return self.backlog.put(message, subscriber, now)

    def drain(self, now: float) -> bool:
        """Send what has been waiting, as far as the client takes it. Whether anything was sent or has expired."""
        before = len(self.backlog)
        while before and self.peer is not None and self._has_window(self.peer.connection):
            entry = self.backlog.take(now)
            if entry is None:
                break
            message, subscriber = entry
            self._send(self.peer.connection, message, subscriber, min(message.qos, subscriber.qos), now)
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
