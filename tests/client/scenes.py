"""A server with a script for each connection, for clients that come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import trio

from mqttws.client import Client, ClientEvent, Disconnected, Reconnect, open_client
from mqttws.codec import ConnAck, Disconnect
from mqttws.codec.properties import ConnAckProperties, DisconnectProperties
from mqttws.link import Upgrade
from tests.client.scripted import URL, Peer, Server

#: 1, 2, 4 and then 8 seconds before the attempts.
STEADY = Reconnect(initial=1, maximum=8, random=lambda: 1.0)

Script = Callable[[Peer], Awaitable[Any]]


class Scene:
    """A server with a script for each connection, and what the client tells of itself."""

    def __init__(self, *scripts: Script) -> None:
        self.server = Server()
        self.scripts = scripts
        #: Seconds of the mock clock: pings alone would keep it running for ever.
        self.patience = 3_600
        self.events: list[ClientEvent] = []
        self.times: list[float] = []

    @asynccontextmanager
    async def client(self, url: Any = URL, **options: Any) -> AsyncIterator[Client]:
        with trio.fail_after(self.patience):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._serve)
                usual: dict[str, Any] = {"reconnect": STEADY, "dial": self.server.dial, "on_event": self.events.append}
                async with open_client(url, **(usual | options)) as client:
                    yield client
                nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        for script in self.scripts:
            peer = await self.server.accept()
            self.times.append(trio.current_time())
            await script(peer)
        await trio.sleep_forever()

    @property
    def hosts(self) -> list[str]:
        """Whom the client has asked for, connection by connection."""
        return [dict(peer.upgrade.headers)["host"] for peer in self.server.peers if peer.upgrade is not None]

    @property
    def paths(self) -> list[str]:
        """What it has asked for."""
        return [peer.upgrade.path for peer in self.server.peers if peer.upgrade is not None]

    @property
    def failures(self) -> list[Exception | None]:
        """What has led to each further attempt."""
        return [event.error for event in self.events if isinstance(event, Disconnected)]


async def goes(peer: Peer) -> None:
    """Lets the client in and vanishes."""
    await peer.greet()
    await peer.vanish()


async def stays(peer: Peer) -> None:
    """Lets the client in and answers until it leaves."""
    await peer.greet()
    await peer.finish()


async def refuses(peer: Peer, status: int, headers: tuple[tuple[str, str], ...] = (), body: bytes = b"no") -> None:
    await peer.expect(Upgrade)
    peer.link.reject(trio.current_time(), status, headers, body)
    await peer.flush()
    await peer.finish()


async def declines(peer: Peer, code: int, **properties: Any) -> None:
    """CONNACK says no."""
    await peer.greet(ConnAck(False, code, cast("ConnAckProperties", properties)))
    await peer.finish()


async def disconnects(peer: Peer, code: int, **properties: Any) -> None:
    await peer.greet()
    await peer.send(Disconnect(code, cast("DisconnectProperties", properties)))
    await peer.finish()


async def holds(peer: Peer, seconds: float) -> None:
    await peer.greet()
    await trio.sleep(seconds)
    await peer.vanish()
