"""One connection to a subject, as either end: packets and frames out as a check wants them, packets in as they come.

Nothing is read but when somebody waits for it, so a check is a straight line, and several connections may be used by
turns. Each packet that comes is judged by the :class:`~mqttws.conformance.watch.Watch`; a broken one in the way of a
check makes that check inconclusive.
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

import trio

from mqttws.codec import Checks, Disconnect, Framer, Packet, PingReq, PingResp, Publish, RawPacket, decode, encode
from mqttws.conformance.verdict import Broken, Failed, Inconclusive
from mqttws.conformance.watch import UNNUMBERED, Watch
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, FrameReader, frame
from mqttws.conformance.wire.frames import close as close_frame
from mqttws.errors import RemoteProtocolError
from mqttws.trace import Recorder
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["Ended", "Ending", "Missing", "Peer", "Sendable"]

#: What :meth:`Peer.send` takes: packets, wrong packets, and bytes that are none.
Sendable: TypeAlias = Packet | RawPacket | bytes
_P = TypeVar("_P", bound=Packet)
#: Times its patience a subject has to end a connection, as long as it gives no sign of going on.
_SLOW: Final = 4
#: Seconds of that, unless its patience is longer.
_LONGEST: Final = 15.0
#: Packets and control frames of a subject that are kept, and bytes that are read; a check that waits for something
#: among more than these floods itself.
_MOST_PACKETS: Final = 100_000
_MOST_BYTES: Final = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Ending:
    """How the subject has ended a connection: ``close`` (a Close frame), ``eof`` or ``reset``."""

    how: str
    code: int | None = None

    def __str__(self) -> str:
        if self.how == "close":
            return "a Close frame" + ("" if self.code is None else f" with {self.code}")
        return "the end of the stream" if self.how == "eof" else "a reset"


class Ended(Failed):
    """The connection has ended where something was owed."""

    def __init__(self, wanted: str, ending: Ending, disconnect: Disconnect | None = None) -> None:
        code = "" if disconnect is None else f" behind DISCONNECT 0x{disconnect.reason_code:02X}"
        super().__init__(f"{ending}{code} came where {wanted} was owed")
        self.ending = ending


class Missing(Failed):
    """Something owed has not come in time."""


class Peer:
    """Made by a probe. ``role`` is ours; ``patience`` are the seconds that something owed may take.

    ``version`` is that of what we send and read; as a Server it is None until the Client's CONNECT has come.
    """

    def __init__(
        self,
        stream: trio.abc.Stream,
        role: Role,
        version: ProtocolVersion | None,
        *,
        patience: float,
        watch: Watch,
        recorder: Recorder,
        rest: bytes = b"",
    ) -> None:
        self.role = role
        self.patience = patience
        #: All packets that have come, in order, those of :attr:`aside` included.
        self.arrived: list[Packet] = []
        #: Packets that came while another one was waited for.
        self.aside: list[Packet] = []
        #: The DISCONNECT that has come, if one has.
        self.disconnect: Disconnect | None = None
        #: How the subject has ended the connection; None as long as it has not.
        self.ending: Ending | None = None
        #: Packets that have come and break a rule by themselves.
        self.broken: list[RawPacket] = []
        #: Frames that have come and are no part of MQTT: Ping, Pong.
        self.control: list[Frame] = []
        #: Whether the answers to Ping and Close come by themselves.
        self.answers = True
        #: Whether what the subject sends is held against it: not where it cannot know which version is spoken.
        self.judges = True
        self._stream = stream
        self._watch = watch
        self._recorder = recorder
        self._frames = FrameReader()
        self._framer = Framer(version, sender=role.peer)
        self._version = version
        self._ready: deque[Packet | RawPacket] = deque()
        self._closed = False
        self._lost: RemoteProtocolError | None = None  # a fault behind which nothing can be read
        self._rest = rest
        self._received = 0  # bytes

    @property
    def version(self) -> ProtocolVersion:
        """The version spoken; 5.0 as long as nobody has said."""
        return self._version or self._framer.version or ProtocolVersion.V5

    # -- out --------------------------------------------------------------------------------------------------------

    async def send(self, *items: Sendable) -> None:
        """Send packets in one binary message. What the subject no longer takes is no fault of its own."""
        await self.send_wire(frame(self.bytes_of(*items), masked=self.role is Role.CLIENT))

    async def send_each(self, *items: Sendable) -> None:
        """Send packets, each in a binary message, in one piece."""
        masked = self.role is Role.CLIENT
        await self.send_wire(b"".join(frame(self.bytes_of(item), masked=masked) for item in items))

    async def send_frame(self, payload: bytes = b"", opcode: int = BINARY, **fields: Any) -> None:
        """Send one frame; ``fields`` as in :func:`~mqttws.conformance.wire.frames.frame`."""
        await self.send_wire(frame(payload, opcode, **{"masked": self.role is Role.CLIENT} | fields))

    async def send_wire(self, data: bytes) -> None:
        """Send bytes as they are."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(self.patience):
            await self._stream.send_all(data)

    def bytes_of(self, *items: Sendable) -> bytes:
        """Packets as bytes, in this connection's version."""
        version = self.version
        return b"".join(item if isinstance(item, bytes) else encode(item, version) for item in items)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def receive(self, wanted: str = "a packet", *, within: float | None = None) -> Packet:
        """The next packet.

        Raises :class:`Ended` or :class:`Missing`, or :class:`Broken` for a packet that breaks a rule by itself.
        """
        found = await self._next(trio.current_time() + (self.patience if within is None else within))
        if found is None:
            if self.ending is not None:
                raise Ended(wanted, self.ending, self.disconnect)
            raise Missing(f"{wanted} has not come within {self.patience if within is None else within:g} s")
        if isinstance(found, RawPacket):
            raise self.broken_by(found, wanted)
        return found

    def broken_by(self, found: RawPacket, wanted: str) -> Broken:
        """What to raise for a packet that breaks a rule by itself in the place of another one."""
        kind = "a packet of reserved type" if found.packet_type is None else found.packet_type.name
        fault = self._fault_of(found)
        rule = None if fault is None else fault.statement
        return Broken(f"it sent {kind} that breaks a rule by itself, where {wanted} was owed: {fault}", rule)

    async def expect(
        self,
        kind: type[_P],
        *,
        aside: Sequence[type[Packet]] = (Publish,),
        where: Callable[[_P], bool] | None = None,
        within: float | None = None,
    ) -> _P:
        """The next packet of that kind, ``where`` that holds; packets ``aside`` may come before and are kept.

        Raises :class:`Failed` for another one, as :meth:`receive` does for none.
        """
        wanted = _name(kind)
        while True:
            found = await self.receive(wanted, within=within)
            if isinstance(found, kind) and (where is None or where(found)):
                return found
            if not isinstance(found, tuple(aside)):
                raise await self.another(found, wanted)
            self.aside.append(found)

    async def another(self, found: Packet, wanted: str) -> Failed:
        """What to raise for a packet that has come in the place of another one."""
        return Failed(f"{_name(type(found))} came where {wanted} was owed")

    async def fence(self) -> list[Packet]:
        """Client only: what has come before the answer to a PINGREQ, and with it everything that was caused before.

        A Server takes packets in order; what it has not sent when it answers this one, it has not sent because of what
        stood before. Packets :attr:`aside` are given out, too.
        """
        await self.send(PingReq())
        before, self.aside = self.aside, []
        while not isinstance(found := await self.receive("PINGRESP"), PingResp):
            before.append(found)
        return before

    async def end(self, *, within: float | None = None) -> Ending | None:
        """Read up to the end of the connection; None if the subject does not end it in time."""
        deadline = trio.current_time() + (self.patience if within is None else within)
        while (found := await self._next(deadline)) is not None:
            if not isinstance(found, RawPacket):
                self.aside.append(found)
        return self.ending

    async def must_end(
        self,
        why: str,
        *,
        probe: Sendable | None = None,
        sign: type[Packet] = PingResp,
        within: float | None = None,
    ) -> Ending:
        """The subject has to end the connection now; ``why`` says in words what was wrong ("behind …").

        Unless it has done so, it is asked for a ``sign`` of life by ``probe`` (a Client's default: PINGREQ). Raises
        :class:`Failed` if it gives that and goes on, or does neither ``within`` some seconds, else longer than usual.
        """
        if probe is None and self.role is Role.CLIENT:
            probe = PingReq()
        if probe is not None and self.ending is None:
            await self.send(probe)
        if within is None:
            within = min(_SLOW * self.patience, max(_LONGEST, self.patience))
        deadline = trio.current_time() + within
        alive = False
        while (found := await self._next(deadline)) is not None:
            if isinstance(found, sign) and not alive:
                alive = True  # what it does may come a little later, if it works on packets side by side
                deadline = min(deadline, trio.current_time() + self.patience / 4)
        if self.ending is not None:
            return self.ending
        if alive:
            raise Failed(f"it goes on {why}: {_name(sign)} was answered, and the connection stays open")
        raise Failed(f"it does not end the connection {why}")

    async def _next(self, deadline: float) -> Packet | RawPacket | None:
        """The next packet, None if the connection has ended or it does not come in time."""
        while True:
            if self._ready:
                return self._ready.popleft()
            if self._lost:
                raise Broken(f"what it sends can no longer be read: {self._lost}", self._lost.statement)
            if self.ending is not None or self._has_sent_too_much:
                return None
            if self._rest:
                data, self._rest = self._rest, b""
            else:
                received = await self._read(deadline)
                if received is None:
                    return None
                data = received
            await self._take(data)

    @property
    def _has_sent_too_much(self) -> bool:
        kept = len(self.arrived) + len(self.broken) + len(self.control)
        return kept > _MOST_PACKETS or self._received > _MOST_BYTES

    async def _read(self, deadline: float) -> bytes | None:
        with trio.move_on_at(deadline):
            try:
                data = bytes(await self._stream.receive_some(65_536))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                self.ending = Ending("reset")
                return None
            if not data:
                self.ending = Ending("eof")
                return None
            return data
        return None

    async def _take(self, data: bytes) -> None:
        self._received += len(data)
        for found in self._frames.receive(data):
            self._judge(found)
            if found.opcode == CLOSE:
                self.ending = Ending("close", found.close_code)
                if self.answers and not self._closed:
                    await self.send_frame(found.payload, CLOSE)
                return
            if found.opcode in (PING, PONG):
                self.control.append(found)
                if found.opcode == PING and self.answers:
                    await self.send_frame(found.payload, PONG)
            else:
                self._take_packets(found.payload)

    def _take_packets(self, data: bytes) -> None:
        self._framer.receive_data(data)
        try:
            for packet in self._framer.packets(Checks.LENIENT):
                if isinstance(packet, RawPacket):
                    self.broken.append(packet)
                    self._hold_against(packet)
                else:
                    self.arrived.append(packet)
                    if self.judges:
                        self._watch.packet(self.version, packet)
                    if isinstance(packet, Disconnect):
                        self.disconnect = packet
                self._ready.append(packet)
        except RemoteProtocolError as error:
            self._report(error)
            self._lost = error

    def _hold_against(self, packet: RawPacket) -> None:
        if self._framer.expect_connect:
            if self.judges:
                for version in ProtocolVersion:  # nobody has said which one it is
                    message = "the first packet is not a CONNECT"
                    self._watch.fault(version, "MQTT-3.1.0-1", message, self._recorder)
            return
        if (fault := self._fault_of(packet)) is not None:
            self._report(fault)

    def _fault_of(self, packet: RawPacket) -> RemoteProtocolError | None:
        """What is wrong with a packet, if it is not merely in the wrong place."""
        try:
            decode(encode(packet), self.version, sender=self.role.peer)
        except RemoteProtocolError as error:
            return error
        return None

    def _report(self, error: RemoteProtocolError) -> None:
        if self.judges:
            rule = error.statement or UNNUMBERED
            self._watch.fault(self.version, rule, str(error), self._recorder)

    def _judge(self, found: Frame) -> None:
        """Rules that a frame can break by itself."""
        if not self.judges:
            return
        self._watch.frame(self.version)
        faults = []
        if found.masked is not (self.role is Role.SERVER):
            faults.append(("RFC 6455, 5.1", "a frame that is " + ("masked" if found.masked else "not masked")))
        if found.reserved:
            faults.append(("RFC 6455, 5.2", "reserved bits are set without an extension"))
        if found.opcode == TEXT:
            faults.append(("MQTT-6.0.0-1", "Control Packets in a text frame"))
        if found.opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            faults.append(("RFC 6455, 5.2", f"a frame with the reserved opcode {found.opcode}"))
        if found.opcode >= CLOSE and (not found.fin or len(found.payload) > 125):
            faults.append(("RFC 6455, 5.5", "a control frame that is split or too long"))
        for rule, message in faults:
            self._watch.fault(self.version, rule, message, self._recorder)

    # -- the end ----------------------------------------------------------------------------------------------------

    async def close(self, code: int | None = 1000) -> None:
        """End the connection by a Close frame, as one should, and wait a little for the answer."""
        if self.ending is None:
            self._closed = True  # it is said once
            await self.send_wire(close_frame(code, masked=self.role is Role.CLIENT))
            with suppress(Inconclusive):
                await self.end(within=min(1.0, self.patience))
        await trio.aclose_forcefully(self._stream)

    async def drop(self) -> None:
        """End the connection without a word: the end of the stream, nothing before it."""
        await trio.aclose_forcefully(self._stream)

    async def reset(self) -> None:
        """End it by a reset, where there is a socket below; else as :meth:`drop` does."""
        stream: Any = self._stream
        while hasattr(stream, "transport_stream"):
            stream = stream.transport_stream
        if isinstance(stream, trio.SocketStream):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await trio.aclose_forcefully(self._stream)


def _name(kind: type[Any]) -> str:
    return str(kind.__name__).upper()
