"""Fuzz MQTT decoders: this package's own, and other people's in any language.

Nothing here opens a connection but what its own help says so of.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

from mqttws.cli.outcome import UsageError

__all__ = ["EXAMPLES", "SUBCOMMANDS", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws fuzz codec --adapter my_package.decoder:decode --count 20000
  mqttws fuzz codec --command 'node decoder.js {version} {sender}'
  mqttws fuzz diff --html matrix.html
  mqttws fuzz replay findings/wrong-accept_v5_qos-3_0a1b2c3d.json
  mqttws fuzz self --count 100000 --seed 1

exit status:
  0 nothing found   1 findings   2 wrong usage   3 could not connect
"""

#: Each kind of fuzzing; ``mqttws.cli.fuzz_<name>`` holds ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args)``.
SUBCOMMANDS: Final = {
    "codec": "fuzz somebody else's decoder, in this process or behind a command",
    "diff": "give the same bytes to several decoders and show where they disagree",
    "replay": "try a finding again",
    "server": "attack a running Server and watch that it survives and serves others",
    "client": "be a hostile Server and watch that a Client survives it",
    "self": "fuzz this package's own codec, state machine and WebSocket link",
}


class _SubcommandParser(ArgumentParser):
    """Loads its command when that is given, so that no other costs anything."""

    module: str = ""

    def parse_known_args(  # type: ignore[override]  # argparse has two overloads, and calls only this one here
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        command = import_module(self.module)
        self.description, self.epilog = command.__doc__, command.EXAMPLES
        command.add_arguments(self)
        self.set_defaults(run=command.run)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> Any:
        """One line, as everywhere; the command line's own parser prints it."""
        raise UsageError(f"{message} (see {self.prog} --help)")


def add_arguments(parser: ArgumentParser) -> None:
    """The kinds of fuzzing."""
    kinds = parser.add_subparsers(
        title="what to fuzz", metavar="KIND", required=True, dest="kind", parser_class=_SubcommandParser
    )
    for name, what in SUBCOMMANDS.items():
        kind = kinds.add_parser(name, help=what, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
        kind.module = f"mqttws.cli.fuzz_{name}"


def run(args: Namespace) -> int:
    """Run the one that was asked for."""
    code: int = args.run(args)
    return code
