"""A chunk is handled as a whole, except where a consumer would lose by it."""

from __future__ import annotations

import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.codec import Publish
from tests.client.scripted import open_pair


@trio_test
async def test_a_consumer_that_takes_as_fast_as_it_can_loses_no_qos_0_message(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a", qos=0, buffer=10) as messages:
            await peer.send(*(Publish("a", bytes([number])) for number in range(200)))
            received = [(await anext(messages)).payload[0] for _ in range(200)]
            assert received == list(range(200))
            assert messages.dropped == 0
            nursery.start_soon(peer.release)


@trio_test
async def test_one_that_is_busy_elsewhere_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a", qos=0, buffer=10) as messages:
            await peer.send(*(Publish("a", bytes([number])) for number in range(200)))
            await trio.testing.wait_all_tasks_blocked()
            assert messages.dropped == 190
            nursery.start_soon(peer.release)
