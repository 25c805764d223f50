"""The seam to event handlers: what a hub asks and tells, and what may be answered (chapter 6 of the facts).

A hub neither waits nor calls anybody. It collects calls (:meth:`Hub.calls <mqttws.endpoint.hub.Hub.calls>`), and its
owner has an :class:`Upstream` answer them: ``connect`` decides about a CONNECT, a user event gets an answer, and the
other two are only told. Whatever goes wrong in an upstream is a refusal, never a success.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from mqttws.codec import Connect, Publish
from mqttws.endpoint.members import Ending, Member, Visitor

__all__ = [
    "Answer",
    "Call",
    "ConnectRequest",
    "Denied",
    "EventAnswer",
    "Granted",
    "MemberConnected",
    "MemberDisconnected",
    "Nobody",
    "Upstream",
    "UserEvent",
    "Wants",
]


@dataclass(slots=True, eq=False, repr=False)
class ConnectRequest:
    """A client wants to become a member of ``hub``: answer with :class:`Granted` or :class:`Denied`.

    ``connect`` is an MQTT client's CONNECT, with its user name and password; None for other protocols. ``client_id`` is
    the one it will have. What came with the handshake is in ``visitor.admission``: claims, query and headers (without
    the token), subprotocols, the user id that the token gives. ``answer`` is called by the hub's owner, with the time.
    """

    hub: str
    client_id: str
    visitor: Visitor
    answer: Callable[[Granted | Denied, float], None]
    connect: Connect | None = None
    subprotocol: str = "mqtt"

    def __repr__(self) -> str:
        return f"ConnectRequest(hub={self.hub!r}, client_id={self.client_id!r})"


@dataclass(slots=True, frozen=True)
class Granted:
    """The client may come in. What is None stays as the token has it; it counts for a new session only.

    ``user_properties`` go into CONNACK, also of a resumed session. ``state`` is stored with the member. ``subprotocol``
    is for clients of other protocols: the one to answer their handshake with.
    """

    user_id: str | None = None
    roles: Sequence[str] | None = None
    groups: Sequence[str] = ()
    user_properties: Sequence[tuple[str, str]] = ()
    state: str | None = None
    subprotocol: str | None = None


@dataclass(slots=True, frozen=True)
class Denied:
    """The client may not come in. ``code`` is one of CONNACK in the client's version; settings decide for None and for
    one that is not valid there. ``reason`` and ``user_properties`` reach 5.0 clients only; the log gets the reason.
    For a client of another protocol ``code`` is the HTTP status with which its handshake ends.
    """

    code: int | None = None
    reason: str = ""
    user_properties: Sequence[tuple[str, str]] = ()


@dataclass(slots=True, eq=False, repr=False)
class UserEvent:
    """A member has sent the event ``name``: answer with :class:`EventAnswer`.

    The payload and its properties are those of ``publish``. No later message of the member is looked at before the
    answer (documented).
    """

    hub: str
    name: str
    member: Member
    visitor: Visitor
    publish: Publish
    answer: Callable[[EventAnswer, float], None]

    def __repr__(self) -> str:
        return f"UserEvent(hub={self.hub!r}, name={self.name!r}, client_id={self.member.client_id!r})"


@dataclass(slots=True, frozen=True)
class EventAnswer:
    """What goes back to the sender of an event. ``status`` is an HTTP status: 2xx has succeeded.

    ``state`` None leaves the member's state as it is.
    """

    status: int
    payload: bytes = b""
    content_type: str | None = None
    user_properties: Sequence[tuple[str, str]] = ()
    state: str | None = None


@dataclass(slots=True, eq=False)
class MemberConnected:
    """A new session has begun. Nobody waits for an answer."""

    hub: str
    member: Member
    visitor: Visitor


@dataclass(slots=True, eq=False)
class MemberDisconnected:
    """A session has ended for good, not merely lost its network connection. ``visitor`` is its last connection.

    Nobody waits for an answer.
    """

    hub: str
    member: Member
    visitor: Visitor
    ending: Ending


Call: TypeAlias = ConnectRequest | UserEvent | MemberConnected | MemberDisconnected
Answer: TypeAlias = Granted | Denied | EventAnswer


class Wants(Protocol):
    """What a hub has to know of its upstream: which calls to make. Asked before each call; does not wait."""

    def wants_system(self, hub: str, name: str) -> bool:
        """Whether anybody handles ``connect``, ``connected`` or ``disconnected`` of this hub."""
        ...

    def wants_event(self, hub: str, name: str) -> bool:
        """Whether anybody handles this user event."""
        ...


class Upstream(Wants, Protocol):
    """Whoever answers the calls of an endpoint's hubs.

    A call may take up to the setting ``event_timeout``; calls for different members run at the same time. An exception
    is logged and counts as a refusal.
    """

    async def connect(self, request: ConnectRequest) -> Granted | Denied:
        """Decide about a CONNECT."""
        ...

    async def event(self, event: UserEvent) -> EventAnswer:
        """Answer a user event."""
        ...

    async def connected(self, notice: MemberConnected) -> None:
        """Be told of a new session."""
        ...

    async def disconnected(self, notice: MemberDisconnected) -> None:
        """Be told of the end of a session."""
        ...


class Nobody:
    """The upstream of a hub without event handlers: it wants nothing and so is never called."""

    def wants_system(self, hub: str, name: str) -> bool:  # noqa: ARG002 - the interface
        """No."""
        return False

    def wants_event(self, hub: str, name: str) -> bool:  # noqa: ARG002 - the interface
        """No."""
        return False
