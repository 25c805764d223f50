"""Many schedules, one after another: what they have shown together, and the smallest one for each finding."""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

from mqttws.simulation.drawing import draw
from mqttws.simulation.invariants import Finding
from mqttws.simulation.ledger import Outcome
from mqttws.simulation.minimising import minimise
from mqttws.simulation.playing import Result, play
from mqttws.simulation.schedule import Schedule
from mqttws.simulation.wire import Wire

__all__ = ["Found", "Report", "run_campaign"]

#: After so many schedules it is looked whether anybody still holds their wires.
_SWEEP: Final = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A broken promise: the ``seed`` that showed it, the smallest schedule that does, and that one's course."""

    seed: int
    finding: Finding
    schedule: Schedule
    story: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """What schedules have shown.

    ``outcomes`` counts publishes by how they ended; ``repeated`` QoS 1 messages that came more than once, as they may;
    ``lost`` Sessions that the server lost and told of, ``masked`` those of which it could not be told.
    ``simulated`` and ``seconds`` are seconds of simulated and of real time.
    """

    schedules: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    deliveries: int = 0
    repeated: int = 0
    connections: int = 0
    lost: int = 0
    masked: int = 0
    simulated: float = 0.0
    seconds: float = 0.0
    found: list[Found] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take in what other schedules have shown, at the same time."""
        self.schedules += other.schedules
        self.outcomes += other.outcomes
        self.deliveries += other.deliveries
        self.repeated += other.repeated
        self.connections += other.connections
        self.lost += other.lost
        self.masked += other.masked
        self.simulated += other.simulated
        self.seconds = max(self.seconds, other.seconds)
        self.found += other.found

    def count(self, result: Result) -> None:
        """Take in one run."""
        ledger, facts = result.ledger, result.facts
        self.schedules += 1
        self.outcomes.update(str(entry.outcome) for entry in ledger.entries.values())
        self.deliveries += len(ledger.deliveries)
        times = Counter(delivery.number for delivery in ledger.deliveries if delivery.qos == 1)
        self.repeated += sum(1 for count in times.values() if count > 1)
        self.connections += facts.connections
        self.lost += facts.lost.total()
        self.masked += facts.masked.total()
        self.simulated += facts.seconds

    @property
    def published(self) -> int:
        """Publishes in all."""
        return self.outcomes.total()

    @property
    def completed(self) -> int:
        """Those that the server has taken over."""
        return self.outcomes[Outcome.COMPLETED]


def run_campaign(
    seeds: Iterable[int],
    *,
    attempts: int = 300,
    progress: Callable[[Report], None] | None = None,
    found: Callable[[Found], None] | None = None,
) -> Report:
    """Play the schedule of each seed. Of each finding a smaller schedule is looked for, in so many ``attempts``."""
    report = Report()
    began = time.monotonic()
    played: list[tuple[int, WeakSet[Wire]]] = []
    for seed in seeds:
        result = play(draw(seed))
        report.count(result)
        if result.findings:
            report.found.append(_smallest(seed, result, attempts))
            if found is not None:
                found(report.found[-1])
        played.append((seed, result.network.alive))
        del result
        if len(played) == _SWEEP:
            report.found += _leaks(played)
            played.clear()
        report.seconds = time.monotonic() - began
        if progress is not None:
            progress(report)
    report.found += _leaks(played)
    return report


def _smallest(seed: int, result: Result, attempts: int) -> Found:
    kind = result.findings[0].kind
    smallest = minimise(
        result.schedule,
        lambda schedule: any(finding.kind == kind for finding in play(schedule).findings),
        attempts=attempts,
    )
    again = play(smallest)
    finding = next((each for each in again.findings if each.kind == kind), result.findings[0])
    return Found(seed, finding, smallest, tuple(again.ledger.story))


def _leaks(played: list[tuple[int, WeakSet[Wire]]]) -> list[Found]:
    """Wires, and so links, Sessions and all that is on them, that are still held although their run is over."""
    gc.collect()
    return [
        Found(seed, Finding("leak", f"{len(alive)} wires are still in memory"), draw(seed), ())
        for seed, alive in played
        if len(alive)
    ]
