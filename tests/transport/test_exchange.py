"""One request and its answer; what a proxy's refusal looks like is in test_proxy."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.errors import ConnectionLost, LocalProtocolError, RemoteProtocolError
from mqttws.http import HttpClient, Limits, Request, Response
from mqttws.transport.exchange import exchange

REQUEST = Request("POST", "/x?canary", (("Host", "server"),), b"ping")


async def answered(*chunks: bytes, close: bool = True, seconds: float = 5, body: int = 10) -> Response:
    """What a client makes of a server that says these chunks, a second apart."""
    ours, theirs = trio.testing.memory_stream_pair()

    async def serve() -> None:
        for chunk in chunks:
            await trio.sleep(1)
            await theirs.send_all(chunk)
        if close:
            await theirs.aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        return await exchange(ours, HttpClient(Limits(body=body)), REQUEST, peer="it", body_seconds=seconds)


@trio_test
async def test_an_answer_comes_in_pieces(autojump_clock: MockClock) -> None:
    response = await answered(b"HTTP/1.1 200 O", b"K\r\nContent-Length: 4\r\n\r\npo", b"ng", close=False)
    assert (response.status, response.body, response.truncated) == (200, b"pong", False)


@trio_test
async def test_a_body_may_end_with_the_connection(autojump_clock: MockClock) -> None:
    response = await answered(b"HTTP/1.1 200 OK\r\n\r\npong")
    assert (response.body, response.truncated) == (b"pong", False)


@trio_test
async def test_a_body_that_takes_too_long_in_all_is_cut_there(autojump_clock: MockClock) -> None:
    response = await answered(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 9, seconds=5.5, body=100)
    assert (response.body, response.truncated) == (b"xxxxx", True)


@trio_test
async def test_a_body_that_is_too_long_is_cut(autojump_clock: MockClock) -> None:
    response = await answered(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 11)
    assert (response.body, response.truncated) == (b"x" * 10, True)


@pytest.mark.parametrize("chunks", [(), (b"HTTP/1.1 200 OK\r\n",)])
@trio_test
async def test_less_than_a_head_is_a_lost_connection(chunks: tuple[bytes, ...], autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await answered(*chunks)
    (error,) = caught.value.exceptions
    assert isinstance(error, ConnectionLost)
    assert str(error) == "it has cut the connection without an answer"


@trio_test
async def test_what_is_no_http_is_the_peers_fault(autojump_clock: MockClock) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await answered(b"\x16\x03")
    assert caught.group_contains(RemoteProtocolError, match="^it did not answer in HTTP: byte 0x16 begins no HTTP")


class Deaf(trio.abc.Stream):
    """Takes nothing, has said something."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        raise trio.BrokenResourceError

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("nobody asks")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        said, self._said = self._said, b""
        if not said:
            raise trio.BrokenResourceError
        return said

    async def aclose(self) -> None:
        raise AssertionError("not ours to close")


@trio_test
async def test_an_answer_ahead_of_the_cut_is_read() -> None:
    stream = Deaf(b"HTTP/1.1 413 Too much\r\n\r\nno")
    response = await exchange(stream, HttpClient(), REQUEST, peer="it")
    assert (response.status, response.body) == (413, b"no")
    with pytest.raises(ConnectionLost):
        await exchange(stream, HttpClient(), REQUEST, peer="it")


@trio_test
async def test_what_http_forbids_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        await exchange(Deaf(b""), HttpClient(), Request("GET", "/", ()), peer="it")
