"""Lengths inside a packet that lie: of texts, binary data and property lists."""

from __future__ import annotations

from mqttws.codec.primitives import varint
from mqttws.fuzz.anatomy import Anatomy, Part, PropertyList
from mqttws.fuzz.mutations.header import five_bytes, padded
from mqttws.fuzz.mutations.registry import BROKEN, Breach, mutation
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType

_P = PacketType


def _prefixed(source: Source, anatomy: Anatomy) -> tuple[Part, PropertyList | None] | None:
    candidates = [(part, inside) for part, inside in anatomy.values() if part.is_prefixed]
    return source.choice(candidates) if candidates else None


def _room(anatomy: Anatomy, part: Part, inside: PropertyList | None) -> int:
    """Bytes from the content of a part to the end of what holds it: the packet, or the property list."""
    pieces: list[tuple[object, int]] = []
    if inside is None:
        pieces = [(each, len(each.encode())) for each in anatomy.parts]
    else:
        for item in inside.items:
            pieces.append((item, len(item.identifier)))
            pieces += [(value, len(value.encode())) for value in item.values]
    index = next(index for index, (piece, _) in enumerate(pieces) if piece is part)
    return sum(size for _, size in pieces[index:]) - 2


@mutation("text-length-past-end-by-one", "a field ends inside what holds it")
def text_length_past_end_by_one(source: Source, anatomy: Anatomy) -> Breach | None:
    """A length of a text or of binary data that is one too large for the packet, or for the property list."""
    found = _prefixed(source, anatomy)
    return _claim(anatomy, found, 1) if found is not None else None


@mutation("text-length-past-end", "a field ends inside what holds it")
def text_length_past_end(source: Source, anatomy: Anatomy) -> Breach | None:
    """A length of a text or of binary data that is far too large."""
    found = _prefixed(source, anatomy)
    return _claim(anatomy, found, 1 + source.integer(0, 0xFFFF)) if found is not None else None


def _claim(anatomy: Anatomy, found: tuple[Part, PropertyList | None], more: int) -> Breach | None:
    part, inside = found
    room = _room(anatomy, part, inside)
    if room >= 0xFFFF:
        return None
    part.claimed = min(room + more, 0xFFFF)
    return BROKEN


@mutation("property-value-cut", "a property's value is whole", versions=[5])
def property_value_cut(source: Source, anatomy: Anatomy) -> Breach | None:
    """The last value of a property list ends too early, and the Property Length with it."""
    lists = [each for each in anatomy.lists() if each.items and each.items[-1].values[-1].data]
    if not lists:
        return None
    value = source.choice(lists).items[-1].values[-1]
    if value.is_prefixed:
        value.claimed = len(value.data)
    value.data = value.data[: source.draw(len(value.data) - 1)]
    return BROKEN


@mutation("property-length-longer", "a property list ends inside its packet", versions=[5])
def property_length_longer(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Property Length that goes past the end of the packet."""
    lists = anatomy.lists()
    if not lists:
        return None
    chosen = source.choice(lists)
    index = next(index for index, part in enumerate(anatomy.parts) if part is chosen)
    room = len(chosen.content()) + sum(len(part.encode()) for part in anatomy.parts[index + 1 :])
    chosen.length = varint(room + 1 + source.integer(0, 268_000_000 - room))
    return BROKEN


@mutation("property-length-shorter", "a property ends inside its list", versions=[5])
def property_length_shorter(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Property Length that ends inside a property."""
    lists = [each for each in anatomy.lists() if each.items]
    if not lists:
        return None
    chosen = source.choice(lists)
    index = source.draw(len(chosen.items) - 1)
    before = sum(len(item.encode()) for item in chosen.items[:index])
    chosen.length = varint(before + source.integer(1, len(chosen.items[index].encode()) - 1))
    return BROKEN


@mutation("property-length-5-bytes", "a Variable Byte Integer has at most four bytes", versions=[5])
def property_length_5_bytes(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Property Length whose fourth byte announces a fifth."""
    lists = anatomy.lists()
    if not lists:
        return None
    chosen = source.choice(lists)
    chosen.length = five_bytes(source, len(chosen.content()))
    return BROKEN


@mutation(
    "property-length-padded",
    "a Variable Byte Integer is as short as its value allows",
    v5="MQTT-1.5.5-1",
    versions=[5],
    debatable=True,
)
def property_length_padded(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Property Length with bytes that add nothing. A sender's duty; no text says what a receiver has to do."""
    lists = anatomy.lists()
    if not lists:
        return None
    chosen = source.choice(lists)
    chosen.length = padded(source, len(chosen.content()))
    return BROKEN if chosen.length is not None else None


@mutation(
    "property-length-missing", "no properties are said by a Property Length of 0", v5="MQTT-2.2.2-1", versions=[5]
)
def property_length_missing(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The packet ends where its Property Length has to stand."""
    for index, part in enumerate(anatomy.parts):
        if isinstance(part, PropertyList) and not part.optional:
            del anatomy.parts[index:]
            return BROKEN
    return None


@mutation("trailing-bytes", "a packet ends behind its last field")
def trailing_bytes(source: Source, anatomy: Anatomy) -> Breach | None:
    """Bytes behind the last field, inside the Remaining Length."""
    if anatomy.parts:
        last = anatomy.parts[-1]
        if last.repeats or (isinstance(last, Part) and last.wire_type is None):
            return None  # more of the same, or payload
        left_out = anatomy.version == 5 and not isinstance(last, PropertyList)
        if left_out and anatomy.packet_type not in (_P.CONNECT, _P.CONNACK):
            return None  # would be read as the fields that were left out
    elif anatomy.version == 5 and anatomy.packet_type in (_P.DISCONNECT, _P.AUTH):
        return None
    anatomy.parts.append(Part("behind", None, source.block(1 + source.draw(7))))
    statement = "MQTT-3.1.4-1" if anatomy.packet_type is _P.CONNECT else None
    return Breach(statement)
