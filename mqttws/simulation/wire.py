"""A connection in memory that misbehaves as planned: two trio streams with faults between them."""

from __future__ import annotations

import math
import operator
from collections import deque
from typing import Final

import trio

from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan

__all__ = ["FaultyStream", "Wire"]

#: So many reads of each direction return no more than the plan's ``chunk``. Enough for the Server's handshake and the
#: first packets byte by byte; to read a large payload like that would take seconds of real time and show nothing new.
SMALL_READS: Final = 300
#: What a read returns at most otherwise, in bytes.
WHOLE: Final = 65_536


class Wire:
    """Two ends, ``client`` and ``server``, and the faults of a :class:`WirePlan` between them.

    Both behave as :class:`trio.SocketStream` does: bounded buffers, :class:`trio.BrokenResourceError` after a reset,
    ``b""`` at the end. Nothing here draws chance or looks at a clock other than trio's.
    """

    def __init__(self, plan: WirePlan | None = None) -> None:
        plan = plan if plan is not None else WirePlan()
        self._lanes = {direction: _Lane(plan, direction) for direction in Direction}
        up, down = self._lanes[Direction.UP], self._lanes[Direction.DOWN]
        self.client = FaultyStream(self, outbound=up, inbound=down)
        self.server = FaultyStream(self, outbound=down, inbound=up)

    @property
    def over(self) -> bool:
        """Whether nothing can pass in either direction any more."""
        return all(lane.broken or lane.ended or lane.dark for lane in self._lanes.values())

    def strike(self, fault: Fault, now: float) -> None:
        """Let a fault happen now, wherever the wire is."""
        lane = self._lanes[fault.direction]
        match fault.kind:
            case Kind.RESET:
                for each in self._lanes.values():
                    each.break_()
            case Kind.TRUNCATE:
                lane.end()
                lane.refuse()
                self._lanes[_OTHER[fault.direction]].refuse()
            case Kind.STALL:
                lane.stall(now + fault.seconds)
            case Kind.SLOW:
                lane.latency = fault.seconds
            case Kind.SILENCE:
                lane.go_dark()
            case Kind.VANISH:
                for each in self._lanes.values():
                    each.go_dark()

    def calm(self) -> None:
        """Forget the faults that have not happened yet."""
        for lane in self._lanes.values():
            lane.faults.clear()

    def closed(self, inbound: _Lane, outbound: _Lane) -> None:
        """One end has closed: the other one reads to the end, and what it sends is answered with a reset."""
        outbound.end()
        if not outbound.dark:  # else nobody hears of it, and the other end's bytes go nowhere
            inbound.refuse()
        inbound.forget()
        outbound.wake()


_OTHER = {Direction.UP: Direction.DOWN, Direction.DOWN: Direction.UP}


