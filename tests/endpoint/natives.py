"""Clients of Web PubSub's own protocols at a running endpoint, frame by frame."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
import trio.testing

from mqttws.endpoint import Endpoint
from mqttws.endpoint.native_members import JSON, RELIABLE_JSON
from mqttws.webpubsub import Roles, make_token
from mqttws.websocket import Lost, Opened, PeerClosed, Piece, Refused, WebSocket
from tests.endpoint.wires import memory_stream

__all__ = ["JSON", "RELIABLE_JSON", "Native", "open_native", "target_of"]


def target_of(endpoint: Endpoint, hub: str = "chat", **options: Any) -> str:
    """Path and query of a native client, with a token that may do everything."""
    options.setdefault("roles", Roles.everything())
    token = make_token(endpoint.keys[0], f"{endpoint.address}/client/hubs/{hub}", now=time.time(), **options)
    return f"/client/hubs/{hub}?access_token={token}"


class Native:
    """One client. What comes from the endpoint is read as JSON, unless the client is a simple one."""

    def __init__(self, stream: trio.abc.Stream, websocket: WebSocket) -> None:
        self.stream = stream
        self.websocket = websocket
        self.reads_json = True
        self.connection_id = ""
        self.token: str | None = None
        self._arrived: list[Any] = []

    async def send(self, **members: Any) -> None:
        """One frame of JSON."""
        await self.send_raw(json.dumps(members))

    async def send_raw(self, *messages: str | bytes) -> None:
        """Messages as they are, in one write."""
        for message in messages:
            self.websocket.send_message(message)
        await self.flush()

    async def flush(self) -> None:
        await self.stream.send_all(self.websocket.data_to_send())

    async def event(self) -> Any:
        """The next event of the WebSocket. Fails after ten seconds."""
        with trio.fail_after(10):
            while not self._arrived:
                try:
                    data = bytes(await self.stream.receive_some(65_536))
                except trio.BrokenResourceError:
                    data = b""
                if data:
                    self.websocket.receive_data(data)
                else:
                    self.websocket.receive_eof()
                self._arrived += self.websocket.events()
        return self._arrived.pop(0)

    async def next(self) -> Any:
        """The next message."""
        event = await self.event()
        whole: Any = event
        while isinstance(event, Piece) and not event.finished:
            event = await self.event()
        assert isinstance(whole, str | bytes), whole
        return json.loads(whole) if self.reads_json else whole

    async def ask(self, **members: Any) -> dict[str, Any]:
        """Send a request with an ``ackId`` and return the next frame."""
        await self.send(**members)
        answer: dict[str, Any] = await self.next()
        return answer

    async def end(self) -> tuple[int, str | None]:
        """The code of the Close frame, and what the last message but that said of the reason."""
        said = None
        while not isinstance(event := await self.event(), PeerClosed):
            if isinstance(event, Lost):
                return 1006, said
            assert isinstance(event, str), event
            said = json.loads(event).get("message", said)
        with contextlib.suppress(trio.BrokenResourceError):  # nobody waits for our farewell any more
            await self.flush()
        return event.code, said

    async def nothing_more(self) -> None:
        """What has been sent so far has brought no message: the next one answers a ping."""
        await self.send(type="ping")
        assert await self.next() == {"type": "pong"}


@asynccontextmanager
async def open_native(
    endpoint: Endpoint,
    *subprotocols: str,
    target: str | None = None,
    memory: trio.Nursery | None = None,
    **options: Any,
) -> AsyncIterator[Native]:
    """A client that has been let in; leaving cuts its connection. Without ``subprotocols`` it is a simple one.

    In memory if a nursery is given for the endpoint's end.
    """
    if memory is None:
        stream: trio.abc.Stream = await trio.open_tcp_stream("127.0.0.1", endpoint.port)
    else:
        stream = memory_stream(endpoint, memory)
    target = target_of(endpoint, **options) if target is None else target
    websocket = WebSocket.client(host="x", target=target, subprotocols=subprotocols, text=True)
    native = Native(stream, websocket)
    async with stream:
        await native.flush()
        opened = await native.event()
        assert isinstance(opened, Opened), opened
        native.reads_json = opened.subprotocol in (JSON, RELIABLE_JSON)
        if native.reads_json:
            event = await native.event()
            native._arrived.insert(0, event)
            said = json.loads(event) if isinstance(event, str) else {}
            native.connection_id = said.get("connectionId", "")
            native.token = said.get("reconnectionToken")
        yield native


async def refusal_of(endpoint: Endpoint, target: str, *subprotocols: str) -> Refused:
    """The answer to a handshake that is not let in."""
    async with await trio.open_tcp_stream("127.0.0.1", endpoint.port) as stream:
        native = Native(stream, WebSocket.client(host="x", target=target, subprotocols=subprotocols, text=True))
        await native.flush()
        refused = await native.event()
        assert isinstance(refused, Refused), refused
        return refused
