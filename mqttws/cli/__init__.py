"""The command line: one file per command, loaded when its command is given.

``mqttws --version``, ``mqttws --help`` and ``mqttws url`` answer at once, since only the commands that talk to somebody
load trio.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from typing import Final, NoReturn

from mqttws import __version__
from mqttws.cli.outcome import ExitCode, outcome_of
from mqttws.webpubsub.address import redact

__all__ = ["main"]

#: Each command and what it does; ``mqttws.cli.<command>`` holds ``add_arguments(parser)`` and ``run(args) -> int``.
COMMANDS: Final = {
    "quickstart": "connect, subscribe, publish, receive: the whole way once, with every step explained",
    "serve": "run a local endpoint that behaves like Azure Web PubSub's for MQTT",
    "url": "make a Client Access URL from a connection string",
    "pub": "publish messages",
    "sub": "subscribe and print what arrives",
    "request": "publish a request and print the response to it",
    "trace": "look at what was recorded: annotated, replayed, or as a capture for Wireshark",
    "explain": "say what any bytes are, field by field, and which rule they break",
    "conform": "say rule by rule whether a server, a client or a codec follows MQTT",
    "fuzz": "fuzz MQTT decoders, of this package or of others",
    "simulate": "play schedules of faults between client and endpoint in memory, and look for broken promises",
    "corpus": "write seeds for fuzzers as files",
}

_EXAMPLES: Final = """\
examples:
  mqttws quickstart
  mqttws serve --port 8080 --hub chat
  mqttws sub --url ws://127.0.0.1:9001/mqtt -t group1 -v
  mqttws pub --url ws://127.0.0.1:9001/mqtt -t group1 -m 'Hello World!' -q 1
  mqttws COMMAND --help

environment:
  MQTTWS_URL, MQTTWS_PASSWORD   stand in for --url and --password, and keep both out of the list of processes
  MQTTWS_CONNECTION_STRING, MQTTWS_ACCESS_KEY, MQTTWS_PROXY
                                the same for --connection-string, the --access-key of serve, and --proxy

exit status:
  0 all went well   1 something failed or was refused   2 wrong usage   3 could not connect
"""


class CommandParser(ArgumentParser):
    """argparse in this package's manners: no abbreviations, one line for an error, no token in it."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and nothing that should stay secret: argparse repeats what it did not understand."""
        print(f"{self.prog}: {redact(message)} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(ExitCode.USAGE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; never raises for what a user or a peer does."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    command = f"mqttws {arguments[0]}" if arguments and arguments[0] in COMMANDS else "mqttws"
    try:
        return _run(arguments)
    except SystemExit as stop:  # argparse has said everything already
        return stop.code if isinstance(stop.code, int) else ExitCode.WELL
    except KeyboardInterrupt:  # between the moments in which a command listens for it
        return ExitCode.FAILED
    except BrokenPipeError:  # whoever read our output has seen enough
        _let_go_of_stdout()
        return ExitCode.WELL
    except (Exception, BaseExceptionGroup) as error:
        if isinstance(error, BaseExceptionGroup) and error.subgroup(KeyboardInterrupt) is not None:
            return ExitCode.FAILED
        outcome = outcome_of(error) if isinstance(error, Exception) else None
        if outcome is None:  # a bug of ours deserves its traceback
            raise
        code, line = outcome
        print(f"{command}: {line}", file=sys.stderr)
        return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        parser = _top_parser()
        parser.parse_args(arguments)
        parser.error("the command comes first")
    name = arguments[0]
    module = import_module(f"mqttws.cli.{name}")
    parser = CommandParser(f"mqttws {name}", module.__doc__ or "", module.EXAMPLES)
    module.add_arguments(parser)
    code: int = module.run(parser.parse_args(arguments[1:]))
    return code


def _top_parser() -> CommandParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {what}" for name, what in COMMANDS.items())
    parser = CommandParser("mqttws", f"MQTT 3.1.1 and 5.0 over WebSocket.\n\ncommands:\n{listing}", _EXAMPLES)
    parser.add_argument("--version", action="version", version=f"mqttws {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help="one of the above")
    return parser


def _let_go_of_stdout() -> None:
    """Keep the interpreter from flushing into the broken pipe once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