class _Lane:
    """One direction of a wire: bytes on their way, each piece with the moment of its arrival."""

    __slots__ = ("_capacity", "_carried", "_open_from", "_size", "_small_reads", "_waiting", "_way", "broken", "chunk",
                 "dark", "direction", "ended", "faults", "latency", "refused")  # fmt: skip

    def __init__(self, plan: WirePlan, direction: Direction) -> None:
        self.direction = direction
        self.latency = plan.latency
        self.chunk = plan.chunk
        #: No bytes come any more: the reader finds the end behind what is on its way.
        self.ended = False
        #: The writer cannot send any more.
        self.refused = False
        self.broken = False
        self.dark = False
        self._capacity = plan.capacity
        self._small_reads = SMALL_READS
        #: Those to come, by their byte.
        self.faults = deque(
            sorted((fault for fault in plan.faults if fault.direction is direction), key=lambda fault: fault.at)
        )
        self._carried = 0
        self._way: deque[tuple[float, bytes]] = deque()
        self._size = 0
        self._open_from = -math.inf
        self._waiting = trio.lowlevel.ParkingLot()

    # -- the writer's side --------------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Bytes that the writer may send now."""
        return self._capacity - self._size

    def put(self, data: bytes, now: float) -> Fault | None:
        """Send bytes on their way, as far as the next fault, which is returned and has not happened yet."""
        self._carried += len(data)
        self._size += len(data)
        if data and not self.dark:
            last = self._way[-1][0] if self._way else -math.inf
            self._way.append((max(now + self.latency, self._open_from, last), data))
            self._waiting.unpark_all()
        return self.due()

    def due(self) -> Fault | None:
        """The fault whose byte has been reached, taken out."""
        if self.faults and self.faults[0].at <= self._carried:
            return self.faults.popleft()
        return None

    def until_fault(self) -> int:
        """Bytes that can pass before the next fault."""
        return self.faults[0].at - self._carried if self.faults else 1 << 60

    # -- the reader's side --------------------------------------------------------------------------------------------

    @property
    def arrival(self) -> float:
        """When the next bytes can be read; infinity if none are on their way."""
        return self._way[0][0] if self._way else math.inf

    def take(self, most: int, now: float) -> bytes:
        """What has arrived, at least one byte."""
        if self._small_reads:
            self._small_reads -= 1
            most = min(most, self.chunk)
        taken: list[bytes] = []
        while most and self._way and self._way[0][0] <= now:
            arrival, data = self._way.popleft()
            if len(data) > most:
                self._way.appendleft((arrival, data[most:]))
                data = data[:most]
            taken.append(data)
            most -= len(data)
        whole = b"".join(taken)
        self._size -= len(whole)
        self._waiting.unpark_all()
        return whole

    def wake(self) -> None:
        """Let both sides look again."""
        self._waiting.unpark_all()

    async def changed(self) -> None:
        """Wait until something else is true of this direction."""
        await self._waiting.park()

    # -- what happens to it -------------------------------------------------------------------------------------------

    def end(self) -> None:
        """No bytes come any more."""
        if not self.dark:
            self.ended = True
            self._waiting.unpark_all()

    def refuse(self) -> None:
        """Whoever sends here is told that nobody reads."""
        self.refused = True
        self._waiting.unpark_all()

    def break_(self) -> None:
        """Both sides learn that the connection is gone, unless the news cannot reach them."""
        if not self.dark:
            self.broken = True
            self.forget()

    def go_dark(self) -> None:
        """Swallow everything from now on, and what is on its way."""
        self.dark = True
        self._way.clear()

    def stall(self, until: float) -> None:
        """Let nothing arrive before ``until``."""
        self._open_from = max(self._open_from, until)
        self._way = deque((max(arrival, until), data) for arrival, data in self._way)

    def forget(self) -> None:
        """Nobody will read what is on its way."""
        self._way.clear()
        self._waiting.unpark_all()


class FaultyStream(trio.abc.Stream):
    """One end of a :class:`Wire`."""

    def __init__(self, wire: Wire, *, outbound: _Lane, inbound: _Lane) -> None:
        self._wire = wire
        self._out = outbound
        self._in = inbound
        self._closed = False
        self._sending = _Alone("send")
        self._receiving = _Alone("receive")

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything, waiting while the buffer is full. Cancelled, any part of it may have left."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            rest = memoryview(data)
            while rest:
                self._check_sending()
                if self._out.room <= 0:
                    await self._out.changed()
                else:
                    rest = self._send(rest)
            self._check_sending()

    def _send(self, data: memoryview) -> memoryview:
        """Send what fits before the next fault, let that happen, and return the rest."""
        now = trio.current_time()
        count = min(self._out.room, self._out.until_fault())
        fault = self._out.put(bytes(data[:count]), now)
        while fault is not None:
            self._wire.strike(fault, now)
            fault = self._out.due()
        return data[count:]

    def _check_sending(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this end was closed")
        if self._out.broken or self._out.refused:
            raise trio.BrokenResourceError("the connection is gone")

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there is room, or nothing to wait for any more."""
        with self._sending:
            await trio.lowlevel.checkpoint()
            self._check_sending()
            while self._out.room <= 0:
                await self._out.changed()
                self._check_sending()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """What has arrived, at most ``max_bytes`` and the plan's ``chunk``; ``b""`` at the end."""
        most = WHOLE if max_bytes is None else operator.index(max_bytes)
        if most < 1:
            raise ValueError("max_bytes is at least 1")
        with self._receiving:
            await trio.lowlevel.checkpoint()
            lane = self._in
            while True:
                if self._closed:
                    raise trio.ClosedResourceError("this end was closed")
                if lane.broken:
                    raise trio.BrokenResourceError("the connection is gone")
                if lane.arrival <= trio.current_time():
                    return lane.take(most, trio.current_time())
                if lane.ended and lane.arrival == math.inf:
                    return b""
                with trio.move_on_at(lane.arrival):
                    await lane.changed()

    async def aclose(self) -> None:
        """Close this end; what was sent still arrives."""
        if not self._closed:
            self._closed = True
            self._wire.closed(self._in, self._out)
        await trio.lowlevel.checkpoint()


class _Alone:
    """One task at a time, as with every stream of trio's."""

    __slots__ = ("_busy", "_what")

    def __init__(self, what: str) -> None:
        self._what = what
        self._busy = False

    def __enter__(self) -> None:
        if self._busy:
            raise trio.BusyResourceError(f"another task is about to {self._what} here")
        self._busy = True

    def __exit__(self, *raised: object) -> None:
        self._busy = False
