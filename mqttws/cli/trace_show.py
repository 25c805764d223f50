"""Print what passed over recorded connections, chunk by chunk, field by field, with every rule that is broken."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import Any, Final

from mqttws.cli.outcome import ExitCode
from mqttws.cli.sections import add_colour_option, paint_for, print_line, section_as_json
from mqttws.cli.trace_file import add_file_options, traced
from mqttws.conformance import rule_of
from mqttws.notes import Paint
from mqttws.trace.showing import Moment, brief_lines, full_lines, moments

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws trace show sub.trace
  mqttws trace show sub.trace --brief --direction out
  mqttws trace show sub.trace --json | jq .sections[].title

Secrets were masked when the trace was recorded. Times are seconds since recording began.

exit status:
  0 everything is valid   1 something breaks a rule   2 wrong usage
"""

#: Characters of a line with ``--brief``.
_LINE: Final = 160


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws trace show``."""
    add_file_options(parser)
    parser.add_argument("-d", "--direction", choices=("in", "out"), help="only what came in, or what went out")
    parser.add_argument("--brief", action="store_true", help="one line for each packet")
    parser.add_argument("--frames", action="store_true", help="show every WebSocket frame, not only those without MQTT")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line for each chunk")
    add_colour_option(parser)


def run(args: Namespace) -> int:
    """Print it in order of time; findings decide the exit status."""
    show = _as_json if args.json else _Printer(paint_for(args.colour), brief=args.brief)
    findings = 0
    passed = [moment for number, one in traced(args) for moment in moments(number, one, frames=args.frames)]
    for moment in sorted(passed, key=lambda moment: moment.wall):
        if args.direction is None or moment.direction in (None, args.direction):
            show(moment)
            findings += sum(section.fault is not None for section in moment.sections)
    return ExitCode.FAILED if findings else ExitCode.WELL


class _Printer:
    """For people."""

    def __init__(self, paint: Paint, *, brief: bool) -> None:
        self._paint = paint
        self._brief = brief

    def __call__(self, moment: Moment) -> None:
        if self._brief:
            for line in brief_lines(moment):
                print_line(line[:_LINE])
        else:
            for line in full_lines(moment, paint=self._paint, rule=rule_of):
                print_line(line)


def _as_json(moment: Moment) -> None:
    """For programs."""
    members: dict[str, Any] = {"connection": moment.number, "time": round(moment.time, 6)}
    members["wall"] = datetime.fromtimestamp(moment.wall, UTC).isoformat(timespec="microseconds")
    if moment.sender is None:
        members["event"] = moment.what
    else:
        members |= {"direction": moment.direction, "sender": moment.sender.value}
        members |= {"offset": moment.offset, "size": moment.size, "gap": moment.gap}
        members["sections"] = [section_as_json(section) for section in moment.sections]
    print(json.dumps(members))
