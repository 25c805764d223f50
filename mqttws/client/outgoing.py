"""Published messages on their way to the Server: a bounded queue, and what becomes of each message."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from mqttws.client.failure import Failure
from mqttws.codec import Publish
from mqttws.errors import LocalProtocolError, PublishRefused, SessionLost
from mqttws.session import Connection, Delivered
from mqttws.vocabulary import QoS, ReasonCode

__all__ = ["TAKEN", "Outgoing", "PublishResult", "Receipt"]

#: How many failed receipts that nobody has looked at are remembered until the block is left.
REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class PublishResult:
    """How an exchange ended well.

    ``reason_code`` and ``properties`` are those of PUBACK, PUBREC or PUBCOMP: 0x10 says that nobody had subscribed. At
    QoS 0, and in 3.1.1, there is nothing to say but success.
    """

    reason_code: int = ReasonCode.SUCCESS
    properties: Mapping[str, Any] = field(default_factory=dict)


#: The result of every QoS 0 publish.
TAKEN = PublishResult()


class Receipt:
    """What becomes of one published message."""

    __slots__ = ("_ended", "_error", "_result", "_seen", "publish", "size")

    def __init__(self, publish: Publish, size: int, result: PublishResult | None = None) -> None:
        self.publish = publish
        self.size = size
        self._result = result
        self._error: Failure | None = None
        self._ended: trio.Event | None = None
        self._seen = False

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._result is not None or self._error is not None

    async def wait(self) -> PublishResult:
        """Wait for the outcome; may be called by any number of tasks, at any time, also after the client was left.

        Raises :class:`~mqttws.errors.PublishRefused` where the Server refused the message, or what ended the
        connection before the outcome was known. Cancelling it stops waiting, the exchange goes on.
        """
        self._seen = True
        if self.done:
            # No full checkpoint: the send queue bounds how many can be done before one has to be waited for.
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        if self._error is not None:
            raise self._error.fresh()
        assert self._result is not None  # one of the two is there when it is done
        return self._result

    @property
    def unseen_failure(self) -> Failure | None:
        """Why the message failed, if nobody has ever waited for it."""
        return None if self._seen else self._error

    def end(self, result: PublishResult | None = None, error: Failure | None = None) -> None:
        """The outcome is known."""
        self._result = result
        self._error = error
        if self._ended is not None:
            self._ended.set()


@dataclass(slots=True, eq=False)
class _Waiter:
    """A task that waits for room; ``admitted`` once the room is reserved for it."""

    size: int
    admitted: trio.Event = field(default_factory=trio.Event)


class Outgoing:
    """QoS 1 and 2 messages from ``publish`` until their exchange ends.

    At most ``messages`` of them, and ``size`` bytes of payload and topic (a single larger one only when there is no
    other), whether they are under way or wait for the Server's Receive Maximum. Their order is kept.
    """

    def __init__(self, messages: int, size: int) -> None:
        if messages < 1 or size < 1:
            raise ValueError("the send queue holds at least one message of at least one byte")
        self._most = messages
        self._most_bytes = size
        self._count = 0
        self._bytes = 0
        self._waiters: deque[_Waiter] = deque()
        self._unsent: deque[Receipt] = deque()
        self._sent: dict[int, Receipt] = {}
        self._failed: deque[Receipt] = deque(maxlen=REMEMBERED)
        self._empty: trio.Event | None = None

    def __len__(self) -> int:
        """How many exchanges have not ended."""
        return self._count

    # -- room ---------------------------------------------------------------------------------------------------------

    def reserve(self, size: int) -> bool:
        """Take room for a message of ``size`` bytes, unless there is none or others have waited longer."""
        if self._waiters or not self._fits(size):
            return False
        self._count += 1
        self._bytes += size
        return True

    async def wait_for_room(self, size: int) -> None:
        """Take room for a message of ``size`` bytes, first come, first served. Cancelled, nothing is taken."""
        if self.reserve(size):
            return
        waiter = _Waiter(size)
        self._waiters.append(waiter)
        try:
            await waiter.admitted.wait()
        except BaseException:
            if waiter.admitted.is_set():
                self.release(size)
            else:
                self._waiters.remove(waiter)
                self._admit()
            raise

    def release(self, size: int) -> None:
        """Give room back."""
        self._count -= 1
        self._bytes -= size
        self._admit()
        if not self._count and self._empty is not None:
            self._empty.set()

    def _fits(self, size: int) -> bool:
        return self._count < self._most and (not self._count or self._bytes + size <= self._most_bytes)

    def _admit(self) -> None:
        while self._waiters and self._fits(self._waiters[0].size):
            waiter = self._waiters.popleft()
            self._count += 1
            self._bytes += waiter.size
            waiter.admitted.set()

    # -- exchanges ----------------------------------------------------------------------------------------------------

    def begin(self, publish: Publish, size: int, connection: Connection, now: float) -> Receipt:
        """Send a message for which room was taken, or queue it where the Server's Receive Maximum is reached."""
        receipt = Receipt(publish, size)
        if self._unsent or not connection.send_quota:
            self._unsent.append(receipt)
        else:
            self._send(receipt, connection, now)
        return receipt

    def _send(self, receipt: Receipt, connection: Connection, now: float) -> None:
        sent = connection.send(receipt.publish, now)
        assert isinstance(sent, Publish)
        assert sent.packet_id is not None
        self._sent[sent.packet_id] = receipt

    def send_more(self, connection: Connection, now: float) -> None:
        """Send what has waited, as far as the Server's Receive Maximum goes now."""
        while self._unsent and connection.send_quota:
            receipt = self._unsent.popleft()
            try:
                self._send(receipt, connection, now)
            except LocalProtocolError as error:
                # Checked when it was queued; what depends on packets sent since shows only now, such as a Topic Alias.
                self._end(receipt, error=Failure(error))

    def connected(self, connection: Connection, now: float, lost: Sequence[Publish] = ()) -> None:
        """A connection is open; ``lost`` are the messages that were under way in a Session that the Server has lost.

        Those of QoS 1 are sent again as new messages, before everything that has waited.
        """
        for publish in reversed(lost):
            receipt = self._sent.pop(publish.packet_id or 0, None)
            if receipt is None:
                continue
            if publish.qos == QoS.AT_LEAST_ONCE:
                self._unsent.appendleft(receipt)
            else:
                self._end(receipt, error=Failure(SessionLost([publish])))
        self.send_more(connection, now)

    def disconnected(self) -> None:
        """The connection has ended, another will follow: what was not sent goes on waiting."""

    def delivered(self, event: Delivered, version: int) -> None:
        """An exchange has ended. One that began before this client did has no receipt."""
        receipt = self._sent.pop(event.packet_id, None)
        if receipt is None:
            return
        if event.reason_code >= 0x80:
            error = PublishRefused(event.reason_code, event.properties, version=version)
            self._end(receipt, error=Failure(error))
        else:
            self._end(receipt, PublishResult(event.reason_code, event.properties))

    def _end(self, receipt: Receipt, result: PublishResult | None = None, error: Failure | None = None) -> None:
        receipt.end(result, error)
        if receipt.unseen_failure is not None:
            self._failed.append(receipt)
        self.release(receipt.size)

    def fail(self, failure: Failure) -> None:
        """The connection has ended: no outcome can be learned any more."""
        unfinished = [*self._sent.values(), *self._unsent]
        self._sent.clear()
        self._unsent.clear()
        for receipt in unfinished:
            self._end(receipt, error=failure)

    async def finished(self) -> None:
        """Wait until every exchange has ended."""
        while self._count:
            self._empty = trio.Event()
            await self._empty.wait()

    def unseen_failure(self) -> Exception | None:
        """The first failure of a message that nobody waited for, to be raised."""
        for receipt in self._failed:
            if (failure := receipt.unseen_failure) is not None:
                return failure.fresh()
        return None
