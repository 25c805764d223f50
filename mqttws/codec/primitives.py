"""The data types of chapter 1.5: readers and writers of one value each.

A reader is ``(buf, pos, end, field) -> (value, next position)``; it never looks at or behind ``end``, so a nested
length is just a smaller ``end``, and ``field`` is the name that an error gives. A writer is ``(value, field) -> bytes``
and raises :class:`LocalProtocolError` for what a reader would refuse.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from mqttws.codec.faults import ill_formed_statement, in_field, null_statement, past_end, peers_fault, too_large
from mqttws.errors import LocalProtocolError, MalformedPacket
from mqttws.topics import check_topic

#: The largest value of a Variable Byte Integer, and so of a Remaining Length (5.0: 1.5.5; 3.1.1: 2.2.3).
MAXIMUM_VARINT: Final = 268_435_455

_U16 = Struct(">H")
_U32 = Struct(">I")
pack_u16 = _U16.pack
_pack_u32 = _U32.pack
_unpack_u32 = _U32.unpack_from


def read_u8(buf: bytes, pos: int, end: int, field: str) -> tuple[int, int]:
    """One byte."""
    if pos >= end:
        raise past_end(field, pos)
    return buf[pos], pos + 1


def read_u16(buf: bytes, pos: int, end: int, field: str) -> tuple[int, int]:
    """Two Byte Integer, big-endian."""
    stop = pos + 2
    if stop > end:
        raise past_end(field, pos)
    return buf[pos] << 8 | buf[pos + 1], stop


def read_u32(buf: bytes, pos: int, end: int, field: str) -> tuple[int, int]:
    """Four Byte Integer, big-endian."""
    stop = pos + 4
    if stop > end:
        raise past_end(field, pos)
    (value,) = _unpack_u32(buf, pos)
    return value, stop


def read_varint(buf: bytes, pos: int, end: int, field: str) -> tuple[int, int]:
    """Variable Byte Integer of 5.0: one to four bytes, as few as its value allows [MQTT-1.5.5-1]."""
    start = pos
    value = 0
    for shift in (0, 7, 14, 21):
        if pos >= end:
            raise past_end(field, start)
        byte = buf[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and shift:
                raise longer_than_needed(start, field)
            return value, pos
    raise five_bytes(start, field)


def longer_than_needed(offset: int, field: str) -> MalformedPacket:
    """A Variable Byte Integer with bytes that add nothing [MQTT-1.5.5-1]."""
    return MalformedPacket(
        "a Variable Byte Integer longer than its value needs", statement="MQTT-1.5.5-1", offset=offset, field=field
    )


def five_bytes(offset: int, field: str) -> MalformedPacket:
    """A Variable Byte Integer whose fourth byte announces a fifth (5.0: 1.5.5; 3.1.1: 2.2.3)."""
    return MalformedPacket("a Variable Byte Integer of more than four bytes", offset=offset, field=field)


def read_binary(buf: bytes, pos: int, end: int, field: str) -> tuple[bytes, int]:
    """Binary Data: a Two Byte Integer length and as many bytes."""
    start = pos + 2
    if start > end:
        raise past_end(field, pos)
    stop = start + (buf[pos] << 8 | buf[pos + 1])
    if stop > end:
        raise past_end(field, pos)
    return buf[start:stop], stop


def read_utf8(buf: bytes, pos: int, end: int, field: str) -> tuple[str, int]:
    """UTF-8 Encoded String: well formed, no surrogates [MQTT-1.5.4-1], no U+0000 [MQTT-1.5.4-2].

    U+FEFF is a character like others [MQTT-1.5.4-3]. Control characters and non-characters pass: the standard leaves
    it to the receiver (1.5.4), and topics with them are in use.
    """
    start = pos + 2
    if start > end:
        raise past_end(field, pos)
    stop = start + (buf[pos] << 8 | buf[pos + 1])
    if stop > end:
        raise past_end(field, pos)
    try:
        text = buf[start:stop].decode()
    except UnicodeDecodeError as error:
        raise ill_formed(start + error.start, field) from None
    if "\0" in text:
        raise null_character(buf.index(0, start, stop), field)
    return text, stop


def ill_formed(offset: int, field: str) -> MalformedPacket:
    """Bytes that are no UTF-8, at ``offset``."""
    return MalformedPacket(
        f"{field} is not well-formed UTF-8", statement=ill_formed_statement(field), offset=offset, field=field
    )


def null_character(offset: int, field: str) -> MalformedPacket:
    """U+0000 in a text, at ``offset``."""
    return MalformedPacket(f"{field} holds U+0000", statement=null_statement(field), offset=offset, field=field)


def read_topic(buf: bytes, pos: int, end: int, field: str) -> tuple[str, int]:
    """A UTF-8 Encoded String that is a Topic Name: not empty, without wildcards."""
    topic, stop = read_utf8(buf, pos, end, field)
    refuse_topic(topic, pos + 2, field)
    return topic, stop


def refuse_topic(topic: str, offset: int, field: str) -> None:
    """Raise the peer's fault unless ``topic`` is a Topic Name."""
    try:
        check_topic(topic)
    except LocalProtocolError as error:
        raise peers_fault(error, offset, field) from None


