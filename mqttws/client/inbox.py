"""Received messages on their way to the application: a bounded stream for each subscription.

A plain deque stands where a memory channel might: the task that reads the socket puts a whole chunk of messages in
without waiting, and the consumer takes them out without a task switch while there are any. A message of QoS 1 or 2
counts as consumed when the loop asks for the next one, or leaves its block without an exception; only then is it
acknowledged, so Receive Maximum bounds what waits here. QoS 0 has no such window and gets a bound of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import trio

from mqttws.client.failure import Failure
from mqttws.codec import Publish
from mqttws.vocabulary import QoS

__all__ = ["Message", "Messages", "Overflow"]

#: What happens to QoS 0 messages when the buffer of a stream is full.
Overflow: TypeAlias = Literal["drop_newest", "drop_oldest"]

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


class Messages:
    """An asynchronous iterator over received messages, for one task at a time.

    Ends by raising what ended the connection, after everything that had come before was handed out;
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
    ) -> None:
        if buffer < 1 or buffer_bytes < 1:
            raise ValueError("the buffer of a stream holds at least one message of at least one byte")
        if overflow not in get_args(Overflow):
            raise ValueError(f"overflow is one of {', '.join(get_args(Overflow))}, not {overflow!r}")
        #: What the stream was opened for; empty for one that takes whatever no other wants.
        self.topic_filters = tuple(topic_filters)
        #: What SUBACK granted, in the order of the filters; empty for a stream without SUBSCRIBE.
        self.reason_codes: tuple[int, ...] = ()
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
        #: Whether the buffer for QoS 0 is half full although the consumer takes what it can.
        self.crowded = False
        self._taken = False
        self._stalled = False
        self._handed: list[Message] = []
        self._turns = FAIR_SHARE
        self._arrived: trio.Event | None = None
        self._failure: Failure | None = None
        self._closed = False

    def __aiter__(self) -> Messages:
        return self

    async def __anext__(self) -> Message:
        """The next message. Asking for it says that the last one is consumed."""
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
        if message.qos:
            self._handed.append(message)
        else:
            self._loose -= 1
            self._loose_bytes -= len(message.payload)
            self._taken = True
            self._stalled = False
        return message

    def _settle(self) -> None:
        """What was handed out is consumed."""
        handed, self._handed = self._handed, []
        for message in handed:
            self._consumed(message)

    # -- what the dispatcher calls ------------------------------------------------------------------------------------

    def put(self, message: Message) -> None:
        """Take a message in, or drop one of QoS 0 as the overflow policy says."""
        if not message.qos:
            if not self._make_room(len(message.payload)):
                self.dropped += 1
                return
            self._loose += 1
            self._loose_bytes += len(message.payload)
            self.crowded = not self._stalled and self._is_half_full()
        self._queue.append(message)
        if self._arrived is not None and not self._arrived.is_set():  # asking costs a tenth of setting
            self._arrived.set()

    def _is_half_full(self) -> bool:
        return 2 * self._loose > self._buffer or 2 * self._loose_bytes > self._buffer_bytes

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
        """The connection has ended: raised when everything that is here was handed out."""
        self._failure = failure
        if self._arrived is not None:
            self._arrived.set()

    def close(self, *, failed: bool) -> list[Message]:
        """The block is left: returns the QoS 1 and 2 messages that were not consumed, in order of arrival.

        Left without an exception, what was handed out last is consumed.
        """
        if not failed:
            self._settle()
        left = [*self._handed, *(message for message in self._queue if message.qos)]
        self._handed.clear()
        self._queue.clear()
        self._loose = self._loose_bytes = 0
        self._closed = True
        if self._arrived is not None:
            self._arrived.set()
        return left
