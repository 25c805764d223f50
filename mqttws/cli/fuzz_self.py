"""Fuzz this package's own codec, framer, state machine and WebSocket link, bounded by a count or a time.

Any exception but the typed protocol errors is a finding, and so is an input that takes too long, or that gives another
result in pieces. Findings are made smaller and written as files.
"""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from mqttws.cli.fuzz_options import add_bounds, add_findings, bounds_of, note
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.fuzz.findings import Finding, write_finding
from mqttws.fuzz.loop import LoopReport, run_loop
from mqttws.fuzz.targets import TARGETS

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Inputs if nothing else is said.
_COUNT: Final = 100_000

EXAMPLES: Final = """\
examples:
  mqttws fuzz self --count 1000000 --seed 7
  mqttws fuzz self --target codec --target framer --seconds 600
  mqttws fuzz self --engine atheris --target codec --seconds 1200 --corpus corpus/
      (needs atheris from the Python Package Index; coverage-guided, keeps what it learns in corpus/)
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz self``."""
    parser.add_argument("--target", action="append", choices=TARGETS, metavar="NAME",
                        help=f"one of {', '.join(TARGETS)} (repeatable; default: all)")  # fmt: skip
    add_bounds(parser, _COUNT)
    parser.add_argument("--limit", type=float, default=5.0, metavar="SECONDS",
                        help="how long one input may take (default: 5)")  # fmt: skip
    parser.add_argument("--growth", type=float, default=64.0, metavar="MIB",
                        help="how much memory may grow once all is warm (default: 64)")  # fmt: skip
    add_findings(parser)
    parser.add_argument("--engine", choices=("loop", "atheris"), default="loop",
                        help="how inputs are found: from a seed, or guided by coverage (default: loop)")  # fmt: skip
    parser.add_argument("--corpus", metavar="DIR", help="atheris: a folder for its corpus; seeds are put into it")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: Namespace) -> int:
    """Run the loop, or hand over to atheris."""
    targets = args.target or list(TARGETS)
    if args.engine == "atheris":
        return _atheris(args, targets)
    if args.corpus:
        raise UsageError("--corpus goes with --engine atheris")
    count, seconds = bounds_of(args, _COUNT)

    def found(finding: Finding) -> None:
        note(f"{finding.target}: {finding.answer}: {write_finding(finding, Path(args.findings))}")

    report = run_loop(
        targets,
        count=count,
        seconds=seconds,
        seed=args.seed,
        limit=args.limit,
        progress=_progress,
        found=found,
    )
    _print(report, args)
    return ExitCode.FAILED if report.findings or report.grown > args.growth else ExitCode.WELL


def _progress(report: LoopReport) -> None:
    note(f"{sum(report.inputs.values()):,} inputs, {len(report.findings)} findings", again=True)


def _print(report: LoopReport, args: Namespace) -> None:
    total = sum(report.inputs.values())
    figures = {
        "inputs": total,
        "seed": args.seed,
        "by_target": report.inputs,
        "microseconds": {
            name: round(1e6 * report.seconds[name] / count, 1) for name, count in report.inputs.items() if count
        },
        "slowest_seconds": round(report.slowest, 4),
        "slowest_bytes": report.slowest_size,
        "grown_mib": round(report.grown, 1),
        "grown_objects": report.objects,
        "findings": len(report.findings),
    }
    if args.json:
        print(json.dumps(figures))
        return
    print(f"{total:,} inputs from seed {args.seed}, {len(report.findings)} findings")
    for name, count in report.inputs.items():
        print(f"  {name:18} {count:>12,} inputs  {1e6 * report.seconds[name] / max(count, 1):8.1f} µs each")
    slowest = f"slowest input {report.slowest:.3f} s for {report.slowest_size:,} bytes"
    print(f"{slowest}; memory grew by {report.grown:.1f} MiB and {report.objects:,} objects")


def _atheris(args: Namespace, targets: list[str]) -> int:
    """A process for each target, one after the other: libFuzzer ends the process it runs in."""
    code = ExitCode.WELL
    count, seconds = bounds_of(args, _COUNT)
    for name in targets:
        command = [sys.executable, "-m", "mqttws.fuzz.atheris_runner", name, "--findings", args.findings]
        if args.corpus:
            command += ["--corpus", str(Path(args.corpus) / name)]
        if seconds is not None:
            command += ["--seconds", str(seconds / len(targets))]
        if count is not None:
            command += ["--count", str(max(1, count // len(targets)))]
        ended = subprocess.run([*command, "--seed", str(args.seed)], check=False)  # noqa: S603 - our own module
        if ended.returncode == ExitCode.USAGE:
            raise UsageError("atheris is not installed for this Python")
        if ended.returncode:
            code = ExitCode.FAILED
    return code
