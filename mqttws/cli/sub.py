"""Subscribe to topics and print what arrives, until Ctrl-C, a number of messages or a time."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final

import trio

from mqttws.cli.connecting import Progress, connected
from mqttws.cli.interrupt import Interrupt, interruptible
from mqttws.cli.options import add_connection_options, add_will_options, properties_of, seconds, whole_number
from mqttws.cli.outcome import CommandFailed, ExitCode
from mqttws.cli.output import as_json, as_line, write_lines
from mqttws.cli.properties import names_of
from mqttws.client import Client
from mqttws.vocabulary import PacketType

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Messages that are written at a time.
_BATCH: Final = 256

EXAMPLES: Final = f"""\
examples:
  mqttws sub --url ws://127.0.0.1:9001/mqtt -t group1 -t 'sensors/#' -v
  mqttws sub -t group1 -n 1 -W 10                (URL in MQTTWS_URL; 1 message within 10 s, or exit status 1)
  mqttws sub -t group1 --json | jq .payload
  mqttws sub -t group1 -i me -c -x 3600          (go on where the last run stopped)
  mqttws sub -t group1 --hub chat --reconnect    (connection string in MQTTWS_CONNECTION_STRING)
  mqttws sub -t group1 -q 2 --store me.session --reconnect --trace me.trace

properties of SUBSCRIBE: {", ".join(names_of(PacketType.SUBSCRIBE))}
A payload is written byte for byte with a line end behind it; on a terminal, control characters are replaced.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws sub``."""
    parser.add_argument("-t", "--topic", action="append", required=True, metavar="FILTER",
                        help="Topic Filter to subscribe to (repeatable)")  # fmt: skip
    parser.add_argument("-q", "--qos", type=int, choices=(0, 1, 2), default=1, metavar="{0,1,2}",
                        help="highest QoS to receive at (default: 1)")  # fmt: skip
    parser.add_argument("-n", "-C", "--count", type=whole_number, metavar="N", help="leave after N messages")
    parser.add_argument("-W", "--timeout", type=seconds, metavar="SECONDS",
                        help="leave after so long; with -n it is a failure")  # fmt: skip
    parser.add_argument("-v", "--verbose", action="store_true", help="print the topic in front of the payload")
    parser.add_argument("--json", action="store_true", help="print each message as one JSON object a line")
    parser.add_argument("--no-local", action="store_true", help="not what this very client has published (5.0)")
    parser.add_argument("--retain-as-published", action="store_true", help="keep the retain flag as it was (5.0)")
    parser.add_argument("-D", "--property", action="append", default=[], metavar="NAME=VALUE",
                        help="a property of SUBSCRIBE (5.0, repeatable)")  # fmt: skip
    parser.add_argument("--user-property", action="append", default=[], metavar="KEY=VALUE",
                        help="a user property of SUBSCRIBE (5.0, repeatable)")  # fmt: skip
    add_connection_options(parser)
    add_will_options(parser)


def run(args: Namespace) -> int:
    """Connect, subscribe, print, disconnect."""
    return trio.run(_run, args)


async def _run(args: Namespace) -> int:
    properties = properties_of(args, args.property, PacketType.SUBSCRIBE, args.user_property)
    printer = _Printer(args)
    async with interruptible(args.timeout) as interrupt:
        progress = Progress()
        with interrupt.scope():
            async with connected(args, progress) as client:
                with interrupt.scope():
                    await _subscribe(client, args, properties, printer, interrupt)
    if not progress.opened and interrupt.happened:
        raise progress.not_connected(interrupt, args.timeout)
    if args.count is not None and printer.count < args.count and not printer.reader_gone:
        why = f"{args.timeout:g} s are over" if interrupt.timed_out else "interrupted"
        raise CommandFailed(f"{why}: {printer.count} of {args.count} messages came")
    return ExitCode.WELL


async def _subscribe(client: Client, args: Namespace, properties: Any, printer: _Printer, interrupt: Interrupt) -> None:
    # Kept: the subscription ends with the Session, or lives on in it if the user asked for that.
    async with client.subscribe(
        *args.topic,
        qos=args.qos,
        keep=True,
        no_local=args.no_local,
        retain_as_published=args.retain_as_published,
        properties=properties,
    ) as messages:
        # Interrupted in here, the stream's block is left without an exception: what was printed is acknowledged.
        with interrupt.scope():
            while wanted := printer.wanted:
                await printer.print(await messages.receive_many(wanted))


class _Printer:
    """Counts and writes messages."""

    def __init__(self, args: Namespace) -> None:
        self.count = 0
        self.reader_gone = False
        self._args = args

    @property
    def wanted(self) -> int:
        """How many messages to take next; 0 to stop."""
        if self.reader_gone:
            return 0
        return _BATCH if self._args.count is None else min(_BATCH, self._args.count - self.count)

    async def print(self, messages: list[Any]) -> None:
        """Write messages that were taken; nothing interrupts that, since they count as consumed."""
        if self._args.json:
            lines = [as_json(message) for message in messages]
        else:
            lines = [as_line(message, with_topic=self._args.verbose) for message in messages]
        with trio.CancelScope(shield=True):
            try:
                await write_lines(lines)
            except BrokenPipeError:
                self.reader_gone = True
            else:
                self.count += len(messages)
