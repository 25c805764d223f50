"""Ask of a server, a client or a codec, rule by rule, whether it follows MQTT, with the bytes as evidence."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from mqttws.cli.subcommands import add_subcommands, run_subcommand

__all__ = ["EXAMPLES", "SUBCOMMANDS", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform list --untested
  mqttws conform server ws://127.0.0.1:9001/mqtt --save mosquitto.json
  mqttws conform client --subject paho-mqtt
  mqttws conform codec --command 'node decoder.js {version} {sender}'
  mqttws conform report mosquitto.json aedes.json --html conformance.html

exit status:
  0 no rule is broken   1 some are   2 wrong usage   3 could not connect
"""

#: What there is to do; ``mqttws.cli.conform_<name>`` holds ``EXAMPLES``, ``add_arguments(parser)`` and ``run(args)``.
SUBCOMMANDS: Final = {
    "list": "list the statements of both standards, and what decides them",
    "server": "check a running Server",
    "client": "check a Client, which is led from one Server to the next",
    "subject": "be a client under test: this package's own, led line by line",
    "codec": "check a codec, in this process or behind a command, with byte vectors",
    "selftest": "let the kit prove itself: catch subjects that are wrong in one thing",
    "report": "show what was found out, of one subject or of several side by side",
}


def add_arguments(parser: ArgumentParser) -> None:
    """What to do."""
    add_subcommands(parser, "conform", SUBCOMMANDS, title="what to do")


run = run_subcommand
