"""A shorter way for the frames that carry the traffic: whole, unfragmented, binary, at most 64 KiB.

wsproto needs 7 to 9 µs for a frame, MQTT less than one for the packet inside. Such frames are cut out here directly
(about 16 times faster to read, 4 times to write at 128 bytes), as long as wsproto is not in the middle of a frame or of
a fragmented message. Everything else goes to wsproto as it is: control frames, fragments, text, large frames, cut
frames, and whatever is wrong. So wsproto alone decides what is a fault, and when.
"""

from __future__ import annotations

import os
from typing import Final

from wsproto.connection import Connection

from mqttws.websocket.events import FrameEvent
from mqttws.websocket.framing import Framing

__all__ = ["FastFraming", "mask"]

_WHOLE_BINARY: Final = 0x82
_MASKED: Final = 0x80
_CONTROL: Final = 0x08
_LONGEST_HEADER: Final = 14
#: Below this the XOR of two big integers is faster than four strided translations (2.4 times at 128 bytes).
_TRANSLATE_FROM: Final = 1536
#: How many mask keys are drawn from the system at once; drawing each alone would cost a third of a small frame.
_KEYS_DRAWN: Final = 64

_ALL_BYTES: Final = int.from_bytes(range(256), "little")
#: ``_XOR[b][a] == a ^ b``
_XOR: Final = tuple(
    (_ALL_BYTES ^ int.from_bytes(bytes((byte,)) * 256, "little")).to_bytes(256, "little") for byte in range(256)
)


def mask(key: bytes, data: bytes) -> bytes:
    """Mask or unmask a payload with the four bytes of ``key`` (RFC 6455, 5.3). Takes linear time."""
    size = len(data)
    if size < _TRANSLATE_FROM:
        repeated = (key * (size // 4 + 1))[:size]
        return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")
    masked = bytearray(data)
    for offset, byte in enumerate(key):
        masked[offset::4] = masked[offset::4].translate(_XOR[byte])
    return bytes(masked)


def frame_size(head: bytes) -> int | None:
    """How long the frame is that begins with ``head``, its header included; None while that cannot be known."""
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    size = 2
    if length == 126:
        size = 4
    elif length == 127:
        size = 10
    if len(head) < size:
        return None
    if size > 2:
        length = int.from_bytes(head[2:size], "big")
    return size + (4 if head[1] & _MASKED else 0) + length


class FastFraming(Framing):
    """A :class:`Framing` that cuts plain binary frames out by itself; event for event what wsproto alone gives."""

    __slots__ = ("_client", "_head", "_in_message", "_keys", "_owed")

    def __init__(self, connection: Connection, *, text: bool, maximum_message_size: int) -> None:
        super().__init__(connection, text=text, maximum_message_size=maximum_message_size)
        self._client = connection.client
        self._head = b""  # of the frame that wsproto is reading, while its size is unknown
        self._owed = 0  # bytes of that frame still to come
        self._in_message = False  # wsproto waits for a continuation
        self._keys = b""

    @property
    def unfinished(self) -> bool:
        """Whether a frame or a message has begun and not ended."""
        return bool(self._owed or self._head or self._in_message)

    def receive(self, data: bytes) -> list[FrameEvent]:
        """What these bytes complete. Never raises for them."""
        events: list[FrameEvent] = []
        position, size = 0, len(data)
        while position < size and not self.over:
            if not (self._owed or self._head or self._in_message):
                position = self._cut(data, position, events)
                if position == size:
                    break
            position = self._pass_on(data, position, events)
        return events

    def _cut(self, data: bytes, position: int, events: list[FrameEvent]) -> int:
        """Take the plain frames at ``position`` and behind it; return where something else begins."""
        # One comparison each for "masked or not as it must be" and "short": a wrong mask bit makes length impossible.
        bias, key_size = (0, 0) if self._client else (_MASKED, 4)
        size, maximum = len(data), self._maximum
        while position + 1 < size and data[position] == _WHOLE_BINARY:
            length = data[position + 1] - bias
            start = position + 2 + key_size
            if length == 126 and start + 2 <= size:
                length = data[position + 2] << 8 | data[position + 3]
                start += 2
                if length < 126:
                    break
            elif not 0 <= length < 126:
                break
            end = start + length
            if end > size or length > maximum:
                break
            payload = data[start:end]
            events.append(mask(data[start - 4 : start], payload) if key_size else payload)
            position = end
        return position

    def _pass_on(self, data: bytes, position: int, events: list[FrameEvent]) -> int:
        """Let wsproto read the frame at ``position``, or as much of it as is here; return where that ends."""
        end = len(data)
        if self._owed:
            end = min(end, position + self._owed)
            self._owed -= end - position
        else:
            known = len(self._head)
            head = self._head + data[position : position + _LONGEST_HEADER]
            size = frame_size(head)
            if size is None:
                self._head = head
            else:
                self._head = b""
                end = min(end, position + size - known)
                self._owed = size - known - (end - position)
                if not head[0] & _CONTROL:
                    self._in_message = head[0] < 0x80
        self._judge(data[position:end], events)
        return end

    def message(self, data: bytes | str) -> bytes:
        """One whole message in one frame."""
        if isinstance(data, str):
            return super().message(data)
        size = len(data)
        bit = _MASKED if self._client else 0
        if size < 126:
            header = bytes((_WHOLE_BINARY, bit | size))
        elif size < 0x10000:
            header = bytes((_WHOLE_BINARY, bit | 126, size >> 8, size & 0xFF))
        else:
            header = bytes((_WHOLE_BINARY, bit | 127)) + size.to_bytes(8, "big")
        if not bit:
            return header + data
        key = self._mask_key()
        return b"".join((header, key, mask(key, data)))

    def _mask_key(self) -> bytes:
        """A fresh key from the system's random source, as 5.3 asks for."""
        keys = self._keys or os.urandom(4 * _KEYS_DRAWN)
        self._keys = keys[4:]
        return keys[:4]
