"""The changes of a durable Session on their way to its store, counted."""

from __future__ import annotations

from mqttws.session.store import Change

__all__ = ["Journal"]


class Journal:
    """Changes in the order in which the Session made them.

    ``recorded`` and ``stored`` count them from the Session's beginning, so whoever depends on the changes made so far
    remembers ``recorded`` and waits until ``stored`` has come that far. That holds over any number of connections, and
    for changes that are made while others are being stored.
    """

    __slots__ = ("_committing", "_waiting", "recorded", "stored")

    def __init__(self) -> None:
        self.recorded = 0
        self.stored = 0
        self._waiting: list[Change] = []
        self._committing = 0

    @property
    def settled(self) -> bool:
        """Whether every change is stored."""
        return self.stored == self.recorded

    def record(self, change: Change) -> None:
        """Write down one change."""
        self._waiting.append(change)
        self.recorded += 1

    def changes(self) -> list[Change]:
        """What is to be stored now; nothing while an earlier answer has not been committed."""
        if self._committing:
            return []
        taken, self._waiting = self._waiting, []
        self._committing = len(taken)
        return taken

    def committed(self) -> None:
        """What :meth:`changes` gave last is stored."""
        self.stored += self._committing
        self._committing = 0
