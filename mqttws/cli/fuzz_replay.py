"""Try a finding again: against the same decoder, another one, or this package's own.

Without a decoder the finding says which: a target of this package, or nothing more than what should have happened.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from mqttws.cli.decoders import add_decoders, decoder_from
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.codec import explain
from mqttws.conformance.codec import DecoderUnusable, InProcess
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import own
from mqttws.fuzz.campaign import replay
from mqttws.fuzz.findings import Finding, read_finding
from mqttws.fuzz.live.verdict import load
from mqttws.fuzz.loop import try_input
from mqttws.fuzz.targets import TARGETS

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws fuzz replay findings/wrong-accept_v5_qos-3_0a1b2c3d.json --command './decoder {version} {sender}'
  mqttws fuzz replay findings/crash_codec_0a1b2c3d.json

exit status:
  0 the answer is right now   1 it is still wrong   2 wrong usage
"""


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws fuzz replay``."""
    parser.add_argument("file", metavar="FILE", help="a finding, as a run has written it")
    add_decoders(parser, required=False)
    parser.add_argument("--explain", action="store_true", help="show the bytes field by field as well")
    parser.add_argument("--json", action="store_true", help="print the answer as JSON")


def run(args: Namespace) -> int:
    """Ask once, and say what came."""
    try:
        finding = read_finding(Path(args.file))
    except OSError as problem:
        raise UsageError(f"cannot read {args.file}: {problem.strerror}") from None
    except ValueError as problem:
        raise UsageError(_of_live_peers(args.file) or str(problem)) from None
    wrong, said = _target(finding, args) if finding.target is not None else _decoder(finding, args)
    if args.json:
        members = {"file": args.file, "kind": finding.kind, "wrong_now": wrong, "answer": said}
        print(json.dumps({**members, "expected": finding.expected, "hex": finding.data.hex()}))
    else:
        if args.explain:
            print(explain(finding.data, finding.version, sender=finding.sender))
        print(f"expected: {finding.expected}" + (f", since {finding.rule}" if finding.rule else ""))
        print(f"then:     {finding.answer}")
        print(f"now:      {said}" + (f" ({wrong})" if wrong else ""))
    return ExitCode.FAILED if wrong else ExitCode.WELL


def _of_live_peers(file: str) -> str | None:
    """Where a finding of a live peer is tried again, if this is one."""
    with suppress(ValueError):
        subject = load(Path(file)).subject
        return f"{file} is for a live peer: mqttws fuzz {subject} --replay {file}"
    return None


def _target(finding: Finding, args: Namespace) -> tuple[str | None, str]:
    if finding.target not in TARGETS:
        raise UsageError(f"{args.file} is for a target {finding.target!r}, of which nothing is known here")
    failure = try_input(TARGETS[finding.target], finding.data, args.limit)
    if failure is None:
        return None, "an end without an exception"
    signature, words = failure
    return "hang" if signature == "hang" else "crash", words


def _decoder(finding: Finding, args: Namespace) -> tuple[str | None, str]:
    if args.adapter or args.command:
        decoder = decoder_from(args)
    else:
        decoder = InProcess(own.decode, name="mqttws", refusals=(RemoteProtocolError,))
    try:
        with closing(decoder):
            answer, wrong = replay(finding, decoder)
    except DecoderUnusable as error:
        raise UsageError(str(error)) from None
    return wrong, f"{answer.taken.value} by {decoder.name}" + (f": {answer.text}" if answer.text else "")
