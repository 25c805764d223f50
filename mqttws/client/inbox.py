"""Received messages on their way to the application: a bounded stream for each subscription.

A plain deque stands where a memory channel might: the task that reads the socket puts a whole chunk of messages in
without waiting, and the consumer takes them out without a task switch while there are any. When a message of QoS 1 or
2 is acknowledged is the stream's choice: once it is consumed, so that Receive Maximum bounds what waits here; when the
application says so; or on receipt. QoS 0 has no such window and gets a bound of its own, and so has what is
acknowledged on receipt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import trio

from mqttws.client.failure import Failure
from mqttws.codec import PubAck, Publish, Unsubscribe, encode
from mqttws.codec.properties import AckProperties, UnsubscribeProperties
from mqttws.errors import LocalProtocolError, StreamOverflow
from mqttws.vocabulary import REASON_CODES, PacketType, QoS, Role

__all__ = ["Acknowledge", "Message", "Messages", "Overflow"]

#: What happens to QoS 0 messages when the buffer of a stream is full.
Overflow: TypeAlias = Literal["drop_newest", "drop_oldest"]

#: When a QoS 1 or 2 message is acknowledged: when the next one is asked for, when it arrives, or when
#: :meth:`Messages.acknowledge` is called.
Acknowledge: TypeAlias = Literal["consumed", "received", "manual"]

#: A consumer that never has to wait lets other tasks run after so many messages.
FAIR_SHARE = 32


@dataclass(slots=True)
class Message:
    """An Application Message as the Server delivered it.

    Streams that match the same message share one object: read it, do not change it.
    """

    topic: str
    payload: bytes
    qos: QoS
    retain: bool
    dup: bool
    properties: Mapping[str, Any]
    packet: Publish = field(repr=False, compare=False)
    #: How many streams have yet to consume it, and its place in the order of arrival.
    holders: int = field(default=0, repr=False, compare=False)
    serial: int = field(default=0, repr=False, compare=False)
    #: What PUBACK or PUBREC will say.
    reason_code: int = field(default=0, repr=False, compare=False)
    answer: AckProperties | None = field(default=None, repr=False, compare=False)


class Messages:
    """An asynchronous iterator over received messages, for one task at a time.

    Ends by raising what ended the client or this stream (:class:`~mqttws.errors.SubscribeRefused`,
    :class:`~mqttws.errors.StreamOverflow`), after everything that had come before was handed out;
    :class:`trio.ClosedResourceError` once its block was left. Cancelling a wait loses nothing.
    """

    def __init__(
        self,
        topic_filters: Sequence[str],
        consumed: Callable[[Message], None],
        *,
        buffer: int,
        buffer_bytes: int,
        overflow: Overflow,
        acknowledge: Acknowledge = "consumed",
        subscribed: bool = False,
    ) -> None:
        if buffer < 1 or buffer_bytes < 1:
            raise ValueError("the buffer of a stream holds at least one message of at least one byte")
        if overflow not in get_args(Overflow):
            raise ValueError(f"overflow is one of {', '.join(get_args(Overflow))}, not {overflow!r}")
        if acknowledge not in get_args(Acknowledge):
            raise ValueError(f"acknowledge is one of {', '.join(get_args(Acknowledge))}, not {acknowledge!r}")
        #: What the stream was opened for; empty for one that takes whatever no other wants.
        self.topic_filters = tuple(topic_filters)
        #: Whether it has subscribed to them, so that Subscription Identifiers tell which messages are meant for it.
        self.subscribed = subscribed
        #: Whether its QoS 1 and 2 messages are acknowledged as soon as they are here.
        self.on_receipt = acknowledge == "received"
        #: What SUBACK granted, in the order of the filters; empty for a stream without SUBSCRIBE.
        self.reason_codes: tuple[int, ...] = ()
        #: The properties of the SUBACK, if it had any: of several, those of the one for the first filter.
        self.properties: Mapping[str, Any] = {}
        #: What UNSUBSCRIBE says to 5.0 when the block is left; see :attr:`farewell`.
        self._farewell: UnsubscribeProperties = {}
        #: The serial number of the last message that came before the stream was opened.
        self.opened_at = 0
        #: QoS 0 messages that found the buffer full.
        self.dropped = 0
        self._consumed = consumed
        self._buffer = buffer
        self._buffer_bytes = buffer_bytes
        self._drops_oldest = overflow == "drop_oldest"
        self._queue: deque[Message] = deque()
        self._loose = 0
        self._loose_bytes = 0
        # QoS 1 and 2 messages that are here and acknowledged.
        self._safe = 0
        self._safe_bytes = 0
        #: Whether the buffer is half full although the consumer takes what it can.
        self.crowded = False
        self._taken = False
        self._stalled = False
        self._handed: list[Message] = []
        self._unacknowledged: dict[int, Message] | None = {} if acknowledge == "manual" else None
        self._turns = FAIR_SHARE
        self._arrived: trio.Event | None = None
        self._failure: Failure | None = None
        self._closed = False

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        """The next message. Asking for it says that the last one is consumed, unless the stream is ``"manual"``."""
        if self._handed:
            self._settle()
        await self._something()
        return self._take()

    async def receive_many(self, maximum: int) -> list[Message]:
        """All that is there, at least one and at most ``maximum`` messages; waits only when there is none.

        They count as consumed together, when the next ones are asked for.
        """
        if maximum < 1:
            raise ValueError(f"maximum is at least 1, not {maximum}")
        self._settle()
        await self._something()
        return [self._take() for _ in range(min(maximum, len(self._queue)))]

    async def _something(self) -> None:
        """Wait until there is a message; a checkpoint in any case, a full one now and then."""
        self._turns -= 1
        if self._queue and self._turns:
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            self._turns = FAIR_SHARE
            if self._queue:
                await trio.lowlevel.checkpoint()
        # Looked at again after each wait: the stream may have been closed meanwhile.
        while not self._queue:
            if self._closed:
                raise trio.ClosedResourceError("the block of this stream was left")
            if self._failure is not None:
                await trio.lowlevel.checkpoint()
                raise self._failure.fresh()
            if self._arrived is not None:
                raise trio.BusyResourceError("another task waits for this stream's next message")
            self._arrived = trio.Event()
            try:
                await self._arrived.wait()
            finally:
                self._arrived = None

    def _take(self) -> Message:
        message = self._queue.popleft()
        if not message.qos:
            self._loose -= 1
            self._loose_bytes -= len(message.payload)
        elif self.on_receipt:
            self._safe -= 1
            self._safe_bytes -= len(message.payload)
        else:
            if self._unacknowledged is None:
                self._handed.append(message)
            else:
                self._unacknowledged[id(message)] = message
            return message
        self._taken = True
        self._stalled = False
        return message

    def _settle(self) -> None:
        """What was handed out is consumed."""
        handed, self._handed = self._handed, []
        for message in handed:
            self._consumed(message)

    @property
    def farewell(self) -> UnsubscribeProperties:
        """Properties for the UNSUBSCRIBE with which the block is left; only 5.0 has any.

        Setting it raises :class:`~mqttws.errors.LocalProtocolError` for what does not belong there.
        """
        return self._farewell

    @farewell.setter
    def farewell(self, properties: UnsubscribeProperties) -> None:
        encode(Unsubscribe(1, ["a"], properties))
        self._farewell = properties

    def acknowledge(self, message: Message, reason_code: int = 0, properties: AckProperties | None = None) -> None:
        """Be done with a message that a ``"manual"`` stream has handed out; once for each, in any order.

        The Server hears of it when the messages that came before are acknowledged as well. A ``reason_code`` of 0x80
        or above refuses the message, as far as 5.0 can say so; 3.1.1 cannot, and has no ``properties``. Of the streams
        that got a message the one with the worst code is heard. At QoS 0 there is nothing to acknowledge. Raises
        :class:`ValueError` for a message that is not in hand, also after the block was left: it then waits for another
        stream.
        """
        if not message.qos:
            return
        if self._unacknowledged is None:
            raise ValueError("this stream acknowledges by itself")
        if reason_code not in REASON_CODES[PacketType.PUBACK][Role.CLIENT]:
            raise LocalProtocolError(f"PUBACK and PUBREC have no reason code 0x{reason_code:02X}")
        if properties:
            encode(PubAck(1, reason_code, properties))
        if self._unacknowledged.pop(id(message), None) is None:
            raise ValueError("the message is not in hand: not of this stream, or acknowledged before")
        if reason_code > message.reason_code or (message.answer is None and reason_code == message.reason_code):
            message.answer = properties
        message.reason_code = max(message.reason_code, reason_code)
        self._consumed(message)

    @property
    def ended(self) -> bool:
        """Whether it takes no further message."""
        return self._failure is not None or self._closed

    def unconsumed(self) -> list[Message]:
        """The QoS 1 and 2 messages that wait here for their acknowledgement, in order of arrival."""
        if self.on_receipt:
            return []
        return [*self._handed, *(self._unacknowledged or {}).values(), *filter(_is_numbered, self._queue)]

    # -- what the dispatcher calls ------------------------------------------------------------------------------------

    def put(self, message: Message) -> None:
        """Take a message in, or drop one of QoS 0 as the overflow policy says.

        Where what is acknowledged on receipt does not fit, the stream has ended, and the message is not in it.
        """
        if not message.qos:
            if not self._make_room(len(message.payload)):
                self.dropped += 1
                return
            self._loose += 1
            self._loose_bytes += len(message.payload)
            self.crowded = not self._stalled and self._is_half_full()
        elif self.on_receipt:
            size = len(message.payload)
            if self._safe and (self._safe >= self._buffer or self._safe_bytes + size > self._buffer_bytes):
                self._overflow()
                return
            self._safe += 1
            self._safe_bytes += size
            self.crowded = not self._stalled and self._is_half_full()
        self._queue.append(message)
        if self._arrived is not None and not self._arrived.is_set():  # asking costs a tenth of setting
            self._arrived.set()

    def _is_half_full(self) -> bool:
        if 2 * self._loose > self._buffer or 2 * self._loose_bytes > self._buffer_bytes:
            return True
        return self.on_receipt and (2 * self._safe > self._buffer or 2 * self._safe_bytes > self._buffer_bytes)

    def _overflow(self) -> None:
        self.crowded = False
        bounds = f"{self._buffer:,} messages or {self._buffer_bytes:,} bytes"
        names = ", ".join(map(repr, self.topic_filters)) or "all that no other wants"
        self.fail(Failure(StreamOverflow(f"more than {bounds} wait in the stream for {names}")))

    def catch_up(self) -> None:
        """Every task that can run has run since the last call: a consumer that took nothing is busy elsewhere."""
        self._stalled = not self._taken
        self._taken = False
        self.crowded = not self._stalled and self._is_half_full()

    def _make_room(self, size: int) -> bool:
        """Whether another QoS 0 message of ``size`` bytes fits, after dropping older ones where that is the policy."""
        while self._loose and (self._loose >= self._buffer or self._loose_bytes + size > self._buffer_bytes):
            if not self._drops_oldest:
                return False
            # Those of QoS 1 and 2 before it are few: they are bounded by Receive Maximum.
            index = next(index for index, message in enumerate(self._queue) if not message.qos)
            self._loose -= 1
            self._loose_bytes -= len(self._queue[index].payload)
            self.dropped += 1
            del self._queue[index]
        return True

    def fail(self, failure: Failure) -> None:
        """The stream ends: the first reason is raised when everything that is here was handed out."""
        if self._failure is None:
            self._failure = failure
        if self._arrived is not None:
            self._arrived.set()

    def close(self, *, failed: bool) -> list[Message]:
        """The block is left: returns the QoS 1 and 2 messages that were not consumed, in order of arrival.

        Left without an exception, what was handed out last is consumed. What was acknowledged on receipt and not
        handed out is returned as well: there is nobody else who could have it.
        """
        if not failed:
            self._settle()
        left = list(filter(_is_numbered, self._queue)) if self.on_receipt else self.unconsumed()
        self._handed.clear()
        if self._unacknowledged is not None:
            self._unacknowledged.clear()
        self._queue.clear()
        self._loose = self._loose_bytes = self._safe = self._safe_bytes = 0
        self._closed = True
        if self._arrived is not None:
            self._arrived.set()
        return left


def _is_numbered(message: Message) -> bool:
    """Whether a message is to be acknowledged at all."""
    return message.qos > 0
