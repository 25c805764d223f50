"""What the two ends of a connection may and must do (chapter 4), for both roles, without I/O and without a clock."""

from mqttws.session.connection import Connection
from mqttws.session.events import Closed, Delivered, Event, KeepAliveExpired, SessionResumed, SessionStarted
from mqttws.session.limits import Limits
from mqttws.session.session import Session
from mqttws.session.states import State
from mqttws.session.store import (
    Change,
    DurableStore,
    IncomingEnded,
    IncomingStored,
    MemoryStore,
    OutgoingEnded,
    OutgoingReleased,
    OutgoingStored,
    SessionBegan,
    SessionState,
    Store,
    WaitingEnded,
    WaitingStored,
)

__all__ = [
    "Change",
    "Closed",
    "Connection",
    "Delivered",
    "DurableStore",
    "Event",
    "IncomingEnded",
    "IncomingStored",
    "KeepAliveExpired",
    "Limits",
    "MemoryStore",
    "OutgoingEnded",
    "OutgoingReleased",
    "OutgoingStored",
    "Session",
    "SessionBegan",
    "SessionResumed",
    "SessionStarted",
    "SessionState",
    "State",
    "Store",
    "WaitingEnded",
    "WaitingStored",
]
