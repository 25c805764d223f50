"""What lives on the port besides MQTT: plain HTTP, and WebSockets of other protocols."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import trio_test

from mqttws.endpoint import open_endpoint
from mqttws.endpoint.handshake import Refusal
from mqttws.endpoint.visit import Talk, Visit
from mqttws.http import Request, Response
from mqttws.link import Upgrade
from mqttws.websocket import WebSocket
from tests.endpoint.wires import connected, open_stream, open_wire, read_all, request

GET = b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"


async def hello(request: Request, address: str) -> Response:
    """Answers slowly, with what it was asked for."""
    await trio.sleep(0.01)
    if request.path == "/bug":
        raise ZeroDivisionError("access_token=s3cret by zero")
    assert address.startswith("127.0.0.1:")
    return Response(200, (), request.path.encode() + request.body)


async def answer_of(stream: trio.abc.Stream) -> bytes:
    """The next answer; all of them come in one piece."""
    with trio.fail_after(10):
        return bytes(await stream.receive_some())


@trio_test
async def test_a_handler_answers_plain_requests_one_after_the_other_on_one_connection() -> None:
    async with open_endpoint() as endpoint:
        endpoint.http = hello
        async with await open_stream(endpoint) as stream:
            await stream.send_all(GET + b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            assert (await answer_of(stream)).endswith(b"/hello")
            assert (await answer_of(stream)).endswith(b"/xab")
        assert endpoint.connections.refused == 0


@trio_test
async def test_a_bug_in_a_handler_is_500_and_the_next_request_is_answered() -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint:
        endpoint.http = hello
        async with await open_stream(endpoint) as stream:
            await stream.send_all(GET.replace(b"hello", b"bug?access_token=secret"))
            assert b" 500 " in await answer_of(stream)
            await stream.send_all(GET)
            assert b" 200 " in await answer_of(stream)
    assert any(line.startswith("InternalError: GET /bug: ZeroDivisionError") for line in lines)
    assert not any("s3cret" in line for line in lines)
    assert not [line for line in lines if "secret" in line]


@trio_test
async def test_an_answer_that_http_forbids_is_500_too() -> None:
    async def bad(request: Request, address: str) -> Response:
        return Response(200, (("a", "b\r\nc"),))

    async with open_endpoint() as endpoint:
        endpoint.http = bad
        async with await open_stream(endpoint) as stream:
            await stream.send_all(GET)
            assert b" 500 " in await answer_of(stream)


@trio_test
async def test_a_handler_whose_client_has_left_is_cancelled(autojump_clock: object) -> None:
    cancelled = trio.Event()

    async def slow(request: Request, address: str) -> Response:
        try:
            await trio.sleep(5)
        except trio.Cancelled:
            cancelled.set()
            raise
        return Response(200)

    async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
        endpoint.http = slow
        ours, theirs = trio.testing.memory_stream_pair()
        nursery.start_soon(endpoint.serve, theirs)
        await ours.send_all(GET)
        await trio.sleep(0.1)
        await ours.aclose()
        with trio.fail_after(3):
            await cancelled.wait()
        assert endpoint.connections.refused == 0


@trio_test
async def test_a_body_above_the_limit_is_413() -> None:
    async with open_endpoint(maximum_packet_size=64, close_timeout=0.05) as endpoint:
        endpoint.http = hello
        stream = await open_stream(endpoint)
        await stream.send_all(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65\r\n\r\n" + bytes(65))
        assert b" 413 " in await read_all(stream)


class Echo:
    """A protocol that says everything back; it moves its bytes without a clock."""

    def __init__(self) -> None:
        self.left = False

    def takes(self, path: str) -> bool:
        return path == "/echo"

    def open(self, upgrade: Upgrade, visit: Visit, now: float) -> Talk | None:
        if upgrade.query:
            visit.refuse(Refusal(403, "no queries here"), now)
            return None
        websocket = visit.pump.link.hand_over()
        websocket.accept(("echo",), text=True)
        link: Any = EchoLink(websocket)
        visit.pump.link = link
        self.visit = visit
        return self

    def handle(self, events: list[Any], now: float) -> None:
        for event in events:
            self.visit.pump.link._websocket.send_message(event)
        self.visit.pump.flush()

    def leave(self, now: float) -> None:
        self.left = True


class EchoLink:
    """The least that a pump needs."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self.closed = False

    @property
    def bytes_pending(self) -> int:
        return self._websocket.bytes_pending

    def events(self) -> list[Any]:
        return [event for event in self._websocket.events() if isinstance(event, str)]

    def receive_data(self, data: bytes, now: float) -> None:
        self._websocket.receive_data(data)

    def receive_eof(self, now: float) -> None:
        self.closed = True

    def data_to_send(self, now: float) -> bytes:
        return self._websocket.data_to_send()

    def next_deadline(self) -> float:
        return float("inf")


def text_frame(text: str) -> bytes:
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text.encode()


@trio_test
async def test_another_protocol_gets_its_websockets_and_mqtt_the_others() -> None:
    echo = Echo()
    async with open_endpoint() as endpoint, await open_stream(endpoint) as stream:
        endpoint.speakers.append(echo)
        await stream.send_all(request("/echo", subprotocol="echo"))
        assert b"Sec-WebSocket-Protocol: echo" in await answer_of(stream)
        await stream.send_all(text_frame("hello"))
        assert await answer_of(stream) == b"\x81\x05hello"
        async with open_wire(endpoint) as wire:
            await connected(wire)
        await stream.aclose()
        with trio.fail_after(10):
            while not echo.left:  # noqa: ASYNC110 - there is no event for it
                await trio.sleep(0.01)


@trio_test
async def test_another_protocol_refuses_by_the_same_words_as_mqtt() -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint:
        endpoint.speakers.append(Echo())
        stream = await open_stream(endpoint)
        await stream.send_all(request("/echo?x", subprotocol="echo"))
        assert b"no queries here" in await read_all(stream)
        assert endpoint.connections.refused == 1
