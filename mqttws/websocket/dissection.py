"""What the bytes of one direction of a WebSocket are: an HTTP head if there is one, then frames (RFC 6455, 5.2).

Whether a frame is right :class:`~mqttws.websocket.framing.Framing` says; here its fault is put where it belongs, and
what it refuses is read all the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from wsproto.connection import Connection, ConnectionType
from wsproto.frame_protocol import CloseReason

from mqttws.notes import Fault, Note, Section, shown
from mqttws.redaction import redact
from mqttws.vocabulary import Role
from mqttws.websocket.events import Failed, PeerClosed
from mqttws.websocket.fastpath import mask
from mqttws.websocket.framing import Framing
from mqttws.websocket.http_head import HeadNotes, begins_head, dissect_head

__all__ = ["FrameNotes", "HeadNotes", "dissect_frames"]

_OPCODES: Final = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}
_BINARY, _CLOSE = 2, 8
_CONTROL: Final = 8
#: Bytes of the length that follows, by the length in the second byte.
_WIDTHS: Final = {126: 2, 127: 8}
_CLOSE_CODES: Final = frozenset(CloseReason)

#: Where a fault is, by what is said of it: the first words that occur in the message decide.
_FIELDS: Final = (
    ("masked frame", "masked"),
    ("Reserved bit", "reserved"),
    ("opcode", "opcode"),
    ("fragment", "fin"),
    ("payload len >", "payload_length"),
    ("Payload length", "extended_payload_length"),
    ("payload length", "extended_payload_length"),
    ("CONTINUATION", "opcode"),
    ("text frame", "opcode"),
    ("CLOSE reason", "close_reason"),
    ("CLOSE", "close_code"),
)
_OVER: Final = "Behind a Close frame nothing is read (RFC 6455, 5.5.1)."
_LOST: Final = "Behind a faulty frame nothing is certain: a receiver has closed the connection here."


@dataclass(slots=True, kw_only=True)
class FrameNotes(Section):
    """What one frame is. ``payload`` is unmasked, as much of it as is here.

    ``binary`` is what the frame adds to a binary message: its payload, or nothing.
    """

    opcode: int
    fin: bool
    payload: bytes = field(default=b"", repr=False)
    binary: bytes = field(default=b"", repr=False)
    bytes_missing: int = 0


def dissect_frames(
    data: bytes, *, sender: Role | None = None, text: bool = False, show_secrets: bool = False
) -> Iterator[HeadNotes | FrameNotes]:
    """The frames in ``data``, all of one direction, the last perhaps cut off; nothing is raised for any bytes.

    The head of an HTTP request or response may stand in front; it tells who sends, as ``sender`` does, else the mask of
    the first frame does. ``text`` allows text messages. What binary messages hold is shown with ``show_secrets`` only,
    since another reader has to look at it. In heads, texts and reasons tokens are masked. Rows count from the start of
    ``data``.
    """
    data = bytes(data)
    start = 0
    if begins_head(data):
        head = dissect_head(data, show_secrets=show_secrets)
        yield head
        start, sender = head.size, sender or head.sender
    if start < len(data):
        if sender is None:
            sender = Role.CLIENT if len(data) > start + 1 and data[start + 1] & 0x80 else Role.SERVER
        yield from _Frames(data, sender, text=text, show_secrets=show_secrets).from_(start)


class _Frames:
    """Frames and their judge, who reads what we read."""

    def __init__(self, data: bytes, sender: Role, *, text: bool, show_secrets: bool) -> None:
        # the judge plays the other end
        role = ConnectionType.SERVER if sender is Role.CLIENT else ConnectionType.CLIENT
        self._judge = Framing(Connection(role), text=text, maximum_message_size=len(data))
        self._data = data
        self._sender = sender
        self._show = show_secrets
        self._in_binary = False  # the message under way is a binary one
        self._remark = ""
        self._certain = True

    def from_(self, start: int) -> Iterator[FrameNotes]:
        """The frames from ``start`` on."""
        while start < len(self._data):
            notes = self._frame(start)
            notes.certain = self._certain
            notes.remark, self._remark = self._remark, ""
            self._verdict(notes)
            yield notes
            start += notes.size

    def _frame(self, start: int) -> FrameNotes:
        """The rows of one frame."""
        data = self._data
        first = data[start]
        opcode = first & 0x0F
        kind = _OPCODES.get(opcode, f"reserved opcode {opcode}")
        notes = FrameNotes(
            title=f"WebSocket {kind} frame from the {self._sender.value}",
            offset=start,
            size=0,
            opcode=opcode,
            fin=first >= 0x80,
        )
        rows = notes.notes
        rows += _byte(start, first, "first_byte", ((0x80, "fin"), (0x70, "reserved"), (0x0F, "opcode")))
        header = _Header(data, start, rows)
        stop = min(header.stop + (header.length or 0), len(data))
        notes.size = stop - start
        if header.missing:
            notes.bytes_missing, notes.missing = 1, f"the frame is cut off in its header, before {header.missing}"
        elif stop - header.stop < header.length:
            here = stop - header.stop
            notes.bytes_missing = header.length - here
            notes.missing = f"{here} of {header.length} bytes of payload are here"
        notes.payload = mask(header.key, data[header.stop : stop]) if header.key else data[header.stop : stop]
        if opcode < _CONTROL:
            self._in_binary = self._in_binary if opcode == 0 else opcode == _BINARY
            notes.binary = notes.payload if self._in_binary else b""
        if header.length:
            rows += self._payload(notes, header.stop, stop)
        return notes

    def _payload(self, notes: FrameNotes, start: int, stop: int) -> Iterator[Note]:
        """The rows of what is behind the header."""
        payload, raw, name = notes.payload, self._data[start:stop], "payload"
        if notes.opcode == _CLOSE and len(payload) >= 2:
            code = int.from_bytes(payload[:2], "big")
            yield Note(start, 2, raw[:2], "close_code", code, str(code), _close_name(code))
            start, payload, raw, name = start + 2, payload[2:], raw[2:], "close_reason"
        size = len(raw)
        count = "1 byte" if size == 1 else f"{size} bytes"
        if notes.binary:
            known = raw if self._show else b""
            yield Note(start, size, known, name, None, count, "of a binary message")
        elif raw:
            value = _text_or_bytes(payload)
            clean = value if self._show else _redacted(value)
            secret = clean != value
            # with the key in the row above, the masked bytes of a secret would be the secret
            known, meaning = (b"", "masked") if secret else (raw, count)
            yield Note(start, size, known, name, clean, shown(clean), meaning, secret=secret)

    def _verdict(self, notes: FrameNotes) -> None:
        """Let the judge read the frame too."""
        if self._judge.over:
            return
        for event in self._judge.receive(self._data[notes.offset : notes.offset + notes.size]):
            if isinstance(event, PeerClosed):
                self._remark, self._certain = _OVER, False
            elif isinstance(event, Failed):
                self._remark, self._certain = _LOST, False
                name = next((name for words, name in _FIELDS if words in event.message), "payload")
                place = next((note.offset for note in notes.notes if note.field == name), notes.offset)
                notes.fault = Fault(
                    offset=place,
                    field=name,
                    kind="faulty frame",
                    message=event.message,
                    rule=f"RFC 6455, {event.section}",
                    answer=f"a Close frame with {event.code} ({_close_name(event.code)}), then close the connection",
                )


class _Header:
    """The rest of a frame's header behind its first byte: ``length`` of the payload, ``key``, where it stops.

    ``missing`` names what is not here, if the frame is cut off inside its header.
    """

    def __init__(self, data: bytes, start: int, rows: list[Note]) -> None:
        self._data = data
        self._rows = rows
        self.length = 0
        self.key = b""
        self.stop = start + 1
        self.missing = ""
        if self.stop == len(data):
            self.missing = "the payload length"
            return
        second = data[self.stop]
        rows += _byte(self.stop, second, "second_byte", ((0x80, "masked"), (0x7F, "payload_length")))
        self.stop += 1
        width = _WIDTHS.get(second & 0x7F)
        length = second & 0x7F if width is None else self._take(width, "extended_payload_length")
        key = self._take(4, "masking_key") if second & 0x80 and not self.missing else 0
        if not self.missing:
            self.length = length
            self.key = key.to_bytes(4, "big") if second & 0x80 else b""

    def _take(self, size: int, name: str) -> int:
        """A number of so many bytes, as many of them as are here."""
        data = self._data[self.stop : self.stop + size]
        value = int.from_bytes(data, "big")
        if len(data) < size:
            self.missing = f"the end of {name}"
            self._rows += [Note(self.stop, len(data), data, name, meaning="cut off")] if data else []
        elif name == "masking_key":
            self._rows.append(Note(self.stop, size, data, name, value, f"0x{value:08X}", "unmasks the payload"))
        else:
            self._rows.append(Note(self.stop, size, data, name, value, str(value), "bytes of payload"))
        self.stop += len(data)
        return value


def _byte(offset: int, byte: int, name: str, parts: tuple[tuple[int, str], ...]) -> Iterator[Note]:
    """The rows of one byte and its parts."""
    yield Note(offset, 1, bytes((byte,)), name, byte, f"0x{byte:02X}")
    for bits, part in parts:
        value = (byte & bits) // (bits & -bits)
        yield Note(offset, 1, bytes((byte,)), part, value, str(value), _meaning(part, value), 1, bits)


def _meaning(part: str, value: int) -> str:
    match part:
        case "fin":
            return "the message ends here" if value else "the message goes on"
        case "reserved":
            return "for an extension, none was negotiated" if value else "as they must be"
        case "opcode":
            return _OPCODES.get(value, "reserved")
        case "masked":
            return "masked, as a client must" if value else "not masked, as a server must"
        case _:
            width = _WIDTHS.get(value)
            return "bytes of payload" if width is None else f"the next {width} bytes are the length"


def _close_name(code: int) -> str:
    """A close code in words (RFC 6455, 7.4.1)."""
    if code in _CLOSE_CODES:
        return CloseReason(code).name.replace("_", " ").lower()
    return "of the application" if 3000 <= code < 5000 else "not defined"


def _text_or_bytes(data: bytes) -> str | bytes:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _redacted(value: str | bytes) -> str | bytes:
    """Without tokens; bytes stay bytes if there is none."""
    if isinstance(value, str):
        return redact(value)
    text = value.decode("latin-1")
    clean = redact(text)
    return value if clean == text else clean
