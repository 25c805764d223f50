"""The state machine as a target: one end of a connection, and whatever the other one sends."""

from __future__ import annotations

import math
from typing import Final

from mqttws.codec import ConnAck, Connect, Framer, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, encode
from mqttws.codec.properties import ConnAckProperties
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    LocalProtocolError,
    RemoteProtocolError,
    ServerDisconnected,
)
from mqttws.fuzz.sources import BytesSource
from mqttws.fuzz.targets.packets import pieces_of
from mqttws.session import Closed, Connection, Event, Session
from mqttws.vocabulary import ProtocolVersion, QoS, Role

__all__ = ["connection_client", "connection_server"]

_ENDINGS: Final = {
    Role.CLIENT: (ConnectionLost, RemoteProtocolError, ConnectRefused, ServerDisconnected),
    Role.SERVER: (ConnectionLost, RemoteProtocolError),
}
#: How many bytes may leave for what came in: PINGRESP for PINGREQ is as much, a farewell names the rule it is about.
_RATIO: Final = 8
_FAREWELL: Final = 4_096


class _Watched:
    """A connection whose promises are checked at each step. ``owner`` answers and acknowledges, or does nothing."""

    def __init__(self, role: Role, version: int, *, owner: bool, opened: bool) -> None:
        self.end = Connection(role, session=Session(), maximum_packet_size=65_536)
        self.role = role
        self.owner = owner
        self.events: list[Event] = []
        self.received = self.sent = 0
        self.framer: Framer | None = None
        self.output: list[bytes] = []
        self.end.start(0.0)
        connect = Connect(
            ProtocolVersion(version), "c", keep_alive=10, properties={"topic_alias_maximum": 3} if version == 5 else {}
        )
        if role is Role.CLIENT:
            self.end.send(connect, 0.0)
            if opened:
                self.feed(encode(ConnAck(), version))
        elif opened:
            self.feed(encode(connect))
            if not self.owner:
                self.end.send(ConnAck(), 0.0)
        if opened:
            self.end.send(Publish("a", b"1", QoS.AT_LEAST_ONCE, packet_id=1), 0.0)
            self.end.send(Publish("a", b"2", QoS.EXACTLY_ONCE, packet_id=2), 0.0)
        self.drain()

    def feed(self, data: bytes) -> None:
        """Bytes of the peer's."""
        self.received += len(data)
        self.end.receive_data(data, 1.0)
        self.drain()

    def drain(self) -> None:
        """Take events and bytes, and hold them against what was promised."""
        happened = self.end.events()
        if self.owner:
            for event in happened:
                self.act(event)
            happened += self.end.events()  # acting may have ended the connection
        if happened:
            self.check_events(happened)
        data = self.end.data_to_send(1.0)
        if data:
            self.output.append(data)
            self.sent += len(data)
            assert self.sent <= _RATIO * self.received + _FAREWELL, "more goes out than came in"
            if self.framer is None:
                self.framer = self.reader(data)
            self.framer.receive_data(data)
            list(self.framer.packets())  # raises for what a strict peer would refuse
        assert self.end.bytes_pending == 0, "bytes held back"

    def reader(self, data: bytes) -> Framer:
        """What a strict peer reads our first bytes with. A CONNECT says its version, a CONNACK of 3.1.1 has two bytes.

        A Server answers in the version of the CONNECT that came, or that could not be read.
        """
        if self.role is Role.CLIENT:
            return Framer(None, sender=self.role)
        return Framer(4 if data.startswith(b"\x20\x02") else 5, sender=self.role)

    def check_events(self, happened: list[Event]) -> None:
        """Closed is the last event, and comes once; what a Session holds is bounded."""
        assert not self.events or not isinstance(self.events[-1], Closed), "an event behind Closed"
        self.events += happened
        assert not any(isinstance(event, Closed) for event in happened[:-1]), "an event behind Closed"
        closed = happened[-1]
        assert isinstance(closed, Closed) == self.end.closed, "closed without Closed, or the other way round"
        if isinstance(closed, Closed):
            assert closed.error is None or isinstance(closed.error, _ENDINGS[self.role])
            assert self.end.next_deadline() == math.inf
        session = self.end.session
        assert len(session.incoming) <= 65_535
        assert len(session.outgoing) <= 2 + self.received

    def act(self, event: Event) -> None:
        """What an owner does."""
        end = self.end
        try:
            if isinstance(event, Publish):
                end.acknowledge(event)
            elif isinstance(event, Connect):
                end.send(ConnAck(properties={} if event.client_id or event.version == 4 else _ASSIGNED), 1.0)
            elif isinstance(event, Subscribe):
                end.send(SubAck(event.packet_id, [0] * len(event.subscriptions)), 1.0)
            elif isinstance(event, Unsubscribe):
                codes = [0] * len(event.topic_filters) if end.version == ProtocolVersion.V5 else []
                end.send(UnsubAck(event.packet_id, codes), 1.0)
        except LocalProtocolError:
            pass  # the peer has left, asked for a method that we do not have, or takes no packet of that size

    def finish(self) -> None:
        """Time passes, and then the wire ends."""
        for _ in range(3):
            deadline = self.end.next_deadline()
            if deadline < math.inf:
                self.end.handle_deadline(deadline)
            self.received += 100  # pings are ours to send
            self.drain()
        self.end.receive_eof(1_000.0)
        self.drain()
        assert self.end.closed, "not closed at the end"
        self.end.receive_data(b"\xc0\0", 1_000.0)
        assert self.end.events() == [], "an event behind Closed"


_ASSIGNED: Final[ConnAckProperties] = {"assigned_client_identifier": "assigned"}


def _connection(role: Role, data: bytes) -> None:
    source = BytesSource(data)
    version = source.choice((5, 4))
    opened = source.boolean()
    owner = source.boolean()
    cut = BytesSource(source.block(1))
    stream = source.rest()
    in_pieces = _Watched(role, version, owner=owner, opened=opened)
    for piece in pieces_of(cut, stream):
        in_pieces.feed(piece)
    if not owner:
        whole = _Watched(role, version, owner=False, opened=opened)
        whole.feed(stream)
        assert repr(whole.events) == repr(in_pieces.events), "other events in pieces"
        assert b"".join(whole.output) == b"".join(in_pieces.output), "other answers in pieces"
    in_pieces.finish()


def connection_client(data: bytes) -> None:
    """A client-role ``Connection``, new or open with messages under way, takes any bytes from its Server.

    The first bytes choose version, state, whether the owner answers, and pieces; the rest comes from the peer.
    """
    _connection(Role.CLIENT, data)


def connection_server(data: bytes) -> None:
    """A server-role ``Connection``, new or open with messages under way, takes any bytes from its Client.

    The first bytes choose version, state, whether the owner answers, and pieces; the rest comes from the peer.
    """
    _connection(Role.SERVER, data)
