"""A decoder of somebody else: a function in this process, or a command that answers line by line."""

from __future__ import annotations

import os
import shlex
import sys
from argparse import ArgumentParser, Namespace

from mqttws.cli.options import seconds
from mqttws.cli.outcome import UsageError
from mqttws.conformance.codec import CommandDecoder, DecoderUnusable, InProcess
from mqttws.conformance.codec.in_process import load

__all__ = ["add_decoders", "decoder_from"]


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
