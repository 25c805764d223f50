"""What every client library has to be able to do with a server: the quickstart, and what can go wrong around it.

A scenario knows neither the library nor the server; each ends by itself within ``DEADLINE``.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trio

from tests.interop.peers import Options, Received, open_peer
from tests.interop.servers import Server
from tests.interop.wire import wire_to

DEADLINE = 45.0  #: seconds, for one scenario
BIG = 1_000_000  #: bytes of payload; the service takes messages up to 1 MiB
SESSION_SECONDS = 30
CROWD = 60  #: messages under way at once, more than any of the libraries keeps in flight

QUALITIES = (0, 1, 2)

Scenario = Callable[[str, int, Server], Awaitable[None]]  #: library, protocol version, server


def client_id() -> str:
    """A Client Identifier that the service takes: 1 to 128 letters and digits."""
    return "interop" + "".join(random.choices(string.ascii_letters + string.digits, k=12))


async def quickstart(library: str, version: int, server: Server) -> None:
    """Two clients: one subscribes, the other publishes, at each QoS, and then a payload of a million bytes."""
    with trio.fail_after(DEADLINE):
        async with (
            open_peer(library, Options(server.url, version, client_id())) as subscriber,
            open_peer(library, Options(server.url, version, client_id())) as publisher,
        ):
            for peer in (subscriber, publisher):
                greeting = await peer.connect()
                assert (greeting.session_present, greeting.reason_code) == (False, 0)
            for qos in QUALITIES:
                topic = f"quickstart{qos}"
                assert await subscriber.subscribe(topic, qos) == qos
                await publisher.publish(topic, b"Hello World!", qos)
                assert await subscriber.message() == Received(topic, b"Hello World!", qos)
            payload = random.randbytes(BIG)
            await publisher.publish("quickstart1", payload, 1)
            big = await subscriber.message()
            assert len(big.payload) == BIG
            assert hashlib.sha256(big.payload).digest() == hashlib.sha256(payload).digest()
            for peer in (subscriber, publisher):
                await peer.disconnect()


async def will_speaks(library: str, version: int, server: Server) -> None:
    """A client whose network goes away is spoken for by its Will; one that says DISCONNECT is not."""
    will = Received("lastwill", b"gone", 1)
    with trio.fail_after(DEADLINE):
        async with (
            wire_to(server.port) as wire,
            open_peer(library, Options(server.url, version, client_id())) as witness,
        ):
            await witness.connect()
            assert await witness.subscribe("lastwill", 1) == 1
            through = replace(server, port=wire.port)
            options = Options(through.url, version, client_id(), will=will)
            async with open_peer(library, replace(options, will=replace(will, payload=b"unsaid"))) as polite:
                await polite.connect()
                await polite.disconnect()
            async with open_peer(library, options) as mortal:
                await mortal.connect()
                wire.cut()
                assert await witness.message() == will


async def session_resumes(library: str, version: int, server: Server) -> None:
    """A client that comes back within the Session Expiry Interval gets what it missed, in order, and no more."""
    with trio.fail_after(DEADLINE):
        async with wire_to(server.port) as wire:
            through = replace(server, port=wire.port)
            options = Options(
                through.url, version, client_id(), clean_start=False, session_expiry_interval=SESSION_SECONDS
            )
            async with (
                open_peer(library, options) as sleeper,
                open_peer(library, Options(server.url, version, client_id())) as publisher,
            ):
                await publisher.connect()
                assert not (await sleeper.connect()).session_present
                assert await sleeper.subscribe("dreams", 2) == 2
                await publisher.publish("dreams", b"awake", 0)
                assert (await sleeper.message()).payload == b"awake"
                wire.cut()
                await sleeper.lost()
                for qos in (1, 2):
                    await publisher.publish("dreams", b"missed %d" % qos, qos)
                wire.mend()
                assert (await sleeper.connect()).session_present
                assert await sleeper.message() == Received("dreams", b"missed 1", 1)
                assert await sleeper.message() == Received("dreams", b"missed 2", 2)
                await publisher.publish("dreams", b"awake again", 2)
                assert (await sleeper.message()).payload == b"awake again"
                await sleeper.disconnect()


async def exchanges_survive_a_cut(library: str, version: int, server: Server) -> None:
    """The network goes away in the middle of many QoS 2 exchanges; every message arrives exactly once all the same."""
    with trio.fail_after(DEADLINE):
        async with wire_to(server.port) as wire:
            through = replace(server, port=wire.port)
            options = Options(
                through.url, version, client_id(), clean_start=False, session_expiry_interval=SESSION_SECONDS
            )
            async with (
                open_peer(library, options) as publisher,
                open_peer(library, Options(server.url, version, client_id())) as witness,
            ):
                await witness.connect()
                assert await witness.subscribe("once", 2) == 2
                await publisher.connect()
                await publisher.subscribe("kept", 0)  # aedes reports no Session that holds no subscription
                async with trio.open_nursery() as nursery:
                    for number in range(CROWD - 1):
                        nursery.start_soon(publisher.publish, "once", b"%d" % number, 2)
                    seen = [await witness.message()]
                    wire.hold()
                    nursery.start_soon(publisher.publish, "once", b"%d" % (CROWD - 1), 2)
                    await trio.sleep(0.01)  # on its way, one way or another
                    wire.cut()
                    await publisher.lost()
                    wire.mend()
                    assert (await publisher.connect()).session_present
                seen += [await witness.message() for _ in range(CROWD - 1)]
                assert sorted(int(message.payload) for message in seen) == list(range(CROWD))
                await publisher.publish("once", b"end", 2)
                assert (await witness.message()).payload == b"end"


SCENARIOS: tuple[Scenario, ...] = (quickstart, will_speaks, session_resumes, exchanges_survive_a_cut)
