"""Topic Aliases of a client: given by themselves if asked for, resolved as far as they were announced."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.client import open_client
from mqttws.codec import ConnAck, Publish, encode
from mqttws.errors import RemoteProtocolError
from mqttws.session import Session
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scripted import URL, Peer, Server, open_pair

LONG = "building/7/floor/3/room/12/temperature"
ROOM: Any = {"topic_alias_maximum": 5}


class Counting(trio.abc.Stream):
    """A stream that counts the bytes that go out."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.sent = 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += len(data)
        await self.stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self.stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self.stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self.stream.aclose()


class Scales(Server):
    """A server whose wires are counted."""

    def __init__(self) -> None:
        super().__init__()
        self.wires: list[Counting] = []

    async def dial(self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        self.wires.append(Counting(await super().dial(host, port, secure=secure, ssl_context=ssl_context)))
        return self.wires[-1]


async def weigh(said: Any, **options: Any) -> int:
    """Bytes for 20 messages on one topic, which all arrive."""
    server = Scales()
    async with open_pair(ConnAck(properties=said), server=server, **options) as (client, peer):
        before = server.wires[0].sent
        for number in range(20):
            await client.publish(LONG, b"%d" % number)
            assert await peer.expect(Publish) == Publish(LONG, b"%d" % number)
        return server.wires[0].sent - before


@trio_test
async def test_aliases_are_given_if_asked_for_and_if_the_server_takes_any(autojump_clock: MockClock) -> None:
    plain = await weigh(ROOM)
    assert await weigh({}, topic_aliases=True) == plain
    saved = 19 * (len(LONG) - 3) - 3  # all but the first leave out the name, and each has an alias
    assert await weigh(ROOM, topic_aliases=True) == plain - saved


@trio_test
async def test_what_is_sent_again_on_another_connection_has_its_name(autojump_clock: MockClock) -> None:
    server = Server()

    async def first(peer: Peer) -> None:
        await peer.greet(ConnAck(properties=ROOM))
        for _ in range(3):
            assert (await peer.expect(Publish)).topic == LONG
        await peer.vanish()

    async def second(peer: Peer) -> None:
        await peer.greet(ConnAck(True, properties=ROOM), Session())
        for number in range(3):
            again = await peer.expect(Publish)
            assert (again.topic, again.payload, again.dup) == (LONG, b"%d" % number, True)
            await peer.acknowledge(again)
        for number in range(2):
            new = await peer.expect(Publish)
            assert (new.topic, new.payload, new.dup) == (LONG, b"%d" % number, False)
        await peer.finish()

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await first(await server.accept())
            await second(await server.accept())

        async with open_client(URL, dial=server.dial, topic_aliases=True) as client:
            receipts = [client.publish_soon(LONG, b"%d" % number, qos=1) for number in range(3)]
            for receipt in receipts:
                await receipt.wait()
            for number in range(2):
                await client.publish(LONG, b"%d" % number)


@trio_test
async def test_the_servers_aliases_are_resolved_up_to_what_was_announced(autojump_clock: MockClock) -> None:
    async with open_pair(topic_alias_maximum=2, reconnect=None) as (client, peer), client.messages() as messages:
        for topic, alias in (("a/b", 1), ("c/d", 2), ("", 1), ("", 2), ("e/f", 1), ("", 1)):
            said: Any = {"topic_alias": alias}
            await peer.send(Publish(topic, b"", QoS.AT_MOST_ONCE, properties=said))
        assert [(await anext(messages)).topic for _ in range(6)] == ["a/b", "c/d", "a/b", "c/d", "e/f", "e/f"]
        beyond: Any = {"topic_alias": 3}
        await peer.send_raw(encode(Publish("g/h", properties=beyond)))
        with pytest.raises(RemoteProtocolError) as caught:
            await anext(messages)
        assert caught.value.reason_code == ReasonCode.TOPIC_ALIAS_INVALID
