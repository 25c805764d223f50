"""A result's transcript in words: the lines of a trace as moments, or why they cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqttws.conformance import rule_of
from mqttws.conformance.verdict import Result
from mqttws.notes import Section
from mqttws.trace import BadTrace, read_trace
from mqttws.trace.showing import Moment, brief_lines, moments
from mqttws.websocket.dissection import HeadNotes

__all__ = ["brief_transcript", "harmless", "moments_of", "rules_of"]

#: Characters of a line that stands for a packet.
_WIDEST: Final = 160
#: Bytes of a packet that breaks a rule.
_BYTES: Final = 48


def moments_of(result: Result) -> list[Moment]:
    """All that passed over all connections of a check, in order of time. Raises :class:`BadTrace`."""
    if not result.transcript:
        return []
    passed = [
        moment
        for number, connection in enumerate(read_trace(result.transcript), 1)
        for moment in moments(number, connection)
    ]
    return sorted(passed, key=lambda moment: moment.wall)


def brief_transcript(result: Result, most: int) -> Iterator[str]:
    """A line for each packet, and one for the bytes of each that breaks a rule; of more than ``most`` not all.

    Openings of connections, their handshakes and ends are left out first, then what is behind the first third.
    """
    try:
        told = [line for moment in moments_of(result) for line in _lines(moment)]
    except BadTrace as error:
        told = [(f"(the transcript cannot be read: {error})", False)]
    lines = [line for line, _ in told]
    if len(lines) > most:
        telling = [line for line, is_frame in told if not is_frame]
        if len(telling) >= most // 2:
            lines = [f"… {len(told) - len(telling)} lines about openings and ends left out …", *telling]
    if len(lines) > most:
        first = most // 3
        left = len(lines) - most
        lines[first : first + left] = [f"… {left} lines left out …"]
    yield from lines


def _lines(moment: Moment) -> Iterator[tuple[str, bool]]:
    """The lines of a moment, each with whether it is about a connection only, as each connection has it."""
    lines = [line[:_WIDEST] for line in brief_lines(moment)]
    events = len(lines) - len(moment.sections)
    is_usual = moment.what.startswith("opened") or moment.what == "closed by this end"
    yield from ((line, is_usual) for line in lines[:events])
    for line, section in zip(lines[events:], moment.sections, strict=True):
        is_head = isinstance(section, HeadNotes)
        yield line, is_head and section.fault is None
        if section.fault is not None and not is_head:  # a head is text, of which the line says what is wrong
            yield f"{'':{line.index('#')}}{_octets(section)}", False


def _octets(section: Section) -> str:
    """The first bytes of what is wrong, as far as they may be shown."""
    shown = b""
    for note in section.notes:
        if not note.mask:
            shown += note.data
            if len(note.data) < note.size or len(shown) > _BYTES:
                break
    shown = shown[:_BYTES]
    return f"{shown.hex(' ')}{' …' if len(shown) < section.size else ''}"


def harmless(text: str, keep: str = "") -> str:
    """A subject's words without what moves a cursor or breaks a page."""
    return "".join(
        character if character.isprintable() or character in keep else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def rules_of(result: Result) -> Iterator[tuple[str, str]]:
    """Each statement that a result decides, with what it asks for in our words."""
    for statement in result.statements:
        yield statement, rule_of(statement, result.version) or ""
