"""A small CONNECT proxy of our own, and streams that lead to a script instead of a server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import trio
import trio.testing

from mqttws.http import HttpServer, Request, Response, header

Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on a free port, with TLS if given a context; the block has to be over within ten seconds."""

    async def handle(stream: trio.SocketStream) -> None:
        whole: trio.abc.Stream = stream
        if context is not None:
            whole = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            with suppress(trio.BrokenResourceError):  # the client did not like our certificate, or has left
                await handler(whole)
        finally:
            await trio.aclose_forcefully(whole)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
            )
            yield listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


async def echo(stream: trio.abc.Stream) -> None:
    """Send the first bytes back."""
    await stream.send_all(await stream.receive_some())


class ConnectProxy:
    """Opens tunnels to 127.0.0.1 whatever the host, and remembers who asked for what."""

    def __init__(self, credentials: str | None = None) -> None:
        self.credentials = credentials
        self.requests: list[Request] = []

    async def __call__(self, stream: trio.abc.Stream) -> None:
        request = await next_request(stream)
        self.requests.append(request)
        if self.credentials is not None and header(request.headers, "proxy-authorization") != self.credentials:
            said = header(request.headers, "proxy-authorization") or "nothing"
            refusal = Response(407, (("Proxy-Authenticate", 'Basic realm="x"'),), f"you said {said}".encode())
            await stream.send_all(answer(refusal))
            return
        port = int(request.target.rpartition(":")[2])
        async with await trio.open_tcp_stream("127.0.0.1", port) as server:
            await stream.send_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_copy, stream, server, nursery.cancel_scope)
                nursery.start_soon(_copy, server, stream, nursery.cancel_scope)


async def _copy(source: trio.abc.Stream, target: trio.abc.Stream, scope: trio.CancelScope) -> None:
    try:
        while data := await source.receive_some():
            await target.send_all(data)
    except trio.BrokenResourceError:
        pass
    scope.cancel()


async def next_request(stream: trio.abc.Stream, server: HttpServer | None = None) -> Request:
    """The next request on a stream."""
    server = server if server is not None else HttpServer()
    while (request := server.next_request()) is None:
        data = await stream.receive_some()
        assert data, "the client left in a request"
        server.receive_data(bytes(data))
    return request


def answer(response: Response) -> bytes:
    """An answer that ends the connection, as bytes."""
    server = HttpServer()
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert server.next_request() is not None
    return server.send(response, close=True)


class Scripted:
    """A ``dial`` whose every stream is in memory, with a handler at its other end; remembers what was dialled."""

    def __init__(self, nursery: trio.Nursery, handler: Handler) -> None:
        self.dialled: list[tuple[str, int, bool]] = []
        self.streams: list[trio.testing.MemorySendStream] = []
        self._nursery = nursery
        self._handler = handler

    async def __call__(
        self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None
    ) -> trio.abc.Stream:
        self.dialled.append((host, port, secure))
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._run, theirs)
        await trio.lowlevel.checkpoint()
        return ours

    async def _run(self, stream: trio.abc.Stream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError):  # the client has left
                await self._handler(stream)


def served(response: bytes) -> Handler:
    """A handler that reads one request, sends these bytes and hangs up."""

    async def handler(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        await stream.send_all(response)

    return handler
