"""How much is done to a peer, and how patiently."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is done.

    ``count`` and ``seconds`` bound the attacks; each ``every`` of them the good clients are asked. ``patience`` are the
    seconds for whatever the peer owes, ``rate`` attacks a second at most, ``tries`` replays to make a finding smaller.
    So many findings as ``most_findings`` end the run. With ``lenient`` it is none to go on where the standard ends.
    """

    count: int | None = 1000
    seconds: float | None = None
    seed: int = 0
    patience: float = 5.0
    every: int = 25
    rate: float = 100.0
    tries: int = 60
    most_findings: int = 50
    lenient: bool = False
