"""A result's transcript in words: the lines of a trace as moments, or why they cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqttws.conformance import rule_of
from mqttws.conformance.verdict import Result
from mqttws.trace import BadTrace, read_trace
from mqttws.trace.showing import Moment, brief_lines, moments

__all__ = ["brief_transcript", "harmless", "moments_of", "rules_of"]

#: Characters of a line that stands for a packet.
_WIDEST: Final = 160


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
    """A line for each packet; of more than ``most`` the first and the last ones."""
    try:
        lines = [line[:_WIDEST] for moment in moments_of(result) for line in brief_lines(moment)]
    except BadTrace as error:
        lines = [f"(the transcript cannot be read: {error})"]
    if len(lines) > most:
        first = most // 3
        left = len(lines) - most
        lines[first : first + left] = [f"… {left} lines left out …"]
    yield from lines


def harmless(text: str, keep: str = "") -> str:
    """A subject's words without what moves a cursor or breaks a page."""
    return "".join(
        character if character.isprintable() or character in keep else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def rules_of(result: Result) -> Iterator[tuple[str, str]]:
    """Each statement that a result decides, with what it asks for in our words."""
    for statement in result.statements:
        yield statement, rule_of(statement, result.version) or ""
