"""The pool: connections kept, cut, waited for and bounded."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock, trio_test

from mqttws.errors import ConnectionLost, LocalProtocolError, MqttError, PeerSilent, RemoteProtocolError
from mqttws.http import HttpServer, Limits, Response, header
from mqttws.transport import HttpPool, Proxy, open_http_pool
from tests.transport.proxies import ConnectProxy, Handler, Scripted, answer, listening, next_request, served
from tests.transport.test_proxy import proving, trusting

URL = "http://server/events?canary=1"


@asynccontextmanager
async def pooled(handler: Handler, **options: Any) -> AsyncIterator[tuple[HttpPool, Scripted]]:
    """A pool whose connections all lead to this handler; what still runs of it at the end is cut."""
    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, handler)
        async with open_http_pool(dial=server, **options) as pool:
            yield pool, server
        with trio.move_on_after(1):
            await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()


class Origin:
    """A server that answers with what it was asked, and remembers how many connections there were and are."""

    def __init__(self, delay: float = 0.0, close_after: int = 1_000) -> None:
        self.connections = 0
        self.open = 0
        self.most_at_once = 0
        self.requests: list[str] = []
        self._busy = 0
        self._delay = delay
        self._close_after = close_after

    async def __call__(self, stream: trio.abc.Stream) -> None:
        self.connections += 1
        self.open += 1
        try:
            await self._serve(stream)
        finally:
            self.open -= 1

    async def _serve(self, stream: trio.abc.Stream) -> None:
        server = HttpServer()
        for _ in range(self._close_after):
            while (request := server.next_request()) is None:
                data = await stream.receive_some()
                if not data:
                    return
                server.receive_data(bytes(data))
            self._busy += 1
            self.most_at_once = max(self.most_at_once, self._busy)
            self.requests.append(f"{request.method} {request.target} {header(request.headers, 'content-length')}")
            await trio.sleep(self._delay)
            self._busy -= 1
            await stream.send_all(server.send(Response(200, (), request.body or b"nothing")))


@trio_test
async def test_a_connection_is_kept_for_the_next_request(autojump_clock: MockClock) -> None:
    origin = Origin()
    async with pooled(origin) as (pool, server):
        for number in range(3):
            response = await pool.request("POST", URL, body=b"%d" % number)
            assert (response.status, response.body) == (200, b"%d" % number)
        assert pool.idle == 1
        assert (await pool.request("POST", "http://server/")).body == b"nothing"
        assert (await pool.request("GET", "http://other/", headers=[("X", "y")])).status == 200
        assert pool.idle == 2
    assert server.dialled == [("server", 80, False), ("other", 80, False)]
    assert origin.requests[-2:] == ["POST / 0", "GET / None"]
    assert origin.open == 0


@trio_test
async def test_a_server_is_not_asked_by_more_than_so_many_at_once(autojump_clock: MockClock) -> None:
    origin = Origin(delay=1)
    async with pooled(origin, connections=3, kept=2) as (pool, _):
        async with trio.open_nursery() as callers:
            for _ in range(9):
                callers.start_soon(pool.request, "GET", URL)
        assert trio.current_time() == 3
        await trio.testing.wait_all_tasks_blocked()
        assert (origin.most_at_once, len(origin.requests), pool.idle, origin.open) == (3, 9, 2, 2)


@trio_test
async def test_a_connection_is_not_kept_for_ever(autojump_clock: MockClock) -> None:
    origin = Origin()
    async with pooled(origin, idle_seconds=5) as (pool, _):
        await pool.request("GET", URL)
        await trio.sleep(4.5)
        await pool.request("GET", URL)
        await trio.sleep(4.5)
        assert (pool.idle, origin.connections) == (1, 1)
        await trio.sleep(1)
        assert (pool.idle, origin.open) == (0, 0)
        await pool.request("GET", URL)
        assert origin.connections == 2


@trio_test
async def test_a_connection_that_the_server_has_closed_is_not_used_again(autojump_clock: MockClock) -> None:
    origin = Origin(close_after=1)
    async with pooled(origin) as (pool, _):
        for _ in range(3):
            assert (await pool.request("POST", URL, body=b"x")).body == b"x"
            await trio.testing.wait_all_tasks_blocked()
            assert pool.idle == 0
    assert origin.connections == 3


async def cut_at_the_second(stream: trio.abc.Stream) -> None:
    """Answers once, and hangs up on the next request, as a server does whose own patience ends just then."""
    server = HttpServer()
    await next_request(stream, server)
    await stream.send_all(server.send(Response(200)))
    await stream.receive_some()


@pytest.mark.parametrize(
    ("method", "repeatable", "repeated"),
    [("GET", None, True), ("POST", None, False), ("POST", True, True), ("GET", False, False)],
)
@trio_test
async def test_what_was_cut_on_a_kept_connection_is_sent_again_if_it_may_be(
    method: str, repeatable: bool | None, repeated: bool, autojump_clock: MockClock
) -> None:
    async with pooled(cut_at_the_second) as (pool, server):
        await pool.request("GET", URL)
        if repeated:
            assert (await pool.request(method, URL, repeatable=repeatable)).status == 200
        else:
            with pytest.raises(ConnectionLost, match="http://server has cut the connection without an answer"):
                await pool.request(method, URL, repeatable=repeatable)
            assert pool.idle == 0
    assert len(server.dialled) == 1 + repeated


@trio_test
async def test_a_new_connection_that_is_cut_is_not_tried_again(autojump_clock: MockClock) -> None:
    async def leaves(stream: trio.abc.Stream) -> None:
        await next_request(stream)

    async with pooled(leaves) as (pool, server):
        with pytest.raises(ConnectionLost):
            await pool.request("GET", URL)
    assert len(server.dialled) == 1


@trio_test
async def test_an_answer_cut_in_its_body_is_not_asked_for_again(autojump_clock: MockClock) -> None:
    async def half(stream: trio.abc.Stream) -> None:
        server = HttpServer()
        await next_request(stream, server)
        await stream.send_all(server.send(Response(200)))
        await next_request(stream, server)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal")

    async with pooled(half) as (pool, server):
        await pool.request("GET", URL)
        response = await pool.request("GET", URL)
        assert (response.body, response.truncated, pool.idle) == (b"hal", True, 0)
    assert len(server.dialled) == 1


@pytest.mark.parametrize(
    "data",
    [
        answer(Response(200)),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 Smuggled\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000,
    ],
)
@trio_test
async def test_what_leaves_a_connection_in_doubt_is_not_kept(data: bytes, autojump_clock: MockClock) -> None:
    async with pooled(served(data), limits=Limits(body=10)) as (pool, _):
        response = await pool.request("GET", URL)
        assert (response.status, pool.idle) == (200, 0)
        assert len(response.body) <= 10


@trio_test
async def test_a_server_that_speaks_unasked_is_left(autojump_clock: MockClock) -> None:
    async def talker(stream: trio.abc.Stream) -> None:
        server = HttpServer()
        await next_request(stream, server)
        await stream.send_all(server.send(Response(200)))
        await trio.sleep(1)
        await stream.send_all(b"HTTP/1.1 200 Poison\r\n\r\n")
        await trio.sleep(1)

    async with pooled(talker) as (pool, server):
        await pool.request("GET", URL)
        assert pool.idle == 1
        await trio.sleep(1.5)
        assert pool.idle == 0
        assert (await pool.request("GET", URL)).reason == "OK"
    assert len(server.dialled) == 2


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (b"", PeerSilent, "http://server did not answer within 4 seconds"),
        (b"HTTP/1.1 200 OK\r\n", PeerSilent, "http://server did not answer within 4 seconds"),
        (b"HTTP/1.1 200 OK\r\n\r\nendless", PeerSilent, "http://server did not answer within 4 seconds"),
        (b"\x15\x03", RemoteProtocolError, "http://server did not answer in HTTP: byte 0x15 begins no HTTP message"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101, RemoteProtocolError, "http://server did not answer in HTTP: ther"),
    ],
)
@trio_test
async def test_silence_and_nonsense_are_typed_and_leave_nothing_open(
    said: bytes, kind: type[MqttError], words: str, autojump_clock: MockClock
) -> None:
    ended = trio.Event()

    async def odd(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        if said:
            await stream.send_all(said)
        while await stream.receive_some():
            pass
        ended.set()

    async with pooled(odd, timeout=4) as (pool, _):
        with pytest.raises(kind) as caught:
            await pool.request("GET", URL)
        await ended.wait()
        assert pool.idle == 0
    assert str(caught.value).startswith(words)
    assert "canary" not in str(caught.value)


@trio_test
async def test_cancelled_while_it_waits_a_request_leaves_nothing_open(autojump_clock: MockClock) -> None:
    origin = Origin(delay=10)
    async with pooled(origin, timeout=60) as (pool, _):
        with trio.move_on_after(1) as scope:
            await pool.request("GET", URL)
        assert scope.cancelled_caught
    assert origin.open == 0


@trio_test
async def test_cancelled_as_it_takes_a_kept_connection_a_request_leaves_nothing_open(
    autojump_clock: MockClock,
) -> None:
    origin = Origin()
    async with pooled(origin) as (pool, _):
        await pool.request("GET", URL)
        with trio.CancelScope() as scope:
            scope.cancel()
            await pool.request("GET", URL)
        await trio.testing.wait_all_tasks_blocked()
        assert scope.cancelled_caught
        assert (pool.idle, origin.open) in ((0, 0), (1, 1))
        assert (await pool.request("GET", URL)).status == 200


@pytest.mark.parametrize(
    ("method", "url", "headers", "error"),
    [
        ("GET", "ws://server/", [], ValueError),
        ("GET", "http://user:canary@server/", [], ValueError),
        ("GET", URL, [("X", "canary\r\nY: z")], LocalProtocolError),
        ("G T", URL, [], LocalProtocolError),
    ],
)
@trio_test
async def test_what_cannot_be_sent_is_not_sent(
    method: str, url: str, headers: Any, error: type[Exception], autojump_clock: MockClock
) -> None:
    async with pooled(Origin()) as (pool, _):
        with pytest.raises(error) as caught:
            await pool.request(method, url, headers=headers)
        assert pool.idle == 0
    assert "canary" not in str(caught.value)


@trio_test
async def test_the_blocks_error_comes_out_alone_and_the_pool_is_over(autojump_clock: MockClock) -> None:
    pools = []

    async def fail(nursery: trio.Nursery) -> None:
        async with open_http_pool(dial=Scripted(nursery, Origin())) as pool:
            pools.append(pool)
            await pool.request("GET", URL)
            raise KeyError

    async with trio.open_nursery() as nursery:
        with pytest.raises(KeyError):
            await fail(nursery)
        with pytest.raises(trio.ClosedResourceError):
            await pools[0].request("GET", URL)


@pytest.mark.parametrize("bounds", [{"timeout": 0}, {"timeout": float("inf")}, {"idle_seconds": 0}, {"connections": 0}])
@trio_test
async def test_a_pool_without_bounds_is_refused(bounds: Any) -> None:
    with pytest.raises(ValueError, match="a pool has bounds"):
        async with open_http_pool(**bounds):
            raise AssertionError("not reached")


@trio_test
async def test_https_and_a_proxy_over_sockets() -> None:
    authority = trustme.CA()
    proxy, origin = ConnectProxy(), Origin()
    context: ssl.SSLContext = trusting(authority)
    async with listening(origin, proving(authority, "server.example")) as port, listening(proxy) as proxy_port:
        via = Proxy(f"http://127.0.0.1:{proxy_port}")
        async with open_http_pool(proxy=via, ssl_context=context) as pool:
            for _ in range(2):
                response = await pool.request("POST", f"https://server.example:{port}/", body=b"hello")
                assert response.body == b"hello"
    assert [request.target for request in proxy.requests] == [f"server.example:{port}"]
    assert origin.connections == 1


class Stubborn(trio.abc.Stream):
    """Lets go of a cancelled read only after a second, and then as if its peer had gone."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            return await self.stream.receive_some(max_bytes)
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            return b""

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("nobody asks")

    async def aclose(self) -> None:
        self.closed = True
        await self.stream.aclose()


@pytest.mark.parametrize("patience", [0.5, 5])
@trio_test
async def test_a_kept_connection_that_is_lost_as_it_is_taken_is_closed(
    patience: float, autojump_clock: MockClock
) -> None:
    streams = []
    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, Origin())

        async def dial(*where: Any, **how: Any) -> trio.abc.Stream:
            streams.append(Stubborn(await server(*where, **how)))
            return streams[-1]

        async with open_http_pool(dial=dial) as pool:
            await pool.request("GET", URL)
            with trio.move_on_after(patience) as scope:
                await pool.request("GET", URL)
            assert scope.cancelled_caught is (patience < 1)
            await trio.sleep(1)
            assert streams[0].closed
            assert len(streams) == 1 + (patience > 1)
