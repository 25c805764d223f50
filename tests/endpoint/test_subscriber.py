"""The options of a subscription, and of several that overlap."""

from __future__ import annotations

from mqttws.codec import Subscription
from mqttws.endpoint.subscriber import Subscriber
from mqttws.vocabulary import QoS


def test_the_options_come_from_the_subscription_and_from_what_the_hub_adds() -> None:
    subscription = Subscription("a", QoS.EXACTLY_ONCE, no_local=True, retain_as_published=True)
    assert Subscriber.from_subscription(subscription, 7) == Subscriber(QoS.EXACTLY_ONCE, True, True, (7,))
    plain = Subscription("a", QoS.AT_LEAST_ONCE)
    assert Subscriber.from_subscription(plain, None, no_local=True, shared=True) == Subscriber(
        QoS.AT_LEAST_ONCE, no_local=True, shared=True
    )


def test_one_delivery_for_several_has_the_highest_qos_and_all_identifiers() -> None:
    first = Subscriber(QoS.AT_MOST_ONCE, identifiers=(1,))
    second = Subscriber(QoS.EXACTLY_ONCE, retain_as_published=True, identifiers=(2,))
    third = Subscriber(QoS.AT_LEAST_ONCE)
    assert first.joined(()) is first
    assert first.joined((second, third)) == Subscriber(QoS.EXACTLY_ONCE, retain_as_published=True, identifiers=(1, 2))
