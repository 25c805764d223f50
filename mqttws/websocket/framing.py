"""Frames of an open WebSocket, through wsproto alone (RFC 6455, chapters 5 and 7).

This is the judge: what wsproto says of a frame is what we say. :mod:`mqttws.websocket.fastpath` saves it most of the
work, and a differential test holds the two together.
"""

from __future__ import annotations

from typing import Final

from wsproto.connection import Connection, ConnectionState
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.events import Pong as WsprotoPong
from wsproto.frame_protocol import CloseReason

from mqttws.websocket.events import Failed, FrameEvent, PeerClosed, Piece, Pong

__all__ = ["Framing"]

#: Where RFC 6455 states a rule, by what wsproto says when it is broken.
_SECTIONS: Final = (
    ("masked frame", "5.1"),
    ("CONTINUATION", "5.4"),
    ("control frame", "5.5"),
    ("Control frame", "5.5"),
    ("CLOSE with 1 byte", "5.5.1"),
    ("CLOSE reason", "5.5.1"),
    ("CLOSE", "7.4"),
    ("utf-8", "8.1"),
)
_NO_TEXT: Final = Failed(1003, "text frame where only binary ones are accepted", "5.6")


def section_of(message: str) -> str:
    """The section of RFC 6455 behind a fault that wsproto has found; 5.2 covers everything else in a frame."""
    return next((section for words, section in _SECTIONS if words in message), "5.2")


class Framing:
    """Both directions of one open WebSocket. It answers nothing by itself: it turns bytes into events and back.

    ``text`` allows text messages, otherwise they fail with 1003. A message may have ``maximum_message_size`` bytes,
    beyond which it fails with 1009; its parts are handed on as they arrive, so none is ever held here. After
    :class:`PeerClosed` or :class:`Failed` further bytes are ignored (:attr:`over`).
    """

    __slots__ = ("_connection", "_maximum", "_size", "_text", "over", "ping")

    def __init__(self, connection: Connection, *, text: bool, maximum_message_size: int) -> None:
        self._connection = connection
        self._text = text
        self._maximum = maximum_message_size
        self._size = -1  # of the unfinished message, -1 between messages
        #: Nothing more is read.
        self.over = False
        #: The payload of the newest ping that waits for its pong: the only one that has to be answered (5.5.3).
        self.ping: bytes | None = None

    @property
    def unfinished(self) -> bool:
        """Whether a message has begun and not ended; the first bytes of a frame's header do not tell yet."""
        return self._size >= 0

    def receive(self, data: bytes) -> list[FrameEvent]:
        """What these bytes complete. Never raises for them."""
        events: list[FrameEvent] = []
        if not self.over:
            self._judge(data, events)
        return events

    def _judge(self, data: bytes, events: list[FrameEvent]) -> None:
        """Let wsproto read the bytes."""
        self._connection.receive_data(data)
        for event in self._connection.events():
            if isinstance(event, Message):
                self._take_message(event, events)
            elif isinstance(event, Ping):
                self.ping = bytes(event.payload)
            elif isinstance(event, WsprotoPong):
                events.append(Pong(bytes(event.payload)))
            else:
                assert isinstance(event, CloseConnection)
                self._take_close(event, events)
            if self.over:
                return

    def _take_message(self, event: Message[str] | Message[bytes | bytearray], events: list[FrameEvent]) -> None:
        if isinstance(event, TextMessage) and not self._text:
            self._fail(_NO_TEXT, events)
            return
        data = bytes(event.data) if isinstance(event, BytesMessage) else str(event.data)
        whole = self._size < 0 and event.message_finished
        self._size = max(self._size, 0) + len(data)
        if self._size > self._maximum:
            self._fail(Failed(1009, f"message longer than {self._maximum} bytes", "7.4.1"), events)
            return
        if event.message_finished:
            self._size = -1
        events.append(data if whole else Piece(data, event.message_finished))

    def _take_close(self, event: CloseConnection, events: list[FrameEvent]) -> None:
        # wsproto reports a fault as the Close that we should send, and a Close frame as the one that it has received;
        # only the latter moves its state.
        if self._connection.state in (ConnectionState.OPEN, ConnectionState.LOCAL_CLOSING):
            message = event.reason or "unreadable frame"
            section = section_of(message)
            if section == "8.1" and not self._text:
                self._fail(_NO_TEXT, events)  # wsproto sees that it is no UTF-8 before we see that it is text
            else:
                self._fail(Failed(int(event.code), message, section), events)
        else:
            self.over = True
            events.append(PeerClosed(int(event.code), event.reason or ""))

    def _fail(self, failed: Failed, events: list[FrameEvent]) -> None:
        self.over = True
        events.append(failed)

    def message(self, data: bytes | str) -> bytes:
        """One whole message in one frame."""
        return self._connection.send(TextMessage(data) if isinstance(data, str) else BytesMessage(data))

    def ping_frame(self, payload: bytes) -> bytes:
        """A ping; at most 125 bytes."""
        return self._connection.send(Ping(payload))

    def pong_frame(self, payload: bytes) -> bytes:
        """A pong."""
        return self._connection.send(WsprotoPong(payload))

    def close_frame(self, code: int, reason: str = "") -> bytes:
        """Our one Close frame; nothing may follow it. Code 1005 means an empty one; a long ``reason`` is cut."""
        if code == CloseReason.NO_STATUS_RCVD:
            return self._connection.send(CloseConnection(CloseReason.NO_STATUS_RCVD))
        return self._connection.send(CloseConnection(code, reason or None))
