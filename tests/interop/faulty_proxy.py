"""A TCP proxy on 127.0.0.1 that treats its connections badly: cut at any byte, stalled, reset, swallowed."""

from __future__ import annotations

import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from random import Random

import trio

from mqttws.simulation import Direction, Fault, Kind

__all__ = ["ENDINGS", "LOUD", "FaultyProxy", "draw_faults", "proxy_to"]

CHUNK = 65_536

#: How often a connection ends in each way. One that nobody is told of takes a Keep Alive until it is noticed.
ENDINGS = {Kind.RESET: 8, Kind.TRUNCATE: 8, Kind.SILENCE: 1, Kind.VANISH: 1}

#: Those that are noticed at once.
LOUD = {Kind.RESET: 1, Kind.TRUNCATE: 1}


def draw_faults(chance: Random, most_bytes: int, endings: Mapping[Kind, int] = ENDINGS) -> tuple[Fault, ...]:
    """How a connection ends, within its first ``most_bytes``: in the handshakes as well as among the messages.

    One in four stalls before that.
    """
    kind = chance.choices(tuple(endings), tuple(endings.values()))[0]
    ending = Fault(kind, chance.choice(tuple(Direction)), chance.randrange(most_bytes))
    if chance.random() < 0.75:
        return (ending,)
    return Fault(Kind.STALL, chance.choice(tuple(Direction)), chance.randrange(most_bytes), 0.05), ending


class FaultyProxy:
    """Forwards bytes from ``port`` to ``target_port``; each connection gets the faults that ``plan`` gives.

    ``cuts`` counts the faults after which a connection was of no use any more, ``faults`` all by their kind.
    """

    def __init__(self, target_port: int, plan: Callable[[], Sequence[Fault]]) -> None:
        self.port = 0
        self.faults: Counter[Kind] = Counter()
        self._target_port = target_port
        self._plan = plan

    @property
    def cuts(self) -> int:
        """Connections that a fault has ended, for at least one of their ends."""
        return self.faults.total() - self.faults[Kind.STALL]

    async def serve(self, near: trio.SocketStream) -> None:
        """One connection, until both ends have closed it or a fault has."""
        async with near, await trio.open_tcp_stream("127.0.0.1", self._target_port) as far:
            faults = sorted(self._plan(), key=lambda fault: fault.at)
            async with trio.open_nursery() as nursery:
                both = _Connection(near, far, nursery.cancel_scope)
                nursery.start_soon(self._forward, both, near, far, _of(faults, Direction.UP))
                nursery.start_soon(self._forward, both, far, near, _of(faults, Direction.DOWN))

    async def _forward(
        self, both: _Connection, source: trio.SocketStream, sink: trio.SocketStream, faults: deque[Fault]
    ) -> None:
        """Bytes of one direction; a fault happens behind exactly so many of them."""
        carried = 0
        try:
            while chunk := await source.receive_some(CHUNK):
                rest = memoryview(chunk)
                while faults and carried + len(rest) >= faults[0].at:
                    fault = faults.popleft()
                    count = fault.at - carried
                    await both.send(sink, rest[:count])
                    rest = rest[count:]
                    carried += count
                    self.faults[fault.kind] += 1
                    await both.suffer(fault, sink)
                carried += len(rest)
                await both.send(sink, rest)
        except trio.BrokenResourceError:
            pass
        both.scope.cancel()


def _of(faults: Iterable[Fault], direction: Direction) -> deque[Fault]:
    return deque(fault for fault in faults if fault.direction is direction)


class _Connection:
    """The two halves of a proxied connection."""

    def __init__(self, near: trio.SocketStream, far: trio.SocketStream, scope: trio.CancelScope) -> None:
        self.scope = scope
        self._ends = (near, far)
        self._dark: set[trio.SocketStream] = set()

    async def send(self, sink: trio.SocketStream, data: memoryview) -> None:
        """Pass bytes on, unless they are being swallowed."""
        if data and sink not in self._dark:
            await sink.send_all(data)

    async def suffer(self, fault: Fault, sink: trio.SocketStream) -> None:
        """Let a fault happen to what goes to ``sink``."""
        match fault.kind:
            case Kind.STALL:
                await trio.sleep(fault.seconds)
            case Kind.SILENCE:
                self._dark.add(sink)
            case Kind.VANISH:
                self._dark.update(self._ends)
            case Kind.RESET:
                for end in self._ends:
                    end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.scope.cancel()
            case _:
                self.scope.cancel()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def proxy_to(target_port: int, plan: Callable[[], Sequence[Fault]]) -> AsyncIterator[FaultyProxy]:
    """A proxy on a free port, while the block runs."""
    proxy = FaultyProxy(target_port, plan)

    async def serve(near: trio.SocketStream) -> None:
        try:
            await proxy.serve(near)
        except OSError:  # the target is not there, or nobody is any more
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        proxy.port = listeners[0].socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, listeners)
        yield proxy
        nursery.cancel_scope.cancel()
