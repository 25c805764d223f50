"""Plays a script against a Server and sees what it does about it."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import trio

from mqttws.codec import ConnAck, Framer, PingReq, encode
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, FrameReader, close, frame
from mqttws.conformance.wire.target import Target
from mqttws.errors import ConnectionLost, RemoteProtocolError
from mqttws.fuzz.live.referee import Demand, ServerReferee
from mqttws.fuzz.live.script import END, Layer, Script, Step
from mqttws.vocabulary import Role

__all__ = ["Trace", "cut", "pieces_of", "play", "send_pieces", "sent_by"]

#: Seconds in which a Server that owes us nothing may show what it thinks.
QUIET: Final = 0.03
#: Bytes of an HTTP answer, behind which no more of it is kept.
_LARGEST_HEAD: Final = 65_536
#: Lines of a trace that are kept.
_LONGEST_LOG: Final = 200
#: Between two pieces of a step, so that they arrive as such; at most so many of them are slow.
_TRICKLE_SECONDS: Final = 0.0005
_SLOW_PIECES: Final = 400

_PROBE: Final = frame(encode(PingReq()))


@dataclass(slots=True)
class Trace:
    """What one attack has led to.

    ``refused`` is why there was no connection at all. ``closed`` says how the Server has ended it, ``""`` if it has
    not; ``unanswered`` is what did not come although everything was good so far; ``demand`` what the standards ask for;
    ``answered`` whether PINGREQ behind the attack was, None if it was not asked; ``nonsense`` what was wrong with the
    Server's own bytes; ``sent`` all of ours, without the secrets in them.
    """

    refused: str = ""
    status: int | None = None
    connack: ConnAck | None = None
    closed: str = ""
    unanswered: str = ""
    demand: Demand | None = None
    answered: bool | None = None
    nonsense: str = ""
    sent: bytearray = field(default_factory=bytearray)
    log: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Remember what happened next."""
        if len(self.log) < _LONGEST_LOG:
            self.log.append(line)


async def play(script: Script, target: Target, *, patience: float = 5.0) -> Trace:
    """Attack once. Waits at most ``patience`` seconds for each thing that the Server owes."""
    trace = Trace()
    try:
        with trio.fail_after(patience):
            stream = await target.open()
    except (ConnectionLost, trio.TooSlowError) as error:
        trace.refused = str(error) or f"no connection within {patience:g} s"
        return trace
    async with trio.open_nursery() as nursery:
        player = _Player(script, target, stream, trace, patience)
        nursery.start_soon(player.listen)
        await player.perform()
        nursery.cancel_scope.cancel()
    await trio.aclose_forcefully(stream)
    return trace


