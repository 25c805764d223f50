"""What a direction of a wire is made of, and where on the wire each piece was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mqttws.vocabulary import ProtocolVersion

__all__ = ["Kind", "Span", "Unit"]


class Kind(Enum):
    """What a unit is."""

    HEAD = auto()
    """An HTTP request or response up to its empty line."""
    BODY = auto()
    """A part of what follows the head of a refusal."""
    CONTROL = auto()
    """The payload of a close, ping or pong frame."""
    TEXT = auto()
    """A part of a text message."""
    PACKET = auto()
    """A Control Packet."""
    PART = auto()
    """A part of a Control Packet that is too long to be held."""
    UNKNOWN = auto()
    """Bytes that fit nowhere."""
    FRAME = auto()
    """Not content but its wrapping: a frame has ended. ``data`` is empty, ``spans`` cover its header and payload."""


@dataclass(slots=True)
class Span:
    """``size`` bytes from ``start`` on, counted from the first byte of the direction; ``key`` unmasks the first one."""

    start: int
    size: int
    key: bytes = b""


@dataclass(slots=True)
class Unit:
    """A piece of content, unmasked, and where it was on the wire.

    ``first`` is the first byte of the packet that it is or belongs to, or of the frame. ``finished`` is false for what
    the direction's end has cut off.
    """

    kind: Kind
    data: bytes
    spans: list[Span]
    first: int = 0
    version: ProtocolVersion = ProtocolVersion.V5
    finished: bool = True

    @property
    def start(self) -> int:
        """Where it begins on the wire."""
        return self.spans[0].start

    @property
    def stop(self) -> int:
        """Behind its last byte on the wire."""
        return self.spans[-1].start + self.spans[-1].size
