"""Links wired back to back, for the tests of whole wires."""

from __future__ import annotations

import pytest

from mqttws.codec import ConnAck, Connect
from mqttws.errors import MqttError
from mqttws.link import Link, LinkEvent, Opened, Upgrade
from mqttws.session import Closed, Connection, Session, SessionStarted
from mqttws.vocabulary import ProtocolVersion, Role

TARGET = "/clients/mqtt/hubs/chat?access_token=TOKENTOKEN.%2Bsecret"
VERSIONS = pytest.mark.parametrize("version", list(ProtocolVersion), ids=["3.1.1", "5.0"])
ROLES = pytest.mark.parametrize("client", [True, False], ids=["client", "server"])


def client_link(version: ProtocolVersion = ProtocolVersion.V5, /, **options: object) -> Link:
    arguments: dict[str, object] = {"host": "example.com", "target": TARGET} | options
    return Link.client(Connection(Role.CLIENT, version), **arguments)  # type: ignore[arg-type]  # a test's own options


def server_link(**options: object) -> Link:
    return Link.server(Connection(Role.SERVER), **options)  # type: ignore[arg-type]  # a test's own options


class Pair:
    """A client's and a server's link whose bytes reach each other in portions of ``size``; it answers nothing."""

    def __init__(self, client: Link, server: Link, size: int = 1 << 20) -> None:
        self.client, self.server, self.size = client, server, size
        self.happened: dict[Link, list[LinkEvent]] = {client: [], server: []}
        self.now = 100.0
        client.start(self.now)
        server.start(self.now)

    def run(self) -> None:
        """Let bytes flow until both ends are silent."""
        while self._carry(self.client, self.server) + self._carry(self.server, self.client):
            pass

    def _carry(self, sender: Link, receiver: Link) -> int:
        data = sender.data_to_send(self.now)
        for start in range(0, len(data), self.size):
            receiver.receive_data(data[start : start + self.size], self.now)
        self.happened[receiver] += receiver.events()
        return len(data)

    def take(self, link: Link) -> list[LinkEvent]:
        """What has happened at one end since the last call."""
        self.happened[link] += link.events()
        events, self.happened[link] = self.happened[link], []
        return events


def opened(
    version: ProtocolVersion = ProtocolVersion.V5, size: int = 1 << 20, *, keep_alive: int = 60, **options: object
) -> Pair:
    """A pair behind CONNACK, with nothing left to report."""
    pair = Pair(client_link(version, **options), server_link(**options), size)
    pair.client.send(Connect(version=version, client_id="me", keep_alive=keep_alive), pair.now)
    pair.run()
    assert isinstance(pair.take(pair.server)[0], Upgrade)
    pair.server.accept(pair.now)
    pair.run()
    assert isinstance(pair.take(pair.server)[1], Connect)
    pair.server.connection.attach(Session())
    pair.server.send(ConnAck(), pair.now)
    pair.run()
    assert [type(event) for event in pair.take(pair.client)] == [Opened, ConnAck, SessionStarted]
    assert pair.take(pair.server) == []
    return pair


def only_closed(events: list[LinkEvent]) -> MqttError | None:
    """The error of the one event that there should be."""
    (closed,) = events
    assert isinstance(closed, Closed)
    return closed.error


def ended(events: list[LinkEvent]) -> MqttError | None:
    """The error of the one Closed that there should be, behind all else."""
    assert sum(isinstance(event, Closed) for event in events) == 1
    return only_closed(events[-1:])


def is_closed(link: Link) -> bool:
    """``link.closed``, asked anew each time (a type checker takes a property for a constant)."""
    return link.closed


def end_of(pair: Pair, client: bool) -> tuple[Link, Link]:
    """This end and the other one."""
    return (pair.client, pair.server) if client else (pair.server, pair.client)