class _Player:
    """One connection of an attack: a task listens, another one acts."""

    def __init__(self, script: Script, target: Target, stream: trio.abc.Stream, trace: Trace, patience: float) -> None:
        self._script = script
        self._target = target
        self._stream = stream
        self._trace = trace
        self._patience = patience
        self._head = bytearray()
        self._frames = FrameReader()
        self._framer: Framer | None = Framer(script.version, sender=Role.SERVER)
        self._seen: Counter[str] = Counter()
        self._awaited: Counter[str] = Counter()
        self._changed = trio.Event()

    # -- what the Server says ---------------------------------------------------------------------------------------

    async def listen(self) -> None:
        """Take in whatever comes."""
        try:
            while data := await self._stream.receive_some(65_536):
                self._take(bytes(data))
                self._change()
            how = "the end of the stream"
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            how = "a reset"
        self._close(how)

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _close(self, how: str) -> None:
        self._trace.closed = self._trace.closed or how
        self._trace.note(f"< {how}")
        self._change()

    def _take(self, data: bytes) -> None:
        if self._trace.status is None:
            data = self._take_head(data)
        if self._trace.status == 101:
            for found in self._frames.receive(data):
                if found.opcode == CLOSE:
                    self._close(f"a Close frame with {found.close_code}")
                elif found.opcode in (BINARY, CONTINUATION):
                    self._take_packets(found.payload)

    def _take_head(self, data: bytes) -> bytes:
        """The status of the answer, and what stands behind its head."""
        if len(self._head) < _LARGEST_HEAD:
            self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            return b""
        status = head[9:12]
        self._trace.status = int(status) if status.isdigit() else 0
        self._trace.note(f"< HTTP {self._trace.status}")
        if self._trace.status == 101:
            self._seen["101"] = 1
        else:
            self._close(f"HTTP {self._trace.status}")
        return rest

    def _take_packets(self, data: bytes) -> None:
        if self._framer is None:
            return
        self._framer.receive_data(data)
        try:
            for packet in self._framer.packets():
                name = packet.packet_type.name
                self._seen[name] += 1
                code = getattr(packet, "reason_code", None)
                self._trace.note(f"< {name}" + (f" 0x{code:02X}" if code is not None else ""))
                if isinstance(packet, ConnAck):
                    self._trace.connack = self._trace.connack or packet
        except RemoteProtocolError as error:
            self._framer = None
            self._trace.nonsense = str(error)

    def _good(self) -> list[Step]:
        """The steps before anything is wrong."""
        steps = self._script.steps
        spoiled = self._script.spoiled
        return steps if spoiled is None else steps[: steps.index(spoiled)]

    # -- what we do -------------------------------------------------------------------------------------------------

    async def perform(self) -> None:
        """All steps, then a look at what they have done."""
        good = len(self._good())
        for number, step in enumerate(self._script.steps):
            if self._trace.closed:
                break
            self._trace.note(f"> {step.note}")
            if not await self._send(step):
                break
            if step.then:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await cut(self._stream, step.then)
                await self._until(lambda: False, QUIET)
                return
            if step.awaits and (number < good or step.awaits == "101") and not await self._answered(step.awaits):
                return
        await self._observe()

    async def _answered(self, name: str) -> bool:
        """Whether what a good step asks for comes."""
        self._awaited[name] += 1
        wanted = self._awaited[name]
        if await self._until(lambda: self._seen[name] >= wanted or bool(self._trace.nonsense)):
            return not self._trace.nonsense
        if not self._trace.closed:
            self._trace.unanswered = name
        return False

    async def _send(self, step: Step) -> bool:
        """Whether the Server has taken it."""
        filled = step
        if step.layer is Layer.HTTP:
            self._trace.sent += self._target.fill_safely(step.data)
            filled = replace(step, data=self._target.fill(step.data))
        else:
            self._trace.sent += b"".join(pieces_of(step))
        try:
            with trio.move_on_after(self._patience) as scope:
                await send_pieces(self._stream, pieces_of(filled))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            await self._until(lambda: False)  # the listener hears why
            return False
        if scope.cancelled_caught:
            self._trace.note("> the Server takes no more bytes")
        return not scope.cancelled_caught

    async def _until(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait for something, or for the connection's end; whether it has come."""
        with trio.move_on_after(self._patience if seconds is None else seconds):
            while not done() and not self._trace.closed:
                await self._changed.wait()
        return done()

    async def _observe(self) -> None:
        """Give the Server the time to do what it has to; ask it for a sign of life where it may still give one."""
        trace = self._trace
        referee = ServerReferee(trace.connack)
        sent = bytes(trace.sent)
        referee.receive(sent)
        debatable = any(step.debatable for step in self._script.steps)
        # Whoever has read no whole head may wait for the rest of it.
        if referee.demand is not None and not debatable and b"\r\n\r\n" in sent:
            trace.demand = referee.demand
        owed = referee.pings + 1
        if trace.demand is None and not referee.over:
            referee.receive(_PROBE)
        if trace.demand is not None or referee.pings == owed:
            await self._probe(owed)
        else:
            await self._until(lambda: False, QUIET)
        await self._say_goodbye()
        if referee.version != self._script.version:
            trace.nonsense = ""  # it may have answered in the version that a spoiled CONNECT seemed to ask for

    async def _probe(self, owed: int) -> None:
        """Ask for PINGRESP, or wait for the end of a connection on which there can be none."""
        trace = self._trace
        if trace.status != 101:
            await self._until(lambda: trace.status == 101)
            trace.answered = trace.status == 101
            return
        if self._framer is not None and await self._send(Step("", _PROBE, Layer.WIRE)):
            trace.answered = await self._until(lambda: self._seen["PINGRESP"] >= owed)

    async def _say_goodbye(self) -> None:
        if not self._trace.closed:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(QUIET):
                await self._stream.send_all(close(1000))


def pieces_of(step: Step, *, masked: bool = True) -> list[bytes]:
    """What is written for a step whose HTTP places are filled in, write by write."""
    size = step.pieces or len(step.data) or 1
    parts = [step.data[start : start + size] for start in range(0, len(step.data), size)]
    if step.layer is Layer.MQTT:
        parts = [frame(part, masked=masked) for part in parts]
    return parts * step.times if step.pieces else [b"".join(parts) * step.times]


def sent_by(script: Script, target: Target) -> bytes:
    """What a script sends if it is let, without the secrets in it."""
    return b"".join(
        target.fill_safely(step.data) if step.layer is Layer.HTTP else b"".join(pieces_of(step))
        for step in script.steps
    )


async def send_pieces(stream: trio.abc.Stream, pieces: list[bytes]) -> None:
    """Write one after the other, with a breath between the first few hundred. Raises what the stream raises."""
    for number, piece in enumerate(pieces):
        if 0 < number < _SLOW_PIECES:
            await trio.sleep(_TRICKLE_SECONDS)
        await stream.send_all(piece)


async def cut(stream: trio.abc.Stream, how: str) -> None:
    """End the connection under everything: with FIN, after which we still read, or with RST."""
    if isinstance(stream, trio.SocketStream):
        if how == END:
            await stream.send_eof()
            return
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(stream)
