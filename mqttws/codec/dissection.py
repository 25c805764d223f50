"""What any bytes are: packet by packet and field by field, with the verdict of ``decode`` on each packet.

Nothing here decides whether a packet is right: :func:`~mqttws.codec.dispatch.decode` does, and its fault is put where
it belongs. The rows come from :mod:`~mqttws.codec.walk`, which also reads what ``decode`` refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from mqttws.codec.dispatch import DECODERS, V3_1_1, V5, Packet, Row, decode, read_header, refusal
from mqttws.codec.faults import settle
from mqttws.codec.layout import OTHER_BITS, PUBLISH_BITS
from mqttws.codec.walk import Body, bit_note
from mqttws.errors import MalformedPacket, RemoteProtocolError, name_of
from mqttws.notes import Fault, Note, Section, render
from mqttws.vocabulary import PACKET_TYPES, ConnectReturnCode, PacketType, ProtocolVersion, ReasonCode, Role

__all__ = ["PacketNotes", "dissect", "explain"]

_ROWS: Final = {4: V3_1_1, 5: V5}
_VERSIONS: Final = {4: "MQTT 3.1.1", 5: "MQTT 5.0"}
_CUT_OFF: Final = "cut off"
_CLOSED: Final = "A receiver has closed the connection here. What follows is read as if it had not."
_LOST: Final = (
    "Behind a malformed packet nothing is certain: a receiver has closed the connection, and what follows may never "
    "have been meant as packets."
)
#: The only faults that a 3.1.1 Server can speak of.
_RETURN_CODES: Final = {
    ReasonCode.UNSUPPORTED_PROTOCOL_VERSION: ConnectReturnCode.UNACCEPTABLE_PROTOCOL_VERSION,
    ReasonCode.CLIENT_IDENTIFIER_NOT_VALID: ConnectReturnCode.IDENTIFIER_REJECTED,
}


@dataclass(slots=True, kw_only=True)
class PacketNotes(Section):
    """What one packet is.

    ``packet`` is what ``decode`` makes of it, or ``error`` what it raises, with an offset that counts from the packet's
    first byte. A packet that is cut off has an ``error`` too, but no ``fault``; ``bytes_missing`` is how many of its
    bytes have not come, at least. ``certain`` is false behind a malformed packet, and ``packet_type`` None if reserved.
    """

    packet_type: PacketType | None
    version: ProtocolVersion
    packet: Packet | None = field(default=None, repr=False)
    error: RemoteProtocolError | None = None
    bytes_missing: int


def dissect(
    data: bytes | bytearray | memoryview, version: int = 5, *, sender: Role | None = None, show_secrets: bool = False
) -> Iterator[PacketNotes]:
    """The packets in ``data``, one after the other, the last of them perhaps cut off; nothing is raised for any bytes.

    A CONNECT sets the version for what follows it. With ``sender`` the rules of direction hold too. Passwords,
    authentication data and whatever looks like an access token are masked, unless ``show_secrets`` is set; the decoded
    packets have them. Rows count from the start of ``data``. A ``version`` that is neither 4 nor 5 is a ValueError.
    """
    return _packets(bytes(data), ProtocolVersion(version), sender, show_secrets)


def explain(
    data: bytes | bytearray | memoryview, version: int = 5, *, sender: Role | None = None, show_secrets: bool = False
) -> str:
    """A map of the packets in ``data`` as text: offset, bytes, field, value, meaning, and where which rule is broken.

    Takes any bytes, as :func:`dissect` does, which gives the same as objects. Lines end with a line feed; no bytes give
    an empty text.
    """
    lines = render(dissect(data, version, sender=sender, show_secrets=show_secrets))
    return "".join(f"{line}\n" for line in lines)


def _packets(data: bytes, version: ProtocolVersion, sender: Role | None, show: bool) -> Iterator[PacketNotes]:
    start, remark, certain = 0, "", True
    while start < len(data):
        notes = _dissect(data, start, version, sender, show)
        notes.remark, notes.certain = remark, certain
        yield notes
        start += notes.size
        remark = ""
        version = notes.version
        if notes.fault is not None and certain:
            certain = not isinstance(notes.error, MalformedPacket)
            remark = _CLOSED if certain else _LOST


def _dissect(data: bytes, start: int, version: ProtocolVersion, sender: Role | None, show: bool) -> PacketNotes:
    """The packet at ``start``."""
    row = _ROWS[version][data[start] >> 4]
    if row is not None and not any(row.decoders):
        row = None
    header, remark = _read_header(data, start)
    packet = data[start:] if header is None else data[start : sum(header)]
    body, end = (5, len(packet)) if header is None else (header[1] - start, sum(header) - start)
    walk = Body(packet, body, end, start, version, show_secrets=show)
    if header is None:
        walk.rest("unread", "where this packet ends cannot be told")
    elif row is None:
        walk.rest("unread", "of a packet type that is reserved")
    else:
        walk.walk(row.packet_class.packet_type)
    notes = PacketNotes(
        title=_title(packet, row, walk.version),
        offset=start,
        size=len(packet),
        notes=[*_first_byte(packet[0], start, row), *_length(packet[1:body], start + 1, header, remark), *walk.notes],
        packet_type=None if row is None else PACKET_TYPES[packet[0] >> 4],
        version=ProtocolVersion(walk.version),
        bytes_missing=end - len(packet) if header else int(remark == _CUT_OFF),
    )
    _judge(notes, packet, version, sender)
    if notes.bytes_missing:
        notes.missing = _missing(notes, header, walk.to_come)
    return notes


def _read_header(data: bytes, start: int) -> tuple[tuple[int, int] | None, str]:
    """Remaining Length and the position of the body; or None, and why there is none."""
    try:
        return read_header(data, start), _CUT_OFF
    except MalformedPacket:
        return None, "more than four bytes"


def _title(packet: bytes, row: Row | None, version: int) -> str:
    name = f"Reserved packet type {packet[0] >> 4}" if row is None else row.packet_class.packet_type.name
    return f"{name}, {_VERSIONS[version]}"


def _first_byte(byte: int, offset: int, row: Row | None) -> Iterator[Note]:
    """The first byte and its parts: packet type and flags."""
    yield Note(offset, 1, bytes((byte,)), "first_byte", byte, f"0x{byte:02X}")
    is_publish = row is not None and row.packet_class.packet_type is PacketType.PUBLISH
    for mask, name in PUBLISH_BITS if is_publish else OTHER_BITS:
        note = bit_note(offset, byte, mask, name)
        if name == "packet_type":
            note = replace(note, meaning="reserved" if row is None else _named(row))
        elif name == "flags":
            note = replace(note, text=f"{byte & mask:04b}", meaning=_flags(byte & mask, row))
        yield note


def _named(row: Row) -> str:
    """A packet type, and who sends it (table 2-1)."""
    ends = "either end" if len(row.senders) == 2 else f"the {next(iter(row.senders)).name.title()}"
    return f"{row.packet_class.packet_type.name}, from {ends}"


def _flags(bits: int, row: Row | None) -> str:
    """What the flag bits must be, of all packets but PUBLISH."""
    if row is None:
        return ""
    required = next(flags for flags, decoder in enumerate(row.decoders) if decoder is not None)
    return "as they must be" if bits == required else f"must be {required:04b}"


def _length(data: bytes, offset: int, header: tuple[int, int] | None, remark: str) -> Iterator[Note]:
    """The Remaining Length, as far as it is here."""
    if header is not None:
        length, _ = header
        yield Note(offset, len(data), data, "remaining_length", length, str(length), "bytes follow")
    elif data:
        yield Note(offset, len(data), data, "remaining_length", meaning=remark)


def _missing(notes: PacketNotes, header: tuple[int, int] | None, to_come: list[str]) -> str:
    """What a packet that is cut off still lacks."""
    if header is None:
        return "the fixed header is cut off; still to come: remaining_length and what it announces"
    whole = notes.size + notes.bytes_missing
    return f"{notes.size} of {whole} bytes are here; still to come: {', '.join(to_come or ['the rest'])}"


def _judge(notes: PacketNotes, packet: bytes, version: ProtocolVersion, sender: Role | None) -> None:
    """Let ``decode`` say what it thinks of the packet."""
    try:
        if DECODERS[version][sender][packet[0]] is None:  # which decode() says of two bytes only
            raise settle(refusal(packet[0], version, sender, 0), version, 0)
        notes.packet = decode(packet, version, sender=sender)
    except RemoteProtocolError as error:
        notes.error = error.with_traceback(None)
        fault = _fault(error, notes)
        if not notes.bytes_missing or fault.offset < notes.offset + notes.size:
            notes.fault = fault


def _fault(error: RemoteProtocolError, notes: PacketNotes) -> Fault:
    """What ``decode`` says of a packet: always where, in which field, and by which version."""
    assert error.offset is not None
    assert error.field is not None
    assert error.version is not None
    return Fault(
        offset=notes.offset + error.offset,
        field=error.field,
        kind="malformed packet" if isinstance(error, MalformedPacket) else "protocol error",
        message=error.message,
        rule=error.statement,
        version=error.version,
        answer=_answer(error, notes),
    )


def _answer(error: RemoteProtocolError, notes: PacketNotes) -> str:
    """What the receiver does about it."""
    close = "close the connection"
    if error.version == ProtocolVersion.V3_1_1:
        code = _RETURN_CODES.get(error.reason_code)
        return close if code is None else f"CONNACK with {name_of(code, 4)}, then {close}"
    carrier = "CONNACK" if notes.packet_type is PacketType.CONNECT else "DISCONNECT"
    return f"{carrier} with {name_of(error.reason_code)}, then {close}"
