"""What a :class:`~mqttws.websocket.connection.WebSocket` tells its owner.

A whole message is its payload itself: ``bytes`` where it was binary, ``str`` where it was text. A message that comes in
frames or chunks comes out in :class:`Piece` objects, so that nobody has to hold it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from mqttws.http import Headers, Request, shown, split_target
from mqttws.redaction import REDACTED

__all__ = [
    "BadRequest",
    "Event",
    "Failed",
    "FrameEvent",
    "Lost",
    "Opened",
    "PeerClosed",
    "Piece",
    "Pong",
    "Refused",
    "Upgrade",
]


@dataclass(slots=True, repr=False)
class Upgrade:
    """Server: a client asks for a WebSocket. The owner answers with ``accept()`` or ``reject()``.

    ``path`` is still percent-encoded, ``query`` is what follows the question mark, header names are lower case. Query
    and headers may hold an access token, which the ``repr`` does not show. ``subprotocols`` are in the client's order.
    """

    path: str
    query: str
    headers: Headers
    subprotocols: tuple[str, ...] = ()
    method: str = "GET"

    @classmethod
    def of(cls, target: str, headers: Headers, subprotocols: tuple[str, ...]) -> Upgrade:
        """The event for a request target in origin or absolute form."""
        path, query = split_target(target)
        return cls(path, query, headers, subprotocols)

    def __repr__(self) -> str:
        query = REDACTED if self.query else ""
        return (
            f"Upgrade(path={self.path!r}, query={query!r}, headers={shown(self.headers)!r}, "
            f"subprotocols={self.subprotocols!r})"
        )


@dataclass(slots=True, repr=False)
class Opened:
    """The WebSocket is open. ``headers`` are those of the ``101`` beyond the handshake's own."""

    headers: Headers
    subprotocol: str | None

    def __repr__(self) -> str:
        return f"Opened(headers={shown(self.headers)!r}, subprotocol={self.subprotocol!r})"


@dataclass(slots=True, repr=False)
class Refused:
    """Client: the answer was no ``101``, or not one that fits our request; ``reason`` then says why.

    ``body`` is at most what :class:`mqttws.http.Limits` allows, cut there or where the connection ended.
    """

    status: int
    headers: Headers
    body: bytes
    reason: str = ""

    def __repr__(self) -> str:
        return f"Refused({self.status}, {shown(self.headers)!r}, {len(self.body)} bytes, reason={self.reason!r})"


@dataclass(slots=True)
class BadRequest:
    """Server: what arrived asks for no WebSocket. The answer, with this ``status`` and text, is queued already."""

    status: int
    message: str


@dataclass(slots=True)
class Piece:
    """The next part of a message; ``finished`` marks its last one. Parts may be empty."""

    data: bytes | str
    finished: bool


@dataclass(slots=True)
class Pong:
    """The peer answered a ping, or sent a pong unasked."""

    payload: bytes


@dataclass(slots=True)
class PeerClosed:
    """A Close frame of the peer: a farewell. ``code`` is 1005 if it held none (RFC 6455, 7.1.5). Nothing follows.

    Our own Close frame, if it was still due, is queued already.
    """

    code: int
    reason: str = ""


@dataclass(slots=True)
class Failed:
    """The peer broke a rule of framing. A Close frame with ``code`` is queued, and nothing more is read.

    ``section`` is where RFC 6455 states the rule.
    """

    code: int
    message: str
    section: str


@dataclass(slots=True)
class Lost:
    """The peer's bytes ended without a Close frame, or before the handshake was over.

    ``unfinished``: in the middle of a handshake, a frame or a message.
    """

    message: str
    unfinished: bool = False


#: What frames can say, in the order in which they arrived.
FrameEvent: TypeAlias = bytes | str | Piece | Pong | PeerClosed | Failed
#: A :class:`~mqttws.http.Request` asks for no WebSocket; only a server that takes such gets them.
Event: TypeAlias = Upgrade | Request | Opened | Refused | BadRequest | FrameEvent | Lost
