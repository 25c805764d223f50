"""Many deadlines, of which only the earliest matters."""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

__all__ = ["Deadlines"]

KeyT = TypeVar("KeyT", bound=Hashable)


class Deadlines(Generic[KeyT]):
    """At most one deadline for each key, in seconds of the caller's clock.

    Setting and asking for the next one take logarithmic time. Entries that were moved or cancelled stay in the heap
    until they surface, but never outnumber the live ones by much: the heap is rebuilt when they do, so that a client
    that comes and goes cannot make it grow.
    """

    __slots__ = ("_count", "_heap", "_when")

    def __init__(self) -> None:
        self._when: dict[KeyT, tuple[float, int]] = {}
        self._heap: list[tuple[float, int, KeyT]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._when)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._when

    def set(self, key: KeyT, when: float) -> None:
        """Give ``key`` the deadline ``when``, in place of any earlier one."""
        self._count += 1  # makes entries distinct, so that keys are never compared
        self._when[key] = (when, self._count)
        if len(self._heap) > 2 * len(self._when) + 16:
            self._heap = [(at, count, key) for key, (at, count) in self._when.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (when, self._count, key))

    def cancel(self, key: KeyT) -> None:
        """``key`` has no deadline any more; it need not have had one."""
        self._when.pop(key, None)

    def next(self) -> float:
        """The earliest deadline, infinity if there is none."""
        heap = self._heap
        while heap and self._when.get(heap[0][2]) != heap[0][:2]:
            heapq.heappop(heap)
        return heap[0][0] if heap else math.inf

    def due(self, now: float) -> Iterator[KeyT]:
        """Take out and yield every key whose deadline has come, earliest first.

        Others may be set and cancelled meanwhile.
        """
        while self.next() <= now:
            key = heapq.heappop(self._heap)[2]
            del self._when[key]
            yield key
