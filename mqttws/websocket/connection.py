"""One WebSocket without I/O, for either role: the handshake, then messages both ways, then the farewell.

Nothing here knows MQTT, and nothing asks for the time: deadlines are the owner's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

from wsproto.connection import Connection

from mqttws.errors import LocalProtocolError
from mqttws.http import BadMessage, Limits, Response
from mqttws.websocket.events import BadRequest, Event, Failed, FrameEvent, Lost, Opened, PeerClosed, Refused
from mqttws.websocket.fastpath import FastFraming
from mqttws.websocket.framing import Framing
from mqttws.websocket.handshake import ClientHandshake, ServerHandshake

__all__ = ["MAXIMUM_MESSAGE_SIZE", "State", "WebSocket"]

#: Bytes. Parts of a message are handed on as they come, so this bounds no memory; it ends a message without an end.
MAXIMUM_MESSAGE_SIZE = 16 * 1024 * 1024


class State(Enum):
    """What this end may do next."""

    CONNECTING = auto()
    """The handshake is under way."""
    OPEN = auto()
    """Messages may be sent."""
    CLOSING = auto()
    """Our Close frame is queued or sent; the peer's is to come."""
    CLOSED = auto()
    """Nothing more is read or written, beyond what is queued."""


class WebSocket:
    """Made by :meth:`client` or :meth:`server`: feed :meth:`receive_data`, drain :meth:`events`, write
    :meth:`data_to_send`.

    Pings are answered by themselves, the newest one only, however many arrive before the next :meth:`data_to_send`; so
    is a Close frame. ``text`` allows text messages, else they close with 1003. A message above
    ``maximum_message_size`` bytes closes with 1009, a broken rule of framing with 1002. ``fast_path=False`` leaves
    every frame to wsproto.
    """

    def __init__(
        self,
        handshake: ClientHandshake | ServerHandshake,
        *,
        text: bool = False,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        fast_path: bool = True,
    ) -> None:
        self.state = State.CONNECTING
        self._handshake: ClientHandshake | ServerHandshake | None = handshake
        self._framing: Framing | None = None
        self._make_framing = FastFraming if fast_path else Framing
        self._text = text
        self._maximum = maximum_message_size
        self._events: list[Event] = []
        self._out: list[bytes] = []
        #: How many bytes :meth:`data_to_send` would give now, pongs not counted.
        self.bytes_pending = 0

    @classmethod
    def client(
        cls,
        *,
        host: str,
        target: str,
        headers: Iterable[tuple[str, str]] = (),
        subprotocols: Sequence[str] = (),
        text: bool = False,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        fast_path: bool = True,
    ) -> WebSocket:
        """The client's end; its request is queued. ``host`` is the Host header, with a port that is not the usual one.

        An answer that names none of the offered ``subprotocols`` is refused. Raises :class:`LocalProtocolError` for
        what cannot stand in a request.
        """
        handshake = ClientHandshake(host=host, target=target, headers=headers, subprotocols=subprotocols)
        websocket = cls(handshake, text=text, maximum_message_size=maximum_message_size, fast_path=fast_path)
        websocket._queue(handshake.request)
        return websocket

    @classmethod
    def server(
        cls,
        *,
        text: bool = False,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        fast_path: bool = True,
        plain: Limits | None = None,
    ) -> WebSocket:
        """The server's end; it waits for a request, which is an event that the owner answers.

        With ``plain`` limits requests that ask for no WebSocket are events too, answered by :meth:`respond`; without
        they are refused.
        """
        return cls(ServerHandshake(plain), text=text, maximum_message_size=maximum_message_size, fast_path=fast_path)

    def events(self) -> list[Event]:
        """What happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def data_to_send(self) -> bytes:
        """Everything queued, and the answer to the newest ping."""
        framing = self._framing
        if framing is not None and framing.ping is not None:
            if self.state is State.OPEN:
                self._out.append(framing.pong_frame(framing.ping))
            framing.ping = None
        if not self._out:
            return b""
        data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
        self._out.clear()
        self.bytes_pending = 0
        return data

    def drop_pending(self) -> None:
        """Forget what is queued: nobody will take it any more."""
        self._out.clear()
        self.bytes_pending = 0

    def _queue(self, data: bytes) -> None:
        self._out.append(data)
        self.bytes_pending += len(data)

    def receive_data(self, data: bytes) -> None:
        """Read on. Never raises for the peer's bytes; behind a Close frame or a fault they are ignored."""
        if self._framing is not None:
            if self.state is not State.CLOSED:
                self._take(self._framing.receive(data))
        elif isinstance(self._handshake, ClientHandshake):
            self._read_answer(self._handshake, data)
        elif self._handshake is not None:
            self._read_request(self._handshake, data)

    def _read_request(self, handshake: ServerHandshake, data: bytes) -> None:
        event, answer = handshake.receive(data)
        if event is not None:
            self._events.append(event)
        if isinstance(event, BadRequest):
            self._queue(answer)
            self._end()

    def receive_eof(self) -> None:
        """The peer's bytes have ended, or nobody will wait for more: the last event, unless that has been."""
        if self.state is State.CLOSED:
            return
        if isinstance(self._handshake, ClientHandshake):
            lost = Lost("the connection ended before the handshake was answered", unfinished=True)
            self._events.append(self._handshake.end() or lost)
        elif self._handshake is not None:
            self._events.append(Lost("the connection ended before the handshake was over", unfinished=True))
        else:
            assert self._framing is not None  # once the handshake is over, until CLOSED
            where = "in the middle of a frame or a message" if self._framing.unfinished else "without a Close frame"
            self._events.append(Lost(f"the connection ended {where}", self._framing.unfinished))
        self._end()

    def _read_answer(self, handshake: ClientHandshake, data: bytes) -> None:
        try:
            event = handshake.receive(data)
        except BadMessage as fault:
            self._events.append(Failed(1002, f"the answer to the handshake is no HTTP: {fault.message}", "4.1"))
            self._end()
            return
        if isinstance(event, Opened):
            self._open(event, handshake.connection, handshake.trailing)
        elif isinstance(event, Refused):
            self._events.append(event)
            self._end()

    def _open(self, opened: Opened, connection: Connection | None, trailing: bytes) -> None:
        assert connection is not None
        self._framing = self._make_framing(connection, text=self._text, maximum_message_size=self._maximum)
        self._handshake = None
        self.state = State.OPEN
        self._events.append(opened)
        if trailing:
            self._take(self._framing.receive(trailing))

    def _take(self, events: list[FrameEvent]) -> None:
        self._events += events
        assert self._framing is not None
        if not self._framing.over:
            return
        last = events[-1]
        assert isinstance(last, PeerClosed | Failed)
        if self.state is State.OPEN:
            reason = last.message if isinstance(last, Failed) else ""
            self._queue(self._framing.close_frame(last.code, reason))
        self.state = State.CLOSED

    def _end(self) -> None:
        self._handshake = None
        self.state = State.CLOSED

    def respond(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Server: answer a plain request. The next one may be an event at once; where HTTP ends with this answer, the
        state is CLOSED.

        Does nothing if the client has left meanwhile. Raises :class:`LocalProtocolError` where HTTP forbids the answer.
        """
        if self.state is State.CLOSED:
            return
        assert isinstance(self._handshake, ServerHandshake)  # plain requests come before 101 only
        data, is_last = self._handshake.respond(Response(status, tuple(headers), body))
        self._queue(data)
        if is_last:
            self._end()
        else:
            self._read_request(self._handshake, b"")

    def accept(
        self,
        subprotocols: Sequence[str] = (),
        headers: Iterable[tuple[str, str]] = (),
        *,
        text: bool | None = None,
    ) -> None:
        """Server: answer :class:`~mqttws.websocket.events.Upgrade` with ``101``.

        The first of ``subprotocols`` that the client offers is chosen, or none; ``text`` may be decided now. Does
        nothing if the client has left meanwhile. Raises :class:`LocalProtocolError` where no request waits or a header
        cannot be sent.
        """
        if self.state is State.CLOSED:
            return
        handshake = self._asked()
        if text is not None:
            self._text = text
        opened, data = handshake.accept(subprotocols, headers)
        self._queue(data)
        self._open(opened, handshake.connection, handshake.trailing)

    def reject(self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Server: answer with an HTTP status instead, at any time before ``101``; then the connection is over.

        Does nothing if the client has left meanwhile. Raises :class:`LocalProtocolError` where nothing can be rejected
        or HTTP forbids the answer.
        """
        if self.state is State.CLOSED:
            return
        if not isinstance(self._handshake, ServerHandshake):
            raise LocalProtocolError("only a server that has not accepted can reject")
        self._queue(self._handshake.reject(status, headers, body))
        self._end()

    def _asked(self) -> ServerHandshake:
        if not isinstance(self._handshake, ServerHandshake) or not self._handshake.asked:
            raise LocalProtocolError("there is no WebSocket request to accept")
        return self._handshake

    def send_message(self, data: bytes | str) -> None:
        """Queue one whole message."""
        self._queue(self._open_framing().message(data))

    def ping(self, payload: bytes = b"") -> None:
        """Queue a ping; ``payload`` has at most 125 bytes (5.5) and comes back in a :class:`Pong`."""
        if len(payload) > 125:
            raise LocalProtocolError("the payload of a ping has at most 125 bytes")
        self._queue(self._open_framing().ping_frame(payload))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Queue our Close frame; the peer's frames are still read until its own. Does nothing unless open.

        ``code`` is one that may stand in a frame (7.4), or 1005 to say none.
        """
        if not 1000 <= code <= 4999:
            raise LocalProtocolError(f"{code} is no WebSocket close code")
        if self.state is State.OPEN:
            self._queue(self._open_framing().close_frame(code, reason))
            self.state = State.CLOSING

    def _open_framing(self) -> Framing:
        if self._framing is None or self.state is not State.OPEN:
            raise LocalProtocolError(f"the WebSocket is {self.state.name.lower()}")
        return self._framing
