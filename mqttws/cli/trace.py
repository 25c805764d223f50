"""Look at what was recorded with --trace or trace=: annotated, replayed, or as a capture for Wireshark."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from mqttws.cli.subcommands import add_subcommands, run_subcommand

__all__ = ["EXAMPLES", "SUBCOMMANDS", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws sub -t group1 --trace sub.trace         (URL in MQTTWS_URL)
  mqttws trace show sub.trace --brief
  mqttws trace replay sub.trace --direction in
  mqttws trace export sub.trace sub.pcapng

exit status:
  0 all is well   1 something recorded breaks a rule   2 wrong usage
"""

SUBCOMMANDS: Final = {
    "show": "print what passed, when, field by field",
    "replay": "feed a recorded direction to the codec or to a connection, and print what it says",
    "export": "write a capture file that Wireshark opens",
}


def add_arguments(parser: ArgumentParser) -> None:
    """What to do with a trace."""
    add_subcommands(parser, "trace", SUBCOMMANDS, title="what to do")


run = run_subcommand
