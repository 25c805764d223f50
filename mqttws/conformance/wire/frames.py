"""WebSocket frames as a test kit needs them: written with any fault, read from a peer that may be wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mqttws.websocket import mask

__all__ = ["BINARY", "CLOSE", "CONTINUATION", "KEY", "PING", "PONG", "TEXT", "Frame", "FrameReader", "close", "frame"]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

#: The masking key of all our frames: they are to be the same at each replay.
KEY: Final = b"\x5a\x1e\x37\xc4"

#: Bytes of payload that are taken of a peer in one frame.
LARGEST_PAYLOAD: Final = 64 * 1024 * 1024


def frame(
    payload: bytes = b"",
    opcode: int = BINARY,
    *,
    fin: bool = True,
    reserved: int = 0,
    masked: bool = True,
    claimed: int | None = None,
    width: int | None = None,
) -> bytes:
    """One frame. ``reserved`` are its three reserved bits, ``claimed`` is a length that lies.

    ``width`` forces 0, 2 or 8 bytes of extended length, however short the payload is.
    """
    length = len(payload) if claimed is None else claimed
    if width is None:
        width = 0 if length < 126 else 2 if length < 0x10000 else 8
    second = {0: length, 2: 126, 8: 127}[width] | (0x80 if masked else 0)
    head = bytes(((0x80 if fin else 0) | reserved << 4 | opcode, second)) + (
        length.to_bytes(width, "big") if width else b""
    )
    return head + (KEY + mask(KEY, payload) if masked else payload)


def close(code: int | None, reason: bytes = b"", *, masked: bool = True) -> bytes:
    """A Close frame with any code, defined or not; None leaves it out."""
    return frame((b"" if code is None else code.to_bytes(2, "big")) + reason, CLOSE, masked=masked)


@dataclass(slots=True)
class Frame:
    """One frame of the peer, unmasked; ``reserved`` are its three reserved bits."""

    opcode: int
    fin: bool
    payload: bytes
    masked: bool = field(default=False, compare=False)
    reserved: int = field(default=0, compare=False)

    @property
    def close_code(self) -> int | None:
        """The code of a Close frame, if it has one."""
        return int.from_bytes(self.payload[:2], "big") if len(self.payload) >= 2 else None


class FrameReader:
    """Frames out of chunks. It judges nothing; a frame that claims more than 64 MiB ends the reading."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._over = False
        self._open = False

    @property
    def in_frame(self) -> bool:
        """Whether a frame is unfinished."""
        return self._over or bool(self._held)

    @property
    def in_message(self) -> bool:
        """Whether a message is, or a frame."""
        return self._open or self.in_frame

    def receive(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        if not self._over:
            self._held += data
        frames = []
        while (found := self._next()) is not None:
            frames.append(found)
            if found.opcode < CLOSE:
                self._open = not found.fin
        return frames

    def _next(self) -> Frame | None:
        held = self._held
        if len(held) < 2:
            return None
        length, start = held[1] & 0x7F, 2
        if length >= 126:
            start += 2 if length == 126 else 8
            length = int.from_bytes(held[2:start], "big")
        key = bytes(held[start : start + 4]) if held[1] & 0x80 else b""
        start += len(key)
        if len(held) < start or (held[1] & 0x80 and len(key) < 4):
            return None
        if length > LARGEST_PAYLOAD:
            self._over = True
            held.clear()
            return None
        if len(held) < start + length:
            return None
        payload = bytes(held[start : start + length])
        found = Frame(
            held[0] & 0x0F,
            bool(held[0] & 0x80),
            mask(key, payload) if key else payload,
            masked=bool(key),
            reserved=held[0] >> 4 & 0x07,
        )
        del held[: start + length]
        return found
