"""Say what any bytes are, MQTT packets or WebSocket frames: field by field, and where which rule is broken."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from typing import Final

from mqttws.cli.octets import add_octet_options, octets
from mqttws.cli.options import protocol_version
from mqttws.cli.outcome import ExitCode, UsageError
from mqttws.cli.sections import KINDS, add_colour_option, paint_for, print_line, section_as_json
from mqttws.codec import dissect
from mqttws.conformance import rule_of
from mqttws.notes import Section, render
from mqttws.vocabulary import ProtocolVersion, Role
from mqttws.websocket.dissection import FrameNotes, HeadNotes, dissect_frames

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws explain 30 05 00 01 61 00 68
  mqttws explain -V 3.1.1 --sender server '\\x20\\x02\\x00\\x05'
  mqttws explain --file capture.bin --websocket --json
  mqttws explain --file findings/wrong-accept_v5_qos-3_0a1b2c3d.json
  echo MAUAAWEAaA== | mqttws explain --base64

A CONNECT among the packets sets the version for what follows it. Passwords, authentication data and tokens are masked.

exit status:
  0 everything is valid   1 something is invalid or unfinished   2 wrong usage
"""

#: Bytes of a file of ``mqttws fuzz`` that are read.
_LONGEST_FINDING: Final = 64 * 2**20


def add_arguments(parser: ArgumentParser) -> None:
    """The options of ``mqttws explain``."""
    add_octet_options(parser)
    what = parser.add_argument_group("what they are")
    what.add_argument("-V", "--protocol-version", type=protocol_version, default=ProtocolVersion.V5,
                      metavar="{5,3.1.1}", help="MQTT version until a CONNECT tells it (default: 5)")  # fmt: skip
    what.add_argument("--sender", choices=[role.value for role in Role], help="who sends them: holds them to its rules")
    what.add_argument("--websocket", action="store_true",
                      help="frames of one direction of a WebSocket, perhaps behind an HTTP head")  # fmt: skip
    what.add_argument("--stream", action="store_true", help="more may follow: an unfinished end is no finding")
    how = parser.add_argument_group("output")
    how.add_argument("--json", action="store_true", help="print one JSON object a line for each packet or frame")
    how.add_argument("--show-secrets", action="store_true", help="mask nothing")
    add_colour_option(how)


def run(args: Namespace) -> int:
    """Print what the bytes are; findings decide the exit status."""
    finding = _finding(args)
    data = octets(args) if finding is None else finding
    if not data:
        raise UsageError("there are no bytes to explain; give hexadecimal or --file FILE")
    sections = _Counted(_sections(args, data), stream=args.stream)
    if args.json:
        for section in sections:
            print_line(json.dumps(section_as_json(section)))
    else:
        paint = paint_for(args.colour)
        for line in render(sections, paint=paint, rule=rule_of):
            print_line(line)
        print_line("")
        print_line(paint("bad" if sections.findings else "good", sections.summary(len(data))))
    hint = _hint(args, data) if sections.findings else None
    if hint:
        print(f"mqttws explain: note: {hint}", file=sys.stderr)
    return ExitCode.FAILED if sections.findings else ExitCode.WELL


def _finding(args: Namespace) -> bytes | None:
    """The bytes of a file that ``mqttws fuzz`` has written, with their version and sender; None for any other input."""
    if args.file in (None, "-") or args.octets or args.form is not None:
        return None
    try:
        with open(args.file, "rb") as file:
            if file.read(1) != b"{":
                return None
            members = json.loads(b"{" + file.read(_LONGEST_FINDING))
        data = bytes.fromhex(members["hex"])
        if not members["format"].startswith("mqttws-"):
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # whatever it is, others may read it
    if members.get("version") == ProtocolVersion.V3_1_1:
        args.protocol_version = ProtocolVersion.V3_1_1
    if members.get("sender") in ("client", "server"):
        args.sender = args.sender or members["sender"]
    return data


def _sections(args: Namespace, data: bytes) -> Iterator[Section]:
    """Frames, then the packets that their binary messages hold; or packets alone."""
    sender = Role(args.sender) if args.sender else None
    remark = ""
    if args.websocket:
        binary: list[bytes] = []
        for notes in dissect_frames(data, sender=sender, show_secrets=args.show_secrets):
            if isinstance(notes, FrameNotes):
                binary.append(notes.binary)
            else:
                sender = sender or notes.sender
            yield notes
        data, remark = b"".join(binary), "What the binary messages hold, joined; offsets count from its first byte."
    for packet in dissect(data, args.protocol_version, sender=sender, show_secrets=args.show_secrets):
        packet.remark, remark = packet.remark or remark, ""
        yield packet


class _Counted:
    """Sections as they pass, and what was found in them."""

    def __init__(self, sections: Iterable[Section], *, stream: bool) -> None:
        self._sections = sections
        self._stream = stream
        self._count = dict.fromkeys(KINDS.values(), 0)
        self.findings = 0

    def __iter__(self) -> Iterator[Section]:
        for section in self._sections:
            self._count[KINDS[type(section)]] += 1
            if section.fault is not None or (section.missing and not self._stream):
                self.findings += 1
            yield section

    def summary(self, size: int) -> str:
        """The last line."""
        things = [_plural(count, kind) for kind, count in self._count.items() if count]
        found = _plural(self.findings, "finding") if self.findings else "no findings"
        return f"{found} in {', '.join(things)} ({_plural(size, 'byte')})"


def _plural(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _hint(args: Namespace, data: bytes) -> str | None:
    """What else the bytes may be, if they are bad packets; a SUBSCRIBE begins like a frame, so the content counts."""
    if args.websocket:
        return None
    sections: list[Section] = list(dissect_frames(data))
    held = b"".join(notes.binary for notes in sections if isinstance(notes, FrameNotes))
    sections += dissect(held, args.protocol_version)
    if isinstance(sections[0], HeadNotes) or all(section.verdict == "valid" for section in sections):
        return "these bytes may be WebSocket frames; try --websocket"
    return None
