"""A trio run that a seed repeats: virtual time, and tasks that take turns in the same order each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from random import Random
from typing import Any, TypeVar

import trio
import trio.testing

__all__ = ["can_repeat", "run_repeatably"]

T = TypeVar("T")


def run_repeatably(main: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run ``main`` under trio with a clock that jumps to the next deadline whenever every task waits.

    The clock starts at 0 and an hour of waiting takes no time. The same ``seed`` gives the same order of tasks, so that
    a program which draws all its chance from seeds and waits for nothing outside runs the same way again, in this
    process or another. Where trio offers no hook for that (:func:`can_repeat`) only the clock is repeatable.
    """
    with _scheduler_seeded(seed):
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def can_repeat() -> bool:
    """Whether this version of trio lets a seed decide about the order of tasks."""
    scheduler = _scheduler()
    return hasattr(scheduler, _SWITCH) and isinstance(getattr(scheduler, _CHANCE, None), Random)


# trio runs the tasks that are ready in an arbitrary order, on purpose, and has no public way to settle it. What it has
# is what its plug-in for Hypothesis uses: a switch that sorts them by age first, and the generator that shuffles them
# afterwards. Both are private names of one module. Should a later trio drop them, nothing breaks: a schedule then
# still brings the same faults at the same bytes and times, but a finding may need several runs to show again.
_SWITCH = "_ALLOW_DETERMINISTIC_SCHEDULING"
_CHANCE = "_r"


def _scheduler() -> Any:
    return import_module("trio._core._run")


@contextmanager
def _scheduler_seeded(seed: int) -> Iterator[None]:
    if not can_repeat():
        yield
        return
    scheduler = _scheduler()
    chance: Random = getattr(scheduler, _CHANCE)
    switch, state = getattr(scheduler, _SWITCH), chance.getstate()
    setattr(scheduler, _SWITCH, True)
    chance.seed(seed)
    try:
        yield
    finally:
        setattr(scheduler, _SWITCH, switch)
        chance.setstate(state)
