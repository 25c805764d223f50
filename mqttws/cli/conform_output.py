"""Where the results of a run go: as text or JSON to standard output, and to files of several forms."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.cli.sections import add_colour_option, paint_for, print_line
from mqttws.conformance.report import Report, html_page, junit_xml, text_lines

__all__ = ["add_output_options", "check_files", "put_out"]


def add_output_options(parser: ArgumentParser, *, save: bool = True) -> None:
    """``--json``, ``--save``, ``--html``, ``--junit``, ``--brief`` and ``--colour``."""
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="print the report as JSON, not as a table")
    group.add_argument("--brief", action="store_true", help="the table without the bytes of what went wrong")
    if save:
        group.add_argument("--save", metavar="FILE", help="write it as a file that `mqttws conform report` reads")
    group.add_argument("--html", metavar="FILE", help="write one HTML page that needs nothing else")
    group.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    add_colour_option(group)


def check_files(args: Namespace) -> None:
    """Raise :class:`UsageError` for a file that cannot be written, before the minutes of a run are spent on it."""
    for path in (args.save, args.html, args.junit):
        if path:
            target = Path(path).resolve()
            if target.is_dir():
                raise UsageError(f"cannot write {path}: it is a folder")
            if not os.access(target.parent, os.W_OK):
                raise UsageError(f"cannot write {path}: its folder is not there, or cannot be written to")


def put_out(reports: Sequence[Report], args: Namespace) -> int:
    """Write and print as the options ask for; the exit status says whether any subject has failed."""
    if getattr(args, "save", None):
        _write(args.save, reports[0].dumps())
    if args.html:
        _write(args.html, html_page(reports))
    if args.junit:
        _write(args.junit, junit_xml(reports))
    if args.json:
        print(
            reports[0].dumps() if len(reports) == 1 else f"[{','.join(report.dumps() for report in reports)}]", end=""
        )
    else:
        for number, report in enumerate(reports):
            if number:
                print_line("")
            for line in text_lines(report, paint=paint_for(args.colour), transcripts=not args.brief):
                print_line(line)
    return ExitCode.FAILED if any(report.failed for report in reports) else ExitCode.WELL


def _write(path: str, text: str) -> None:
    """Whole or not at all: a run of minutes is not to end with half a file. A pipe or a terminal is written to."""
    target = Path(path).resolve()
    beside = target.with_name(f"{target.name}.part")
    try:
        if target.exists() and not target.is_file():
            target.write_text(text, encoding="utf-8")
            return
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, target)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
