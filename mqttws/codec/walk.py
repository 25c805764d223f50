"""The body of one packet, field by field, whatever its bytes are.

``decode`` judges and stops at the first fault. This goes on: what can be read is named, what cannot is named as that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from mqttws.codec.layout import LAYOUTS, QOS_BITS, Field
from mqttws.codec.meanings import meaning_of, reason_name, text_of
from mqttws.codec.properties import TABLE, WireType
from mqttws.notes import Note, shown
from mqttws.redaction import REDACTED, is_secret_name, redact, secret_at
from mqttws.vocabulary import PacketType

__all__ = ["Body"]

_ROWS: Final = {row.identifier: row for row in TABLE}
_SIZES: Final = {WireType.U8: 1, WireType.U16: 2, WireType.U32: 4}
#: Properties whose value is nobody's business.
_SECRET_PROPERTIES: Final = frozenset(("authentication_data",))


@dataclass(slots=True)
class _Value:
    """What was read: the value as ``decode`` has it, or None with a ``remark``, and what of it is text, by offsets."""

    value: Any
    remark: str
    stop: int
    parts: tuple[tuple[int, int], ...] = ()


class Body:
    """A walk through ``packet[pos:end]``; ``end`` lies behind the packet if it is cut off.

    ``notes`` cover each byte that is here once; ``to_come`` names the fields that are not, if the packet is cut off.
    ``offset`` is where the packet stands in what it was taken from. ``version`` changes to that of a CONNECT when its
    level is read.
    """

    def __init__(self, packet: bytes, pos: int, end: int, offset: int, version: int, *, show_secrets: bool) -> None:
        self.notes: list[Note] = []
        self.to_come: list[str] = []
        self.version = version
        self._packet = packet
        self._pos = pos
        self._end = end
        self._here = len(packet)
        self._offset = offset
        self._show = show_secrets
        self._flags = packet[0] & QOS_BITS  # which only PUBLISH has; in CONNECT the Connect Flags take their place

    def walk(self, packet_type: PacketType) -> None:
        """Name the fields of a packet of this type."""
        self._type = packet_type
        layout = LAYOUTS[packet_type]
        going_on = all(self._field(field) for field in layout.fields)
        repeated = [field for field in layout.repeated if self.version in field.versions]
        index = 0
        while going_on and repeated and not self.to_come:
            if index and self._pos == self._here:
                self.to_come.append(f"more {repeated[0].name.partition('[')[0]}")
            else:
                going_on = all(self._field(field, index) for field in repeated)
            index += 1
        self.rest("unread", "behind the last field")

    def rest(self, field: str, meaning: str) -> None:
        """All that was not looked at yet, if there is something, as one piece."""
        if self._pos < self._here:
            self._note(self._here, field, meaning)

    def _note(self, stop: int, field: str, meaning: str, value: Any = None, *, depth: int = 0) -> None:
        """Cover the bytes up to ``stop``."""
        start = self._pos
        text = text_of(field.rpartition(".")[2].partition("[")[0], value)
        self.notes.append(
            Note(self._offset + start, stop - start, self._packet[start:stop], field, value, text, meaning, depth)
        )
        self._pos = stop

    def _secret(self, stop: int, visible: int, value: Any, field: str, depth: int, *, meaning: str = "masked") -> None:
        """The same for bytes that are a secret from ``visible`` on."""
        start = self._pos
        data, text = self._packet[start:visible], shown(value).replace(f"'{REDACTED}'", REDACTED)
        self.notes.append(
            Note(self._offset + start, stop - start, data, field, value, text, meaning, depth, secret=True)
        )
        self._pos = stop

    def _field(self, field: Field, index: int | None = None) -> bool:
        """Name one field, the ``index``-th if it repeats; False if nothing behind it can be told."""
        if self.version not in field.versions or (field.flags and not self._flags & field.flags):
            return True
        name = field.name.replace("[]", f"[{index}]")
        if self._pos == self._here:
            return self._absent(field, name)
        if field.place is not None:
            return self._properties(field, name)
        start = self._pos
        if field.wire_type is None:
            found: _Value | None = _Value(self._packet[start:], "", self._here, ((start, self._here),))
            self.to_come.append(f"the rest of {name}")
        else:
            found = _read(field.wire_type, self._packet, start, self._here)
        if found is None:
            return self._cut_off(name, self._end, secret=field.secret)
        self._value(name, found, secret=field.secret)
        self._bits(field, index, start)
        if name == "version":
            self.version = 5 if found.value >= 5 else 4
        return True

    def _absent(self, field: Field, name: str) -> bool:
        """A field at the end of what is here."""
        if self._here < self._end:
            if not (field.optional and self.to_come):  # whether there is room for it is not known then
                self.to_come.append(name)
        elif field.optional:
            if field.place is None:
                self._note(self._pos, name, f"left out: {reason_name(self._type, self.version, 0)}", 0)
            return False
        elif field.place is None and field.wire_type is None:
            self._note(self._pos, name, meaning_of(name, b""), b"")
        else:
            self._note(self._pos, name, "missing")
        return True

    def _cut_off(self, name: str, limit: int, depth: int = 0, *, secret: bool = False) -> bool:
        """A field that does not fit; True if only the rest of the packet has not come yet."""
        stop = min(limit, self._here)
        cut = stop < limit
        meaning = "cut off" if cut else "runs past the end"
        if secret and not self._show:
            # Up to its length, which is two bytes, and its identifier if it is a property.
            self._secret(stop, min(self._pos + 2 + depth, stop), None, name, depth, meaning=f"masked, {meaning}")
        else:
            self._note(stop, name, meaning, depth=depth)
        if not depth:
            self.to_come.append(f"the rest of {name}")
        return cut

    def _bits(self, field: Field, index: int | None, start: int) -> None:
        """The parts of a byte at ``start``, which has its row already."""
        byte = self._packet[start]
        if field.name == "connect_flags":
            self._flags = byte
        for mask, name in field.bits:
            self.notes.append(bit_note(self._offset + start, byte, mask, name.replace("[]", f"[{index}]")))

    def _value(self, name: str, found: _Value, *, depth: int = 0, secret: bool = False) -> None:
        """The row of a value, with the secrets in it taken out."""
        last = name.rpartition(".")[2].partition("[")[0]
        value = found.value
        if found.remark:
            meaning = found.remark
        elif last in ("reason_code", "reason_codes"):
            meaning = reason_name(self._type, self.version, value)
        else:
            meaning = meaning_of(last, value)
        hidden = None if self._show else self._hidden(found, secret=secret)
        if hidden is None:
            self._note(found.stop, name, meaning, value, depth=depth)
        else:
            self._secret(found.stop, *hidden, name, depth)

    def _hidden(self, found: _Value, *, secret: bool) -> tuple[int, Any] | None:
        """Where the first secret in a value begins, and the value without it; None if there is no secret."""
        if secret:
            ((start, _),) = found.parts
            return start, REDACTED
        # Latin-1 gives each byte a character, so that places in text and bytes are the same.
        texts = {start: self._packet[start:stop].decode("latin-1") for start, stop in found.parts}
        value = found.value if isinstance(found.value, tuple | str) else " = ".join(texts.values())
        if len(texts) == 2:
            (_, name), (start, _) = texts.items()
            if is_secret_name(name):
                return start, (redact(value[0] if isinstance(value, tuple) else name), REDACTED)
        for start, text in texts.items():
            place = secret_at(text)
            if place is not None:
                return start + place, tuple(map(redact, value)) if isinstance(value, tuple) else redact(value)
        return None

    def _properties(self, field: Field, name: str) -> bool:
        """The Property Length and the properties; False if they reach behind the end of the packet."""
        length = _read(WireType.VARINT, self._packet, self._pos, self._here)
        if length is None:
            return self._cut_off(name, self._end)
        self._value(name, length)
        if length.value is None:
            return False
        stop: int = length.stop + length.value
        limit = min(stop, self._end)
        counts: dict[str, int] = {}
        while self._pos < min(limit, self._here):
            self._property(field, name, limit, counts)
        if self._here < limit:
            self.to_come.append(f"the rest of {name}")
        return stop <= self._end

    def _property(self, field: Field, prefix: str, limit: int, counts: dict[str, int]) -> None:
        """One property, its identifier included; with all behind it, if nothing can be told of that."""
        identifier = self._packet[self._pos]
        stop = min(limit, self._here)
        row = _ROWS.get(identifier)
        if row is None:
            meaning = f"no property has the identifier 0x{identifier:02X}"
            self._note(stop, f"{prefix}.unknown", meaning, depth=1)
            return
        name = f"{prefix}.{row.name}"
        if field.place in row.many:
            counts[row.name] = counts.get(row.name, -1) + 1
            name += f"[{counts[row.name]}]"
        found = _read(row.wire_type, self._packet, self._pos + 1, stop)
        if found is None:
            self._cut_off(name, limit, 1, secret=row.name in _SECRET_PROPERTIES)
        else:
            self._value(name, found, depth=1, secret=row.name in _SECRET_PROPERTIES)


def bit_note(offset: int, byte: int, mask: int, field: str) -> Note:
    """The row of some bits of the byte at ``offset``, read as a number of their own."""
    value = (byte & mask) // (mask & -mask)
    name = field.rpartition(".")[2]
    return Note(offset, 1, bytes((byte,)), field, value, str(value), meaning_of(name, value), 1, mask)


def _read(wire_type: WireType, buf: bytes, pos: int, end: int) -> _Value | None:
    """A value of some wire type, good or bad; None if it does not fit before ``end``."""
    if wire_type is WireType.VARINT:
        return _read_varint(buf, pos, end)
    if wire_type in _SIZES:
        stop = pos + _SIZES[wire_type]
        return None if stop > end else _Value(int.from_bytes(buf[pos:stop], "big"), "", stop)
    parts = []
    for _ in range(2 if wire_type is WireType.PAIR else 1):
        start = pos + 2
        pos = start + int.from_bytes(buf[pos:start], "big")
        if pos > end:
            return None
        parts.append((start, pos))
    values: list[Any] = [buf[start:stop] for start, stop in parts]
    if wire_type is not WireType.BINARY:
        try:
            values = [value.decode() for value in values]
        except UnicodeDecodeError:
            return _Value(b" = ".join(values), "not UTF-8", pos, tuple(parts))
    if wire_type is WireType.PAIR:
        return _Value(tuple(values), "", pos, tuple(parts))
    (value,) = values
    return _Value(value, "", pos, tuple(parts))


def _read_varint(buf: bytes, pos: int, end: int) -> _Value | None:
    value = 0
    for index, byte in enumerate(buf[pos : min(pos + 4, end)]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return _Value(value, "", pos + index + 1)
    return _Value(None, "more than four bytes", pos + 4) if end - pos >= 4 else None
