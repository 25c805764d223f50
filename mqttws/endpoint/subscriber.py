"""The options of one subscription (5.0: 3.8.3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mqttws.codec import Subscription
from mqttws.vocabulary import QOS, QoS

__all__ = ["Subscriber"]


@dataclass(slots=True, frozen=True)
class Subscriber:
    """One subscription of one member. ``identifiers`` are those of all subscriptions that a delivery is for.

    ``given`` says that the client has not asked for it itself, but its token, an event handler or REST: no role is
    needed for it. ``shared`` that it is one of 4.8.2.
    """

    qos: QoS
    no_local: bool = False
    retain_as_published: bool = False
    identifiers: tuple[int, ...] = ()
    given: bool = False
    shared: bool = False

    @classmethod
    def from_subscription(
        cls, subscription: Subscription, identifier: int | None, *, no_local: bool = False, shared: bool = False
    ) -> Subscriber:
        """What a SUBSCRIBE asked for; the QoS asked for is the QoS granted."""
        return cls(
            QOS[subscription.qos],
            bool(subscription.no_local) or no_local,
            bool(subscription.retain_as_published),
            () if identifier is None else (identifier,),
            shared=shared,
        )

    def joined(self, others: Iterable[Subscriber]) -> Subscriber:
        """One delivery for several subscriptions of one member that overlap: the highest QoS [MQTT-3.3.4-2], and the
        identifiers of all [MQTT-3.3.4-4].
        """
        joined = self
        for other in others:
            joined = replace(
                joined,
                qos=max(joined.qos, other.qos),
                retain_as_published=joined.retain_as_published or other.retain_as_published,
                identifiers=joined.identifiers + other.identifiers,
            )
        return joined
