"""Our client on other people's servers, and on our own endpoint by the same standard."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from mqttws import ClientState, ConnectionLost, MemoryStore, Message, QoS, Receipt, Will, open_client
from mqttws.endpoint import open_endpoint
from mqttws.webpubsub import Roles
from tests.interop import servers
from tests.interop.scenarios import BIG, CROWD, DEADLINE, QUALITIES, SESSION_SECONDS, client_id
from tests.interop.servers import Server
from tests.interop.wire import wire_to

KINDS = [("mosquitto", 5), ("mosquitto", 4), ("aedes", 4), ("endpoint", 5), ("endpoint", 4)]
each_server = pytest.mark.parametrize(
    ("kind", "version"), KINDS, ids=[f"{kind}-{'5.0' if version == 5 else '3.1.1'}" for kind, version in KINDS]
)


@asynccontextmanager
async def server_of(kind: str, folder: Path) -> AsyncIterator[Server]:
    """A server of that kind, ready."""
    if kind == "mosquitto":
        async with servers.mosquitto(folder) as server:
            yield server
    elif kind == "aedes":
        async with servers.aedes() as server:
            yield server
    else:
        async with open_endpoint() as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            yield Server(endpoint.port, url[url.index("/clients/") :])


def said(message: Message) -> tuple[str, bytes, QoS]:
    """What a subscriber reads of a message."""
    return message.topic, message.payload, message.qos


@each_server
@trio_test
async def test_the_quickstart_at_every_quality_of_service(kind: str, version: int, tmp_path: Path) -> None:
    async with server_of(kind, tmp_path) as server:
        with trio.fail_after(DEADLINE):
            async with (
                open_client(server.url, version=version, client_id=client_id()) as subscriber,
                open_client(server.url, version=version, client_id=client_id()) as publisher,
            ):
                assert not subscriber.session_present
                for qos in QUALITIES:
                    topic = f"quickstart{qos}"
                    async with subscriber.subscribe(topic, qos=qos) as messages:
                        assert messages.reason_codes == (qos,)
                        result = await publisher.publish(topic, "Hello World!", qos=qos)
                        assert result.reason_code == 0
                        assert said(await anext(messages)) == (topic, b"Hello World!", qos)


@each_server
@trio_test
async def test_a_payload_of_a_million_bytes(kind: str, version: int, tmp_path: Path) -> None:
    payload = random.randbytes(BIG)
    async with server_of(kind, tmp_path) as server:
        with trio.fail_after(DEADLINE):
            async with open_client(server.url, version=version, client_id=client_id()) as client:
                for qos in QUALITIES:
                    async with client.subscribe(f"big{qos}", qos=qos) as messages:
                        await client.publish(f"big{qos}", payload, qos=qos)
                        assert (await anext(messages)).payload == payload


async def fail_inside(url: str, version: int, will: Will) -> None:
    """A client's block that ends by an exception of its own."""
    async with open_client(url, version=version, client_id=client_id(), will=will):
        raise RuntimeError("on purpose")


@each_server
@trio_test
async def test_the_will_speaks_for_a_block_that_failed_and_for_no_other(
    kind: str, version: int, tmp_path: Path
) -> None:
    async with server_of(kind, tmp_path) as server:
        with trio.fail_after(DEADLINE):
            async with (
                open_client(server.url, version=version, client_id=client_id()) as witness,
                witness.subscribe("lastwill", qos=1) as messages,
            ):
                unsaid = Will("lastwill", b"unsaid", QoS.AT_LEAST_ONCE)
                async with open_client(server.url, version=version, client_id=client_id(), will=unsaid):
                    pass
                with pytest.raises(RuntimeError, match="on purpose"):
                    await fail_inside(server.url, version, Will("lastwill", b"failed", QoS.AT_LEAST_ONCE))
                assert said(await anext(messages)) == ("lastwill", b"failed", 1)


@each_server
@trio_test
async def test_the_will_speaks_for_a_client_whose_network_is_gone(kind: str, version: int, tmp_path: Path) -> None:
    will = Will("lastwill", b"gone", QoS.EXACTLY_ONCE)
    async with server_of(kind, tmp_path) as server, wire_to(server.port) as wire:
        url = replace(server, port=wire.port).url
        with trio.fail_after(DEADLINE):
            async with (
                open_client(server.url, version=version, client_id=client_id()) as witness,
                witness.subscribe("lastwill", qos=2) as messages,
                open_client(url, version=version, client_id=client_id(), will=will, reconnect=None) as mortal,
            ):
                wire.cut()
                assert said(await anext(messages)) == ("lastwill", b"gone", 2)
                with pytest.raises(ConnectionLost):
                    await mortal.publish("lastwill", b"too late", qos=1)


