"""Commands of several kinds: one file for each kind, loaded when it is given."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from mqttws.cli.outcome import UsageError

__all__ = ["add_subcommands", "run_subcommand"]


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


def add_subcommands(parser: ArgumentParser, command: str, kinds: Mapping[str, str], *, title: str) -> None:
    """The kinds and what each does.

    ``mqttws.cli.<command>_<kind>`` holds ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args) -> int``.
    """
    choices = parser.add_subparsers(
        title=title, metavar="KIND", required=True, dest="kind", parser_class=_SubcommandParser
    )
    for name, what in kinds.items():
        kind = choices.add_parser(name, help=what, formatter_class=RawDescriptionHelpFormatter, allow_abbrev=False)
        kind.module = f"mqttws.cli.{command}_{name}"


def run_subcommand(args: Namespace) -> int:
    """Run the one that was asked for."""
    code: int = args.run(args)
    return code
