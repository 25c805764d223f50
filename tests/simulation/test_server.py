"""The endpoint in memory: goes down in every way, and comes back with its Sessions or without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import trio_test

from mqttws.client import Client, ClientState, open_client
from mqttws.endpoint import Service
from mqttws.errors import ConnectionLost, DialFailed
from mqttws.simulation import Ending, Network, SimulatedServer, WirePlan


@asynccontextmanager
async def running(*plans: WirePlan, service: Service | None = None) -> AsyncIterator[tuple[SimulatedServer, Network]]:
    server = SimulatedServer(service)
    async with trio.open_nursery() as nursery:
        await nursery.start(server.run)
        yield server, Network(server, {"me": plans})
        nursery.cancel_scope.cancel()


def client_of(server: SimulatedServer, network: Network, **options: Any) -> Any:
    options.setdefault("session_expiry_interval", 30)
    return open_client(server.url, client_id="me", dial=network.line("me").dial, **options)


async def until(client: Client, state: ClientState) -> None:
    while client.state is not state:  # noqa: ASYNC110 - in virtual time this costs nothing
        await trio.sleep(0.01)


@pytest.mark.parametrize("keeps", [True, False])
@pytest.mark.parametrize("ending", Ending)
@trio_test
async def test_a_restart_keeps_the_sessions_or_loses_them(
    ending: Ending, keeps: bool, autojump_clock: trio.testing.MockClock
) -> None:
    async with running() as (server, network):
        async with client_of(server, network, keep_alive=2) as client, client.subscribe("a", qos=2) as messages:
            assert server.subscribed("me", "a") == 1
            await server.restart(ending, down=0.0, keeps=keeps)
            assert server.is_up
            await trio.sleep(10)
            assert client.state is ClientState.OPEN
            assert client.session_present is keeps
            assert server.sessions_begun("me") == (1 if keeps else 2)
            await client.publish("a", b"again", qos=2)
            assert (await anext(messages)).payload == b"again"
        await trio.sleep(60)
        assert server.is_empty


@trio_test
async def test_while_it_is_down_nobody_gets_through(autojump_clock: trio.testing.MockClock) -> None:
    async with running() as (server, network), client_of(server, network) as client, trio.open_nursery() as nursery:

        async def restart() -> None:
            await server.restart(Ending.RESET, down=5.0, keeps=True)

        nursery.start_soon(restart)
        await until(client, ClientState.RECONNECTING)
        began = trio.current_time()
        assert not server.is_up
        with pytest.raises(DialFailed):
            await network.line("me").dial("server", 80, secure=False, ssl_context=None)
        await until(client, ClientState.OPEN)
        assert trio.current_time() >= began + 5


@trio_test
async def test_a_plan_may_refuse_or_never_answer(autojump_clock: trio.testing.MockClock) -> None:
    plans = (WirePlan(opens=False), WirePlan(opens=None), WirePlan(latency=2.0))
    async with running(*plans) as (server, network):
        for _ in range(2):
            with pytest.raises(ConnectionLost):
                async with client_of(server, network, reconnect=None):
                    raise AssertionError("not reached")
        assert trio.current_time() == 10  # the deadline for dialling
        async with client_of(server, network):
            assert trio.current_time() == 20  # there and back: dialling, the handshake, CONNECT
        assert (network.line("me").dialled, network.line("me").opened) == (3, 1)


@trio_test
async def test_settings_are_the_endpoints_own(autojump_clock: trio.testing.MockClock) -> None:
    service = Service(receive_maximum=7)
    async with running(service=service) as (server, network), client_of(server, network) as client:
        assert client.limits.receive_maximum == 7
        assert server.subscribed("me", "a") is None
        assert server.subscribed("nobody", "a") is None
