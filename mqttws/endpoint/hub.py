"""One hub: clients that can reach each other, and nobody else. No I/O and no clock.

The owner calls :meth:`Hub.join` for each connection that the handshake let in, gives every event of the connection to
:meth:`Hub.handle`, comes back at :meth:`Hub.next_deadline`, and after each of these writes what the connections in
:meth:`Hub.touched` have to send and sees to :meth:`Hub.calls`. What REST and other protocols can do stands in
:mod:`mqttws.endpoint.directory`. A hub imitates what is documented of Azure Web PubSub; see
:mod:`mqttws.endpoint.service` for what is not, and for every limit.
"""

from __future__ import annotations

from collections.abc import Callable

from mqttws.codec import Connect, Disconnect, Publish, Subscribe, Unsubscribe
from mqttws.endpoint.admission import new_client_id
from mqttws.endpoint.directory import Directory
from mqttws.endpoint.handshake import Admission
from mqttws.endpoint.lifecycle import Lifecycle
from mqttws.endpoint.log import Log
from mqttws.endpoint.members import Counters, Visitor
from mqttws.endpoint.router import Router
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import ClientSession, Peer
from mqttws.endpoint.traffic import Traffic
from mqttws.endpoint.upstream import Call, Nobody, Wants
from mqttws.errors import MqttError
from mqttws.session import Closed, Connection, Delivered, Event, KeepAliveExpired
from mqttws.vocabulary import ReasonCode

__all__ = ["Hub"]


class Hub(Directory):
    """Sessions, subscriptions and messages of one hub.

    ``now`` is the owner's monotonic clock in seconds and never goes back. A fault of one connection ends that
    connection only; :meth:`handle` raises for bugs, never for what a peer has sent. ``wants`` knows which event
    handlers there are.
    """

    def __init__(
        self,
        name: str,
        service: Service | None = None,
        *,
        log: Log | None = None,
        counters: Counters | None = None,
        new_client_id: Callable[[], str] = new_client_id,
        wants: Wants | None = None,
    ) -> None:
        self.name = name
        self.service = service if service is not None else Service()
        self._log = log if log is not None else Log()
        router = Router(
            name,
            self.service,
            self._log,
            counters if counters is not None else Counters(),
            wants if wants is not None else Nobody(),
        )
        super().__init__(router, Lifecycle(router, new_client_id))
        self._traffic = Traffic(router)
        self._peers: dict[Peer, None] = {}

    @property
    def counters(self) -> Counters:
        """What has happened here (or at all hubs that share the counters)."""
        return self._router.counters

    @property
    def is_empty(self) -> bool:
        """Whether no connection and no session is left, so that the hub may be forgotten unless it :attr:`retains`."""
        return not self._peers and not self._router.members

    @property
    def retains(self) -> bool:
        """Whether messages wait for clients that subscribe later."""
        return len(self._router.retained) > 0

    def session(self, client_id: str) -> ClientSession | None:
        """The session of an MQTT client id, connected or not."""
        member = self.member(client_id)
        return member if isinstance(member, ClientSession) else None

    # -- connections ----------------------------------------------------------------------------------------------

    def join(self, connection: Connection, admission: Admission, address: str = "") -> Peer:
        """Take in a connection in the server's role that waits for CONNECT. ``address`` is for the log."""
        peer = Peer(admission, address, connection=connection)
        self._peers[peer] = None
        for warning in admission.warnings:
            self._log("Warning", warning, hub=self.name, address=address)
        return peer

    def handle(self, peer: Peer, event: Event, now: float) -> None:
        """Take in one event of a peer's connection. ``Closed`` is the last one: the peer is gone then.

        What comes while a user event of the peer waits for its answer is taken in after it, or before ``Closed``.
        """
        if peer.waiting is not None:
            if not isinstance(event, Closed):
                peer.waiting.append(event)
                return
            self._catch_up(peer, now, to_the_end=True)
        self._take(peer, event, now)

    def _catch_up(self, peer: Peer, now: float, *, to_the_end: bool) -> None:
        """Take in what has been waiting: up to the next user event, or all of it because the peer is gone."""
        queue, peer.waiting = peer.waiting, None
        while queue and (to_the_end or not peer.is_waiting):
            self._take(peer, queue.popleft(), now)
        peer.waiting = queue if peer.is_waiting and not to_the_end else None

    def _take(self, peer: Peer, event: Event, now: float) -> None:
        session = peer.session if isinstance(peer.session, ClientSession) else None
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
        self._send_on(peer, now)

    def _send_on(self, peer: Peer, now: float) -> None:
        """Send what the peer can take now, and end who cannot go on."""
        if isinstance(peer.session, ClientSession) and peer.session.backlog:
            self._router.drain(peer.session, now)
        self._settle(now)

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
            self._lifecycle.closed(peer.session, now, error)
            self._settle(now)

    def touched(self) -> list[Visitor]:
        """Whose connection has something to send since the last call."""
        visitors = list(self._router.touched)
        self._router.touched.clear()
        return visitors

    # -- event handlers -------------------------------------------------------------------------------------------

    def calls(self) -> list[Call]:
        """What event handlers are to be asked or told since the last call, in order."""
        calls, self._router.calls = self._router.calls, []
        return calls

    def wants_system(self, name: str) -> bool:
        """Whether an event handler takes ``connect``, ``connected`` or ``disconnected`` of this hub."""
        return self._router.wants.wants_system(self.name, name)

    def wants_event(self, name: str) -> bool:
        """Whether an event handler takes this user event."""
        return self._router.wants.wants_event(self.name, name)

    def ask(self, call: Call) -> None:
        """Have the owner make a call for a member of another protocol; its ``answer`` is called then."""
        self._router.calls.append(call)

    def answered(self, visitor: Visitor, now: float) -> None:
        """A call for this connection has been answered (``call.answer(…)``): go on with what has come behind it."""
        if not isinstance(visitor, Peer):
            return
        if visitor.waiting is not None:
            self._catch_up(visitor, now, to_the_end=False)
        self._send_on(visitor, now)

    # -- time -----------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float:
        """When to call :meth:`handle_deadline`; infinity if nothing waits."""
        return self._router.deadlines.next()

    def handle_deadline(self, now: float) -> None:
        """Publish delayed Wills, end expired sessions, let publishers go on that have waited long enough."""
        for session, clock in self._router.deadlines.due(now):
            self._lifecycle.handle_deadline(session, clock, now)
        self._settle(now)

    def shut_down(self, now: float) -> None:
        """Say goodbye to everyone: DISCONNECT 0x8B to 5.0 clients, and the end of the connection to all."""
        visitors = {member.peer: None for member in self._router.members.values() if member.peer is not None}
        for visitor in (*self._peers, *(visitor for visitor in visitors if visitor not in self._peers)):
            if visitor.session is not None:
                visitor.session.will = None  # nobody is left who could receive it
            visitor.dismiss(now, ReasonCode.SERVER_SHUTTING_DOWN)
            self._router.touched[visitor] = None
