"""The Session: what outlives a connection (4.1)."""

from __future__ import annotations

from mqttws.codec import Publish
from mqttws.session.flows import Incoming, Outgoing
from mqttws.session.journal import Journal
from mqttws.session.store import Change, SessionBegan, SessionState

__all__ = ["Session"]


class Session:
    """Exchanges under way in both directions, handed from one connection to the next.

    ``state`` is what a :class:`~mqttws.session.store.Store` has loaded. ``durable`` makes the Session keep a journal of
    its changes, which the owner of the connection has to commit: bytes that depend on them wait until then. One
    connection uses a Session at a time.
    """

    __slots__ = ("durable", "incoming", "journal", "outgoing", "waiting")

    def __init__(self, state: SessionState | None = None, *, durable: bool = False) -> None:
        self.durable = durable
        self.journal = Journal()
        held = state if state is not None else SessionState()
        self.outgoing = Outgoing(held, self.record)
        self.incoming = Incoming(held, self.record)
        #: What its owner had not sent when it was stored; the owner's business from now on.
        self.waiting = held.waiting

    def record(self, change: Change) -> None:
        """Write one change into the journal, if there is one."""
        if self.durable:
            self.journal.record(change)

    def begin(self) -> tuple[Publish, ...]:
        """Start over as a new Session; the outgoing messages that were under way are returned."""
        self.record(SessionBegan())
        self.incoming.clear()
        return self.outgoing.clear()

    def resume(self) -> list[int]:
        """Go on with the Session on a new connection: the identifiers to be sent PUBREL."""
        self.incoming.resume()
        return self.outgoing.resume()

    def __repr__(self) -> str:
        return f"<Session outgoing={len(self.outgoing)} incoming={self.incoming.remembered}>"
