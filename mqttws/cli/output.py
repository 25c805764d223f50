"""Messages on standard output: raw, with their topic, or as one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, Protocol

import trio

from mqttws.cli.properties import jsonable, text_or_base64

__all__ = ["Shown", "as_json", "as_line", "write_lines"]


class Shown(Protocol):
    """What the output needs to know of a message."""

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def qos(self) -> int: ...
    @property
    def retain(self) -> bool: ...
    @property
    def properties(self) -> Any: ...


def as_line(message: Shown, *, with_topic: bool) -> bytes:
    """The payload, byte for byte, behind the topic and a space if asked for."""
    if with_topic:
        return b"%b %b\n" % (message.topic.encode("utf-8", "replace"), message.payload)
    return message.payload + b"\n"


def as_json(message: Shown) -> bytes:
    """One line of ASCII; ``payload`` is text where the bytes are UTF-8, else there is ``payload_base64``."""
    members: dict[str, Any] = {"topic": message.topic}
    members |= text_or_base64("payload", message.payload)
    members |= {"qos": int(message.qos), "retain": message.retain, "properties": jsonable(message.properties)}
    return json.dumps(members).encode("ascii") + b"\n"


async def write_lines(lines: Iterable[bytes]) -> None:
    """Write and flush, on a thread: a reader that pauses must not stop the Keep Alive."""
    data = b"".join(lines)
    if sys.stdout.isatty():
        data = _harmless(data)
    await trio.to_thread.run_sync(_write, data)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _harmless(data: bytes) -> bytes:
    """For a terminal: other people's text must not move the cursor or set colours."""
    text = data.decode("utf-8", "replace")
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    ).encode()
