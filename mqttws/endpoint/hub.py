"""One hub: clients that can reach each other, and nobody else. No I/O and no clock.

The owner calls :meth:`Hub.join` for each connection that the handshake let in, gives every event of the connection to
:meth:`Hub.handle`, comes back at :meth:`Hub.next_deadline`, and after each of these writes what the connections in
:meth:`Hub.touched` have to send. It imitates what is documented of Azure Web PubSub; see
:mod:`mqttws.endpoint.service` for what is not, and for every limit.
"""

from __future__ import annotations

from collections.abc import Callable

from mqttws.codec import Connect, Disconnect, Publish, Subscribe, Unsubscribe
from mqttws.endpoint.admission import new_client_id
from mqttws.endpoint.handshake import Admission
from mqttws.endpoint.lifecycle import Lifecycle
from mqttws.endpoint.log import Log
from mqttws.endpoint.router import Router
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import ClientSession, Counters, Peer
from mqttws.endpoint.traffic import Traffic
from mqttws.errors import MqttError
from mqttws.session import Closed, Connection, Delivered, Event, KeepAliveExpired
from mqttws.vocabulary import ReasonCode

__all__ = ["Hub"]


class Hub:
    """Sessions, subscriptions and messages of one hub.

    ``now`` is the owner's monotonic clock in seconds and never goes back. A fault of one connection ends that
    connection only; :meth:`handle` raises for bugs, never for what a peer has sent.
    """

    def __init__(
        self,
        name: str,
        service: Service | None = None,
        *,
        log: Log | None = None,
        counters: Counters | None = None,
        new_client_id: Callable[[], str] = new_client_id,
    ) -> None:
        self.name = name
        self.service = service if service is not None else Service()
        self._log = log if log is not None else Log()
        self._router = Router(name, self.service, self._log, counters if counters is not None else Counters())
        self._lifecycle = Lifecycle(self._router, new_client_id)
        self._traffic = Traffic(self._router)
        self._peers: dict[Peer, None] = {}

    @property
    def counters(self) -> Counters:
        """What has happened here (or at all hubs that share the counters)."""
        return self._router.counters

    @property
    def is_empty(self) -> bool:
        """Whether no connection and no session is left, so that the hub may be forgotten."""
        return not self._peers and not self._router.sessions

    def session(self, client_id: str) -> ClientSession | None:
        """The session of a client id, connected or not."""
        return self._router.sessions.get(client_id)

    # -- connections ----------------------------------------------------------------------------------------------

    def join(self, connection: Connection, admission: Admission, address: str = "") -> Peer:
        """Take in a connection in the server's role that waits for CONNECT. ``address`` is for the log."""
        peer = Peer(connection, admission, address)
        self._peers[peer] = None
        for warning in admission.warnings:
            self._log("Warning", warning, hub=self.name, address=address)
        return peer

    def handle(self, peer: Peer, event: Event, now: float) -> None:
        """Take in one event of a peer's connection. ``Closed`` is the last one: the peer is gone then."""
        session = peer.session
        if isinstance(event, Closed):
            self.leave(peer, now, event.error)
        elif isinstance(event, Delivered):
            if session is not None:
                session.delivered(event.publish)
        elif peer.dismissed:
            return
        elif isinstance(event, Connect):
            if peer.connection.closed:
                return  # a broken frame stood right behind it: too late for an answer
            self._lifecycle.connect(peer, event, now)
        elif session is not None:
            self._handle_open(peer, session, event, now)
        if peer.session is not None and peer.session.backlog:
            self._router.drain(peer.session, now)
        if self._router.overflowed:
            self._end_overflowed(now)

    def _handle_open(self, peer: Peer, session: ClientSession, event: Event, now: float) -> None:
        if isinstance(event, Publish):
            self._traffic.publish(peer, session, event, now)
        elif isinstance(event, Subscribe):
            self._traffic.subscribe(peer, session, event, now)
        elif isinstance(event, Unsubscribe):
            self._traffic.unsubscribe(peer, session, event, now)
        elif isinstance(event, Disconnect):
            self._lifecycle.disconnect(session, event)
        elif isinstance(event, KeepAliveExpired):
            self._log(
                "SessionNotice",
                # The service's own words (seen by testers).
                "An mqtt session is ended. Reason: No packet has been received for 1.5 times the Keepalive time.",
                hub=self.name, client_id=peer.client_id, address=peer.address,
            )  # fmt: skip

    def leave(self, peer: Peer, now: float, error: MqttError | None = None) -> None:
        """A peer's connection is over; ``error`` says why unless it was orderly. The second call does nothing."""
        if peer not in self._peers:
            return
        del self._peers[peer]
        self._log(
            "ConnectionEnded" if error is None else "ConnectionAborted",
            "" if error is None else str(error),
            hub=self.name, client_id=peer.client_id, address=peer.address,
        )  # fmt: skip
        if peer.session is not None:
            self._lifecycle.closed(peer.session, now)
            self._end_overflowed(now)

    def _end_overflowed(self, now: float) -> None:
        """End the sessions whose queue is full. Their Wills may fill the next queue; each session ends once."""
        overflowed = self._router.overflowed
        while overflowed:
            self._lifecycle.overflow(next(iter(overflowed)), now)

    def touched(self) -> list[Peer]:
        """The peers whose connection has something to send since the last call."""
        peers = list(self._router.touched)
        self._router.touched.clear()
        return peers

    # -- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When to call :meth:`handle_deadline`; infinity if nothing waits."""
        return self._router.deadlines.next()

    def handle_deadline(self, now: float) -> None:
        """Publish delayed Wills, end expired sessions, let publishers go on that have waited long enough."""
        for session, clock in self._router.deadlines.due(now):
            self._lifecycle.handle_deadline(session, clock, now)
        self._end_overflowed(now)

    def shut_down(self, now: float) -> None:
        """Say goodbye to everyone: DISCONNECT 0x8B to 5.0 clients, and the end of the connection to all."""
        for peer in self._peers:
            if peer.session is not None:
                peer.session.will = None  # nobody is left who could receive it
            peer.dismiss(now, ReasonCode.SERVER_SHUTTING_DOWN)
            self._router.touched[peer] = None
