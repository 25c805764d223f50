"""A stretch of network between a client and a server that a test can cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

CHUNK = 65536


class Wire:
    """Forwards bytes from ``port`` on 127.0.0.1 to ``target_port`` there.

    :meth:`hold` swallows what is sent from now on, while both ends believe in their connection; :meth:`cut` ends every
    connection without a word and refuses new ones; :meth:`mend` makes the wire good for connections to come.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._is_held = False
        self._target_port = target_port
        self._is_cut = False
        self._open: set[trio.CancelScope] = set()

    def hold(self) -> None:
        """Lose all that is sent, in both directions: what is under way now stays so."""
        self._is_held = True

    def cut(self) -> None:
        """End every connection, without any farewell of WebSocket or MQTT."""
        self._is_cut = True
        for scope in self._open:
            scope.cancel()

    def mend(self) -> None:
        """Let connections through again, and bytes."""
        self._is_cut = self._is_held = False

    async def serve(self, near: trio.SocketStream) -> None:
        """One connection, from its start to its end or to the cut."""
        async with near:
            if self._is_cut:
                return
            far = await trio.open_tcp_stream("127.0.0.1", self._target_port)
            async with far, trio.open_nursery() as nursery:
                self._open.add(nursery.cancel_scope)
                try:
                    nursery.start_soon(self._forward, near, far, nursery.cancel_scope)
                    await self._forward(far, near, nursery.cancel_scope)
                finally:
                    self._open.discard(nursery.cancel_scope)

    async def _forward(self, source: trio.SocketStream, sink: trio.SocketStream, both: trio.CancelScope) -> None:
        """Bytes in one direction; the end of one direction is the end of both, as with a NAT that forgets."""
        try:
            while chunk := await source.receive_some(CHUNK):
                if not self._is_held:
                    await sink.send_all(chunk)
        except trio.BrokenResourceError:
            pass
        both.cancel()


@asynccontextmanager
async def wire_to(target_port: int) -> AsyncIterator[Wire]:
    """A wire that is up, on a free port."""
    wire = Wire(target_port)
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        wire.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, wire.serve, listeners)
        yield wire
        nursery.cancel_scope.cancel()
