"""Annotated packets, frames and heads for people and for programs: in colours with their rules, or as JSON."""

from __future__ import annotations

import os
import sys
from typing import Any, Final

from mqttws.cli.properties import text_or_base64
from mqttws.codec import PacketNotes
from mqttws.conformance import rule_of
from mqttws.errors import name_of
from mqttws.notes import Fault, Note, Paint, Section, plain
from mqttws.vocabulary import ProtocolVersion
from mqttws.websocket.dissection import FrameNotes, HeadNotes

__all__ = ["KINDS", "add_colour_option", "paint_for", "print_line", "section_as_json"]

#: What each kind of section is called.
KINDS: Final[dict[type[Section], str]] = {HeadNotes: "HTTP head", FrameNotes: "frame", PacketNotes: "packet"}
_VERSIONS: Final = {ProtocolVersion.V3_1_1: "3.1.1", ProtocolVersion.V5: "5.0"}
_ANSI: Final = {
    "title": "1",
    "good": "1;32",
    "bad": "1;31",
    "open": "1;33",
    "offset": "2",
    "bytes": "36",
    "field": "",
    "value": "33",
    "secret": "35",
    "meaning": "",
    "mark": "1;31",
}


def section_as_json(section: Section) -> dict[str, Any]:
    """One packet, frame or head."""
    members: dict[str, Any] = {
        "kind": KINDS.get(type(section), "bytes"),
        "title": section.title,
        "offset": section.offset,
        "size": section.size,
        "verdict": section.verdict,
        "certain": section.certain,
    }
    if isinstance(section, PacketNotes):
        members["packet_type"] = None if section.packet_type is None else section.packet_type.name
        members["version"] = _VERSIONS[section.version]
    if section.missing:
        members["missing"] = section.missing
    if section.fault is not None:
        members["fault"] = _fault_as_json(section, section.fault)
    return members | {"fields": [_field_as_json(note) for note in section.notes]}


def _fault_as_json(section: Section, fault: Fault) -> dict[str, Any]:
    members: dict[str, Any] = {
        "message": fault.message,
        "offset": fault.offset,
        "field": fault.field,
        "rule": fault.rule,
        "requirement": rule_of(fault.rule, fault.version) if fault.rule else None,
        "answer": fault.answer,
    }
    if isinstance(section, PacketNotes) and section.error is not None:
        members |= {"reason_code": int(section.error.reason_code), "reason": name_of(section.error.reason_code)}
    return members


def _field_as_json(note: Note) -> dict[str, Any]:
    """One row; of a secret ``bytes`` are those in front of it."""
    members: dict[str, Any] = {"offset": note.offset, "size": note.size, "bytes": note.data.hex(), "field": note.field}
    members |= text_or_base64("value", note.value) if isinstance(note.value, bytes) else {"value": note.value}
    members |= {"meaning": note.meaning, "depth": note.depth}
    if note.mask:
        members["bits"] = f"{note.mask:08b}"
    if note.secret:
        members["secret"] = True
    return members


def add_colour_option(group: Any) -> None:
    """Whether to use colours."""
    group.add_argument("--colour", "--color", choices=("auto", "always", "never"), default="auto",
                       help="colours (default: on a terminal, unless NO_COLOR is set)")  # fmt: skip


def paint_for(choice: str) -> Paint:
    """Colours, or none."""
    return _coloured if _wants_colour(choice) else plain


def _wants_colour(choice: str) -> bool:
    if choice != "auto":
        return choice == "always"
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _coloured(kind: str, text: str) -> str:
    return f"\x1b[{_ANSI[kind]}m{text}\x1b[0m" if _ANSI[kind] else text


def print_line(line: str) -> None:
    """One line, also to a terminal that cannot show all of its characters."""
    encoding = sys.stdout.encoding
    print(line.encode(encoding, "replace").decode(encoding))
