"""What the kinds of subjects have in common: which checks are run, how, and what is said meanwhile."""

from __future__ import annotations

import random
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

import trio

from mqttws.cli.conform_output import check_files, put_out
from mqttws.cli.conform_report import read_report
from mqttws.cli.interrupt import interruptible
from mqttws.cli.options import protocol_version, seconds, whole_number
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.conformance.check import Check, Kind
from mqttws.conformance.report import Report, harmless
from mqttws.conformance.runner import Plan, ProbeFactory, Runner, failed_in, faults, select
from mqttws.conformance.verdict import Result, Verdict
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Progress", "add_run_options", "carry_out", "plan_of", "seed_of", "selected"]

#: Seconds between two lines of progress: on a terminal, where the last one is replaced, and elsewhere.
_PROGRESS_SECONDS: Final = (0.2, 10.0)


def add_run_options(parser: ArgumentParser, *, at_once: int, within: float) -> None:
    """``--only``, ``--failed``, ``--seed`` and so on; ``at_once`` checks and ``within`` seconds if nothing is said."""
    group = parser.add_argument_group("checks")
    group.add_argument("--only", action="append", default=[], metavar="PATTERN",
                       help="run the checks whose id, name, statement, chapter or version this fits: "
                            "'MQTT-3.3.1-*', '5.0/3.8', 'server/3.1.1/*' (repeatable)")  # fmt: skip
    group.add_argument("--failed", metavar="FILE", help="run what failed or was inconclusive in this report")
    group.add_argument("-V", "--protocol-version", type=protocol_version, action="append", metavar="{5,3.1.1}",
                       help="MQTT version (repeatable; default: both)")  # fmt: skip
    group.add_argument("--seed", type=whole_number, metavar="N",
                       help="for names, and the order of checks (default: another one each time)")  # fmt: skip
    group.add_argument("--at-once", type=whole_number, default=at_once, metavar="N",
                       help=f"checks that go on side by side (default: {at_once})")  # fmt: skip
    group.add_argument("--seconds", type=seconds, default=within, metavar="SECONDS",
                       help=f"end the run after so long (default: {within:g})")  # fmt: skip
    group.add_argument("--keep-all", action="store_true", help="keep the bytes of checks that have passed, too")
    group.add_argument("--name", metavar="TEXT", help="the subject's name in the report")
    group.add_argument("--release", default="", metavar="TEXT", help="its own version")


def seed_of(args: Namespace) -> int:
    """The seed that was given, or a new one."""
    return random.randint(1, 2**31) if args.seed is None else int(args.seed)  # noqa: S311 - for names and an order


def plan_of(args: Namespace, seed: int) -> Plan:
    """How to run."""
    if not args.at_once:
        raise UsageError("--at-once is at least 1")
    by_hand = getattr(args, "listen", None) is not None  # a person is not asked for the same twice
    plan = Plan(at_once=args.at_once, seconds=args.seconds, seed=seed, keep_all=args.keep_all, confirm=not by_hand)
    return replace(plan, check_seconds=getattr(args, "check_seconds", plan.check_seconds))


def selected(args: Namespace, checks: Iterable[Check]) -> list[Check]:
    """The checks that were asked for. Raises :class:`UsageError` if that is none."""
    failed = None if args.failed is None else failed_in(read_report(args.failed).results)
    if failed is not None and not failed:
        raise UsageError(f"nothing in {args.failed} has failed or was left open, so there is nothing to run again")
    of_kind = list(select(checks, versions=args.protocol_version or ProtocolVersion))
    for pattern in args.only:
        if not any(select(of_kind, [pattern])):
            raise UsageError(f"no check fits --only {pattern!r}: see `mqttws conform list`")
    found = list(select(of_kind, args.only, failed=failed))
    if not found:
        raise UsageError("no check is asked for: see `mqttws conform list`")
    return found


class Progress:
    """A line now and then on standard error."""

    def __init__(self) -> None:
        self._again = sys.stderr.isatty()
        self._next = 0.0 if self._again else time.monotonic() + _PROGRESS_SECONDS[1]
        self._failed = 0

    def __call__(self, result: Result, done: int, total: int) -> None:
        """Count it, and say so if it is time."""
        self._failed += result.verdict is Verdict.FAILED
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_SECONDS[not self._again]
            line = f"{done} of {total} checks, {self._failed} failed"
            print(
                f"\r\x1b[K{line}" if self._again else line, end="" if self._again else "\n", file=sys.stderr, flush=True
            )

    def finish(self) -> None:
        """Leave the terminal as it was."""
        if self._again:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


async def carry_out(
    args: Namespace, checks: list[Check], factory: ProbeFactory, *, kind: Kind, name: str, seed: int, about: str = ""
) -> int:
    """Run the checks of a subject and put their results out; ``about`` is said before, on standard error.

    A signal ends the run early, or its time does; what is known then is told all the same, and the run counts as
    failed. Files that cannot be written are a :class:`UsageError` before anything is run.
    """
    check_files(args)
    began = datetime.now(UTC).isoformat(timespec="seconds")
    progress = Progress()
    runner = Runner(checks, factory, plan_of(args, seed), progress)
    async with interruptible() as interrupt:
        if about:
            print(about, file=sys.stderr, flush=True)
        with interrupt.scope():
            await runner.run()
    progress.finish()
    results = runner.results
    report = Report(args.name or name, args.release, kind, began, seed, tuple(results))
    code = await trio.to_thread.run_sync(put_out, [report], args)
    if runner.left:
        why = "interrupted" if interrupt.happened else f"the run's {args.seconds:g} s were over (--seconds gives more)"
        print(f"{why}: {runner.left} of {len(checks)} checks were not brought to an end", file=sys.stderr)
    complete = ExitCode.FAILED if runner.left or interrupt.happened else ExitCode.WELL
    return max(code, _told_of_faults(results), complete)


def _told_of_faults(results: Iterable[Result]) -> int:
    """A check that is wrong itself is no finding, but must not go unnoticed."""
    wrong = faults(results)
    for result in wrong:
        print(f"{result.check}: {harmless(result.reason)}; please report this", file=sys.stderr)
    return ExitCode.FAILED if wrong else ExitCode.WELL
