"""Reading and writing the property list of one place, as :data:`~mqttws.codec.properties.TABLE` says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from mqttws.codec.faults import past_end
from mqttws.codec.primitives import (
    read_binary,
    read_pair,
    read_topic,
    read_u8,
    read_u16,
    read_u32,
    read_utf8,
    read_varint,
    varint,
    write_binary,
    write_pair,
    write_topic,
    write_u8,
    write_u16,
    write_u32,
    write_utf8,
    write_varint,
)
from mqttws.codec.properties import TABLE, WILL, Place, Property, WireType
from mqttws.errors import LocalProtocolError, MalformedPacket, RemoteProtocolError
from mqttws.vocabulary import PacketType, Role

_READ: Final[dict[WireType, Callable[[bytes, int, int, str], tuple[Any, int]]]] = {
    WireType.U8: read_u8,
    WireType.U16: read_u16,
    WireType.U32: read_u32,
    WireType.VARINT: read_varint,
    WireType.UTF8: read_utf8,
    WireType.TOPIC: read_topic,
    WireType.BINARY: read_binary,
    WireType.PAIR: read_pair,
}
_WRITE: Final[dict[WireType, Callable[[Any, str], bytes]]] = {
    WireType.U8: write_u8,
    WireType.U16: write_u16,
    WireType.U32: write_u32,
    WireType.VARINT: write_varint,
    WireType.UTF8: write_utf8,
    WireType.TOPIC: write_topic,
    WireType.BINARY: write_binary,
    WireType.PAIR: write_pair,
}
#: What a number with a least value has for its most, if its row says nothing else.
_LARGEST: Final = {WireType.U16: 0xFFFF, WireType.U32: 0xFFFF_FFFF, WireType.VARINT: 268_435_455}


class _Entry(NamedTuple):
    """A row of the table as it applies in one place."""

    name: str
    read: Callable[[bytes, int, int, str], tuple[Any, int]]
    least: int
    most: int | None  # None: not a number, or no bounds beyond those of its wire type
    many: bool
    write: Callable[[Any, str], bytes]
    prefix: bytes
    row: Property


def _entry(row: Property, place: Place) -> _Entry:
    largest = None if row.least is None else _LARGEST[row.wire_type]
    return _Entry(
        row.name,
        _READ[row.wire_type],
        row.least or 0,
        row.most if row.most is not None else largest,
        place in row.many,
        _WRITE[row.wire_type],
        bytes([row.identifier]),
        row,
    )


class PropertyRules:
    """What the table says about one place: a packet type, or the Will Properties.

    ``anybody``, ``client`` and ``server`` are indexed by the identifier byte; ``named`` serves the writer.
    """

    __slots__ = ("anybody", "client", "name", "named", "server")

    def __init__(self, place: Place) -> None:
        self.name = "Will Properties" if place == WILL else PacketType(place).name
        entries = {row.identifier: (_entry(row, place), row.senders[place]) for row in TABLE if place in row.senders}
        self.named = {entry.name: entry for entry, _ in entries.values()}
        self.anybody = tuple(entries[i][0] if i in entries else None for i in range(256))
        self.client = tuple(e if e and Role.CLIENT in entries[i][1] else None for i, e in enumerate(self.anybody))
        self.server = tuple(e if e and Role.SERVER in entries[i][1] else None for i, e in enumerate(self.anybody))


def read_properties(buf: bytes, pos: int, end: int, rules: PropertyRules, sender: Role | None) -> tuple[Any, int]:
    """The Property Length and the properties behind it, as a dict.

    Takes time in proportion to their bytes. The order is kept, also that of User Properties. A packet that has
    properties says that there are none by a length of 0, not by leaving it out [MQTT-2.2.2-1].
    """
    if pos >= end:
        raise past_end("properties", pos, "MQTT-2.2.2-1")
    if buf[pos] == 0:
        return {}, pos + 1
    length, start = read_varint(buf, pos, end, "properties")
    stop = start + length
    if stop > end:
        raise past_end("properties", pos)
    pos = start
    entries = rules.anybody if sender is None else rules.client if sender is Role.CLIENT else rules.server
    properties: dict[str, Any] = {}
    while pos < stop:
        entry = entries[buf[pos]]
        if entry is None:
            raise _out_of_place(buf[pos], pos, rules)
        name, read, least, most, many, _, _, _ = entry
        value, after = read(buf, pos + 1, stop, name)
        if most is not None and not least <= value <= most:
            raise _out_of_bounds(entry, value, pos)
        if many:
            if name in properties:
                properties[name].append(value)
            else:
                properties[name] = [value]
        elif name in properties:
            raise RemoteProtocolError(f"{name} more than once", offset=pos, field=name)
        else:
            properties[name] = value
        pos = after
    return properties, stop


def _out_of_place(identifier: int, offset: int, rules: PropertyRules) -> RemoteProtocolError:
    entry = rules.anybody[identifier]
    if entry is not None:
        return RemoteProtocolError(
            f"{entry.name} in a {rules.name}, where only the other end may send it",
            statement=entry.row.wrong_sender,
            offset=offset,
            field=entry.name,
        )
    for row in TABLE:
        if row.identifier == identifier:
            return MalformedPacket(f"{row.name} has no place in {rules.name}", offset=offset, field=row.name)
    return MalformedPacket(f"no property has the identifier 0x{identifier:02X}", offset=offset, field="properties")


def _bounds(entry: _Entry, value: int) -> str:
    return f"{entry.name} is from {entry.least} to {entry.most}, not {value}"


def _out_of_bounds(entry: _Entry, value: int, offset: int) -> RemoteProtocolError:
    return RemoteProtocolError(
        _bounds(entry, value),
        reason_code=entry.row.reason_code,
        statement=entry.row.statement,
        offset=offset,
        field=entry.name,
    )


def write_properties(properties: Mapping[str, Any], rules: PropertyRules) -> bytes:
    """The properties in the order of the mapping, with their length in front."""
    if not properties:
        return b"\0"
    named = rules.named
    parts: list[bytes] = []
    for name, value in properties.items():
        entry = named.get(name)
        if entry is None:
            raise LocalProtocolError(f"{name} has no place in {rules.name}", field=name)
        _, _, least, most, many, write, prefix, _ = entry
        for item in value if many else (value,):
            if most is not None and not least <= item <= most:
                raise _own_out_of_bounds(entry, item)
            parts += (prefix, write(item, name))
    body = b"".join(parts)
    return varint(len(body)) + body


def _own_out_of_bounds(entry: _Entry, value: int) -> LocalProtocolError:
    return LocalProtocolError(
        _bounds(entry, value), reason_code=entry.row.reason_code, statement=entry.row.statement, field=entry.name
    )
