"""Session state that may outlive the process, and how it gets to a store.

A durable :class:`~mqttws.session.session.Session` writes a journal of small changes. The connection holds back every
byte that depends on a change until its owner has committed it, so that nothing is sent that is not stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

from mqttws.codec import Publish

__all__ = [
    "Change",
    "DurableStore",
    "IncomingEnded",
    "IncomingStored",
    "MemoryStore",
    "OutgoingEnded",
    "OutgoingReleased",
    "OutgoingStored",
    "SessionBegan",
    "SessionState",
    "Store",
    "WaitingEnded",
    "WaitingStored",
]


@dataclass(slots=True, frozen=True)
class SessionBegan:
    """A new Session: whatever was stored before is gone."""


@dataclass(slots=True, frozen=True)
class OutgoingStored:
    """A QoS 1 or 2 message got its Packet Identifier and is about to be sent."""

    publish: Publish


@dataclass(slots=True, frozen=True)
class OutgoingReleased:
    """PUBREC has come: from now on PUBREL is sent, and the PUBLISH never again [MQTT-4.3.3-6]."""

    packet_id: int


@dataclass(slots=True, frozen=True)
class OutgoingEnded:
    """The exchange has ended and the Packet Identifier is free."""

    packet_id: int


@dataclass(slots=True, frozen=True)
class IncomingStored:
    """A QoS 2 message was taken over: its identifier is remembered until PUBREL [MQTT-4.3.3-10]."""

    packet_id: int


@dataclass(slots=True, frozen=True)
class IncomingEnded:
    """PUBREL has come, the identifier is free."""

    packet_id: int


@dataclass(slots=True, frozen=True)
class WaitingStored:
    """A QoS 1 or 2 message waits to be sent, without a Packet Identifier; those with a lower number go first.

    Such messages are their sender's business, and no part of the Session: they outlive it.
    """

    number: int
    publish: Publish


@dataclass(slots=True, frozen=True)
class WaitingEnded:
    """The message waits no more: it is about to be sent, or given up."""

    number: int


Change: TypeAlias = (
    SessionBegan
    | OutgoingStored
    | OutgoingReleased
    | OutgoingEnded
    | IncomingStored
    | IncomingEnded
    | WaitingStored
    | WaitingEnded
)


@dataclass(slots=True)
class SessionState:
    """What of a Session must survive (5.0 and 3.1.1: 4.1), the Client's subscriptions apart.

    ``outgoing`` maps Packet Identifiers, oldest exchange first, to the message and whether PUBREC has come;
    ``incoming`` holds the identifiers of QoS 2 messages between PUBREC and PUBREL. ``waiting`` has messages that were
    not sent yet, by the number of each; a new Session leaves them alone.
    """

    outgoing: dict[int, tuple[Publish, bool]] = field(default_factory=dict)
    incoming: set[int] = field(default_factory=set)
    waiting: dict[int, Publish] = field(default_factory=dict)

    def apply(self, change: Change) -> None:
        """Make one change. Changes come in the order in which the Session made them."""
        match change:
            case SessionBegan():
                self.outgoing.clear()
                self.incoming.clear()
            case OutgoingStored(publish):
                assert publish.packet_id is not None  # an exchange has an identifier from its first moment
                self.outgoing[publish.packet_id] = (publish, False)
            case OutgoingReleased(packet_id):
                # Moved to the end: PUBRELs leave in the order of the PUBRECs [MQTT-4.6.0-4].
                self.outgoing[packet_id] = (self.outgoing.pop(packet_id)[0], True)
            case OutgoingEnded(packet_id):
                del self.outgoing[packet_id]
            case IncomingStored(packet_id):
                self.incoming.add(packet_id)
            case WaitingStored(number, publish):
                self.waiting[number] = publish
            case WaitingEnded(number):
                del self.waiting[number]
            case _:
                self.incoming.discard(change.packet_id)


class Store(Protocol):
    """Where the state of one Client's Session is kept between connections, or between processes."""

    def load(self) -> SessionState | None:
        """The stored state, or None where no Session was ever begun."""
        ...

    def commit(self, changes: Sequence[Change]) -> None:
        """Store all of ``changes``, in order and in one transaction, before returning."""
        ...


@runtime_checkable
class DurableStore(Store, Protocol):
    """A :class:`Store` that outlives the process.

    It waits for a disk, so its ``commit`` is called in a thread, one call at a time; and it remembers whose Session it
    keeps.
    """

    @property
    def client_id(self) -> str | None:
        """The client identifier whose Session is stored, None while nobody has said so."""
        ...

    def claim(self, client_id: str) -> None:
        """Use the store for this client from now on; :class:`StoreFailed` where the Session in it is another's."""
        ...


class MemoryStore:
    """A :class:`Store` that lives as long as the object: enough to resume a Session within one process."""

    def __init__(self) -> None:
        self._state: SessionState | None = None

    def load(self) -> SessionState | None:
        """A copy of the state, or None before the first commit."""
        if self._state is None:
            return None
        return SessionState(dict(self._state.outgoing), set(self._state.incoming), dict(self._state.waiting))

    def commit(self, changes: Sequence[Change]) -> None:
        """Apply ``changes``."""
        if self._state is None:
            self._state = SessionState()
        for change in changes:
            self._state.apply(change)
