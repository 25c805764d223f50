"""A limit on the time that a call may take."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

__all__ = ["Hang", "time_limit"]


#: Seconds after which a timer runs out that should have done so already: 0 would stop it.
_SOON: Final = 1e-6


class Hang(BaseException):
    """An input took longer than it may. No ``except Exception`` of the code under test swallows it."""


@contextmanager
def time_limit(seconds: float, *, busy: bool = False) -> Iterator[None]:
    """Raise :class:`Hang` inside the block when it lasts longer; where there are no timers of that kind, never.

    With ``busy`` only the time counts in which this process works, so that a loaded machine makes no difference. A
    timer that was set before, a test runner's, goes on behind the block, less the time that has passed.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"no end within {seconds:g} seconds")

    timer, number = (signal.ITIMER_PROF, signal.SIGPROF) if busy else (signal.ITIMER_REAL, signal.SIGALRM)
    clock = time.process_time if busy else time.monotonic
    before = signal.signal(number, stop)
    left, interval = signal.setitimer(timer, seconds)
    began = clock()
    try:
        yield
    finally:
        signal.setitimer(timer, 0)
        signal.signal(number, before)
        if left:
            signal.setitimer(timer, max(left - (clock() - began), _SOON), interval)
