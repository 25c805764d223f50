"""A whole wire as a target: HTTP upgrade, WebSocket frames, MQTT inside."""

from __future__ import annotations

import math
from base64 import b64encode
from hashlib import sha1
from typing import Final

from mqttws.codec import ConnAck, Connect, Publish, encode
from mqttws.codec.properties import ConnAckProperties
from mqttws.errors import LocalProtocolError
from mqttws.fuzz.sources import BytesSource
from mqttws.fuzz.targets.packets import pieces_of
from mqttws.link import Link, LinkEvent, Upgrade
from mqttws.session import Closed, Connection
from mqttws.vocabulary import Role
from mqttws.websocket import mask

__all__ = ["HANDSHAKE", "binary_frame", "link_client", "link_server"]

#: A good request, as the server's end takes it.
HANDSHAKE: Final = (
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = b"\x01\x02\x03\x04"
#: Bytes that may leave for each that came in; answers to requests and farewells are pages of their own.
_RATIO: Final = 8
_PAGES: Final = 8_192


def binary_frame(payload: bytes, *, masked: bool) -> bytes:
    """A binary message in one frame (RFC 6455, 5.2), masked as a client has to."""
    size = len(payload)
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x82, bit | size))
    elif size < 65_536:
        head = bytes((0x82, bit | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x82, bit | 127)) + size.to_bytes(8, "big")
    return head + (_KEY + mask(_KEY, payload) if masked else payload)


def _answer(request: bytes) -> bytes:
    """The good answer to a client's request."""
    start = request.lower().index(b"sec-websocket-key: ") + len(b"sec-websocket-key: ")
    key = request[start : start + 24]
    accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class _Watched:
    """A link whose promises are checked at each step."""

    def __init__(self, role: Role) -> None:
        connection = Connection(role, maximum_packet_size=65_536)
        if role is Role.CLIENT:
            self.link = Link.client(connection, host="h", target="/mqtt", maximum_message_size=65_536)
        else:
            self.link = Link.server(connection, maximum_message_size=65_536)
        self.link.start(0.0)
        self.role = role
        self.events: list[LinkEvent] = []
        self.received = self.sent = 0
        if role is Role.CLIENT:
            self.link.send(Connect(client_id="c", keep_alive=10), 0.0)
        self.first = self.drain()

    def feed(self, data: bytes) -> None:
        """Bytes of the peer's."""
        self.received += len(data)
        self.link.receive_data(data, 1.0)
        self.drain()

    def drain(self) -> bytes:
        """Take events and bytes, act on them, and hold them against what was promised."""
        for event in self._take():
            try:
                if isinstance(event, Upgrade):
                    self.link.accept(1.0)
                elif isinstance(event, Connect):
                    self.link.send(ConnAck(properties={} if event.client_id or event.version == 4 else _ASSIGNED), 1.0)
                elif isinstance(event, Publish):
                    self.link.acknowledge(event)
            except LocalProtocolError:
                pass  # the peer has left meanwhile, or wants what we do not have
        data = self.link.data_to_send(1.0)
        self._take()
        self.sent += len(data)
        assert self.sent <= _RATIO * self.received + _PAGES, "more goes out than came in"
        assert self.link.data_to_send(1.0) == b"", "something is due again at once"
        return data

    def _take(self) -> list[LinkEvent]:
        happened = self.link.events()
        assert not happened or not self.events or not isinstance(self.events[-1], Closed), "an event behind Closed"
        self.events += happened
        assert all(not isinstance(event, Closed) for event in self.events[:-1]), "Closed is not the one last event"
        return happened

    def finish(self) -> None:
        """The wire ends, and time passes until everything is over."""
        self.link.receive_eof(2.0)
        for _ in range(20):
            self.drain()
            deadline = self.link.next_deadline()
            if self.link.closed or deadline == math.inf:
                break
            self.link.handle_deadline(deadline)
        self.drain()
        assert self.link.closed, "not closed at the end"
        assert isinstance(self.events[-1], Closed), "no Closed at the end"


_ASSIGNED: Final[ConnAckProperties] = {"assigned_client_identifier": "assigned"}


def _link(role: Role, data: bytes) -> None:
    source = BytesSource(data)
    how = source.choice(("packets", "frames", "handshake"))
    greeted = source.boolean()
    cut = BytesSource(source.block(1))
    stream = source.rest()
    watched = _Watched(role)
    if how != "handshake":
        watched.feed(_answer(watched.first) if role is Role.CLIENT else HANDSHAKE)
        if greeted:
            hello = encode(ConnAck() if role is Role.CLIENT else Connect(client_id="c", keep_alive=10))
            watched.feed(binary_frame(hello, masked=role is Role.SERVER))
    pieces = pieces_of(cut, stream)
    for piece in pieces:
        watched.feed(binary_frame(piece, masked=role is Role.SERVER) if how == "packets" else piece)
    watched.finish()


def link_client(data: bytes) -> None:
    """The client's end of a whole wire: an HTTP answer, frames or MQTT inside of frames, from any server.

    The first bytes choose which of the three the rest is, whether CONNACK has come, and the pieces.
    """
    _link(Role.CLIENT, data)


def link_server(data: bytes) -> None:
    """The server's end of a whole wire: an HTTP request, frames or MQTT inside of frames, from any client.

    The first bytes choose which of the three the rest is, whether CONNECT has come, and the pieces.
    """
    _link(Role.SERVER, data)
