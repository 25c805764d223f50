"""What passed over a recorded connection, moment by moment, as packets, frames and heads in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Final

from mqttws.codec import PacketNotes, dissect
from mqttws.errors import MqttError
from mqttws.notes import CHARACTERS_SHOWN, Paint, Rule, Section, plain, render, shown
from mqttws.trace.reading import Chunk, Happening, TracedConnection, Ways
from mqttws.trace.recorder import Direction
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import Role
from mqttws.websocket.dissection import FrameNotes, HeadNotes, dissect_frames
from mqttws.websocket.http_head import dissect_head

__all__ = ["Moment", "brief_lines", "full_lines", "gist", "moments"]

#: What is said of units that are neither head nor packet.
_OTHERS: Final = {
    Kind.BODY: "body of the answer",
    Kind.TEXT: "text of a WebSocket message",
    Kind.UNKNOWN: "bytes that fit nowhere",
}
_HAPPENED: Final = {
    "eof": "the peer's bytes have ended",
    "reset": "the connection was reset",
    "close": "closed by this end",
}


@dataclass(slots=True)
class Moment:
    """A chunk with what it completes, or something else that happened."""

    number: int
    connection: TracedConnection
    time: float
    direction: Direction | None = None
    size: int = 0
    offset: int = 0
    what: str = ""
    gap: bool = False
    sections: list[Section] = field(default_factory=list)

    @property
    def wall(self) -> float:
        """Seconds of the calendar."""
        return self.connection.wall + self.time

    @property
    def sender(self) -> Role | None:
        """Who sent the chunk."""
        return None if self.direction is None else self.connection.sender(self.direction)


def moments(number: int, connection: TracedConnection, *, frames: bool = False) -> Iterator[Moment]:
    """All of a connection, in order; with ``frames`` every WebSocket frame, else only those that hold no MQTT."""
    where = connection.url or connection.peer
    opened = f"opened, we are the {connection.role.value}" + (f" ({where})" if where else "")
    yield Moment(number, connection, connection.opened, what=opened)
    ways, messages = Ways(), _Messages(connection, all_frames=frames)
    last = connection.opened
    for entry in connection.entries:
        last = entry.time
        if isinstance(entry, Happening):
            yield Moment(number, connection, last, what=_HAPPENED.get(entry.name, entry.name))
            continue
        data, units = ways.take(entry)
        moment = Moment(number, connection, last, entry.direction, len(entry.data), entry.offset)
        moment.gap = ways.missed(entry.direction)
        moment.sections = list(messages.sections(entry, data, units, gap=moment.gap))
        yield moment
    for direction, unit in ways.end():
        sections = list(messages.unit(unit, connection.sender(direction)))
        yield Moment(number, connection, last, direction, what="never completed", sections=sections)


class _Messages:
    """Units into sections; frames are judged message by message, since each may depend on the one before."""

    def __init__(self, connection: TracedConnection, *, all_frames: bool) -> None:
        self._connection = connection
        self._all = all_frames
        self._held: dict[Direction, bytearray] = {"in": bytearray(), "out": bytearray()}
        self._unfinished: set[Direction] = set()  # the frames of a message under way are held

    def sections(self, chunk: Chunk, data: bytes, units: list[Unit], *, gap: bool) -> Iterator[Section]:
        """What a chunk completes, in order."""
        held = self._held[chunk.direction]
        if gap:
            held.clear()
            self._unfinished.discard(chunk.direction)
        held += data
        sender = self._connection.sender(chunk.direction)
        begin = chunk.offset + len(chunk.data) - len(held)  # the offset of what is held
        for unit in units:
            if unit.kind is Kind.FRAME:
                if unit.first & 0x08 == 0:  # control frames may come between those of a message
                    (self._unfinished.discard if unit.first & 0x80 else self._unfinished.add)(chunk.direction)
                if chunk.direction not in self._unfinished:
                    yield from self._frames(bytes(held[: unit.stop - begin]), sender)
                    del held[: unit.stop - begin]
                    begin = unit.stop
            else:
                yield from self.unit(unit, sender)
                if unit.kind is Kind.HEAD:
                    del held[: unit.stop - begin]
                    begin = unit.stop

    def _frames(self, message: bytes, sender: Role) -> Iterator[Section]:
        for notes in dissect_frames(message, sender=sender):
            if self._all or notes.fault is not None or (isinstance(notes, FrameNotes) and not notes.binary):
                yield notes

    @staticmethod
    def unit(unit: Unit, sender: Role) -> Iterator[Section]:
        """One unit."""
        if unit.kind is Kind.HEAD:
            yield dissect_head(unit.data)
        elif unit.kind is Kind.PACKET:
            yield from dissect(unit.data, unit.version, sender=sender)
        elif unit.kind in _OTHERS:
            yield Section(title=f"{_OTHERS[unit.kind]} from the {sender.value}", offset=unit.start, size=len(unit.data))


def brief_lines(moment: Moment) -> Iterator[str]:
    """A line for each packet, frame or event of a moment, with what is wrong with it."""
    arrow = _arrow(moment)
    stamp = f"{moment.time:12.6f}  #{moment.number}  {arrow}"
    if moment.what:
        yield f"{stamp}{moment.what}"
    if moment.gap:
        yield f"{stamp}(not recorded: what came before)"
    for section in moment.sections:
        good = section.fault is None and not section.missing
        verdict = "" if good else f" {section.verdict.upper()}: {_complaint(section)}"
        yield f"{stamp}{_gist(section)}{verdict}"


def full_lines(moment: Moment, *, paint: Paint = plain, rule: Rule | None = None) -> Iterator[str]:
    """All of a moment, byte by byte, and an empty line."""
    yield paint("title", f"{moment.time:.6f} s  #{moment.number}  {_headline(moment)}")
    if moment.sections:
        yield ""
        yield from render(moment.sections, paint=paint, rule=rule)
    yield ""


def _headline(moment: Moment) -> str:
    if moment.what:
        return f"{_arrow(moment)}{moment.what}"
    gap = ", behind a gap" if moment.gap else ""
    return f"{_arrow(moment)}{moment.size} bytes at offset {moment.offset}{gap}"


def _arrow(moment: Moment) -> str:
    return "" if moment.sender is None else f"{moment.sender.value} → {moment.sender.peer.value}  "


def _gist(section: Section) -> str:
    """A section in a few words."""
    if isinstance(section, PacketNotes) and section.packet is not None:
        return gist(section.packet)
    return f"{section.title} {section.notes[0].text}" if isinstance(section, HeadNotes) else section.title


def _complaint(section: Section) -> str:
    return section.missing if section.fault is None else section.fault.message


def gist(thing: Any) -> str:
    """A packet or event in one line: its kind and what is not as it is by default; nothing secret."""
    kind = getattr(type(thing), "packet_type", None)
    words = [type(thing).__name__ if kind is None else kind.name]
    for item in fields(thing):
        value = getattr(thing, item.name)
        if item.repr and value not in (None, False, "", (), [], {}) and value != item.default:
            words.append(f"{item.name}={_short(value)}")
    return " ".join(words)


def _short(value: Any) -> str:
    if isinstance(value, bytes):
        return f"{shown(value)} ({len(value)} bytes)" if len(value) > CHARACTERS_SHOWN // 2 else shown(value)
    if is_dataclass(value):
        return f"({gist(value)})"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_short, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name}={_short(item)}' for name, item in value.items())}}}"
    return str(value) if isinstance(value, MqttError) else shown(value)
