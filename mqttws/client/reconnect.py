"""When to connect again: exponential backoff with full jitter, bounded if the caller likes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["Backoff", "Reconnect"]

#: A Server's Retry-After counts up to so many seconds.
LONGEST_RETRY_AFTER = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconnect:
    """How a client comes back after its connection has ended.

    Before the n-th attempt it waits for a random part of ``initial`` times 2 to the power of n - 1, of ``maximum`` at
    most (full jitter: clients that were cut off together do not come back together). Where the Server said Retry-After,
    that comes on top. A connection that held for ``held`` seconds sets n back; one that ended earlier does not,
    or two clients with the same identifier would chase each other at full speed.

    ``attempts`` bounds n, and ``total`` the seconds since a connection last held; None: no bound. What ended the last
    attempt is then the client's end. ``first`` makes the very first connection one of those that are tried again;
    otherwise its failure is raised at once. ``random`` gives numbers from 0 to 1.
    """

    initial: float = 0.5
    maximum: float = 30.0
    attempts: int | None = None
    total: float | None = None
    held: float = 10.0
    first: bool = False
    random: Callable[[], float] = field(default=random.random, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.initial <= self.maximum:
            raise ValueError("Reconnect: initial and maximum are seconds above 0, and maximum is not below initial")
        if self.attempts is not None and self.attempts < 1:
            raise ValueError("Reconnect: attempts is at least 1; reconnect=None makes none")
        if self.held < 0 or (self.total is not None and not self.total > 0):
            raise ValueError("Reconnect: held and total are seconds, total above 0")


class Backoff:
    """Counts attempts. All times are seconds of one monotonic clock."""

    def __init__(self, settings: Reconnect) -> None:
        self._settings = settings
        #: Attempts since a connection last held.
        self.attempts = 0
        self._since: float | None = None

    def delay(self, now: float, retry_after: float = 0.0) -> float | None:
        """How long to wait before the next attempt; None when a bound is reached."""
        settings = self._settings
        if self._since is None:
            self._since = now
        if settings.attempts is not None and self.attempts >= settings.attempts:
            return None
        # 2.0 ** 1024 is too large for a float; nobody's maximum is that far from the initial delay.
        ceiling = min(settings.maximum, settings.initial * 2.0 ** min(self.attempts, 64))
        wait = settings.random() * ceiling + min(max(retry_after, 0.0), LONGEST_RETRY_AFTER)
        if settings.total is not None and now + wait > self._since + settings.total:
            return None
        self.attempts += 1
        return wait

    def ended(self, opened_at: float, now: float) -> bool:
        """A connection has ended that was open since ``opened_at``; whether it had held."""
        held = now - opened_at >= self._settings.held
        if held:
            self.attempts = 0
            self._since = None
        return held
