"""Clients of a running endpoint over a byte stream: whole wires, and raw bytes for what a wire would not send."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
import trio.testing

from mqttws.codec import ConnAck, Connect, Packet
from mqttws.endpoint import Endpoint
from mqttws.link import Link, LinkEvent
from mqttws.session import Closed, Connection, Session
from mqttws.transport import Pump
from mqttws.vocabulary import ProtocolVersion, Role
from mqttws.webpubsub import ClientAccessUrl, Roles

__all__ = ["Wire", "connect_bytes", "open_stream", "open_wire", "request", "target_of"]

EventT = TypeVar("EventT")


async def open_stream(endpoint: Endpoint) -> trio.SocketStream:
    """A plain TCP connection to an endpoint."""
    return await trio.open_tcp_stream("127.0.0.1", endpoint.port)


def memory_stream(endpoint: Endpoint, nursery: trio.Nursery) -> trio.abc.Stream:
    """A stream in memory, at whose other end the endpoint serves."""
    ours, theirs = trio.testing.memory_stream_pair()
    nursery.start_soon(endpoint.serve, theirs, "memory")
    return ours


def target_of(endpoint: Endpoint, hub: str = "chat", **options: Any) -> str:
    """What a client asks for: path and query with a token that may do everything."""
    options.setdefault("roles", Roles.everything())
    return ClientAccessUrl.parse(endpoint.client_access_url(hub, **options)).target


def request(target: str, *headers: str, subprotocol: str | None = "mqtt") -> bytes:
    """The bytes of a WebSocket handshake."""
    key = base64.b64encode(b"0123456789abcdef").decode()
    lines = [f"GET {target} HTTP/1.1", "Host: x", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *headers]
    if subprotocol is not None:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def connect_bytes(endpoint: Endpoint, first: bytes) -> bytes:
    """A handshake with a good token, and behind it one masked binary frame with ``first`` in it."""
    return request(target_of(endpoint)) + frame(first)


def frame(payload: bytes, opcode: int = 2) -> bytes:
    """A masked frame of up to 65,535 bytes, its mask all zero."""
    length = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + bytes(4) + payload


async def read_all(stream: trio.abc.Stream) -> bytes:
    """Everything until the other end closes, in at most ten seconds; then this end is closed too."""
    received = bytearray()
    with trio.fail_after(10):
        async with stream:
            try:
                while data := await stream.receive_some():
                    received += data
            except trio.BrokenResourceError:  # reset, since the endpoint had not read everything
                pass
    return bytes(received)


async def until_empty(endpoint: Endpoint) -> None:
    """Wait until no client is connected any more."""
    with trio.fail_after(10):
        while endpoint.connections.open:  # noqa: ASYNC110 - the endpoint has no event for it
            await trio.sleep(0.01)


class Wire:
    """One MQTT client, event by event."""

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.link = pump.link
        self.seen: list[LinkEvent] = []
        self._unread: list[LinkEvent] = []

    def send(self, *packets: Packet) -> None:
        """Send packets in one write."""
        for packet in packets:
            self.link.send(packet, trio.current_time())
        self.pump.flush()

    async def next(self, kind: type[EventT]) -> EventT:
        """The next event of one kind; others are kept in :attr:`seen`. Fails after ten seconds."""
        with trio.fail_after(10):
            while True:
                while self._unread:
                    event = self._unread.pop(0)
                    self.seen.append(event)
                    if isinstance(event, kind):
                        return event
                self._unread = await self.pump.receive()
                assert self._unread, f"no {kind.__name__} before the end: {self.seen}"

    async def end(self) -> Closed:
        """The end of the connection."""
        closed = await self.next(Closed)
        with trio.fail_after(10):
            assert await self.pump.receive() == []
        return closed


@asynccontextmanager
async def open_wire(
    endpoint: Endpoint,
    client_id: str = "c1",
    *,
    version: int = 5,
    stream: trio.abc.Stream | None = None,
    hub: str = "chat",
    target: str | None = None,
    session: Session | None = None,
    **fields: Any,
) -> AsyncIterator[Wire]:
    """A client that has sent CONNECT; leaving cuts the wire."""
    fields.setdefault("keep_alive", 60)
    connection = Connection(Role.CLIENT, session=session)
    asked = target_of(endpoint, hub) if target is None else target
    link = Link.client(connection, host="127.0.0.1", target=asked)
    wire = Wire(Pump(await open_stream(endpoint) if stream is None else stream, link))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(wire.pump.write)
        link.start(trio.current_time())
        wire.send(Connect(ProtocolVersion(version), client_id, **fields))
        yield wire
        nursery.cancel_scope.cancel()


async def connected(wire: Wire) -> ConnAck:
    """Wait for CONNACK, which has to say yes."""
    connack = await wire.next(ConnAck)
    assert connack.reason_code == 0, connack
    return connack
