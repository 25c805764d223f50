"""Rounds, ratios and tables."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

__all__ = [
    "MEASURE_SECONDS",
    "Contender",
    "ContenderFailed",
    "Metric",
    "Row",
    "Sample",
    "Settings",
    "Table",
    "alternate",
    "machine",
    "time_work",
]

#: One measurement of one contender: a number for each metric.
Sample: TypeAlias = Mapping[str, float]

#: How long one contender works in one round, roughly.
MEASURE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Settings:
    """How often and how much. ``quick`` is for looking whether everything runs: its figures mean nothing.

    ``node_packages`` is the folder whose ``node_modules`` has the peers that are written in JavaScript.
    """

    rounds: int = 7
    quick: bool = False
    node_packages: Path | None = None

    def at_most(self, rounds: int) -> Settings:
        """The same for a question whose rounds take long."""
        return replace(self, rounds=min(self.rounds, rounds))

    def count(self, full: int, quick: int) -> int:
        """How many of something."""
        return quick if self.quick else full


class ContenderFailed(Exception):
    """A contender could not do its work; the text says why."""


@dataclass(frozen=True, slots=True)
class Contender:
    """Somebody who can do ``work(n)``: the same thing ``n`` times."""

    name: str
    work: Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a column shows: the samples' number of that name, times ``scale``, in ``unit``."""

    name: str
    unit: str
    scale: float = 1.0
    more_is_better: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """What one contender needed: ``values`` are (median, best, ratio) for each metric."""

    label: str
    name: str
    values: tuple[tuple[float, float, float], ...]


@dataclass(slots=True)
class Table:
    """The answer to one question. A ratio is the contender's figure divided by the baseline's of the same round."""

    title: str
    baseline: str
    metrics: Sequence[Metric]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, label: str, samples: Mapping[str, Sequence[Sample]]) -> None:
        """Rows for one label, one for each contender; the baseline is among them, or the first one stands for it."""
        base = samples.get(self.baseline) or next(iter(samples.values()))
        for name, taken in samples.items():
            values = tuple(_summary(metric, taken, base) for metric in self.metrics)
            self.rows.append(Row(label, name, values))

    def measure(self, label: str, contenders: Mapping[str, Callable[[], Sample]], settings: Settings) -> None:
        """Rows for one label. Another contender that fails is named in a note and left out; the baseline must not."""
        able = dict(contenders)
        while True:
            try:
                self.add(label, alternate({name: partial(_named, name, work) for name, work in able.items()}, settings))
            except _Failed as failed:
                if failed.name == self.baseline:
                    raise
                del able[failed.name]
                self.notes.append(f"failed: {failed.name}, {label} ({failed.__cause__})")
            else:
                return

    def render(self) -> str:
        """The table as text."""
        head = ["", ""]
        for metric in self.metrics:
            head += [f"{metric.name}, {metric.unit}", "best", "ratio"]
        lines = [head]
        shown = ""
        for row in self.rows:
            cells = [row.label if row.label != shown else "", row.name]
            shown = row.label
            for median, best, ratio in row.values:
                cells += [_figure(median), _figure(best), f"{ratio:.2f}"]
            lines.append(cells)
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        text = [f"## {self.title}", f"(ratio: figure / {self.baseline}'s)", ""]
        for line in lines:
            left = [cell.ljust(width) for cell, width in zip(line[:2], widths[:2], strict=True)]
            right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
            text.append("  ".join([*left, *right]).rstrip())
        return "\n".join([*text, *(f"- {note}" for note in self.notes), ""])

    def as_json(self) -> dict[str, Any]:
        """The table for a program."""
        rows = [
            {
                "case": row.label,
                "contender": row.name,
                "figures": {
                    metric.name: {"unit": metric.unit, "median": median, "best": best, "ratio": ratio}
                    for metric, (median, best, ratio) in zip(self.metrics, row.values, strict=True)
                },
            }
            for row in self.rows
        ]
        return {"title": self.title, "baseline": self.baseline, "rows": rows, "notes": self.notes}


class _Failed(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name} has failed")
        self.name = name


def _named(name: str, work: Callable[[], Sample]) -> Sample:
    try:
        return work()
    except ContenderFailed as error:
        raise _Failed(name) from error


def _summary(metric: Metric, samples: Sequence[Sample], base: Sequence[Sample]) -> tuple[float, float, float]:
    figures = [sample[metric.name] * metric.scale for sample in samples]
    best = max(figures) if metric.more_is_better else min(figures)
    ratios = [
        figure / (other[metric.name] * metric.scale)
        for figure, other in zip(figures, base, strict=True)
        if other[metric.name] > 0
    ]
    return statistics.median(figures), best, statistics.median(ratios) if ratios else float("nan")


def _figure(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def alternate(contenders: Mapping[str, Callable[[], Sample]], settings: Settings) -> dict[str, list[Sample]]:
    """Let everybody measure once in every round; who begins changes from round to round."""
    samples: dict[str, list[Sample]] = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(settings.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(contenders[name]())
    return samples


def time_work(contenders: Sequence[Contender], settings: Settings) -> dict[str, list[Sample]]:
    """CPU seconds for one piece of work, under the name ``time``, for contenders in this process."""
    return alternate({each.name: _measure(each, settings) for each in contenders}, settings)


def _measure(contender: Contender, settings: Settings) -> Callable[[], Sample]:
    times = 2 if settings.quick else _calibrate(contender.work)

    def measure() -> Sample:
        if not settings.quick:
            gc.collect()  # takes longer than quick work in a process that has much in memory
        start = time.process_time()
        contender.work(times)
        return {"time": (time.process_time() - start) / times}

    return measure


def _calibrate(work: Callable[[int], object]) -> int:
    """How often to do it to be busy for a while; also warms everything up."""
    times = 1
    while True:
        start = time.process_time()
        work(times)
        took = time.process_time() - start
        if took >= MEASURE_SECONDS / 4:
            return max(1, round(times * MEASURE_SECONDS / took))
        times *= 4


def machine() -> str:
    """One line about where the figures come from."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"{python}, {platform.system()} {platform.machine()}, {os.cpu_count()} x {model}{load}"
