"""Encoded packets on their way out; those that depend on a change not yet stored wait for it."""

from __future__ import annotations

from mqttws.session.store import Change

__all__ = ["Outbox"]


class Outbox:
    """Whole packets in the order in which they leave.

    A packet queued while changes are uncommitted waits for them, and whatever is queued after it waits behind it.
    """

    __slots__ = ("_committing", "_held", "_mark", "_ready", "journal", "size")

    def __init__(self, journal: list[Change]) -> None:
        self.journal = journal
        self.size = 0
        self._ready: list[bytes] = []
        self._held: list[bytes] = []
        self._mark = 0
        self._committing = False

    def append(self, data: bytes) -> None:
        """Queue one packet."""
        self.size += len(data)
        if self.journal or self._held or self._committing:
            self._held.append(data)
        else:
            self._ready.append(data)

    def changes(self) -> list[Change]:
        """What is to be stored now; nothing while an earlier answer has not been committed."""
        if self._committing or not self.journal:
            return []
        taken = self.journal.copy()
        self.journal.clear()
        self._mark = len(self._held)
        self._committing = True
        return taken

    def committed(self) -> None:
        """What :meth:`changes` gave last is stored."""
        if not self._committing:
            return
        self._committing = False
        # With the journal empty, what was queued meanwhile depends on nothing that is not stored.
        free = self._mark if self.journal else len(self._held)
        self._ready += self._held[:free]
        del self._held[:free]

    def take(self) -> list[bytes]:
        """The packets that may leave."""
        taken, self._ready = self._ready, []
        self.size -= sum(map(len, taken))
        return taken
