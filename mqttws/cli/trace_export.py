"""Write a trace as a capture file (pcapng) that Wireshark and tshark open.

Ethernet, IP and TCP are made up around what was recorded. Each connection is there twice: HTTP and WebSocket at port
80, and the MQTT inside at port 1883.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Final

from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.cli.trace_file import add_file_options, traced
from mqttws.trace.pcapng import LAYERS, LUA, pcapng

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = f"""\
examples:
  mqttws trace export sub.trace sub.pcapng && wireshark sub.pcapng
  mqttws trace export sub.trace sub.pcapng && tshark -r sub.pcapng -Y mqtt -V

With this line in a file, wireshark -X lua_script:FILE reads MQTT inside WebSocket, too:
  {LUA}
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws trace export``."""
    add_file_options(parser)
    parser.add_argument("output", metavar="OUT", help="the capture file, written anew")
    parser.add_argument("--layer", choices=LAYERS, action="append",
                        help="only the wire as it was, or only the MQTT in it (default: both)")  # fmt: skip


def run(args: Namespace) -> int:
    """Write it whole."""
    connections = [connection for _, connection in traced(args)]
    try:
        with open(args.output, "wb") as file:
            file.writelines(pcapng(connections, layers=args.layer or LAYERS))
    except OSError as error:
        raise UsageError(f"cannot write {args.output}: {error.strerror}") from None
    return ExitCode.WELL
