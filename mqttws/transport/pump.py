"""Between a byte stream and a :class:`~mqttws.link.Link`: moves bytes, keeps one timer, knows nothing of MQTT.

Two tasks share a pump. One calls :meth:`Pump.receive` and handles the events, the other is :meth:`Pump.write`, which
sends all that is pending in one write, however many packets that is. The same pump serves Client and Server.
"""

from __future__ import annotations

import math

import trio

from mqttws.errors import StoreFailed
from mqttws.link import Link, LinkEvent
from mqttws.session import Closed
from mqttws.transport.committer import Committer

__all__ = ["Pump"]

#: Bytes asked of the stream at once, and the most that is written under one ``send_timeout``.
CHUNK = 65_536

#: WebSocket close code of an end for a reason of our own: "internal error" (RFC 6455, 7.4.1).
INTERNAL_ERROR = 1011


class Pump:
    """A stream with a link on it.

    ``committer`` takes the Session's changes to their store before the bytes that depend on them leave, once per write;
    reading goes on meanwhile. Pumps that work on one Session share it. A store that fails ends the connection: nothing
    that depends on it leaves, and the last event is ``Closed(StoreFailed)``. While more than ``high_water`` bytes wait
    to be written nothing is read, so a peer that sends without taking our answers costs that much and no more.
    ``send_timeout`` ends the connection when so many seconds pass in which the peer takes none of a 64 KiB piece; a
    Client needs none, its Keep Alive does the same. ``close_timeout`` bounds each of: sending the farewell, the peer's
    last words after a failed write, and TLS closing. All times are seconds.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        link: Link,
        *,
        committer: Committer | None = None,
        high_water: int = 1_048_576,
        send_timeout: float = math.inf,
        close_timeout: float = 1.0,
    ) -> None:
        self.stream = stream
        self.link = link
        self._committer = committer
        self._store_failure: StoreFailed | None = None
        self._high_water = high_water
        self._send_timeout = send_timeout
        self._close_timeout = close_timeout
        self._paused = False
        self._nothing_more = False
        self._last: list[LinkEvent] = []  # Closed, until what goes before it was handled
        self._broken = False
        self._read_to_end = trio.Event()
        self._written = trio.Event()
        self._wanted: trio.Event | None = None
        self._drained: trio.Event | None = None
        self._may_read: trio.Event | None = None
        self._timer = trio.CancelScope()
        self._sending = trio.CancelScope()

    async def receive(self) -> list[LinkEvent]:
        """Wait for what happens next: at least one event, or none at all once the wire is finished.

        Feeds the link with bytes and with its deadlines, and flushes what it answers by itself. After the ``Closed``
        event call it again until it returns ``[]``: the closing handshake takes place meanwhile. Before that event the
        Session's changes are stored. To be called by one task at a time; cancelling it loses nothing.
        """
        link = self.link
        while not (events := self._last or link.events()):
            if link.closed or self._nothing_more:
                await self._let_writer_finish()
                return []
            await self._step()
            self.flush()
        if isinstance(events[-1], Closed):
            if len(events) > 1 and self._must_commit:
                # What the owner does about the events before may belong to these changes: it is stored with them.
                self._last = [events.pop()]
                return events
            await self._commit()
            if self._store_failure is not None:
                events[-1] = Closed(self._store_failure)
        self._last = []
        return events

    async def _step(self) -> None:
        data: bytes | None = None
        link = self.link
        with trio.CancelScope(deadline=link.next_deadline()) as self._timer:
            while self._reading_waits:
                self._may_read = trio.Event()
                await self._may_read.wait()
            data = await self._receive_some()
        now = trio.current_time()
        if data is None:
            link.handle_deadline(now)
        elif data:
            link.receive_data(data, now)
        else:
            self._nothing_more = True
            link.receive_eof(now, broken=self._broken)

    @property
    def _reading_waits(self) -> bool:
        """Whether nothing is to be read now. Where nothing can be written any more there is nothing to wait for."""
        if self._broken or self._written.is_set():
            return False
        return self._paused or self.congested

    async def _receive_some(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some(CHUNK))
        except trio.BrokenResourceError:
            self._broken = True
            return b""
        except trio.ClosedResourceError:  # by our own writer
            return b""

    async def _let_writer_finish(self) -> None:
        self._read_to_end.set()
        self.flush()
        with trio.move_on_after(self._close_timeout):
            await self._written.wait()
        self._sending.cancel()

    async def write(self) -> None:
        """Send what :meth:`flush` announces until the link is closed, then close the stream, whatever happens.

        Run it as a task of its own, exactly once. When the peer takes no more bytes it returns as well, and
        :meth:`receive` brings the ``Closed`` event.
        """
        try:
            with self._sending:
                await self._write()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self._broken = isinstance(error, trio.BrokenResourceError)
            # Why the peer stopped taking bytes may stand in what it sent before: a DISCONNECT, a Close frame.
            self._wake_waiting()
            with trio.move_on_after(self._close_timeout):
                await self._read_to_end.wait()
        finally:
            self._written.set()
            self._wake_waiting()
            with trio.CancelScope(deadline=trio.current_time() + self._close_timeout, shield=True):
                await self.stream.aclose()

    async def _write(self) -> None:
        while True:
            await self._commit()
            if data := self._take():
                await self._send(data)
            elif self._must_commit:
                continue  # a commit in a thread takes a while, and more has happened
            elif self.link.closed:
                return
            else:
                self._wanted = trio.Event()
                await self._wanted.wait()
                self._wanted = None

    def _take(self) -> bytes:
        """Everything that may leave now."""
        data = self.link.data_to_send(trio.current_time())
        self._timer.deadline = min(self._timer.deadline, self.link.next_deadline())
        self._wake_waiting()
        return data

    def _wake_waiting(self) -> None:
        """Whoever waits for room looks again."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None
        if self._may_read is not None:
            self._may_read.set()
            self._may_read = None

    async def _send(self, data: bytes) -> None:
        if self._send_timeout == math.inf:
            await self.stream.send_all(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            self._sending.deadline = trio.current_time() + self._send_timeout
            await self.stream.send_all(view[start : start + CHUNK])
        self._sending.deadline = math.inf

    @property
    def _must_commit(self) -> bool:
        return self._committer is not None and self._store_failure is None and not self._committer.settled

    async def _commit(self) -> None:
        """Store the Session's changes so far, or end the connection.

        Done before each write and before the ``Closed`` event; what changes after that is the owner's business.
        """
        if self._committer is None or not self._must_commit:
            return
        try:
            await self._committer.commit()
        except StoreFailed as error:
            self._store_failure = error
            self.link.abort(trio.current_time(), INTERNAL_ERROR, error)
            self._timer.cancel()  # the reader finds the Closed event

    def flush(self) -> None:
        """Let :meth:`write` send what is pending. Costs next to nothing: many calls make one write.

        While it is busy with a peer that takes nothing, a deadline that has come nearer (the link's owner has closed
        it) still counts.
        """
        if self._wanted is not None:
            if not self._wanted.is_set():  # asking costs a tenth of setting
                self._wanted.set()
        elif self.link.next_deadline() < self._timer.deadline:
            self._timer.deadline = self.link.next_deadline()

    @property
    def congested(self) -> bool:
        """Whether more than ``high_water`` bytes wait to be written."""
        return self.link.bytes_pending > self._high_water

    async def drained(self) -> None:
        """Wait until the pump is no longer congested, or will never write again. A checkpoint in any case."""
        await trio.lowlevel.checkpoint()
        while self.congested and not self._written.is_set():
            if self._drained is None:
                self._drained = trio.Event()
            await self._drained.wait()

    def pause(self) -> None:
        """Read nothing until :meth:`resume`; deadlines go on."""
        self._paused = True

    def resume(self) -> None:
        """Read again."""
        if self._paused:
            self._paused = False
            if self._may_read is not None:
                self._may_read.set()
                self._may_read = None
