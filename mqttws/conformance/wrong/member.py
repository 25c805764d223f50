"""What the reference Server knows of one Client: its Session, and what waits for it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import trio

from mqttws.codec import Publish, Subscription, Will
from mqttws.errors import LocalProtocolError
from mqttws.link import Link
from mqttws.session import Session
from mqttws.topics import is_shared, matches, shared_filter
from mqttws.transport import Pump
from mqttws.vocabulary import ProtocolVersion, QoS

__all__ = ["FORWARDED", "Held", "Member", "Message", "Waiting"]

#: Messages that wait for one Client at most; what comes then is dropped.
_MOST_WAITING: Final = 10_000
#: Properties of a message that go with it, unchanged [MQTT-3.3.2-4, -15, -16, -17, -18, -20].
FORWARDED: Final = (
    "payload_format_indicator", "message_expiry_interval", "content_type", "response_topic", "correlation_data",
    "user_property",
)  # fmt: skip


@dataclass(slots=True)
class Message:
    """An Application Message in the Server. ``sender`` is the Client Identifier, ``expires`` on the Server's clock."""

    topic: str
    payload: bytes
    qos: QoS
    retain: bool
    properties: dict[str, Any] = field(default_factory=dict)
    sender: str = ""
    expires: float = math.inf

    @classmethod
    def of(cls, source: Publish | Will, sender: str, now: float) -> Message:
        """The message of a PUBLISH or a Will."""
        said: Mapping[str, Any] = source.properties
        properties = {name: said[name] for name in said if name in FORWARDED}
        expires = now + properties.get("message_expiry_interval", math.inf)
        return cls(source.topic, source.payload, source.qos, source.retain, properties, sender, expires)


@dataclass(slots=True)
class Held:
    """A subscription that a Session holds."""

    options: Subscription
    identifier: int | None
    share: str | None
    topic_filter: str

    @classmethod
    def of(cls, options: Subscription, identifier: int | None, *, v5: bool) -> Held:
        """From a SUBSCRIBE; what a shared one of 5.0 matches is its inner filter."""
        share: str | None = None
        topic_filter = options.topic_filter
        if v5 and is_shared(topic_filter):
            share, topic_filter = shared_filter(topic_filter)
        return cls(options, identifier, share, topic_filter)

    def matches(self, topic: str) -> bool:
        """Whether it is for messages on this topic."""
        return matches(self.topic_filter, topic)


@dataclass(slots=True)
class Waiting:
    """A message that is to be sent, and until when that makes sense."""

    publish: Publish
    expires: float


class Member:
    """A Client Identifier, with its Session and perhaps a connection. ``key`` is what the Broker knows it by."""

    def __init__(self, key: str, version: ProtocolVersion) -> None:
        self.key = key
        self.version = version
        self.subscriptions: dict[str, Held] = {}
        self.session = Session()
        self.waiting: deque[Waiting] = deque()
        self.will: Message | None = None
        self.will_delay = 0
        #: When the Will is to be published, and when the Session ends; both only while there is no connection.
        self.will_at = math.inf
        self.ends_at = math.inf
        self._pump: Pump | None = None

    @property
    def link(self) -> Link | None:
        """The wire that it has now."""
        return None if self._pump is None else self._pump.link

    def attach(self, pump: Pump | None) -> None:
        """It has a connection, or none any more."""
        self._pump = pump

    def put(self, waiting: Waiting) -> None:
        """A message for it. At QoS 0 it is for a connection that is there."""
        if len(self.waiting) < _MOST_WAITING and (waiting.publish.qos or self._pump is not None):
            self.waiting.append(waiting)
            self.flush()

    def flush(self) -> None:
        """Send what may be sent: in order, within the Client's Receive Maximum, as long as it has not expired."""
        pump, waiting = self._pump, self.waiting
        if pump is None:
            return
        connection = pump.link.connection
        while waiting and connection.is_open and (connection.send_quota or not waiting[0].publish.qos):
            self._send(pump.link, waiting.popleft())
        pump.flush()

    def _send(self, link: Link, waiting: Waiting) -> None:
        now = trio.current_time()
        publish = waiting.publish
        if waiting.expires <= now:
            return  # MQTT-3.3.2-5
        if waiting.expires < math.inf and self.version == ProtocolVersion.V5:
            publish.properties["message_expiry_interval"] = math.ceil(waiting.expires - now)  # MQTT-3.3.2-6
        try:
            link.send(publish, now)
        except LocalProtocolError:
            self.too_large(publish)

    def too_large(self, publish: Publish) -> None:
        """A message that this Client does not take: as if it had been sent [MQTT-3.1.2-25]."""
