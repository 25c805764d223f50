"""Who wants what: the subscriptions of one hub, and which Topic Filters the service takes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mqttws.endpoint.filters import FilterTree
from mqttws.endpoint.service import Service
from mqttws.endpoint.shares import Share
from mqttws.endpoint.subscriber import Subscriber
from mqttws.topics import has_wildcard, is_shared, matches, shared_filter
from mqttws.vocabulary import ProtocolVersion, ReasonCode
from mqttws.webpubsub import Grants

__all__ = ["Subscriber", "SubscriptionIndex", "judge_filter", "may_subscribe"]

SessionT = TypeVar("SessionT")


class SubscriptionIndex(Generic[SessionT]):
    """The subscriptions of one hub.

    A topic that is a group matches itself only, so one dict holds these. Filters with wildcards are in a tree beside
    it, and a shared subscription stands in either as one subscriber that picks a member for each message. Without
    ``wildcards`` every name is that of a group: the groups of tokens, REST and native clients may be called ``C#``.
    """

    __slots__ = ("_exact", "_shares", "_tree", "_wildcards")

    def __init__(self, *, wildcards: bool = True) -> None:
        self._wildcards = wildcards
        self._exact: dict[str, dict[SessionT | Share[SessionT], Subscriber]] = {}
        self._tree: FilterTree[SessionT | Share[SessionT], Subscriber] = FilterTree()
        self._shares: dict[str, Share[SessionT]] = {}

    def __len__(self) -> int:
        """How many topics, filters and shares have a subscriber."""
        return len(self._exact) + len(self._tree)

    def add(self, topic_filter: str, session: SessionT, subscriber: Subscriber) -> None:
        """Subscribe, or replace the options of an identical subscription [MQTT-3.8.4-3]."""
        if not subscriber.shared:
            self._set(topic_filter, session, subscriber)
            return
        share = self._shares.get(topic_filter)
        if share is None:
            share = self._shares[topic_filter] = Share()
            self._set(shared_filter(topic_filter)[1], share, subscriber)
        share.members[session] = subscriber

    def _set(self, topic_filter: str, key: SessionT | Share[SessionT], subscriber: Subscriber) -> None:
        if self._wildcards and has_wildcard(topic_filter):
            self._tree.set(topic_filter, key, subscriber)
        else:
            self._exact.setdefault(topic_filter, {})[key] = subscriber

    def discard(self, topic_filter: str, session: SessionT, *, shared: bool = False) -> None:
        """Unsubscribe; it need not have been subscribed, unless it is ``shared``."""
        if not shared:
            self._unset(topic_filter, session)
            return
        share = self._shares[topic_filter]
        del share.members[session]
        if not share.members:
            del self._shares[topic_filter]
            self._unset(shared_filter(topic_filter)[1], share)

    def _unset(self, topic_filter: str, key: SessionT | Share[SessionT]) -> None:
        if self._wildcards and has_wildcard(topic_filter):
            self._tree.discard(topic_filter, key)
            return
        sessions = self._exact.get(topic_filter)
        if sessions is not None:
            sessions.pop(key, None)
            if not sessions:
                del self._exact[topic_filter]

    def matching(self, topic: str, origin: SessionT | None = None) -> Iterable[tuple[SessionT, Subscriber]]:
        """Every session that gets a message on ``topic``, as it stands now, in order of subscription.

        Each comes once for all subscriptions of its own that match, and once for each share that picks it. What
        ``origin`` has published itself does not come back by a subscription with No Local [MQTT-3.8.3-3]. A snapshot,
        since a delivery may end a session that cannot keep up.
        """
        exact = self._exact.get(topic, {})
        if not self._tree and not self._shares:  # nothing can match twice
            return [
                (key, subscriber)
                for key, subscriber in exact.items()
                if not (key is origin and subscriber.no_local) and not isinstance(key, Share)
            ]
        found = {key: [subscriber] for key, subscriber in exact.items()}
        for key, subscriber in self._tree.matching(topic):
            found.setdefault(key, []).append(subscriber)
        chosen: list[tuple[SessionT, Subscriber]] = []
        for key, subscribers in found.items():
            if isinstance(key, Share):
                chosen.append(key.pick())
                continue
            if key is origin:
                subscribers = [subscriber for subscriber in subscribers if not subscriber.no_local]
            if subscribers:
                chosen.append((key, subscribers[0].joined(subscribers[1:])))
        return chosen

    def members(self, topic: str) -> list[SessionT]:
        """Who is subscribed to exactly this topic, and not as one of many who share it."""
        return [key for key in self._exact.get(topic, ()) if not isinstance(key, Share)]

    def wants(self, topic: str, filters: Iterable[str]) -> bool:
        """Whether one of these filters matches a topic; without wildcards in the index only an identical one can."""
        return bool(self._tree) and any(matches(topic_filter, topic) for topic_filter in filters)


def may_subscribe(grants: Grants, topic_filter: str, *, shared: bool = False) -> bool:
    """Whether roles allow a filter. One with wildcards takes the role for everything, or for just this filter:
    a pattern of roles and a filter do not match the same topics.
    """
    if shared:
        topic_filter = shared_filter(topic_filter)[1]
    return grants.may_subscribe(topic_filter, literally=has_wildcard(topic_filter))


@dataclass(slots=True, frozen=True)
class FilterRefused:
    """Why a Topic Filter is not taken; ``ends_connection`` where the service's setting says DISCONNECT."""

    reason_code: ReasonCode
    message: str
    ends_connection: bool = False


def judge_filter(topic_filter: str, version: ProtocolVersion, service: Service) -> FilterRefused | None:
    """Whether the service knows such a subscription at all, permissions apart; None if it does."""
    fault = service.topic_fault(topic_filter)
    if fault is not None:
        return FilterRefused(ReasonCode(service.filter_code), fault)
    v5 = version is ProtocolVersion.V5
    if is_shared(topic_filter) and not (service.shared_subscriptions and not v5):
        return _judge_shared(topic_filter, service) if v5 else _no_shares(service, v5=False)
    return _judge_wildcards(topic_filter, service, v5=v5)


def _judge_shared(topic_filter: str, service: Service) -> FilterRefused | None:
    if not service.shared_subscriptions:
        return _no_shares(service, v5=True)
    return _judge_wildcards(shared_filter(topic_filter)[1], service, v5=True)  # well formed: the codec has looked


def _no_shares(service: Service, *, v5: bool) -> FilterRefused:
    return FilterRefused(
        ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
        "the service has no shared subscriptions",
        v5 and service.shared_answer == "disconnect",
    )


def _judge_wildcards(topic_filter: str, service: Service, *, v5: bool) -> FilterRefused | None:
    if not has_wildcard(topic_filter):
        return None
    if not service.wildcards:
        return FilterRefused(
            ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            "the service has no wildcards: a topic is a group and matches itself only",
            v5 and service.wildcard_answer == "disconnect",
        )
    if topic_filter.count("/") >= service.filter_levels:
        return FilterRefused(
            ReasonCode.TOPIC_FILTER_INVALID, f"a filter with wildcards has at most {service.filter_levels} levels"
        )
    return None
