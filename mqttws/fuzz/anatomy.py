"""A packet taken apart so that one part can be spoiled and the rest still fits.

:func:`take_apart` reads a valid packet by :mod:`mqttws.codec.layout`; :meth:`Anatomy.encode` puts it together again
with all lengths right, except those that were told to lie.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mqttws.codec.layout import LAYOUTS, Field
from mqttws.codec.primitives import read_varint, varint
from mqttws.codec.properties import TABLE, Place, WireType
from mqttws.vocabulary import PACKET_TYPES, PacketType, Role

__all__ = ["Anatomy", "Part", "PropertyList", "PropertyPart", "take_apart"]

_ROWS: Final = {row.identifier: row for row in TABLE}
_FIXED: Final = {WireType.U8: 1, WireType.U16: 2, WireType.U32: 4}
_PREFIXED: Final = (WireType.UTF8, WireType.TOPIC, WireType.BINARY)


@dataclass(slots=True)
class Part:
    """One field. ``data`` is its content, without the length in front of texts and binary data.

    ``claimed`` is what that length says instead of the truth. ``name`` is what an error calls the field. ``optional``
    fields may be left out with all behind them; ``repeats`` marks those that stand once for each filter or code.
    """

    name: str
    wire_type: WireType | None
    data: bytes
    claimed: int | None = None
    optional: bool = False
    repeats: bool = False

    @property
    def is_text(self) -> bool:
        """Whether this is a UTF-8 Encoded String."""
        return self.wire_type in (WireType.UTF8, WireType.TOPIC)

    @property
    def is_prefixed(self) -> bool:
        """Whether a Two Byte Integer tells its length."""
        return self.wire_type in _PREFIXED

    def encode(self) -> bytes:
        """The bytes on the wire."""
        if not self.is_prefixed:
            return self.data
        length = len(self.data) if self.claimed is None else self.claimed
        return length.to_bytes(2, "big") + self.data


@dataclass(slots=True)
class PropertyPart:
    """One property: its identifier and one value, in two parts if it is a pair."""

    identifier: bytes
    name: str
    values: list[Part]

    def encode(self) -> bytes:
        """The bytes on the wire."""
        return self.identifier + b"".join(value.encode() for value in self.values)


@dataclass(slots=True)
class PropertyList:
    """The properties of one place. ``length`` are the bytes of a Property Length that lies."""

    name: str
    place: Place
    items: list[PropertyPart]
    length: bytes | None = None
    optional: bool = False
    repeats: bool = False

    def content(self) -> bytes:
        """The properties without their length."""
        return b"".join(item.encode() for item in self.items)

    def encode(self) -> bytes:
        """The bytes on the wire."""
        content = self.content()
        return (varint(len(content)) if self.length is None else self.length) + content


AnyPart: TypeAlias = Part | PropertyList


@dataclass(slots=True)
class Anatomy:
    """A packet in parts. ``length`` are the bytes of a Remaining Length that lies, ``behind`` such that follow."""

    first_byte: int
    parts: list[AnyPart]
    version: int
    sender: Role | None = None
    length: bytes | None = None
    behind: bytes = b""

    @property
    def packet_type(self) -> PacketType:
        """What the first byte says."""
        packet_type = PACKET_TYPES[self.first_byte >> 4]
        assert packet_type is not None
        return packet_type

    def body(self) -> bytes:
        """All behind the fixed header."""
        return b"".join(part.encode() for part in self.parts)

    def encode(self) -> bytes:
        """The whole packet."""
        body = self.body()
        length = varint(len(body)) if self.length is None else self.length
        return b"".join((bytes((self.first_byte,)), length, body, self.behind))

    def part(self, name: str) -> Part | None:
        """The first field of that name."""
        return next((part for part in self.parts if isinstance(part, Part) and part.name == name), None)

    def lists(self) -> list[PropertyList]:
        """The property lists, one or in a CONNECT with a Will two."""
        return [part for part in self.parts if isinstance(part, PropertyList)]

    def values(self) -> Iterator[tuple[Part, PropertyList | None]]:
        """Every field and every property's value, with the list it stands in."""
        for part in self.parts:
            if isinstance(part, Part):
                yield part, None
            else:
                for item in part.items:
                    for value in item.values:
                        yield value, part

    def texts(self) -> list[Part]:
        """Every text."""
        return [value for value, _ in self.values() if value.is_text]

    def may_end_before(self, index: int) -> bool:
        """Whether the body may end where the part at ``index`` begins, without breaking a rule of its form."""
        if index == len(self.parts):
            return True
        part = self.parts[index]
        if part.optional or (isinstance(part, Part) and part.wire_type is None):
            return True
        # behind a whole repetition, of which there is at least one
        return part.repeats and self.parts[index - 1].repeats and part.name == self._first_repeated()

    def _first_repeated(self) -> str:
        return next(part.name for part in self.parts if part.repeats)


@dataclass(slots=True)
class _Reader:
    """Reads parts from a packet that is valid."""

    data: bytes
    position: int
    version: int
    parts: list[AnyPart] = field(default_factory=list)
    ended: bool = False  # an optional field was left out, and so is all behind it

    def value(self, name: str, wire_type: WireType | None) -> Part:
        data, start = self.data, self.position
        if wire_type is None:
            stop = len(data)
        elif wire_type in _FIXED:
            stop = start + _FIXED[wire_type]
        elif wire_type is WireType.VARINT:
            _, stop = read_varint(data, start, len(data), name)
        else:
            start += 2
            stop = start + int.from_bytes(data[start - 2 : start], "big")
        self.position = stop
        return Part(name, wire_type, data[start:stop])

    def properties(self, name: str, place: Place) -> PropertyList:
        length, self.position = read_varint(self.data, self.position, len(self.data), name)
        stop = self.position + length
        items = []
        while self.position < stop:
            row = _ROWS[self.data[self.position]]
            self.position += 1
            kinds = (WireType.UTF8, WireType.UTF8) if row.wire_type is WireType.PAIR else (row.wire_type,)
            items.append(
                PropertyPart(bytes((row.identifier,)), row.name, [self.value(row.name, kind) for kind in kinds])
            )
        return PropertyList(name, place, items)

    def field(self, wanted: Field, flags: int, repeats: bool) -> None:
        if self.version not in wanted.versions or (wanted.flags and not wanted.flags & flags):
            return
        self.ended = self.ended or (wanted.optional and self.position == len(self.data))
        if self.ended:
            return
        name = wanted.name.removesuffix("[]").rpartition("[].")[2]
        place = wanted.place
        part = self.value(name, wanted.wire_type) if place is None else self.properties(name, place)
        part.optional, part.repeats = wanted.optional, repeats
        self.parts.append(part)


def take_apart(data: bytes, version: int = 5, sender: Role | None = None) -> Anatomy:
    """The parts of one valid packet. A CONNECT must be of that version."""
    anatomy = Anatomy(data[0], [], version, sender)
    _, body = read_varint(data, 1, len(data), "remaining_length")
    reader = _Reader(data, body, version, anatomy.parts)
    layout = LAYOUTS[anatomy.packet_type]
    for wanted in layout.fields:
        flags = anatomy.part("connect_flags")
        reader.field(wanted, data[0] if flags is None else flags.data[0], False)
    while layout.repeated and reader.position < len(data):
        for wanted in layout.repeated:
            reader.field(wanted, 0, True)
    return anatomy
