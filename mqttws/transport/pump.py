"""Between a byte stream and a :class:`~mqttws.link.Link`: moves bytes, keeps one timer, knows nothing of MQTT.

Two tasks share a pump. One calls :meth:`Pump.receive` and handles the events, the other is :meth:`Pump.write`, which
sends all that is pending in one write, however many packets that is. The same pump serves Client and Server.
"""

from __future__ import annotations

import math

import trio

from mqttws.link import Link, LinkEvent
from mqttws.session import Store

__all__ = ["Pump"]

#: Bytes asked of the stream at once, and the most that is written under one ``send_timeout``.
CHUNK = 65_536


class Pump:
    """A stream with a link on it.

    ``store`` takes the Session's changes before the bytes that depend on them leave; its ``commit`` runs between two
    writes and must not block. While more than ``high_water`` bytes wait to be written nothing is read, so a peer that
    sends without taking our answers costs that much and no more. ``send_timeout`` ends the connection when so many
    seconds pass in which the peer takes none of a 64 KiB piece; a Client needs none, its Keep Alive does the same.
    ``close_timeout`` bounds each of: sending the farewell, the peer's last words after a failed write, and TLS closing.
    All times are seconds.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        link: Link,
        *,
        store: Store | None = None,
        high_water: int = 1_048_576,
        send_timeout: float = math.inf,
        close_timeout: float = 1.0,
    ) -> None:
        self.stream = stream
        self.link = link
        self._store = store
        self._high_water = high_water
        self._send_timeout = send_timeout
        self._close_timeout = close_timeout
        self._paused = False
        self._nothing_more = False
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
        event call it again until it returns ``[]``: the closing handshake takes place meanwhile. To be called by one
        task at a time; cancelling it loses nothing.
        """
        link = self.link
        while not (events := link.events()):
            if link.closed or self._nothing_more:
                await self._let_writer_finish()
                return []
            await self._step()
            self.flush()
        return events

    async def _step(self) -> None:
        data: bytes | None = None
        link = self.link
        with trio.CancelScope(deadline=link.next_deadline()) as self._timer:
            while self._paused or link.bytes_pending > self._high_water:
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
            link.receive_eof(now)

    async def _receive_some(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some(CHUNK))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
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
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # Why the peer stopped taking bytes may stand in what it sent before: a DISCONNECT, a Close frame.
            with trio.move_on_after(self._close_timeout):
                await self._read_to_end.wait()
        finally:
            self._written.set()
            self._wake_waiting()
            with trio.CancelScope(deadline=trio.current_time() + self._close_timeout, shield=True):
                await self.stream.aclose()

    async def _write(self) -> None:
        while True:
            if data := self._take():
                await self._send(data)
            elif self.link.closed:
                return
            else:
                self._wanted = trio.Event()
                await self._wanted.wait()
                self._wanted = None

    def _take(self) -> bytes:
        """Everything that may leave now; what depends on the Session's changes only once they are stored."""
        self.commit()
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

    def commit(self) -> None:
        """Store the Session's changes so far. Done before each write; what came after the last one is the owner's."""
        if self._store is not None and (changes := self.link.changes()):
            self._store.commit(changes)
            self.link.committed()

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
        """Wait until the pump is no longer congested, or will never write again."""
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