def read_pair(buf: bytes, pos: int, end: int, field: str) -> tuple[tuple[str, str], int]:
    """UTF-8 String Pair [MQTT-1.5.7-1]."""
    name, pos = read_utf8(buf, pos, end, field)
    value, pos = read_utf8(buf, pos, end, field)
    return (name, value), pos


def write_u8(value: int, _field: str) -> bytes:
    """One byte. All properties of this kind are 0 or 1, which their rows in the table look after."""
    return b"%c" % value


def write_u16(value: int, field: str) -> bytes:
    """Two Byte Integer, big-endian."""
    if not 0 <= value <= 0xFFFF:
        raise _out_of_range(value, 0xFFFF, field)
    return pack_u16(value)


def write_u32(value: int, field: str) -> bytes:
    """Four Byte Integer, big-endian."""
    if not 0 <= value <= 0xFFFF_FFFF:
        raise _out_of_range(value, 0xFFFF_FFFF, field)
    return _pack_u32(value)


def write_varint(value: int, _field: str) -> bytes:
    """Variable Byte Integer. The one property of this kind is bounded by its row in the table."""
    return varint(value)


def varint(value: int) -> bytes:
    """Base 128, least significant group first, in as few bytes as the value allows [MQTT-1.5.5-1], however many."""
    if value < 0x80:
        return b"%c" % value
    parts = bytearray()
    while value >= 0x80:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _out_of_range(value: int, most: int, field: str) -> LocalProtocolError:
    return LocalProtocolError(f"{field} is from 0 to {most}, not {value}", field=field)


def write_binary(value: bytes, field: str) -> bytes:
    """Binary Data, at most 65,535 bytes."""
    size = len(value)
    if size > 0xFFFF:
        raise too_large(f"{field} of {size} bytes, more than a length of two bytes can tell", field)
    return pack_u16(size) + value


def write_utf8(value: str, field: str) -> bytes:
    """UTF-8 Encoded String, at most 65,535 bytes, without surrogates and U+0000."""
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise _surrogate(field) from None
    size = len(encoded)
    if size > 0xFFFF or "\0" in value:
        raise _bad_text(size, field)
    return pack_u16(size) + encoded


def encode_text(value: str, field: str) -> bytes:
    """The checked bytes of a UTF-8 Encoded String, without its length."""
    try:
        encoded = value.encode()
    except UnicodeEncodeError:
        raise _surrogate(field) from None
    if len(encoded) > 0xFFFF or "\0" in value:
        raise _bad_text(len(encoded), field)
    return encoded


def _surrogate(field: str) -> LocalProtocolError:
    return LocalProtocolError(
        f"{field} holds a surrogate, which UTF-8 cannot write", statement=ill_formed_statement(field), field=field
    )


def _bad_text(size: int, field: str) -> LocalProtocolError:
    if size > 0xFFFF:
        statement = "MQTT-4.7.3-3" if "topic" in field else None
        return too_large(f"{field} of {size} bytes, at most 65,535 are allowed", field, statement)
    return LocalProtocolError(f"{field} holds U+0000", statement=null_statement(field), field=field)


def write_topic(value: str, field: str) -> bytes:
    """A UTF-8 Encoded String that is a Topic Name."""
    encoded = write_utf8(value, field)
    try:
        check_topic(value)
    except LocalProtocolError as error:
        raise in_field(error, field) from None
    return encoded


def write_pair(value: tuple[str, str], field: str) -> bytes:
    """UTF-8 String Pair."""
    name, text = value
    return write_utf8(name, field) + write_utf8(text, field)


def write_packet_id(value: int, statement: str) -> bytes:
    """Packet Identifier, 1 to 65,535."""
    if not value or value >> 16:
        raise bad_packet_id(value, statement)
    return pack_u16(value)


def bad_packet_id(value: int | None, statement: str) -> LocalProtocolError:
    """A Packet Identifier that is none."""
    return LocalProtocolError(
        f"a Packet Identifier is from 1 to 65,535, not {value}", statement=statement, field="packet_id"
    )


def write_packet(first: int, body: bytes) -> bytes:
    """The fixed header in front of a body."""
    length = len(body)
    if length < 0x80:
        return b"%c%c%b" % (first, length, body)
    if length > MAXIMUM_VARINT:
        raise too_large(f"a packet with {length} bytes behind its fixed header, at most {MAXIMUM_VARINT} are allowed")
    return b"%c%b%b" % (first, varint(length), body)
