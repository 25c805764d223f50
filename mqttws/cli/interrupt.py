"""Ctrl-C, SIGTERM and a time limit, as cancellation from the inside out.

What is cancelled is the innermost scope, so that a Client's block is left in the ordinary way and says DISCONNECT. A
second signal cancels what lies around it, and so on.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

__all__ = ["Interrupt", "interruptible"]


class Interrupt:
    """The scopes that an interruption may end. ``signalled`` and ``timed_out`` tell which kind came, if any."""

    def __init__(self) -> None:
        self.signalled = False
        self.timed_out = False
        self._scopes: list[trio.CancelScope] = []

    @property
    def happened(self) -> bool:
        """Whether anything came."""
        return self.signalled or self.timed_out

    @contextmanager
    def scope(self) -> Iterator[trio.CancelScope]:
        """A block that the next interruption ends; if one came before, at its first checkpoint."""
        with trio.CancelScope() as scope:
            if self.happened:
                scope.cancel()
            self._scopes.append(scope)
            try:
                yield scope
            finally:
                self._scopes.remove(scope)

    def cancel(self) -> None:
        """End the innermost scope that is still going."""
        for scope in reversed(self._scopes):
            if not scope.cancel_called:
                scope.cancel()
                return


@asynccontextmanager
async def interruptible(timeout: float | None = None) -> AsyncIterator[Interrupt]:
    """Listen for SIGINT and SIGTERM, and for the end of ``timeout`` seconds, until the block is left."""
    interrupt = Interrupt()
    async with trio.open_nursery() as nursery:
        await nursery.start(_listen, interrupt)
        if timeout is not None:
            nursery.start_soon(_time_out, interrupt, timeout)
        yield interrupt
        nursery.cancel_scope.cancel()


async def _listen(interrupt: Interrupt, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            interrupt.signalled = True
            interrupt.cancel()


async def _time_out(interrupt: Interrupt, timeout: float) -> None:
    await trio.sleep(timeout)
    interrupt.timed_out = True
    interrupt.cancel()
