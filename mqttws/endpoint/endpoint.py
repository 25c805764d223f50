"""Hubs behind one door: from a byte stream to a peer in its hub (trio).

Everything about sockets and start-up is in :mod:`mqttws.endpoint.server`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterable

import trio

from mqttws.endpoint.handshake import Door, Refusal
from mqttws.endpoint.hub import Hub
from mqttws.endpoint.log import Log
from mqttws.endpoint.service import Service
from mqttws.endpoint.sessions import Counters, Peer
from mqttws.link import Link, LinkEvent, Opened, Upgrade
from mqttws.session import Closed, Connection
from mqttws.trace import Recorder
from mqttws.transport import Pump
from mqttws.transport.tap import tap
from mqttws.vocabulary import Role
from mqttws.webpubsub import ConnectionString, client_access_url

__all__ = ["Endpoint"]


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
        self._door = Door(service, connection_string.endpoint, keys, hubs)
        self._hubs: dict[str, Hub] = {}
        self._pumps: dict[Peer, Pump] = {}
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
        """A hub that has a connection or a session now, else None."""
        return self._hubs.get(name)

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
        )
        pump = Pump(
            tap(stream, self.recorder, Role.SERVER),
            link,
            high_water=service.send_buffer_bytes + service.maximum_packet_size,
            send_timeout=service.send_timeout,
            close_timeout=service.close_timeout,
        )
        visit = _Visit(self, pump, address)
        self.sockets += 1
        try:
            link.start(trio.current_time())
            async with trio.open_nursery() as nursery:
                nursery.start_soon(pump.write)
                while events := await pump.receive():
                    visit.handle(events, trio.current_time())
        except Exception as error:  # noqa: BLE001 - a bug that one client has found must not end the others
            self.log("ConnectionAborted", f"internal error: {error!r}", address=address)
        finally:
            self.sockets -= 1
            visit.leave(trio.current_time())

    def admit(self, upgrade: Upgrade, pump: Pump, address: str) -> tuple[Hub, Peer] | Refusal:
        """Judge a handshake; who passes is a peer of its hub from now on."""
        verdict = self._door.judge(
            upgrade.path,
            upgrade.query,
            upgrade.headers,
            upgrade.subprotocols,
            connections=self.connections.open,
            now=time.time(),
        )
        if isinstance(verdict, Refusal):
            return verdict
        hub = self._hubs.get(verdict.hub)
        if hub is None:
            hub = self._hubs[verdict.hub] = Hub(verdict.hub, self.service, log=self.log, counters=self.connections)
        peer = hub.join(pump.link.connection, verdict, address)
        self._pumps[peer] = pump
        self.connections.open += 1
        self.connections.accepted += 1
        return hub, peer

    def release(self, hub: Hub, peer: Peer, now: float) -> None:
        """A peer's connection is over; its hub hears of it if it has not yet."""
        hub.leave(peer, now)
        del self._pumps[peer]
        self.connections.open -= 1
        self.flush(hub)
        self._forget_if_empty(hub)
        if not self._pumps:
            self._empty.set()

    def _forget_if_empty(self, hub: Hub) -> None:
        if hub.is_empty and self._hubs.get(hub.name) is hub:
            del self._hubs[hub.name]

    def flush(self, hub: Hub) -> None:
        """Let the connections of a hub send what it has for them, each in one write.

        Wakes the timekeeper if the hub's next deadline is nearer than the one it waits for.
        """
        for peer in hub.touched():
            pump = self._pumps.get(peer)
            if pump is None:
                continue
            if peer.dismissed:
                # The hub has ended the connection inside; the wire outside begins its farewell, and its clock, now.
                pump.link.close(trio.current_time())
            pump.flush()
        if hub.next_deadline() < self._timer.deadline:
            self._sooner.set()

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
                    self._forget_if_empty(hub)

    async def shut_down(self) -> None:
        """Say goodbye to all clients; wait until they are gone, for at most ``shutdown_timeout`` seconds."""
        now = trio.current_time()
        for hub in tuple(self._hubs.values()):
            hub.shut_down(now)
            self.flush(hub)
        if self._pumps:
            self._empty = trio.Event()
            with trio.CancelScope(deadline=now + self.service.shutdown_timeout, shield=True):
                await self._empty.wait()


class _Visit:
    """One connection's way through the endpoint: the handshake, then its hub."""

    __slots__ = ("_address", "_endpoint", "_place", "_pump")

    def __init__(self, endpoint: Endpoint, pump: Pump, address: str) -> None:
        self._endpoint = endpoint
        self._pump = pump
        self._address = address
        self._place: tuple[Hub, Peer] | None = None

    def handle(self, events: list[LinkEvent], now: float) -> None:
        """Take in what has happened, all of it before anything is sent."""
        for event in events:
            if isinstance(event, Upgrade):
                self._knock(event, now)
            elif self._place is not None:
                if not isinstance(event, Opened):
                    hub, peer = self._place
                    hub.handle(peer, event, now)
            elif isinstance(event, Closed) and event.error is not None:
                self._refused(str(event.error))
        if self._place is not None:
            self._endpoint.flush(self._place[0])

    def _knock(self, upgrade: Upgrade, now: float) -> None:
        verdict = self._endpoint.admit(upgrade, self._pump, self._address)
        if isinstance(verdict, Refusal):
            self._refused(verdict.text, verdict.status)
            self._pump.link.reject(now, verdict.status, verdict.all_headers, verdict.body)
        else:
            self._place = verdict
            self._pump.link.accept(now)
        self._pump.flush()

    def _refused(self, text: str, status: int | None = None) -> None:
        self._endpoint.connections.refused += 1
        self._endpoint.log("HandshakeRefused", text, status=status, address=self._address)

    def leave(self, now: float) -> None:
        """The connection is over, however it came to that."""
        if self._place is not None:
            self._endpoint.release(*self._place, now)
