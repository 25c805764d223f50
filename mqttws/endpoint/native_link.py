"""A WebSocket of a client that speaks one of Web PubSub's own protocols: whole messages in and out, no I/O.

A :class:`NativeLink` has what a :class:`~mqttws.transport.Pump` needs of a link, as :class:`mqttws.link.Link` has.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from enum import Enum, auto
from io import StringIO
from typing import Final, TypeAlias

from mqttws.endpoint.service import Service
from mqttws.errors import ConnectionLost, MqttError, PeerSilent
from mqttws.link_endings import fault, lost, peer_closed
from mqttws.redaction import redact
from mqttws.session import Change, Closed
from mqttws.websocket import Event, Failed, Lost, PeerClosed, Piece, WebSocket

__all__ = ["NativeEvent", "NativeLink"]

#: A whole message, or the end.
NativeEvent: TypeAlias = str | bytes | Closed

#: Bytes that a client may send while its handshake waits for an answer, though it should not.
_EARLY: Final = 65_536


class _Phase(Enum):
    ASKED = auto()  # the handshake waits for our answer
    OPEN = auto()
    CLOSING = auto()  # the outcome is known, our farewell is on its way, what still arrives is thrown away
    CLOSED = auto()  # the transport may close once it has taken what is queued


class NativeLink:
    """Takes over a WebSocket whose handshake waits for its answer, :meth:`accept` or :meth:`reject`.

    A message is held until it is whole; the WebSocket bounds it. A client that is silent for half of the setting
    ``native_silence`` is pinged, and one that stays silent is gone.
    """

    def __init__(self, websocket: WebSocket, service: Service) -> None:
        self._websocket = websocket
        self._close_timeout = service.close_timeout
        self._patience = service.native_silence / 2
        self._phase = _Phase.ASKED
        self._deadline = math.inf
        self._pinged = False
        self._broken = False
        self._early = 0
        self._events: list[NativeEvent] = []
        self._text = StringIO()
        self._octets = bytearray()

    # -- what the pump needs --------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Nothing more comes and everything was taken: the transport may close."""
        return self._phase is _Phase.CLOSED and not self._websocket.bytes_pending

    @property
    def bytes_pending(self) -> int:
        """Bytes queued and not yet taken."""
        return self._websocket.bytes_pending

    def receive_data(self, data: bytes, now: float) -> None:
        """Read on; a sign of life, whatever it is. Never raises for the peer's bytes."""
        if self._phase is _Phase.OPEN:
            self._heard(now)
        elif self._phase is _Phase.ASKED:
            self._early += len(data)
            if self._early > _EARLY:
                self.reject(now, 400, (), b"a client waits for the answer to its handshake (RFC 6455, 4.1)\n")
        self._websocket.receive_data(data)
        self._take(now)

    def receive_eof(self, now: float, *, broken: bool = False) -> None:
        """The peer's bytes have ended, by a reset if ``broken``."""
        self._broken = broken
        self._websocket.receive_eof()
        self._take(now)
        self._phase = _Phase.CLOSED

    def events(self) -> list[NativeEvent]:
        """What has happened since the last call, in order. ``Closed`` is the last event there is, and comes once."""
        events, self._events = self._events, []
        return events

    def data_to_send(self, now: float) -> bytes:  # noqa: ARG002 - the interface
        """Everything due as one bytes object."""
        return self._websocket.data_to_send()

    def next_deadline(self) -> float:
        """When to call :meth:`handle_deadline`."""
        return math.inf if self.closed else self._deadline

    def handle_deadline(self, now: float) -> None:
        """Ping a silent peer, give it up, or end the wait for its farewell."""
        if now < self.next_deadline():
            return
        if self._phase is _Phase.OPEN and not self._pinged:
            self._pinged = True
            self._deadline = now + self._patience
            self._websocket.ping()
        elif self._phase is _Phase.OPEN:
            self._end(PeerSilent(f"nothing was received for {2 * self._patience:g} seconds"), now)
            self._websocket.close(1001, "silent for too long")
        else:
            self._phase = _Phase.CLOSED
            self._websocket.drop_pending()  # nobody took it in all that time

    def changes(self) -> list[Change]:
        """Nothing here is durable."""
        return []

    def committed(self) -> None:
        """Nothing was to be stored."""

    # -- what the owner does --------------------------------------------------------------------------------------

    def accept(self, subprotocol: str | None, now: float) -> None:
        """Answer the handshake with ``101``. Does nothing if the client has left meanwhile."""
        if self._phase is _Phase.ASKED:
            self._phase = _Phase.OPEN
            self._heard(now)
            self._websocket.accept(() if subprotocol is None else (subprotocol,), text=True)
            self._take(now)

    def reject(self, now: float, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Answer the handshake with an HTTP status instead. Does nothing if the client has left meanwhile."""
        if self._phase is _Phase.ASKED:
            self._websocket.reject(status, headers, body)
            self._end(None, now)

    def send(self, message: str | bytes) -> None:
        """Queue one message, unless the connection has ended."""
        if self._phase is _Phase.OPEN:
            self._websocket.send_message(message)

    def close(self, now: float, code: int = 1000, reason: str = "") -> None:
        """Begin the farewell; ``Closed(None)`` is the last event. Does nothing once the end has begun."""
        if self._phase is _Phase.ASKED:
            self.reject(now, 503, (), b"the server is closing\n")
        elif self._phase is _Phase.OPEN:
            self._websocket.close(code, reason)
            self._end(None, now)

    def abort(self, now: float) -> None:
        """End the connection for a fault of ours."""
        if self._phase is _Phase.OPEN:
            self._end(ConnectionLost("this end has aborted the connection"), now)
            self._websocket.close(1011)
        else:
            self.close(now)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _heard(self, now: float) -> None:
        self._pinged = False
        self._deadline = now + self._patience

    def _end(self, error: MqttError | None, now: float) -> None:
        self._events.append(Closed(error))
        self._phase = _Phase.CLOSING
        self._deadline = now + self._close_timeout

    def _take(self, now: float) -> None:
        for event in self._websocket.events():
            self._handle(event, now)

    def _handle(self, event: Event, now: float) -> None:
        if isinstance(event, PeerClosed | Lost):
            if self._phase in (_Phase.ASKED, _Phase.OPEN):
                self._end(self._outcome(event), now)
            self._phase = _Phase.CLOSED
        elif self._phase is not _Phase.OPEN:
            return
        elif isinstance(event, str | bytes):
            self._events.append(event)
        elif isinstance(event, Piece):
            self._assemble(event)
        elif isinstance(event, Failed):
            self._end(fault(event), now)

    def _outcome(self, event: PeerClosed | Lost) -> MqttError | None:
        """What a farewell means: 1000 and 1001 are orderly (RFC 6455, 7.4.1), and so is a Close without a code."""
        if isinstance(event, Lost):
            return lost(event, broken=self._broken, in_packet=False)
        return None if event.code in (1000, 1001, 1005) else peer_closed(event, "client", redact)

    def _assemble(self, piece: Piece) -> None:
        """All pieces of one message are of one kind. However many they are, they cost what their bytes cost."""
        if isinstance(piece.data, str):
            self._text.write(piece.data)
            if piece.finished:
                self._events.append(self._text.getvalue())
                self._text = StringIO()
        else:
            self._octets += piece.data
            if piece.finished:
                self._events.append(bytes(self._octets))
                self._octets = bytearray()
