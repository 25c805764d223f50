"""How a process fares while it is attacked: whether it lives, its resident memory, its open files.

All of it is read from ``/proc``, so on Linux only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

__all__ = ["Growth", "Sample", "Watch"]

#: How much has to grow, in all and for each attack, before it counts as growth: allocators keep what they once had.
_LEAST_BYTES: Final = 2 * 1024 * 1024
_LEAST_BYTES_EACH: Final = 512.0
_LEAST_FILES: Final = 12
_LEAST_FILES_EACH: Final = 0.02
#: Samples that are needed, the first quarter of which is warming up and does not count.
_LEAST_SAMPLES: Final = 8


@dataclass(frozen=True, slots=True)
class Sample:
    """Bytes of resident memory and open files after so many attacks."""

    attacks: int
    memory: int
    files: int


@dataclass(frozen=True, slots=True)
class Growth:
    """What grows (``memory`` in bytes, or open ``files``), by how much in all and for each attack."""

    what: str
    rise: float
    each: float

    def __str__(self) -> str:
        what = "resident memory in bytes" if self.what == "memory" else "the number of open files"
        return f"{what} has grown by {self.rise:,.0f}, {self.each:,.2f} for each attack"


class Watch:
    """The process ``pid``; without one, or without ``/proc``, nothing is seen and nothing grows."""

    def __init__(self, pid: int | None) -> None:
        self._folder = None if pid is None else Path(f"/proc/{pid}")
        self.samples: list[Sample] = []

    @property
    def sees(self) -> bool:
        """Whether there is anything to see."""
        return self._folder is not None and Path("/proc/self").exists()

    @property
    def alive(self) -> bool:
        """False once the process has ended, a zombie included; True as long as nothing is known."""
        if self._folder is None or not self.sees:
            return True
        try:
            state = (self._folder / "stat").read_text("latin-1").rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            return False
        return state not in "ZX"

    def sample(self, attacks: int) -> None:
        """Look now, and keep what is seen."""
        seen = self.look(attacks)
        if seen is not None:
            self.samples.append(seen)

    def look(self, attacks: int = 0) -> Sample | None:
        """Look now."""
        if self._folder is None or not self.alive or not self.sees:
            return None
        try:
            pages = int((self._folder / "statm").read_text("ascii").split()[1])
            files = len(os.listdir(self._folder / "fd"))
        except (OSError, IndexError, ValueError):  # it has ended meanwhile, or is somebody else's
            return None
        return Sample(attacks, pages * os.sysconf("SC_PAGE_SIZE"), files)

    def growth(self) -> list[Growth]:
        """What has grown steadily since it was warm."""
        if len(self.samples) < _LEAST_SAMPLES:
            return []
        warm = self.samples[len(self.samples) // 4 :]
        found = (
            _growth(warm, "memory", lambda sample: sample.memory, _LEAST_BYTES, _LEAST_BYTES_EACH),
            _growth(warm, "files", lambda sample: sample.files, _LEAST_FILES, _LEAST_FILES_EACH),
        )
        return [each for each in found if each is not None]


def _growth(
    samples: Sequence[Sample], what: str, of: Callable[[Sample], int], least: float, least_each: float
) -> Growth | None:
    """Growth in all three thirds of the run; a single step up is an allocator's, or a queue's that is full."""
    third = len(samples) // 3
    low, middle, high = (
        median(of(sample) for sample in part)
        for part in (samples[:third], samples[third : 2 * third], samples[2 * third :])
    )
    rise = high - low
    attacks = samples[-1].attacks - samples[0].attacks
    each = rise / (attacks * 2 / 3) if attacks else 0.0  # between the middles of the first and the last third
    if rise < least or each < least_each or min(middle - low, high - middle) < rise / 4:
        return None
    return Growth(what, rise, each)
