"""An HTTP server for events, in memory or on a socket, which remembers what it was told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio

from mqttws.endpoint import Endpoint, EventHandler, open_endpoint
from mqttws.endpoint.handlers import open_handlers
from mqttws.http import HttpServer, Limits, Request, Response, header
from tests.endpoint.wires import memory_stream
from tests.transport.proxies import Scripted

__all__ = ["URL", "WebHook", "equipped", "json_answer"]

#: Where it is said to be; in memory every URL leads to it.
URL = "http://handler/eventhandler"


class WebHook:
    """Answers every event with ``answer``, and validation with ``validation``; either may be replaced at any time."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answer: Callable[[Request], Awaitable[Response]] = self.says(Response(204))
        self.validation = Response(200, (("WebHook-Allowed-Origin", "*"),))
        self.connections = 0

    @staticmethod
    def says(response: Response) -> Callable[[Request], Awaitable[Response]]:
        """An answer that is always the same."""

        async def say(request: Request) -> Response:
            await trio.lowlevel.checkpoint()
            return response

        return say

    async def __call__(self, stream: trio.abc.Stream) -> None:
        """Serve one connection."""
        self.connections += 1
        server = HttpServer(Limits(head=1 << 20, line=1 << 20, headers=1000, body=1 << 21))
        while True:
            while (request := server.next_request()) is None:
                data = await stream.receive_some()
                if not data:
                    return
                server.receive_data(bytes(data))
            self.requests.append(request)
            answer = self.validation if request.method == "OPTIONS" else await self.answer(request)
            await stream.send_all(server.send(answer))

    @property
    def methods(self) -> list[str]:
        """What it was asked, in order."""
        return [f"{request.method} {request.target}" for request in self.requests]

    @property
    def events(self) -> list[Request]:
        """What was posted to it."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def types(self) -> list[str]:
        """The types of the events, without what all have in common."""
        return [(header(each.headers, "ce-type") or "").removeprefix("azure.webpubsub.") for each in self.events]

    async def event(self, kind: str) -> Request:
        """The first event of a kind (``sys.connect``, ``user.echo``), when it has come."""
        with trio.fail_after(10):
            while kind not in self.types:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)
        return self.events[self.types.index(kind)]


def json_answer(status: int, body: Any, *headers: tuple[str, str]) -> Response:
    """An answer with a JSON body."""
    return Response(status, (("Content-Type", "application/json"), *headers), json.dumps(body).encode())


class Bed:
    """An endpoint in memory with its event handler, and the lines of its log."""

    def __init__(self, endpoint: Endpoint, webhook: WebHook, lines: list[str], nursery: trio.Nursery) -> None:
        self.endpoint = endpoint
        self.webhook = webhook
        self.lines = lines
        self._nursery = nursery

    def stream(self) -> trio.abc.Stream:
        """A way in for a client."""
        return memory_stream(self.endpoint, self._nursery)

    def logged(self, event: str) -> list[str]:
        """The lines of one event."""
        return [line for line in self.lines if line.startswith(f"{event}:")]


@asynccontextmanager
async def equipped(*handlers: EventHandler, hubs: Sequence[str] = ("chat",), **settings: Any) -> AsyncIterator[Bed]:
    """An endpoint whose handlers all are one :class:`WebHook` in memory."""
    lines: list[str] = []
    webhook = WebHook()
    async with open_endpoint(log=lines.append, **settings) as endpoint, trio.open_nursery() as nursery:
        dial = Scripted(nursery, webhook)
        async with open_handlers(endpoint, dict.fromkeys(hubs, handlers), dial=dial) as endpoint.upstream:
            yield Bed(endpoint, webhook, lines, nursery)
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
