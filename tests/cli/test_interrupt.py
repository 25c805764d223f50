"""Signals and time limits end the innermost scope first, so that what lies around it can end in peace."""

from __future__ import annotations

import math
import signal

import trio
from trio.testing import MockClock, trio_test

from mqttws.cli.interrupt import interruptible


@trio_test
async def test_each_signal_ends_one_scope_more() -> None:
    async with interruptible() as interrupt:
        with interrupt.scope() as outer:
            with interrupt.scope() as inner:
                signal.raise_signal(signal.SIGINT)
                await trio.sleep(math.inf)
            assert (inner.cancelled_caught, outer.cancel_called) == (True, False)
            await trio.lowlevel.checkpoint()
            signal.raise_signal(signal.SIGTERM)
            await trio.sleep(math.inf)
        assert outer.cancelled_caught
        signal.raise_signal(signal.SIGINT)
        await trio.testing.wait_all_tasks_blocked()
        assert (interrupt.signalled, interrupt.timed_out, interrupt.happened) == (True, False, True)


@trio_test
async def test_a_scope_that_comes_too_late_ends_at_once() -> None:
    async with interruptible() as interrupt:
        signal.raise_signal(signal.SIGINT)
        while not interrupt.happened:
            await trio.lowlevel.checkpoint()
        with interrupt.scope() as scope:
            await trio.sleep(math.inf)
        assert scope.cancelled_caught


@trio_test
async def test_a_second_signal_ends_what_lies_around_a_scope_that_takes_its_time() -> None:
    async with interruptible() as interrupt:
        with interrupt.scope() as outer, interrupt.scope() as inner, trio.CancelScope(shield=True):
            signal.raise_signal(signal.SIGINT)
            while not inner.cancel_called:
                await trio.lowlevel.checkpoint()
            assert not outer.cancel_called
            signal.raise_signal(signal.SIGTERM)
            while not outer.cancel_called:
                await trio.lowlevel.checkpoint()


@trio_test
async def test_a_time_limit_is_told_from_a_signal(autojump_clock: MockClock) -> None:
    async with interruptible(3600) as interrupt:
        with interrupt.scope():
            await trio.sleep(math.inf)
        assert (interrupt.signalled, interrupt.timed_out) == (False, True)
    assert autojump_clock.current_time() >= 3600


@trio_test
async def test_left_in_time_nothing_is_interrupted() -> None:
    handler = signal.getsignal(signal.SIGINT)
    async with interruptible(3600) as interrupt:
        with interrupt.scope() as scope:
            await trio.lowlevel.checkpoint()
    assert not interrupt.happened
    assert not scope.cancel_called
    assert signal.getsignal(signal.SIGINT) is handler
