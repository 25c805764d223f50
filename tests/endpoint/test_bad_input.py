"""Bad clients: each ends its own connection with a clear answer, and costs a good client beside it nothing."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair, trio_test

from mqttws.codec import Connect, Publish, SubAck, Subscribe, Subscription, Will, encode
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.session import Delivered
from mqttws.vocabulary import ProtocolVersion
from tests.endpoint.bench import Q1
from tests.endpoint.wires import (
    connect_bytes,
    connected,
    frame,
    memory_stream,
    open_stream,
    open_wire,
    read_all,
    request,
    target_of,
)

CONNECT = encode(Connect(ProtocolVersion.V5, "bad", keep_alive=60))
TOKEN_FREE = "/clients/mqtt/hubs/chat"


async def talk(endpoint: Endpoint, data: bytes) -> bytes:
    """Send bytes and read what comes back until the endpoint closes."""
    stream = await open_stream(endpoint)
    async with stream:
        await stream.send_all(data)
        return await read_all(stream)


@trio_test
@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00", 400, b""),
        (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03", 400, b""),
        (b"nonsense\r\n\r\n", 400, b""),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 5000, 431, b""),
        (b"GET /" + b"a" * 100_000, 414, b""),
        (request("/nothing/here"), 404, b"/clients/mqtt/hubs/{hub}"),
        (request("/clients/mqtt/hubs/-"), 400, b"no hub name"),
        (request(TOKEN_FREE), 401, b"no access token"),
        (request(TOKEN_FREE + "?access_token=abc"), 401, b"no JSON Web Token"),
        (request(TOKEN_FREE, subprotocol=None), 400, b"subprotocol mqtt"),
        (request(TOKEN_FREE, subprotocol="mqttv3.1"), 400, b"subprotocol mqtt"),
    ],
    ids=[
        "MQTT without WebSocket",
        "TLS on a plain port",
        "no HTTP",
        "5,000 headers",
        "endless line",
        "other path",
        "bad hub name",
        "no token",
        "bad token",
        "no subprotocol",
        "other subprotocol",
    ],
)
async def test_a_bad_handshake_gets_a_readable_answer_and_no_101(data: bytes, status: int, words: bytes) -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint:
        answer = await talk(endpoint, data)
        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b" 101 " not in answer
        assert words in answer
        assert b"text/plain" in answer
        assert endpoint.connections.open == 0
        assert endpoint.connections.refused == 1


@trio_test
@pytest.mark.parametrize("line", [b"GET", b"POST", b"OPTIONS"])
async def test_row_13_what_is_no_upgrade_at_the_path_of_mqtt_gets_400(line: bytes) -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint:
        data = line + b" /clients/mqtt/hubs/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        answer = await talk(endpoint, data)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Upgrade: websocket" in answer


@trio_test
async def test_row_5_an_expired_token_is_refused_over_a_socket() -> None:
    async with open_endpoint(clock_skew=0, close_timeout=0.05) as endpoint:
        target = target_of(endpoint, lifetime=1)
        await trio.sleep(1.1)
        assert b"the access token expired" in await talk(endpoint, request(target))


@trio_test
async def test_an_unknown_hub_is_refused_by_name() -> None:
    async with open_endpoint(hubs=["chat"]) as endpoint:
        answer = await talk(endpoint, request(target_of(endpoint, "other")))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"'other'" in answer


@trio_test
@pytest.mark.parametrize(
    ("frames", "close_code"),
    [
        (frame(b"\x00\x00"), 1002),
        (frame(encode(Publish("a", b""))), 1002),
        (frame(b"hello", opcode=1), 1003),
        (frame(CONNECT) + frame(b"hello", opcode=1), 1003),
        (b"\x82\x02\xc0\x00", 1002),
        (b"\xc2\x80" + bytes(4), 1002),
        (frame(b"", opcode=3), 1002),
        (b"\x09\x80" + bytes(4), 1002),
        (frame(CONNECT + bytes.fromhex("30 FFFFFF7F")), 1009),
        (frame(bytes.fromhex("10 FFFFFF7F")), 1009),
        (frame(CONNECT + b"\x30\xff\xff\xff\xff\xff"), 1002),
        (frame(CONNECT + CONNECT), 1002),
        (frame(CONNECT + bytes.fromhex("20 03 00 00 00")), 1002),
        (frame(CONNECT + bytes.fromhex("30 03 0000 00")), 1002),
        (frame(CONNECT + bytes.fromhex("30 04 0001 23 00")), 1002),
        (frame(CONNECT + bytes.fromhex("36 06 0001 61 0001 00")), 1002),
    ],
    ids=[
        "malformed first packet",
        "first packet not CONNECT",
        "text frame",
        "text frame after CONNECT",
        "unmasked frame",
        "reserved bit",
        "reserved opcode",
        "fragmented ping",
        "packet of 256 MiB claimed",
        "CONNECT of 256 MiB claimed",
        "five bytes of remaining length",
        "second CONNECT",
        "CONNACK from a client",
        "empty topic",
        "topic with a wildcard",
        "QoS 3",
    ],
)
async def test_a_bad_frame_or_packet_ends_its_connection_and_no_other(frames: bytes, close_code: int) -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint, open_wire(endpoint, "good") as good:
        await connected(good)
        good.send(Subscribe(0, [Subscription("news", Q1)]))
        await good.next(SubAck)
        answer = await talk(endpoint, request(target_of(endpoint)) + frames)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"\x88" in answer
        at = answer.rindex(b"\x88")
        assert int.from_bytes(answer[at + 2 : at + 4], "big") == close_code
        good.send(Publish("news", b"fine", Q1))
        assert (await good.next(Publish)).payload == b"fine"
        assert endpoint.connections.open == 1


@trio_test
async def test_a_client_that_is_cut_in_mid_packet_is_cleaned_up_and_its_will_speaks() -> None:
    async with open_endpoint() as endpoint, open_wire(endpoint, "good") as good:
        await connected(good)
        good.send(Subscribe(0, [Subscription("w", Q1)]))
        await good.next(SubAck)
        stream = await open_stream(endpoint)
        hello = encode(Connect(ProtocolVersion.V5, "bad", keep_alive=60, will=Will("w", b"gone")))
        await stream.send_all(connect_bytes(endpoint, hello + encode(Publish("w", b"x" * 50))[:20]))
        await stream.receive_some()
        await stream.aclose()
        assert (await good.next(Publish)).payload == b"gone"


@trio_test
async def test_bytes_one_at_a_time_are_as_good_as_all_at_once() -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint:
        stream = await open_stream(endpoint)
        for byte in connect_bytes(endpoint, CONNECT + b"\xe0\x00"):
            await stream.send_all(bytes([byte]))
        answer = await read_all(stream)
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert b"\x82" in answer
        assert endpoint.connections.sessions_started == 1


# -- time, without waiting for it ----------------------------------------------------------------------------------


def run_with_clock(main: object, clock: MockClock) -> None:
    trio.run(main, clock=clock)  # type: ignore[arg-type]


async def seconds_until_closed(endpoint: Endpoint, *pieces: bytes, gap: float = 0.0) -> tuple[float, bytes]:
    """Send pieces over a stream in memory and measure when the endpoint closes it."""
    async with trio.open_nursery() as nursery:
        stream = memory_stream(endpoint, nursery)
        began = trio.current_time()
        for piece in pieces:
            await trio.sleep(gap)
            await stream.send_all(piece)
        received = b""
        while data := await stream.receive_some():
            received += data
        elapsed = trio.current_time() - began
        await stream.aclose()
    return elapsed, received


def test_a_silent_socket_is_closed_after_10_seconds(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            elapsed, received = await seconds_until_closed(endpoint)
            assert 10 <= elapsed < 12
            assert received.startswith(b"HTTP/1.1 408 ")

    run_with_clock(main, autojump_clock)


def test_half_a_handshake_that_trickles_in_is_closed_after_10_seconds(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            pieces = [bytes([byte]) for byte in request(TOKEN_FREE)[:9]]
            elapsed, received = await seconds_until_closed(endpoint, *pieces, gap=1.0)
            assert 10 <= elapsed < 12
            assert b" 101 " not in received

    run_with_clock(main, autojump_clock)


def test_a_client_that_never_sends_connect_is_closed_after_10_seconds_more(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            elapsed, received = await seconds_until_closed(endpoint, request(target_of(endpoint)))
            assert 10 <= elapsed < 12
            assert received.startswith(b"HTTP/1.1 101 ")
            assert endpoint.connections.open == 0

    run_with_clock(main, autojump_clock)


def test_a_frame_that_claims_a_tebibyte_costs_nothing_and_ends_with_the_time_for_connect(
    autojump_clock: MockClock,
) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            claim = b"\x82\xff" + (2**40).to_bytes(8, "big") + bytes(4) + CONNECT[:10]
            elapsed, _ = await seconds_until_closed(endpoint, request(target_of(endpoint)) + claim)
            assert elapsed < 12
            assert endpoint.connections.open == 0

    run_with_clock(main, autojump_clock)


def test_row_65_a_client_that_falls_silent_is_closed_at_one_and_a_half_keep_alives(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            hello = encode(Connect(ProtocolVersion.V5, "quiet", keep_alive=20))
            elapsed, received = await seconds_until_closed(endpoint, connect_bytes(endpoint, hello))
            assert 30 <= elapsed < 32
            assert b"\xe0\x01\x8d" in received

    run_with_clock(main, autojump_clock)


def test_row_67_a_session_ends_by_the_clock_and_takes_its_hub_with_it(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint:
            async with trio.open_nursery() as nursery:
                stream = memory_stream(endpoint, nursery)
                properties = {"session_expiry_interval": 30}
                async with open_wire(endpoint, stream=stream, properties=properties) as wire:
                    await connected(wire)
                await stream.aclose()
            await trio.sleep(29)
            assert endpoint.hub("chat") is not None
            await trio.sleep(2)
            assert endpoint.hub("chat") is None
            assert endpoint.connections.sessions_ended == 1

    run_with_clock(main, autojump_clock)


def test_row_70_a_delayed_will_comes_by_the_clock(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint, trio.open_nursery() as nursery:
            quiet = memory_stream(endpoint, nursery)
            async with open_wire(endpoint, "good", stream=quiet) as good:
                await connected(good)
                good.send(Subscribe(0, [Subscription("w", Q1)]))
                await good.next(SubAck)
                stream = memory_stream(endpoint, nursery)
                will = Will("w", b"gone", properties={"will_delay_interval": 5})
                properties = {"session_expiry_interval": 30}
                async with open_wire(endpoint, "bad", stream=stream, will=will, properties=properties) as bad:
                    await connected(bad)
                await stream.aclose()
                began = trio.current_time()
                assert (await good.next(Publish)).payload == b"gone"
                assert 5 <= trio.current_time() - began < 6

    run_with_clock(main, autojump_clock)


def test_a_reader_that_never_reads_costs_a_bounded_amount_and_is_ended_soon(autojump_clock: MockClock) -> None:
    async def main() -> None:
        lines: list[str] = []
        settings: dict[str, Any] = {"queue_messages": 10, "send_buffer_bytes": 1024, "patience": 0.1}
        async with open_endpoint(log=lines.append, **settings) as endpoint, trio.open_nursery() as nursery:
            stuck, theirs = lockstep_stream_pair()  # whose writer waits until this end reads
            nursery.start_soon(endpoint.serve, theirs, "stuck")
            packets = encode(Connect(ProtocolVersion.V5, "stuck", keep_alive=180)) + encode(
                Subscribe(1, [Subscription("a", Q1)])
            )
            async with trio.open_nursery() as asking:
                asking.start_soon(stuck.send_all, request(target_of(endpoint)))
                await stuck.receive_some()
            await stuck.send_all(frame(packets))
            fast = memory_stream(endpoint, nursery)
            async with open_wire(endpoint, "good", stream=fast) as good:
                await connected(good)
                for _ in range(30):
                    good.send(Publish("a", b"x" * 500, Q1))
                    await good.next(Delivered)
                assert any("SlowClient" in line for line in lines)
                hub = endpoint.hub("chat")
                assert hub is not None
                assert hub.session("stuck") is None
                began = trio.current_time()
                while endpoint.connections.open > 1:  # noqa: ASYNC110 - the endpoint has no event for it
                    await trio.sleep(0.1)
                assert trio.current_time() - began < 3 * endpoint.service.close_timeout
            await fast.aclose()
            await stuck.aclose()

    run_with_clock(main, autojump_clock)
