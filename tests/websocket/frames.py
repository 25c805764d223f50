"""Frames written by hand, right and wrong ones, and the judges that read them."""

from __future__ import annotations

from collections.abc import Sequence

from wsproto.connection import Connection, ConnectionType

from mqttws.websocket import Event, FastFraming, Framing, Piece

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
KEY = b"\x12\x34\x56\x78"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    masked: bool,
    fin: bool = True,
    reserved: int = 0,
    length: int | None = None,
    width: int | None = None,
    key: bytes = KEY,
) -> bytes:
    """One frame. ``length`` lies about the payload, ``width`` writes the length in 1, 2 or 8 bytes whatever it is."""
    size = len(payload) if length is None else length
    if width is None:
        width = 1 if size < 126 else 2 if size < 0x10000 else 8
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    short = {1: size, 2: 126, 8: 127}[width]
    head = bytes((first, (0x80 if masked else 0) | short)) + (b"" if width == 1 else size.to_bytes(width, "big"))
    return head + (key + naive_mask(key, payload) if masked else payload)


def naive_mask(key: bytes, data: bytes) -> bytes:
    """Masking as RFC 6455, 5.3 writes it down."""
    return bytes(byte ^ key[index % 4] for index, byte in enumerate(data))


def judge(
    framing: type[Framing], *, client: bool, text: bool = False, maximum_message_size: int = 1_000_000
) -> Framing:
    """A framing in the open state; ``client`` is our own role, so its peer's frames are unmasked."""
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
    return framing(connection, text=text, maximum_message_size=maximum_message_size)


def merged(events: Sequence[Event]) -> list[Event]:
    """Events with the pieces of a message joined as far as they go, since those depend on how the bytes came in."""
    out: list[Event] = []
    for event in events:
        last = out[-1] if out else None
        if isinstance(event, Piece) and isinstance(last, Piece) and not last.finished:
            joined = last.data + event.data  # type: ignore[operator]  # both are text or both are bytes
            out[-1] = joined if event.finished else Piece(joined, False)
        else:
            out.append(event)
    return out


BOTH = [Framing, FastFraming]
