"""What a hub knows of a client, whatever it speaks: :class:`Member`, and :class:`Visitor` for its network connection.

In Web PubSub's words a member is a *connection*, its client id the *connection id*: an MQTT session that may outlive
its network connection, or a native client. :mod:`mqttws.endpoint.sessions` has those of MQTT.
"""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from mqttws.codec import Will
from mqttws.endpoint.handshake import Admission
from mqttws.endpoint.subscriber import Subscriber
from mqttws.vocabulary import ReasonCode
from mqttws.webpubsub import Grants

if TYPE_CHECKING:
    from mqttws.endpoint.messages import Message
    from mqttws.endpoint.service import Service

__all__ = ["REASON_LIMIT", "Counters", "Ending", "Member", "Visitor", "new_id"]

#: Characters of a Reason String that quotes what the peer has sent.
REASON_LIMIT: Final = 500


def new_id() -> str:
    """An id for a session or a network connection, as event handlers see it; it cannot be guessed."""
    return secrets.token_hex(16)


@dataclass(slots=True)
class Counters:
    """What an endpoint has seen. ``open`` is a number of connections now, the others only grow.

    ``dropped`` counts deliveries that did not take place: QoS 0 for an offline or slow client, packets larger than the
    client takes.
    """

    open: int = 0
    accepted: int = 0
    refused: int = 0
    sessions_started: int = 0
    sessions_resumed: int = 0
    sessions_ended: int = 0
    published: int = 0
    delivered: int = 0
    dropped: int = 0


@dataclass(slots=True, eq=False)
class Visitor(ABC):
    """One network connection that the handshake has let in.

    ``session`` is None before it has become a member and after the end. ``dismissed`` says that the hub has ended the
    connection, so that whatever it still brings counts for nothing; what a client sent before *its* end counts.
    ``connection_id`` is the service's *physical connection id*, ``subprotocol`` the one of the WebSocket.
    """

    admission: Admission
    address: str = ""
    session: Member | None = None
    client_id: str | None = None
    dismissed: bool = False
    connection_id: str = field(default_factory=new_id)
    subprotocol: str | None = "mqtt"

    @abstractmethod
    def dismiss(self, now: float, code: ReasonCode, text: str = "") -> None:
        """End the connection, with a reason in its protocol's words; set :attr:`dismissed`. The owner flushes."""


@dataclass(slots=True)
class Ending:
    """How a member's last network connection has ended; the ``disconnected`` event tells it.

    ``code`` and ``user_properties`` are those of a DISCONNECT: the client's if ``by_client``, else ours; ``code`` is
    None if nobody sent one.
    """

    reason: str | None = None
    by_client: bool = False
    code: int | None = None
    user_properties: Sequence[tuple[str, str]] | None = None


@dataclass(slots=True, eq=False)
class Member(ABC):
    """One connection in the service's sense, from its beginning until it is forgotten.

    ``expiry`` is how many seconds it outlives its network connection ``peer``; ``last_peer`` is the one it had last,
    ``ending`` how that ended. User id and grants are those with which it began. ``state`` is what event handlers have
    stored with it (``ce-connectionState``), ``events`` how many they have been told of; ``announced`` says that it has
    really begun, so that its end is worth telling. ``will`` is only an MQTT client's.
    """

    client_id: str
    user_id: str | None
    grants: Grants
    service: Service
    counters: Counters
    peer: Visitor | None = None
    last_peer: Visitor | None = None
    expiry: int = 0
    will: Will | None = None
    subscriptions: dict[str, Subscriber] = field(default_factory=dict)
    session_id: str = field(default_factory=new_id)
    state: str | None = None
    events: int = 0
    announced: bool = False
    ending: Ending | None = None

    @abstractmethod
    def offer(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Send or queue a message; False if that cannot be done and the member has to end. The owner flushes."""

    @abstractmethod
    def forget(self, topic: str) -> None:
        """Drop what waits on a topic whose subscription has ended."""

    def crowded(self, now: float) -> bool:  # noqa: ARG002 - the interface
        """Whether publishers should wait for this member now."""
        return False
