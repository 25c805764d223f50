"""What a decoder says of one packet, and what a decoder is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from mqttws.vocabulary import Role

__all__ = ["Answer", "Decoder", "DecoderUnusable", "Taken"]


class Taken(Enum):
    """How a decoder took some bytes."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CRASHED = "crashed"
    """It failed otherwise than by saying no: an exception of the wrong kind, an end of its process."""
    HUNG = "hung"
    """It gave no answer in time."""
    UNSUPPORTED = "unsupported"
    """It does not read such packets at all; this is held against nobody."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How it was taken, what was said with it, and the fields if some were read, in the words of the vectors."""

    taken: Taken
    text: str = ""
    fields: dict[str, Any] | None = None


class DecoderUnusable(Exception):
    """A decoder cannot be asked at all: it is not installed, does not start, or does not speak the line protocol."""


class Decoder(Protocol):
    """Something that reads one packet at a time."""

    @property
    def name(self) -> str:
        """What it is called in reports."""

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        """What it makes of one packet, no more and no less, that ``sender`` sends in ``version``.

        Raises :class:`DecoderUnusable`, and nothing else.
        """

    def close(self) -> None:
        """Let go of what it holds."""
