"""What happened in a run: every publish with its outcome, every delivery, and a story to read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

import trio

__all__ = ["Delivery", "Entry", "Ledger", "Outcome", "number_of", "payload_of"]


class Outcome(StrEnum):
    """How a publish has ended."""

    OPEN = "open"
    COMPLETED = "completed"
    LOST = "lost"
    """In :class:`~mqttws.errors.SessionLost`, which names this message."""
    EXPIRED = "expired"
    FULL = "full"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """In any other way."""


@dataclass(slots=True)
class Entry:
    """One publish.

    ``began`` and ``ended`` are places in the order of all that happened, ``accepted`` the one from which on the message
    is known to stand before all that are published later. ``session`` is the number of the subscriber's Session that
    had subscribed to the topic when the call was made, None if there was none.
    """

    number: int
    topic: str
    qos: int
    expires: bool
    session: int | None
    began: int
    accepted: int | None = None
    ended: int | None = None
    outcome: Outcome = Outcome.OPEN
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message at the subscriber; ``number`` None for a payload that nobody has sent."""

    number: int | None
    topic: str
    qos: int
    dup: bool


@dataclass(slots=True)
class Ledger:
    """Entries by number, deliveries in order of arrival, and a line for whatever else happened."""

    entries: dict[int, Entry] = field(default_factory=dict)
    deliveries: list[Delivery] = field(default_factory=list)
    story: list[str] = field(default_factory=list)

    def tell(self, line: str) -> int:
        """Write down that something happens now; returns its place in the order."""
        self.story.append(f"{trio.current_time():9.3f} {line}")
        return len(self.story)

    def publish(self, topic: str, qos: int, *, expires: bool, session: int | None) -> Entry:
        """A publish is about to be called."""
        number = len(self.entries)
        place = self.tell(f"publish {number} to {topic} at QoS {qos}")
        entry = self.entries[number] = Entry(number, topic, qos, expires, session, place)
        return entry

    def end(self, entry: Entry, outcome: Outcome, error: Exception | None = None) -> None:
        """A publish has its outcome."""
        entry.ended = self.tell(
            f"{entry.number} {outcome}" + (f": {type(error).__name__}: {error}" if error is not None else "")
        )
        entry.outcome, entry.error = outcome, error
        if outcome is Outcome.COMPLETED and entry.accepted is None:
            entry.accepted = entry.ended

    def deliver(self, delivery: Delivery) -> None:
        """The subscriber has got a message."""
        again = ", marked as sent before" if delivery.dup else ""
        self.tell(f"{delivery.number} delivered on {delivery.topic} at QoS {delivery.qos}{again}")
        self.deliveries.append(delivery)

    def delivered(self, number: int) -> Iterator[int]:
        """The places in the order of deliveries at which a message came."""
        return (place for place, delivery in enumerate(self.deliveries) if delivery.number == number)

    @property
    def digest(self) -> str:
        """A name for exactly this course of events."""
        return sha256("\n".join(self.story).encode()).hexdigest()[:16]


def payload_of(number: int, size: int) -> bytes:
    """The payload of a message: its number, and ``size`` bytes more."""
    return b"%d:" % number + bytes(size)


def number_of(payload: bytes) -> int | None:
    """The number in a payload, None if it is none of ours."""
    text, colon, rest = payload.partition(b":")
    return int(text) if colon and text.isdigit() and not rest.strip(b"\0") else None
