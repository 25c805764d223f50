"""A stream in any pieces."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws.codec import (
    Checks,
    Connect,
    Framer,
    MalformedPacket,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    RawPacket,
    RemoteProtocolError,
    decode,
    encode,
)
from mqttws.codec.framer import LARGEST_CONNECT, LARGEST_PACKET
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.strategies import chunks, connects, packets

V4, V5 = ProtocolVersion.V3_1_1, ProtocolVersion.V5


def _feed(framer: Framer, pieces: list[bytes]) -> tuple[list[Packet], RemoteProtocolError | None]:
    """All that comes out of the pieces: the packets, and the fault behind them."""
    found: list[Packet] = []
    for piece in pieces:
        framer.receive_data(piece)
        try:
            for packet in framer.packets():
                found.append(packet)  # noqa: PERF402 - those before a fault count too
        except RemoteProtocolError as error:
            return found, error
    return found, None


def _about(error: RemoteProtocolError | None) -> Any:
    return error and (type(error), error.message, error.reason_code, error.statement, error.offset, error.field)


@pytest.mark.parametrize("before", [b"", encode(PingReq())])
@pytest.mark.parametrize("behind", [b"", encode(PingReq())])
def test_a_length_with_a_byte_that_adds_nothing_is_malformed_in_5_0_wherever_it_stands(
    before: bytes, behind: bytes
) -> None:
    stream = before + bytes.fromhex("c0 80 00") + behind
    packets_before, error = _feed(Framer(5), [stream])
    assert packets_before == [PingReq()] * (len(before) // 2)
    assert isinstance(error, MalformedPacket)
    assert error.statement == "MQTT-1.5.5-1"
    assert _feed(Framer(4), [stream]) == ([PingReq()] * (1 + len(before + behind) // 2), None)


@pytest.mark.parametrize("checks", Checks)
@pytest.mark.parametrize("size", [1, 4, 9])
def test_pieces_may_come_before_anybody_asks_for_packets(size: int, checks: Checks) -> None:
    sent: list[Packet] = [PubAck(1), Publish("a", b"hi" * 100), PingReq()]
    wires = [encode(packet) for packet in sent]
    stream = b"".join(wires)
    framer = Framer(5)
    for start in range(0, len(stream), size):
        framer.receive_data(stream[start : start + size])
    assert framer.pending == len(stream)
    assert list(framer.packets(checks)) == (
        sent if checks is not Checks.RAW else [RawPacket.parse(one) for one in wires]
    )


@pytest.mark.parametrize(("version", "sender"), [(4, Role.SERVER), (5, Role.CLIENT), (5, Role.SERVER)])
def test_any_pieces_give_the_same_packets(version: int, sender: Role) -> None:
    @settings(max_examples=50)
    @given(st.lists(packets(version, sender), max_size=4), st.data())
    def holds(sent: list[Packet], data: st.DataObject) -> None:
        stream = b"".join(encode(packet, version) for packet in sent)
        framer = Framer(version, sender=sender)
        assert _feed(framer, data.draw(chunks(stream))) == (sent, None)
        assert framer.pending == 0
        framer.receive_eof()

    holds()


@pytest.mark.parametrize("version", [None, 4, 5])
def test_any_pieces_of_any_bytes_give_the_same_packets_and_fault(version: int | None) -> None:
    raw = st.builds(RawPacket, st.integers(0, 255), st.binary(max_size=8)).map(encode)
    parts = st.lists(
        packets(version or 5).map(lambda packet: encode(packet, version or 5)) | raw | st.binary(max_size=6), max_size=4
    )

    @settings(max_examples=50)
    @given(connects(version or 5).map(encode), parts, st.data())
    def holds(first: bytes, rest: list[bytes], data: st.DataObject) -> None:
        stream = b"".join([first, *rest]) if data.draw(st.booleans()) else b"".join(rest)
        whole, fault = _feed(Framer(version), [stream])
        for pieces in (data.draw(chunks(stream)), [stream[at : at + 1] for at in range(len(stream))]):
            found, other = _feed(Framer(version), pieces)
            assert found == whole
            assert _about(other) == _about(fault)

    holds()


@pytest.mark.parametrize("version", [4, 5])
def test_the_framer_and_decode_agree(version: int) -> None:
    @given(st.builds(RawPacket, st.integers(0, 255), st.binary(max_size=12)))
    def holds(packet: RawPacket) -> None:
        data = encode(packet)
        try:
            expected: Any = ([decode(data, version)], None)
        except RemoteProtocolError as error:
            expected = ([], _about(error))
        found, fault = _feed(Framer(version), [data])
        assert (found, _about(fault)) == expected

    holds()


def test_packets_before_a_fault_come_out_and_then_the_fault_each_time() -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()) + encode(PubAck(7)) + b"\x00\x00" + encode(PingReq()))
    found = framer.packets()
    assert [next(found), next(found)] == [PingReq(), PubAck(7)]
    with pytest.raises(MalformedPacket) as first:
        next(found)
    assert first.value.offset == 0
    framer.receive_data(encode(PingReq()))
    assert framer.pending == 0
    for again in (framer.packets, framer.packets):
        with pytest.raises(MalformedPacket) as later:
            list(again())
        assert later.value is first.value
    with pytest.raises(MalformedPacket) as at_the_end:
        framer.receive_eof()
    assert at_the_end.value is first.value


def test_the_offset_of_a_fault_counts_from_its_packet() -> None:
    framer = Framer(5)
    framer.receive_data(encode(Publish("a", b"x" * 50)) + bytes.fromhex("40 03 0007 05"))
    found, fault = _feed(framer, [b""])
    assert found == [Publish("a", b"x" * 50)]
    assert fault is not None
    assert fault.offset == 4


def test_the_version_is_learned_from_the_connect() -> None:
    for version in (V4, V5):
        framer = Framer(sender=Role.CLIENT)
        assert (framer.version, framer.expect_connect) == (None, True)
        framer.receive_data(encode(Connect(version, "c")) + encode(Publish("a", b"hi"), version))
        assert list(framer.packets()) == [Connect(version, "c"), Publish("a", b"hi")]
        assert (framer.version, framer.expect_connect) == (version, False)


@pytest.mark.parametrize("first", [0x00, 0x30, 0xC0, 0xF0, 0x20])
def test_before_the_connect_nothing_else_is_taken_not_even_its_first_byte(first: int) -> None:
    framer = Framer(sender=Role.CLIENT)
    framer.receive_data(bytes([first]))
    with pytest.raises(RemoteProtocolError) as caught:
        list(framer.packets())
    assert (caught.value.statement, caught.value.reason_code) == ("MQTT-3.1.0-1", ReasonCode.PROTOCOL_ERROR)
    assert (caught.value.field, caught.value.offset) == ("packet_type", 0)


def test_before_the_connect_its_flags_are_looked_at_too() -> None:
    framer = Framer(sender=Role.CLIENT)
    framer.receive_data(b"\x12")
    with pytest.raises(MalformedPacket) as caught:
        list(framer.packets())
    assert (caught.value.statement, caught.value.version) == ("MQTT-2.1.3-1", None)


@pytest.mark.parametrize("checks", Checks)
def test_behind_a_packet_a_first_byte_is_refused_before_the_second_comes(checks: Checks) -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()))
    assert len(list(framer.packets(checks))) == 1
    framer.receive_data(b"\xc1")
    with pytest.raises(MalformedPacket, match="flag bits 0001"):
        list(framer.packets())


@pytest.mark.parametrize("checks", Checks)
@pytest.mark.parametrize("wire", ["c0 80 00", "c0 80 80 00", "c0 80 80 80 00"])
@pytest.mark.parametrize("before", [b"", encode(PingReq())])
def test_a_length_is_known_as_soon_as_its_last_byte_has_come(before: bytes, wire: str, checks: Checks) -> None:
    framer = Framer(4)
    data = bytes.fromhex(wire)
    framer.receive_data(before + data[:2])
    found: list[Packet | RawPacket] = list(framer.packets(checks))
    for byte in data[2:]:
        assert len(found) == bool(before)
        framer.receive_data(bytes((byte,)))
        found += framer.packets(checks)
    assert len(found) == 1 + bool(before)
    assert framer.pending == 0


@pytest.mark.parametrize("checks", [Checks.STRICT, Checks.LENIENT])
def test_without_a_connect_and_without_a_version_it_is_5_0(checks: Checks) -> None:
    framer = Framer()
    framer.expect_connect = False
    framer.receive_data(encode(PubAck(1, ReasonCode.NOT_AUTHORIZED)))
    assert list(framer.packets(checks)) == [PubAck(1, ReasonCode.NOT_AUTHORIZED)]
    framer.receive_data(b"\x60")
    with pytest.raises(MalformedPacket) as caught:
        list(framer.packets())
    assert caught.value.statement == "MQTT-3.6.1-1"


def test_nor_may_its_length_be_longer_than_needed() -> None:
    framer = Framer()
    framer.expect_connect = False
    framer.receive_data(b"\xc0\x80\0")
    with pytest.raises(MalformedPacket) as caught:
        list(framer.packets())
    assert (caught.value.statement, caught.value.field) == ("MQTT-1.5.5-1", "remaining_length")


def test_the_owner_may_ask_for_a_connect_while_packets_are_taken() -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()) * 3)
    found = framer.packets()
    assert next(found) == PingReq()
    framer.expect_connect = True
    with pytest.raises(RemoteProtocolError, match="not a CONNECT"):
        next(found)


def test_a_server_does_not_begin_with_a_connect() -> None:
    framer = Framer(sender=Role.SERVER)
    framer.receive_data(encode(Connect()))
    with pytest.raises(RemoteProtocolError, match="CONNECT from a Server"):
        list(framer.packets())


def test_a_connect_of_64_kib_passes_and_a_longer_claim_is_refused_at_its_header() -> None:
    password = bytes(LARGEST_CONNECT - len(encode(Connect(username="u", password=bytes(60_000)))) + 60_000)
    largest = Connect(username="u", password=password)
    framer = Framer()
    framer.receive_data(encode(largest))
    assert framer.pending == LARGEST_CONNECT == 64 * 1024
    assert list(framer.packets()) == [largest]
    framer = Framer()
    framer.receive_data(b"\x10\xfd\xff\x03")
    with pytest.raises(RemoteProtocolError) as caught:
        list(framer.packets())
    assert caught.value.reason_code is ReasonCode.PACKET_TOO_LARGE


def test_a_claim_above_the_maximum_is_refused_at_its_header() -> None:
    framer = Framer(5, maximum_packet_size=11)
    framer.receive_data(encode(Publish("a", b"12345")) + b"\x30\x0a")
    found, fault = _feed(framer, [b""])
    assert found == [Publish("a", b"12345")]
    assert fault is not None
    assert (fault.reason_code, fault.field, fault.offset) == (ReasonCode.PACKET_TOO_LARGE, "remaining_length", 1)


@pytest.mark.parametrize("whole", [True, False])
def test_the_maximum_holds_whether_the_packet_is_there_or_not(whole: bool) -> None:
    framer = Framer(4, maximum_packet_size=200)
    frame = encode(Publish("a", bytes(200)), 4)
    framer.receive_data(frame if whole else frame[:3])
    with pytest.raises(RemoteProtocolError) as caught:
        list(framer.packets())
    assert caught.value.reason_code is ReasonCode.PACKET_TOO_LARGE


def test_a_claimed_length_holds_what_came_and_no_more() -> None:
    framer = Framer(5)
    framer.receive_data(b"\x30\xff\xff\xff\x7f" + b"x" * 100)
    assert list(framer.packets()) == []
    assert framer.pending == 105
    assert framer.maximum_packet_size == LARGEST_PACKET == 5 + 268_435_455


def test_the_owner_may_change_its_mind_between_two_packets() -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()) + encode(Publish("a"), 4) + encode(Publish("long enough"), 4))
    found = framer.packets()
    assert next(found) == PingReq()
    framer.version = V4
    assert next(found) == Publish("a")
    framer.maximum_packet_size = 10
    with pytest.raises(RemoteProtocolError):
        next(found)


def test_the_owner_may_ask_for_a_connect_though_it_knows_the_version() -> None:
    framer = Framer(5, sender=Role.CLIENT)
    framer.expect_connect = True
    framer.receive_data(encode(PingReq()))
    with pytest.raises(RemoteProtocolError, match="not a CONNECT"):
        list(framer.packets())


def test_bytes_that_come_while_packets_are_taken_are_seen() -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()))
    found = framer.packets()
    assert next(found) == PingReq()
    framer.receive_data(encode(PingResp()))
    assert next(found) == PingResp()
    assert list(found) == []


@pytest.mark.parametrize("checks", Checks)
def test_a_header_whose_second_half_comes_while_packets_are_taken_is_seen(checks: Checks) -> None:
    framer = Framer(5)
    ping = encode(PingReq())
    framer.receive_data(ping + ping[:1])
    found = framer.packets(checks)
    next(found)
    framer.receive_data(ping[1:])
    assert len(list(found)) == 1


@pytest.mark.parametrize("checks", Checks)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 100])
def test_a_packet_whose_rest_comes_while_packets_are_taken_is_seen(size: int, checks: Checks) -> None:
    framer = Framer(5)
    data = encode(Publish("a", b"x" * 200))
    framer.receive_data(encode(PingReq()) + data[:size])
    found = framer.packets(checks)
    next(found)
    framer.receive_data(data[size:-1])
    framer.receive_data(data[-1:])
    assert [encode(packet) for packet in found] == [data]
    assert framer.pending == 0


def test_the_end_inside_a_packet_is_a_fault_and_elsewhere_none() -> None:
    framer = Framer(5)
    framer.receive_eof()
    framer.receive_data(encode(PingReq()) + b"\x30")
    with pytest.raises(MalformedPacket, match="1 bytes of which are here") as caught:
        framer.receive_eof()
    assert (caught.value.reason_code, caught.value.offset) == (ReasonCode.MALFORMED_PACKET, 1)
    assert list(framer.packets()) == [PingReq()]
    framer.receive_data(b"\x04\0\1a")
    with pytest.raises(MalformedPacket, match="5 bytes of which are here"):
        framer.receive_eof()
    framer.receive_data(b"\0")
    framer.receive_eof()
    assert list(framer.packets()) == [Publish("a")]


def test_a_fault_that_waits_in_the_bytes_is_not_the_end_of_the_stream() -> None:
    framer = Framer(5)
    framer.receive_data(encode(PingReq()) + b"\x30\xff\xff\xff\xff\x01")
    framer.receive_eof()
    found, fault = _feed(framer, [b""])
    assert found == [PingReq()]
    assert fault is not None
    assert "more than four bytes" in fault.message


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_other_buffers_are_copied(kind: Any) -> None:
    data = bytearray(encode(Publish("a", b"hi")))
    framer = Framer(5)
    framer.receive_data(kind(data))
    data[:] = bytes(len(data))
    assert list(framer.packets()) == [Publish("a", b"hi")]


def test_a_padded_connect_is_judged_by_the_version_it_says() -> None:
    padded = {version: encode(RawPacket(0x10, encode(Connect(version, "c"))[2:], b"\x8d\0")) for version in (V4, V5)}
    framer = Framer()
    framer.receive_data(padded[V4])
    assert list(framer.packets()) == [Connect(V4, "c")]
    framer = Framer()
    framer.receive_data(padded[V5].replace(b"\x10\x8d\0", b"\x10\x8e\0"))
    with pytest.raises(MalformedPacket) as caught:
        list(framer.packets())
    assert (caught.value.statement, caught.value.version) == ("MQTT-1.5.5-1", V5)


def test_single_bytes_cost_no_more_for_a_large_packet_than_for_small_ones() -> None:
    """Appending to a string would make the large one take hundreds of times as long."""
    large = encode(Publish("a", bytes(200_000)))
    small = encode(Publish("a", bytes(100))) * 2_000

    def duration(stream: bytes) -> float:
        framer = Framer(5)
        start = time.perf_counter()
        for at in range(len(stream)):
            framer.receive_data(stream[at : at + 1])
            for _ in framer.packets():
                pass
        assert framer.pending == 0
        return time.perf_counter() - start

    assert min(duration(large) for _ in range(2)) < 5 * min(duration(small) for _ in range(2))
