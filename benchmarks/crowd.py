"""Many Clients in this process, cheap enough to be no part of the measurement: one loop, bytes made beforehand.

They speak MQTT 3.1.1, which every broker does, and know of it only how the answers look that they wait for. What a
Server may not do (an answer that is another one, an end) fails the contender.
"""

from __future__ import annotations

import selectors
import socket
import time
from typing import Final, Self

from benchmarks.processes import PATIENCE
from benchmarks.timing import ContenderFailed
from mqttws.codec import ConnAck, Connect, Packet, encode
from mqttws.vocabulary import ProtocolVersion
from mqttws.webpubsub import ClientAccessUrl
from mqttws.websocket import WebSocket

__all__ = ["Crowd"]

VERSION: Final = ProtocolVersion.V3_1_1
CONNACK: Final = encode(ConnAck(), VERSION)
KEEP_ALIVE: Final = 180
TRIES: Final = 5


class _Ended(ContenderFailed):
    """The server has ended a connection."""


class Crowd:
    """Clients of one Server, with Client Identifiers that begin with ``prefix``; closed when the block is left."""

    def __init__(self, url: str, prefix: str = "crowd") -> None:
        address = ClientAccessUrl.parse(url)
        self._address = (address.host, address.port)
        self._handshake = _handshake(address)
        self._prefix = prefix
        self._selector = selectors.DefaultSelector()
        self._members: list[_Member] = []
        #: How often a Client was turned away before its CONNACK and has tried again.
        self.again = 0

    def connect(self, count: int, at_once: int) -> list[float]:
        """Connect ``count`` more, ``at_once`` of them at the same time; seconds from CONNECT to CONNACK for each.

        Who is turned away tries again at once, together up to :data:`TRIES` times ``count``.
        """
        waits: list[float] = []
        begun = 0
        most = self.again + TRIES * count
        while len(waits) < count:
            while begun < count and begun - len(waits) < at_once:
                self._begin(_Member(f"{self._prefix}{len(self._members)}"))
                begun += 1
            for member in self._ready():
                try:
                    wait = self._greet(member)
                except _Ended:
                    if member.is_connected or self.again == most:
                        raise
                    self._begin_again(member)
                else:
                    waits += [wait] if wait is not None else []
        return waits

    def send(self, packet: Packet, times: int = 1) -> None:
        """Each sends a packet so often, in one write."""
        data = _masked(encode(packet, VERSION)) * times
        for member in self._members:
            member.send(data)

    def receive(self, expected: bytes) -> None:
        """Wait until each has received exactly these bytes of MQTT, however they were framed."""
        missing = set(self._members)
        while missing:
            for member in self._ready():
                member.receive()
                if len(member.received) < len(expected):
                    continue
                if member.received != expected:
                    raise ContenderFailed(f"sends {bytes(member.received[:20]).hex()}… instead of an answer")
                member.received.clear()
                missing.discard(member)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.socket.close()
        self._selector.close()

    def _begin(self, member: _Member) -> None:
        self._members.append(member)
        member.socket.connect_ex(self._address)
        self._selector.register(member.socket, selectors.EVENT_WRITE, member)

    def _begin_again(self, member: _Member) -> None:
        self._selector.unregister(member.socket)
        member.socket.close()
        self._members.remove(member)
        self._begin(_Member(member.client_id))
        self.again += 1

    def _greet(self, member: _Member) -> float | None:
        """The next step of a member: the handshake, CONNECT, or its end at CONNACK with what that took."""
        if not member.asked:
            member.asked = True
            self._selector.modify(member.socket, selectors.EVENT_READ, member)
            member.send(self._handshake)
            return None
        member.receive()
        if not member.greeted:
            if member.is_open:
                member.greeted = True
                member.since = time.perf_counter()
                member.send(_masked(encode(Connect(VERSION, member.client_id, True, KEEP_ALIVE))))
            return None
        if len(member.received) < len(CONNACK):
            return None
        if member.received != CONNACK:
            raise ContenderFailed(f"answers CONNECT with {member.received.hex()}")
        member.received.clear()
        member.is_connected = True
        return time.perf_counter() - member.since

    def _ready(self) -> list[_Member]:
        ready = self._selector.select(PATIENCE)
        if not ready:
            raise ContenderFailed(f"nothing has come for {PATIENCE:g} seconds")
        return [key.data for key, _ in ready]


class _Member:
    """One Client: its socket, what it has been through, and bytes of MQTT that nobody has looked at."""

    __slots__ = ("_held", "asked", "client_id", "greeted", "is_connected", "is_open", "received", "since", "socket")

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.asked = self.is_open = self.greeted = self.is_connected = False
        self.since = 0.0
        self.received = bytearray()
        self._held = b""

    def send(self, data: bytes) -> None:
        """Send less than a socket holds."""
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise _Ended(f"has ended a connection ({error.strerror})") from None

    def receive(self) -> None:
        """Take in what is there; the answer to the handshake opens it."""
        try:
            data = self.socket.recv(65_536)
        except OSError as error:
            raise _Ended(f"has ended a connection ({error.strerror})") from None
        if not data:
            raise _Ended("has ended a connection")
        self._held += data
        if self.is_open:
            self._unframe()
        elif (end := self._held.find(b"\r\n\r\n")) >= 0:
            if not self._held.startswith(b"HTTP/1.1 101 "):
                raise ContenderFailed(f"answers the handshake with {self._held[:12]!r}")
            self._held = self._held[end + 4 :]
            self.is_open = True

    def _unframe(self) -> None:
        """Move the payload of whole frames, and answer pings: a server ends who does not."""
        held, position = self._held, 0
        while len(held) - position >= 2:
            size, start = held[position + 1], position + 2
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(held[position + 2 : start], "big")
            if len(held) < start + size:
                break
            payload = held[start : start + size]
            if held[position] & 0x0F == 0x09:
                self.send(_masked(payload, 0x8A))
            elif held[position] & 0x08 == 0:
                self.received += payload
            position = start + size
        self._held = held[position:]


def _handshake(address: ClientAccessUrl) -> bytes:
    """The request of everybody."""
    client = WebSocket.client(host=address.authority, target=address.target, subprotocols=("mqtt",))
    return client.data_to_send()


def _masked(data: bytes, first: int = 0x82) -> bytes:
    """One frame of up to 64 KiB, by default a binary message; a mask of zeros is one, too."""
    size = bytes((0x80 | len(data),)) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return bytes((first,)) + size + bytes(4) + data
