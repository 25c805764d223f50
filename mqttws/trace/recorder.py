"""The flight recorder: what passes over wires, as lines of JSON with times and without secrets.

The first line says when recording began, and each connection begins with a line of its own::

    {"format": "mqttws-trace/1", "started": "2026-01-31T12:00:00.000000+00:00", "clock": 81.5}
    {"connection": 1, "time": 0.001, "event": "open", "role": "client", "local": "…", "peer": "…", "url": "…"}
    {"connection": 1, "time": 0.002, "direction": "out", "offset": 0, "hex": "474554…"}
    {"connection": 1, "time": 0.005, "direction": "in", "offset": 0, "hex": "48545450…"}
    {"connection": 1, "time": 0.006, "direction": "out", "offset": 231, "sync": 0, "packets": {"CONNECT": 1}, "hex": …}
    {"connection": 1, "time": 9.001, "event": "eof"}

``time`` counts seconds from ``started``, on a monotonic clock that showed ``clock`` then. ``offset`` is the place of
the first byte in its direction. With ``sync`` the byte at that index of the chunk begins a frame and a packet, so that
reading may begin there; ``packets`` counts those that the chunk completes. A line is written when it is certain what of
its bytes is a secret, so a chunk that ends inside a packet follows what came meanwhile: sort by ``time``.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from mqttws.redaction import redact
from mqttws.trace.masking import Masker
from mqttws.trace.splitting import Splitter
from mqttws.trace.units import Kind
from mqttws.vocabulary import PACKET_TYPES, PacketType, Role

__all__ = ["FORMAT", "Direction", "Recorder", "Recording"]

FORMAT: Final = "mqttws-trace/1"
#: Bytes of lines about a connection's beginning that a ring keeps beside the last ones.
_BEGINNING: Final = 65_536
#: Bytes of a line around those that passed, at most.
_AROUND: Final = 200

Direction: TypeAlias = Literal["in", "out"]


class Recorder:
    """Makes lines of what passes, and hands them on or keeps the last of them.

    ``write`` gets each line, without its end. With ``last`` the recorder keeps that many bytes of lines, the newest,
    and the beginning of each connection that they speak of; :attr:`lines` has them at any time. It needs one of the
    two. ``payloads=False`` masks the payloads of messages as it does passwords. One recorder may serve any number of
    connections, one after the other or side by side. Clocks are the caller's.
    """

    def __init__(
        self, write: Callable[[str], object] | None = None, *, last: int | None = None, payloads: bool = True
    ) -> None:
        if write is None and last is None:
            raise ValueError("a recorder needs somewhere to write, or how many bytes to keep")
        if last is not None and last <= 0:
            raise ValueError(f"a recorder keeps a number of bytes above 0, not {last}")
        self._write = write
        self._ring = None if last is None else _Ring(last)
        self._payloads = payloads
        self._clock: float | None = None
        self._header = ""
        #: How many connections there were.
        self.connections = 0

    @property
    def lines(self) -> list[str]:
        """What a ring holds, oldest first; nothing without ``last``."""
        held = [] if self._ring is None else self._ring.lines()
        return [self._header, *held] if held else []

    def open(self, role: Role, now: float, wall: float, *, local: str = "", peer: str = "", url: str = "") -> Recording:
        """A new connection, of which we are that end.

        ``now`` is a monotonic clock, ``wall`` the seconds of the calendar (``time.time()``) at the same moment; the
        first connection's set the beginning of the record. ``local`` and ``peer`` are ``address:port`` as far as
        known, ``url`` is where a Client went.
        """
        if self._clock is None:
            self._clock = now
            started = datetime.fromtimestamp(wall, UTC).isoformat(timespec="microseconds")
            self._header = json.dumps({"format": FORMAT, "started": started, "clock": round(now, 6)})
            if self._write is not None:
                self._write(self._header)
        self.connections += 1
        recording = Recording(self, self.connections, payloads=self._payloads)
        places = {"local": local, "peer": peer, "url": redact(url)}
        members = {"role": role.value} | {name: place for name, place in places.items() if place}
        recording.event("open", now, members)
        return recording

    def add(
        self, connection: int, now: float, members: Mapping[str, Any], *, keep: bool = False, last: bool = False
    ) -> None:
        """One line; ``keep`` one that a ring lets go only with the ``last`` of its connection."""
        assert self._clock is not None  # a Recording is made by open()
        line = json.dumps({"connection": connection, "time": round(now - self._clock, 6), **members})
        if self._write is not None:
            self._write(line)
        if self._ring is not None:
            self._ring.add(connection, line, keep=keep, last=last)


class Recording:
    """One connection of a recorder: what came in, what went out, and how it ended."""

    def __init__(self, recorder: Recorder, number: int, *, payloads: bool) -> None:
        self._recorder = recorder
        self._number = number
        self._ways: dict[Direction, _Way] = {
            "in": _Way(recorder, number, "in", payloads=payloads),
            "out": _Way(recorder, number, "out", payloads=payloads),
        }

    def received(self, data: bytes, now: float) -> None:
        """Bytes have come."""
        self._pass_on("in", "out", data, now)

    def sent(self, data: bytes, now: float) -> None:
        """Bytes go out."""
        self._pass_on("out", "in", data, now)

    def _pass_on(self, direction: Direction, other: Direction, data: bytes, now: float) -> None:
        if data and self._ways[direction].pass_on(data, now):
            self._ways[other].splitter.version = self._ways[direction].splitter.version

    def event(self, name: str, now: float, members: Mapping[str, Any] | None = None) -> None:
        """Something else: ``open``, ``eof`` (theirs), ``reset``, ``close`` (ours).

        The last two end the connection, whatever is held back then is written first.
        """
        last = name in ("reset", "close")
        if last:
            for way in self._ways.values():
                way.end()
        self._recorder.add(self._number, now, {"event": name, **(members or {})}, keep=name == "open", last=last)


class _Way:
    """One direction: chunks wait until the masker has given out their last byte."""

    def __init__(self, recorder: Recorder, number: int, direction: Direction, *, payloads: bool) -> None:
        self._recorder = recorder
        self._number = number
        self._direction = direction
        self._masker = Masker(payloads=payloads)
        self._chunks: deque[_Chunk] = deque()
        self._released = bytearray()
        self._early = _BEGINNING  # bytes of lines that a ring may keep for good
        self._greeted = False  # the first packet has passed

    @property
    def splitter(self) -> Splitter:
        """What cuts this direction into packets."""
        return self._masker.splitter

    def pass_on(self, data: bytes, now: float) -> bool:
        """Take in a chunk, and write what is ready; whether there was a CONNECT, which tells the version."""
        splitter = self.splitter
        chunk = _Chunk(now, splitter.offset, len(data), 0 if splitter.in_step else None)
        self._chunks.append(chunk)
        self._released += self._masker.feed(data)
        for unit in self._masker.units:
            if unit.kind is Kind.PACKET:
                chunk.packets[_name(unit.first)] += 1
        if chunk.sync is None and splitter.step is not None and splitter.step < splitter.offset:
            chunk.sync = splitter.step - chunk.offset
        self._write_ready()
        return PacketType.CONNECT.name in chunk.packets

    def _write_ready(self) -> None:
        while self._chunks and self._chunks[0].size <= len(self._released):
            chunk = self._chunks.popleft()
            data = bytes(self._released[: chunk.size])
            del self._released[: chunk.size]
            self._write(chunk, data)

    def _write(self, chunk: _Chunk, data: bytes) -> None:
        members: dict[str, Any] = {"direction": self._direction, "offset": chunk.offset}
        if chunk.sync is not None:
            members["sync"] = chunk.sync
        if chunk.packets:
            members["packets"] = dict(chunk.packets)
        cost = 2 * chunk.size + _AROUND
        keep = not self._greeted and cost <= self._early
        if keep:
            self._early -= cost
        self._greeted = self._greeted or bool(chunk.packets)
        self._recorder.add(self._number, chunk.time, members | {"hex": data.hex()}, keep=keep)

    def end(self) -> None:
        """Nothing more will pass."""
        self._released += self._masker.end()
        self._write_ready()


class _Chunk:
    """Bytes that passed at a time, while it is not certain yet what of them may be shown."""

    __slots__ = ("offset", "packets", "size", "sync", "time")

    def __init__(self, time: float, offset: int, size: int, sync: int | None) -> None:
        self.time = time
        self.offset = offset
        self.size = size
        self.sync = sync
        self.packets: Counter[str] = Counter()


def _name(first: int) -> str:
    """A packet by its first byte."""
    kind: PacketType | None = PACKET_TYPES[first >> 4]
    return "reserved" if kind is None else kind.name


class _Line(NamedTuple):
    """``number`` counts the lines of a ring; ``last`` is the connection's last one."""

    number: int
    connection: int
    text: str
    last: bool


class _Ring:
    """The last lines, by bytes, and the beginnings of the connections they belong to."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._number = 0
        self._lines: deque[_Line] = deque()
        self._beginnings: dict[int, list[_Line]] = {}

    def add(self, connection: int, text: str, *, keep: bool, last: bool) -> None:
        """One more line, and as many of the oldest less as there is no room for."""
        line = _Line(self._number, connection, text, last)
        self._number += 1
        if keep:
            self._beginnings.setdefault(connection, []).append(line)
            return
        self._lines.append(line)
        self._size += len(text)
        while self._size > self._limit:
            dropped = self._lines.popleft()
            self._size -= len(dropped.text)
            if dropped.last:
                self._beginnings.pop(dropped.connection, None)

    def lines(self) -> list[str]:
        """In the order in which they came."""
        beginnings = (line for lines in self._beginnings.values() for line in lines)
        return [line.text for line in sorted((*beginnings, *self._lines))]
