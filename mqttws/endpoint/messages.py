"""Application Messages on their way through a hub: from a PUBLISH or a Will to one PUBLISH for each subscriber."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from mqttws.codec import Publish, Will, encode
from mqttws.codec.properties import PublishProperties
from mqttws.endpoint.subscriber import Subscriber
from mqttws.errors import LocalProtocolError
from mqttws.topics import check_topic
from mqttws.vocabulary import QOS, ProtocolVersion, QoS
from mqttws.webpubsub import SERVER_MESSAGES

__all__ = ["OVERHEAD", "Message", "size_of"]

#: What a queued message costs besides its payload and topic, roughly.
OVERHEAD: Final = 200

#: The properties that go with a message to its subscribers [MQTT-3.3.2-4, -15, -16, -17, -20]. What belongs to one
#: hop (Topic Alias, Subscription Identifier) or to the Will's own timing does not.
_FORWARDED: Final = (
    "payload_format_indicator",
    "message_expiry_interval",
    "content_type",
    "response_topic",
    "correlation_data",
    "user_property",
)

_NO_PROPERTIES: Final[PublishProperties] = {}


def size_of(topic: str, payload: bytes) -> int:
    """Roughly what a message costs while it waits, in bytes."""
    return len(payload) + len(topic) + OVERHEAD


@dataclass(slots=True, eq=False)
class Message:
    """A message as the hub holds it. ``expires_at`` is in seconds of the caller's clock, infinity for never.

    ``user_id`` is the sender's, for protocols that tell it. ``has_topic`` is false for a group whose name no PUBLISH
    can carry.
    """

    topic: str
    payload: bytes
    qos: QoS
    retain: bool
    properties: PublishProperties
    expires_at: float = math.inf
    user_id: str | None = None
    has_topic: bool = True
    #: What :meth:`encoded` has made in this fan-out.
    _encoded: dict[tuple[object, ...], tuple[Publish, bytes]] = field(default_factory=dict, repr=False)

    @classmethod
    def from_publish(cls, publish: Publish, now: float, user_id: str | None = None) -> Message:
        """What a Client has published at ``now``."""
        properties, expires_at = _forwarded(publish.properties, now)
        return cls(publish.topic, publish.payload, QOS[publish.qos], publish.retain, properties, expires_at, user_id)

    @classmethod
    def from_will(cls, will: Will, now: float, user_id: str | None = None) -> Message:
        """A Will that is published at ``now``."""
        properties, expires_at = _forwarded(will.properties, now)
        return cls(will.topic, will.payload, QOS[will.qos], will.retain, properties, expires_at, user_id)

    @classmethod
    def from_server(
        cls,
        payload: bytes,
        now: float,
        *,
        topic: str = SERVER_MESSAGES,
        content_type: str | None = None,
        lifetime: int | None = None,
        user_id: str | None = None,
    ) -> Message:
        """What a server or a native client sends at ``now``: to a group, or by default to clients themselves.

        It goes out at QoS 1, or below where a subscription says so (documented). ``lifetime`` is in seconds.
        """
        given: dict[str, Any] = {"content_type": content_type, "message_expiry_interval": lifetime}
        properties, expires_at = _forwarded({name: value for name, value in given.items() if value is not None}, now)
        return cls(topic, payload, QoS.AT_LEAST_ONCE, False, properties, expires_at, user_id, _is_topic(topic))

    @property
    def size(self) -> int:
        """What it costs while it waits, in bytes."""
        return size_of(self.topic, self.payload)

    def expired(self, now: float) -> bool:
        """Whether a message that had to wait must not be sent any more [MQTT-3.3.2-5]."""
        return now >= self.expires_at

    def encoded(self, subscriber: Subscriber, version: ProtocolVersion, now: float) -> tuple[Publish, bytes]:
        """:meth:`publish` at QoS 0 and its bytes, made once for all subscribers that get the same.

        A fan-out to many takes a quarter less time for it, and less than half with properties (benchmark ``fanout``).
        What was made is kept until :meth:`delivered`.
        """
        key = (version, subscriber.retain_as_published, subscriber.identifiers)
        made = self._encoded.get(key)
        if made is None:
            publish = self.publish(subscriber, QoS.AT_MOST_ONCE, version, now)
            made = self._encoded[key] = (publish, encode(publish, version))
        return made

    def delivered(self) -> None:
        """It has been given to everybody who is there; what still waits is encoded when it leaves."""
        self._encoded.clear()

    def publish(self, subscriber: Subscriber, qos: QoS, version: ProtocolVersion, now: float) -> Publish:
        """The PUBLISH for one subscriber.

        It carries the identifier of the subscription [MQTT-3.3.4-3] and what is left of the Message Expiry Interval
        [MQTT-3.3.2-6]. RETAIN is 0 unless the subscription asked for it as published [MQTT-3.3.1-12, -13].
        """
        retain = self.retain and subscriber.retain_as_published
        if version is ProtocolVersion.V3_1_1:
            return Publish(self.topic, self.payload, qos, retain)
        properties = self.properties
        if subscriber.identifiers or self.expires_at < math.inf:
            properties = properties.copy()
            if self.expires_at < math.inf:
                properties["message_expiry_interval"] = max(0, math.ceil(self.expires_at - now))
            if subscriber.identifiers:
                properties["subscription_identifier"] = list(subscriber.identifiers)
        return Publish(self.topic, self.payload, qos, retain, False, None, properties)


def _is_topic(group: str) -> bool:
    """Whether a group's name can be a Topic Name."""
    try:
        check_topic(group)
        group.encode()
    except (LocalProtocolError, UnicodeEncodeError):
        return False
    return True


def _forwarded(given: Mapping[str, Any], now: float) -> tuple[PublishProperties, float]:
    """The properties that go with a message that came in at ``now``, and when it expires."""
    if not given:
        return _NO_PROPERTIES, math.inf
    kept = cast("PublishProperties", {name: given[name] for name in _FORWARDED if name in given})
    interval = kept.get("message_expiry_interval")
    return kept, math.inf if interval is None else now + interval
