"""Packets out of the contents of messages: their places, their version, and what is too long or no packet."""

from __future__ import annotations

from mqttws.codec import PingReq, Publish, encode
from mqttws.trace.packet_stream import PacketStream
from mqttws.trace.units import Kind, Span, Unit
from mqttws.vocabulary import ProtocolVersion
from tests.trace.wires import connect

HELLO = encode(Publish("a", b"hello"))
KEY = b"abcd"


def fed(stream: PacketStream, *contents: bytes) -> list[Unit]:
    """Each content is that of a masked frame with a header of six bytes."""
    units: list[Unit] = []
    offset = 0
    for content in contents:
        units += stream.feed(content, Span(offset + 6, len(content), KEY))
        offset += 6 + len(content)
    return units


def test_a_packet_over_several_frames_knows_all_its_places() -> None:
    (first, second) = fed(PacketStream(ProtocolVersion.V5, 100), HELLO[:3], HELLO[3:] + encode(PingReq()))
    assert first == Unit(Kind.PACKET, HELLO, [Span(6, 3, KEY), Span(15, len(HELLO) - 3, KEY)], 0x30)
    turned = KEY[(len(HELLO) - 3) % 4 :] + KEY[: (len(HELLO) - 3) % 4]
    assert second == Unit(Kind.PACKET, encode(PingReq()), [Span(15 + len(HELLO) - 3, 2, turned)], 0xC0)


def test_connect_sets_the_version_of_itself_and_of_what_follows() -> None:
    stream = PacketStream(ProtocolVersion.V5, 1000)
    units = fed(stream, encode(connect(4), 4) + HELLO)
    assert [unit.version for unit in units] == [4, 4]
    assert stream.version is ProtocolVersion.V3_1_1
    assert [unit.version for unit in fed(stream, encode(connect(5)))] == [5]
    long = PacketStream(ProtocolVersion.V5, 20)
    assert {(unit.kind, unit.version) for unit in fed(long, encode(connect(4), 4)[:-1], b"y")} == {(Kind.PART, 4)}


def test_what_is_held_has_a_beginning_and_an_end() -> None:
    stream = PacketStream(ProtocolVersion.V5, 100)
    assert (stream.began, stream.in_step) == (None, True)
    assert fed(stream, HELLO[:4]) == []
    began = stream.began
    assert began == 6
    (cut,) = stream.end()
    assert (cut.data, cut.finished) == (HELLO[:4], False)
    assert stream.end() == []


def test_behind_what_is_no_packet_everything_is_unknown() -> None:
    stream = PacketStream(ProtocolVersion.V5, 100)
    units = fed(stream, b"\x30\xff\xff\xff\xff", HELLO)
    assert [(unit.kind, unit.first) for unit in units] == [(Kind.UNKNOWN, 0x30), (Kind.UNKNOWN, 0x30)]
    in_step = stream.in_step
    assert not in_step
