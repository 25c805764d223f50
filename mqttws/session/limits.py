"""What one end allows the other, as CONNECT and CONNACK settle it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mqttws.codec import ConnAck, Connect, Publish, Subscribe
from mqttws.errors import LocalProtocolError
from mqttws.topics import has_wildcard, is_shared
from mqttws.vocabulary import QOS, ProtocolVersion, QoS, ReasonCode, Role

__all__ = ["LARGEST_PACKET", "Limits"]

#: Five bytes of fixed header and the largest Remaining Length that four bytes can say (2.1.4).
LARGEST_PACKET = 268_435_455 + 5


@dataclass(slots=True)
class Limits:
    """The limits that one end has announced; the defaults are those of an end that announced none, as in 3.1.1.

    ``maximum_packet_size`` counts bytes of whole packets, ``receive_maximum`` QoS 1 and 2 messages under way. What only
    a Server can announce keeps its default in a Client's limits.
    """

    receive_maximum: int = 65_535
    maximum_packet_size: int = LARGEST_PACKET
    topic_alias_maximum: int = 0
    maximum_qos: QoS = QoS.EXACTLY_ONCE
    retain_available: bool = True
    wildcard_subscription_available: bool = True
    subscription_identifiers_available: bool = True
    shared_subscription_available: bool = True

    @classmethod
    def announced_in(cls, packet: Connect | ConnAck) -> Limits:
        """What the sender of ``packet`` allows its peer."""
        said: Mapping[str, Any] = packet.properties
        return cls(
            said.get("receive_maximum", 65_535),
            said.get("maximum_packet_size", LARGEST_PACKET),
            said.get("topic_alias_maximum", 0),
            QOS[said.get("maximum_qos", 2)],
            bool(said.get("retain_available", 1)),
            bool(said.get("wildcard_subscription_available", 1)),
            bool(said.get("subscription_identifier_available", 1)),
            bool(said.get("shared_subscription_available", 1)),
        )

    def check_publish(self, publish: Publish, sender: Role, version: ProtocolVersion | None = None) -> None:
        """Raise :class:`LocalProtocolError` unless this end takes such a message at all (5.0 only has such limits)."""
        if publish.qos > self.maximum_qos:
            raise LocalProtocolError(
                f"PUBLISH at QoS {publish.qos:d}; Maximum QoS is {self.maximum_qos:d}",
                reason_code=ReasonCode.QOS_NOT_SUPPORTED,
                statement="MQTT-3.2.2-11",
                version=version,
            )
        if publish.retain and not self.retain_available:
            raise LocalProtocolError(
                "PUBLISH with RETAIN 1; the Server has no retained messages",
                reason_code=ReasonCode.RETAIN_NOT_SUPPORTED,
                statement="MQTT-3.2.2-14",
                version=version,
            )
        alias = publish.properties.get("topic_alias")
        if alias is not None and alias > self.topic_alias_maximum:
            none_at_all = self.topic_alias_maximum == 0
            if sender is Role.CLIENT:
                statement = "MQTT-3.2.2-18" if none_at_all else "MQTT-3.2.2-17"
            else:
                statement = "MQTT-3.1.2-27" if none_at_all else "MQTT-3.1.2-26"
            raise LocalProtocolError(
                f"Topic Alias {alias}; Topic Alias Maximum is {self.topic_alias_maximum}",
                reason_code=ReasonCode.TOPIC_ALIAS_INVALID,
                statement=statement,
                version=version,
            )

    def check_subscribe(self, subscribe: Subscribe) -> None:
        """Raise :class:`LocalProtocolError` unless this Server takes such subscriptions (5.0: 3.2.2.3.11 to .13)."""
        filters = [subscription.topic_filter for subscription in subscribe.subscriptions]
        if not self.wildcard_subscription_available and any(map(has_wildcard, filters)):
            raise LocalProtocolError(
                "SUBSCRIBE with a wildcard; the Server has no Wildcard Subscriptions",
                reason_code=ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED,
            )
        if not self.shared_subscription_available and any(map(is_shared, filters)):
            raise LocalProtocolError(
                "SUBSCRIBE to a shared subscription; the Server has none",
                reason_code=ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED,
            )
        if not self.subscription_identifiers_available and "subscription_identifier" in subscribe.properties:
            raise LocalProtocolError(
                "SUBSCRIBE with a Subscription Identifier; the Server has none",
                reason_code=ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED,
            )

    def check_size(self, size: int, name: str, sender: Role) -> None:
        """Raise :class:`LocalProtocolError` unless a packet of ``size`` bytes may be sent to this end."""
        if size > self.maximum_packet_size:
            raise LocalProtocolError(
                f"{name} of {size:,} bytes; Maximum Packet Size is {self.maximum_packet_size:,}",
                reason_code=ReasonCode.PACKET_TOO_LARGE,
                statement="MQTT-3.2.2-15" if sender is Role.CLIENT else "MQTT-3.1.2-24",
            )
