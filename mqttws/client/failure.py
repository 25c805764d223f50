"""What ended a client, to be raised in every call that waits for it or comes later."""

from __future__ import annotations

import copy

__all__ = ["Failure"]


class Failure:
    """An error that many tasks raise, each its own copy: one object raised in two tasks mixes up their tracebacks."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error

    def fresh(self) -> Exception:
        """A copy to raise; the error itself where somebody else's class knows no copying."""
        try:
            twin = copy.copy(self.error)
        except Exception:  # noqa: BLE001 - whatever a class of the caller's raises there
            return self.error
        twin.__cause__ = self.error.__cause__
        return twin
