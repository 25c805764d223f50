"""Two connections wired back to back, a Client and a Server, with a wire that can be looked at and cut."""

from __future__ import annotations

from typing import Any

from mqttws.codec import ConnAck, Connect, Packet, Publish
from mqttws.session import Connection, Event, Session
from mqttws.vocabulary import Role


class Pair:
    """A Client and a Server; time stands still unless a test moves ``now``."""

    def __init__(
        self, *, client_session: Session | None = None, server_session: Session | None = None, **client: Any
    ) -> None:
        self.now = 0.0
        self.client = Connection(Role.CLIENT, session=client_session, **client)
        self.server = Connection(Role.SERVER)
        self.server_session = server_session
        self.events: dict[Role, list[Event]] = {Role.CLIENT: [], Role.SERVER: []}
        self.client.start(self.now)
        self.server.start(self.now)

    def connect(
        self, connect: Connect | None = None, connack: ConnAck | None = None, *, session_present: bool = False
    ) -> Pair:
        """CONNECT and CONNACK, both ways; the events so far are thrown away."""
        self.client.send(connect or Connect(client_id="c"), self.now)
        self.run()
        if self.server_session is not None:
            self.server.attach(self.server_session)
        self.server.send(connack or ConnAck(session_present), self.now)
        self.run()
        self.client_events()
        self.server_events()
        return self

    def run(self) -> None:
        """Carry bytes to and fro until both ends are quiet, which they are after a few turns."""
        for _ in range(1000):
            to_server = self.client.data_to_send(self.now)
            if to_server:
                self.server.receive_data(to_server, self.now)
            to_client = self.server.data_to_send(self.now)
            if to_client:
                self.client.receive_data(to_client, self.now)
            self.events[Role.CLIENT] += self.client.events()
            self.events[Role.SERVER] += self.server.events()
            if not to_server and not to_client:
                return
        raise AssertionError("the two ends never fall silent")

    def send(self, packet: Packet, sender: Role = Role.CLIENT) -> Packet:
        """Send from one end, and carry bytes until both are quiet."""
        end = self.client if sender is Role.CLIENT else self.server
        sent = end.send(packet, self.now)
        self.run()
        return sent

    def client_events(self) -> list[Event]:
        """What the Client has been told since the last call."""
        return self._drain(Role.CLIENT)

    def server_events(self) -> list[Event]:
        """What the Server has been told since the last call."""
        return self._drain(Role.SERVER)

    def _drain(self, role: Role) -> list[Event]:
        happened = self.events[role].copy()
        self.events[role].clear()
        return happened

    def acknowledge(self, publish: Publish, reason_code: int = 0, *, by: Role = Role.SERVER) -> None:
        """One end is done with a message; carry bytes until both are quiet."""
        end = self.client if by is Role.CLIENT else self.server
        end.acknowledge(publish, reason_code)
        self.run()


def publishes(events: list[Event]) -> list[Publish]:
    """The messages among events."""
    return [event for event in events if isinstance(event, Publish)]
