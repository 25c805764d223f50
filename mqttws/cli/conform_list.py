"""List the numbered statements of both standards, each with the checks that decide it, or the reason why none does."""

from __future__ import annotations

import json
import textwrap
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from mqttws.cli.options import protocol_version
from mqttws.cli.outcome import ExitCode
from mqttws.cli.sections import add_colour_option, paint_for, print_line
from mqttws.conformance.chapters import chapter_title, version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.reasons import Covered, coverage
from mqttws.notes import Paint
from mqttws.vocabulary import ProtocolVersion

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform list
  mqttws conform list --untested
  mqttws conform list -V 3.1.1 --json

An id alone says nothing: 121 ids exist in both versions, and 54 of them mean different things.

exit status:
  0 always   2 wrong usage
"""

_WIDTH: Final = 118


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform list``."""
    parser.add_argument("--untested", action="store_true", help="those without a check only")
    parser.add_argument("-V", "--protocol-version", type=protocol_version, action="append", metavar="{5,3.1.1}",
                        help="MQTT version (repeatable; default: both)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    add_colour_option(parser)


def run(args: Namespace) -> int:
    """Print them."""
    paint = paint_for(args.colour)
    for number, version in enumerate(args.protocol_version or sorted(ProtocolVersion, reverse=True)):
        covered = list(coverage(version))
        shown = [one for one in covered if not (args.untested and one.checks)]
        if args.json:
            for one in shown:
                print_line(json.dumps(_members(version, one)))
        else:
            if number:
                print_line("")
            for line in _lines(version, covered, shown, paint):
                print_line(line)
    return ExitCode.WELL


def _members(version: ProtocolVersion, one: Covered) -> dict[str, Any]:
    statement = one.statement
    names = ("id", "section", "applies_to", "layer", "requirement")
    members: dict[str, Any] = {"version": version_name(version), **{name: statement[name] for name in names}}  # type: ignore[literal-required]
    return members | {"checks": [check.id for check in one.checks], "reason": one.reason or None}


def _lines(
    version: ProtocolVersion, covered: Sequence[Covered], shown: Sequence[Covered], paint: Paint
) -> Iterator[str]:
    tested = sum(bool(one.checks) for one in covered)
    yield paint("title", f"MQTT {version_name(version)}: {tested} of {len(covered)} statements have a check")
    for chapter, members in groupby(shown, key=lambda one: ".".join(one.statement["section"].split(".")[:2])):
        yield ""
        yield paint("title", chapter_title(chapter, version))
        for one in members:
            yield from _statement(one, paint)


def _statement(one: Covered, paint: Paint) -> Iterator[str]:
    statement = one.statement
    first = f"{statement['id']:15} "
    text = textwrap.wrap(
        f"{first}{statement['requirement']}", _WIDTH, initial_indent="  ", subsequent_indent="      ",
        break_on_hyphens=False,
    )  # fmt: skip
    yield from text
    if not one.checks:
        yield f"      {paint('open', 'no check')}: {one.reason or 'nobody has written one'}"
    for kind in Kind:
        names = [check.name for check in one.checks if check.kind is kind]
        if names:
            told = "its byte vectors" if kind is Kind.CODEC else ", ".join(names)
            yield from textwrap.wrap(
                f"{kind.value}: {told}", _WIDTH, initial_indent="      ", subsequent_indent="        "
            )
