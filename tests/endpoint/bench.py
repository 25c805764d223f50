"""A hub with clients around it, without sockets or a clock: connections in the client's role, wired to the hub's."""

from __future__ import annotations

import itertools
from typing import Any, TypeVar

from mqttws.codec import ConnAck, Connect, Packet, Publish, SubAck, Subscribe, Subscription, Will
from mqttws.endpoint import Admission, Counters, Hub, Log, Service
from mqttws.session import Closed, Connection, Event, Session
from mqttws.vocabulary import QOS, ProtocolVersion, Role
from mqttws.webpubsub import Grants, Roles

__all__ = ["Q0", "Q1", "Q2", "Bench", "Client"]

#: QoS 0, 1 and 2.
Q0, Q1, Q2 = QOS

EventT = TypeVar("EventT")


class Bench:
    """One hub at a time that only moves when told to. Bytes flow in :meth:`settle`."""

    def __init__(self, **settings: Any) -> None:
        self.now = 100.0
        self.lines: list[str] = []
        self.log = Log(self.lines.append)
        self.counters = Counters()
        self.service = Service(**settings)
        ids = (f"assigned{number}" for number in itertools.count())
        self.hub = Hub(
            "chat",
            self.service,
            log=self.log,
            counters=self.counters,
            new_client_id=lambda: next(ids),
        )
        self.clients: list[Client] = []

    def client(
        self,
        client_id: str = "c1",
        *,
        version: int = 5,
        clean: bool = True,
        keep_alive: int = 60,
        will: Will | None = None,
        properties: dict[str, Any] | None = None,
        roles: tuple[str, ...] | None = None,
        user_id: str | None = None,
        groups: tuple[str, ...] = (),
        session: Session | None = None,
        acknowledges: bool = True,
        warnings: tuple[str, ...] = (),
    ) -> Client:
        """A client whose CONNECT has been answered, whatever the answer."""
        granted = Roles.everything() if roles is None else roles
        admission = Admission("chat", user_id, Grants.from_roles(granted), groups, warnings)
        client = Client(self, admission, session, acknowledges)
        given: Any = properties or {}
        client.connection.send(
            Connect(ProtocolVersion(version), client_id, clean, keep_alive, None, None, will, given), self.now
        )
        self.settle()
        return client

    def settle(self) -> None:
        """Move bytes and events until nothing moves any more."""
        moved = True
        while moved:
            moved = False
            for client in self.clients:
                moved |= client.pump()
            self.hub.touched()

    def pass_time(self, seconds: float) -> None:
        """Let time go by, stopping at each deadline of the hub and of the connections."""
        end = self.now + seconds
        while True:
            deadlines = [client.server.next_deadline() for client in self.clients] + [self.hub.next_deadline()]
            self.now = min(end, *deadlines)
            self.hub.handle_deadline(self.now)
            for client in self.clients:
                client.server.handle_deadline(self.now)
            self.settle()
            if self.now >= end:
                return


class Client:
    """One client: its end, the hub's end, and everything that has happened at its own."""

    def __init__(self, bench: Bench, admission: Admission, session: Session | None, acknowledges: bool) -> None:
        self.bench = bench
        self.acknowledges = acknowledges
        self.connection = Connection(Role.CLIENT, session=session)
        self.server = Connection(Role.SERVER, maximum_packet_size=bench.service.maximum_packet_size)
        self.server.start(bench.now)
        self.peer = bench.hub.join(self.server, admission, f"192.0.2.1:{1000 + len(bench.clients)}")
        self.seen: list[Event] = []
        self.reads = True
        self.cut = False
        bench.clients.append(self)

    def pump(self) -> bool:
        """Move what there is to move in both directions; whether there was anything."""
        now = self.bench.now
        moved = False
        if not self.cut:
            if data := self.connection.data_to_send(now):
                self.server.receive_data(data, now)
                moved = True
            if self.reads and (data := self.server.data_to_send(now)):
                self.connection.receive_data(data, now)
                moved = True
            if self.server.closed and self.reads and not self.connection.closed:
                self.connection.receive_eof(now)
        for event in self.server.events():
            self.bench.hub.handle(self.peer, event, now)
            moved = True
        for event in self.connection.events():
            self.seen.append(event)
            if isinstance(event, Publish) and self.acknowledges:
                self.connection.acknowledge(event)
            moved = True
        return moved

    def send(self, *packets: Packet) -> None:
        """Send packets in one go and let the bench settle."""
        for packet in packets:
            self.connection.send(packet, self.bench.now)
        self.bench.settle()

    def send_raw(self, data: bytes) -> None:
        """Send bytes that a Connection would not send."""
        self.server.receive_data(data, self.bench.now)
        self.bench.settle()

    def subscribe(self, *topics: str, qos: int = 1, **properties: Any) -> list[int]:
        """Subscribe; the codes of the SUBACK."""
        subscriptions = [Subscription(topic, QOS[qos]) for topic in topics]
        given: Any = properties
        self.send(Subscribe(0, subscriptions, given))
        return self.last(SubAck).reason_codes

    def vanish(self) -> None:
        """The wire breaks: neither end hears of the other again."""
        self.cut = True
        self.server.receive_eof(self.bench.now)
        self.connection.receive_eof(self.bench.now)
        self.bench.settle()

    def all(self, kind: type[EventT]) -> list[EventT]:
        """Everything of one kind that has happened at this client."""
        return [event for event in self.seen if isinstance(event, kind)]

    def last(self, kind: type[EventT]) -> EventT:
        """The latest of one kind."""
        return self.all(kind)[-1]

    @property
    def connack(self) -> ConnAck:
        """The answer to its CONNECT."""
        return self.last(ConnAck)

    @property
    def received(self) -> list[tuple[str, bytes, int]]:
        """Topic, payload and QoS of every message."""
        return [(publish.topic, publish.payload, int(publish.qos)) for publish in self.all(Publish)]

    @property
    def ended(self) -> bool:
        """Whether its connection is over."""
        return bool(self.all(Closed))
