"""How much may wait: a bound on messages and bytes, and a queue for those who wait until there is room again."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import trio

__all__ = ["Room"]


@dataclass(slots=True, eq=False)
class _Waiter:
    """A task that waits for room; ``admitted`` once the room is reserved for it."""

    size: int
    admitted: trio.Event = field(default_factory=trio.Event)


class Room:
    """Room for ``messages`` messages of ``size`` bytes in all; a single larger one only when there is no other."""

    __slots__ = ("_empty", "_most", "_most_bytes", "_waiters", "count", "size")

    def __init__(self, messages: int, size: int) -> None:
        if messages < 1 or size < 1:
            raise ValueError("the send queue holds at least one message of at least one byte")
        self.count = 0
        self.size = 0
        self._most = messages
        self._most_bytes = size
        self._waiters: deque[_Waiter] = deque()
        self._empty: trio.Event | None = None

    @property
    def awaited(self) -> bool:
        """Whether anybody waits for room."""
        return bool(self._waiters)

    def reserve(self, size: int) -> bool:
        """Take room for a message of ``size`` bytes, unless there is none or others have waited longer."""
        if self._waiters or not self._fits(size):
            return False
        self.count += 1
        self.size += size
        return True

    def occupy(self, size: int) -> None:
        """Take room for a message that is there already, whether there is any or not."""
        self.count += 1
        self.size += size

    async def wait(self, size: int) -> None:
        """Take room for a message of ``size`` bytes, first come, first served. Cancelled, nothing is taken."""
        waiter = _Waiter(size)
        self._waiters.append(waiter)
        self._admit()
        try:
            await waiter.admitted.wait()
        except BaseException:
            if waiter.admitted.is_set():
                self.release(size)
            else:
                self._waiters.remove(waiter)
                self._admit()
            raise

    def release(self, size: int) -> None:
        """Give room back."""
        self.count -= 1
        self.size -= size
        if self._waiters:
            self._admit()
        if not self.count and self._empty is not None:
            self._empty.set()

    def would_fit(self, size: int, *, without: int, without_bytes: int) -> bool:
        """Whether there were room for ``size`` bytes if ``without`` messages of so many bytes were gone."""
        count, held = self.count - without, self.size - without_bytes
        return count < self._most and (not count or held + size <= self._most_bytes)

    def _fits(self, size: int) -> bool:
        return self.count < self._most and (not self.count or self.size + size <= self._most_bytes)

    def _admit(self) -> None:
        while self._waiters and self._fits(self._waiters[0].size):
            waiter = self._waiters.popleft()
            self.occupy(waiter.size)
            waiter.admitted.set()

    async def emptied(self) -> None:
        """Wait until nothing takes room any more."""
        while self.count:
            self._empty = trio.Event()
            await self._empty.wait()
