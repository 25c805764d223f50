"""A Client on a plain blocking socket, for the other side of a measurement: it costs little and hides nothing."""

from __future__ import annotations

import select
import socket
import time
from typing import Self

from mqttws.codec import ConnAck, Connect, Packet
from mqttws.link import Link, LinkEvent
from mqttws.session import Closed, Connection
from mqttws.vocabulary import ProtocolVersion, Role
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["Wire"]


class Wire:
    """An open connection of MQTT 5.0: made when CONNACK has come."""

    def __init__(self, url: str, client_id: str, *, keep_alive: int = 0) -> None:
        address = ClientAccessUrl.parse(url)
        self.connection = Connection(Role.CLIENT)
        self.link = Link.client(self.connection, host=address.authority, target=address.target)
        self.socket = socket.create_connection((address.host, address.port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.link.start(time.monotonic())
            self.send(Connect(ProtocolVersion.V5, client_id, True, keep_alive))
            while not any(isinstance(event, ConnAck) for event in self.receive()):
                pass
        except BaseException:
            self.socket.close()
            raise

    def send(self, *packets: Packet) -> None:
        """Send packets in one write."""
        now = time.monotonic()
        for packet in packets:
            self.link.send(packet, now)
        self.flush()

    def flush(self) -> None:
        """Send what is due."""
        if data := self.link.data_to_send(time.monotonic()):
            self.socket.sendall(data)

    def receive(self) -> list[LinkEvent]:
        """Wait for bytes, answer what needs an answer, and say what has happened."""
        self.link.receive_data(self.socket.recv(65_536), time.monotonic())
        events = self.link.events()
        if events and isinstance(last := events[-1], Closed):
            raise last.error or RuntimeError("the connection has ended")
        self.flush()
        return events

    def readable(self, others: list[int], timeout: float) -> list[int]:
        """The file descriptors with something to read, ours among them."""
        ready, _, _ = select.select([self.socket.fileno(), *others], [], [], timeout)
        return ready

    def close(self) -> None:
        """Say goodbye."""
        with self.socket:
            self.link.close(time.monotonic())
            self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
