"""Fuzz somebody else's decoder: a Python function in this process, or a command in any language.

It gets one packet at a time: the byte vectors of both standards, then packets from a seed, valid ones and such that
break one known rule. It has to take the former (with the right fields, as far as it says them) and refuse the latter,
without crashing and in time. What goes wrong is made smaller and written as a file, once for each way to fail.

A function is called as decode(data), decode(data, version) or decode(data, version, sender); it accepts by returning,
a mapping with fields or anything else, and refuses by raising. A command reads a packet a line in hexadecimal and
answers each with a line: 'ok', 'ok {json}', 'error text' or 'unsupported'. {version} (4, 5) and {sender} (client,
server) in its arguments are filled in; it runs once for each pair.
"""

from __future__ import annotations

import json
import shlex
from argparse import ArgumentParser, Namespace
from contextlib import closing
from pathlib import Path
from typing import Final

from mqttws.cli.decoders import add_decoders, decoder_from
from mqttws.cli.fuzz_options import add_bounds, add_findings, bounds_of, note
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.conformance.codec import DecoderUnusable
from mqttws.fuzz.campaign import CampaignReport, run_campaign
from mqttws.fuzz.findings import Finding, write_finding
from mqttws.vocabulary import Role

__all__ = ["EXAMPLES", "add_arguments", "run"]

#: Inputs if nothing else is said.
_COUNT: Final = 10_000

EXAMPLES: Final = """\
examples:
  mqttws fuzz codec --adapter my_package.decoder:decode --refusal my_package.errors:Malformed
  mqttws fuzz codec --command './decoder --version {version} --from {sender}' --seconds 300
  mqttws fuzz codec --command 'node decoder.js' -V 5 --sender server --seed 7
  mqttws explain --file findings/wrong-accept_v5_qos-3_0a1b2c3d.json

exit status:
  0 nothing found   1 findings   2 wrong usage, or the decoder cannot be asked
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz codec``."""
    add_decoders(parser)
    parser.add_argument("-V", "--protocol-version", action="append", choices=("3.1.1", "5"), metavar="{5,3.1.1}",
                        help="only packets of this version (repeatable; default: both)")  # fmt: skip
    parser.add_argument("--sender", action="append", choices=("client", "server"), metavar="{client,server}",
                        help="only packets that this end sends (default: both)")  # fmt: skip
    add_bounds(parser, _COUNT)
    add_findings(parser)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args: Namespace) -> int:
    """Run and report."""
    count, seconds = bounds_of(args, _COUNT)
    folder = Path(args.findings)

    def found(finding: Finding) -> None:
        note(f"{finding.kind}: {finding.mutation}: {write_finding(finding, folder)}")

    try:
        with closing(decoder_from(args)) as decoder:
            report = run_campaign(
                decoder,
                versions=[{"3.1.1": 4, "5": 5}[each] for each in args.protocol_version or ("5", "3.1.1")],
                senders=[Role(each) for each in args.sender or ("client", "server")],
                count=count,
                seconds=seconds,
                seed=args.seed,
                progress=_progress,
                found=found,
            )
    except DecoderUnusable as error:
        raise UsageError(str(error)) from None
    _print(report, args)
    return ExitCode.FAILED if report.findings else ExitCode.WELL


def _progress(report: CampaignReport) -> None:
    note(f"{report.inputs.total():,} inputs, {len(report.findings)} findings", again=True)


def _print(report: CampaignReport, args: Namespace) -> None:
    figures = {
        "inputs": dict(report.inputs),
        "verdicts": dict(report.verdicts),
        "wrong": dict(report.wrong),
        "findings": len(report.findings),
        "seconds": round(report.seconds, 2),
        "seed": args.seed,
        "decoder": args.adapter or shlex.join(shlex.split(args.command)),
    }
    if args.json:
        print(json.dumps(figures))
        return
    parts = ", ".join(f"{count:,} {what}" for what, count in sorted(report.inputs.items()))
    print(f"{report.inputs.total():,} inputs from seed {args.seed} in {report.seconds:.1f} s: {parts}")
    for kind, count in sorted(report.wrong.items()):
        ways = sum(finding.kind == kind for finding in report.findings)
        print(f"  {kind:13} {count:>8,} times, in {ways} {'way' if ways == 1 else 'ways'}")
    if report.findings:
        print(f"{len(report.findings)} findings in {args.findings}")
    else:
        print("nothing found")
