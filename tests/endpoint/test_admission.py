"""Rows 19 to 31 and 37 to 38 of the emulation contract: what CONNECT must say, and what CONNACK answers."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Connect, Will
from mqttws.endpoint import Service
from mqttws.endpoint.admission import Accepted, Refused, judge_connect, new_client_id
from mqttws.vocabulary import ConnectReturnCode, ProtocolVersion, ReasonCode


def connect(client_id: str = "c1", *, version: int = 5, **fields: Any) -> Connect:
    fields.setdefault("keep_alive", 60)
    return Connect(ProtocolVersion(version), client_id, **fields)


def refused(packet: Connect, **settings: Any) -> Refused:
    verdict = judge_connect(packet, Service(**settings), "assigned1")
    assert isinstance(verdict, Refused)
    return verdict


def accepted(packet: Connect, **settings: Any) -> Accepted:
    verdict = judge_connect(packet, Service(**settings), "assigned1")
    assert isinstance(verdict, Accepted), verdict
    return verdict


@pytest.mark.parametrize("client_id", ["a", "Z9", "x" * 128])
@pytest.mark.parametrize("version", [4, 5])
def test_row_22_ids_of_the_documented_form_pass(client_id: str, version: int) -> None:
    assert accepted(connect(client_id, version=version)).client_id == client_id


@pytest.mark.parametrize("client_id", ["a_b", "a-b", "a b", "ä", "x" * 129, "a\n", "#", "٣"])
def test_row_22_other_ids_are_refused_with_the_code_of_the_version(client_id: str) -> None:
    assert refused(connect(client_id)).reason_code == ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
    assert refused(connect(client_id, version=4)).reason_code == ConnectReturnCode.IDENTIFIER_REJECTED


def test_row_22_a_stock_mqtt_js_id_is_refused_with_the_rule_and_the_switch() -> None:
    verdict = refused(connect("mqttjs_1a2b3c4d"))
    assert "[0-9A-Za-z]{1,128}" in verdict.message
    assert "allow_underscore" in verdict.message
    assert "mqttjs_1a2b3c4d" in verdict.message


def test_row_22_the_switch_is_not_named_where_it_would_not_help() -> None:
    assert "allow_underscore" not in refused(connect("a-b")).message
    assert "allow_underscore" not in refused(connect("a-b"), allow_underscore=True).message


def test_row_22_the_switch_admits_underscores_and_nothing_else() -> None:
    assert accepted(connect("mqttjs_1a2b3c4d"), allow_underscore=True).client_id
    assert refused(connect("mqttjs-1"), allow_underscore=True).message


def test_row_23_a_5_0_client_without_an_id_gets_one() -> None:
    verdict = accepted(connect(""))
    assert verdict.client_id == "assigned1"
    assert verdict.properties["assigned_client_identifier"] == "assigned1"
    assert "assigned_client_identifier" not in accepted(connect("a")).properties


def test_row_23_assigned_ids_obey_the_rule_and_differ() -> None:
    ids = {new_client_id() for _ in range(100)}
    assert len(ids) == 100
    for client_id in ids:
        assert accepted(connect(client_id)).client_id == client_id


def test_row_24_a_3_1_1_client_without_an_id_is_refused() -> None:
    assert refused(connect("", version=4)).reason_code == ConnectReturnCode.IDENTIFIER_REJECTED


@pytest.mark.parametrize("keep_alive", [0, 181, 65_535])
def test_row_25_a_3_1_1_keep_alive_outside_1_to_180_is_refused_by_a_setting(keep_alive: int) -> None:
    packet = connect(version=4, keep_alive=keep_alive)
    assert refused(packet).reason_code == 3
    assert refused(packet, v3_refusal_code=5).reason_code == 5
    assert refused(packet).message.startswith("invalid keep alive interval")


@pytest.mark.parametrize("keep_alive", [1, 180])
def test_row_25_and_26_keep_alives_of_1_to_180_pass(keep_alive: int) -> None:
    assert accepted(connect(version=4, keep_alive=keep_alive)).client_id
    assert "server_keep_alive" not in accepted(connect(keep_alive=keep_alive)).properties


@pytest.mark.parametrize("keep_alive", [0, 181, 65_535])
def test_row_26_a_5_0_client_is_told_another_keep_alive(keep_alive: int) -> None:
    assert accepted(connect(keep_alive=keep_alive)).properties["server_keep_alive"] == 180


@pytest.mark.parametrize("topic", [" ", "\t", "t" * 1025])
def test_row_27_blank_and_long_will_topics_are_refused(topic: str) -> None:
    will = Will(topic, b"")
    assert refused(connect(will=will)).reason_code == ReasonCode.TOPIC_NAME_INVALID
    assert refused(connect(version=4, will=will)).reason_code == 3


def test_row_28_a_will_above_2000_bytes_is_refused_by_a_setting() -> None:
    assert accepted(connect(will=Will("t" * 1024, b"x" * 2000))).client_id
    will = Will("t", b"x" * 2001)
    assert refused(connect(will=will)).reason_code == 0x97
    assert refused(connect(will=will), will_payload_code=0x95).reason_code == 0x95
    assert refused(connect(version=4, will=will)).reason_code == 3


def test_row_29_a_retained_will_is_refused_in_5_0_only() -> None:
    will = Will("t", b"", retain=True)
    assert refused(connect(will=will)).reason_code == ReasonCode.RETAIN_NOT_SUPPORTED
    assert accepted(connect(version=4, will=will)).client_id


@pytest.mark.parametrize("version", [4, 5])
def test_row_30_user_name_and_password_are_not_looked_at(version: int) -> None:
    assert accepted(connect(version=version, username="u", password=b"p")).client_id


def test_row_31_an_authentication_method_is_refused() -> None:
    packet = connect(properties={"authentication_method": "SCRAM"})
    assert refused(packet).reason_code == ReasonCode.BAD_AUTHENTICATION_METHOD


@pytest.mark.parametrize(
    ("asked", "kept", "told"), [(0, 0, False), (30, 30, False), (31, 30, True), (2**32 - 1, 30, True)]
)
def test_row_37_a_longer_session_expiry_becomes_30_and_is_said_so(asked: int, kept: int, told: bool) -> None:
    verdict = accepted(connect(properties={"session_expiry_interval": asked}))
    assert verdict.expiry == kept
    assert verdict.properties.get("session_expiry_interval") == (30 if told else None)


def test_row_37_a_3_1_1_session_is_kept_for_30_seconds_unless_clean() -> None:
    assert accepted(connect(version=4, clean_start=False)).expiry == 30
    assert accepted(connect(version=4, clean_start=True)).expiry == 0
    assert accepted(connect(version=4)).properties == {}


def test_row_38_connack_says_what_is_missing_and_what_is_bounded() -> None:
    assert accepted(connect(), receive_maximum=65_535).properties == {
        "receive_maximum": 65_535,
        "maximum_packet_size": 1_048_576,
        "retain_available": 0,
        "wildcard_subscription_available": 0,
        "shared_subscription_available": 0,
    }
