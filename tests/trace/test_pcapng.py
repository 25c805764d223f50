"""Capture files, taken apart by the book: blocks, Ethernet, IP and TCP with their checksums, and what is in them."""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

import pytest

from mqttws.codec import Publish, encode
from mqttws.trace import TracedConnection, pcapng
from mqttws.trace.pcapng import LAYERS, Layer
from mqttws.vocabulary import Role
from tests.trace.wires import REQUEST, SWITCH, WALL, binary, bytes_of, conversation, only, traced

FIN, SYN, RST, ACK = 1, 2, 4, 16


@dataclass
class Segment:
    """What a frame carries."""

    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    sequence: int
    acknowledged: int
    flags: int
    data: bytes
    comment: str


def blocks(file: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 0
    while position < len(file):
        kind, length = struct.unpack_from("<II", file, position)
        assert length % 4 == 0
        assert struct.unpack_from("<I", file, position + length - 4) == (length,)
        found.append((kind, file[position + 8 : position + length - 4]))
        position += length
    return found


def options(data: bytes) -> dict[int, bytes]:
    found, position = {}, 0
    while position < len(data):
        code, length = struct.unpack_from("<HH", data, position)
        found[code] = data[position + 4 : position + 4 + length]
        position += 4 + length + -length % 4
    assert position == len(data)
    return found


def summed(data: bytes) -> int:
    """RFC 1071, word by word; 0xFFFF over data that holds its own checksum."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def segment(body: bytes) -> Segment:
    interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
    assert (interface, captured) == (0, original)
    frame = body[20 : 20 + captured]
    said = options(body[20 + captured + -captured % 4 :])
    if frame[12:14] == b"\x08\x00":
        assert summed(frame[14:34]) == 0xFFFF
        assert struct.unpack_from("!H", frame, 16) == (len(frame) - 14,)
        addresses, tcp = (frame[26:30], frame[30:34]), frame[34:]
    else:
        assert frame[12:14] == b"\x86\xdd"
        assert struct.unpack_from("!H", frame, 18) == (len(frame) - 54,)
        addresses, tcp = (frame[22:38], frame[38:54]), frame[54:]
    assert summed(b"".join(addresses) + struct.pack("!II", len(tcp), 6) + tcp) == 0xFFFF
    source, target, sequence, acknowledged, size, flags = struct.unpack_from("!HHIIBB", tcp)
    names = [str(ipaddress.ip_address(address)) for address in addresses]
    return Segment(
        ((high << 32) + low) / 1e9, (names[0], source), (names[1], target), sequence, acknowledged, flags,
        tcp[size >> 2 :], said.get(1, b"").decode(),
    )  # fmt: skip


def segments(*connections: TracedConnection, layers: tuple[Layer, ...] = ("websocket",)) -> list[Segment]:
    head, interface, *packets = blocks(b"".join(pcapng(connections, layers=layers)))
    assert head[0] == 0x0A0D0D0A
    assert struct.unpack_from("<IHHq", head[1]) == (0x1A2B3C4D, 1, 0, -1)
    assert options(head[1][16:]) == {4: b"mqttws", 0: b""}
    assert interface == (1, interface[1])
    assert struct.unpack_from("<HHI", interface[1]) == (1, 0, 0)
    assert options(interface[1][8:]) == {2: b"mqttws trace", 9: b"\x09", 0: b""}
    assert {kind for kind, _ in packets} <= {6}
    return [segment(body) for _, body in packets]


def said(found: list[Segment], port: int) -> bytes:
    """What one end has sent, put together by its sequence numbers."""
    mine = [item for item in found if item.source[1] == port]
    (begin,) = (item.sequence for item in mine if item.flags & SYN)
    whole = b""
    for item in mine:
        if item.data:
            assert item.sequence == begin + 1 + len(whole)
            whole += item.data
    return whole


@pytest.mark.parametrize("role", list(Role))
def test_the_wire_as_it_was_is_one_conversation(role: Role) -> None:
    lines = conversation(role)
    found = segments(only(lines))
    client, server = ("127.0.0.1", 49152), ("127.0.0.1", 80)
    assert {(item.source, item.target) for item in found} == {(client, server), (server, client)}
    assert [item.flags for item in found[:3]] == [SYN, SYN | ACK, ACK]
    ours, theirs = (49152, 80) if role is Role.CLIENT else (80, 49152)
    assert said(found, ours) == bytes_of(lines, "out")
    assert said(found, theirs) == bytes_of(lines, "in")
    assert [item.flags & FIN for item in found[-2:]] == [FIN, FIN]
    assert found[-1].acknowledged == found[-2].sequence + 1
    assert found[0].time == pytest.approx(WALL, abs=1e-6)
    way = "to" if role is Role.CLIENT else "from"
    assert found[0].comment == (
        f"connection 1, websocket, recorded by the {role.value} at 127.0.0.1:1111 {way} 127.0.0.1:2222"
        " for ws://example.com/clients/mqtt/hubs/chat?access_token=[redacted]&x=1"
    )


def test_the_packets_alone_are_a_conversation_at_the_port_of_mqtt() -> None:
    hello = encode(Publish("a", b"hello"))
    steps = (("out", REQUEST), ("in", SWITCH), ("out", binary(hello[:4])), ("out", binary(hello[4:] + hello)))
    cut = traced(Role.CLIENT, *steps, ("out", binary(hello[:5])))
    found = segments(cut, layers=("mqtt",))
    assert said(found, 49152) == hello + hello + hello[:5]
    assert {item.target[1] for item in found if item.source[1] == 49152} == {1883}
    both = segments(cut, layers=LAYERS)
    assert [item.time for item in both] == sorted(item.time for item in both)
    assert len(both) == len(found) + len(segments(cut))


def test_long_chunks_are_several_segments() -> None:
    wire = binary(Publish("a", bytes(100_000)))
    found = segments(traced(Role.SERVER, ("in", REQUEST), ("in", wire)))
    assert said(found, 49152) == REQUEST + wire
    assert max(len(item.data) for item in found) == 32_768


@pytest.mark.parametrize(
    ("local", "peer", "shown"),
    [
        ("10.0.0.1:5", "10.0.0.2:6", {"10.0.0.1", "10.0.0.2"}),
        ("[::1]:5", "[fe80::1%lo]:6", {"::1", "fe80::1"}),
        ("[::1]:5", "10.0.0.2:6", {"192.0.2.1", "192.0.2.2"}),
        ("", "", {"192.0.2.1", "192.0.2.2"}),
    ],
)
def test_addresses_are_those_of_the_sockets_or_made_up(local: str, peer: str, shown: set[str]) -> None:
    connection = traced(Role.CLIENT, ("out", REQUEST))
    connection.local, connection.peer = local, peer
    assert {item.source[0] for item in segments(connection)} == shown


@pytest.mark.parametrize(
    ("happenings", "flags"),
    [
        (("reset", "eof"), [RST]),
        (("eof", "eof"), [FIN, FIN]),
        (("hiccup",), [FIN]),
    ],
)
def test_every_end_is_told_once(happenings: tuple[str, ...], flags: list[int]) -> None:
    found = segments(traced(Role.CLIENT, ("out", REQUEST), *(("event", name) for name in happenings)))
    assert [item.flags & (FIN | RST) for item in found if item.flags & (FIN | RST)] == flags


def test_every_connection_has_a_port_of_its_own() -> None:
    one, other = traced(Role.CLIENT, ("out", REQUEST)), traced(Role.SERVER, ("in", REQUEST))
    ports = {item.source[1] for item in segments(one, other)} - {80}
    assert ports == {49152, 49153}
