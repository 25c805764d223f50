"""Show what runs of `mqttws conform` have found out: one subject as a table, or several side by side on a page."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from mqttws.cli.conform_output import add_output_options, put_out
from mqttws.cli.outcome import UsageError
from mqttws.conformance.report import BadReport, Report

__all__ = ["EXAMPLES", "add_arguments", "read_report", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform report mosquitto.json
  mqttws conform report mosquitto.json aedes.json amqtt.json --html conformance.html --brief
  mqttws conform report mosquitto.json --junit junit.xml

exit status:
  0 no rule is broken   1 some are   2 wrong usage
"""

#: Bytes of a file that are read.
_LARGEST: Final = 256 * 2**20


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform report``."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="reports, as --save writes them")
    add_output_options(parser, save=False)


def run(args: Namespace) -> int:
    """Read and show."""
    return put_out([read_report(path) for path in args.files], args)


def read_report(path: str) -> Report:
    """A report's file. Raises :class:`UsageError` if it is none."""
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > _LARGEST:
        raise UsageError(f"cannot read {path}: it is larger than any report")
    try:
        return Report.loads(data)
    except BadReport as error:
        raise UsageError(f"cannot read {path}: {error}") from None
