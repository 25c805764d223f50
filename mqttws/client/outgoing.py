"""Published messages on their way to the Server: a bounded queue, and what becomes of each message.

QoS 1 and 2 messages are here from ``publish`` until their exchange has ended, QoS 0 messages while there is no
connection to send them on. What waits keeps its order.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, Literal, TypeAlias, get_args

import trio

from mqttws.client.backlog import Backlog
from mqttws.client.failure import Failure
from mqttws.client.receipts import TAKEN, PublishResult, Receipt, size_of
from mqttws.client.room import Room
from mqttws.codec import Publish, encode
from mqttws.errors import LocalProtocolError, MessageExpired, PublishRefused, QueueFull, SessionLost, name_of
from mqttws.session import Connection, Delivered
from mqttws.vocabulary import ProtocolVersion, QoS, Role

__all__ = ["Outgoing", "WhenFull", "size_of"]

logger = logging.getLogger("mqttws.client")

#: What to do with a message for which there is no room.
WhenFull: TypeAlias = Literal["wait", "fail", "drop_oldest_qos0"]

#: How many failed receipts that nobody has looked at are remembered until the block is left.
REMEMBERED: Final = 1_000
#: Entries of messages long gone that the list of expiries may hold before it is tidied up.
SLACK: Final = 64


class Outgoing:
    """At most ``messages`` messages and ``size`` bytes of payload and topic, on their way or waiting to be.

    A single larger one is taken only when there is no other. ``when_full`` says what happens to the next one: it waits,
    it raises :class:`~mqttws.errors.QueueFull`, or it takes the place of the oldest QoS 0 messages that wait (and waits
    where these do not suffice). ``resend_qos2`` lets QoS 2 messages of a lost Session be sent again as new ones, as
    QoS 1 messages always are: the Server's subscribers may then get them twice.
    """

    def __init__(self, messages: int, size: int, *, when_full: WhenFull = "wait", resend_qos2: bool = False) -> None:
        if when_full not in get_args(WhenFull):
            raise ValueError(f"when_full is one of {', '.join(get_args(WhenFull))}, not {when_full!r}")
        #: QoS 0 messages that made room for others.
        self.dropped = 0
        #: QoS 2 messages of an earlier process, of which a lost Session leaves no outcome.
        self.lost: tuple[Publish, ...] = ()
        self._room = Room(messages, size)
        self._when_full = when_full
        self._resend_qos2 = resend_qos2
        # Ordered dicts and not deques, because an expired or dropped message leaves from the middle.
        self._unsent: OrderedDict[Receipt, None] = OrderedDict()
        self._loose: OrderedDict[Receipt, None] = OrderedDict()  # those of QoS 0
        self._loose_bytes = 0
        self._sent: dict[int, Receipt] = {}
        #: How to have something done once the Session's changes so far are stored; None where there is no store.
        self.when_stored: Callable[[Callable[[], None]], None] | None = None
        self._settling: dict[Receipt, None] = {}
        #: What the store has of the messages that wait; None where there is no store.
        self.backlog: Backlog | None = None
        self._failed: deque[Receipt] = deque(maxlen=REMEMBERED)
        self._expiries: list[tuple[float, int, Receipt]] = []
        self._queued = 0
        self._sooner: trio.Event | None = None

    def __len__(self) -> int:
        """How many messages have no outcome yet."""
        return self._room.count

    # -- room ---------------------------------------------------------------------------------------------------------

    def reserve(self, size: int) -> bool:
        """Take room for a message of ``size`` bytes; False when there is none, and none to be made."""
        return self._room.reserve(size) or (self._when_full == "drop_oldest_qos0" and self._make_room(size))

    async def wait_for_room(self, size: int) -> None:
        """Take room for a message of ``size`` bytes, first come, first served. Cancelled, nothing is taken."""
        if self.reserve(size):
            return
        if self.fails_when_full:
            raise self.full()
        await self._room.wait(size)

    def release(self, size: int) -> None:
        """Give room back."""
        self._room.release(size)

    @property
    def fails_when_full(self) -> bool:
        """Whether nobody is to wait for room."""
        return self._when_full == "fail"

    def full(self) -> QueueFull:
        """The error for a message that does not wait."""
        return QueueFull(f"{self._room.count:,} messages of {self._room.size:,} bytes have not been completed")

    def _make_room(self, size: int) -> bool:
        """Drop the oldest QoS 0 messages, unless even that were in vain."""
        loose = len(self._loose)
        if not loose or self._room.awaited:
            return False
        if not self._room.would_fit(size, without=loose, without_bytes=self._loose_bytes):
            return False
        while not self._room.reserve(size):
            receipt = next(iter(self._loose))
            self._forget(receipt)
            self.dropped += 1
            # Its publisher has asked for this, so it is no failure to be raised when the client is left.
            receipt.end(error=Failure(QueueFull("dropped to make room for a later message")))
            self.release(receipt.size)
        return True

    # -- from publish to the wire -------------------------------------------------------------------------------------

    def may_pass(self, connection: Connection) -> bool:
        """Whether a QoS 0 message may be sent without taking room: there is a connection, and none waits for it."""
        return connection.is_open and not self._loose

    def begin(self, publish: Publish, size: int, connection: Connection, now: float) -> Receipt:
        """Send a message for which room was taken, or queue it until it may be sent.

        It waits for a connection, and at QoS 1 and 2 for the Server's Receive Maximum. Raises
        :class:`LocalProtocolError`, and keeps nothing but the room, where the Server does not take it.
        """
        receipt = Receipt(publish, size)
        if publish.properties and (interval := publish.properties.get("message_expiry_interval")) is not None:
            receipt.expires_at = now + interval
        if self.may_pass(connection) if not publish.qos else connection.send_quota and not self._unsent:
            self._send(receipt, publish, connection, now)
        else:
            _check(publish, connection)
            self._queue(receipt)
        return receipt

    def restore(self, backlog: Backlog, now: float) -> None:
        """Take up what an earlier process has left waiting, whether there is room or not."""
        self.backlog = backlog
        for receipt in backlog.left(now):
            self._room.occupy(receipt.size)
            self._queue(receipt)

    def _queue(self, receipt: Receipt, *, first: bool = False) -> None:
        """Let a message wait, behind all others or before them."""
        self._unsent[receipt] = None
        if first:
            self._unsent.move_to_end(receipt, last=False)
        if self.backlog is not None:
            self.backlog.keep(receipt, first=first)
        if not receipt.publish.qos:
            self._loose[receipt] = None
            self._loose_bytes += receipt.size
        if receipt.expires_at < math.inf:
            self._queued += 1
            heappush(self._expiries, (receipt.expires_at, self._queued, receipt))
            if len(self._expiries) > 2 * len(self._unsent) + SLACK:
                self._expiries = [entry for entry in self._expiries if entry[2] in self._unsent]
                heapify(self._expiries)
            if self._sooner is not None and self._expiries[0][2] is receipt:
                self._sooner.set()

    def _forget(self, receipt: Receipt) -> None:
        """A message waits no more."""
        del self._unsent[receipt]
        if self.backlog is not None:
            self.backlog.drop(receipt)
        if not receipt.publish.qos:
            del self._loose[receipt]
            self._loose_bytes -= receipt.size

    def _send(self, receipt: Receipt, publish: Publish, connection: Connection, now: float) -> None:
        sent = connection.send(publish, now)
        assert isinstance(sent, Publish)
        if sent.packet_id is None:
            self._end(receipt, TAKEN)
        else:
            self._sent[sent.packet_id] = receipt

    def send_more(self, connection: Connection, now: float) -> None:
        """Send what has waited, as far as the Server's Receive Maximum goes now."""
        if self._loose and connection.is_open:
            # The first moment of a connection: QoS 0 overtakes what Receive Maximum holds back, and nothing else.
            for receipt in list(self._unsent):
                if not receipt.publish.qos or connection.send_quota:
                    self._send_waiting(receipt, connection, now)
        while self._unsent and connection.send_quota:
            self._send_waiting(next(iter(self._unsent)), connection, now)

    def _send_waiting(self, receipt: Receipt, connection: Connection, now: float) -> None:
        self._forget(receipt)
        if receipt.expires_at <= now:
            self._end(receipt, error=_expired(receipt))
            return
        try:
            self._send(receipt, _with_remaining_interval(receipt, now), connection, now)
        except LocalProtocolError as error:
            # Checked when it was queued; another connection has other limits, and Topic Aliases of its own.
            self._end(receipt, error=Failure(error))

    # -- time ---------------------------------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """See to it that what expires while it waits fails at that moment; to be run as a task, without end."""
        while True:
            self._sooner = trio.Event()
            with trio.move_on_at(self._expiries[0][0] if self._expiries else math.inf):
                await self._sooner.wait()
            now = trio.current_time()
            while self._expiries and self._expiries[0][0] <= now:
                receipt = heappop(self._expiries)[2]
                if receipt in self._unsent:
                    self._forget(receipt)
                    self._end(receipt, error=_expired(receipt))

    # -- from the wire to the outcome ---------------------------------------------------------------------------------

    def connected(self, connection: Connection, now: float, lost: Sequence[Publish] = ()) -> None:
        """A connection is open; ``lost`` are the messages that were under way in a Session that the Server has lost.

        Whatever was under way in a Session that goes on, ends on this connection as it would have on the one before.
        Those of QoS 1 are sent again as new messages, before everything that has waited. Those of QoS 2 end in
        :class:`SessionLost` unless they are to be sent again as well.
        """
        if lost:
            self._recover({publish.packet_id or 0: publish for publish in lost}, now)
        self.send_more(connection, now)

    def _recover(self, lost: dict[int, Publish], now: float) -> None:
        receipts = {packet_id: self._sent.pop(packet_id) for packet_id in list(self._sent) if packet_id in lost}
        strangers = [packet_id for packet_id in lost if packet_id not in receipts]
        again, uncertain = [], []
        # First what an earlier process has left behind, then ours in the order in which they were sent.
        for packet_id in (*strangers, *receipts):
            old = lost[packet_id]
            publish = Publish(old.topic, old.payload, old.qos, old.retain, False, None, old.properties)
            receipt = receipts.get(packet_id)
            if publish.qos == QoS.EXACTLY_ONCE and not self._resend_qos2:
                if receipt is None:
                    uncertain.append(publish)
                else:
                    self._end(receipt, error=Failure(SessionLost([publish])))
                continue
            if receipt is None:
                receipt = Receipt(publish, size_of(publish))
                receipt.expires_at = now + publish.properties.get("message_expiry_interval", math.inf)
                self._room.occupy(receipt.size)
            receipt.publish, receipt.maybe_taken = publish, True
            again.append(receipt)
        self.lost += tuple(uncertain)
        for receipt in reversed(again):
            self._queue(receipt, first=True)

    def delivered(self, event: Delivered, version: int) -> None:
        """An exchange has ended."""
        receipt = self._sent.pop(event.packet_id, None)
        if receipt is None:
            if event.reason_code >= 0x80:
                logger.warning(
                    "A message of an earlier process, to %r, was refused: %s",
                    event.publish.topic,
                    name_of(event.reason_code),
                )
        elif event.reason_code >= 0x80:
            error = PublishRefused(event.reason_code, event.properties, version=version)
            self._settle(receipt, error=Failure(error))
        else:
            self._settle(receipt, PublishResult(event.reason_code, event.properties))

    def _settle(self, receipt: Receipt, result: PublishResult | None = None, error: Failure | None = None) -> None:
        """Tell the outcome when it is stored: a process that ended before would send the message again."""
        if self.when_stored is None:
            self._end(receipt, result, error)
            return

        def settled() -> None:
            if receipt in self._settling:
                del self._settling[receipt]
                self._end(receipt, result, error)

        self._settling[receipt] = None
        self.when_stored(settled)

    def _end(self, receipt: Receipt, result: PublishResult | None = None, error: Failure | None = None) -> None:
        receipt.end(result, error)
        if error is not None and receipt.unseen_failure is not None:
            self._failed.append(receipt)
        self._room.release(receipt.size)

    def fail(self, failure: Failure) -> None:
        """The client has ended: no outcome can be learned any more."""
        unfinished = [*self._settling, *self._sent.values(), *self._unsent]
        self._settling.clear()
        self._sent.clear()
        self._unsent.clear()
        self._loose.clear()
        self._loose_bytes = 0
        for receipt in unfinished:
            self._end(receipt, error=failure)

    async def finished(self) -> None:
        """Wait until every message has its outcome."""
        await self._room.emptied()

    def unseen_failure(self) -> Exception | None:
        """The first failure of a message that nobody waited for, to be raised."""
        for receipt in self._failed:
            if (failure := receipt.unseen_failure) is not None:
                return failure.fresh()
        return None


def _check(publish: Publish, connection: Connection) -> None:
    """What sending would check, for a message that has to wait first: the limits are those known last."""
    limits, version = connection.limits, connection.version or ProtocolVersion.V5
    limits.check_publish(publish, Role.CLIENT, version)
    number = 1 if publish.qos else None
    numbered = Publish(publish.topic, publish.payload, publish.qos, publish.retain, False, number, publish.properties)
    limits.check_size(len(encode(numbered, version)), "PUBLISH", Role.CLIENT)


def _expired(receipt: Receipt) -> Failure:
    if receipt.maybe_taken:
        return Failure(SessionLost([receipt.publish]))
    return Failure(MessageExpired(receipt.publish.topic, receipt.publish.properties["message_expiry_interval"]))


def _with_remaining_interval(receipt: Receipt, now: float) -> Publish:
    """The message with what is left of its Message Expiry Interval after it has waited."""
    publish = receipt.publish
    if receipt.expires_at == math.inf:
        return publish
    properties = publish.properties.copy()
    properties["message_expiry_interval"] = math.ceil(receipt.expires_at - now)
    return Publish(publish.topic, publish.payload, publish.qos, publish.retain, False, None, properties)
