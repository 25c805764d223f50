"""The data types of chapter 1.5, through the packets that hold them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import Connect, Framer, LocalProtocolError, PubAck, Publish, Subscribe, Subscription, decode, encode
from mqttws.codec.primitives import MAXIMUM_VARINT, varint, write_packet
from mqttws.vocabulary import QoS, ReasonCode
from tests.codec.checks import fault_of, own_fault
from tests.strategies import texts


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (0, "00"),
        (127, "7f"),
        (128, "80 01"),
        (16_383, "ff 7f"),
        (16_384, "80 80 01"),
        (2_097_151, "ff ff 7f"),
        (2_097_152, "80 80 80 01"),
        (MAXIMUM_VARINT, "ff ff ff 7f"),
    ],
)
def test_a_variable_byte_integer_is_as_short_as_it_can_be(value: int, wire: str) -> None:
    assert varint(value) == bytes.fromhex(wire)


@given(st.integers(1, MAXIMUM_VARINT))
def test_a_variable_byte_integer_survives_the_way_there_and_back(value: int) -> None:
    packet = Subscribe(1, [Subscription("a")], {"subscription_identifier": value})
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("value", [-1, 0, MAXIMUM_VARINT + 1])
def test_a_variable_byte_integer_outside_its_bounds_is_not_written(value: int) -> None:
    error = own_fault(Subscribe(1, [Subscription("a")], {"subscription_identifier": value}))
    assert error.field == "subscription_identifier"


def test_a_longer_form_than_needed_is_malformed_in_5_0() -> None:
    error = fault_of("82 0a 0001 03 0b 81 00 0001 61 00")
    assert (error.statement, error.field, error.offset) == ("MQTT-1.5.5-1", "subscription_identifier", 6)


def test_a_fifth_byte_is_malformed() -> None:
    error = fault_of("82 0d 0001 06 0b 80 80 80 80 01 0001 61 00")
    assert (error.reason_code, error.offset) == (ReasonCode.MALFORMED_PACKET, 6)


@pytest.mark.parametrize("name", ["message_expiry_interval", "topic_alias"])
@pytest.mark.parametrize("value", [-1, 0x1_0000_0000])
def test_an_integer_that_does_not_fit_is_not_written(name: str, value: int) -> None:
    packet = Publish("a")
    packet.properties[name] = value  # type: ignore[literal-required] # both are keys
    assert own_fault(packet).field == name


@pytest.mark.parametrize("keep_alive", [-1, 65_536])
def test_a_keep_alive_of_more_than_two_bytes_is_not_written(keep_alive: int) -> None:
    assert own_fault(Connect(keep_alive=keep_alive)).field == "keep_alive"


@given(texts(max_size=200))
def test_a_text_survives_the_way_there_and_back(text: str) -> None:
    packet = Connect(client_id=text)
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize(
    ("text", "statement"), [("a\ud800b", "MQTT-3.1.3-4"), ("a\0b", "MQTT-1.5.4-2"), ("é" * 32_768, None)]
)
def test_a_text_that_no_peer_may_get_is_not_written(text: str, statement: str | None) -> None:
    error = own_fault(Connect(client_id=text))
    assert (error.field, error.statement) == ("client_id", statement)


def test_a_text_of_65535_bytes_is_written_and_read() -> None:
    packet = Publish("a" * 65_535)
    assert decode(encode(packet)) == packet


@pytest.mark.parametrize("text", ["a\ud800", "a\0", "a" * 65_536])
def test_a_topic_that_is_no_text_is_not_written(text: str) -> None:
    assert own_fault(Publish(text)).field == "topic"


def test_a_topic_beyond_its_length_field_is_never_cut() -> None:
    error = own_fault(Publish("a" * 65_536), 4)
    assert (error.reason_code, error.statement) == (ReasonCode.PACKET_TOO_LARGE, "MQTT-4.7.3-3")


def test_binary_data_beyond_its_length_field_is_never_cut() -> None:
    error = own_fault(Connect(username="u", password=bytes(65_536)))
    assert (error.field, error.reason_code) == ("password", ReasonCode.PACKET_TOO_LARGE)
    longest = Connect(username="u", password=bytes(65_535))
    assert decode(encode(longest)) == longest


@pytest.mark.parametrize(
    ("wire", "field"),
    [
        ("10 09 0004 4d515454 05 02 00", "keep_alive"),
        ("10 11 0004 4d515454 05 02 0000 04 11 00 00 00 00 00", "session_expiry_interval"),
        ("30 05 0001 61 01 01", "payload_format_indicator"),
        ("30 07 0001 61 03 09 00 01", "correlation_data"),
        ("30 06 0001 61 02 09 00", "correlation_data"),
        ("30 06 0001 61 02 03 00", "content_type"),
        ("10 0e 0004 4d515454 05 02 0000 00 00 05 63", "client_id"),
        ("82 06 0001 02 0b 80", "subscription_identifier"),
    ],
)
def test_a_value_that_runs_past_its_end_is_malformed(wire: str, field: str) -> None:
    data = bytearray.fromhex(wire)
    data[1] = len(data) - 2
    error = fault_of(data.hex())
    assert (error.field, error.reason_code) == (field, ReasonCode.MALFORMED_PACKET)


def test_the_place_of_an_ill_formed_byte_is_told() -> None:
    error = fault_of("10 10 0004 4d515454 05 02 0000 00 0003 61 ff 62")
    assert (error.field, error.offset, error.statement) == ("client_id", 16, "MQTT-3.1.3-4")


def test_the_place_of_a_null_character_is_told() -> None:
    error = fault_of("10 10 0004 4d515454 05 02 0000 00 0003 61 00 62")
    assert (error.field, error.offset, error.statement) == ("client_id", 16, "MQTT-1.5.4-2")


def test_the_place_of_a_bad_topic_is_that_of_its_text() -> None:
    error = fault_of("30 08 0001 61 04 08 0001 23")
    assert (error.field, error.offset, error.statement) == ("response_topic", 9, "MQTT-3.3.2-14")


@pytest.mark.parametrize("packet_id", [0, -1, 65_536, None])
def test_a_packet_identifier_is_from_1_to_65535(packet_id: int) -> None:
    assert own_fault(PubAck(packet_id)).field == "packet_id"
    assert own_fault(PubAck(packet_id, ReasonCode.NOT_AUTHORIZED)).statement == "MQTT-2.2.1-5"
    assert own_fault(Subscribe(packet_id, [Subscription("a")]), 4).statement == "MQTT-2.3.1-1"
    assert own_fault(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=packet_id)).statement == "MQTT-2.2.1-3"


class _Pretending(bytes):
    """Claims a length without holding it."""

    size = 0

    def __len__(self) -> int:
        return self.size


def test_a_packet_longer_than_a_remaining_length_can_tell_is_not_written() -> None:
    body = _Pretending()
    body.size = MAXIMUM_VARINT
    assert write_packet(0x82, body) == bytes.fromhex("82 ffffff7f")
    body.size += 1
    with pytest.raises(LocalProtocolError) as caught:
        write_packet(0x82, body)
    assert caught.value.reason_code is ReasonCode.PACKET_TOO_LARGE


@pytest.mark.parametrize("size", [0, 120, 128, 16_380, 16_384, 2_097_150, 2_097_152])
def test_all_widths_of_the_remaining_length_work(size: int) -> None:
    packet = Publish("a", bytes(size))
    data = encode(packet)
    assert decode(data) == packet
    framer = Framer(5)
    framer.receive_data(data)
    assert list(framer.packets()) == [packet]
