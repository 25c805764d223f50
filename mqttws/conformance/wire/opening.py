"""The WebSocket handshake byte by byte, for either end, good or as wrong as a check wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import trio

from mqttws.conformance.verdict import Failed
from mqttws.conformance.wire.target import Target
from mqttws.websocket import accept_token

__all__ = ["KEY", "REQUEST", "Head", "answer", "read_head", "request"]

#: Sec-WebSocket-Key of our requests; the same at each run, so that transcripts compare.
KEY: Final = "bXF0dHdzLWNvbmZvcm1pdA=="
#: A good request; places are filled in by :meth:`~mqttws.conformance.wire.target.Target.fill`.
REQUEST: Final = (
    b"GET {target} HTTP/1.1\r\n"
    b"Host: {host}\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY.encode() + b"\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n"
    b"{headers}\r\n"
)
#: Bytes of a head; whoever sends more is not read any further.
_LARGEST_HEAD: Final = 65_536


@dataclass(slots=True)
class Head:
    """The head of a request or an answer; names of headers in small letters, the bytes behind it in ``rest``."""

    line: str
    headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    rest: bytes = field(default=b"", repr=False)

    @property
    def status(self) -> int:
        """Of an answer; 0 if there is none of three digits."""
        words = self.line.split(" ")
        return int(words[1]) if len(words) > 1 and words[1].isdecimal() and len(words[1]) == 3 else 0

    @property
    def target(self) -> str:
        """Of a request."""
        words = self.line.split(" ")
        return words[1] if len(words) > 1 else ""

    def all(self, name: str) -> list[str]:
        """The values of a header, one for each time that it is there."""
        return [value for found, value in self.headers if found == name]

    def get(self, name: str) -> str:
        """Its values, joined as HTTP allows; ``""`` without one."""
        return ", ".join(self.all(name))

    def words(self, name: str) -> list[str]:
        """The words of a list in a header."""
        return [word.strip() for word in self.get(name).split(",") if word.strip()]


def answer(request: Head, *, subprotocol: str | None = "mqtt", headers: Sequence[tuple[str, str]] = ()) -> bytes:
    """The good answer to a request, 101; ``subprotocol`` None leaves that header out."""
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Accept: {accept_token(request.get('sec-websocket-key').encode('latin-1')).decode()}",
    ]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


async def read_head(stream: trio.abc.ReceiveStream, within: float) -> Head | None:
    """The head that comes next; None if the stream ends or is reset before.

    Raises :class:`Failed` if it does not come in time, or is endless.
    """
    held = bytearray()
    with trio.move_on_after(within):
        while b"\r\n\r\n" not in held:
            if len(held) > _LARGEST_HEAD:
                raise Failed("its HTTP head has no end")
            try:
                data = await stream.receive_some(65_536)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return None
            if not data:
                return None
            held += data
        return _parse(bytes(held))
    raise Failed(f"no whole HTTP head within {within:g} s")


def _parse(data: bytes) -> Head:
    head, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = [line.partition(":") for line in lines]
    return Head(first, [(name.strip().lower(), value.strip()) for name, _, value in pairs], rest)


async def request(
    target: Target, stream: trio.abc.Stream, within: float, *, change: Callable[[bytes], bytes] = bytes
) -> Head | None:
    """Ask for a WebSocket and read the answer; ``change`` may spoil our request first.

    None if there is no answer but the end of the stream. Raises :class:`Failed` if none comes in time.
    """
    try:
        with trio.move_on_after(within):
            await stream.send_all(target.fill(change(REQUEST)))
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return None
    return await read_head(stream, within)
