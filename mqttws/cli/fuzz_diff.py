"""Give the same bytes to several decoders, and show where they disagree with the standard and among themselves.

Known decoders that are not installed are skipped and named; this package's own is always the first column. Each of the
others runs in a process of its own. Python ones need not share our environment: --python names the interpreter of one
that has them, --node-folder the folder from which Node.js can load mqtt-packet.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack, closing
from importlib import resources
from pathlib import Path
from typing import Final

from mqttws.cli.fuzz_options import add_bounds, bounds_of, note
from mqttws.cli.options import seconds
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.conformance.codec import CommandDecoder, Decoder, DecoderUnusable, InProcess
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import own
from mqttws.fuzz.adapters.peers import PEERS
from mqttws.fuzz.differential import Matrix, compare, difference_cases
from mqttws.fuzz.matrix import html_page, text_lines
from mqttws.vocabulary import Role

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Cases if nothing else is said: the vectors, and as many again.
_COUNT: Final = 2_000
_MQTT_PACKET: Final = "mqtt-packet"

EXAMPLES: Final = """\
examples:
  mqttws fuzz diff
  mqttws fuzz diff --python venv/bin/python --node-folder node/ --html matrix.html --json >matrix.json
  mqttws fuzz diff --decoder mqttium --command 'mine=./decoder {version} {sender}' --seed 7

exit status:
  0 all agree with the standard   1 some do not   2 wrong usage
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz diff``."""
    names = [*PEERS, _MQTT_PACKET]
    parser.add_argument("--decoder", action="append", choices=names, metavar="NAME",
                        help=f"only these: {', '.join(names)} (repeatable; default: all)")  # fmt: skip
    parser.add_argument("--command", action="append", default=[], metavar="NAME=TEXT",
                        help="one more, behind a command, as for mqttws fuzz codec (repeatable)")  # fmt: skip
    parser.add_argument("--python", default=sys.executable, metavar="FILE",
                        help="the interpreter that has the Python decoders (default: this one)")  # fmt: skip
    parser.add_argument("--node-folder", default=".", metavar="DIR",
                        help="where Node.js finds mqtt-packet (default: here)")  # fmt: skip
    parser.add_argument("--limit", type=seconds, default=5.0, metavar="SECONDS",
                        help="how long one packet may take (default: 5)")  # fmt: skip
    parser.add_argument("-V", "--protocol-version", action="append", choices=("3.1.1", "5"), metavar="{5,3.1.1}",
                        help="only packets of this version (repeatable; default: both)")  # fmt: skip
    add_bounds(parser, _COUNT)
    parser.add_argument("--html", metavar="FILE", help="write the whole matrix as one page")
    parser.add_argument("--json", action="store_true", help="print the whole matrix as JSON")


def run(args: Namespace) -> int:
    """Ask all, and show the matrix."""
    count, limit = bounds_of(args, _COUNT)
    versions = [{"3.1.1": 4, "5": 5}[each] for each in args.protocol_version or ("5", "3.1.1")]
    with ExitStack() as stack:
        decoders, absent = _decoders(args)
        for decoder in decoders:
            stack.enter_context(closing(decoder))
        cases = difference_cases(count if count is not None else 1 << 60, args.seed, versions, tuple(Role))
        matrix = compare(decoders, cases, seconds=limit, progress=_progress)
    matrix.absent = absent | matrix.absent
    if args.html:
        Path(args.html).write_text(html_page(matrix), encoding="utf-8")
    if args.json:
        print(json.dumps(matrix.as_json()))
    else:
        print(*text_lines(matrix), sep="\n")
    return ExitCode.FAILED if any(column.wrong for column in matrix.columns) else ExitCode.WELL


def _progress(matrix: Matrix) -> None:
    note(f"{matrix.cases:,} cases, {len(matrix.rows):,} disagreements", again=True)


def _decoders(args: Namespace) -> tuple[list[Decoder], dict[str, str]]:
    """Those that can be asked, and why the others cannot."""
    found: list[Decoder] = [InProcess(own.decode, name="mqttws", refusals=(RemoteProtocolError,), limit=args.limit)]
    absent: dict[str, str] = {}
    more = [_named(text, args.limit) for text in args.command]
    for name in args.decoder or [*PEERS, _MQTT_PACKET]:
        command, environment = _command(name, args), _environment(args)
        try:
            title = f"{name} {_release(command, environment)}"
        except DecoderUnusable as error:
            absent[name] = str(error)
            continue
        command += ["{version}", "{sender}"]
        found.append(CommandDecoder(command, name=title, limit=args.limit, environment=environment))
    found += more
    return found, absent


def _named(text: str, limit: float) -> Decoder:
    name, equals, command = text.partition("=")
    if not equals or not command.strip():
        raise UsageError(f"--command reads NAME=TEXT here, not {text!r}")
    return CommandDecoder(shlex.split(command), name=name, limit=limit)


def _command(name: str, args: Namespace) -> list[str]:
    if name == _MQTT_PACKET:
        script = resources.files("mqttws.fuzz.adapters").joinpath("mqtt_packet.cjs")
        return ["node", str(script)]
    return [args.python, "-m", "mqttws.fuzz.adapters.serve", name]


def _environment(args: Namespace) -> dict[str, str]:
    """Our package for an interpreter that may not have it, and npm's folder for Node.js."""
    here = str(Path(str(resources.files("mqttws"))).parent)
    python = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    node = os.pathsep.join(filter(None, (os.path.abspath(args.node_folder), os.environ.get("NODE_PATH"))))
    return {"PYTHONPATH": python, "NODE_PATH": node}


def _release(command: list[str], environment: dict[str, str]) -> str:
    """The installed release. Raises :class:`DecoderUnusable` where there is none."""
    try:
        checked = subprocess.run(  # noqa: S603 - a known decoder, without a shell
            [*command, "--check"], env=os.environ | environment, capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DecoderUnusable(f"cannot run {command[0]}: {error}") from None
    if checked.returncode:
        raise DecoderUnusable((checked.stderr.strip().splitlines() or ["it does not start"])[-1])
    return checked.stdout.strip()
