"""A trace as a capture file: bytes in Ethernet, IP and TCP that never were, so that Wireshark takes them apart.

What was recorded lies inside TLS, if there was any, and nobody saw the packets below. So those are made up: TCP
connections without loss, with the recorded times. Each wire is there twice. As it was, at port 80, Wireshark reads HTTP
and WebSocket, but MQTT inside only if told so by one line of Lua (:data:`LUA`). Without its wrapping, at port 1883, it
reads MQTT as it comes. The real ports are not used, since by those Wireshark might take the bytes for something else;
the comment of the first packet tells where the connection was. What a ring has let go is left out as if it had never
been sent.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator
from typing import Final, Literal, TypeAlias

from mqttws.trace.reading import Chunk, TracedConnection, Ways
from mqttws.trace.recorder import Direction
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import Role

__all__ = ["LAYERS", "LUA", "Layer", "pcapng"]

#: What a conversation holds: the wire as it was, or the Control Packets alone.
Layer: TypeAlias = Literal["websocket", "mqtt"]
LAYERS: Final[tuple[Layer, ...]] = ("websocket", "mqtt")
#: A script that lets Wireshark (``-X lua_script:…``) read MQTT inside WebSocket.
LUA: Final = 'DissectorTable.get("ws.protocol"):add("mqtt", Dissector.get("mqtt"))'

_SECTION_HEADER, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ETHERNET: Final = 1
_COMMENT, _NAME, _APPLICATION, _RESOLUTION = 1, 2, 4, 9
_NANOSECONDS: Final = 9
_FIN, _SYN, _RST, _PSH, _ACK = 1, 2, 4, 8, 16
#: Bytes of a segment's payload: a whole packet is below the 64 KiB that IP can tell.
_LARGEST_SEGMENT: Final = 32_768
#: By these Wireshark knows what is spoken.
_SERVER_PORTS: Final[dict[Layer, int]] = {"websocket": 80, "mqtt": 1883}
#: Units that are a stream of Control Packets when joined.
_MQTT: Final = frozenset((Kind.PACKET, Kind.PART, Kind.UNKNOWN))
_FIRST_CLIENT_PORT: Final = 49_152
_MACS: Final = {Role.CLIENT: bytes.fromhex("020000000001"), Role.SERVER: bytes.fromhex("020000000002")}
#: For wires that had no addresses (RFC 5737).
_NOWHERE: Final = {Role.CLIENT: "192.0.2.1", Role.SERVER: "192.0.2.2"}

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def pcapng(connections: Iterable[TracedConnection], *, layers: Iterable[Layer] = LAYERS) -> Iterator[bytes]:
    """The blocks of a pcapng file, one after the other; packets are in order of time."""
    application = _option(_APPLICATION, b"mqttws") + _option(0, b"")
    yield _block(_SECTION_HEADER, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + application)
    options = _option(_NAME, b"mqttws trace") + _option(_RESOLUTION, bytes((_NANOSECONDS,))) + _option(0, b"")
    yield _block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0) + options)
    chosen = tuple(layers)
    packets = [
        packet
        for index, connection in enumerate(connections)
        for layer in chosen
        for packet in _Conversation(connection, index, layer).packets()
    ]
    packets.sort(key=lambda packet: packet[0])
    for time, frame, comment in packets:
        yield _packet(time, frame, comment)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _packet(time: float, frame: bytes, comment: str) -> bytes:
    nanoseconds = round(time * 1_000_000) * 1000  # what is recorded has no more digits
    high, low = nanoseconds >> 32, nanoseconds & 0xFFFF_FFFF
    options = _option(_COMMENT, comment.encode()) + _option(0, b"") if comment else b""
    return _block(_PACKET, struct.pack("<IIIII", 0, high, low, len(frame), len(frame)) + _padded(frame) + options)


class _Conversation:
    """One TCP connection, made up around what was recorded."""

    def __init__(self, connection: TracedConnection, index: int, layer: Layer) -> None:
        self._connection = connection
        self._layer = layer
        self._addresses = _addresses(connection)
        port = _FIRST_CLIENT_PORT + index % (65_536 - _FIRST_CLIENT_PORT)
        self._ports = {Role.CLIENT: port, Role.SERVER: _SERVER_PORTS[layer]}
        self._sequence = {Role.CLIENT: 1_000, Role.SERVER: 2_000}
        self._finished: set[Role] = set()
        self._datagram = 0

    def packets(self) -> Iterator[tuple[float, bytes, str]]:
        """Time on the calendar, frame and comment of each packet."""
        traced = self._connection
        places = {"at": traced.local, "to" if traced.role is Role.CLIENT else "from": traced.peer, "for": traced.url}
        where = "".join(f" {word} {place}" for word, place in places.items() if place)
        opened = traced.wall + traced.opened
        comment = f"connection {traced.number}, {self._layer}, recorded by the {traced.role.value}{where}"
        yield opened, self._frame(Role.CLIENT, _SYN), comment
        yield opened, self._frame(Role.SERVER, _SYN | _ACK), ""
        yield opened, self._frame(Role.CLIENT, _ACK), ""
        ways = Ways()
        for entry in traced.entries:
            time = traced.wall + entry.time
            if isinstance(entry, Chunk):
                data, units = ways.take(entry)
                yield from self._said(time, entry.direction, self._content(data, units))
                continue
            if entry.name in ("close", "reset"):
                for direction, unit in ways.end():
                    yield from self._said(time, direction, self._content(b"", [unit]))
            yield from self._ended(time, entry.name)

    def _content(self, data: bytes, units: list[Unit]) -> bytes:
        """What of a chunk belongs into this conversation."""
        if self._layer == "websocket":
            return data
        return b"".join(unit.data for unit in units if unit.kind in _MQTT)

    def _said(self, time: float, direction: Direction, data: bytes) -> Iterator[tuple[float, bytes, str]]:
        sender = self._connection.sender(direction)
        for start in range(0, len(data), _LARGEST_SEGMENT):
            yield time, self._frame(sender, _PSH | _ACK, data[start : start + _LARGEST_SEGMENT]), ""

    def _ended(self, time: float, name: str) -> Iterator[tuple[float, bytes, str]]:
        """A FIN once from either end, or a RST that leaves nothing more to say."""
        way: Direction = "out" if name == "close" else "in"
        sender = self._connection.sender(way)
        if name not in ("eof", "close", "reset") or sender in self._finished or len(self._finished) == 2:
            return
        if name == "reset":
            self._finished |= set(Role)
        self._finished.add(sender)
        yield time, self._frame(sender, _RST | _ACK if name == "reset" else _FIN | _ACK), ""

    def _frame(self, sender: Role, flags: int, data: bytes = b"") -> bytes:
        receiver = sender.peer
        acknowledged = self._sequence[receiver] if flags & _ACK else 0
        header = struct.pack(
            "!HHIIBBHHH", self._ports[sender], self._ports[receiver], self._sequence[sender] & 0xFFFF_FFFF,
            acknowledged & 0xFFFF_FFFF, 5 << 4, flags, 65_535, 0, 0,
        )  # fmt: skip
        self._sequence[sender] += len(data) + (1 if flags & (_SYN | _FIN) else 0)
        source, target = self._addresses[sender], self._addresses[receiver]
        pseudo = source.packed + target.packed + struct.pack("!II", len(header) + len(data), 6)
        checksum = _checksum(pseudo + header + data)
        segment = header[:16] + struct.pack("!H", checksum) + header[18:] + data
        self._datagram = (self._datagram + 1) & 0xFFFF
        kind, datagram = _internet(source, target, self._datagram, segment)
        return _MACS[receiver] + _MACS[sender] + struct.pack("!H", kind) + datagram


def _internet(source: _Address, target: _Address, number: int, segment: bytes) -> tuple[int, bytes]:
    """EtherType and datagram."""
    if source.version == 6:
        return 0x86DD, struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + source.packed + target.packed + segment
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), number, 0x4000, 64, 6, 0)
    header += source.packed + target.packed
    return 0x0800, header[:10] + struct.pack("!H", _checksum(header)) + header[12:] + segment


def _checksum(data: bytes) -> int:
    """The sum of 16-bit words that IP and TCP protect themselves with (RFC 1071)."""
    # A number in base 65536 leaves the same rest by 65535 as the sum of its digits.
    rest = int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - rest


def _addresses(connection: TracedConnection) -> dict[Role, _Address]:
    """Those of the recorded sockets if both are of one kind, else two that lead nowhere."""
    local, peer = _address(connection.local), _address(connection.peer)
    if local is None or peer is None or local.version != peer.version:
        return {role: ipaddress.ip_address(text) for role, text in _NOWHERE.items()}
    return {connection.role: local, connection.role.peer: peer}


def _address(text: str) -> _Address | None:
    """The address in ``address:port``."""
    try:
        return ipaddress.ip_address(text.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return None
