"""HTTP/1.1 requests over connections that are kept: bounded in number, time and bytes.

There is no cookie, no cache, no compression and no redirect here. Each request goes to the very URL that it was given.
"""

from __future__ import annotations

import math
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import trio

from mqttws.errors import ConnectionLost, PeerSilent
from mqttws.http import HttpClient, Limits, Request, Response
from mqttws.transport.dial import dial as dial_directly
from mqttws.transport.exchange import exchange
from mqttws.transport.http_url import HttpUrl
from mqttws.transport.proxy import Dial, ProxySetting, dial_through

__all__ = ["HttpPool", "open_http_pool"]

#: Methods whose requests may be sent twice without doing more than once (RFC 9110, 9.2.2).
_IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
#: Methods that announce even an empty body (RFC 9110, 8.6).
_WITH_BODY: Final = frozenset(("POST", "PUT", "PATCH"))


class _Kept:
    """A connection between two requests, watched by a task: when its peer speaks or leaves, it is of no use."""

    def __init__(self, stream: trio.abc.Stream, client: HttpClient) -> None:
        self.stream = stream
        self.client = client
        self.watch = trio.CancelScope()
        #: The watching task has let go of the stream.
        self.let_go = trio.Event()
        self.wanted = False
        self.usable = False


class _Origin:
    """One server: how many requests may be under way, and the connections that wait for the next one."""

    def __init__(self, connections: int) -> None:
        self.free = trio.Semaphore(connections)
        self.idle: list[_Kept] = []
        self.users = 0


class HttpPool:
    """Sends requests, and keeps connections for those that follow; made by :func:`open_http_pool`."""

    def __init__(
        self,
        nursery: trio.Nursery,
        dial: Dial,
        ssl_context: ssl.SSLContext | None,
        limits: Limits,
        *,
        timeout: float,
        idle_seconds: float,
        connections: int,
        kept: int,
    ) -> None:
        self._nursery = nursery
        self._dial = dial
        self._ssl_context = ssl_context
        self._limits = limits
        self._timeout = timeout
        self._idle_seconds = idle_seconds
        self._connections = connections
        self._room = kept
        self._origins: dict[tuple[bool, str, int], _Origin] = {}
        self._closed = False

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return sum(len(origin.idle) for origin in self._origins.values())

    async def request(
        self,
        method: str,
        url: str | HttpUrl,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        repeatable: bool | None = None,
    ) -> Response:
        """Send a request and wait for its answer, whatever its status is; redirects are answers.

        ``Host`` and ``Content-Length`` are added. ``repeatable`` says that the request may reach the server twice: it
        is sent again if a kept connection was cut before it was answered; None goes by the method. An answer whose body
        exceeds the limit is ``truncated``. Raises :class:`ValueError` for a URL that is none or holds credentials,
        :class:`~mqttws.errors.LocalProtocolError` for what HTTP forbids to send,
        :class:`~mqttws.errors.PeerSilent` when the time is over, :class:`~mqttws.errors.ConnectionLost` and what else
        dialling does, :class:`~mqttws.errors.RemoteProtocolError` for an answer that is no HTTP or beyond the limits.
        """
        address = url if isinstance(url, HttpUrl) else HttpUrl.parse(url)
        if address.username is not None:
            raise ValueError("the URL holds credentials; they belong into a header")
        if self._closed:
            raise trio.ClosedResourceError("the pool's block was left")
        if method in _WITH_BODY and not body:
            headers = (*headers, ("Content-Length", "0"))
        request = Request(method, address.target, (("Host", address.authority), *headers), body)
        origin = self._origins.setdefault(address.origin, _Origin(self._connections))
        origin.users += 1
        try:
            with trio.fail_after(self._timeout):
                async with origin.free:
                    return await self._exchange(
                        origin, address, request, method in _IDEMPOTENT if repeatable is None else repeatable
                    )
        except trio.TooSlowError:
            raise PeerSilent(f"{_peer(address)} did not answer within {self._timeout:g} seconds") from None
        finally:
            origin.users -= 1
            self._forget_unused()

    async def _exchange(self, origin: _Origin, address: HttpUrl, request: Request, repeatable: bool) -> Response:
        while (kept := await self._take(origin)) is not None:
            try:
                return await self._on(kept.stream, kept.client, origin, address, request)
            except ConnectionLost:
                # It may have been cut for its age just when we sent.
                if not repeatable or kept.client.partial is not None:
                    raise
        stream = await self._dial(address.host, address.port, secure=address.secure, ssl_context=self._ssl_context)
        return await self._on(stream, HttpClient(self._limits), origin, address, request)

    async def _on(
        self, stream: trio.abc.Stream, client: HttpClient, origin: _Origin, address: HttpUrl, request: Request
    ) -> Response:
        """One exchange on a connection, which is kept or closed then."""
        keep = False
        try:
            response = await exchange(stream, client, request, peer=_peer(address))
            keep = client.reusable and not self._closed and self._room > 0
        finally:
            if not keep:
                await _drop(stream)
        if keep:
            self._room -= 1
            kept = _Kept(stream, client)
            origin.idle.append(kept)
            self._nursery.start_soon(self._watch, origin, kept)
        return response

    async def _take(self, origin: _Origin) -> _Kept | None:
        """The connection that was used last, if one is still good; it is the least likely to be cut."""
        while origin.idle:
            kept = origin.idle.pop()
            kept.wanted = True
            kept.watch.cancel()
            try:
                await kept.let_go.wait()
            except trio.Cancelled:
                await _drop(kept.stream)
                raise
            if kept.usable:
                return kept
        return None

    async def _watch(self, origin: _Origin, kept: _Kept) -> None:
        kept.watch.deadline = trio.current_time() + self._idle_seconds
        try:
            with kept.watch, suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await kept.stream.receive_some(1)
        finally:
            self._room += 1
            kept.usable = kept.wanted and kept.watch.cancelled_caught
            if not kept.wanted:
                origin.idle.remove(kept)
                self._forget_unused()
            if not kept.usable:
                await _drop(kept.stream)
            kept.let_go.set()

    def _forget_unused(self) -> None:
        for key in [key for key, origin in self._origins.items() if not origin.users and not origin.idle]:
            del self._origins[key]

    def close(self) -> None:
        """Take no more requests; those under way end as they would."""
        self._closed = True


