"""The Server's end of wires in memory, driven step by step by a test."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio
import trio.testing

from mqttws.client import Client, open_client
from mqttws.codec import ConnAck, Connect, Packet, PingReq, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe
from mqttws.link import Link, LinkEvent, Opened, Upgrade
from mqttws.session import Connection, Session
from mqttws.vocabulary import ProtocolVersion, Role

URL = "ws://server/mqtt"

E = TypeVar("E")


class Peer:
    """One connection, as the Server has it: what the client sent comes out event by event."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.connection = Connection(Role.SERVER)
        self.link = Link.server(self.connection)
        self.events: list[LinkEvent] = []
        self.pings = 0
        self.upgrade: Upgrade | None = None
        self.link.start(trio.current_time())

    async def next(self) -> LinkEvent:
        """The next event, whatever it is but a ping; the peer's bytes are read only while there is none."""
        while not self.events:
            data = await self.stream.receive_some()
            now = trio.current_time()
            if data:
                self.link.receive_data(bytes(data), now)
            else:
                self.link.receive_eof(now)
            await self.flush()
            for event in self.link.events():
                if isinstance(event, PingReq):
                    self.pings += 1
                else:
                    self.events.append(event)
        return self.events.pop(0)

    async def expect(self, kind: type[E]) -> E:
        """The next event, which has to be of this kind."""
        event = await self.next()
        assert type(event) is kind, f"{kind.__name__} expected, not {event}"
        return event

    async def flush(self) -> None:
        """Send what the link has queued."""
        if data := self.link.data_to_send(trio.current_time()):
            await self.stream.send_all(data)

    async def send(self, *packets: Packet) -> None:
        """Send packets as one WebSocket message."""
        for packet in packets:
            self.link.send(packet, trio.current_time())
        await self.flush()

    async def send_raw(self, data: bytes) -> None:
        """Send bytes that need be no packet, in a binary frame of their own."""
        assert len(data) < 126
        await self.stream.send_all(bytes((0x82, len(data))) + data)

    async def open_websocket(self) -> None:
        """Answer the handshake with 101."""
        self.upgrade = await self.expect(Upgrade)
        self.link.accept(trio.current_time())
        await self.flush()
        await self.expect(Opened)

    async def greet(self, connack: ConnAck | None = None, session: Session | None = None) -> Connect:
        """Take the client in: handshake, CONNECT, CONNACK."""
        await self.open_websocket()
        connect = await self.expect(Connect)
        if session is not None:
            self.connection.attach(session)
        await self.send(connack if connack is not None else ConnAck())
        self.link.events()  # about the Session that our own CONNACK has begun
        return connect

    async def swallow(self) -> None:
        """Take in what the client has sent, such as a PUBREL, and let the link answer it."""
        self.link.receive_data(bytes(await self.stream.receive_some()), trio.current_time())
        await self.flush()

    async def grant(self, *codes: int) -> Subscribe:
        """Answer a SUBSCRIBE; without codes as it asks."""
        subscribe = await self.expect(Subscribe)
        granted = list(codes) or [int(subscription.qos) for subscription in subscribe.subscriptions]
        await self.send(SubAck(subscribe.packet_id, granted))
        return subscribe

    async def release(self, *codes: int) -> Unsubscribe:
        """Answer an UNSUBSCRIBE."""
        unsubscribe = await self.expect(Unsubscribe)
        all_well = [0] * len(unsubscribe.topic_filters) if self.connection.version == ProtocolVersion.V5 else []
        await self.send(UnsubAck(unsubscribe.packet_id, list(codes) or all_well))
        return unsubscribe

    async def acknowledge(self, publish: Publish, reason_code: int = 0, **properties: Any) -> None:
        """Answer a PUBLISH."""
        self.link.acknowledge(publish, reason_code, properties)
        await self.flush()

    async def finish(self) -> list[LinkEvent]:
        """Read to the end and close; returns what else the client had to say."""
        rest = list(self.events)
        self.events.clear()
        try:
            while data := await self.stream.receive_some():
                self.link.receive_data(bytes(data), trio.current_time())
                await self.flush()
                rest += self.link.events()
                if self.link.closed:
                    break
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        self.link.receive_eof(trio.current_time())
        rest += self.link.events()
        await self.stream.aclose()
        return rest

    async def vanish(self) -> None:
        """Close without a word."""
        await self.stream.aclose()


class Server:
    """Where a client's ``dial`` leads: each call is a new :class:`Peer`."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self._send, self._receive = trio.open_memory_channel[Peer](10)

    async def dial(
        self,
        host: str,
        port: int,
        *,
        secure: bool,
        ssl_context: ssl.SSLContext | None,
    ) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        self._send.send_nowait(Peer(theirs))
        return ours

    async def accept(self) -> Peer:
        """The next client's connection."""
        peer = await self._receive.receive()
        self.peers.append(peer)
        return peer


@asynccontextmanager
async def open_pair(
    connack: ConnAck | None = None,
    session: Session | None = None,
    *,
    server: Server | None = None,
    **options: Any,
) -> AsyncIterator[tuple[Client, Peer]]:
    """A client and the Server's end of its connection, open; the farewell is seen to. It does not reconnect."""
    server = server if server is not None else Server()

    async def greet() -> None:
        await (await server.accept()).greet(connack, session)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(greet)
        async with open_client(URL, dial=server.dial, **({"reconnect": None} | options)) as client:
            yield client, server.peers[0]
            nursery.start_soon(server.peers[0].finish)
