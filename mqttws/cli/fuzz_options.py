"""What the kinds of fuzzing have in common: bounds, where findings go, and what is said meanwhile."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from mqttws.cli.options import seconds, whole_number

__all__ = ["add_bounds", "add_findings", "bounds_of", "note"]


def add_bounds(parser: ArgumentParser, count: int) -> None:
    """``--count``, ``--seconds``, ``--seed``; without either bound ``count`` inputs are made."""
    bounds = parser.add_argument_group("bounds")
    bounds.add_argument("--count", type=whole_number, metavar="N", help=f"inputs in all (default: {count:,})")
    bounds.add_argument("--seconds", type=seconds, metavar="SECONDS", help="stop after so long")
    bounds.add_argument("--seed", type=whole_number, default=0, metavar="N",
                        help="another seed gives other inputs, the same one the same (default: 0)")  # fmt: skip


def add_findings(parser: ArgumentParser) -> None:
    """``--findings``, the folder for files."""
    parser.add_argument("--findings", default="findings", metavar="DIR",
                        help="where findings are written, one file each (default: findings)")  # fmt: skip


def bounds_of(args: Namespace, count: int) -> tuple[int | None, float | None]:
    """Count and seconds as given; ``count`` if neither is."""
    if args.count is None and args.seconds is None:
        return count, None
    return args.count, args.seconds


def note(line: str, *, again: bool = False) -> None:
    """Say something on standard error; what is said ``again`` replaces itself on a terminal."""
    if again and sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)
    else:
        print(line, file=sys.stderr, flush=True)
