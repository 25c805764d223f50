"""The Control Packets in a direction, whatever the borders of the messages that carry them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from mqttws.codec.dispatch import read_header
from mqttws.errors import MalformedPacket
from mqttws.trace.units import Kind, Span, Unit
from mqttws.vocabulary import PacketType, ProtocolVersion

__all__ = ["PacketStream"]

#: From Protocol Name to level, as far as it tells the version.
_V3_1_1: Final = b"\0\4MQTT\4"


class PacketStream:
    """Takes the content of binary messages; at most ``hold`` bytes of an unfinished packet are held."""

    def __init__(self, version: ProtocolVersion, hold: int) -> None:
        self.version = version
        self._hold = hold
        self._buffer = bytearray()
        self._spans: deque[Span] = deque()
        self._passing = 0  # bytes of a long packet still to come
        self._first: int | None = None  # its first byte
        self._lost = False

    @property
    def began(self) -> int | None:
        """Where the first byte that is held was on the wire, None if none is."""
        return self._spans[0].start if self._spans else None

    @property
    def in_step(self) -> bool:
        """Whether the next byte begins a packet."""
        return not (self._buffer or self._passing or self._lost)

    def feed(self, data: bytes, span: Span) -> Iterator[Unit]:
        """What is complete with these bytes."""
        self._buffer += data
        self._spans.append(span)
        position = 0
        while position < len(self._buffer):
            size = self._next_size(position)
            if size == 0:
                break
            yield self._cut(position, size)
            position += size
        del self._buffer[:position]

    def _next_size(self, position: int) -> int:
        """How many bytes may be given out as one unit; 0 to wait for more."""
        here = len(self._buffer) - position
        if self._lost:
            return here
        if self._passing:
            return min(self._passing, here)
        try:
            header = read_header(bytes(self._buffer[position : position + 5]), 0)
        except MalformedPacket:
            self._lost = True
            return here
        size = 0 if header is None else sum(header)
        if size > max(self._hold, here):
            self._passing = size
            return here
        return size if size <= here else 0

    def _cut(self, position: int, size: int) -> Unit:
        data = bytes(self._buffer[position : position + size])
        kind = Kind.UNKNOWN if self._lost else Kind.PART if self._passing else Kind.PACKET
        if self._first is None:  # not the second part of anything
            self._first = data[0]
            if kind is not Kind.UNKNOWN and data[0] >> 4 == PacketType.CONNECT:
                self.version = ProtocolVersion.V3_1_1 if _V3_1_1 in data[2:12] else ProtocolVersion.V5
        unit = Unit(kind, data, _cut_spans(self._spans, size), self._first, self.version)
        self._passing = max(0, self._passing - size)
        if not self._passing:
            self._first = None
        return unit

    def end(self) -> list[Unit]:
        """A packet that is cut off."""
        if not self._buffer:
            return []
        unit = Unit(Kind.PACKET, bytes(self._buffer), list(self._spans), self._buffer[0], self.version, finished=False)
        self._buffer.clear()
        self._spans.clear()
        return [unit]


def _cut_spans(spans: deque[Span], size: int) -> list[Span]:
    """Take the spans of the next ``size`` bytes off the front."""
    taken = []
    while size:
        span = spans[0]
        if span.size <= size:
            taken.append(spans.popleft())
            size -= span.size
        else:
            turn = size % 4
            taken.append(Span(span.start, size, span.key))
            spans[0] = Span(span.start + size, span.size - size, span.key[turn:] + span.key[:turn])
            size = 0
    return taken
