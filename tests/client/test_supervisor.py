"""How a client gets from one connection to the next, and what goes on meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import ClientState, Reconnect, open_client
from mqttws.codec import ConnAck, Publish
from mqttws.session import Session
from tests.client.scripted import URL, Peer, Server

FAST = Reconnect(initial=1, maximum=8, random=lambda: 1.0)

Script = Callable[[Peer], Awaitable[Any]]


async def serve(server: Server, *scripts: Script) -> None:
    """One script for each connection, in their order; then a farewell."""
    for script in scripts:
        peer = await server.accept()
        await script(peer)


@trio_test
async def test_a_connection_that_was_cut_is_replaced_and_its_exchanges_go_on(autojump_clock: MockClock) -> None:
    server, session = Server(), Session()
    connects = []

    async def first(peer: Peer) -> None:
        connects.append(await peer.greet(session=session))
        await peer.expect(Publish)
        await peer.vanish()

    async def second(peer: Peer) -> None:
        connects.append(await peer.greet(ConnAck(True), session))
        again = await peer.expect(Publish)
        assert (again.payload, again.dup) == (b"x", True)
        await peer.acknowledge(again)
        await peer.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, first, second)
        async with open_client(URL, dial=server.dial, reconnect=FAST) as client:
            await client.publish("a", b"x", qos=1)
            assert client.session_present
            assert client.state is ClientState.OPEN
    assert [connect.clean_start for connect in connects] == [True, False]
    assert len({connect.client_id for connect in connects}) == 1
    assert [connect.properties["session_expiry_interval"] for connect in connects] == [30, 30]


@trio_test
async def test_a_stream_stays_open_and_a_lost_session_is_subscribed_anew(autojump_clock: MockClock) -> None:
    server = Server()
    subscribed = []

    async def first(peer: Peer) -> None:
        await peer.greet()
        subscribed.append(await peer.grant())
        await peer.send(Publish("a", b"1"))
        await peer.vanish()

    async def second(peer: Peer) -> None:
        await peer.greet(ConnAck(False))
        subscribed.append(await peer.grant())
        await peer.send(Publish("a", b"2"))
        await peer.release()
        await peer.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server, first, second)
        async with open_client(URL, dial=server.dial, reconnect=FAST) as client, client.subscribe("a") as messages:
            assert [(await anext(messages)).payload for _ in range(2)] == [b"1", b"2"]
    assert [[s.topic_filter for s in packet.subscriptions] for packet in subscribed] == [["a"], ["a"]]
