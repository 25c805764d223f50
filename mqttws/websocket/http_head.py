"""The HTTP head that opens a WebSocket, line by line (RFC 6455, chapter 4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mqttws.notes import Fault, Note, Section, shown
from mqttws.redaction import REDACTED, is_secret_name, redact, secret_at
from mqttws.vocabulary import Role
from mqttws.websocket.events import BadRequest
from mqttws.websocket.handshake import ServerHandshake

__all__ = ["HeadNotes", "begins_head", "dissect_head"]

#: No frame begins like that: its first byte would have reserved bits and a reserved opcode.
_BEGINNING: Final = re.compile(rb"[A-Z]{3,16} |HTTP/")
_SWITCHING: Final = re.compile(rb"HTTP/1\.[0-9] 101\b")
_END: Final = re.compile(rb"\r?\n\r?\n")


@dataclass(slots=True, kw_only=True)
class HeadNotes(Section):
    """What a request or a response is, and who sends it. Of a response that refuses, the body belongs to it."""

    sender: Role


def begins_head(data: bytes) -> bool:
    """Whether these bytes begin with an HTTP message and not with a frame."""
    return _BEGINNING.match(data) is not None


def dissect_head(data: bytes, *, show_secrets: bool = False) -> HeadNotes:
    """The head at the start of ``data``, with the verdict of our server if it is a request.

    Credentials and tokens are masked. Whether an accept value fits its request cannot be told from one direction.
    """
    is_response = data.startswith(b"HTTP/")
    end = _END.search(data)
    stop = len(data) if end is None else end.end()
    notes = HeadNotes(
        title="HTTP response from the server" if is_response else "HTTP request from the client",
        offset=0,
        size=stop,
        sender=Role.SERVER if is_response else Role.CLIENT,
    )
    position = 0
    for number, line in enumerate(data[:stop].splitlines(keepends=True)):
        name = ("status_line" if is_response else "request_line") if number == 0 else ""
        notes.notes.append(_line(position, line, name, show_secrets=show_secrets))
        position += len(line)
    if end is None:
        notes.missing = "the head is cut off; still to come: an empty line"
    elif is_response and not _SWITCHING.match(data):
        notes.size = len(data)
        if stop < len(data):
            notes.notes.append(_line(stop, data[stop:], "body", show_secrets=show_secrets))
    elif not is_response:
        answer, _ = ServerHandshake().receive(data[:stop])
        if isinstance(answer, BadRequest):
            notes.fault = Fault(
                offset=0,
                field="request_line",
                kind="bad request",
                message=answer.message,
                rule="RFC 6455, 4.2.1",
                answer=f"HTTP {answer.status}",
            )
    return notes


def _line(offset: int, line: bytes, name: str, *, show_secrets: bool) -> Note:
    """One line with its end: ``name`` is empty for a header, which brings its own."""
    text = line.decode("latin-1")
    value, start, is_secret = text.strip(), 0, False
    if not name:
        if not value:
            return Note(offset, len(line), line, "end_of_head")
        name, colon, value = text.partition(":")
        start = len(name) + 1
        is_secret = is_secret_name(name)
        name, value = name.lower(), value.strip()
        if not colon or not name.isprintable() or name != name.strip():
            name, value, start, is_secret = "unread", text.strip(), 0, True  # it may go on with a secret
    hidden = None if show_secrets else start if is_secret else secret_at(text)
    if hidden is None:
        return Note(offset, len(line), line, name, value, shown(value))
    value = REDACTED if is_secret else redact(value)
    return Note(offset, len(line), line[:hidden], name, value, shown(value), "masked", secret=True)
