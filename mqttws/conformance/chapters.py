"""The chapters of both standards by name, as reports are laid out."""

from __future__ import annotations

import re
from typing import Final

from mqttws.vocabulary import ProtocolVersion

__all__ = ["chapter_key", "chapter_title", "version_name"]

_PACKETS: Final = (
    "CONNECT", "CONNACK", "PUBLISH", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBSCRIBE", "SUBACK", "UNSUBSCRIBE",
    "UNSUBACK", "PINGREQ", "PINGRESP", "DISCONNECT", "AUTH",
)  # fmt: skip
_CHAPTER: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})*")
_SHARED: Final = {
    "1.5": "Data types",
    **{f"3.{number}": name for number, name in enumerate(_PACKETS, 1)},
    "4.1": "State",
    "4.2": "Network connections",
    "4.3": "Quality of Service",
    "4.4": "Delivering again",
    "4.5": "Receipt of messages",
    "4.6": "Order of messages",
    "4.7": "Topics and filters",
    "6": "WebSocket",
    "7": "Conformance",
}
_TITLES: Final = {
    ProtocolVersion.V3_1_1: _SHARED
    | {"2.2": "Fixed header", "2.3": "Packet Identifier", "4.8": "Handling of errors", "7.1": "Conformance targets"},
    ProtocolVersion.V5: _SHARED
    | {
        "2.1": "Fixed header",
        "2.2": "Packet Identifier and properties",
        "4.8": "Subscriptions",
        "4.9": "Flow control",
        "4.12": "Enhanced authentication",
        "4.13": "Handling of errors",
    },
}


def chapter_title(chapter: str, version: int) -> str:
    """``3.1 CONNECT``; of a chapter without a name its number."""
    return f"{chapter} {_TITLES[ProtocolVersion(version)].get(chapter, '')}".rstrip()


def chapter_key(chapter: str) -> tuple[int, ...]:
    """For sorting. Raises :class:`ValueError` for what is no number of a chapter."""
    if not _CHAPTER.fullmatch(chapter):
        raise ValueError(f"{chapter[:40]!r} is no number of a chapter")
    return tuple(int(part) for part in chapter.split("."))


def version_name(version: int) -> str:
    """``3.1.1`` or ``5.0``. Raises :class:`ValueError` for another one."""
    return "5.0" if ProtocolVersion(version) is ProtocolVersion.V5 else "3.1.1"
