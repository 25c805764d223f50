"""A client's Session over several connections without I/O: what a test needs to cut, resume and lose it."""

from __future__ import annotations

from typing import Any

from mqttws.codec import (
    ConnAck,
    Connect,
    Framer,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    Subscribe,
    Unsubscribe,
    encode,
)
from mqttws.session import Connection, Delivered, Event, Session, SessionStarted
from mqttws.vocabulary import ProtocolVersion, Role


class Line:
    """One connection after the other on one Session; the test plays the Server."""

    def __init__(self, version: int = 5) -> None:
        self.version = version
        self.session = Session()
        self.connection = Connection(Role.CLIENT, session=self.session)
        self._framer = Framer(version, sender=Role.CLIENT)

    def connect(self, *, present: bool = False, **properties: Any) -> tuple[Publish, ...]:
        """A new connection, with CONNACK; what was lost with the old Session."""
        self.connection = Connection(Role.CLIENT, session=self.session)
        self._framer = Framer(self.version, sender=Role.CLIENT)
        version = ProtocolVersion(self.version)
        self.connection.send(Connect(version=version, client_id="c", clean_start=False), 0)
        self.connection.data_to_send(0)
        said: Any = properties
        connack = ConnAck(present, properties=said)
        return next((e.lost for e in self.receive(connack) if isinstance(e, SessionStarted)), ())

    def cut(self) -> None:
        """The wire breaks."""
        self.connection.receive_eof(0)

    def receive(self, *packets: Packet) -> list[Event]:
        """The Server says something."""
        for packet in packets:
            self.connection.receive_data(encode(packet, self.version), 0)
        return self.connection.events()

    def acknowledge(self, publish: Publish, reason_code: int = 0) -> Delivered:
        """The Server ends an exchange, at QoS 2 in two steps."""
        assert publish.packet_id is not None
        answer: Packet = PubAck(publish.packet_id, reason_code)
        if publish.qos == 2:
            self.receive(PubRec(publish.packet_id))
            answer = PubComp(publish.packet_id)
        (event,) = self.receive(answer)
        assert isinstance(event, Delivered)
        return event

    def sent(self) -> list[Packet]:
        """What the client has sent since the last call."""
        self._framer.receive_data(self.connection.data_to_send(0))
        return list(self._framer.packets())

    def published(self) -> list[Publish]:
        """The messages among it."""
        return [packet for packet in self.sent() if isinstance(packet, Publish)]

    def requests(self) -> list[Subscribe | Unsubscribe]:
        """The requests among it."""
        return [packet for packet in self.sent() if isinstance(packet, Subscribe | Unsubscribe)]
