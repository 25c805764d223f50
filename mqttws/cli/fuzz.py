"""Fuzz MQTT decoders: this package's own, and other people's in any language.

Nothing here opens a connection but what its own help says so of.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from mqttws.cli.subcommands import add_subcommands, run_subcommand

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


def add_arguments(parser: ArgumentParser) -> None:
    """The kinds of fuzzing."""
    add_subcommands(parser, "fuzz", SUBCOMMANDS, title="what to fuzz")


run = run_subcommand
