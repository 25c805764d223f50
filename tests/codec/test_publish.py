"""PUBLISH, both versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws.codec import (
    LocalProtocolError,
    MalformedPacket,
    Publish,
    RemoteProtocolError,
    decode,
    encode,
    publish,
)
from mqttws.codec.primitives import read_topic, write_packet, write_topic
from mqttws.vocabulary import QOS, QoS, ReasonCode, Role
from tests.codec.checks import fault_of, outcome, own_fault
from tests.strategies import publishes, texts

VECTORS = [
    pytest.param(5, "30 06 0001 61 00 6869", Publish("a", b"hi"), id="qos0"),
    pytest.param(5, "32 08 0001 61 0007 00 6869", Publish("a", b"hi", QoS.AT_LEAST_ONCE, packet_id=7), id="qos1"),
    pytest.param(5, "3d 07 0001 61 ffff 00 78", Publish("a", b"x", QOS[2], True, True, 65_535), id="qos2"),
    pytest.param(5, "30 07 0000 03 23 0001 78", Publish("", b"x", properties={"topic_alias": 1}), id="alias"),
    pytest.param(4, "30 05 0001 61 6869", Publish("a", b"hi"), id="qos0-v3.1.1"),
    pytest.param(4, "3b 06 0001 61 0007 78", Publish("a", b"x", QOS[1], True, True, 7), id="qos1-v3.1.1"),
]


@pytest.mark.parametrize(("version", "wire", "packet"), VECTORS)
def test_vectors_in_both_directions(version: int, wire: str, packet: Publish) -> None:
    assert decode(bytes.fromhex(wire), version) == packet
    assert encode(packet, version) == bytes.fromhex(wire)


@pytest.mark.parametrize("version", [4, 5])
def test_no_prefix_is_a_packet(version: int) -> None:
    @settings(max_examples=50)
    @given(publishes(version))
    def holds(packet: Publish) -> None:
        frame = encode(packet, version)
        for cut in range(len(frame)):
            with pytest.raises(MalformedPacket):
                decode(frame[:cut], version)

    holds()


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("size", [255, 256, 65_535])
def test_a_topic_has_a_length_of_two_bytes(size: int, version: int) -> None:
    packet = Publish("t" * size, b"x", QOS[1], packet_id=1)
    data = encode(packet, version)
    assert data[-size - (4 if version == 5 else 3) - 2 :][:2] == size.to_bytes(2, "big")
    assert decode(data, version) == packet


@pytest.mark.parametrize("version", [4, 5])
def test_what_we_write_we_read(version: int) -> None:
    @settings(max_examples=50)
    @given(publishes(version))
    def holds(packet: Publish) -> None:
        assert decode(encode(packet, version), version) == packet

    holds()


@given(st.binary(max_size=12))
def test_the_inline_reader_of_topics_agrees_with_the_shared_one(text: bytes) -> None:
    field = bytes([0, len(text)]) + text
    expected = outcome(read_topic, field, 0, len(field), "topic")
    found = outcome(decode, bytes([0x30, len(field)]) + field, 4)
    if isinstance(expected, RemoteProtocolError):
        assert type(found) is type(expected)
        assert (found.message, found.offset) == (expected.message, (expected.offset or 0) + 2)
    else:
        assert found == Publish(expected[0])


@given(texts(max_size=12) | st.sampled_from(["", "a/#", "+", "\0", "\ud800"]))
def test_the_inline_writer_of_topics_agrees_with_the_shared_one(topic: str) -> None:
    expected = outcome(write_topic, topic, "topic")
    found = outcome(encode, Publish(topic), 4)
    if isinstance(expected, LocalProtocolError):
        assert type(found) is LocalProtocolError
        assert (found.message, found.field) == (expected.message, expected.field)
    else:
        assert found == write_packet(0x30, expected)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("flags", range(16))
def test_the_flags_are_read_as_qos_retain_and_dup(version: int, flags: int) -> None:
    qos, retain, dup = flags >> 1 & 3, bool(flags & 1), bool(flags & 8)
    packet_id = "0007" if qos else ""
    body = f"0001 61 {packet_id} {'00' if version == 5 else ''} 78"
    wire = f"{0x30 | flags:02x} {len(bytes.fromhex(body)):02x} {body}"
    if qos == 3:
        assert fault_of(wire, version).statement == "MQTT-3.3.1-4"
    elif dup and not qos:
        error = fault_of(wire, version)
        assert (error.statement, error.field) == ("MQTT-3.3.1-2", "dup")
    else:
        assert decode(bytes.fromhex(wire), version) == Publish("a", b"x", QOS[qos], retain, dup, 7 if qos else None)


@pytest.mark.parametrize(
    ("version", "wire", "field", "statement", "code"),
    [
        (5, "30 01 00", "topic", "MQTT-3.3.2-1", 0x81),
        (4, "30 00", "topic", "MQTT-3.3.2-1", 0x81),
        (5, "30 02 0000", "properties", "MQTT-2.2.2-1", 0x81),
        (4, "30 02 0000", "topic", "MQTT-4.7.3-1", 0x90),
        (5, "30 03 0004 61", "topic", None, 0x81),
        (4, "30 03 0004 61", "topic", None, 0x81),
        (5, "30 05 0001 ff 00 78", "topic", "MQTT-1.5.4-1", 0x81),
        (4, "30 04 0001 ff 78", "topic", "MQTT-1.5.3-1", 0x81),
        (5, "30 05 0001 00 00 78", "topic", "MQTT-4.7.3-2", 0x81),
        (5, "30 05 0001 23 00 78", "topic", "MQTT-3.3.2-2", 0x90),
        (4, "30 04 0001 2b 78", "topic", "MQTT-3.3.2-2", 0x90),
        (5, "30 04 0000 00 78", "topic", None, 0x82),
        (4, "30 03 0000 78", "topic", "MQTT-4.7.3-1", 0x90),
        (5, "32 04 0001 61 00", "packet_id", None, 0x81),
        (4, "32 04 0001 61 00", "packet_id", None, 0x81),
        (5, "32 06 0001 61 0000 00", "packet_id", "MQTT-2.2.1-3", 0x82),
        (4, "32 05 0001 61 0000", "packet_id", "MQTT-2.3.1-1", 0x82),
        (5, "30 03 0001 61", "properties", "MQTT-2.2.2-1", 0x81),
    ],
)
def test_what_the_standard_forbids_is_refused(
    version: int, wire: str, field: str, statement: str | None, code: int
) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.statement, error.reason_code) == (field, statement, code)


def test_the_statement_on_packet_identifiers_depends_on_the_sender() -> None:
    wire = "32 06 0001 61 0000 00"
    assert fault_of(wire, sender=Role.CLIENT).statement == "MQTT-2.2.1-3"
    assert fault_of(wire, sender=Role.SERVER).statement == "MQTT-2.2.1-4"


@pytest.mark.parametrize(
    ("version", "packet", "field", "statement"),
    [
        (5, Publish("a/#"), "topic", "MQTT-3.3.2-2"),
        (5, Publish("+"), "topic", "MQTT-3.3.2-2"),
        (4, Publish("a/#"), "topic", "MQTT-3.3.2-2"),
        (4, Publish("+"), "topic", "MQTT-3.3.2-2"),
        (4, Publish(""), "topic", "MQTT-4.7.3-1"),
        (5, Publish(""), "topic", None),
        (5, Publish("a\0"), "topic", "MQTT-4.7.3-2"),
        (4, Publish("a\0"), "topic", "MQTT-4.7.3-2"),
        (5, Publish("a", dup=True), "dup", "MQTT-3.3.1-2"),
        (5, Publish("a", packet_id=1), "packet_id", "MQTT-2.2.1-2"),
        (4, Publish("a", packet_id=1), "packet_id", "MQTT-2.3.1-5"),
        (5, Publish("a", b"", QOS[1]), "packet_id", "MQTT-2.2.1-3"),
        (5, Publish("a", b"", QOS[1], packet_id=0), "packet_id", "MQTT-2.2.1-3"),
        (4, Publish("a", b"", QOS[2], packet_id=65_536), "packet_id", "MQTT-2.3.1-1"),
        (5, Publish("a", b"", 3, packet_id=1), "qos", "MQTT-3.3.1-4"),  # type: ignore[arg-type] # on purpose
        (4, Publish("a", properties={"topic_alias": 1}), "properties", None),
    ],
)
def test_what_no_peer_may_get_is_not_written(version: int, packet: Publish, field: str, statement: str | None) -> None:
    error = own_fault(packet, version)
    assert (error.field, error.statement) == (field, statement)
    assert field != "properties" or error.message == "MQTT 3.1.1 has no properties"


def test_what_is_not_said_of_a_message_is_no_and_nothing() -> None:
    assert Publish("a") == Publish("a", b"", QoS.AT_MOST_ONCE, False, False, None, {})


class _Pretending(bytes):
    """Claims a length without holding it."""

    size = 0

    def __len__(self) -> int:
        return self.size


def test_a_payload_beyond_the_remaining_length_is_refused() -> None:
    payload = _Pretending()
    payload.size = 268_435_455 - 4
    assert encode(Publish("a", payload)) == bytes.fromhex("30 ffffff7f 0001 61 00")
    payload.size += 1
    error = own_fault(Publish("a", payload))
    assert error.reason_code is ReasonCode.PACKET_TOO_LARGE


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (127, "30 7f"),
        (128, "30 8001"),
        (16_383, "30 ff7f"),
        (16_384, "30 808001"),
        (2_097_151, "30 ffff7f"),
        (2_097_152, "30 80808001"),
    ],
)
def test_the_remaining_length_is_as_short_as_it_can_be(length: int, header: str) -> None:
    payload = bytes(length - 3)
    assert encode(Publish("a", payload), 4) == bytes.fromhex(header + "0001 61") + payload


def test_no_payload_is_looked_into() -> None:
    promise: Any = {"payload_format_indicator": 1}
    packet = Publish("a", b"\xff\xfe", properties=promise)
    assert decode(encode(packet)) == packet


def test_the_tables_of_readers_have_one_for_each_legal_combination_of_flags() -> None:
    legal = [flags for flags in range(16) if flags >> 1 & 3 < 3 and not (flags & 8 and not flags & 6)]
    for table in (publish.DECODERS_V5, publish.DECODERS_V3_1_1):
        assert [flags for flags, reader in enumerate(table) if reader] == legal


@pytest.mark.parametrize(("version", "end"), [(4, ""), (5, "00")])
def test_bytes_that_are_no_text_are_found_in_the_middle_of_a_topic(version: int, end: str) -> None:
    body = f"0004 6162 ff 63 {end}".replace(" ", "")
    error = fault_of(f"30 {len(body) // 2:02x} {body}", version)
    assert (error.field, error.offset) == ("topic", 6)
