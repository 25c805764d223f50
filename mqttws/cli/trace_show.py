"""Print what passed over recorded connections, chunk by chunk, field by field, with every rule that is broken."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from mqttws.cli.outcome import ExitCode
from mqttws.cli.sections import add_colour_option, gist, paint_for, print_line, rule_of, section_as_json
from mqttws.cli.trace_file import add_file_options, traced
from mqttws.codec import PacketNotes, dissect
from mqttws.notes import Paint, Section, render
from mqttws.trace import Chunk, Direction, Happening, TracedConnection
from mqttws.trace.reading import Ways
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import Role
from mqttws.websocket.dissection import FrameNotes, HeadNotes, dissect_frames
from mqttws.websocket.http_head import dissect_head

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws trace show sub.trace
  mqttws trace show sub.trace --brief --direction out
  mqttws trace show sub.trace --json | jq .sections[].title

Secrets were masked when the trace was recorded. Times are seconds since recording began.

exit status:
  0 everything is valid   1 something breaks a rule   2 wrong usage
"""

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
#: Characters of a line with ``--brief``.
_LINE: Final = 160


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws trace show``."""
    add_file_options(parser)
    parser.add_argument("-d", "--direction", choices=("in", "out"), help="only what came in, or what went out")
    parser.add_argument("--brief", action="store_true", help="one line for each packet")
    parser.add_argument("--frames", action="store_true", help="show every WebSocket frame, not only those without MQTT")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each chunk")
    add_colour_option(parser)


def run(args: Namespace) -> int:
    """Print it in order of time; findings decide the exit status."""
    show = _as_json if args.json else _Printer(paint_for(args.colour), brief=args.brief)
    findings = 0
    moments = [moment for number, one in traced(args) for moment in _moments(number, one, frames=args.frames)]
    moments.sort(key=lambda moment: moment.wall)
    for moment in moments:
        if args.direction is None or moment.direction in (None, args.direction):
            show(moment)
            findings += sum(section.fault is not None for section in moment.sections)
    return ExitCode.FAILED if findings else ExitCode.WELL


@dataclass(slots=True)
class _Moment:
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


def _moments(number: int, connection: TracedConnection, *, frames: bool) -> Iterator[_Moment]:
    """All of a connection."""
    where = connection.url or connection.peer
    opened = f"opened, we are the {connection.role.value}" + (f" ({where})" if where else "")
    yield _Moment(number, connection, connection.opened, what=opened)
    ways, messages = Ways(), _Messages(connection, all_frames=frames)
    last = connection.opened
    for entry in connection.entries:
        last = entry.time
        if isinstance(entry, Happening):
            yield _Moment(number, connection, last, what=_HAPPENED.get(entry.name, entry.name))
            continue
        data, units = ways.take(entry)
        moment = _Moment(number, connection, last, entry.direction, len(entry.data), entry.offset)
        moment.gap = ways.missed(entry.direction)
        moment.sections = list(messages.sections(entry, data, units, gap=moment.gap))
        yield moment
    for direction, unit in ways.end():
        sections = list(messages.unit(unit, connection.sender(direction)))
        yield _Moment(number, connection, last, direction, what="never completed", sections=sections)


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


class _Printer:
    """For people."""

    def __init__(self, paint: Paint, *, brief: bool) -> None:
        self._paint = paint
        self._brief = brief

    def __call__(self, moment: _Moment) -> None:
        if self._brief:
            for text in self._brief_lines(moment):
                print_line(f"{moment.time:12.6f}  #{moment.number}  {text}"[:_LINE])
            return
        print_line(self._paint("title", f"{moment.time:.6f} s  #{moment.number}  {_headline(moment)}"))
        if moment.sections:
            print_line("")
            for line in render(moment.sections, paint=self._paint, rule=rule_of):
                print_line(line)
        print_line("")

    def _brief_lines(self, moment: _Moment) -> Iterator[str]:
        arrow = _arrow(moment)
        if moment.what:
            yield f"{arrow}{moment.what}"
        if moment.gap:
            yield f"{arrow}(not recorded: what came before)"
        for section in moment.sections:
            good = section.fault is None and not section.missing
            verdict = "" if good else f" {section.verdict.upper()}: {_complaint(section)}"
            yield f"{arrow}{_gist(section)}{verdict}"


def _headline(moment: _Moment) -> str:
    if moment.what:
        return f"{_arrow(moment)}{moment.what}"
    gap = ", behind a gap" if moment.gap else ""
    return f"{_arrow(moment)}{moment.size} bytes at offset {moment.offset}{gap}"


def _arrow(moment: _Moment) -> str:
    return "" if moment.sender is None else f"{moment.sender.value} → {moment.sender.peer.value}  "


def _gist(section: Section) -> str:
    """A section in a few words."""
    if isinstance(section, PacketNotes) and section.packet is not None:
        return gist(section.packet)
    return f"{section.title} {section.notes[0].text}" if isinstance(section, HeadNotes) else section.title


def _complaint(section: Section) -> str:
    return section.missing if section.fault is None else section.fault.message


def _as_json(moment: _Moment) -> None:
    """For programs."""
    members: dict[str, Any] = {"connection": moment.number, "time": round(moment.time, 6)}
    members["wall"] = datetime.fromtimestamp(moment.wall, UTC).isoformat(timespec="microseconds")
    if moment.sender is None:
        members["event"] = moment.what
    else:
        members |= {"direction": moment.direction, "sender": moment.sender.value}
        members |= {"offset": moment.offset, "size": moment.size, "gap": moment.gap}
        members["sections"] = [section_as_json(section) for section in moment.sections]
    print(json.dumps(members))
