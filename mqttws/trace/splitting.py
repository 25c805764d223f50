"""One direction of a wire, cut into what it is made of while it passes: HTTP heads, frames, Control Packets.

Nothing is judged here and nothing is refused. Each :class:`Unit` knows where on the wire its bytes were and with which
key they were masked, so that whoever finds a secret in a packet can cover it on the wire.
"""

from __future__ import annotations

from typing import Final

from mqttws.trace.packet_stream import PacketStream
from mqttws.trace.units import Kind, Span, Unit
from mqttws.vocabulary import ProtocolVersion
from mqttws.websocket import mask

__all__ = ["HOLD", "Splitter"]

#: Bytes of an HTTP head; what is longer is no head of ours.
_LONGEST_HEAD: Final = 65_536
#: Bytes that an unfinished unit may hold back; what is longer is given out in parts.
HOLD: Final = 65_536
_CONTINUATION, _BINARY, _CONTROL = 0, 2, 8
#: Bytes of the length that follows, by the length in the second byte.
_WIDTHS: Final = {126: 2, 127: 8}


class Splitter:
    """Feed :meth:`feed` with a direction from its first byte on, or from the beginning of a frame (``in_frames``).

    What is unfinished is held, at most ``hold`` bytes of a packet, frame or head.
    """

    def __init__(self, *, in_frames: bool = False, version: int = 5, hold: int = HOLD, start: int = 0) -> None:
        #: Bytes of the direction so far.
        self.offset = start
        self._hold = hold
        self._stage = self._header if in_frames else self._head
        self._held = bytearray()  # of a head, of a frame's header or of a control frame
        self._began = start  # where what is held, or the frame, began
        self._frame = _Frame()
        self._binary = False  # the message under way is a binary one
        self._unfinished = False  # and goes on in another frame
        #: Where the first frame has ended, of those that the last bytes completed, behind which reading may begin.
        self.step: int | None = None
        self._packets = PacketStream(ProtocolVersion(version), hold)

    @property
    def version(self) -> ProtocolVersion:
        """Of the packets: what CONNECT says, which may stand in the other direction."""
        return self._packets.version

    @version.setter
    def version(self, version: ProtocolVersion) -> None:
        self._packets.version = version

    @property
    def settled(self) -> int:
        """Everything before this offset has been given out, or is no content."""
        held = [self.offset] if self._packets.began is None else [self._packets.began]
        if self._held and self._stage in (self._head, self._body):
            held.append(self._began)
        elif self._held and self._stage == self._payload:
            held.append(self._frame.payload)
        return min(held)

    @property
    def in_step(self) -> bool:
        """Whether the next byte begins a frame that begins a message that begins a packet."""
        between = self._stage == self._header and not self._held
        return between and not self._unfinished and self._packets.in_step

    def feed(self, data: bytes) -> list[Unit]:
        """What these bytes complete, in order."""
        units: list[Unit] = []
        self.step = None
        position = 0
        while position < len(data):
            taken = self._stage(data[position:] if position else data, units)
            position += taken
            self.offset += taken
        return units

    def end(self) -> list[Unit]:
        """What is held, cut off by the direction's end."""
        units = []
        if self._held and self._stage == self._head:
            units.append(self._unit(Kind.HEAD, bytes(self._held), self._began, finished=False))
        elif self._held and self._stage == self._body:
            units.append(self._unit(Kind.BODY, bytes(self._held), self._began))
        elif self._held and self._stage == self._payload:
            units.append(self._frame.control(bytes(self._held), finished=False))
        self._held.clear()
        return [*units, *self._packets.end()]

    def _unit(self, kind: Kind, data: bytes, start: int, *, finished: bool = True) -> Unit:
        return Unit(kind, data, [Span(start, len(data))], data[0], finished=finished)

    # -- HTTP ---------------------------------------------------------------------------------------------------------

    def _head(self, data: bytes, units: list[Unit]) -> int:
        """An HTTP head begins with a capital letter, which no frame does; its end decides what comes behind it."""
        if not self._held:
            self._began = self.offset
            if not 0x41 <= data[0] <= 0x5A:
                self._stage = self._unknown
                return 0
        known = len(self._held)
        self._held += data
        end = self._held.find(b"\r\n\r\n", max(0, known - 3))
        if end < 0:
            if len(self._held) > _LONGEST_HEAD:
                units.append(self._unit(Kind.UNKNOWN, bytes(self._held), self._began))
                self._held.clear()
                self._stage = self._unknown
            return len(data)
        head = bytes(self._held[: end + 4])
        self._held.clear()
        units.append(self._unit(Kind.HEAD, head, self._began))
        status = head[9:12] if head.startswith(b"HTTP/") else b"101"
        if status == b"101":
            self._stage = self._header
        elif not status.startswith(b"1"):
            self._stage = self._body
        return len(head) - known

    def _body(self, data: bytes, units: list[Unit]) -> int:
        """A refusal may repeat a token that the request had, so it is held until it ends."""
        if not self._held:
            self._began = self.offset
        self._held += data
        if len(self._held) > self._hold:
            units.append(self._unit(Kind.BODY, bytes(self._held), self._began))
            self._held.clear()
        return len(data)

    def _unknown(self, data: bytes, units: list[Unit]) -> int:
        units.append(self._unit(Kind.UNKNOWN, data, self.offset))
        return len(data)

    # -- frames -------------------------------------------------------------------------------------------------------

    def _header(self, data: bytes, units: list[Unit]) -> int:
        """Collect a frame's header (RFC 6455, 5.2)."""
        if not self._held:
            self._began = self.offset
        known = len(self._held)
        self._held += data[: 14 - known]
        size = _header_size(self._held)
        if len(self._held) < size:
            return len(self._held) - known
        frame = self._frame = _Frame(bytes(self._held[:size]), self._began)
        self._held.clear()
        if frame.opcode < _CONTROL:
            self._unfinished = frame.first < 0x80
            if frame.opcode != _CONTINUATION:
                self._binary = frame.opcode == _BINARY
        self._stage = self._payload
        if not frame.left:
            self._end_frame(units)
        return size - known

    def _payload(self, data: bytes, units: list[Unit]) -> int:
        frame = self._frame
        taken, span = frame.take(data, self.offset)
        if frame.opcode >= _CONTROL:
            self._held += taken
            if len(self._held) > self._hold:
                units.append(Unit(Kind.UNKNOWN, taken, [span], taken[0]))
                self._held.clear()
        elif self._binary:
            units += self._packets.feed(taken, span)
        else:
            units.append(Unit(Kind.TEXT, taken, [span], taken[0]))
        if not frame.left:
            self._end_frame(units)
        return len(taken)

    def _end_frame(self, units: list[Unit]) -> None:
        frame = self._frame
        if frame.opcode >= _CONTROL and self._held:
            units.append(frame.control(bytes(self._held)))
        self._held.clear()
        stop = frame.payload + frame.size
        units.append(Unit(Kind.FRAME, b"", [Span(frame.start, stop - frame.start)], frame.first))
        self._stage = self._header
        if self.step is None and self.in_step:
            self.step = stop


