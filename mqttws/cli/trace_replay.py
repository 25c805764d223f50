"""Feed a recorded direction to the codec or to a whole connection of ours, and print what it says.

The connection plays the receiving end: what that end sent then is sent again at the same times.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, Final

from mqttws.cli.outcome import ExitCode
from mqttws.cli.properties import text_or_base64
from mqttws.cli.sections import print_line
from mqttws.cli.trace_file import add_file_options, traced
from mqttws.errors import ProtocolError, name_of
from mqttws.session import Closed
from mqttws.trace.replay import Outcome, Skipped, replay_into_codec, replay_into_connection
from mqttws.trace.showing import gist

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws trace replay sub.trace --direction in
  mqttws trace replay sub.trace --direction out --to codec --json

exit status:
  0 no rule is broken   1 the receiver ends the connection for a broken rule   2 wrong usage
"""
_INTO: Final = {"codec": replay_into_codec, "connection": replay_into_connection}


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws trace replay``."""
    add_file_options(parser)
    parser.add_argument("-d", "--direction", choices=("in", "out"), required=True,
                        help="what came in to whoever recorded, or what went out")  # fmt: skip
    parser.add_argument("--to", choices=tuple(_INTO), default="connection",
                        help="what to feed: a decoder, or all of WebSocket and MQTT (default: connection)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print each event as one JSON object a line")


def run(args: Namespace) -> int:
    """Print the events of every connection; a broken rule decides the exit status."""
    code = ExitCode.WELL
    for number, connection in traced(args):
        receiver = connection.sender(args.direction).peer
        if not args.json:
            print_line(f"#{number}: to a {args.to} of the {receiver.value}")
        fault: ProtocolError | None = None
        for time, outcome in _INTO[args.to](connection, args.direction):
            fault = _fault(outcome) or fault
            if args.json:
                print(json.dumps({"connection": number, "time": round(time, 6), **_members(outcome)}))
            else:
                print_line(f"{time:12.6f}  {_line(outcome)}")
        if not args.json:
            print_line(f"#{number}: {'no rule is broken' if fault is None else _verdict(fault)}")
        if fault is not None:
            code = ExitCode.FAILED
    return code


def _fault(outcome: Outcome) -> ProtocolError | None:
    """The broken rule that an outcome tells of."""
    error = outcome.error if isinstance(outcome, Closed) else outcome
    return error if isinstance(error, ProtocolError) else None


def _verdict(fault: ProtocolError) -> str:
    rule = f" [{fault.statement}]" if fault.statement else ""
    return f"{fault.message}{rule}: {name_of(fault.reason_code)}"


def _line(outcome: Outcome) -> str:
    fault = _fault(outcome)
    if fault is not None:
        return f"FAULT {_verdict(fault)}"
    if isinstance(outcome, Skipped):
        return f"not done again: {outcome.packet_type}: {outcome.error}"
    if isinstance(outcome, Closed):
        return "Closed in order" if outcome.error is None else f"Closed: {outcome.error}"
    return gist(outcome)


def _members(outcome: Outcome) -> dict[str, Any]:
    members: dict[str, Any] = {"event": type(outcome).__name__}
    fault = _fault(outcome)
    if fault is not None:
        return {"event": "Fault", "message": fault.message, "rule": fault.statement, "reason_code": fault.reason_code}
    if isinstance(outcome, Skipped):
        return members | {"packet_type": outcome.packet_type, "why": str(outcome.error)}
    if isinstance(outcome, Closed):
        return members | {"error": None if outcome.error is None else str(outcome.error)}
    return members | dict(_fields(outcome))


def _fields(outcome: Any) -> Iterator[tuple[str, Any]]:
    """The members of an event, as far as they may be shown."""
    for item in fields(outcome):
        if item.repr:
            yield from _plain(item.name, getattr(outcome, item.name)).items()


def _plain(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bytes):
        return text_or_base64(name, value)
    if is_dataclass(value):
        return {name: dict(_fields(value))}
    if isinstance(value, list | tuple):
        return {name: [next(iter(_plain("item", item).values())) for item in value]}
    if isinstance(value, dict):
        return {name: {key: inner for own, item in value.items() for key, inner in _plain(own, item).items()}}
    return {name: value}
