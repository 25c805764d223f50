"""What has to hold in every run, whatever went wrong in it; and how it is said when it does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from mqttws.errors import PublishRefused
from mqttws.simulation.ledger import Entry, Ledger, Outcome
from mqttws.simulation.schedule import PUBLISHER, SUBSCRIBER
from mqttws.vocabulary import ReasonCode

__all__ = ["Facts", "Finding", "findings_of"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise that was not kept. ``kind`` is one word, the same for all of its kind."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(slots=True)
class Facts:
    """What is known of a run beyond its ledger.

    ``lost`` counts for each client the Sessions that the server lost and told of. ``masked`` counts those of which it
    could not be told: the CONNACK that began the new Session was lost on its way, and the next one says Session
    Present. MQTT gives a client no way to see that, so promises about the old Session cannot be kept.
    """

    connections: int = 0
    seconds: float = 0.0
    lost: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)
    subscribers_last_session: int = 0
    unfinished: int = 0
    held: int = 0
    tasks_left: int = 0
    server_empty: bool = True
    stuck: bool = False
    crash: Exception | None = None
    unheard: list[Entry] = field(default_factory=list)


def findings_of(ledger: Ledger, facts: Facts) -> list[Finding]:
    """Every promise that the run has broken."""
    return [*_of_the_run(facts), *_of_publishes(ledger, facts), *_of_deliveries(ledger), *_of_order(ledger, facts)]


def _of_the_run(facts: Facts) -> Iterator[Finding]:
    if facts.crash is not None:
        yield Finding("crash", _told(facts.crash))
        return
    if facts.stuck:
        yield Finding("stuck", "the run has not come to its end")
        return
    for entry in facts.unheard:
        yield Finding("deaf", f"message {entry.number} ({entry.outcome}) has not arrived though all is well again")
    if facts.unfinished:
        yield Finding("leak", f"{facts.unfinished} publishes are unfinished at the end")
    if facts.held:
        yield Finding("leak", f"{facts.held} messages are unacknowledged though consumed")
    if facts.tasks_left:
        yield Finding("leak", f"{facts.tasks_left} tasks are left")
    if not facts.server_empty:
        yield Finding("leak", "the server still holds a connection or a Session of clients that are gone")


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(map(_told, error.exceptions))
    return f"{type(error).__name__}: {error}"


def _of_publishes(ledger: Ledger, facts: Facts) -> Iterator[Finding]:
    for entry in ledger.entries.values():
        times = sum(1 for _ in ledger.delivered(entry.number))
        name = f"message {entry.number} at QoS {entry.qos}"
        match entry.outcome:
            case Outcome.OPEN:
                if facts.crash is None:
                    yield Finding("open", f"{name} has no outcome")
            case Outcome.FAILED if not _is_masked(entry, facts):
                assert entry.error is not None
                yield Finding("failed", f"{name} ended in {_told(entry.error)}")
            case Outcome.LOST if not facts.lost[PUBLISHER]:
                yield Finding("false loss", f"{name} ended in SessionLost though the Session lives")
            case Outcome.LOST if entry.qos != 2 and not entry.expires:
                yield Finding("not resent", f"{name} ended in SessionLost instead of being sent again")
            case Outcome.FULL | Outcome.EXPIRED if times:
                yield Finding("ghost", f"{name} was delivered though it was not sent ({entry.outcome})")
            case Outcome.COMPLETED if not times and _has_to_arrive(entry, facts):
                yield Finding("vanished", f"{name} was completed and never delivered")
        if times > 1 and not _may_repeat(entry, facts):
            yield Finding("twice", f"{name} was delivered {times} times")


def _is_masked(entry: Entry, facts: Facts) -> bool:
    """A PUBREL of an exchange that the server knows nothing of is all that a masked loss can show."""
    error = entry.error
    unknown = isinstance(error, PublishRefused) and error.reason_code == ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
    return unknown and facts.masked[PUBLISHER] > 0


def _has_to_arrive(entry: Entry, facts: Facts) -> bool:
    """Whether the subscriber's last Session was there when the message was published, so that it cannot be missed."""
    if not entry.qos or entry.expires or facts.masked[SUBSCRIBER] or facts.crash is not None or facts.stuck:
        return False
    return entry.session is not None and entry.session == facts.subscribers_last_session


def _may_repeat(entry: Entry, facts: Facts) -> bool:
    """QoS 1 after a connection was lost; QoS 2 only where the publisher could not know of the loss of its Session."""
    if entry.qos == 1:
        return facts.connections > 2
    return entry.qos == 2 and facts.masked[PUBLISHER] > 0


def _of_deliveries(ledger: Ledger) -> Iterator[Finding]:
    for delivery in ledger.deliveries:
        entry = None if delivery.number is None else ledger.entries.get(delivery.number)
        if entry is None or (entry.topic, entry.qos) != (delivery.topic, delivery.qos):
            yield Finding("garbled", f"{delivery} was never published like that")


def _of_order(ledger: Ledger, facts: Facts) -> Iterator[Finding]:
    """Per topic and QoS the first deliveries come in the order of the publishes, while both Sessions live."""
    if facts.lost.total() or facts.masked.total():
        return
    for entry in ledger.entries.values():
        place = next(ledger.delivered(entry.number), None)
        if place is None or entry.accepted is None:
            continue
        for other in ledger.entries.values():
            if (other.topic, other.qos) != (entry.topic, entry.qos) or other.began < entry.accepted:
                continue
            before = next(ledger.delivered(other.number), None)
            if before is not None and before < place:
                yield Finding("order", f"message {other.number} came before {entry.number} at QoS {entry.qos}")
