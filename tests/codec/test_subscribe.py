"""SUBSCRIBE and UNSUBSCRIBE, both versions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from mqttws.codec import Subscribe, Subscription, Unsubscribe, decode, encode
from mqttws.vocabulary import QOS, ReasonCode, RetainHandling
from tests.codec.checks import fault_of, own_fault
from tests.strategies import subscribes, unsubscribes

VECTORS = [
    (5, "82 07 0001 00 0001 61 01", Subscribe(1, [Subscription("a", QOS[1])])),
    (5, "82 07 0001 00 0001 61 2e", Subscribe(1, [Subscription("a", QOS[2], True, True, RetainHandling.DO_NOT_SEND)])),
    (5, "82 07 0001 00 0001 61 10", Subscribe(1, [Subscription("a", retain_handling=RetainHandling.SEND_IF_NEW)])),
    (5, "82 0b 0001 00 0001 61 01 0001 62 00", Subscribe(1, [Subscription("a", QOS[1]), Subscription("b")])),
    (5, "82 09 0001 02 0b 05 0001 23 00", Subscribe(1, [Subscription("#")], {"subscription_identifier": 5})),
    (4, "82 0a 0001 0001 61 01 0001 2b 02", Subscribe(1, [Subscription("a", QOS[1]), Subscription("+", QOS[2])])),
    (4, "82 0d 0001 0008 2473686172652f78 00", Subscribe(1, [Subscription("$share/x")])),
    (5, "a2 09 0001 00 0001 61 0001 23", Unsubscribe(1, ["a", "#"])),
    (4, "a2 05 0001 0001 61", Unsubscribe(1, ["a"])),
]


@pytest.mark.parametrize(("version", "wire", "packet"), VECTORS)
def test_vectors_in_both_directions(version: int, wire: str, packet: Any) -> None:
    assert decode(bytes.fromhex(wire), version) == packet
    assert encode(packet, version) == bytes.fromhex(wire)


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("strategy", [subscribes, unsubscribes])
def test_what_we_write_we_read(strategy: Any, version: int) -> None:
    @settings(max_examples=50)
    @given(strategy(version))
    def holds(packet: Any) -> None:
        assert decode(encode(packet, version), version) == packet

    holds()


@pytest.mark.parametrize(
    ("version", "wire", "field", "statement", "code"),
    [
        (5, "82 03 0001 00", "subscriptions", "MQTT-3.8.3-2", 0x82),
        (4, "82 02 0001", "subscriptions", "MQTT-3.8.3-3", 0x82),
        (5, "82 07 0000 00 0001 61 01", "packet_id", "MQTT-2.2.1-3", 0x82),
        (4, "82 06 0000 0001 61 01", "packet_id", "MQTT-2.3.1-1", 0x82),
        (4, "82 00", "packet_id", None, 0x81),
        (5, "82 06 0001 00 0001 61", "options", None, 0x81),
        (4, "82 05 0001 0001 61", "qos", None, 0x81),
        (5, "82 07 0001 00 0001 61 40", "options", "MQTT-3.8.3-5", 0x81),
        (5, "82 07 0001 00 0001 61 80", "options", "MQTT-3.8.3-5", 0x81),
        (5, "82 07 0001 00 0001 61 03", "qos", None, 0x82),
        (4, "82 06 0001 0001 61 03", "qos", "MQTT-3.8.3-4", 0x81),
        (4, "82 06 0001 0001 61 04", "qos", "MQTT-3.8.3-4", 0x81),
        (5, "82 07 0001 00 0001 61 30", "retain_handling", None, 0x82),
        (5, "82 10 0001 00 000a 2473686172652f672f61 04", "no_local", "MQTT-3.8.3-4", 0x82),
        (5, "82 0d 0001 00 0007 2473686172652f 00", "topic_filter", "MQTT-4.8.2-1", 0x8F),
        (5, "82 10 0001 00 000a 2473686172652f2b2f61 00", "topic_filter", "MQTT-4.8.2-2", 0x8F),
        (5, "82 11 0001 00 000b 2473686172652f672f6123 00", "topic_filter", "MQTT-4.7.1-1", 0x8F),
        (5, "82 06 0001 00 0000 00", "topic_filter", "MQTT-4.7.3-1", 0x8F),
        (5, "82 08 0001 00 0002 612b 00", "topic_filter", "MQTT-4.7.1-2", 0x8F),
        (4, "82 07 0001 0002 612b 00", "topic_filter", "MQTT-4.7.1-3", 0x8F),
        (5, "82 07 0001 00 0001 ff 00", "topic_filter", "MQTT-3.8.3-1", 0x81),
        (5, "82 07 0001 00 0001 00 00", "topic_filter", "MQTT-4.7.3-2", 0x81),
        (5, "a2 03 0001 00", "topic_filters", "MQTT-3.10.3-2", 0x82),
        (4, "a2 02 0001", "topic_filters", "MQTT-3.10.3-2", 0x82),
        (5, "a2 06 0001 00 0001 ff", "topic_filters", "MQTT-3.10.3-1", 0x81),
        (5, "a2 06 0001 00 0001 00", "topic_filters", "MQTT-4.7.3-2", 0x81),
        (4, "a2 05 0000 0001 61", "packet_id", "MQTT-2.3.1-1", 0x82),
        (4, "a2 06 0001 0002 2361", "topic_filters", "MQTT-4.7.1-2", 0x8F),
    ],
)
def test_what_the_standard_forbids_is_refused(
    version: int, wire: str, field: str, statement: str | None, code: int
) -> None:
    error = fault_of(wire, version)
    assert (error.field, error.statement, error.reason_code) == (field, statement, code)


@pytest.mark.parametrize(
    ("version", "wire", "offset"),
    [
        (5, "82 08 0001 00 0002 612b 00", 7),
        (4, "82 07 0001 0002 612b 00", 6),
        (4, "a2 06 0001 0002 2361", 6),
        (5, "82 07 0001 00 0001 ff 00", 7),
        (5, "82 07 0001 00 0001 61 c0", 8),
        (4, "82 0a 0001 0001 61 00 0001 62 03", 11),
    ],
)
def test_a_fault_says_where_it_is(version: int, wire: str, offset: int) -> None:
    assert fault_of(wire, version).offset == offset


_BAD_QOS: Any = 3
_BAD_HANDLING: Any = 3


@pytest.mark.parametrize(
    ("version", "packet", "field", "statement"),
    [
        (5, Subscribe(1, []), "subscriptions", "MQTT-3.8.3-2"),
        (4, Subscribe(1, []), "subscriptions", "MQTT-3.8.3-3"),
        (5, Subscribe(0, [Subscription("a")]), "packet_id", "MQTT-2.2.1-3"),
        (4, Subscribe(0, [Subscription("a")]), "packet_id", "MQTT-2.3.1-1"),
        (5, Subscribe(1, [Subscription("a", _BAD_QOS)]), "qos", None),
        (4, Subscribe(1, [Subscription("a", _BAD_QOS)]), "qos", "MQTT-3.8.3-4"),
        (5, Subscribe(1, [Subscription("a", retain_handling=_BAD_HANDLING)]), "retain_handling", None),
        (5, Subscribe(1, [Subscription("$share/g/a", no_local=True)]), "no_local", "MQTT-3.8.3-4"),
        (4, Subscribe(1, [Subscription("a", no_local=True)]), "options", None),
        (4, Subscribe(1, [Subscription("a", retain_as_published=True)]), "options", None),
        (4, Subscribe(1, [Subscription("a", retain_handling=RetainHandling.SEND_IF_NEW)]), "options", None),
        (4, Subscribe(1, [Subscription("a")], {"subscription_identifier": 1}), "properties", None),
        (5, Subscribe(1, [Subscription("a#")]), "topic_filter", "MQTT-4.7.1-1"),
        (4, Subscribe(1, [Subscription("a#")]), "topic_filter", "MQTT-4.7.1-2"),
        (5, Subscribe(1, [Subscription("$share/g")]), "topic_filter", "MQTT-4.8.2-2"),
        (5, Subscribe(1, [Subscription("")]), "topic_filter", "MQTT-4.7.3-1"),
        (5, Unsubscribe(1, []), "topic_filters", "MQTT-3.10.3-2"),
        (5, Unsubscribe(0, ["a"]), "packet_id", "MQTT-2.2.1-3"),
        (4, Unsubscribe(1, ["a"], {"user_property": [("a", "b")]}), "properties", None),
        (4, Unsubscribe(1, ["\ud800"]), "topic_filters", "MQTT-3.10.3-1"),
    ],
)
def test_what_no_server_may_get_is_not_written(version: int, packet: Any, field: str, statement: str | None) -> None:
    error = own_fault(packet, version)
    assert (error.field, error.statement) == (field, statement)
    assert field != "properties" or error.message == "MQTT 3.1.1 has no properties"


def test_a_bad_topic_filter_has_its_own_reason_code() -> None:
    assert own_fault(Subscribe(1, [Subscription("a#")])).reason_code is ReasonCode.TOPIC_FILTER_INVALID
