"""The index of subscriptions, and which filters the service takes."""

from __future__ import annotations

import pytest

from mqttws.codec import Subscription
from mqttws.endpoint import Service
from mqttws.endpoint.subscriptions import Subscriber, SubscriptionIndex, judge_filter
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode

AT_MOST, AT_LEAST, EXACTLY = (Subscriber(qos) for qos in QoS)


def test_each_session_matches_once_in_order_of_subscription() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add("a", "first", AT_MOST)
    index.add("a", "second", AT_LEAST)
    index.add("a", "first", EXACTLY)
    index.add("b", "third", AT_MOST)
    assert list(index.matching("a")) == [("first", EXACTLY), ("second", AT_LEAST)]
    assert len(index) == 2


def test_nothing_is_kept_of_a_topic_without_subscribers() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add("a", "first", AT_MOST)
    index.discard("a", "stranger")
    index.discard("never", "first")
    assert len(index) == 1
    index.discard("a", "first")
    assert len(index) == 0
    assert list(index.matching("a")) == []


def test_what_matches_is_a_snapshot() -> None:
    index: SubscriptionIndex[str] = SubscriptionIndex()
    index.add("a", "first", AT_MOST)
    index.add("a", "second", AT_MOST)
    seen = []
    for session, _ in index.matching("a"):
        seen.append(session)
        index.discard("a", "second")
    assert seen == ["first", "second"]


def test_the_options_come_from_the_subscription() -> None:
    subscription = Subscription("a", QoS.EXACTLY_ONCE, no_local=True, retain_as_published=True)
    assert Subscriber.from_subscription(subscription, 7) == Subscriber(QoS.EXACTLY_ONCE, True, True, (7,))


@pytest.mark.parametrize("topic", ["a", " a", "a" * 1024, "$webpubsub/server/messages", "/", "äöü"])
def test_a_group_name_is_a_topic(topic: str) -> None:
    assert judge_filter(topic, ProtocolVersion.V5, Service()) is None


@pytest.mark.parametrize("topic", ["", " ", "\n\t", "a" * 1025])
def test_blank_and_long_topics_are_named_as_what_they_are(topic: str) -> None:
    refused = judge_filter(topic, ProtocolVersion.V5, Service())
    assert refused is not None
    assert refused.reason_code == ReasonCode.TOPIC_FILTER_INVALID
    assert not refused.ends_connection


@pytest.mark.parametrize(
    ("topic_filter", "setting", "code"),
    [("#", "wildcard_answer", 0xA2), ("a/+/b", "wildcard_answer", 0xA2), ("$share/n/#", "shared_answer", 0x9E)],
)
def test_the_answer_to_what_is_not_supported_is_a_setting_for_5_0(topic_filter: str, setting: str, code: int) -> None:
    strict = Service().changed(**{setting: "disconnect"})
    for service, version, ends in (
        (Service(), ProtocolVersion.V5, False),
        (strict, ProtocolVersion.V5, True),
        (strict, ProtocolVersion.V3_1_1, False),
    ):
        refused = judge_filter(topic_filter, version, service)
        assert refused is not None
        assert (refused.reason_code, refused.ends_connection) == (code, ends)
