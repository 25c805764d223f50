"""What can go wrong with a wire, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Direction", "Fault", "Kind", "WirePlan"]


class Kind(StrEnum):
    """What a fault does to the bytes behind it."""

    RESET = "reset"
    """Both ends learn at once that the connection is gone; what was on its way is lost."""
    TRUNCATE = "truncate"
    """The receiver gets what was sent so far, then the end of the stream; the sender cannot send any more."""
    STALL = "stall"
    """Nothing moves in this direction for ``seconds``, then all goes on."""
    SLOW = "slow"
    """From here on every byte takes ``seconds``."""
    SILENCE = "silence"
    """This direction swallows everything, and nobody is told: a half-open connection."""
    VANISH = "vanish"
    """Both directions swallow everything, and nobody is told."""


class Direction(StrEnum):
    """Whose bytes a fault hits."""

    UP = "up"
    """From the one who has dialled."""
    DOWN = "down"
    """To the one who has dialled."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, behind the first ``at`` bytes of a direction. ``seconds`` matter to a stall and to slowness."""

    kind: Kind
    direction: Direction
    at: int
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class WirePlan:
    """What becomes of one attempt to dial.

    ``opens`` is False for a Server that refuses, and None for one that never answers. ``latency`` is the seconds that
    dialling and every byte take, ``chunk`` the most bytes that each of the first reads returns, ``capacity`` the bytes
    that are on their way before a sender has to wait.
    """

    opens: bool | None = True
    latency: float = 0.0
    chunk: int = 65_536
    capacity: int = 65_536
    faults: tuple[Fault, ...] = ()
