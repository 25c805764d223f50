"""Where payloads to publish come from: an argument, a file, standard input whole or line by line."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import AsyncGenerator
from typing import Final

import trio

from mqttws.cli.outcome import CommandFailed, UsageError

__all__ = ["add_payload_options", "payloads"]

#: Bytes in the largest Control Packet of MQTT (2.1.4); no payload can be longer.
PAYLOAD_LIMIT: Final = 268_435_455

_CHUNK: Final = 64 * 1024


def add_payload_options(parser: ArgumentParser, *, lines: bool) -> None:
    """Where a payload comes from, of which one has to be named; with ``lines`` there may be many."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("-m", "--message", metavar="TEXT", help="the payload")
    what.add_argument("-f", "--file", metavar="FILE", help="a file is the payload")
    what.add_argument("-s", "--stdin", action="store_true", help="all of standard input is the payload")
    if lines:
        what.add_argument("-l", "--lines", action="store_true", help="each line of standard input is a payload")
    else:
        parser.set_defaults(lines=False)
    what.add_argument("-n", "--null-message", action="store_true", help="an empty payload")


def payloads(args: Namespace) -> AsyncGenerator[bytes, None]:
    """The payloads, one after the other; a line loses its line ending, everything else stays as it is."""
    return _lines() if args.lines else _one(args)


async def _one(args: Namespace) -> AsyncGenerator[bytes, None]:
    if args.message is not None:
        payload = args.message.encode("utf-8", "surrogateescape")
    elif args.file is not None:
        payload = await trio.to_thread.run_sync(_read_file, args.file)
    elif args.stdin:
        payload = await _whole()
    else:
        payload = b""
    for _ in range(args.repeat):
        yield payload


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(PAYLOAD_LIMIT + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > PAYLOAD_LIMIT:
        raise UsageError(f"cannot send {path}: it is larger than any MQTT packet")
    return data


async def _whole() -> bytes:
    chunks = []
    size = 0
    while chunk := await _stdin():
        chunks.append(chunk)
        size += len(chunk)
        if size > PAYLOAD_LIMIT:
            raise CommandFailed("standard input is longer than any MQTT packet")
    return b"".join(chunks)


async def _lines() -> AsyncGenerator[bytes, None]:
    """Lines of standard input without their ends; the last one counts without an end, too."""
    parts: list[bytes] = []
    size = 0
    while chunk := await _stdin():
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > PAYLOAD_LIMIT:
            raise CommandFailed("a line of standard input is longer than any MQTT packet")
        for part in rest:
            yield b"".join(parts).removesuffix(b"\r")
            parts = [part]
            size = len(part)
    if size:
        yield b"".join(parts)


async def _stdin() -> bytes:
    """What standard input has next, nothing at its end.

    Read by number and not through ``sys.stdin``: a thread that is left behind in the latter holds its lock, and the
    interpreter cannot end.
    """
    return await trio.to_thread.run_sync(os.read, sys.stdin.fileno(), _CHUNK, abandon_on_cancel=True)
