"""``python -m tests.mutants [codec|session|FILE ...] [--sample N] [--seed S] [--jobs J] [--json]``.

Tries mutants of whole rooms or single files, and says which of them no test has noticed. Exit status 1 if fewer than
95 % of those that are not equivalent have died.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from tests.mutants.equivalents import reason_of
from tests.mutants.operators import Mutant, clipped, mutants_of
from tests.mutants.trial import HOUSE, SuiteIsRed, Trial, Verdict, judges_of

ENOUGH = 0.95  #: of the mutants that are not equivalent


def files_of(names: Iterable[str]) -> list[str]:
    """Rooms as all their files, files as they are; relative to the project."""
    files: list[str] = []
    for name in names:
        room = HOUSE / "mqttws" / name
        paths = sorted(room.rglob("*.py")) if room.is_dir() else [(HOUSE / name).resolve()]
        files += [path.relative_to(HOUSE).as_posix() for path in paths]
    return files


def gathered(files: Iterable[str], sample: int | None, seed: int) -> tuple[list[Mutant], int, int]:
    """The mutants to try; how many were left out as equivalent, and how many there are in all."""
    everything = [mutant for file in files for mutant in mutants_of((HOUSE / file).read_bytes(), file)]
    chosen = everything
    if sample is not None and sample < len(everything):
        picked = random.Random(seed).sample(range(len(everything)), sample)
        chosen = [everything[index] for index in sorted(picked)]
    for mutant in chosen:
        compile(mutant.apply((HOUSE / mutant.file).read_bytes()), str(mutant), "exec")  # else its death proves nothing
    alive = [mutant for mutant in chosen if reason_of(mutant) is None]
    return alive, len(chosen) - len(alive), len(everything)


def tried(mutants: Sequence[Mutant], jobs: int) -> list[Verdict]:
    """All verdicts, in the order of the mutants; progress goes to standard error."""
    with ExitStack() as stack:
        trials: queue.SimpleQueue[Trial] = queue.SimpleQueue()
        for _ in range(min(jobs, len(mutants))):
            trials.put(stack.enter_context(Trial.opened()))

        def judge(mutant: Mutant) -> Verdict:
            trial = trials.get()
            try:
                verdict = trial.judge(mutant, judges_of(mutant.file, trial.copy))
            finally:
                trials.put(trial)
            print(f"{verdict.outcome:8} {mutant}", file=sys.stderr, flush=True)
            return verdict

        with ThreadPoolExecutor(jobs) as pool:
            return list(pool.map(judge, mutants))


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Counts for each file and in all."""
    table: dict[str, Counter[str]] = {}
    for verdict in verdicts:
        table.setdefault(verdict.mutant.file, Counter())[verdict.outcome] += 1
    died = sum(verdict.died for verdict in verdicts)
    return {
        "files": {file: {name: counts[name] for name in ("killed", "timeout", "survived")}
                  for file, counts in table.items()},
        "tried": len(verdicts),
        "died": died,
        "kill_rate": died / len(verdicts) if verdicts else 1.0,
        "survivors": [
            {"place": f"{item.mutant.file}:{item.mutant.line}", "operator": item.mutant.operator,
             "before": item.mutant.before, "after": item.mutant.after}
            for item in verdicts if not item.died
        ],
    }  # fmt: skip


def show(report: dict[str, Any]) -> None:
    """For people."""
    print(f"{'killed':>8}{'timeout':>9}{'survived':>10}  file")
    for file, counts in report["files"].items():
        print(f"{counts['killed']:8}{counts['timeout']:9}{counts['survived']:10}  {file}")
    print()
    for item in report["survivors"]:
        print(f"{item['place']}: {item['operator']}: {clipped(item['before'])} → {clipped(item['after'])}")
    print(
        f"{report['died']} of {report['tried']} mutants died: {report['kill_rate']:.1%}"
        f" ({report['equivalent']} equivalent left out; {report['all']} can be made; seed {report['seed']};"
        f" {report['seconds']:.0f} s)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, try, report."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("what", nargs="*", default=["codec", "session"], help="rooms (codec, session) or files")
    parser.add_argument("--sample", type=int, help="try only so many, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="for the draw")
    parser.add_argument("--jobs", type=int, default=1, help="copies to work in at a time")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    mutants, equivalent, everything = gathered(files_of(options.what), options.sample, options.seed)
    try:
        report = summary(tried(mutants, options.jobs))
    except SuiteIsRed as error:
        print(error, file=sys.stderr)
        return 2
    report |= {"equivalent": equivalent, "all": everything, "seed": options.seed, "seconds": time.monotonic() - began}
    if options.json:
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        show(report)
    return 0 if report["kill_rate"] >= ENOUGH else 1


if __name__ == "__main__":
    sys.exit(main())