@each_server
@trio_test
async def test_a_session_is_resumed_with_what_was_missed(kind: str, version: int, tmp_path: Path) -> None:
    store, name = MemoryStore(), client_id()
    async with server_of(kind, tmp_path) as server, wire_to(server.port) as wire:
        url = replace(server, port=wire.port).url
        with trio.fail_after(DEADLINE):
            async with open_client(server.url, version=version, client_id=client_id()) as publisher:
                async with open_client(url, version=version, client_id=name, store=store, reconnect=None) as sleeper:
                    assert not sleeper.session_present
                    async with sleeper.subscribe("dreams", qos=2, keep=True) as messages:
                        await publisher.publish("dreams", b"awake", qos=0)
                        assert said(await anext(messages)) == ("dreams", b"awake", 0)
                        wire.cut()
                        with pytest.raises(ConnectionLost):
                            await anext(messages)
                await publisher.publish("dreams", b"missed 1", qos=1)
                await publisher.publish("dreams", b"missed 2", qos=2)
                wire.mend()
                async with open_client(url, version=version, client_id=name, store=store, reconnect=None) as sleeper:
                    assert sleeper.session_present
                    async with sleeper.messages("dreams") as messages:
                        assert said(await anext(messages)) == ("dreams", b"missed 1", 1)
                        assert said(await anext(messages)) == ("dreams", b"missed 2", 2)
                        await publisher.publish("dreams", b"awake again", qos=2)
                        assert said(await anext(messages)) == ("dreams", b"awake again", 2)


async def is_lost(receipt: Receipt) -> bool:
    """Whether the connection ended before the outcome of a publish was known."""
    try:
        await receipt.wait()
    except ConnectionLost:
        return True
    return False


@each_server
@trio_test
async def test_exchanges_survive_a_cut_and_happen_exactly_once(kind: str, version: int, tmp_path: Path) -> None:
    store, name = MemoryStore(), client_id()
    async with server_of(kind, tmp_path) as server, wire_to(server.port) as wire:
        url = replace(server, port=wire.port).url
        with trio.fail_after(DEADLINE):
            async with (
                open_client(server.url, version=version, client_id=client_id()) as witness,
                witness.subscribe("once", qos=2) as messages,
            ):
                async with open_client(
                    url,
                    version=version,
                    client_id=name,
                    store=store,
                    session_expiry_interval=SESSION_SECONDS,
                    reconnect=None,
                ) as publisher:
                    async with publisher.subscribe("kept", keep=True):  # aedes reports no Session without one
                        pass
                    receipts = [publisher.publish_soon("once", str(each), qos=2) for each in range(CROWD - 1)]
                    seen = [await anext(messages)]
                    wire.hold()
                    receipts.append(publisher.publish_soon("once", str(CROWD - 1), qos=2))
                    wire.cut()
                    assert [await is_lost(receipt) for receipt in receipts][-1]
                wire.mend()
                async with open_client(url, version=version, client_id=name, store=store, reconnect=None) as publisher:
                    assert publisher.session_present
                    assert publisher.lost == ()
                    while len(seen) < CROWD:
                        seen += await messages.receive_many(CROWD)
                    assert sorted(int(message.payload) for message in seen) == list(range(CROWD))
                    await publisher.publish("once", b"end", qos=2)
                    assert (await anext(messages)).payload == b"end"


async def stay_idle(url: str, version: int, states: list[ClientState]) -> None:
    """Say nothing for longer than the server would bear, but for the pings that the client sends by itself.

    A client that was cut off must not come back and look as if nothing had been.
    """
    async with open_client(url, version=version, client_id=client_id(), keep_alive=1, reconnect=None) as client:
        async with client.messages() as silence:
            with trio.move_on_after(2.5):  # a server gives up after 1.5 times the Keep Alive
                await anext(silence)
        await client.publish("still", b"here", qos=1)
        states.append(client.state)


@trio_test
async def test_pings_keep_idle_connections_alive(tmp_path: Path) -> None:
    """All servers at once, for it takes real seconds."""
    states: list[ClientState] = []
    async with AsyncExitStack() as stack:
        urls = {}
        for kind in dict(KINDS):
            urls[kind] = (await stack.enter_async_context(server_of(kind, tmp_path))).url
        with trio.fail_after(DEADLINE):
            async with trio.open_nursery() as nursery:
                for kind, version in KINDS:
                    nursery.start_soon(stay_idle, urls[kind], version, states)
    assert states == [ClientState.OPEN] * len(KINDS)
