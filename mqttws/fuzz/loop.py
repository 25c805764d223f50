"""The plain loop: inputs from a seed into the targets of this package, bounded by count and time."""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from mqttws.conformance.codec.deadline import Hang, time_limit
from mqttws.fuzz.findings import Finding
from mqttws.fuzz.inputs import Inputs
from mqttws.fuzz.minimise import fewer_bytes
from mqttws.fuzz.sources import RandomSource
from mqttws.fuzz.targets import TARGETS, Target

__all__ = ["LoopReport", "run_loop", "try_input"]

#: Inputs of one target in a row; after these the clock is read.
_BATCH: Final = 50
#: Share of the inputs after which memory is measured for the first time: by then everything is loaded.
_WARM: Final = 0.2


@dataclass(slots=True)
class LoopReport:
    """What a run has done: inputs and seconds by target, findings, and growth of memory in MiB since it was warm.

    ``slowest`` is in seconds, and ``slowest_size`` how many bytes that input has: a long one takes longer by right.
    """

    inputs: dict[str, int]
    seconds: dict[str, float]
    findings: list[Finding] = field(default_factory=list)
    grown: float = 0.0
    objects: int = 0
    slowest: float = 0.0
    slowest_size: int = 0


def resident() -> float:
    """MiB of memory in use now; 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def try_input(target: Target, data: bytes, limit: float) -> tuple[str, str] | None:
    """None if all is well; else where and how the target failed: a signature and the exception in words."""
    try:
        with time_limit(limit, busy=True):
            target(data)
    except Hang as hang:
        return "hang", str(hang)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        frames = traceback.extract_tb(error.__traceback__)
        last = frames[-1]
        where = f"{os.path.basename(last.filename)}:{last.lineno}"
        return f"{type(error).__name__} at {where}", f"{type(error).__name__}: {error} ({where})"
    return None


class _Loop:
    def __init__(
        self, targets: Sequence[str], seed: int, limit: float, found: Callable[[Finding], None] | None
    ) -> None:
        self.report = LoopReport(dict.fromkeys(targets, 0), dict.fromkeys(targets, 0.0))
        self._inputs = {name: Inputs(RandomSource(f"{seed}:{name}")) for name in targets}
        self._limit = limit
        self._found = found
        self._seen: set[tuple[str, str]] = set()

    def batch(self, name: str, wanted: int) -> None:
        """So many inputs into one target."""
        report, target, inputs = self.report, TARGETS[name], self._inputs[name]
        for _ in range(wanted):
            data = inputs.next(name)
            begun = time.perf_counter()
            failure = try_input(target, data, self._limit)
            taken = time.perf_counter() - begun
            report.inputs[name] += 1
            report.seconds[name] += taken
            if taken > report.slowest:
                report.slowest, report.slowest_size = taken, len(data)
            if failure is not None and (name, failure[0]) not in self._seen:
                self._seen.add((name, failure[0]))
                finding = self._finding(name, data, failure)
                report.findings.append(finding)
                if self._found is not None:
                    self._found(finding)

    def _finding(self, name: str, data: bytes, failure: tuple[str, str]) -> Finding:
        signature, words = failure

        def still(candidate: bytes) -> bool:
            again = try_input(TARGETS[name], candidate, self._limit)
            return again is not None and again[0] == signature

        hang = signature == "hang"
        return Finding(
            kind="hang" if hang else "crash",
            data=fewer_bytes(data, still, attempts=20 if hang else 2_000, packet=name == "codec"),
            subject="mqttws",
            expected="an end in time" if hang else "no exception",
            answer=words,
            rule=signature,
            original=data,
            target=name,
        )


def run_loop(
    targets: Sequence[str],
    *,
    count: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    limit: float = 5.0,
    progress: Callable[[LoopReport], None] | None = None,
    found: Callable[[Finding], None] | None = None,
) -> LoopReport:
    """Feed inputs to targets until ``count`` of them or ``seconds`` are over; all targets get as many.

    An input may take ``limit`` seconds of work. Each way to fail is reported once, made smaller, and given to ``found``
    at once; ``progress`` is called about once a second. Raises :class:`ValueError` if neither bound is given.
    """
    if count is None and seconds is None:
        raise ValueError("a run needs a count or a time")
    loop = _Loop(targets, seed, limit, found)
    started = told = time.monotonic()
    warm: tuple[float, int] | None = None
    done, passed = 0, 0.0
    while passed < 1:
        for name in targets:
            wanted = _BATCH if count is None else min(_BATCH, count - done)
            done += wanted
            loop.batch(name, wanted)
        now = time.monotonic()
        passed = max(done / count if count else 0, (now - started) / seconds if seconds else 0)
        if warm is None and passed >= _WARM:
            warm = _memory()
        if progress is not None and now - told >= 1:
            told = now
            progress(loop.report)
    before, after = warm or _memory(), _memory()
    loop.report.grown, loop.report.objects = after[0] - before[0], after[1] - before[1]
    return loop.report


def _memory() -> tuple[float, int]:
    gc.collect()
    return resident(), len(gc.get_objects()) if sys.implementation.name == "cpython" else 0
