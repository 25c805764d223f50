"""What ``fuzz server`` and ``fuzz client`` have in common: options, progress, the report at the end."""

from __future__ import annotations

import json
import shlex
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from mqttws.cli.fuzz_options import add_bounds, bounds_of, note
from mqttws.cli.interrupt import Interrupt
from mqttws.cli.options import protocol_version, seconds, whole_number
from mqttws.cli.outcome import CommandFailed, ExitCode, NotConnected, UsageError
from mqttws.fuzz.live.beside import Trouble
from mqttws.fuzz.live.client_run import ClientRun
from mqttws.fuzz.live.plan import Plan
from mqttws.fuzz.live.server_run import ServerRun
from mqttws.fuzz.live.verdict import Finding, Symptom, load

__all__ = ["Progress", "add_live_options", "carry_out", "command_of", "finding_of", "plan_of"]

#: Seconds between two lines of progress: on a terminal, where the last one is replaced, and elsewhere.
_PROGRESS_SECONDS: Final = (0.5, 10.0)


def add_live_options(parser: ArgumentParser, count: int, *, patience: float) -> None:
    """Bounds, where findings go, how patient to be, and whose host it is."""
    add_bounds(parser, count)
    parser.add_argument("-V", "--protocol-version", type=protocol_version, action="append", metavar="{5,3.1.1}",
                        help="MQTT version of the attacks (repeatable; default: what the peer speaks)")  # fmt: skip
    parser.add_argument("--patience", type=seconds, default=patience, metavar="SECONDS",
                        help=f"for whatever the peer owes (default: {patience:g})")  # fmt: skip
    parser.add_argument("--rate", type=seconds, default=100.0, metavar="N",
                        help="attacks a second at most (default: 100)")  # fmt: skip
    parser.add_argument("--tries", type=whole_number, default=60, metavar="N",
                        help="replays that may go into making a finding smaller (default: 60; 0: none)")  # fmt: skip
    parser.add_argument("--stop-after", type=whole_number, default=50, metavar="N",
                        help="end the run at so many findings (default: 50)")  # fmt: skip
    parser.add_argument("--lenient", action="store_true",
                        help="no finding: a peer that goes on where the standard tells it to close")  # fmt: skip
    parser.add_argument("--findings", "--out", dest="findings", default="findings", metavar="DIR",
                        help="where findings are written (default: findings)")  # fmt: skip
    parser.add_argument("--replay", metavar="FILE", help="try this finding again instead, and say what happens")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    parser.add_argument("--i-own-this-host", action="store_true",
                        help="attack beyond this machine: only what is yours, or whose owner has agreed")  # fmt: skip


def plan_of(args: Namespace, count: int) -> Plan:
    """The plan that the options ask for."""
    count_, seconds_ = bounds_of(args, count)
    return Plan(
        count=count_,
        seconds=seconds_,
        seed=args.seed,
        patience=args.patience,
        rate=args.rate,
        tries=args.tries,
        most_findings=args.stop_after,
        lenient=args.lenient,
    )


def command_of(text: str | None) -> list[str] | None:
    """A command line as its words."""
    if text is None:
        return None
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"--command: {error}") from None
    if not words:
        raise UsageError("--command is empty")
    return words


class Progress:
    """A line now and then."""

    def __init__(self) -> None:
        self._again = sys.stderr.isatty()
        self._next = time.monotonic() + _PROGRESS_SECONDS[0]

    def __call__(self, line: str) -> None:
        """Say it if it is time."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_SECONDS[not self._again]
            note(line, again=True)


async def carry_out(
    args: Namespace,
    interrupt: Interrupt,
    attack: ClientRun | ServerRun,
    again: Finding | None,
    lines: Callable[[], Sequence[str]],
) -> ExitCode:
    """Run it, or try a finding ``again``, and print what came; ``lines`` are asked for when it is over.

    A run that is interrupted tells what it has seen so far, a replay fails. Raises :class:`NotConnected` when no peer
    is there to begin with.
    """
    with interrupt.scope():
        try:
            if again is not None:
                seen = await attack.replay(again)
                return _replayed(args, attack.log, again, seen)
            await attack.run()
        except (Trouble, OSError) as trouble:
            raise NotConnected(str(trouble)) from None
    if again is not None:
        raise CommandFailed("interrupted before the finding was tried to its end")
    attack.findings.finish()
    return _report(args, attack, lines())


def _report(args: Namespace, attack: ClientRun | ServerRun, lines: Sequence[str]) -> ExitCode:
    """Print it; findings decide the exit status."""
    findings = attack.findings
    if sys.stderr.isatty():
        note("", again=True)
    if args.json:
        print(json.dumps(attack.summary()))
    else:
        for line in lines:
            print(line)
        for finding in findings:
            print(f"- {_line(finding, findings.path_of(finding))}")
    return ExitCode.FAILED if len(findings) else ExitCode.WELL


def _replayed(args: Namespace, log: Sequence[str], finding: Finding, seen: Symptom | None) -> ExitCode:
    """Print what a finding shows now."""
    if args.json:
        shown = None if seen is None else {"verdict": seen.verdict.value, "symptom": seen.text}
        print(json.dumps({"kind": finding.title, "log": list(log), "seen": shown}))
    else:
        for line in log:
            print(line)
        print("nothing is wrong now" if seen is None else f"{seen.verdict.value}: {seen.text}")
    return ExitCode.WELL if seen is None else ExitCode.FAILED


def finding_of(args: Namespace, subject: str) -> Finding | None:
    """The finding to try again, if one is asked for. Raises :class:`UsageError` for a file that holds none."""
    if args.replay is None:
        return None
    try:
        finding = load(Path(args.replay))
    except OSError as error:
        raise UsageError(f"cannot read {args.replay}: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(f"{args.replay} holds no finding: {error}") from None
    if finding.subject != subject:
        raise UsageError(f"{args.replay} is for mqttws fuzz {finding.subject}")
    return finding


def _line(finding: Finding, path: Path | None) -> str:
    seen = f" (seen {finding.seen} times)" if finding.seen > 1 else ""
    text = f"{finding.title}{seen}" + (f": {path}" if path else "")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
