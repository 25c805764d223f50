"""Hubs behind one door: from a byte stream to a peer in its hub (trio).

Everything about sockets and start-up is in :mod:`mqttws.endpoint.server`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable
from typing import Final

import trio

from mqttws.endpoint.calls import Reply, ask, failure
from mqttws.endpoint.handshake import Door, Refusal
from mqttws.endpoint.hub import Hub
from mqttws.endpoint.log import Log
from mqttws.endpoint.members import Counters, Visitor
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import Peer
from mqttws.endpoint.upstream import Call, MemberConnected, MemberDisconnected, Upstream
from mqttws.endpoint.visit import HttpHandler, Speaker, Visit, no_http
from mqttws.http import Limits
from mqttws.link import Link, Upgrade
from mqttws.redaction import redact
from mqttws.session import Connection
from mqttws.trace import Recorder
from mqttws.transport import Pump
from mqttws.transport.tap import tap
from mqttws.vocabulary import Role
from mqttws.webpubsub import ConnectionString, client_access_url

__all__ = ["Endpoint"]

#: Hubs without clients that are kept for their retained messages; clients may bring any number of hubs.
_KEPT_HUBS: Final = 16


class Endpoint:
    """A running endpoint; :func:`~mqttws.endpoint.open_endpoint` makes one.

    ``port`` is where it listens, ``connections`` counts what happens at all hubs, ``service`` holds the settings. It
    imitates the documented behaviour of Azure Web PubSub for MQTT and is no statement about the rest.
    """

    def __init__(
        self,
        connection_string: ConnectionString,
        port: int,
        *,
        keys: tuple[str, ...],
        hubs: Collection[str] | None,
        service: Service,
        log: Log,
    ) -> None:
        self.port = port
        self.service = service
        self.connections = Counters()
        self.log = log
        #: Byte streams being served, those before and in the handshake included.
        self.sockets = 0
        self._connection_string = connection_string
        #: Records the bytes of the connections that come from now on.
        self.recorder: Recorder | None = None
        #: Judges handshakes, and tokens for other paths.
        self.door = Door(service, connection_string.endpoint, keys, hubs)
        #: The access keys in use, the primary one first.
        self.keys = keys
        #: Answers the hubs' calls; None where there are no event handlers.
        self.upstream: Upstream | None = None
        #: Answers plain HTTP requests.
        self.http: HttpHandler = no_http(service)
        #: Protocols besides MQTT on WebSockets.
        self.speakers: list[Speaker] = []
        #: Where tasks live that belong to no connection, once the endpoint runs.
        self.nursery: trio.Nursery | None = None
        self._hubs: dict[str, Hub] = {}
        self._visits: dict[Visitor, Visit] = {}
        self._calls: set[Call] = set()
        self._answered = trio.Event()
        self._timer = trio.CancelScope()
        self._sooner = trio.Event()
        self._empty = trio.Event()

    def __repr__(self) -> str:
        return f"<Endpoint {self.address}, {self.connections.open} connections>"

    @property
    def address(self) -> str:
        """``http(s)://host:port``, as it stands in the audience of a token."""
        return self._connection_string.endpoint

    @property
    def connection_string(self) -> str:
        """``Endpoint=…;AccessKey=…;Version=1.0;``, **with the access key**."""
        return self._connection_string.text

    def client_access_url(
        self,
        hub: str,
        *,
        user_id: str | None = None,
        roles: Iterable[str] = (),
        groups: Iterable[str] = (),
        lifetime: float = 3600,
    ) -> str:
        """A URL **with a token** for one hub. Without ``roles`` the client may neither publish nor subscribe.

        ``groups`` are topics it is subscribed to from the start, ``lifetime`` the token's seconds.
        """
        return client_access_url(
            self._connection_string, hub, user_id=user_id, roles=roles, groups=groups, lifetime=lifetime
        )

    def hub(self, name: str) -> Hub | None:
        """A hub that has a connection, a session or retained messages now, else None."""
        return self._hubs.get(name)

    def open_hub(self, name: str) -> Hub:
        """The hub of that name, made if need be. The caller has checked the name, and has somebody join it or calls
        :meth:`forget_if_empty`.
        """
        hub = self._hubs.get(name)
        if hub is None:
            hub = self._hubs[name] = Hub(
                name, self.service, log=self.log, counters=self.connections, wants=self.upstream
            )
        return hub

    # -- one connection -------------------------------------------------------------------------------------------

    async def serve(self, stream: trio.abc.Stream, address: str = "") -> None:
        """Serve one client on any byte stream until its connection is over; the stream is closed then.

        Whatever the client does, and whatever bug it finds in here, ends this connection only. ``address`` is for the
        log.
        """
        service = self.service
        connection = Connection(
            Role.SERVER, maximum_packet_size=service.maximum_packet_size, connect_timeout=service.connect_timeout
        )
        link = Link.server(
            connection,
            handshake_timeout=service.handshake_timeout,
            close_timeout=service.close_timeout,
            maximum_message_size=service.maximum_packet_size,
            plain=Limits(body=service.maximum_packet_size),
        )
        pump = Pump(
            tap(stream, self.recorder, Role.SERVER),
            link,
            high_water=service.send_buffer_bytes + service.maximum_packet_size,
            send_timeout=service.send_timeout,
            close_timeout=service.close_timeout,
        )
        visit: Visit | None = None
        self.sockets += 1
        try:
            link.start(trio.current_time())
            async with trio.open_nursery() as nursery:
                visit = Visit(self, pump, address, nursery)
                nursery.start_soon(pump.write)
                while events := await pump.receive():
                    visit.handle(events, trio.current_time())
                await visit.settled()
                nursery.cancel_scope.cancel()  # nobody is left to read the answer to a plain request
        except Exception as error:  # noqa: BLE001 - a bug that one client has found must not end the others
            self.log("ConnectionAborted", f"internal error: {redact(repr(error))}", address=address)
        finally:
            self.sockets -= 1
            if visit is not None:
                visit.leave(trio.current_time())

    def admit(self, upgrade: Upgrade, visit: Visit) -> tuple[Hub, Peer] | Refusal:
        """Judge a handshake; who passes is a peer of its hub from now on."""
        verdict = self.door.judge(
            upgrade.path,
            upgrade.query,
            upgrade.headers,
            upgrade.subprotocols,
            connections=self.connections.open,
            now=time.time(),
        )
        if isinstance(verdict, Refusal):
            return verdict
        hub = self.open_hub(verdict.hub)
        peer = hub.join(visit.pump.link.connection, verdict, visit.address)
        self.register(peer, visit)
        return hub, peer

    def register(self, visitor: Visitor, visit: Visit) -> None:
        """A connection was let in: it counts, and gets what its hub has for it."""
        self._visits[visitor] = visit
        self.connections.open += 1
        self.connections.accepted += 1

    def release(self, hub: Hub, visitor: Visitor, now: float) -> None:
        """A registered connection is over; its hub hears of an MQTT peer's if it has not yet."""
        if isinstance(visitor, Peer):
            hub.leave(visitor, now)
        del self._visits[visitor]
        self.connections.open -= 1
        self.flush(hub)
        self.forget_if_empty(hub)
        if not self._visits:
            self._empty.set()

    def forget_if_empty(self, hub: Hub) -> None:
        """Forget a hub that nobody is left in; one that retains messages only when too many such are kept."""
        if not hub.is_empty or self._hubs.get(hub.name) is not hub:
            return
        del self._hubs[hub.name]
        if hub.retains:
            self._hubs[hub.name] = hub
            kept = [each.name for each in self._hubs.values() if each.is_empty and each.retains]
            if len(kept) > _KEPT_HUBS:
                del self._hubs[kept[0]]

    def flush(self, hub: Hub) -> None:
        """Let the connections of a hub send what it has for them, each in one write, and see to its calls.

        Wakes the timekeeper if the hub's next deadline is nearer than the one it waits for.
        """
        for call in hub.calls():
            self._begin_call(hub, call)
        for visitor in hub.touched():
            visit = self._visits.get(visitor)
            if visit is None:
                continue
            if visitor.dismissed:
                # The hub has ended the connection inside; the wire outside begins its farewell, and its clock, now.
                visit.pump.link.close(trio.current_time())
            visit.pump.flush()
        if hub.next_deadline() < self._timer.deadline:
            self._sooner.set()

    # -- event handlers -------------------------------------------------------------------------------------------

    def _begin_call(self, hub: Hub, call: Call) -> None:
        """Have the upstream answer in a task of its own; beyond ``call_limit`` the answer is no.

        Never at once: what comes behind the answer may be the next call, and the next, as deep as the client likes.
        """
        assert self.nursery is not None  # hubs have connections only while the endpoint runs
        if len(self._calls) >= self.service.call_limit:
            self.log("EventHandlerFailed", "too many calls are under way", hub=hub.name)
            self.nursery.start_soon(self._deny, hub, call)
        else:
            self._calls.add(call)
            self.nursery.start_soon(self._call, hub, call)

    async def _deny(self, hub: Hub, call: Call) -> None:
        await trio.lowlevel.checkpoint()
        self._answer(hub, call, failure(call, 503))

    async def _call(self, hub: Hub, call: Call) -> None:
        assert self.upstream is not None  # it wanted the call
        try:
            reply = await ask(self.upstream, call, self.service, self.log)
        finally:
            self._calls.discard(call)
            self._answered.set()
        self._answer(hub, call, reply)

    def _answer(self, hub: Hub, call: Call, reply: Reply | None) -> None:
        if reply is None:
            return
        now = trio.current_time()
        visit = self._visits.get(call.visitor)
        try:
            reply(now)
            if visit is not None:
                visit.answered(now)
        except Exception as error:  # noqa: BLE001 - a bug that one client has found must not end the others
            self.log("ConnectionAborted", f"internal error: {redact(repr(error))}", hub=hub.name)
            if visit is not None:
                visit.abort(now)
        self.flush(hub)

    # -- all connections ------------------------------------------------------------------------------------------

    async def keep_time(self) -> None:
        """Bring the hubs' deadlines to them, for ever."""
        while True:
            self._sooner = trio.Event()
            deadline = min((hub.next_deadline() for hub in self._hubs.values()), default=math.inf)
            with trio.CancelScope(deadline=deadline) as self._timer:
                await self._sooner.wait()
            now = trio.current_time()
            for hub in tuple(self._hubs.values()):
                if hub.next_deadline() <= now:
                    hub.handle_deadline(now)
                    self.flush(hub)
                    self.forget_if_empty(hub)

    async def shut_down(self) -> None:
        """Say goodbye to all clients, and wait until they are gone and event handlers have been told.

        That takes ``shutdown_timeout`` seconds at most.
        """
        now = trio.current_time()
        for hub in tuple(self._hubs.values()):
            hub.shut_down(now)
            self.flush(hub)
        for visit in tuple(self._visits.values()):  # those whose handshake waits for an event handler are in no hub
            visit.pump.link.close(now)
            visit.pump.flush()
        with trio.CancelScope(deadline=now + self.service.shutdown_timeout, shield=True):
            if self._visits:
                self._empty = trio.Event()
                await self._empty.wait()
            while any(isinstance(call, MemberConnected | MemberDisconnected) for call in self._calls):
                self._answered = trio.Event()
                await self._answered.wait()
