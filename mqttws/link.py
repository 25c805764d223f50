"""A whole wire without I/O, for either role: HTTP upgrade and WebSocket outside, MQTT inside (MQTT chapter 6).

A :class:`Link` has the same interface as the :class:`~mqttws.session.Connection` in it and merges everything into one:
one stream of events with one last :class:`~mqttws.session.Closed`, one stream of bytes each way, one deadline. A
transport moves the bytes and keeps the timer; every decision about closing is made here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from typing import Any, TypeAlias

from mqttws.codec import Packet, Publish
from mqttws.errors import ConnectionLost, LocalProtocolError, MqttError, PeerSilent, RemoteProtocolError
from mqttws.http import Limits, Request
from mqttws.link_endings import close_reason, fault, lost, peer_closed, refusal
from mqttws.redaction import Scrubber, redact
from mqttws.session import Change, Closed, Connection
from mqttws.session.events import Event as MqttEvent
from mqttws.vocabulary import Role
from mqttws.websocket import (
    MAXIMUM_MESSAGE_SIZE,
    BadRequest,
    Event,
    Failed,
    Lost,
    Opened,
    PeerClosed,
    Piece,
    Refused,
    State,
    Upgrade,
    WebSocket,
)

__all__ = ["LARGEST_MESSAGE", "SUBPROTOCOL", "Link", "LinkEvent", "Opened", "Upgrade"]

#: The WebSocket subprotocol of MQTT [MQTT-6.0.0-3, -4].
SUBPROTOCOL = "mqtt"
#: Packets that leave together share one binary message of at most so many bytes; a longer packet has one of its own.
#: Web PubSub's and others' limits on a message are unknown below 1 MiB, and above this sharing saves nothing more.
LARGEST_MESSAGE = 64 * 1024

#: A plain HTTP :class:`~mqttws.http.Request` comes only to a server that was made with ``plain`` limits.
LinkEvent: TypeAlias = Upgrade | Request | Opened | MqttEvent


class _Phase(Enum):
    IDLE = auto()  # start() has not been called
    HANDSHAKE = auto()  # until 101
    OPEN = auto()
    CLOSING = auto()  # the outcome is known; farewells are on their way, what still arrives is thrown away
    CLOSED = auto()  # the transport may close once it has taken what is queued


class Link:
    """Made by :meth:`client` or :meth:`server`.

    The farewell is one of three: our Close frame behind the last MQTT packet, the answer to the peer's, or one that
    names a broken rule. Then a server waits for the peer's Close frame and closes first, and a client waits for that
    (RFC 6455, 7.1.1); neither waits longer than ``close_timeout``.
    """

    def __init__(
        self,
        connection: Connection,
        websocket: WebSocket,
        *,
        handshake_timeout: float = 10.0,
        close_timeout: float = 1.0,
        one_packet_per_message: bool = False,
        scrub: Callable[[str], str] = redact,
    ) -> None:
        #: The MQTT inside. Its methods may be called directly, if :meth:`data_to_send` is called after them.
        self.connection = connection
        self._websocket = websocket
        self._is_server = connection.role is Role.SERVER
        self._handshake_timeout = handshake_timeout
        self._close_timeout = close_timeout
        self._largest_message = 0 if one_packet_per_message else LARGEST_MESSAGE
        self._scrub = scrub  # takes secrets out of what the peer says
        self._phase = _Phase.IDLE
        self._asked = False  # Upgrade or a plain request was reported and waits for its answer
        self._served = False  # plain HTTP was spoken, which may end at any time
        self._gone = False  # nothing more will be read
        self._broken = False  # because the stream was reset
        self._deadline = math.inf  # of the handshake or of the farewell; while open, MQTT's counts
        self._events: list[LinkEvent] = []
        self._outcome: MqttError | None = None

    @classmethod
    def client(
        cls,
        connection: Connection,
        *,
        host: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        handshake_timeout: float = 10.0,
        close_timeout: float = 1.0,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        one_packet_per_message: bool = False,
        fast_path: bool = True,
    ) -> Link:
        """The client's end. ``host`` is the Host header, ``target`` path and query; times are in seconds.

        CONNECT may be sent at once, it leaves when the answer to the handshake was good. A peer that reads only one
        packet a message needs ``one_packet_per_message``; ``fast_path=False`` leaves every frame to wsproto. Raises
        :class:`LocalProtocolError` for what cannot stand in an HTTP request; the text holds no value.
        """
        websocket = WebSocket.client(
            host=host,
            target=target,
            headers=headers,
            subprotocols=(SUBPROTOCOL,),
            maximum_message_size=maximum_message_size,
            fast_path=fast_path,
        )
        return cls(
            connection,
            websocket,
            handshake_timeout=handshake_timeout,
            close_timeout=close_timeout,
            one_packet_per_message=one_packet_per_message,
            scrub=Scrubber(target, headers),
        )

    @classmethod
    def server(
        cls,
        connection: Connection,
        *,
        handshake_timeout: float = 10.0,
        close_timeout: float = 1.0,
        maximum_message_size: int = MAXIMUM_MESSAGE_SIZE,
        one_packet_per_message: bool = False,
        fast_path: bool = True,
        plain: Limits | None = None,
    ) -> Link:
        """The server's end. ``handshake_timeout`` seconds are for the request, and again for our owner's answer to it.

        With ``plain`` limits HTTP requests that ask for no WebSocket are events too, whole and with their body; the
        owner answers each by :meth:`respond`. Without, they are refused.
        """
        return cls(
            connection,
            WebSocket.server(maximum_message_size=maximum_message_size, fast_path=fast_path, plain=plain),
            handshake_timeout=handshake_timeout,
            close_timeout=close_timeout,
            one_packet_per_message=one_packet_per_message,
        )

    @property
    def closed(self) -> bool:
        """Nothing more comes and everything was taken: the transport may close."""
        return self._phase is _Phase.CLOSED and not self._websocket.bytes_pending

    @property
    def is_open(self) -> bool:
        """Whether the WebSocket is open and MQTT has not ended."""
        return self._websocket.state is State.OPEN and not self.connection.closed

    @property
    def bytes_pending(self) -> int:
        """Bytes queued and not yet taken, packets that wait for the handshake or for :meth:`committed` included."""
        websocket = self._websocket
        may_leave = self._phase is not _Phase.CLOSED and websocket.state in (State.CONNECTING, State.OPEN)
        return websocket.bytes_pending + (self.connection.bytes_pending if may_leave else 0)

    # Bytes, events and time

    def start(self, now: float) -> None:
        """Bytes may flow: the handshake's time begins, and a client's request is due."""
        if self._phase is not _Phase.IDLE:
            raise LocalProtocolError("the link was started before")
        self._phase = _Phase.HANDSHAKE
        self._deadline = now + self._handshake_timeout

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in what the peer has sent, in any portions. Never raises for it; after the end it is thrown away."""
        websocket = self._websocket
        websocket.receive_data(data)
        self._take(websocket.events(), now)

    def receive_eof(self, now: float, *, broken: bool = False) -> None:
        """The peer's bytes have ended, or the stream is ``broken``: where that comes too early, Closed says so."""
        self._broken = broken
        if self._phase is _Phase.CLOSING:
            self._fill(now)  # a peer that has only shut down its sending still reads our farewell
        self._websocket.receive_eof()
        self._take(self._websocket.events(), now)
        if self._phase is not _Phase.CLOSED:
            self._finish(now)

    def events(self) -> list[LinkEvent]:
        """What has happened since the last call, in order. Closed is the last event there is, and comes once."""
        happened, self._events = self._events, []
        happened += self.connection.events()
        if happened and isinstance(last := happened[-1], Closed):
            self._outcome = last.error
        return happened

    def data_to_send(self, now: float) -> bytes:
        """Everything due as one bytes object; empty when there is nothing."""
        if self._phase is _Phase.IDLE:
            return b""
        self._check(now)
        if self._phase is not _Phase.CLOSED:
            self._fill(now)
        return self._websocket.data_to_send()

    def next_deadline(self) -> float:
        """When to call :meth:`handle_deadline`; infinity when there is nothing to wait for."""
        if self._phase is _Phase.OPEN:
            return self.connection.next_deadline()
        return math.inf if self.closed else self._deadline

    def handle_deadline(self, now: float) -> None:
        """Ping, or give up: the handshake, a silent peer, the wait for a farewell. Before its time it does nothing."""
        if now < self.next_deadline():
            return
        if self._phase is _Phase.OPEN:
            self.connection.handle_deadline(now)
            self._check(now)
        elif self._phase is _Phase.HANDSHAKE:
            self._give_up_handshake(now)
        else:
            self._phase = _Phase.CLOSED
            self._websocket.drop_pending()  # nobody took it in all that time

    def changes(self) -> list[Change]:
        """What a durable Session has to store before the bytes that depend on it are given out."""
        return self.connection.changes()

    def committed(self) -> None:
        """What :meth:`changes` gave last is stored."""
        self.connection.committed()

    # What the owner does

    def accept(self, now: float, *, headers: Iterable[tuple[str, str]] = (), echo: bool = True) -> None:
        """Server: answer Upgrade with ``101``, naming the subprotocol ``mqtt`` if the client offers it, else none.

        Accepting who offers none is lenience [MQTT-6.0.0-3], never naming it (``echo=False``) a fault. Does nothing if
        the client has left meanwhile. Raises :class:`LocalProtocolError` as :meth:`reject`.
        """
        self._websocket.accept((SUBPROTOCOL,) if echo else (), headers)
        self._asked = False
        self._take(self._websocket.events(), now)

    def reject(self, now: float, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Server: answer Upgrade with an HTTP status instead; ``Closed(None)`` follows.

        Does nothing if the client has left meanwhile. Raises :class:`LocalProtocolError` where no request waits, or for
        an answer or headers that HTTP forbids.
        """
        if not self._asked and self._phase not in (_Phase.CLOSING, _Phase.CLOSED):
            raise LocalProtocolError("there is no WebSocket request to reject")
        self._websocket.reject(status, headers, body)
        self._asked = False
        self.connection.close(now)
        self._check(now)

    def respond(self, now: float, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        """Server: answer a plain HTTP request.

        The next one may be an event at once, or come within ``handshake_timeout`` seconds; where HTTP ends with this
        answer, ``Closed(None)`` follows. Otherwise as :meth:`reject`.
        """
        if self._phase in (_Phase.CLOSING, _Phase.CLOSED):
            return
        if not self._asked:
            raise LocalProtocolError("there is no HTTP request to answer")
        websocket = self._websocket
        websocket.respond(status, headers, body)
        self._asked = False
        self._served = True
        self._deadline = now + self._handshake_timeout
        if websocket.state is State.CLOSED:
            self.connection.close(now)
            self._check(now)
        self._take(websocket.events(), now)

    def hand_over(self) -> WebSocket:
        """Server: give the WebSocket whose Upgrade waits to an owner that speaks something else than MQTT.

        That owner answers it and moves its bytes; this link is not used any more. Raises :class:`LocalProtocolError`.
        """
        if not self._asked:
            raise LocalProtocolError("there is no WebSocket request to hand over")
        self._asked = False
        self._phase = _Phase.CLOSED
        return self._websocket

    def send(self, packet: Packet, now: float) -> Packet:
        """:meth:`Connection.send <mqttws.session.Connection.send>`."""
        sent = self.connection.send(packet, now)
        self._check(now)
        return sent

    def acknowledge(self, publish: Publish, reason_code: int = 0, properties: Mapping[str, Any] | None = None) -> None:
        """:meth:`Connection.acknowledge <mqttws.session.Connection.acknowledge>`."""
        self.connection.acknowledge(publish, reason_code, properties)

    def close(self, now: float, reason_code: int = 0, properties: Mapping[str, Any] | None = None) -> None:
        """End in order: DISCONNECT where MQTT knows one here, a Close frame; ``Closed(None)`` is the last event.

        During the handshake a server answers 503 to a request that waits, and a client just goes.
        """
        self.connection.close(now, reason_code, properties)
        self._check(now)

    def abort(self, now: float, status_code: int = 1011, error: MqttError | None = None) -> None:
        """End without a word of MQTT, so that the peer takes the connection for lost (a Will is published).

        ``status_code`` is that of our Close frame. The last event is ``Closed(error)``, by default with a
        :class:`ConnectionLost`; or ``Closed(None)`` where a CONNECT waits for the answer of whoever aborts.
        """
        if self._phase is _Phase.OPEN:
            self._websocket.close(status_code)
        self.connection.receive_eof(now, error or ConnectionLost("this end has aborted the connection"))
        self.connection.close(now)  # says no more, but ends the wait of a CONNECT for its answer
        self._check(now)

    # Inside

    def _take(self, events: list[Event], now: float) -> None:
        """Give MQTT its bytes, joined over as many frames as came in a row, and see to everything else."""
        pieces: list[bytes] = []
        for event in events:
            if type(event) is bytes:
                pieces.append(event)
            elif isinstance(event, Piece):
                assert isinstance(event.data, bytes)  # text has failed before it became a piece
                pieces.append(event.data)
            else:
                self._deliver(pieces, now)
                pieces = []
                self._handle(event, now)
        self._deliver(pieces, now)

    def _deliver(self, pieces: list[bytes], now: float) -> None:
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if data and self._phase is _Phase.OPEN:  # empty messages are legal, and no sign of life to MQTT
            self.connection.receive_data(data, now)
            self._check(now)

    def _handle(self, event: Event, now: float) -> None:
        """What the WebSocket has to say besides messages."""
        if isinstance(event, Upgrade | Request):
            self._asked = True
            self._deadline = now + self._handshake_timeout
            self._events.append(event)
        elif isinstance(event, Opened):
            self._phase = _Phase.OPEN
            self._deadline = math.inf
            self._events.append(event)
            self.connection.start(now)
        elif isinstance(event, Refused):
            self._end(refusal(event, self._scrub), now)
        elif isinstance(event, BadRequest):
            self._end(RemoteProtocolError(f"{event.message} (RFC 6455, 4.2.1)"), now)
            # Read on for a while: closing with unread bytes resets the wire and may destroy our answer.
            self._phase = _Phase.CLOSING
        elif isinstance(event, Failed):
            self._end(fault(event), now)
        elif isinstance(event, PeerClosed):
            self._end(peer_closed(event, self.connection.role.peer.value, self._scrub), now)
            if self._is_server:
                self._finish(now)
        elif isinstance(event, Lost):
            self._end(None if self._served and not self._asked else self._loss(event), now)
            self._finish(now)

    def _loss(self, event: Lost) -> ConnectionLost:
        return lost(event, broken=self._broken, in_packet=self.connection.unfinished)

    def _end(self, error: MqttError | None, now: float) -> None:
        """The wire has ended, in order if without an error. Where MQTT had ended before, that outcome stays."""
        if error is None:
            self.connection.close(now)
        else:
            self.connection.receive_eof(now, error)
        self._check(now)

    def _check(self, now: float) -> None:
        """Begin the farewell once MQTT has ended, for whatever reason."""
        if not self.connection.closed or self._phase in (_Phase.CLOSING, _Phase.CLOSED):
            return
        before, self._phase = self._phase, _Phase.CLOSING
        self._deadline = now + self._close_timeout
        self._events = self.events()  # to learn the outcome
        if before is _Phase.HANDSHAKE or before is _Phase.IDLE:
            if self._asked:
                self._websocket.reject(503, (), b"the server is closing\n")
            elif not self._is_server:
                self._websocket.drop_pending()  # a request that nobody has taken yet
            self._gone = True
        if self._gone:
            self._finish(now)

    def _finish(self, now: float) -> None:
        """Nothing more is expected; what is queued may still be taken until the deadline.

        A CONNECT that waits for its owner's answer keeps the link from closing: MQTT tells the end only after that.
        """
        self._gone = True
        if self.connection.closed:
            self._phase = _Phase.CLOSED
            self._deadline = min(self._deadline, now + self._close_timeout)

    def _give_up_handshake(self, now: float) -> None:
        limit = f"within {self._handshake_timeout:g} seconds"
        websocket = self._websocket
        if self._served and not self._asked:
            self._end(None, now)  # an idle HTTP connection
            return
        if self._is_server:
            words = "was not answered" if self._asked else "did not come"
            websocket.reject(503 if self._asked else 408, (), f"the WebSocket request {words} {limit}\n".encode())
            self._asked = False
            self._end(PeerSilent(f"the WebSocket request {words} {limit}"), now)
            return
        websocket.receive_eof()
        refused = next((event for event in websocket.events() if isinstance(event, Refused)), None)
        late = PeerSilent(f"the WebSocket handshake was not answered {limit}")
        self._end(late if refused is None else refusal(refused, self._scrub), now)

    def _fill(self, now: float) -> None:
        """Let the WebSocket have what MQTT has to say, and behind MQTT's last word our Close frame."""
        websocket = self._websocket
        if websocket.state is State.OPEN:
            packets = self.connection.packets_to_send(now)
            if packets:
                self._pack(packets)
            if self._phase is _Phase.CLOSING and not self.connection.bytes_pending:
                websocket.close(*close_reason(self._outcome))

    def _pack(self, packets: list[bytes]) -> None:
        """Put packets into as few binary messages as the limit allows [MQTT-6.0.0-1, -2]."""
        send = self._websocket.send_message
        begin = size = 0
        for index, packet in enumerate(packets):
            if size + len(packet) > self._largest_message and index > begin:
                send(b"".join(packets[begin:index]))
                begin, size = index, 0
            size += len(packet)
        send(packets[0] if len(packets) == 1 else b"".join(packets[begin:]))
