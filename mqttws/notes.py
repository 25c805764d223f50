"""Annotated maps of bytes: rows of offset, bytes, field, value and meaning, and how they become text.

Whoever reads bytes writes the rows: :mod:`mqttws.codec.dissection` those of packets, :mod:`mqttws.websocket.dissection`
those of frames. Here they are set in columns, with the place of a fault marked below the row it is in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias
from unicodedata import combining, east_asian_width

__all__ = ["Fault", "Note", "Paint", "Rule", "Section", "plain", "render", "shown"]

#: How many bytes a row shows; the rest of a longer field is an ellipsis.
BYTES_SHOWN: Final = 8
#: How many characters of a value a row shows.
CHARACTERS_SHOWN: Final = 60
_BYTES_WIDTH: Final = 3 * BYTES_SHOWN - 1
#: Floors, so that short packets stand in the same columns, and a ceiling: a longer value moves its meaning only.
_OFFSET_WIDTH: Final = 5
_FIELD_WIDTH: Final = 30
_VALUE_WIDTH: Final = 12
_WIDEST_VALUE: Final = 26
_LINE: Final = 118

#: Puts colour around a text of some kind: ``paint(kind, text)``. The kinds: title, good, bad, open, offset, bytes,
#: secret, field, value, meaning, mark.
Paint: TypeAlias = Callable[[str, str], str]
#: The sentence behind the name of a rule, or None: ``rule("MQTT-3.3.1-4", 5)``.
Rule: TypeAlias = Callable[[str, int], str | None]


@dataclass(frozen=True, slots=True)
class Note:
    """One row: what some bytes, or some bits of one byte, are.

    ``data`` are the bytes themselves as far as they may be shown: what is missing at its end, up to ``size``, is a
    secret, or content that is explained elsewhere. ``field`` is the path of the value on the packet
    (``properties.topic_alias``), ``value`` the value there, ``text`` the same for people. With a ``mask`` the row
    speaks of those bits of the byte at ``offset``, which has a row of its own.
    """

    offset: int
    size: int
    data: bytes
    field: str
    value: Any = None
    text: str = ""
    meaning: str = ""
    depth: int = 0
    mask: int = 0
    secret: bool = False

    def is_called(self, name: str) -> bool:
        """Whether an error means this field by that name, which may be the end of its path, without an index."""
        return name in (self.field, self.field.rpartition(".")[2].partition("[")[0])


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken rule: where, which, and what has to be said to the peer. ``kind`` is ``malformed packet`` or the like.

    ``rule`` is a statement of the standard, in the numbering of ``version``, or a section of RFC 6455; None where the
    standard gives it no number.
    """

    offset: int
    field: str
    kind: str
    message: str
    rule: str | None = None
    version: int = 0
    answer: str = ""


@dataclass(slots=True, kw_only=True)
class Section:
    """The rows of one packet or frame, in order; together they cover each of its ``size`` bytes once.

    ``missing`` says in words what has not come yet, empty if all is here. ``remark`` is said before the title.
    ``certain`` is false where it is a guess that a packet or frame begins here.
    """

    title: str
    offset: int
    size: int
    notes: list[Note] = field(default_factory=list)
    fault: Fault | None = None
    missing: str = ""
    remark: str = ""
    certain: bool = True

    @property
    def verdict(self) -> str:
        """``valid``, ``unfinished``, or what kind of fault there is."""
        if self.fault is not None:
            return self.fault.kind
        return "unfinished" if self.missing else "valid"


def plain(_kind: str, text: str) -> str:
    """No colours."""
    return text


