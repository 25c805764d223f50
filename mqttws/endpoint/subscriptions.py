"""Who wants what: the subscriptions of one hub, and which Topic Filters the service takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mqttws.codec import Subscription
from mqttws.endpoint.service import Service
from mqttws.topics import has_wildcard, is_shared
from mqttws.vocabulary import QOS, ProtocolVersion, QoS, ReasonCode
from mqttws.webpubsub.limits import topic_fault

__all__ = ["Subscriber", "SubscriptionIndex", "judge_filter"]

SessionT = TypeVar("SessionT")


@dataclass(slots=True, frozen=True)
class Subscriber:
    """The options of one subscription of one session (5.0: 3.8.3.1)."""

    qos: QoS
    no_local: bool = False
    retain_as_published: bool = False
    identifier: int | None = None
    #: Not asked for by the client itself: by its token, an event handler or REST. No role is needed for it.
    given: bool = False

    @classmethod
    def from_subscription(cls, subscription: Subscription, identifier: int | None) -> Subscriber:
        """What a SUBSCRIBE asked for; the QoS asked for is the QoS granted."""
        return cls(
            QOS[subscription.qos], bool(subscription.no_local), bool(subscription.retain_as_published), identifier
        )


class SubscriptionIndex(Generic[SessionT]):
    """The subscriptions of one hub by topic.

    A topic is a group and matches itself only, so one dict holds them all. Filters with wildcards would be a second
    index beside it, asked by the same :meth:`matching`.
    """

    __slots__ = ("_exact",)

    def __init__(self) -> None:
        self._exact: dict[str, dict[SessionT, Subscriber]] = {}

    def __len__(self) -> int:
        """How many topics have a subscriber."""
        return len(self._exact)

    def add(self, topic: str, session: SessionT, subscriber: Subscriber) -> None:
        """Subscribe, or replace the options of an identical subscription [MQTT-3.8.4-3]."""
        self._exact.setdefault(topic, {})[session] = subscriber

    def discard(self, topic: str, session: SessionT) -> None:
        """Unsubscribe; it need not have been subscribed."""
        sessions = self._exact.get(topic)
        if sessions is not None:
            sessions.pop(session, None)
            if not sessions:
                del self._exact[topic]

    def matching(self, topic: str) -> Iterable[tuple[SessionT, Subscriber]]:
        """Every session that gets a message on ``topic``, as it stands now: each once, in order of subscription.

        A snapshot, since a delivery may end a session that cannot keep up.
        """
        sessions = self._exact.get(topic)
        return tuple(sessions.items()) if sessions else ()


@dataclass(slots=True, frozen=True)
class FilterRefused:
    """Why a Topic Filter is not taken; ``ends_connection`` where the service's setting says DISCONNECT."""

    reason_code: ReasonCode
    message: str
    ends_connection: bool = False


def judge_filter(topic_filter: str, version: ProtocolVersion, service: Service) -> FilterRefused | None:
    """Whether the service knows such a subscription at all, permissions apart; None if it does."""
    fault = topic_fault(topic_filter, service.topic_length)
    if fault is not None:
        return FilterRefused(ReasonCode.TOPIC_FILTER_INVALID, fault)
    v5 = version is ProtocolVersion.V5
    if is_shared(topic_filter):
        return FilterRefused(
            ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
            "the service has no shared subscriptions",
            v5 and service.shared_answer == "disconnect",
        )
    if has_wildcard(topic_filter):
        return FilterRefused(
            ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            "the service has no wildcards: a topic is a group and matches itself only",
            v5 and service.wildcard_answer == "disconnect",
        )
    return None
