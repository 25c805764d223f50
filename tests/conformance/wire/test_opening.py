"""The WebSocket handshake byte by byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
from trio.testing import memory_stream_pair

from mqttws.conformance.verdict import Failed
from mqttws.conformance.wire.opening import KEY, Head, answer, read_head, request
from mqttws.conformance.wire.target import Target
from mqttws.webpubsub import ClientAccessUrl

TARGET = Target(ClientAccessUrl.parse("ws://localhost:9001/mqtt?x=1"), "127.0.0.1", (("X-One", "1"),))


def in_time(main: Callable[[], Awaitable[None]]) -> None:
    """Run it on a clock that jumps."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def test_a_good_request_gets_the_good_answer() -> None:
    async def main() -> None:
        ours, its = memory_stream_pair()
        found: list[Head | None] = []
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                found.append(await request(TARGET, ours, 5))

            nursery.start_soon(ask)
            asked = await read_head(its, 5)
            assert asked is not None
            assert asked.line == "GET /mqtt?x=1 HTTP/1.1"
            assert (asked.target, asked.get("host"), asked.get("x-one")) == ("/mqtt?x=1", "localhost:9001", "1")
            assert asked.get("sec-websocket-key") == KEY
            await its.send_all(answer(asked, headers=[("X-Two", "2")]) + b"rest")
        (head,) = found
        assert head is not None
        assert (head.status, head.rest, head.get("x-two")) == (101, b"rest", "2")
        assert head.words("sec-websocket-protocol") == ["mqtt"]

    in_time(main)


def test_an_answer_can_do_without_a_subprotocol() -> None:
    head = Head("GET / HTTP/1.1", [("sec-websocket-key", KEY)])
    assert b"Sec-WebSocket-Protocol" not in answer(head, subprotocol=None)
    assert b"Sec-WebSocket-Accept: " in answer(head)


@pytest.mark.parametrize(
    ("line", "status", "target"),
    [
        ("HTTP/1.1 404 Not Found", 404, "404"),
        ("HTTP/1.1", 0, ""),
        ("GET /x HTTP/1.1", 0, "/x"),
        ("a b", 0, "b"),
        (f"HTTP/1.1 {'9' * 5_000}", 0, "9" * 5_000),
    ],
)
def test_first_lines(line: str, status: int, target: str) -> None:
    assert (Head(line).status, Head(line).target) == (status, target)


def test_headers_of_one_name_are_one_list() -> None:
    head = Head("x", [("a", "1, 2"), ("b", "no"), ("a", " 3,")])
    assert (head.all("a"), head.words("a"), head.get("c")) == (["1, 2", " 3,"], ["1", "2", "3"], "")


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 101 "])
def test_an_end_before_the_end_of_the_head_is_no_head(data: bytes) -> None:
    async def main() -> None:
        ours, its = memory_stream_pair()
        if data:
            await its.send_all(data)
        await its.aclose()
        assert await request(TARGET, ours, 5) is None
        assert await read_head(ours, 5) is None
        await ours.aclose()
        assert await read_head(ours, 5) is None
        assert await request(TARGET, ours, 5) is None

    in_time(main)


def test_a_head_that_does_not_come_or_has_no_end_is_a_failure() -> None:
    async def main() -> None:
        ours, its = memory_stream_pair()
        await its.send_all(b"HTTP/1.1 101")
        with pytest.raises(Failed, match="no whole HTTP head within 5 s"):
            await read_head(ours, 5)
        await its.send_all(b"x" * 100_000)
        with pytest.raises(Failed, match="has no end"):
            await read_head(ours, 5)

    in_time(main)


def test_a_request_can_be_spoiled() -> None:
    async def main() -> None:
        ours, its = memory_stream_pair()
        await its.send_stream.aclose()
        assert await request(TARGET, ours, 5, change=lambda head: head.replace(b"Upgrade: websocket\r\n", b"")) is None
        assert b"Upgrade: websocket" not in bytes(await its.receive_some())

    in_time(main)
