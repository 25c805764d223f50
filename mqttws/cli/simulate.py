"""Play schedules of faults between this package's client and endpoint, in memory and virtual time.

Each schedule publishes a few messages while wires are cut, stall or fall silent and the server restarts, with its
Sessions or without. Broken promises are findings: a message lost, delivered twice at QoS 2 or out of order, a publish
without an outcome, anything left over. Each is made smaller and printed with the schedule that shows it.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from mqttws.cli.fuzz_options import note
from mqttws.cli.options import whole_number
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.simulation import Report, Schedule, can_repeat, draw, play, run_campaign

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Schedules if nothing else is said, and how many a job takes at a time.
_COUNT: Final = 1_000
_PORTION: Final = 100

EXAMPLES: Final = """\
examples:
  mqttws simulate --schedules 10000 --seed 1 --jobs 2
  mqttws simulate --seed 4711 --story
  mqttws simulate --schedule finding.json --story

exit status:
  0 every promise was kept   1 there are findings   2 wrong usage
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws simulate``."""
    parser.add_argument("--schedules", type=whole_number, metavar="N",
                        help=f"how many, from --seed on upwards (default: {_COUNT:,}, with --story 1)")  # fmt: skip
    parser.add_argument("--seed", type=whole_number, default=1, metavar="N",
                        help="the first one; the same seed is the same run (default: 1)")  # fmt: skip
    parser.add_argument("--schedule", metavar="FILE", help="play this schedule instead, as a finding shows it (JSON)")
    parser.add_argument("--story", action="store_true", help="tell a single run line by line")
    parser.add_argument("--jobs", type=whole_number, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the figures and the findings as JSON")


def run(args: Namespace) -> int:
    """Play, and report."""
    if args.schedule is not None and args.schedules is not None:
        raise UsageError("--schedule plays one schedule, --schedules many")
    if args.schedules == 0:
        raise UsageError("--schedules 0 would find nothing, and say nothing")
    if args.story and (args.schedules or 1) > 1:
        raise UsageError("--story tells of one schedule; leave --schedules out, and choose it by --seed")
    if not can_repeat():
        note("this version of trio has no hook for the order of tasks: a seed repeats the faults, not every step")
    if args.schedule is not None or args.story:
        return _play_one(args)
    count = _COUNT if args.schedules is None else args.schedules
    report = Report()
    for part in _reports(args.seed, count, args.jobs):
        report.add(part)
        note(f"{report.schedules:,} schedules, {len(report.found)} findings", again=True)
    _print(report, args)
    return ExitCode.FAILED if report.found else ExitCode.WELL


def _reports(first: int, count: int, jobs: int) -> Iterator[Report]:
    """A report for each portion of the seeds, in their order."""
    portions = [range(start, min(start + _PORTION, first + count)) for start in range(first, first + count, _PORTION)]
    if jobs <= 1:
        yield from map(run_campaign, portions)
        return
    # Fresh processes: a copy of one that has run trio would share what trio has open.
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        yield from pool.map(run_campaign, portions)


def _play_one(args: Namespace) -> int:
    if args.schedule is None:
        schedule = draw(args.seed)
    else:
        try:
            schedule = Schedule.from_json(Path(args.schedule).read_text(encoding="utf-8"))
        except OSError as problem:
            raise UsageError(f"cannot read {args.schedule}: {problem.strerror or problem}") from None
        except ValueError as problem:
            raise UsageError(f"{args.schedule} is no schedule: {problem}") from None
    result = play(schedule)
    if args.json:
        findings = [asdict(finding) for finding in result.findings]
        print(json.dumps({"findings": findings, "digest": result.digest, "story": result.ledger.story}))
    else:
        if args.story:
            print(*result.ledger.story, sep="\n")
        for finding in result.findings:
            print(finding)
        print(f"{len(result.findings)} findings; this course of events is {result.digest}")
    return ExitCode.FAILED if result.findings else ExitCode.WELL


def _print(report: Report, args: Namespace) -> None:
    if args.json:
        figures: dict[str, Any] = {item.name: getattr(report, item.name) for item in fields(report)}
        figures["found"] = [
            asdict(found) | {"schedule": json.loads(found.schedule.to_json())} for found in report.found
        ]
        print(json.dumps(figures | {"first_seed": args.seed}))
        return
    print(
        f"{report.schedules:,} schedules from seed {args.seed} on: {report.connections:,} connections, "
        f"{report.lost:,} Sessions lost and {report.masked:,} in a way that no client can see, "
        f"{report.simulated / 3600:,.0f} simulated hours in {report.seconds:.0f} s"
    )
    ends = ", ".join(f"{count:,} {outcome}" for outcome, count in report.outcomes.most_common())
    print(f"{report.published:,} publishes ({ends}); {report.deliveries:,} deliveries")
    print(f"{report.repeated:,} messages at QoS 1 came more than once")
    for found in report.found:
        print(f"\n{found.finding}\n  seed {found.seed}; the smallest schedule that shows it:")
        print(f"  {found.schedule.to_json()}", *(f"  {line}" for line in found.story), sep="\n")
    print("nothing found" if not report.found else f"\n{len(report.found)} findings")
