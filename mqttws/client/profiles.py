"""What a particular service does not take, checked before it is sent.

A profile knows what a Server cannot say in CONNACK: the rules of Azure Web PubSub's MQTT endpoint, which answers a
breach by closing the connection, or not at all in words that 3.1.1 could carry.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, TypeAlias

from mqttws.codec import Connect, Publish, encode
from mqttws.errors import LocalProtocolError
from mqttws.topics import has_wildcard, is_shared
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode
from mqttws.webpubsub import limits
from mqttws.webpubsub.server_topics import EVENTS, event_name_fault

__all__ = ["MQTT", "WEB_PUBSUB", "Profile", "ProfileName", "choose"]

ProfileName: TypeAlias = Literal["auto", "mqtt", "webpubsub"]


class Profile:
    """Plain MQTT: nothing beyond the standard."""

    name = "mqtt"
    default_qos = QoS.AT_MOST_ONCE

    def check_connect(self, packet: Connect) -> None:
        """Raise :class:`LocalProtocolError` where the service would refuse this CONNECT."""

    def check_publish(self, packet: Publish, version: ProtocolVersion) -> None:
        """Raise :class:`LocalProtocolError` where the service would refuse this message."""

    def check_filter(self, topic_filter: str) -> None:
        """Raise :class:`LocalProtocolError` where the service would refuse this Topic Filter."""

    def check_events(self) -> None:
        """Raise :class:`LocalProtocolError` unless the service has user events."""
        raise LocalProtocolError("only Web PubSub has user events; the profile of this connection is plain MQTT")


_CLIENT_ID: Final = re.compile(limits.client_id_rule())
#: No header of a PUBLISH is longer than this; below it the size need not be counted.
_SURELY_FITS: Final = limits.MAXIMUM_PACKET_SIZE - 300_000


class WebPubSubProfile(Profile):
    """Azure Web PubSub, and endpoints that behave like it.

    Publishes at QoS 1 by default: a message that may not be published costs the connection at QoS 0, and only the
    message at QoS 1.
    """

    name = "webpubsub"
    default_qos = QoS.AT_LEAST_ONCE

    def check_connect(self, packet: Connect) -> None:
        """Client id, Keep Alive (3.1.1) and Will."""
        old = packet.version == ProtocolVersion.V3_1_1
        # In 5.0 the service assigns an identifier; in 3.1.1 none is below its shortest.
        if not _CLIENT_ID.fullmatch(packet.client_id) and (old or packet.client_id):
            raise _refusal(
                f"a client id is 1 to {limits.CLIENT_ID_LENGTH} ASCII letters and digits",
                ReasonCode.CLIENT_IDENTIFIER_NOT_VALID,
            )
        if old and not 1 <= packet.keep_alive <= limits.KEEP_ALIVE_MAXIMUM:
            raise _refusal(f"Keep Alive is 1 to {limits.KEEP_ALIVE_MAXIMUM} seconds in 3.1.1, not {packet.keep_alive}")
        if (will := packet.will) is None:
            return
        _check_topic(will.topic)
        if len(will.payload) > limits.WILL_PAYLOAD_LIMIT:
            raise _refusal(
                f"a Will Message has at most {limits.WILL_PAYLOAD_LIMIT:,} bytes, not {len(will.payload):,}",
                ReasonCode.PACKET_TOO_LARGE,
            )
        if will.retain:
            raise _refusal("there are no retained messages, a Will's included", ReasonCode.RETAIN_NOT_SUPPORTED)

    def check_publish(self, packet: Publish, version: ProtocolVersion) -> None:
        """Topic, RETAIN, Topic Alias and size; below ``$webpubsub/server/events/`` what makes an event."""
        _check_topic(packet.topic)
        if packet.topic.startswith(EVENTS):
            _check_event(packet)
        if packet.retain:
            raise _refusal("there are no retained messages", ReasonCode.RETAIN_NOT_SUPPORTED)
        if "topic_alias" in packet.properties:
            raise _refusal("there are no topic aliases", ReasonCode.TOPIC_ALIAS_INVALID)
        if len(packet.payload) > _SURELY_FITS and (size := _size(packet, version)) > limits.MAXIMUM_PACKET_SIZE:
            raise _refusal(f"a message has at most 1 MB, not {size:,} bytes", ReasonCode.PACKET_TOO_LARGE)

    def check_filter(self, topic_filter: str) -> None:
        """No wildcards, no shared subscriptions: a filter is the name of a group."""
        if is_shared(topic_filter):
            raise _refusal("there are no shared subscriptions", ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)
        if has_wildcard(topic_filter):
            raise _refusal("there are no wildcard subscriptions", ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
        _check_topic(topic_filter)

    def check_events(self) -> None:
        """There are."""


def _size(packet: Publish, version: ProtocolVersion) -> int:
    identified = Publish(
        packet.topic, packet.payload, packet.qos, packet.retain, False, 1 if packet.qos else None, packet.properties
    )
    return len(encode(identified, version))


def _check_topic(topic: str) -> None:
    if (fault := limits.topic_fault(topic)) is not None:
        raise _refusal(fault, ReasonCode.TOPIC_NAME_INVALID)


def _check_event(packet: Publish) -> None:
    if (fault := event_name_fault(packet.topic[len(EVENTS) :])) is not None:
        raise _refusal(fault, ReasonCode.TOPIC_NAME_INVALID)
    if (fault := limits.content_type_fault(packet.properties.get("content_type"))) is not None:
        raise _refusal(fault, ReasonCode.PAYLOAD_FORMAT_INVALID)


def _refusal(rule: str, reason_code: ReasonCode = ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR) -> LocalProtocolError:
    return LocalProtocolError(f"Web PubSub: {rule} (profile 'mqtt' leaves it to the Server)", reason_code=reason_code)


MQTT: Final = Profile()
WEB_PUBSUB: Final = WebPubSubProfile()

_BY_NAME: Final[dict[str, Callable[[str | None], Profile]]] = {
    "auto": lambda hub: MQTT if hub is None else WEB_PUBSUB,
    "mqtt": lambda _: MQTT,
    "webpubsub": lambda _: WEB_PUBSUB,
}


def choose(name: str, hub: str | None) -> Profile:
    """The profile of that name; ``auto`` goes by whether the URL's path is that of an MQTT hub."""
    try:
        return _BY_NAME[name](hub)
    except KeyError:
        raise ValueError(f"profile is one of {', '.join(_BY_NAME)}, not {name!r}") from None