async def _drop(stream: trio.abc.Stream) -> None:
    with trio.CancelScope(shield=True):
        await trio.aclose_forcefully(stream)


def _peer(address: HttpUrl) -> str:
    return f"{address.scheme}://{address.authority}"


@asynccontextmanager
async def open_http_pool(
    *,
    dial: Dial = dial_directly,
    proxy: ProxySetting = "environment",
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    timeout: float = 10.0,
    idle_seconds: float = 30.0,
    connections: int = 8,
    kept: int = 32,
) -> AsyncIterator[HttpPool]:
    """A pool for as long as the block lasts; connections that wait are closed at its end.

    ``timeout`` seconds are for a whole request, from waiting for its turn to the last byte of its answer. A connection
    is kept for ``idle_seconds``. To one server at most ``connections`` requests are under way, further ones wait; in
    all, at most ``kept`` connections wait for the next. ``limits`` are those of an answer. ``proxy``, ``dial`` and
    ``ssl_context`` are as in :func:`~mqttws.client.open_client`; ``http://`` goes through a proxy by CONNECT, too.
    """
    if not 0 < timeout < math.inf or not idle_seconds > 0 or connections < 1 or kept < 0:
        raise ValueError("a pool has bounds: seconds above 0, at least 1 connection, and kept ones not below 0")
    given = proxy != "environment" or dial is dial_directly
    way = dial_through(proxy, dial=dial, schemes=("http", "https")) if given else dial
    error: BaseException | None = None
    # The block's exception is kept out of the nursery, which would wrap it in a group; its own tasks raise nothing.
    async with trio.open_nursery() as nursery:
        pool = HttpPool(
            nursery,
            way,
            ssl_context,
            limits or Limits(),
            timeout=timeout,
            idle_seconds=idle_seconds,
            connections=connections,
            kept=kept,
        )
        try:
            yield pool
        except BaseException as raised:  # noqa: BLE001 - raised again below
            error = raised
        pool.close()
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error
