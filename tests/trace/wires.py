"""Recorded wires for tests: two links that talk to each other while one end's recorder listens."""

from __future__ import annotations

import json
from typing import Any

from mqttws.codec import ConnAck, Connect, Packet, Publish, SubAck, Subscribe, Subscription, encode
from mqttws.link import Link, LinkEvent, Upgrade
from mqttws.session import Connection, Session
from mqttws.trace import Recorder, TracedConnection, read_trace
from mqttws.vocabulary import ProtocolVersion, QoS, Role
from tests.websocket.frames import BINARY, frame

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJjaGF0In0.c2lnbmF0dXJl"
PASSWORD = "correct horse battery"
DATA = b"challenge accepted"
TARGET = f"/clients/mqtt/hubs/chat?access_token={TOKEN}&x=1"
HEADERS = (("Authorization", "Bearer abcdefgh12345678"), ("X-Api-Key", "0123456789"), ("X-Plain", "seen"))
#: What must be in no trace.
SECRETS = (TOKEN, PASSWORD, DATA.decode(), "abcdefgh12345678", "0123456789")
WALL = 1_750_000_000.25
REQUEST = b"GET /mqtt HTTP/1.1\r\nHost: h\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
ASK = (
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)
#: The answer to that key, from RFC 6455, 1.3.
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


def connect(version: int = 5, **fields: Any) -> Connect:
    """A CONNECT with everything that is secret."""
    properties: Any = {}
    if version == 5:
        properties = {"authentication_method": "x", "authentication_data": DATA, "user_property": [("token", TOKEN)]}
    arguments: dict[str, Any] = {"client_id": "me", "username": "joe", "password": PASSWORD.encode()} | fields
    return Connect(ProtocolVersion(version), properties=properties, **arguments)


def binary(*packets: Packet | bytes, version: int = 5, masked: bool = True) -> bytes:
    """Packets in one binary message."""
    content = b"".join(item if isinstance(item, bytes) else encode(item, version) for item in packets)
    return frame(BINARY, content, masked=masked)


class Wire:
    """A client and a server, and a recorder at the end of ``role``; every step takes a second."""

    def __init__(self, role: Role, recorder: Recorder, version: int = 5) -> None:
        self.version = version
        self.role = role
        self.now = 100.0
        self.client = Link.client(
            Connection(Role.CLIENT, session=Session()), host="example.com", target=TARGET, headers=HEADERS
        )
        self.server = Link.server(Connection(Role.SERVER))
        self.recording = recorder.open(
            role, self.now, WALL, local="127.0.0.1:1111", peer="127.0.0.1:2222", url=f"ws://example.com{TARGET}"
        )
        self.client.start(self.now)
        self.server.start(self.now)

    def say(self, sender: Link, packet: Packet | None = None) -> list[LinkEvent]:
        """Let one end speak, and give what the other one hears."""
        self.now += 1
        if packet is not None:
            sender.send(packet, self.now)
        data = sender.data_to_send(self.now)
        receiver = self.server if sender is self.client else self.client
        goes_out = (sender is self.client) is (self.role is Role.CLIENT)
        (self.recording.sent if goes_out else self.recording.received)(data, self.now)
        receiver.receive_data(data, self.now)
        return receiver.events()

    def open(self) -> None:
        """As far as CONNACK."""
        assert isinstance(self.say(self.client)[0], Upgrade)
        self.server.accept(self.now)
        self.say(self.server)
        fields: dict[str, Any] = {"keep_alive": 60}
        if self.version == 5:
            packet = connect(5, **fields)
            del packet.properties["authentication_method"], packet.properties["authentication_data"]
        else:
            packet = connect(4, **fields)
        self.say(self.client, packet)
        self.server.connection.attach(Session())
        self.say(self.server, ConnAck())

    def talk(self) -> None:
        """SUBSCRIBE, and messages of all qualities of service there and back."""
        self.say(self.client, Subscribe(0, [Subscription("a", QoS.EXACTLY_ONCE)]))
        self.say(self.server, SubAck(1, [2]))
        for qos in QoS:
            for event in self.say(self.client, Publish("a", b"there", qos)):
                if qos:
                    assert isinstance(event, Publish)
                    self.server.acknowledge(event)
            for event in self.say(self.server, Publish("a", b"back", qos)):
                if qos and isinstance(event, Publish):
                    self.client.acknowledge(event)
            for _ in range(3):
                self.say(self.client)
                self.say(self.server)

    def close(self) -> None:
        """DISCONNECT, Close frames, and the end."""
        self.client.close(self.now)
        self.say(self.client)
        self.say(self.server)
        self.recording.event("eof" if self.role is Role.CLIENT else "close", self.now + 1)
        self.recording.event("close" if self.role is Role.CLIENT else "eof", self.now + 2)


def conversation(role: Role = Role.CLIENT, version: int = 5) -> list[str]:
    """The lines of a whole connection, recorded at that end."""
    lines: list[str] = []
    wire = Wire(role, Recorder(lines.append), version)
    wire.open()
    wire.talk()
    wire.close()
    return lines


def only(lines: list[str]) -> TracedConnection:
    """The one connection in these lines."""
    (connection,) = read_trace(lines)
    return connection


def traced(role: Role, *steps: tuple[str, bytes | str]) -> TracedConnection:
    """A connection out of bytes that are given: ``("in", …)``, ``("out", …)``, ``("event", name)``."""
    lines: list[str] = []
    recording = Recorder(lines.append).open(role, 0.0, WALL)
    for number, (what, content) in enumerate(steps, 1):
        if isinstance(content, str):
            recording.event(content, float(number))
        else:
            (recording.sent if what == "out" else recording.received)(content, float(number))
    recording.event("close", 99.0)
    return only(lines)


def bytes_of(lines: list[str], direction: str) -> bytes:
    """Everything that passed in a direction."""
    members = map(json.loads, lines)
    return b"".join(bytes.fromhex(member["hex"]) for member in members if member.get("direction") == direction)


def pieces(data: bytes, size: int) -> list[bytes]:
    """``data`` in portions."""
    return [data[start : start + size] for start in range(0, len(data), size)]
