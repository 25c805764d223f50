"""The fixed header spoiled: packet type, flags, direction, Remaining Length."""

from __future__ import annotations

from typing import Final

from mqttws.codec.dispatch import V3_1_1, V5
from mqttws.codec.primitives import varint
from mqttws.fuzz.anatomy import Anatomy, Part
from mqttws.fuzz.mutations.registry import BROKEN, EITHER, MALFORMED, Breach, mutation
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType, Role

_P = PacketType
_ROWS: Final = {4: V3_1_1, 5: V5}
#: Packets whose flags have a statement of their own beside the general one, in both versions; AUTH is one of 5.0.
_FLAG_STATEMENTS: Final = {
    _P.PUBREL: "MQTT-3.6.1-1",
    _P.SUBSCRIBE: "MQTT-3.8.1-1",
    _P.UNSUBSCRIBE: "MQTT-3.10.1-1",
    _P.DISCONNECT: "MQTT-3.14.1-1",
    _P.AUTH: "MQTT-3.15.1-1",
}


@mutation(
    "flags-flipped",
    "the reserved flag bits of the first byte are as the standard lists them",
    codes=MALFORMED,
    v5="MQTT-2.1.3-1",
    v3_1_1="MQTT-2.2.2-1",
    packets=set(PacketType) - {_P.PUBLISH},
)
def flags_flipped(source: Source, anatomy: Anatomy) -> Breach:
    """Another value in the four lower bits of the first byte."""
    anatomy.first_byte ^= 1 + source.draw(14)
    return Breach(_FLAG_STATEMENTS.get(anatomy.packet_type))


@mutation(
    "qos-3",
    "a PUBLISH has not both QoS bits set",
    codes=MALFORMED,
    v5="MQTT-3.3.1-4",
    v3_1_1="MQTT-3.3.1-4",
    packets=[_P.PUBLISH],
)
def qos_3(_source: Source, anatomy: Anatomy) -> Breach:
    """Both QoS bits of a PUBLISH."""
    anatomy.first_byte |= 0x06
    return BROKEN


@mutation("dup-at-qos-0", "DUP is 0 at QoS 0", v5="MQTT-3.3.1-2", v3_1_1="MQTT-3.3.1-2", packets=[_P.PUBLISH])
def dup_at_qos_0(_source: Source, anatomy: Anatomy) -> Breach | None:
    """DUP in a PUBLISH at QoS 0."""
    if anatomy.first_byte & 0x06:
        return None
    anatomy.first_byte |= 0x08
    return BROKEN


@mutation("type-reserved", "the packet type is none of the reserved ones", codes=EITHER)
def type_reserved(source: Source, anatomy: Anatomy) -> Breach:
    """Packet type 0, or in 3.1.1 also 15."""
    reserved = source.choice((0x00, 0xF0) if anatomy.version == 4 else (0x00,))
    anatomy.first_byte = reserved | anatomy.first_byte & 0x0F
    return BROKEN


@mutation("wrong-direction", "a packet comes from an end that may send its type")
def wrong_direction(_source: Source, anatomy: Anatomy) -> Breach | None:
    """The packet as it is, from the other end; nothing in the bytes shows it."""
    row = _ROWS[anatomy.version][anatomy.packet_type]
    assert row is not None
    wrong = set(Role) - row.senders
    if not wrong:
        return None
    (anatomy.sender,) = wrong
    return BROKEN


@mutation("truncated", "a packet is as long as its Remaining Length says")
def truncated(source: Source, anatomy: Anatomy) -> Breach | None:
    """Cut off somewhere, as a stream that ends; an incremental decoder waits for more."""
    data = anatomy.encode()
    body = anatomy.body()
    if not body:
        return None
    anatomy.length = data[1 : len(data) - len(body)]
    _replace(anatomy, body[: source.draw(len(body) - 1)])
    return BROKEN


@mutation("remaining-length-longer", "a packet is as long as its Remaining Length says")
def remaining_length_longer(source: Source, anatomy: Anatomy) -> Breach:
    """A Remaining Length that announces more than there is; an incremental decoder waits for more."""
    size = len(anatomy.body())
    anatomy.length = varint(source.integer(size + 1, 268_435_455))
    return BROKEN


@mutation("remaining-length-shorter", "a packet is as long as its Remaining Length says")
def remaining_length_shorter(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Remaining Length that ends the packet inside a field, with the rest of it behind."""
    body = anatomy.body()
    cut = cut_point(source, anatomy)
    if cut is None:
        return None
    anatomy.behind = body[cut:]
    _replace(anatomy, body[:cut])
    return BROKEN


@mutation("cut-inside", "every field of a packet is there")
def cut_inside(source: Source, anatomy: Anatomy) -> Breach | None:
    """The packet ends inside a field or before one that has to be there, and the Remaining Length says so."""
    cut = cut_point(source, anatomy)
    if cut is None:
        return None
    _replace(anatomy, anatomy.body()[:cut])
    return BROKEN


@mutation("remaining-length-5-bytes", "a Variable Byte Integer has at most four bytes")
def remaining_length_5_bytes(source: Source, anatomy: Anatomy) -> Breach:
    """A Remaining Length whose fourth byte announces a fifth."""
    anatomy.length = five_bytes(source, len(anatomy.body()))
    return BROKEN


@mutation(
    "remaining-length-padded",
    "a Variable Byte Integer is as short as its value allows",
    v5="MQTT-1.5.5-1",
    versions=[5],
    debatable=True,
)
def remaining_length_padded(source: Source, anatomy: Anatomy) -> Breach | None:
    """A Remaining Length with bytes that add nothing. A sender's duty; no text says what a receiver has to do."""
    anatomy.length = padded(source, len(anatomy.body()))
    return BROKEN if anatomy.length is not None else None


def cut_point(source: Source, anatomy: Anatomy) -> int | None:
    """An offset in the body at which it must not end, None if there is none."""
    spans = []
    start = 0
    for index, part in enumerate(anatomy.parts):
        stop = start + len(part.encode())
        first = start + anatomy.may_end_before(index)
        if first < stop and not (isinstance(part, Part) and part.wire_type is None):
            spans.append((first, stop - 1))
        start = stop
    if not spans:
        return None
    first, last = source.choice(spans)
    return source.integer(first, last)


def _replace(anatomy: Anatomy, body: bytes) -> None:
    anatomy.parts = [Part("body", None, body)]


def _groups(value: int, count: int) -> list[int]:
    return [value >> 7 * shift & 0x7F for shift in range(count)]


def padded(source: Source, value: int) -> bytes | None:
    """``value`` in more bytes than it needs, None if it needs all four."""
    shortest = len(varint(value))
    if shortest == 4:
        return None
    groups = _groups(value, source.integer(shortest + 1, 4))
    return bytes([group | 0x80 for group in groups[:-1]] + groups[-1:])


def five_bytes(source: Source, value: int) -> bytes:
    """``value`` in four bytes, each of which announces another, and a fifth."""
    return bytes([group | 0x80 for group in _groups(value, 4)]) + bytes((source.integer(0, 0xFF),))