def _header_size(header: bytearray) -> int:
    """How long a frame's header is, as far as its first two bytes tell."""
    if len(header) < 2:
        return 2
    return 2 + _WIDTHS.get(header[1] & 0x7F, 0) + (4 if header[1] & 0x80 else 0)


class _Frame:
    """The frame whose payload comes: ``left`` bytes of it are still to come."""

    __slots__ = ("first", "key", "left", "payload", "size", "start")

    def __init__(self, header: bytes = b"\0\0", start: int = 0) -> None:
        self.first = header[0]
        self.start = start
        self.payload = start + len(header)
        self.key = header[-4:] if header[1] & 0x80 else b""
        width = _WIDTHS.get(header[1] & 0x7F)
        self.size = header[1] & 0x7F if width is None else int.from_bytes(header[2 : 2 + width], "big")
        self.left = self.size

    @property
    def opcode(self) -> int:
        """What the payload is."""
        return self.first & 0x0F

    def take(self, data: bytes, offset: int) -> tuple[bytes, Span]:
        """What of ``data`` belongs to this frame, unmasked, and where it is."""
        piece = data[: self.left]
        turn = (self.size - self.left) % 4
        key = self.key[turn:] + self.key[:turn]
        self.left -= len(piece)
        return (mask(key, piece) if key else piece), Span(offset, len(piece), key)

    def control(self, payload: bytes, *, finished: bool = True) -> Unit:
        """The content of a control frame."""
        span = Span(self.payload, len(payload), self.key)
        return Unit(Kind.CONTROL, payload, [span], self.first, finished=finished)
