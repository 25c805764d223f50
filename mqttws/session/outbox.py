"""Encoded packets on their way out; those that depend on a change not yet stored wait for it."""

from __future__ import annotations

from collections import deque

from mqttws.session.journal import Journal

__all__ = ["Outbox"]


class Outbox:
    """Whole packets in the order in which they leave.

    A packet queued while changes are not stored waits for them, and whatever is queued after it waits behind it.
    """

    __slots__ = ("_held", "_ready", "journal", "size")

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.size = 0
        self._ready: list[bytes] = []
        #: Packets, and how many changes of the journal have to be stored before each may leave.
        #: No deque without need: an empty one takes 760 bytes, and most connections are idle.
        self._held: deque[tuple[int, bytes]] | tuple[()] = ()

    def append(self, data: bytes) -> None:
        """Queue one packet."""
        self.size += len(data)
        journal = self.journal
        if self._held or journal.stored != journal.recorded:
            self._held = self._held or deque()
            self._held.append((journal.recorded, data))
        else:
            self._ready.append(data)

    def take(self) -> list[bytes]:
        """The packets that may leave."""
        taken, self._ready = self._ready, []
        while self._held and self._held[0][0] <= self.journal.stored:
            taken.append(self._held.popleft()[1])
        self.size -= sum(map(len, taken))
        return taken
