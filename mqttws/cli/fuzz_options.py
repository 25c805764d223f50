"""What the kinds of fuzzing have in common: bounds, decoders, where findings go, and what is said meanwhile."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace

from mqttws.cli.options import seconds, whole_number
from mqttws.cli.outcome import UsageError
from mqttws.conformance.codec import CommandDecoder, DecoderUnusable, InProcess
from mqttws.conformance.codec.in_process import load

__all__ = ["add_bounds", "add_decoders", "add_findings", "bounds_of", "decoder_from", "note"]


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


def add_decoders(parser: ArgumentParser, *, required: bool = True) -> None:
    """``--adapter`` or ``--command``, and what goes with them."""
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument("--adapter", metavar="MODULE:FUNCTION", help="a decoder in this process")
    which.add_argument("--command", metavar="TEXT", help="a decoder behind a command, split as a shell would")
    parser.add_argument("--refusal", action="append", default=[], metavar="MODULE:CLASS",
                        help="what the function raises to refuse (repeatable; default: anything but what says that a "
                             "program is wrong, such as IndexError)")  # fmt: skip
    parser.add_argument("--limit", type=seconds, default=5.0, metavar="SECONDS",
                        help="how long one packet may take (default: 5)")  # fmt: skip


def decoder_from(args: Namespace) -> CommandDecoder | InProcess:
    """The decoder that was asked for. Raises :class:`UsageError` where it cannot be loaded."""
    if args.command is not None:
        if args.refusal:
            raise UsageError("--refusal goes with --adapter; a command says 'error'")
        command = shlex.split(args.command)
        if not command:
            raise UsageError("--command is empty")
        return CommandDecoder(command, name=args.command, limit=args.limit)
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)  # as with python -m: what lies in this folder can be imported
    try:
        function = load(args.adapter)
        refusals = [load(each) for each in args.refusal]
    except DecoderUnusable as error:
        raise UsageError(str(error)) from None
    if not callable(function) or not all(isinstance(each, type) and issubclass(each, Exception) for each in refusals):
        raise UsageError("--adapter names a function, and --refusal an exception")
    return InProcess(function, name=args.adapter, refusals=refusals, limit=args.limit)
