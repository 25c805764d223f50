"""Property lists as they stand in packets."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import ConnAck, Connect, Publish, RemoteProtocolError, Subscribe, Subscription, decode, encode
from mqttws.codec.properties import TABLE
from mqttws.vocabulary import PacketType, ReasonCode, Role
from tests.codec.checks import fault_of, own_fault
from tests.strategies import properties


@given(properties(PacketType.PUBLISH))
def test_properties_survive_the_way_there_and_back_in_their_order(chosen: Any) -> None:
    packet = Publish("a", properties=chosen)
    back = decode(encode(packet))
    assert back == packet
    assert isinstance(back, Publish)
    assert list(back.properties) == list(chosen)


def test_the_order_of_user_properties_is_kept() -> None:
    pairs = [("b", "1"), ("a", "2"), ("b", "1")]
    packet = decode(encode(Publish("a", properties={"user_property": pairs})))
    assert packet == Publish("a", properties={"user_property": pairs})


@pytest.mark.parametrize("identifier", [*range(0x80), 0xFF])
def test_an_identifier_without_a_place_in_connack_is_malformed(identifier: int) -> None:
    allowed = {row.identifier for row in TABLE if PacketType.CONNACK in row.senders}
    wire = bytes([0x20, 4, 0, 0, 1, identifier])
    with pytest.raises(RemoteProtocolError) as caught:
        decode(wire)
    error = caught.value
    assert error.reason_code is ReasonCode.MALFORMED_PACKET
    assert ("past the end" in error.message) == (identifier in allowed)
    names = {row.identifier: row.name for row in TABLE}
    assert error.field == names.get(identifier, "properties")


def test_a_property_twice_is_a_protocol_error() -> None:
    error = fault_of("20 09 00 00 06 21 0001 21 0001")
    assert (error.reason_code, error.field, error.offset) == (ReasonCode.PROTOCOL_ERROR, "receive_maximum", 8)


@pytest.mark.parametrize(
    ("wire", "field", "code"),
    [
        ("20 06 00 00 03 21 0000", "receive_maximum", ReasonCode.PROTOCOL_ERROR),
        ("20 05 00 00 02 24 02", "maximum_qos", ReasonCode.PROTOCOL_ERROR),
        ("30 08 0001 61 03 23 0000 78", "topic_alias", ReasonCode.TOPIC_ALIAS_INVALID),
    ],
)
def test_a_number_outside_its_bounds_is_refused(wire: str, field: str, code: ReasonCode) -> None:
    error = fault_of(wire)
    assert (error.field, error.reason_code) == (field, code)


def test_only_a_server_names_subscriptions_in_a_publish() -> None:
    wire = "30 07 0001 61 02 0b 01 78"
    assert decode(bytes.fromhex(wire), sender=Role.SERVER) == decode(bytes.fromhex(wire))
    error = fault_of(wire, sender=Role.CLIENT)
    assert (error.statement, error.reason_code) == ("MQTT-3.3.4-6", ReasonCode.PROTOCOL_ERROR)


def test_only_a_client_ends_its_session_in_a_disconnect() -> None:
    wire = "e0 07 00 05 11 00000001"
    assert decode(bytes.fromhex(wire), sender=Role.CLIENT) == decode(bytes.fromhex(wire))
    assert fault_of(wire, sender=Role.SERVER).statement == "MQTT-3.14.2-2"


def test_a_length_left_out_is_not_a_length_of_zero() -> None:
    assert fault_of("20 02 00 00").statement == "MQTT-2.2.2-1"


def test_a_length_beyond_the_packet_is_malformed() -> None:
    error = fault_of("20 03 00 00 05")
    assert (error.field, error.offset) == ("properties", 4)


@pytest.mark.parametrize(
    ("topic", "statement"), [("r/#", "MQTT-3.3.2-14"), ("+/r", "MQTT-3.3.2-14"), ("", "MQTT-4.7.3-1")]
)
def test_a_response_topic_is_a_topic_name(topic: str, statement: str) -> None:
    data = bytes((8, 0, len(topic))) + topic.encode()
    wire = b"\0\1a" + bytes([len(data)]) + data
    assert fault_of((bytes([0x30, len(wire)]) + wire).hex()).statement == statement
    error = own_fault(Publish("a", properties={"response_topic": topic}))
    assert (error.statement, error.field) == (statement, "response_topic")


def test_a_name_without_a_place_is_not_written() -> None:
    error = own_fault(Connect(properties={"topic_alias": 1}))  # type: ignore[typeddict-unknown-key] # on purpose
    assert error.field == "topic_alias"


@pytest.mark.parametrize(
    ("packet", "field", "code"),
    [
        (Connect(properties={"receive_maximum": 0}), "receive_maximum", ReasonCode.PROTOCOL_ERROR),
        (ConnAck(properties={"maximum_qos": 2}), "maximum_qos", ReasonCode.PROTOCOL_ERROR),
        (Publish("a", properties={"topic_alias": 0}), "topic_alias", ReasonCode.TOPIC_ALIAS_INVALID),
        (Publish("a", properties={"payload_format_indicator": -1}), "payload_format_indicator", None),
        (Publish("a", properties={"subscription_identifier": [1, 0]}), "subscription_identifier", None),
        (Publish("a", properties={"user_property": [("a", "\0")]}), "user_property", None),
    ],
)
def test_a_value_that_no_peer_may_get_is_not_written(packet: Any, field: str, code: ReasonCode | None) -> None:
    error = own_fault(packet)
    assert error.field == field
    assert error.reason_code is (code or ReasonCode.PROTOCOL_ERROR)


@pytest.mark.parametrize(
    ("packet", "message"),
    [
        (Connect(properties={"receive_maximum": 65_536}), "receive_maximum is from 1 to 65535, not 65536"),
        (
            Connect(properties={"maximum_packet_size": 1 << 32}),
            "maximum_packet_size is from 1 to 4294967295, not 4294967296",
        ),
        (
            Publish("a", properties={"message_expiry_interval": 1 << 32}),
            "message_expiry_interval is from 0 to 4294967295, not 4294967296",
        ),
        (Connect(properties={"topic_alias_maximum": 65_536}), "topic_alias_maximum is from 0 to 65535, not 65536"),
        (Connect(properties={"request_problem_information": 2}), "request_problem_information is from 0 to 1, not 2"),
        (
            Subscribe(1, [Subscription("a")], {"subscription_identifier": 1 << 28}),
            "subscription_identifier is from 1 to 268435455, not 268435456",
        ),
    ],
)
def test_the_bounds_of_a_number_are_said(packet: Any, message: str) -> None:
    assert own_fault(packet).message == message


@given(st.integers(0, 300))
def test_the_length_of_the_list_takes_as_many_bytes_as_it_needs(size: int) -> None:
    packet = Subscribe(1, [Subscription("a")], {"user_property": [("k", "v" * size)]})
    assert decode(encode(packet)) == packet
