"""Words for values: every property has them, and no value is without an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mqttws.codec.meanings import MEANINGS, meaning_of, reason_name, text_of
from mqttws.codec.properties import TABLE
from mqttws.vocabulary import REASON_CODES, PacketType, ReasonCode


def test_every_property_has_an_entry() -> None:
    assert {row.name for row in TABLE} <= set(MEANINGS)


def test_words_for_a_few_values_cover_all_that_are_allowed() -> None:
    for row in TABLE:
        words = MEANINGS[row.name]
        if isinstance(words, Mapping):
            assert row.most is not None
            assert set(words) >= set(range(row.most + 1))


@pytest.mark.parametrize(
    ("name", "value", "meaning"),
    [
        ("keep_alive", 0, "off"),
        ("keep_alive", 59, "seconds at most between two packets"),
        ("session_expiry_interval", 0, "the Session ends with the connection"),
        ("session_expiry_interval", 60, "seconds (1 minute) after the connection"),
        ("session_expiry_interval", 3599, "seconds (60 minutes) after the connection"),
        ("session_expiry_interval", 4000, "seconds (1.1 hours) after the connection"),
        ("session_expiry_interval", 5400, "seconds (1.5 hours) after the connection"),
        ("session_expiry_interval", 86_399, "seconds (24 hours) after the connection"),
        ("session_expiry_interval", 172_800, "seconds (2 days) after the connection"),
        ("session_expiry_interval", 0xFFFF_FFFF, "the Session never expires"),
        ("will_delay_interval", 0, "at once"),
        ("will_delay_interval", 5, "seconds until the Will is published"),
        ("payload", b"", "empty"),
        ("payload", b"x", "1 byte of text"),
        ("payload", b"\xff\xff", "2 bytes"),
        ("payload", "é".encode(), "2 bytes of text"),
        ("client_id", "", "the Server is to assign one"),
        ("client_id", "c", ""),
        ("topic", "", "named by the Topic Alias"),
        ("topic", "a", ""),
        ("topic_filter", "a/b", ""),
        ("topic_filter", "$share/g/a/+", "shared subscription, with wildcards"),
        ("topic_filters", "#", "with wildcards"),
        ("protocol_name", "MQTT", ""),
        ("protocol_name", "MQIsdp", "not MQTT"),
        ("version", 3, "MQTT 3.1"),
        ("version", 4, "MQTT 3.1.1"),
        ("version", 9, "unknown"),
        ("reserved", 0, "as it must be"),
        ("reserved", 3, "must be 0"),
        ("properties", 0, "none"),
        ("properties", 7, "bytes of properties"),
        ("topic_alias_maximum", 0, "no aliases"),
        ("topic_alias_maximum", 9, "aliases at most"),
        ("maximum_qos", 0, "at most once"),
        ("retain_available", 2, "not allowed"),
        ("receive_maximum", 9, "QoS 1 and 2 messages at a time"),
        ("packet_id", 9, ""),
    ],
)
def test_words(name: str, value: Any, meaning: str) -> None:
    assert meaning_of(name, value) == meaning


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("dup", 1),
        ("qos", 2),
        ("retain", 1),
        ("clean_start", 1),
        ("session_present", 1),
        ("user_name_flag", 1),
        ("password_flag", 1),
        ("will_flag", 1),
        ("retain_handling", 2),
        ("retain_as_published", 1),
        ("no_local", 1),
        ("payload_format_indicator", 1),
        ("request_problem_information", 1),
        ("request_response_information", 1),
        ("wildcard_subscription_available", 1),
    ],
)
def test_each_value_of_a_small_field_means_something_of_its_own(name: str, most: int) -> None:
    meanings = {meaning_of(name, value) for value in range(most + 1)}
    assert len(meanings) == most + 1
    assert meaning_of(name, most + 1) == "not allowed"
    assert "not allowed" not in meanings


@pytest.mark.parametrize(
    ("packet_type", "version", "code", "name"),
    [
        (PacketType.CONNACK, 4, 5, "Not authorized"),
        (PacketType.CONNACK, 4, 6, "unknown"),
        (PacketType.CONNACK, 5, 0x87, "Not authorized"),
        (PacketType.CONNACK, 5, 5, "unknown"),
        (PacketType.SUBACK, 5, 0, "Granted QoS 0"),
        (PacketType.SUBACK, 4, 0, "Granted QoS 0"),
        (PacketType.SUBACK, 4, 1, "Granted QoS 1"),
        (PacketType.SUBACK, 4, 2, "Granted QoS 2"),
        (PacketType.SUBACK, 4, 0x80, "Failure"),
        (PacketType.SUBACK, 4, 0x87, "unknown"),
        (PacketType.SUBACK, 5, 0x80, "Unspecified error"),
        (PacketType.DISCONNECT, 5, 0, "Normal disconnection"),
        (PacketType.PUBACK, 5, 0, "Success"),
        (PacketType.PUBACK, 5, 0xFF, "unknown"),
    ],
)
def test_reason_codes_are_named_by_their_packet(packet_type: PacketType, version: int, code: int, name: str) -> None:
    assert reason_name(packet_type, version, code) == name


def test_every_reason_code_has_a_name() -> None:
    codes = {code for by_role in REASON_CODES.values() for table in by_role.values() for code in table}
    assert codes <= set(ReasonCode)
    assert "unknown" not in {reason_name(PacketType.PUBACK, 5, code) for code in codes}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("reason_code", 0, "0x00"), ("options", 44, "0x2C"), ("keep_alive", 60, "60"), ("topic", "a", "'a'")],
)
def test_some_numbers_are_hexadecimal(name: str, value: Any, text: str) -> None:
    assert text_of(name, value) == text
