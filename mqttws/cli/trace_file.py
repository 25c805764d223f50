"""A trace file, and which of its connections are meant."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace

from mqttws.cli.options import whole_number
from mqttws.cli.outcome import UsageError
from mqttws.trace import BadTrace, TracedConnection, read_trace

__all__ = ["add_file_options", "traced"]


def add_file_options(parser: ArgumentParser) -> None:
    """Which file, and what of it."""
    parser.add_argument("file", metavar="FILE", help="the trace ('-': standard input)")
    parser.add_argument("-c", "--connection", type=whole_number, metavar="N",
                        help="only the N-th connection in the file, counted from 1")  # fmt: skip


def traced(args: Namespace) -> list[tuple[int, TracedConnection]]:
    """The connections, with their places in the file. Raises :class:`UsageError`."""
    try:
        if args.file == "-":
            connections = read_trace(sys.stdin)
        else:
            with open(args.file, encoding="ascii") as file:
                connections = read_trace(file)
    except OSError as error:
        raise UsageError(f"cannot read {args.file}: {error.strerror}") from None
    except (BadTrace, UnicodeDecodeError) as error:
        said = str(error) if isinstance(error, BadTrace) else "it is not a trace"
        raise UsageError(f"cannot read {args.file}: {said}") from None
    numbered = list(enumerate(connections, 1))
    if args.connection is None:
        return numbered
    if not 1 <= args.connection <= len(numbered):
        raise UsageError(f"{args.file} has no connection {args.connection}; it has {len(numbered)}")
    return numbered[args.connection - 1 : args.connection]
