"""Mutants that no test can kill, each with the reason.

An entry names file, source line (blanks collapsed), operator and change; when the line changes, the entry matches
nothing any more and ``tests/test_mutants.py`` asks for it to be removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.mutants.operators import Mutant

__all__ = ["EQUIVALENTS", "Equivalent", "reason_of"]


@dataclass(frozen=True)
class Equivalent:
    """One change that makes no difference that can be seen through the public API, and why."""

    file: str
    text: str
    operator: str
    change: str
    reason: str

    def matches(self, mutant: Mutant) -> bool:
        """Whether this is the mutant spoken of."""
        mine = (self.file, self.text, self.operator, self.change)
        return mine == (mutant.file, mutant.text, mutant.operator, mutant.change)


EQUIVALENTS: Final[tuple[Equivalent, ...]] = ()


def reason_of(mutant: Mutant) -> str | None:
    """Why a mutant is equivalent, or None if it should die."""
    return next((entry.reason for entry in EQUIVALENTS if entry.matches(mutant)), None)
