"""Check a codec rule by rule: a Python function in this process, or a command in any language.

It gets the byte vectors of both standards, one packet at a time, and has to read the valid ones (with the right fields,
as far as it says them) and to refuse the others, without crashing and in time. A function is called as decode(data),
decode(data, version) or decode(data, version, sender); it accepts by returning, a mapping with fields or anything else,
and refuses by raising. A command reads a packet a line in hexadecimal and answers each with a line: 'ok', 'ok {json}',
'error text' or 'unsupported'. {version} (4, 5) and {sender} (client, server) in its arguments are filled in; it runs
once for each pair. One that hangs or ends is started again. Who is not told the sender is not held to rules of one end.

A codec that is not for one version or one end says so by -V and --sender, or answers 'unsupported' (a function returns
NotImplemented). Only the decoder is asked: a layer above it may still refuse what it lets pass.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from contextlib import closing
from typing import Final

import trio

from mqttws.cli.conform_options import add_run_options, carry_out, seed_of, selected
from mqttws.cli.conform_output import add_output_options
from mqttws.cli.decoders import add_decoders, decoder_from
from mqttws.cli.outcome import UsageError
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.codec import DecoderUnusable, InProcess
from mqttws.conformance.codec.probe import CodecProbe
from mqttws.vocabulary import Role

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform codec --adapter my_package.decoder:decode --refusal my_package.errors:Malformed
  mqttws conform codec --command 'node decoder.js {version} {sender}' --name mine --html mine.html
  mqttws conform codec --command './decoder' -V 5 --sender server --only 'MQTT-3.3.*' --save mine.json

exit status:
  0 no rule is broken   1 some are   2 wrong usage, or the codec cannot be asked
"""

#: Seconds that a run may take.
_SECONDS: Final = 180.0
_PINGS: Final = {Role.CLIENT: b"\xc0\0", Role.SERVER: b"\xd0\0"}


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws conform codec``."""
    add_decoders(parser)
    parser.add_argument("--sender", action="append", choices=("client", "server"), metavar="{client,server}",
                        help="it reads only what this end sends (default: both)")  # fmt: skip
    parser.add_argument("--any-sender", action="store_true",
                        help="it is not told who sends a packet, so rules for one end only do not apply (as without "
                             "{sender} in the command, and with a function that does not take it)")  # fmt: skip
    add_run_options(parser, at_once=1, within=_SECONDS)
    add_output_options(parser)


def run(args: Namespace) -> int:
    """Ask about every vector, tell."""
    chosen = selected(args, checks(Kind.CODEC))
    with closing(decoder_from(args)) as decoder:
        senders = [Role(each) for each in args.sender or ("client", "server")]
        probe = CodecProbe(decoder, senders=senders, knows_sender=False if args.any_sender else None)
        if isinstance(decoder, InProcess) and not decoder.knows_version and len({one.version for one in chosen}) > 1:
            raise UsageError("a function that takes the bytes alone is for one version: say which by -V")
        try:  # whether it can be asked at all
            decoder.decode(_PINGS[senders[0]], int(chosen[0].version), senders[0])
            return trio.run(_run, args, probe, decoder.name, chosen)
        except DecoderUnusable as error:
            raise UsageError(str(error)) from None


async def _run(args: Namespace, probe: CodecProbe, name: str, chosen: list[Check]) -> int:
    code = await carry_out(args, chosen, probe.for_check, kind=Kind.CODEC, name=name, seed=seed_of(args))
    if probe.unusable is not None:
        raise probe.unusable
    if probe.asked and not probe.with_fields:
        print("no fields were given: whether a packet was read rightly is not known", file=sys.stderr)
    return code
