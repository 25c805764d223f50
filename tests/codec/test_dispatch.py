"""``decode`` and ``encode`` as a whole."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import mqttws.codec
from mqttws.codec import (
    Connect,
    Disconnect,
    Framer,
    MalformedPacket,
    Packet,
    PingReq,
    Publish,
    RemoteProtocolError,
    SubAck,
    decode,
    encode,
)
from mqttws.codec.dispatch import V3_1_1, V5
from mqttws.vocabulary import PacketType, ProtocolVersion, ReasonCode, Role
from tests.codec.checks import fault_of, outcome
from tests.strategies import packets

VERSIONS = pytest.mark.parametrize("version", [4, 5])
SENDERS = pytest.mark.parametrize("sender", [None, Role.CLIENT, Role.SERVER])


@VERSIONS
@SENDERS
def test_what_we_write_we_read_and_write_again(version: int, sender: Role | None) -> None:
    @given(packets(version, sender))
    def holds(packet: Packet) -> None:
        data = encode(packet, version)
        back = decode(data, version, sender=sender)
        assert back == packet
        assert encode(back, version) == data

    holds()


@VERSIONS
@SENDERS
def test_any_bytes_give_a_packet_or_the_peers_fault(version: int, sender: Role | None) -> None:
    @given(st.binary(max_size=64))
    @example(b"")
    @example(b"\x30")
    @example(b"\x30\x80")
    def holds(data: bytes) -> None:
        found = outcome(decode, data, version, sender=sender)
        if isinstance(found, RemoteProtocolError):
            assert found.field is not None
            assert found.offset is not None
            assert 0 <= found.offset <= len(data)
        else:
            assert decode(encode(found, version), version, sender=sender) == found

    holds()


@VERSIONS
def test_a_packet_with_one_byte_changed_gives_a_packet_or_the_peers_fault(version: int) -> None:
    @given(packets(version), st.data())
    def holds(packet: Packet, data: st.DataObject) -> None:
        frame = bytearray(encode(packet, version))
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
        found = outcome(decode, frame, version)
        if isinstance(found, RemoteProtocolError):
            assert found.field is not None
            assert found.offset is not None
            assert 0 <= found.offset <= len(frame)
        else:
            assert decode(encode(found, version), version) == found

    holds()


@VERSIONS
def test_no_prefix_is_a_packet_and_bytes_behind_one_are_too_many(version: int) -> None:
    @given(packets(version), st.binary(min_size=1, max_size=5))
    def holds(packet: Packet, more: bytes) -> None:
        frame = encode(packet, version)
        for cut in range(len(frame)):
            with pytest.raises(MalformedPacket):
                decode(frame[:cut], version)
        with pytest.raises(MalformedPacket, match="behind the packet"):
            decode(frame + more, version)

    holds()


@VERSIONS
@pytest.mark.parametrize("first", range(256))
def test_the_first_byte_alone_decides_on_type_flags_and_direction(version: int, first: int) -> None:
    row = (V5 if version == 5 else V3_1_1)[first >> 4]
    wire = f"{first:02x} 00"
    if row is None or not row.senders:
        assert fault_of(wire, version).field == "packet_type"
        return
    if row.decoders[first & 15] is None:
        assert fault_of(wire, version).field in ("flags", "dup")
        assert fault_of(wire, version).statement is not None
        return
    for role in Role:
        if role not in row.senders:
            error = fault_of(wire, version, sender=role)
            assert (error.field, error.reason_code) == ("packet_type", ReasonCode.PROTOCOL_ERROR)
            assert f"from a {role.name.title()}" in error.message


def test_every_packet_type_has_a_row_in_its_place() -> None:
    for rows in (V5, V3_1_1):
        assert [row and row.packet_class.packet_type for row in rows] == [None, *PacketType]


@VERSIONS
@pytest.mark.parametrize("wire", ["30 80", "30 80 80", "30 80 80 80"])
def test_a_header_cut_short_is_malformed(wire: str, version: int) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.reason_code) == ("remaining_length", ReasonCode.MALFORMED_PACKET)


@VERSIONS
def test_a_fifth_byte_of_length_is_malformed(version: int) -> None:
    assert "more than four bytes" in fault_of("30 80 80 80 80 01", version).message


def test_a_padded_length_is_malformed_in_5_0_and_passes_in_3_1_1() -> None:
    assert fault_of("c0 80 00").statement == "MQTT-1.5.5-1"
    assert decode(bytes.fromhex("c0 80 00"), 4) == PingReq()
    assert decode(bytes.fromhex("c0 80 80 80 00"), 4) == PingReq()


@VERSIONS
def test_a_padded_connect_is_judged_by_the_version_it_says(version: int) -> None:
    in_3_1_1 = "10 8d 80 00 0004 4d515454 04 02 003c 0001 63"
    assert decode(bytes.fromhex(in_3_1_1), version) == Connect(ProtocolVersion.V3_1_1, "c", True, 60)
    in_5_0 = "10 8e 80 00 0004 4d515454 05 02 003c 00 0001 63"
    error = fault_of(in_5_0, version)
    assert (error.statement, error.version) == ("MQTT-1.5.5-1", ProtocolVersion.V5)


@pytest.mark.parametrize("length", [126, 127, 128, 129, 16_383, 16_384, 16_385])
@pytest.mark.parametrize("packet_id", [0x0101, 0x7F7F, 0x8080])
def test_whatever_follows_a_length_it_ends_where_it_ends(length: int, packet_id: int) -> None:
    packet = SubAck(packet_id, [0] * (length - 3))
    data = encode(packet)
    assert len(data) - length == 2 + (length > 127) + (length > 16_383)
    assert decode(data) == packet
    framer = Framer(5)
    framer.receive_data(data * 4)
    assert list(framer.packets()) == [packet] * 4


def test_long_lengths_need_no_padding() -> None:
    packet = Publish("a", bytes(3_000_000))
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_buffers_are_taken_too(kind: Any) -> None:
    packet = decode(kind(bytes.fromhex("30 06 0001 61 00 6869")))
    assert packet == Publish("a", b"hi")
    assert isinstance(packet, Publish)
    assert type(packet.payload) is bytes


def test_a_version_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match=r"4 .* or 5"):
        decode(b"\xc0\0", 3)
    with pytest.raises(ValueError, match=r"4 .* or 5"):
        encode(PingReq(), 3)


def test_what_is_no_packet_is_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="Role"):
        encode(Role.CLIENT)  # type: ignore[arg-type] # on purpose


def test_a_slow_reading_of_an_error_shows_rule_and_place() -> None:
    assert str(fault_of("36 07 0001 61 0001 00")) == "PUBLISH with flag bits 0110 (flags, offset 0) [MQTT-3.3.1-4]"


@given(packets(5))
def test_a_packet_shows_no_password(packet: Packet) -> None:
    if isinstance(packet, Connect):
        packet.password = b"canary"
    assert "canary" not in repr(packet)


def test_packets_compare_by_what_they_say() -> None:
    assert Disconnect() == Disconnect(0, {})
    assert Publish("a") != Publish("b")


def test_importing_the_codec_pulls_in_nothing_it_does_not_need() -> None:
    heavy = {"trio", "wsproto", "h11", "jwt", "ssl", "hypothesis"}
    script = "import sys, mqttws.codec; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not heavy & set(shown.stdout.split())
    assert "mqttws.codec.framer" in shown.stdout


def test_the_public_names_are_those_of_the_design() -> None:
    names = (
        "Connect ConnAck Publish PubAck PubRec PubRel PubComp Subscribe SubAck Unsubscribe UnsubAck PingReq PingResp "
        "Disconnect Auth Will Subscription encode decode Framer RawPacket Packet "
        "MalformedPacket RemoteProtocolError LocalProtocolError ProtocolError MqttError"
    )
    assert set(names.split()) <= set(mqttws.codec.__all__)
    assert all(hasattr(mqttws.codec, name) for name in mqttws.codec.__all__)


def test_a_length_with_a_byte_that_adds_nothing_is_marked_where_it_begins() -> None:
    error = fault_of("c0 80 00")
    assert (error.offset, error.field, error.statement) == (1, "remaining_length", "MQTT-1.5.5-1")
