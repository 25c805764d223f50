"""Bytes that claim to be a packet, and how much of them is held against the rules."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqttws.codec import (
    Checks,
    Connect,
    Framer,
    MalformedPacket,
    Packet,
    PubAck,
    Publish,
    RawPacket,
    RemoteProtocolError,
    decode,
    encode,
)
from mqttws.vocabulary import PacketType, ProtocolVersion, Role
from tests.strategies import chunks, packets

UNCHECKED = [Checks.LENIENT, Checks.RAW]
CONNECT_V3_1_1 = encode(Connect(version=ProtocolVersion.V3_1_1, client_id="c"))


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize(
    ("packet", "wire"),
    [
        (RawPacket(0x36, b"\0\1a"), "36 03 0001 61"),
        (RawPacket(0xFF), "ff 00"),
        (RawPacket(0xC0, b"", 127), "c0 7f"),
        (RawPacket(0xC0, b"x", 0), "c0 00 78"),
        (RawPacket(0x30, b"", 268_435_456), "30 80 80 80 80 01"),
        (RawPacket(0xC0, b"", b"\x80\0"), "c0 80 00"),
        (RawPacket(0xC0, b"", b""), "c0"),
    ],
)
def test_any_lie_is_written_as_it_is_told(packet: RawPacket, wire: str, version: int) -> None:
    assert encode(packet, version) == bytes.fromhex(wire)


@given(st.binary(max_size=300))
def test_without_a_lie_the_length_is_true(body: bytes) -> None:
    data = encode(RawPacket(0x30, b"\0\1a\0" + body))
    packet = decode(data)
    assert encode(packet) == data


@given(st.binary(min_size=1, max_size=300))
@example(b"\x30")
@example(b"\x30\x00")
@example(b"\x30\x80\x00")
@example(b"\x30\xff\xff\xff\xff\x01ab")
def test_any_bytes_become_a_raw_packet_and_come_back(data: bytes) -> None:
    packet = RawPacket.parse(data)
    assert encode(packet) == data
    assert packet.first_byte == data[0]
    assert encode(RawPacket.parse(memoryview(data)), 4) == data


def test_a_true_length_is_not_kept_and_a_lie_is() -> None:
    assert RawPacket.parse(b"\xc0\0") == RawPacket(0xC0)
    assert RawPacket.parse(b"\xc0\x80\0") == RawPacket(0xC0, b"", b"\x80\0")
    assert RawPacket.parse(b"\xc0\x02a") == RawPacket(0xC0, b"a", b"\x02")
    assert RawPacket.parse(b"\xc0\x7f" + bytes(127)) == RawPacket(0xC0, bytes(127))
    assert RawPacket.parse(b"\xc0\x80\1" + bytes(128)) == RawPacket(0xC0, bytes(128))
    with pytest.raises(MalformedPacket) as caught:
        RawPacket.parse(b"")
    assert (caught.value.offset, caught.value.field) == (0, "packet_type")


@pytest.mark.parametrize("behind", ["", "01", "ff01"])
def test_a_length_that_does_not_end_has_four_bytes(behind: str) -> None:
    packet = RawPacket.parse(bytes.fromhex("30 ff ff ff ff" + behind))
    assert packet == RawPacket(0x30, bytes.fromhex(behind), b"\xff\xff\xff\xff")


def test_a_raw_packet_says_what_it_claims_to_be() -> None:
    assert RawPacket(0x3F).packet_type is PacketType.PUBLISH
    assert RawPacket(0x0F).packet_type is None


def judged(data: bytes, version: int, sender: Role | None = None) -> Packet | RawPacket:
    """What ``LENIENT`` is said to be, in terms of strict reading."""
    try:
        return decode(data, version, sender=sender)
    except RemoteProtocolError:
        return RawPacket.parse(data)


framed = st.builds(
    lambda first, body: encode(RawPacket(first, body)), st.integers(0, 255), st.binary(max_size=140)
) | st.sampled_from([4, 5]).flatmap(lambda version: packets(version).map(lambda packet: encode(packet, version)))


@given(framed, st.sampled_from([4, 5]), st.sampled_from([None, *Role]))
@settings(max_examples=60)
@example(bytes.fromhex("36 06 0001 61 0001 00"), 5, None)
@example(bytes.fromhex("c0 80 00"), 5, None)
@example(bytes.fromhex("10 00"), 4, None)
def test_whatever_is_framed_passes_unchecked(data: bytes, version: int, sender: Role | None) -> None:
    assert decode(data, version, sender=sender, checks=Checks.LENIENT) == judged(data, version, sender)
    raw = decode(data, version, sender=sender, checks=Checks.RAW)
    assert raw == RawPacket.parse(data)
    assert encode(raw, version) == data


@pytest.mark.parametrize("checks", UNCHECKED)
@pytest.mark.parametrize("wire", ["", "30", "30 80", "c0 01", "c0 00 00", "30 ff ff ff ff 01"])
def test_without_framing_nothing_passes(wire: str, checks: Checks) -> None:
    with pytest.raises(MalformedPacket) as caught:
        decode(bytes.fromhex(wire), 4, checks=checks)
    assert (caught.value.version, caught.value.field) == (4, "remaining_length")


@pytest.mark.parametrize("checks", UNCHECKED)
def test_another_version_is_the_callers_fault(checks: Checks) -> None:
    with pytest.raises(ValueError, match="not 3"):
        decode(b"\xc0\0", 3, checks=checks)


@given(st.lists(framed, max_size=4), st.data())
@settings(max_examples=50)
def test_a_stream_in_any_pieces_passes_unchecked(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    pieces = data.draw(chunks(stream)) if stream else []
    for checks in UNCHECKED:
        framer = Framer(5)
        found: list[Packet | RawPacket] = []
        for piece in pieces:
            framer.receive_data(piece)
            found += framer.packets(checks)
        framer.receive_eof()
        assert found == [decode(part, 5, checks=checks) for part in parts]
        assert framer.pending == 0


def test_a_proxy_passes_on_what_it_would_refuse() -> None:
    framer = Framer(5)
    stream = encode(Publish("a", b"x")) + bytes.fromhex("36 06 0001 61 0001 00 40 03 0001 00")
    framer.receive_data(stream)
    first, second, third = framer.packets(Checks.LENIENT)
    assert (first, third) == (Publish("a", b"x"), PubAck(1))
    assert second == RawPacket(0x36, bytes.fromhex("0001 61 0001 00"))
    framer.receive_data(stream)
    assert b"".join(map(encode, framer.packets(Checks.RAW))) == stream


def test_checks_may_change_between_packets() -> None:
    framer = Framer(5)
    framer.receive_data(bytes.fromhex("c000 36 06 0001 61 0001 00 c000"))
    assert next(framer.packets(Checks.RAW)) == RawPacket(0xC0)
    with pytest.raises(MalformedPacket):
        next(framer.packets())
    for checks in Checks:
        with pytest.raises(MalformedPacket):
            list(framer.packets(checks))


@pytest.mark.parametrize("checks", UNCHECKED)
@pytest.mark.parametrize(
    ("wire", "version"),
    [
        (CONNECT_V3_1_1.hex(), 4),
        (encode(Connect()).hex(), 5),
        ("12 0d 0004 4d515454 04 02 0000 0001 63", 4),  # flags that no CONNECT has
        ("10 0d 0004 4d515454 04 03 0000 0001 63", 4),
        ("10 0d 0004 4d515454 03 02 0000 0001 63", 4),
        ("10 00", 5),
    ],
)
def test_the_first_connect_tells_the_version_however_bad_it_is(wire: str, version: int, checks: Checks) -> None:
    framer = Framer()
    framer.receive_data(bytes.fromhex(wire))
    assert len(list(framer.packets(checks))) == 1
    assert framer.version == version
    assert not framer.expect_connect
    framer.receive_data(bytes.fromhex("30 03 0001 61"))
    assert list(framer.packets(checks)) == [decode(bytes.fromhex("30 03 0001 61"), version, checks=checks)]


@pytest.mark.parametrize("checks", UNCHECKED)
def test_before_the_version_is_known_nothing_is_read_into_a_packet(checks: Checks) -> None:
    framer = Framer()
    framer.receive_data(b"\xc0\0" + CONNECT_V3_1_1)
    first, _ = framer.packets(checks)
    assert first == RawPacket(0xC0)
    assert framer.version is ProtocolVersion.V3_1_1


@pytest.mark.parametrize("checks", UNCHECKED)
@pytest.mark.parametrize(
    ("version", "maximum", "wire"),
    [
        (5, 1000, "c000 30 ff ff ff ff"),
        (5, 10, "c000 30 09"),
        (5, 10, "c000 30 ff ff 7f"),
        (None, 1_000_000, "c000 30 ff ff 7f"),  # 64 KiB until a CONNECT has come
    ],
)
def test_framing_and_size_are_held_to_always(version: int | None, maximum: int, wire: str, checks: Checks) -> None:
    framer = Framer(version, maximum_packet_size=maximum)
    for byte in bytes.fromhex(wire):
        framer.receive_data(bytes((byte,)))
    found = framer.packets(checks)
    assert encode(next(found)) == b"\xc0\0"
    for again in (found, framer.packets(checks)):
        with pytest.raises(RemoteProtocolError) as caught:
            next(again)
        assert caught.value.offset == 1
        assert framer.pending == 0
