"""Runs that a seed repeats."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import trio

from mqttws.simulation import can_repeat, run_repeatably
from mqttws.simulation import running as module


async def order_of_twenty_tasks() -> list[int]:
    """In which order tasks run that are all ready."""
    order: list[int] = []

    async def note(number: int) -> None:
        await trio.lowlevel.checkpoint()
        order.append(number)

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(note, number)
    return order


def test_the_same_seed_gives_the_same_order_and_others_another() -> None:
    assert can_repeat()
    orders = [run_repeatably(order_of_twenty_tasks, seed) for seed in (1, 2, 3, 1, 2, 3)]
    assert orders[:3] == orders[3:]
    assert len({tuple(order) for order in orders}) == 3


def test_a_year_takes_no_time() -> None:
    async def wait() -> float:
        await trio.sleep(365 * 86_400)
        return trio.current_time()

    assert run_repeatably(wait, 1) == 365 * 86_400


def test_other_programs_keep_their_own_chance() -> None:
    scheduler = module._scheduler()
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()
    run_repeatably(order_of_twenty_tasks, 1)
    assert (scheduler._ALLOW_DETERMINISTIC_SCHEDULING, scheduler._r.getstate()) == before


def test_without_the_hook_it_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_scheduler", SimpleNamespace)
    assert not can_repeat()
    assert sorted(run_repeatably(order_of_twenty_tasks, 1)) == list(range(20))
