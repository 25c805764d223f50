"""Clients of Web PubSub's own protocols as members of a hub, and what waits for the reliable ones (row 81)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from mqttws.endpoint.members import Ending, Member, Visitor
from mqttws.endpoint.messages import Message
from mqttws.endpoint.native_answers import bare_message, disconnected_frame, message_frame
from mqttws.endpoint.native_link import NativeLink
from mqttws.endpoint.service import Service
from mqttws.endpoint.subscriber import Subscriber
from mqttws.vocabulary import ReasonCode

__all__ = ["JSON", "RELIABLE_JSON", "NativeMember", "NativeVisitor"]

#: The subprotocols that are spoken here.
JSON = "json.webpubsub.azure.v1"
RELIABLE_JSON = "json.reliable.webpubsub.azure.v1"


@dataclass(slots=True, eq=False, kw_only=True)
class NativeVisitor(Visitor):
    """The network connection of such a client. ``subprotocol`` is None for a simple WebSocket client."""

    link: NativeLink
    service: Service

    @property
    def speaks_json(self) -> bool:
        """Whether frames are JSON; else they are bare messages."""
        return self.subprotocol in (JSON, RELIABLE_JSON)

    def send(self, message: Message, sequence_id: int | None = None) -> None:
        """Send one message in the client's protocol."""
        self.link.send(message_frame(message, sequence_id) if self.speaks_json else bare_message(message))

    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        """End the connection; what is a reason code to MQTT is a WebSocket close code here."""
        service = self.service
        close_code = service.native_close_code
        if code == service.overflow_code:
            close_code = service.native_overflow_code
        elif code == ReasonCode.SERVER_SHUTTING_DOWN:
            close_code = 1001
        self.end(now, close_code, text)

    def end(self, now: float, close_code: int, text: str) -> None:
        """Say why, and close; what the client still sends counts for nothing."""
        self.dismissed = True
        assert self.session is not None  # who has none any more is not there to be ended
        self.session.ending = Ending(text or None)
        if self.speaks_json:
            self.link.send(disconnected_frame(text))
        self.link.close(now, close_code, text)


@dataclass(slots=True)
class _Waiting:
    """A message that a reliable client has not acknowledged. It has a number once it has been sent, and keeps it."""

    message: Message
    sequence_id: int = 0


@dataclass(slots=True, eq=False, kw_only=True)
class NativeMember(Member):
    """One connection in Web PubSub's sense.

    With a reconnection ``token`` it is a reliable one: its messages wait until it has acknowledged them, bounded by the
    settings ``queue_messages`` and ``queue_bytes`` (documented), and it may come back. Others get at most what they
    take at once: their messages have QoS 0 (documented).
    """

    token: str | None = field(default=None, repr=False)
    _queue: deque[_Waiting] = field(default_factory=deque, repr=False)
    _queue_bytes: int = 0
    _sent: int = 0  # how many of them, from the front, have been sent on this connection
    _sequence_id: int = 0
    _ack_ids: dict[int, None] = field(default_factory=dict, repr=False)

    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:  # noqa: ARG002 - the interface
        """Send or queue a message. The QoS is that of the client's protocol, whatever the subscription's (documented).

        False if the queue is full: the client can never have everything then and has to end.
        """
        if self.token is None:
            visitor = self._visitor
            if visitor is None or visitor.link.bytes_pending >= self.service.send_buffer_bytes:
                self.counters.dropped += 1
            else:
                visitor.send(message)
                self.counters.delivered += 1
            return True
        if self._is_full(message):
            self._keep([each for each in self._queue if each.sequence_id or not each.message.expired(now)])
            if self._is_full(message):
                return False
        self._queue.append(_Waiting(message))
        self._queue_bytes += message.size
        self.drain(now)
        return True

    def drain(self, now: float) -> None:
        """Send what waits, as far as the client takes it. One is always on its way: its acknowledgement makes us look
        here again.
        """
        visitor = self._visitor
        if visitor is None:
            return
        while self._sent < len(self._queue):
            if self._sent and visitor.link.bytes_pending >= self.service.send_buffer_bytes:
                return
            waiting = self._queue[self._sent]
            if waiting.message.expired(now):
                del self._queue[self._sent]
                self._queue_bytes -= waiting.message.size
                self.counters.dropped += 1
                continue
            if not waiting.sequence_id:
                self._sequence_id += 1
                waiting.sequence_id = self._sequence_id
                self.counters.delivered += 1
            visitor.send(waiting.message, waiting.sequence_id)
            self._sent += 1

    def acknowledge(self, sequence_id: int, now: float) -> None:
        """Everything up to this number has arrived; go on with what waits."""
        while self._queue and 0 < self._queue[0].sequence_id <= sequence_id:
            self._queue_bytes -= self._queue.popleft().message.size
            self._sent = max(0, self._sent - 1)
        self.drain(now)

    def come_back(self, now: float) -> None:
        """Send everything again that has not been acknowledged, on the new connection."""
        self._sent = 0
        self.drain(now)

    def forget(self, topic: str) -> None:
        """Drop what waits on a group that the client has left and was never sent."""
        self._keep([each for each in self._queue if each.sequence_id or each.message.topic != topic])

    @property
    def _visitor(self) -> NativeVisitor | None:
        return self.peer if isinstance(self.peer, NativeVisitor) else None

    def _is_full(self, message: Message) -> bool:
        service = self.service
        too_many = len(self._queue) >= service.queue_messages
        return too_many or self._queue_bytes + message.size > service.queue_bytes

    def _keep(self, queue: list[_Waiting]) -> None:
        """What goes has not been sent, so it stood behind all that was."""
        self._queue = deque(queue)
        self._queue_bytes = sum(each.message.size for each in queue)

    # -- requests -------------------------------------------------------------------------------------------------

    def has_done(self, ack_id: int) -> bool:
        """Whether a request of this id was carried out; the service does none twice (documented)."""
        return ack_id in self._ack_ids

    def remember(self, ack_id: int) -> None:
        """A request was carried out. What has failed may be tried again under the same id (documented)."""
        self._ack_ids[ack_id] = None
        if len(self._ack_ids) > self.service.native_ack_memory:
            del self._ack_ids[next(iter(self._ack_ids))]
