"""Write seeds for fuzzers: packets of both versions, right ones and wrong ones, each named for what it shows."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from mqttws.cli.outcome import ExitCode
from mqttws.fuzz.corpus import FORMATS, export
from mqttws.fuzz.targets import TARGETS

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws corpus export --format libfuzzer corpus/
  mqttws corpus export --format afl seeds/
  mqttws corpus export --format json .
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws corpus``."""
    parser.add_argument("action", choices=("export",), help="what to do with the corpus")
    parser.add_argument("folder", metavar="DIR", help="where to write it; it is made if it is not there")
    parser.add_argument("--format", choices=FORMATS, default="libfuzzer",
                        help="a file for each seed, and mqtt.dict beside the folder; "
                             "or one corpus.json with version, sender and verdict (default: libfuzzer)")  # fmt: skip
    parser.add_argument("--target", choices=TARGETS, metavar="NAME",
                        help="lay the seeds out for a target of this package (default: bare packets)")  # fmt: skip


def run(args: Namespace) -> int:
    """Write the seeds; the same ones each time."""
    folder = Path(args.folder)
    count = export(folder, args.format, args.target)
    print(f"{count:,} seeds in {folder}")
    return ExitCode.WELL
