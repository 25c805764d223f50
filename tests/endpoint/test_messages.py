"""Messages between their publisher and their subscribers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mqttws.codec import Publish, Will, encode
from mqttws.endpoint.messages import OVERHEAD, Message
from mqttws.endpoint.subscriptions import Subscriber
from mqttws.vocabulary import ProtocolVersion, QoS
from tests.endpoint.bench import Q1, Q2

V4, V5 = ProtocolVersion.V3_1_1, ProtocolVersion.V5
PLAIN = Subscriber(Q2)


def published(**properties: Any) -> Message:
    given: Any = properties
    return Message.from_publish(Publish("t", b"payload", Q1, properties=given), 100.0)


def test_what_belongs_to_one_hop_stays_there() -> None:
    message = published(topic_alias=3, subscription_identifier=[4], content_type="text/plain")
    assert message.properties == {"content_type": "text/plain"}


def test_a_will_keeps_no_delay() -> None:
    properties: Any = {"will_delay_interval": 5, "message_expiry_interval": 7}
    message = Message.from_will(Will("t", b"gone", Q1, True, properties), 100.0)
    assert message.retain
    assert message.properties == {"message_expiry_interval": 7}
    assert message.expires_at == 107.0


def test_a_message_without_expiry_lasts_for_ever() -> None:
    assert published().expires_at == math.inf
    assert not published().expired(1e12)


@pytest.mark.parametrize(("waited", "left"), [(0.0, 10), (0.4, 10), (1.0, 9), (9.5, 1)])
def test_what_is_left_of_the_expiry_is_told_in_whole_seconds(waited: float, left: int) -> None:
    message = published(message_expiry_interval=10)
    assert not message.expired(100.0 + waited)
    assert message.publish(PLAIN, Q1, V5, 100.0 + waited).properties == {"message_expiry_interval": left}
    assert message.properties == {"message_expiry_interval": 10}


def test_a_message_expires_when_its_interval_is_over() -> None:
    assert published(message_expiry_interval=10).expired(110.0)


def test_subscribers_do_not_see_each_other_s_identifiers() -> None:
    message = published(content_type="x")
    first = message.publish(Subscriber(Q1, identifiers=(1,)), Q1, V5, 100.0)
    second = message.publish(PLAIN, Q1, V5, 100.0)
    assert first.properties == {"content_type": "x", "subscription_identifier": [1]}
    assert second.properties == {"content_type": "x"}


def test_3_1_1_gets_no_properties() -> None:
    message = published(content_type="x", message_expiry_interval=5)
    assert message.publish(Subscriber(Q1, identifiers=(1,)), Q1, V4, 100.0).properties == {}


@pytest.mark.parametrize(("published_so", "wanted_so", "retain"), [(True, True, True), (True, False, False)])
def test_retain_is_kept_only_for_who_asked_for_it(published_so: bool, wanted_so: bool, retain: bool) -> None:
    message = Message.from_publish(Publish("t", b"", Q1, published_so), 0.0)
    subscriber = Subscriber(QoS.AT_MOST_ONCE, retain_as_published=wanted_so)
    for version in (V4, V5):
        assert message.publish(subscriber, Q1, version, 0.0).retain is retain


def test_the_size_counts_payload_topic_and_some_overhead() -> None:
    assert published().size == len("t") + len(b"payload") + OVERHEAD


def test_at_qos_0_everybody_who_gets_the_same_gets_the_same_bytes() -> None:
    message = published(user_property=[("a", "b")])
    plain, other, named = Subscriber(QoS.AT_MOST_ONCE), Subscriber(Q1), Subscriber(Q1, identifiers=(7,))
    first = message.encoded(plain, ProtocolVersion.V5, 100.0)
    assert first[1] == encode(first[0])
    assert message.encoded(other, ProtocolVersion.V5, 100.0) is first
    assert message.encoded(named, ProtocolVersion.V5, 100.0)[0].properties["subscription_identifier"] == [7]
    assert message.encoded(plain, ProtocolVersion.V3_1_1, 100.0)[1] == encode(Publish("t", b"payload"), 4)
    message.delivered()
    assert message.encoded(plain, ProtocolVersion.V5, 100.0) is not first
