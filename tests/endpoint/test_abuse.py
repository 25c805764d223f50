"""Attacks in number and with intent, beside a good client that must notice none; afterwards everything is as before."""

from __future__ import annotations

import base64
import gc
import hashlib
import hmac
import json
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair, trio_test

from mqttws.codec import Connect, Publish, SubAck, Subscribe, Subscription, encode
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.session import Delivered
from mqttws.vocabulary import ProtocolVersion
from mqttws.webpubsub import Roles, make_token
from tests.endpoint.bench import Q1
from tests.endpoint.wires import (
    Wire,
    connected,
    frame,
    memory_stream,
    open_stream,
    open_wire,
    read_all,
    request,
    target_of,
    until_empty,
)

KEY = "k" * 44
PATH = "/clients/mqtt/hubs/chat"
CONNECT = encode(Connect(ProtocolVersion.V5, "bad", keep_alive=60))


class Witness:
    """A good client that hears its own messages; it counts what it has sent and got."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.sent = 0

    async def lives(self) -> None:
        """One message goes round, once and whole."""
        payload = b"%d" % self.sent
        self.sent += 1
        self.wire.send(Publish("news", payload, Q1))
        message = await self.wire.next(Publish)
        assert message.payload == payload
        self.wire.link.acknowledge(message)
        self.wire.pump.flush()


@asynccontextmanager
async def witnessed(endpoint: Endpoint, nursery: trio.Nursery | None = None) -> AsyncIterator[Witness]:
    """A good client beside whatever happens in the block; it loses nothing."""
    stream = None if nursery is None else memory_stream(endpoint, nursery)
    async with open_wire(endpoint, "good", stream=stream, keep_alive=180) as wire:
        await connected(wire)
        wire.send(Subscribe(0, [Subscription("news", Q1)]))
        assert (await wire.next(SubAck)).reason_codes == [1]
        witness = Witness(wire)
        await witness.lives()
        yield witness
        await witness.lives()
        assert not [event for event in wire.seen if isinstance(event, Delivered) and event.reason_code]


async def talk(endpoint: Endpoint, data: bytes) -> bytes:
    """Send bytes and read what comes back until the endpoint closes."""
    stream = await open_stream(endpoint)
    async with stream:
        try:
            await stream.send_all(data)
        except trio.BrokenResourceError:  # it has heard enough
            return b""
        return await read_all(stream)


# -- tokens -----------------------------------------------------------------------------------------------------------


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(payload: bytes | dict[str, Any], *, key: str = KEY, algorithm: str = "HS256", **header: Any) -> str:
    """A token with whatever inside, under a true signature."""
    head = json.dumps({"alg": algorithm, "typ": "JWT"} | header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    text = f"{b64(head)}.{b64(body)}"
    digest = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(algorithm, hashlib.sha256)
    return f"{text}.{b64(hmac.digest(key.encode(), text.encode(), digest))}"


class Case(NamedTuple):
    """Claims that would open the door, and the audience in them."""

    good: dict[str, Any]
    audience: str


Attack = Callable[[Case], str]


def changed(**claims: Any) -> Attack:
    """Good claims but these."""
    return lambda case: signed(case.good | claims)


def audience_with(change: Callable[[str], Any]) -> Attack:
    """Good claims for an audience that is nearly ours."""
    return lambda case: signed(case.good | {"aud": change(case.audience)})


ATTACKS: dict[str, Attack] = {
    "alg none": lambda case: signed(case.good, algorithm="none"),
    "alg none, no signature": lambda case: signed(case.good, algorithm="none").rpartition(".")[0] + ".",
    "alg None": lambda case: signed(case.good, algorithm="None"),
    "HS384": lambda case: signed(case.good, algorithm="HS384"),
    "HS512": lambda case: signed(case.good, algorithm="HS512"),
    "RS256": lambda case: signed(case.good, algorithm="RS256"),
    "two algorithms": lambda case: signed(case.good, algorithm="HS256,none"),
    "wrong key": lambda case: signed(case.good, key="x" * 44),
    "empty key": lambda case: signed(case.good, key=""),
    "key in another case": lambda case: signed(case.good, key=KEY.upper()),
    "no signature": lambda case: signed(case.good).rpartition(".")[0] + ".",
    "signature of another": lambda case: signed(case.good).rpartition(".")[0] + "." + signed(b"{}").split(".")[2],
    "crit": lambda case: signed(case.good, crit=["exp"]),
    "jku and kid": lambda case: signed(case.good, key="x" * 44, jku="https://evil.example", kid="../../key"),
    "embedded key": lambda case: signed(case.good, key="x" * 44, jwk={"kty": "oct", "k": b64(b"x" * 44)}),
    "expired": changed(exp=1_000_000_000),
    "no expiry": changed(exp=None),
    "expiry as text": changed(exp="soon"),
    "expiry NaN": changed(exp=float("nan")),
    "not yet valid": changed(nbf=4_000_000_000),
    "audience of another hub": audience_with(lambda aud: aud.replace("chat", "news")),
    "audience longer": audience_with(lambda aud: aud + "/x"),
    "audience with slash": audience_with(lambda aud: aud + "/"),
    "audience with query": audience_with(lambda aud: aud + "?a=b"),
    "audience in capitals": audience_with(str.upper),
    "audience shorter": audience_with(lambda aud: aud[:-1]),
    "audience with user info": audience_with(lambda aud: aud.replace("http://", "http://a@")),
    "audience on another host": audience_with(lambda aud: aud.replace("127.0.0.1", "127.0.0.1.evil.example")),
    "audience as an object": audience_with(lambda aud: {aud: aud}),
    "audience nested": audience_with(lambda aud: [[aud]]),
    "no audience": changed(aud=None),
    "audience twice": lambda case: signed(
        json.dumps(case.good | {"aud": "x"}).encode()[:-1] + b', "aud": "' + case.audience.encode() + b'"}'
    ),
    "expiry twice": lambda case: signed(json.dumps(case.good | {"exp": 1}).encode()[:-1] + b', "exp": 4000000000}'),
    "huge": lambda case: signed(case.good | {"x": "x" * 6000}) + "A" * 20_000,
    "nested": lambda _: signed(b"[" * 3000),
    "four parts": lambda case: signed(case.good) + ".x",
    "spaces": lambda case: signed(case.good).replace(".", " . "),
}


@trio_test
@pytest.mark.parametrize("place", ["query", "header"])
async def test_no_forged_token_opens_the_door(place: str) -> None:
    async with open_endpoint(access_key=KEY, close_timeout=0.05) as endpoint, witnessed(endpoint):
        audience = endpoint.address + PATH
        good = {"aud": audience, "exp": int(time.time()) + 600, "role": list(Roles.everything())}
        assert signed(good) != ""
        for name, attack in ATTACKS.items():
            token = attack(Case(good, audience))
            if place == "query":
                data = request(f"{PATH}?access_token={token}".replace(" ", "%20"))
            else:
                data = request(PATH, f"Authorization: Bearer {token}")
            answer = await talk(endpoint, data)
            assert answer[:12] in (b"HTTP/1.1 401", b"HTTP/1.1 414", b"HTTP/1.1 431"), (name, answer[:40])
            assert token[:40].encode() not in answer, name
        async with open_wire(endpoint, "fine", target=f"{PATH}?access_token={signed(good)}") as wire:
            await connected(wire)


@trio_test
async def test_a_token_opens_no_other_hub_by_any_path() -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint, witnessed(endpoint):
        target = target_of(endpoint, "chat")
        query = target.partition("?")[2]
        paths = [
            "/clients/mqtt/hubs/news",
            "/clients/mqtt/hubs/Chat",
            "/clients/mqtt/hubs/chat/",
            "/clients/mqtt/hubs/chat/../news",
            "/clients/mqtt/hubs/chat%2f..%2fnews",
            "/clients/mqtt/hubs/%2e%2e/chat",
            "/clients/mqtt/hubs/chat%00",
            "/clients/mqtt/hubs/chat%0d%0aX:%20y",
            "/clients/mqtt/hubs/chat;x",
            "/clients/mqtt/hubs//chat",
            "//clients/mqtt/hubs/chat",
            "/Clients/MQTT/hubs/chat",
            "/clients/mqtt/hubs/",
            "/clients/mqtt/hubs/" + "a" * 129,
            "/clients%2fmqtt%2fhubs%2fchat",
            "/./clients/mqtt/hubs/chat",
            "/x/../clients/mqtt/hubs/chat",
        ]
        for path in paths:
            answer = await talk(endpoint, request(f"{path}?{query}"))
            assert answer[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 404"), (path, answer[:40])
        assert endpoint.hub("news") is None


@trio_test
async def test_two_tokens_are_no_two_chances() -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint:
        target = target_of(endpoint)
        good = target.partition("access_token=")[2]
        for query in (f"access_token=bad&access_token={good}", f"access_token=&access_token={good}"):
            assert (await talk(endpoint, request(f"{PATH}?{query}"))).startswith(b"HTTP/1.1 401")


# -- pages of others, compression, headers ----------------------------------------------------------------------------


@trio_test
async def test_a_page_of_another_origin_opens_no_socket_where_origins_are_set() -> None:
    async with open_endpoint(origins=frozenset({"https://mine.example"}), close_timeout=0.05) as endpoint:
        target = target_of(endpoint)
        for origin in ("https://evil.example", "https://mine.example.evil.example", "null", "HTTPS://MINE.EXAMPLE", ""):
            answer = await talk(endpoint, request(target, f"Origin: {origin}"))
            assert answer.startswith(b"HTTP/1.1 403"), origin
        async with await open_stream(endpoint) as stream:
            await stream.send_all(request(target, "Origin: https://mine.example"))
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 101")
        async with open_wire(endpoint) as wire:  # no browser, no Origin
            await connected(wire)


@trio_test
async def test_compression_is_offered_in_vain_and_used_it_ends_the_connection() -> None:
    offers = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"
    async with open_endpoint(close_timeout=0.05) as endpoint, witnessed(endpoint):
        bomb = bytes([0xC2, 0xFE]) + (60_000).to_bytes(2, "big") + bytes(4) + bytes(60_000)
        answer = await talk(endpoint, request(target_of(endpoint), offers) + bomb)
        assert answer.startswith(b"HTTP/1.1 101")
        assert b"sec-websocket-extensions" not in answer.lower()
        assert answer[-2 - 30 :].find((1002).to_bytes(2, "big")) >= 0


@trio_test
async def test_bombs_of_headers_are_answered_before_they_have_arrived_whole() -> None:
    bombs = {
        b"one header of a mebibyte": b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 2**20,
        b"a hundred thousand headers": b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * 100_000,
        b"an endless line": b"GET /" + b"x" * 2**20,
        b"folded lines": b"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n" + b" c\r\n" * 50_000,
        b"two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"a body with a WebSocket": request(PATH, "Content-Length: 5") + b"hello",
        b"spaces in the subprotocol": request(PATH, subprotocol="," + " " * 7000 + "x"),
    }
    async with open_endpoint(close_timeout=0.05) as endpoint, witnessed(endpoint) as witness:
        for name, bomb in bombs.items():
            answer = await talk(endpoint, bomb)
            assert answer[:10] in (b"", b"HTTP/1.1 4"), (name, answer[:40])
            await witness.lives()


# -- logs -------------------------------------------------------------------------------------------------------------


@trio_test
async def test_no_text_of_a_client_begins_a_line_of_the_log() -> None:
    lines: list[str] = []
    forged = "x\r\nConnectionStarted: forged\x1b[2J\u2028\x00 y"
    async with open_endpoint(log=lines.append, close_timeout=0.05, any_client_id=True) as endpoint:
        client_id = forged.replace("\x00", "")
        async with open_wire(endpoint, client_id, target=target_of(endpoint, user_id=forged, roles=[forged])) as wire:
            await connected(wire)
            wire.send(Publish(client_id, b"x", Q1))
            await wire.next(Delivered)
        await talk(endpoint, request(f"/{'%0d%0a'}{'x' * 50}"))
        bad_token = make_token(KEY, forged, now=time.time())
        await talk(endpoint, request(f"{PATH}?access_token={bad_token}"))
        await until_empty(endpoint)
    assert len(lines) > 5
    assert [line for line in lines if not line.isascii() or not line.isprintable()] == []
    assert [line for line in lines if line.startswith("ConnectionStarted: forged")] == []


@trio_test
async def test_a_log_that_raises_takes_nobody_down() -> None:
    def full(line: str) -> None:
        raise OSError(f"disk full: {len(line)}")

    async with open_endpoint(log=full, close_timeout=0.05) as endpoint, witnessed(endpoint):
        await talk(endpoint, request(PATH))
        assert endpoint.log.failures > 3


# -- in number --------------------------------------------------------------------------------------------------------


#: 5,000 with ``MQTTWS_HALF_OPEN=5000 pytest tests/endpoint/test_abuse.py``; fewer do for every day.
HALF_OPEN = int(os.environ.get("MQTTWS_HALF_OPEN", "500"))


def test_half_open_handshakes_end_in_time_and_keep_nobody_out(autojump_clock: MockClock) -> None:
    async def main() -> None:
        async with open_endpoint() as endpoint, trio.open_nursery() as nursery, witnessed(endpoint, nursery) as witness:
            theirs = []
            half = request(PATH)[:40]
            for _ in range(HALF_OPEN):
                ours, end = memory_stream_pair()
                nursery.start_soon(endpoint.serve, end)
                await ours.send_all(half)
                theirs.append(ours)
            await witness.lives()
            assert endpoint.sockets == HALF_OPEN + 1
            async with open_wire(endpoint, "fresh", stream=memory_stream(endpoint, nursery)) as fresh:
                await connected(fresh)
            began = trio.current_time()
            while endpoint.sockets > 1:  # noqa: ASYNC110 - the endpoint has no event for it
                await trio.sleep(0.5)
            assert trio.current_time() - began < 13
            for stream in theirs:
                await stream.aclose()
            await witness.lives()
            nursery.cancel_scope.cancel()

    trio.run(main, clock=autojump_clock)


ENDLESS = b"".join(
    bytes([0x02 if not n else 0x00, 0xFE]) + (60_000).to_bytes(2, "big") + bytes(60_004) for n in range(20)
)


async def storm(endpoint: Endpoint) -> None:
    """One of each."""
    target = target_of(endpoint)
    open_ = request(target)
    hello = open_ + frame(CONNECT)
    for data in (
        request(PATH),
        request(PATH + "?access_token=a.b.c"),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200,
        b"\x16\x03\x01\x00\xa5",
        open_ + frame(b"\x00\x00"),
        hello + frame(bytes.fromhex("30 FFFFFF7F")),
        hello + ENDLESS,
        hello + frame(encode(Publish("t", b"x" * 60_000)))[:30_000],
        hello + b"".join(frame(b"x" * 125, opcode=9) for _ in range(2_000)),
        hello + frame(encode(Subscribe(1, [Subscription(f"t{n}", Q1) for n in range(900)]))),
        hello + b"\x82\x02\xc0\x00",
    ):
        stream = await open_stream(endpoint)
        with trio.move_on_after(2):
            try:
                await stream.send_all(data)
                await stream.send_eof()
                while await stream.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass
        await stream.aclose()


@trio_test
async def test_after_a_storm_everything_is_as_it_was_and_memory_too() -> None:
    async with open_endpoint(close_timeout=0.05) as endpoint, witnessed(endpoint) as witness:

        async def quiet() -> int:
            await witness.lives()
            with trio.fail_after(10):
                while endpoint.sockets > 1:  # noqa: ASYNC110 - the endpoint has no event for it
                    await trio.sleep(0.01)
            gc.collect()
            return tracemalloc.get_traced_memory()[0]

        await storm(endpoint)  # what is loaded and cached once
        tracemalloc.start()
        try:
            before = await quiet()
            for _ in range(3):
                await storm(endpoint)
            after = await quiet()
        finally:
            tracemalloc.stop()
        assert endpoint.connections.open == 1
        hub = endpoint.hub("chat")
        assert hub is not None
        assert [member.client_id for member in hub.members()] == ["good"]
        assert after - before < 100_000, f"{after - before} bytes more"
