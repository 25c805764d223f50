"""An hour of Keep Alive, a week of tokens, 70,000 publishes: in seconds of real time."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
from trio.testing import trio_test

from mqttws.client import Access, ClientState, Connected, open_client
from mqttws.simulation import Direction, Fault, Kind, Network, SimulatedServer, WirePlan
from mqttws.webpubsub import Roles

HOUR = 3_600.0
WEEK = 7 * 24 * HOUR


@asynccontextmanager
async def network(latency: float = 0.0) -> AsyncIterator[tuple[SimulatedServer, Network]]:
    server = SimulatedServer()
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        slow = (WirePlan(latency=latency),) * 1_000
        yield server, Network(server, {"one": slow, "two": slow})
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("version", [4, 5])
@trio_test
async def test_an_hour_of_keep_alive_then_silence(version: int, autojump_clock: trio.testing.MockClock) -> None:
    async with network(latency=0.3) as (server, wires):
        line = wires.line("one")
        async with open_client(
            server.url, version=version, client_id="one", keep_alive=5, dial=line.dial, session_expiry_interval=30
        ) as client:
            dialled = line.dialled  # twice in 3.1.1, where a connection of its own ends an old Session
            await trio.sleep(HOUR)
            # The endpoint ends a connection that has been silent for seven seconds and a half.
            assert (line.dialled, client.state) == (dialled, ClientState.OPEN)
            line.strike(Fault(Kind.VANISH, Direction.UP, 0))
            await client.wait_for(ClientState.RECONNECTING)
            assert trio.current_time() < HOUR + 10
            await client.wait_for(ClientState.OPEN)
            assert (line.dialled, client.session_present) == (dialled + 1, True)


@pytest.mark.whole
@trio_test
async def test_a_week_of_tokens_that_live_for_an_hour(autojump_clock: trio.testing.MockClock) -> None:
    async with network(latency=0.05) as (server, wires):
        connected: list[bool] = []

        def told(event: object) -> None:
            if isinstance(event, Connected):
                connected.append(event.session_present)

        async def fresh() -> Access:
            url = server.endpoint.client_access_url("chat", roles=Roles.everything(), lifetime=HOUR)
            return Access(url, expires_at=time.time() + HOUR)

        line = wires.line("one")
        async with (
            open_client(
                fresh,
                client_id="one",
                dial=line.dial,
                renew_before=60,
                keep_alive=180,
                session_expiry_interval=30,
                on_event=told,
            ) as client,
            client.subscribe("a", qos=2) as messages,
        ):
            # Every 59 minutes, so that by and by a message falls into every moment of a renewal.
            for number in range(int(WEEK / 3_540)):
                await trio.sleep_until(number * 3_540.0)
                await client.publish("a", str(number), qos=2)
                assert (await anext(messages)).payload == str(number).encode()
        assert len(connected) >= WEEK / HOUR
        assert connected == [False] + [True] * (len(connected) - 1)
        assert line.dialled == len(connected)


@pytest.mark.whole
@trio_test
async def test_seventy_thousand_publishes_go_round_the_packet_identifiers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    count = 70_000
    async with network() as (server, wires):
        dial = wires.line("one").dial
        async with open_client(server.url, client_id="one", dial=dial, keep_alive=0, send_queue=100) as client:
            waiting = []
            for _ in range(count):
                waiting.append(client.publish_soon("a", b"", qos=1))
                if len(waiting) == 100:
                    for receipt in waiting:
                        await receipt.wait()
                    waiting.clear()
            assert client.unfinished == 0
        assert server.endpoint.connections.published == count
