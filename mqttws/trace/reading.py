"""A trace read again: connections, each with what passed in both directions, in order of time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from mqttws.trace.recorder import FORMAT, Direction
from mqttws.trace.splitting import Splitter
from mqttws.trace.units import Unit
from mqttws.vocabulary import PacketType, ProtocolVersion, Role

__all__ = ["BadTrace", "Chunk", "Happening", "TracedConnection", "Ways", "read_trace"]

#: No packet and no HTTP body is longer: when reading, nothing is given out in parts.
_WHOLE: Final = 268_435_460
#: Seconds from the beginning that a line may be away: some thousand years.
_LATEST: Final = 1e11


class BadTrace(ValueError):
    """A line that is not one of a trace; the text says which and why."""


@dataclass(slots=True)
class Chunk:
    """Bytes that passed at once. ``sync`` is the index from where on reading may begin, None if there is none."""

    time: float
    direction: Direction
    offset: int
    data: bytes = field(repr=False)
    sync: int | None = None


@dataclass(slots=True)
class Happening:
    """What else happened: ``eof`` (the peer's bytes have ended), ``reset``, ``close`` (ours)."""

    time: float
    name: str


@dataclass(slots=True)
class TracedConnection:
    """One connection. ``wall`` is the calendar's time at 0, in seconds; ``role`` that of the end that has recorded."""

    number: int
    role: Role
    wall: float
    opened: float = 0.0
    local: str = ""
    peer: str = ""
    url: str = ""
    entries: list[Chunk | Happening] = field(default_factory=list, repr=False)

    def sender(self, direction: Direction) -> Role:
        """Who sends in that direction."""
        return self.role if direction == "out" else self.role.peer


def read_trace(lines: Iterable[str]) -> list[TracedConnection]:
    """The connections of a trace, in the order in which they began.

    The last line may be cut off, as a crash leaves it. Raises :class:`BadTrace` for anything else that is no line of a
    trace; lines of a kind and members that are not known are passed over.
    """
    reader = _Reader()
    fault: BadTrace | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if fault is not None:
            raise fault
        try:
            reader.take(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            said = str(error) if isinstance(error, BadTrace) else "it is not a line of a trace"
            fault = BadTrace(f"line {number}: {said}")
    if not reader.started:
        raise fault or BadTrace("there is no trace")
    for connection in reader.connections:
        connection.entries.sort(key=lambda entry: entry.time)
    return reader.connections


class _Reader:
    """Lines as they come; a header begins a record of its own, so that traces can be joined."""

    def __init__(self) -> None:
        self.connections: list[TracedConnection] = []
        self.started = False
        self._wall = 0.0
        self._open: dict[int, TracedConnection] = {}

    def take(self, members: dict[str, Any]) -> None:
        """One line's object."""
        if "format" in members:
            if members["format"] != FORMAT:
                raise BadTrace(f"the format is {members['format']!r:.40}, not {FORMAT}")
            self._wall = datetime.fromisoformat(members["started"]).timestamp()
            self.started = True
            self._open.clear()
            return
        if not self.started:
            raise BadTrace(f"a trace begins with its format, {FORMAT}")
        number, time = int(members["connection"]), float(members["time"])
        if not abs(time) < _LATEST:  # nor is NaN
            raise BadTrace(f"the time is {time:g}")
        if members.get("event") == "open":
            self._begin(number, time, members)
        elif number not in self._open:
            raise BadTrace(f"connection {number} has not been opened")
        elif "hex" in members:
            self._open[number].entries.append(_chunk(time, members))
        elif "event" in members:
            self._open[number].entries.append(Happening(time, _words(members["event"])))

    def _begin(self, number: int, time: float, members: dict[str, Any]) -> None:
        connection = TracedConnection(number, Role(members["role"]), self._wall, time)
        for name in ("local", "peer", "url"):
            setattr(connection, name, _words(members.get(name, "")))
        self._open[number] = connection
        self.connections.append(connection)


def _words(value: Any) -> str:
    """Text that anybody may have written, without what moves a cursor."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in str(value))


def _chunk(time: float, members: dict[str, Any]) -> Chunk:
    direction: Direction = "in" if members["direction"] == "in" else "out"
    if members["direction"] != direction:
        raise BadTrace(f"the direction is {members['direction']!r:.40}, neither in nor out")
    sync = members.get("sync")
    data = bytes.fromhex(members["hex"])
    return Chunk(time, direction, int(members["offset"]), data, None if sync is None else int(sync))


class Ways:
    """Both directions of a connection, cut into units chunk by chunk; where a ring has let go, a gap is passed over."""

    def __init__(self) -> None:
        self._ways: dict[Direction, _Way] = {"in": _Way(), "out": _Way()}

    def take(self, chunk: Chunk) -> tuple[bytes, list[Unit]]:
        """What of the chunk can be read (not what is behind a gap, up to ``sync``), and the units that it completes."""
        way = self._ways[chunk.direction]
        data = way.follow(chunk)
        if not data:
            return b"", []
        units = way.splitter.feed(data)
        if any(unit.first >> 4 == PacketType.CONNECT and unit.kind.name == "PACKET" for unit in units):
            self.version = way.splitter.version
        return data, units

    @property
    def version(self) -> ProtocolVersion:
        """What CONNECT has said."""
        return self._ways["in"].splitter.version

    @version.setter
    def version(self, version: ProtocolVersion) -> None:
        for way in self._ways.values():
            way.splitter.version = version

    def missed(self, direction: Direction) -> bool:
        """Whether the last chunk of a direction came behind a gap."""
        return self._ways[direction].missed

    def end(self) -> Iterator[tuple[Direction, Unit]]:
        """What the end has cut off."""
        for direction, way in self._ways.items():
            for unit in way.splitter.end():
                yield direction, unit


class _Way:
    """One direction."""

    def __init__(self) -> None:
        self.splitter = Splitter(hold=_WHOLE)
        self.missed = False
        self._next = 0  # the offset that comes next, unless there is a gap
        self._lost = False  # since the last gap there was nowhere to begin

    def follow(self, chunk: Chunk) -> bytes:
        """What of a chunk can be read."""
        self.missed = chunk.offset != self._next
        self._lost = self._lost or self.missed
        self._next = chunk.offset + len(chunk.data)
        if not self._lost:
            return chunk.data
        if chunk.sync is None:
            return b""
        self._lost = False
        version = self.splitter.version
        self.splitter = Splitter(in_frames=True, version=version, hold=_WHOLE, start=chunk.offset + chunk.sync)
        return chunk.data[chunk.sync :]