def shown(value: Any) -> str:
    """A value as a row shows it: quoted where it is text, never with a control character, at most so long."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return " = ".join(map(shown, value))
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return repr(value[: CHARACTERS_SHOWN // 2]) + ("…" if len(value) > CHARACTERS_SHOWN // 2 else "")
    if isinstance(value, str):
        return repr(value[:CHARACTERS_SHOWN]) + ("…" if len(value) > CHARACTERS_SHOWN else "")
    return str(int(value))


def render(sections: Iterable[Section], *, paint: Paint = plain, rule: Rule | None = None) -> Iterator[str]:
    """Lines of text, without line ends: title, rows and fault of each section, as they come."""
    for number, section in enumerate(sections):
        if number:
            yield ""
        for line in textwrap.wrap(section.remark, _LINE):
            yield paint("open", line)
        yield _title(section, paint)
        rows = _Rows(section, paint)
        marked = _place_of_fault(section)
        for index in range(len(section.notes)):
            yield rows.row(index)
            if section.fault is not None and index == marked:
                yield from rows.fault(section.fault, index, rule)
        yield from rows.beside("", "open", [section.missing])


def _title(section: Section, paint: Paint) -> str:
    kind = "bad" if section.fault is not None else "open" if section.missing or not section.certain else "good"
    verdict = section.verdict if section.certain else f"{section.verdict}, if it is one"
    size = "1 byte" if section.size == 1 else f"{section.size} bytes"
    return f"{paint('title', section.title)}, {size} at offset {section.offset}: {paint(kind, verdict)}"


def _place_of_fault(section: Section) -> int:
    """The row under which the fault is said: the one that holds its byte, or has the name of its field."""
    fault = section.fault
    if fault is None:
        return -1

    def fit(index: int) -> tuple[int, int]:
        note = section.notes[index]
        named = note.is_called(fault.field)
        holds = note.offset <= fault.offset < note.offset + note.size
        ends = fault.offset == note.offset + note.size and note.value in ("", None)
        # of rows that fit as well, the last: behind the bits of a byte, not between them
        return 4 * (named and (holds or ends)) + 2 * holds + (named and not note.mask), index

    return max(range(len(section.notes)), key=fit)


class _Rows:
    """The columns of one section."""

    def __init__(self, section: Section, paint: Paint) -> None:
        notes = self._notes = section.notes
        self._paint = paint
        self._labels = list(_labels(notes))
        self._offset = max(_OFFSET_WIDTH, len(str(section.offset + section.size)))
        self._field = max([_FIELD_WIDTH, *map(_width, self._labels)])
        with_meaning = [_width(note.text) for note in notes if note.meaning]
        self._value = min(max([_VALUE_WIDTH, *with_meaning]), _WIDEST_VALUE)

    def row(self, index: int) -> str:
        """One row in its columns."""
        note = self._notes[index]
        offset = "" if note.mask else str(note.offset)
        cells = (
            self._cell("offset", offset.rjust(self._offset), self._offset),
            self._cell("bytes", _bits(note) if note.mask else _bytes(note), _BYTES_WIDTH),
            self._cell("field", self._labels[index], self._field),
            self._cell("secret" if note.secret else "value", note.text, self._value),
            self._cell("meaning", note.meaning, 0),
        )
        return "  ".join(cells).rstrip()

    def _cell(self, kind: str, text: str, width: int) -> str:
        padding = " " * (width - _width(text))
        return (self._paint(kind, text) if text else "") + padding

    def fault(self, fault: Fault, index: int, rule: Rule | None) -> Iterator[str]:
        """What is wrong, beside a mark below the faulty byte or bits if the row shows them."""
        cited = f" [{fault.rule}]" if fault.rule else ""
        said = [f"{fault.kind.upper()} at offset {fault.offset}: {fault.message}{cited}"]
        sentence = rule(fault.rule, fault.version) if rule is not None and fault.rule else None
        if sentence:
            said.append(f"the rule: {sentence}")
        if fault.answer:
            said.append(f"the answer: {fault.answer}")
        return self.beside(_mark(fault, self._notes[index]), "bad", said)

    def beside(self, mark: str, kind: str, said: Iterable[str]) -> Iterator[str]:
        """Lines in the column of the fields, the first of them behind the mark."""
        indent = " " * (self._offset + 2)
        room = _LINE - self._offset - 2 - _BYTES_WIDTH - 2
        for text in said:
            for line in textwrap.wrap(text, room, subsequent_indent="  "):
                yield indent + self._cell("bad", mark, _BYTES_WIDTH) + "  " + self._paint(kind, line)
                mark = ""


def _labels(notes: Iterable[Note]) -> Iterator[str]:
    """Paths as they are shown: inside a group without what the group's first row says already."""
    group = ""
    for note in notes:
        if not note.depth:
            group = note.field
            yield note.field
        else:
            label = note.field.removeprefix(f"{group}.").removeprefix(f"{group.rpartition('.')[0]}.")
            yield "  " * note.depth + label


def _mark(fault: Fault, note: Note) -> str:
    if note.mask:
        mask = note.mask if note.is_called(fault.field) else 0xFF
        bits = "".join("^" if mask >> bit & 1 else " " for bit in range(7, -1, -1))
        return f"{bits[:4]} {bits[4:]}".rstrip()
    index = fault.offset - note.offset
    return "   " * (index if 0 <= index < min(len(note.data), BYTES_SHOWN) else 0) + "^^"


def _bytes(note: Note) -> str:
    limit = BYTES_SHOWN if note.size <= BYTES_SHOWN else BYTES_SHOWN - 1
    cells = [f"{byte:02x}" for byte in note.data[:limit]]
    if note.secret:
        cells += ["**"] * (min(note.size, limit) - len(cells))
    if len(cells) < note.size:
        cells.append("…")
    return " ".join(cells)


def _bits(note: Note) -> str:
    byte = note.data[0]
    bits = "".join(str(byte >> bit & 1) if note.mask >> bit & 1 else "." for bit in range(7, -1, -1))
    return f"{bits[:4]} {bits[4:]}"


def _width(text: str) -> int:
    """How many columns a terminal gives to a text."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(character) else 2 if east_asian_width(character) in "WF" else 1 for character in text)
