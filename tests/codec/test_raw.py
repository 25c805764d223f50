"""Bytes that claim to be a packet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import RawPacket, decode, encode


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
