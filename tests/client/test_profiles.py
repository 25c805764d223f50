"""Profiles: what Azure Web PubSub's MQTT endpoint does not take is refused before it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.client.profiles import MQTT, WEB_PUBSUB, choose
from mqttws.codec import Connect, Publish, Will
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode

V5 = ProtocolVersion.V5


def test_auto_goes_by_the_hub_in_the_url() -> None:
    assert choose("auto", "chat") is WEB_PUBSUB
    assert choose("auto", None) is MQTT
    assert choose("webpubsub", None) is WEB_PUBSUB
    assert choose("mqtt", "chat") is MQTT


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="profile is one of auto, mqtt, webpubsub, not 'azure'"):
        choose("azure", None)


def test_web_pubsub_publishes_at_qos_1_and_plain_mqtt_at_qos_0() -> None:
    assert WEB_PUBSUB.default_qos == QoS.AT_LEAST_ONCE
    assert MQTT.default_qos == QoS.AT_MOST_ONCE


def test_plain_mqtt_takes_what_web_pubsub_does_not() -> None:
    MQTT.check_connect(
        Connect(ProtocolVersion.V3_1_1, "mqttjs_1", keep_alive=0, will=Will("w", bytes(3_000), retain=True))
    )
    MQTT.check_publish(Publish("a", bytes(2_000_000), retain=True), V5)
    MQTT.check_filter("#")


def connect(**fields: Any) -> Connect:
    arguments: dict[str, Any] = {"version": 5, "client_id": "me1", "keep_alive": 60}
    return Connect(**(arguments | fields))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"client_id": "a" * 128},
        {"client_id": ""},
        {"keep_alive": 0},
        {"version": 4, "keep_alive": 1},
        {"version": 4, "keep_alive": 180},
        {"will": Will("w" * 1_024, bytes(2_000))},
    ],
)
def test_a_connect_within_the_limits_passes(fields: dict[str, Any]) -> None:
    packet = connect(**fields)
    WEB_PUBSUB.check_connect(packet)
    assert packet == connect(**fields)


@pytest.mark.parametrize(
    ("fields", "reason_code"),
    [
        ({"client_id": "mqttjs_12ab"}, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
        ({"client_id": "a" * 129}, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
        ({"client_id": "ä"}, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
        ({"client_id": "a\n"}, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
        ({"client_id": "", "version": 4}, ReasonCode.CLIENT_IDENTIFIER_NOT_VALID),
        ({"version": 4, "keep_alive": 0}, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR),
        ({"version": 4, "keep_alive": 181}, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR),
        ({"will": Will("  ")}, ReasonCode.TOPIC_NAME_INVALID),
        ({"will": Will("w" * 1_025)}, ReasonCode.TOPIC_NAME_INVALID),
        ({"will": Will("w", bytes(2_001))}, ReasonCode.PACKET_TOO_LARGE),
        ({"will": Will("w", retain=True)}, ReasonCode.RETAIN_NOT_SUPPORTED),
    ],
)
def test_a_connect_beyond_the_limits_is_refused_with_the_rule(fields: dict[str, Any], reason_code: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"^Web PubSub: ") as caught:
        WEB_PUBSUB.check_connect(connect(**fields))
    assert caught.value.reason_code == reason_code


@pytest.mark.parametrize("qos", [QoS.AT_MOST_ONCE, QoS.AT_LEAST_ONCE])
def test_a_message_of_exactly_1_mb_passes_and_one_byte_more_does_not(qos: QoS) -> None:
    overhead = 1 + 3 + 2 + 1 + 1 + (2 if qos else 0)  # first byte, length, topic, properties, identifier
    WEB_PUBSUB.check_publish(Publish("a", bytes(1_048_576 - overhead), qos), V5)
    with pytest.raises(LocalProtocolError, match="at most 1 MB, not 1,048,577 bytes") as caught:
        WEB_PUBSUB.check_publish(Publish("a", bytes(1_048_577 - overhead), qos), V5)
    assert caught.value.reason_code == ReasonCode.PACKET_TOO_LARGE


@pytest.mark.parametrize(
    ("packet", "reason_code"),
    [
        (Publish(" ", b""), ReasonCode.TOPIC_NAME_INVALID),
        (Publish("t" * 1_025, b""), ReasonCode.TOPIC_NAME_INVALID),
        (Publish("t", b"", retain=True), ReasonCode.RETAIN_NOT_SUPPORTED),
        (Publish("t", b"", properties={"topic_alias": 1}), ReasonCode.TOPIC_ALIAS_INVALID),
        (Publish("$webpubsub/server/events/"), ReasonCode.TOPIC_NAME_INVALID),
        (Publish("$webpubsub/server/events/a/b"), ReasonCode.TOPIC_NAME_INVALID),
        (Publish("$webpubsub/server/events/a", properties={"content_type": "json"}), ReasonCode.PAYLOAD_FORMAT_INVALID),
    ],
)
def test_a_message_that_the_service_does_not_take_is_refused(packet: Publish, reason_code: int) -> None:
    with pytest.raises(LocalProtocolError, match=r"^Web PubSub: ") as caught:
        WEB_PUBSUB.check_publish(packet, V5)
    assert caught.value.reason_code == reason_code


def test_an_event_has_a_name_and_a_mime_type_if_any() -> None:
    for properties in ({}, {"content_type": "application/json"}):
        said: Any = properties
        event = Publish("$webpubsub/server/events/order", b"{}", properties=said)
        WEB_PUBSUB.check_publish(event, V5)
        assert event.properties == properties


@pytest.mark.parametrize(
    ("topic_filter", "reason_code"),
    [
        ("a/+", ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("#", ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("$share/g/a", ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED),
        ("t" * 1_025, ReasonCode.TOPIC_NAME_INVALID),
    ],
)
def test_a_filter_is_the_name_of_a_group(topic_filter: str, reason_code: int) -> None:
    WEB_PUBSUB.check_filter("group/1")
    with pytest.raises(LocalProtocolError, match=r"^Web PubSub: ") as caught:
        WEB_PUBSUB.check_filter(topic_filter)
    assert caught.value.reason_code == reason_code
