"""Receipts: one outcome, for any number of tasks, at any time."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client.failure import Failure
from mqttws.client.receipts import TAKEN, PublishResult, Receipt
from mqttws.codec import Publish
from mqttws.errors import ConnectionLost


@trio_test
async def test_all_who_wait_get_the_same_outcome_and_those_who_come_later_too(autojump_clock: MockClock) -> None:
    receipt = Receipt(Publish("a"), 1)
    results = []

    async def ask() -> None:
        results.append(await receipt.wait())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        receipt.end(PublishResult(0x10))
    await ask()
    assert results == [PublishResult(0x10)] * 3


@trio_test
async def test_each_who_asks_gets_an_error_of_his_own() -> None:
    receipt = Receipt(Publish("a"), 1)
    receipt.end(error=Failure(ConnectionLost("gone")))
    caught = []
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone") as info:
            await receipt.wait()
        caught.append(info.value)
    assert caught[0] is not caught[1]


@trio_test
async def test_a_failure_is_unseen_until_somebody_has_waited() -> None:
    receipt = Receipt(Publish("a"), 1)
    unseen = [receipt.unseen_failure is not None]
    receipt.end(error=Failure(ConnectionLost("gone")))
    unseen.append(receipt.unseen_failure is not None)
    with pytest.raises(ConnectionLost):
        await receipt.wait()
    unseen.append(receipt.unseen_failure is not None)
    assert unseen == [False, True, False]


@trio_test
async def test_what_was_done_from_the_start_is_told_at_once_unless_cancelled() -> None:
    receipt = Receipt(Publish("a"), 0, TAKEN)
    assert receipt.done
    assert await receipt.wait() is TAKEN
    with trio.CancelScope() as scope:
        scope.cancel()
        await receipt.wait()
    assert scope.cancelled_caught
