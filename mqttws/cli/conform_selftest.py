"""Let the conformance kit prove itself: correct subjects of this process must pass, wrong ones must be caught.

The catalogue holds Servers, Clients and codecs that are correct but for one thing. A check that is about that thing
has to fail; what is printed is how many are caught, which are not, and which checks no wrong subject fails.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator
from typing import Final

from mqttws.cli.options import whole_number
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.cli.sections import print_line
from mqttws.conformance import statements
from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.wrong.selftest import Selftest, run_selftest
from mqttws.vocabulary import ProtocolVersion

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform selftest
  mqttws conform selftest --kind server --only 'MQTT-3.3.1-*'
  mqttws conform selftest --thorough --json > selftest.json

exit status:
  0 at least 95 % of the wrong subjects are caught, and no correct one fails   1 otherwise   2 wrong usage
"""

#: The part of the wrong subjects that has to be caught.
_ENOUGH: Final = 0.95


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform selftest``."""
    parser.add_argument("--kind", action="append", choices=[kind.value for kind in Kind],
                        help="kind of subject (repeatable; default: all)")  # fmt: skip
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN",
                        help="only wrong subjects whose name or statement this fits (repeatable)")  # fmt: skip
    parser.add_argument("--every", type=whole_number, default=1, metavar="N", help="each N-th wrong subject only")
    parser.add_argument("--thorough", action="store_true",
                        help="put each wrong subject before all checks, to see which others fail")  # fmt: skip
    parser.add_argument("--jobs", type=whole_number, default=os.cpu_count() or 1, metavar="N",
                        help="processes (default: one for each core)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: Namespace) -> int:
    """Try them all, tell."""
    if not args.jobs or not args.every:
        raise UsageError("--jobs and --every are at least 1")
    kinds = [Kind(name) for name in args.kind or [kind.value for kind in Kind]]
    found = run_selftest(
        kinds, only=args.only, every=args.every, thorough=args.thorough, jobs=args.jobs, progress=_progress
    )
    if not found.trials:
        raise UsageError("no wrong subject is asked for")
    if args.json:
        print_line(json.dumps(found.to_json(), indent=1))
    else:
        for line in _lines(found, is_whole=not args.only and args.every == 1):
            print_line(line)
    return ExitCode.FAILED if found.accused or found.kill_rate < _ENOUGH else ExitCode.WELL


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        end = "\r\x1b[K" if done == total else ""
        print(f"\r\x1b[K{done} of {total} subjects{end}", end="", file=sys.stderr, flush=True)


def _lines(found: Selftest, *, is_whole: bool) -> Iterator[str]:
    for name, results in found.references.items():
        counts = Counter(result.verdict.value for result in results)
        yield f"correct {name}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    for name, result in found.accused:
        yield f"  {result.verdict.value.upper()} {result.check} at {name}: {result.reason}"
    for kind in Kind:
        trials = [trial for trial in found.trials if trial.kind is kind]
        if trials:
            yield f"wrong {kind.value}s caught: {sum(trial.is_caught for trial in trials)} of {len(trials)}"
    yield f"kill rate: {100 * found.kill_rate:.1f} % of {len(found.trials)}, in {found.seconds:.0f} s"
    for trial in found.survivors:
        asked = ", ".join(trial.concerned) or "no check is about it"
        yield f"  SURVIVES {trial.kind.value} {trial.name}: {trial.sentence} ({asked})"
    for trial in found.trials:
        for accident in trial.accidents:
            yield f"  {trial.kind.value} {trial.name} falls over what is not meant: {accident}"
    for trial in found.others:
        yield f"  {trial.kind.value} {trial.name} fails other checks too: {', '.join(trial.others)}"
    if is_whole:  # a part of the catalogue says nothing about that
        unfailed = found.unfailed()
        yield f"checks that no wrong subject fails: {len(unfailed)}"
        for check in unfailed:
            yield f"  {check.id} ({', '.join(check.statements)})"
    for version in sorted(ProtocolVersion, reverse=True):
        proven, all_ = len(found.proven(version)), len(statements(version))
        yield f"MQTT {version_name(version)}: {proven} of {all_} statements have a check that has caught who breaks it"
