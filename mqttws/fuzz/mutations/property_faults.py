"""Properties that are repeated, unknown, out of place or out of range. 5.0 only."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec.primitives import varint
from mqttws.codec.properties import TABLE, WILL, Place, Property, WireType
from mqttws.fuzz.anatomy import Anatomy, Part, PropertyList, PropertyPart
from mqttws.fuzz.grammar import property_value
from mqttws.fuzz.mutations.fields import full_form
from mqttws.fuzz.mutations.registry import BROKEN, MALFORMED, PROTOCOL_ERROR, Breach, mutation
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType, Role

_P = PacketType
_WITH_PROPERTIES: Final = frozenset(place for row in TABLE for place in row.senders if place != WILL)
_KNOWN: Final = {row.identifier for row in TABLE}
_SIZES: Final = {WireType.U8: 1, WireType.U16: 2, WireType.U32: 4}
#: No sentence calls a second one in a PUBLISH an error, nor another value of the first than 0 and 1 (3.3.2.3.2, .3).
_UNSETTLED: Final = {"payload_format_indicator", "message_expiry_interval"}


def _part(row: Property, value: Any) -> PropertyPart:
    """A property as the table lays it out."""
    values = value if row.wire_type is WireType.PAIR else (value,)
    kind = WireType.UTF8 if row.wire_type is WireType.PAIR else row.wire_type
    return PropertyPart(
        bytes((row.identifier,)), row.name, [Part(row.name, kind, _content(row.wire_type, each)) for each in values]
    )


def _content(wire_type: WireType, value: Any) -> bytes:
    if wire_type in _SIZES:
        return int(value).to_bytes(_SIZES[wire_type], "big")
    if wire_type is WireType.VARINT:
        return varint(value)
    return value if isinstance(value, bytes) else str(value).encode()


def _list(source: Source, anatomy: Anatomy) -> PropertyList:
    full_form(anatomy)
    return source.choice(anatomy.lists())


def _insert(source: Source, chosen: PropertyList, part: PropertyPart) -> None:
    chosen.items.insert(source.draw(len(chosen.items)), part)


def _rows(place: Place, sender: Role | None) -> list[Property]:
    """The properties that ``sender`` may put there."""
    return [row for row in TABLE if place in row.senders and (sender is None or sender in row.senders[place])]


@mutation("property-twice", "a property stands once", codes=PROTOCOL_ERROR, versions=[5], packets=_WITH_PROPERTIES)
def property_twice(source: Source, anatomy: Anatomy) -> Breach | None:
    """The same property again, with the same or another value."""
    chosen = _list(source, anatomy)
    rows = [row for row in _rows(chosen.place, anatomy.sender) if chosen.place not in row.many]
    if not rows:
        return None
    row = source.choice(rows)
    first = next((item for item in chosen.items if item.name == row.name), None)
    if first is None:
        first = _part(row, property_value(source, row))
        _insert(source, chosen, first)
    again = first if source.boolean() else _part(row, property_value(source, row))
    _insert(source, chosen, again)
    return Breach(debatable=chosen.place is _P.PUBLISH and row.name in _UNSETTLED)


@mutation(
    "property-not-allowed",
    "a property stands only in packets that may have it",
    codes=MALFORMED,
    versions=[5],
    packets=_WITH_PROPERTIES,
)
def property_not_allowed(source: Source, anatomy: Anatomy) -> Breach:
    """A property, itself in order, that has no place in this packet."""
    chosen = _list(source, anatomy)
    row = source.choice([row for row in TABLE if chosen.place not in row.senders])
    _insert(source, chosen, _part(row, property_value(source, row)))
    return BROKEN


@mutation(
    "property-unknown",
    "a property has an identifier that the standard knows",
    codes=MALFORMED,
    versions=[5],
    packets=_WITH_PROPERTIES,
)
def property_unknown(source: Source, anatomy: Anatomy) -> Breach:
    """An identifier that belongs to no property, in one byte or more."""
    chosen = _list(source, anatomy)
    identifier = source.choice(
        [*(bytes((byte,)) for byte in range(0x80) if byte not in _KNOWN), b"\x80\x01", b"\xff\x7f", b"\x81\x80\x01"]
    )
    _insert(source, chosen, PropertyPart(identifier, "unknown", [Part("unknown", None, source.block(source.draw(4)))]))
    return BROKEN


@mutation(
    "property-of-other-end",
    "a property comes from an end that may send it",
    versions=[5],
    packets=[_P.PUBLISH, _P.DISCONNECT],
)
def property_of_other_end(source: Source, anatomy: Anatomy) -> Breach | None:
    """A property that only the other end may put into this packet."""
    chosen = _list(source, anatomy)
    if anatomy.sender is None:
        return None
    place, sender = chosen.place, anatomy.sender
    rows = [row for row in TABLE if place in row.senders and sender not in row.senders[place]]
    if not rows:
        return None
    row = source.choice(rows)
    _insert(source, chosen, _part(row, property_value(source, row)))
    return Breach(row.wrong_sender)


@mutation(
    "property-out-of-range",
    "the value of a property is in its range",
    codes=PROTOCOL_ERROR,
    versions=[5],
    packets=_WITH_PROPERTIES,
)
def property_out_of_range(source: Source, anatomy: Anatomy) -> Breach | None:
    """A number below the least or above the most that the property may have."""
    chosen = _list(source, anatomy)
    bounded = [row for row in _rows(chosen.place, anatomy.sender) if row.least is not None or row.most is not None]
    if not bounded:
        return None
    row = source.choice(bounded)
    value = 0 if row.most is None else source.integer(row.most + 1, 0xFF)
    chosen.items = [item for item in chosen.items if item.name != row.name]
    _insert(source, chosen, _part(row, value))
    return Breach(row.statement, frozenset({row.reason_code}), debatable=row.name in _UNSETTLED)


@mutation(
    "authentication-data-without-method",
    "Authentication Data needs an Authentication Method",
    codes=PROTOCOL_ERROR,
    versions=[5],
    packets=[_P.CONNECT, _P.AUTH],
)
def authentication_data_without_method(source: Source, anatomy: Anatomy) -> Breach | None:
    """Authentication Data, and no Authentication Method beside it."""
    code = anatomy.part("reason_code")
    if anatomy.packet_type is _P.AUTH and (code is None or code.data == b"\0"):
        return None  # of success the standard says two things
    chosen = anatomy.lists()[0]
    chosen.items = [item for item in chosen.items if not item.name.startswith("authentication_")]
    row = next(row for row in TABLE if row.name == "authentication_data")
    _insert(source, chosen, _part(row, source.binary()))
    return BROKEN


@mutation(
    "authentication-method-missing",
    "AUTH has an Authentication Method",
    codes=PROTOCOL_ERROR,
    versions=[5],
    packets=[_P.AUTH],
)
def authentication_method_missing(_source: Source, anatomy: Anatomy) -> Breach | None:
    """AUTH that goes on without naming its method."""
    code = anatomy.part("reason_code")
    if code is None or code.data == b"\0":
        return None  # as above
    chosen = anatomy.lists()[0]
    chosen.items = [item for item in chosen.items if not item.name.startswith("authentication_")]
    return BROKEN
