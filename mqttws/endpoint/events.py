"""Publishes to the service instead of to a topic: user events (rows 60 to 63 of the emulation contract).

``$webpubsub/server/events/{name}`` asks for an event handler, whose answer comes back on the same topic with
``/succeeded`` or ``/failed`` behind it, unasked, at the QoS of the request. An event that nobody handles meets the
setting ``event_without_handler``.
"""

from __future__ import annotations

from mqttws.codec import Publish
from mqttws.codec.properties import PublishProperties
from mqttws.endpoint.messages import Message
from mqttws.endpoint.upstream import EventAnswer
from mqttws.vocabulary import QOS, ReasonCode
from mqttws.webpubsub.limits import content_type_fault
from mqttws.webpubsub.server_topics import EVENTS, STATUS_PROPERTY, answer_topics, event_name_fault

__all__ = ["answer", "event_fault"]


def event_fault(publish: Publish) -> tuple[ReasonCode, str] | None:
    """Why a PUBLISH below ``$webpubsub/server/events/`` is no event, as code and text; None if it is one.

    Documented: the name holds no ``/``, and a content type is a MIME type.
    """
    if (fault := event_name_fault(publish.topic[len(EVENTS) :])) is not None:
        return ReasonCode.TOPIC_NAME_INVALID, fault
    if (fault := content_type_fault(publish.properties.get("content_type"))) is not None:
        return ReasonCode.PAYLOAD_FORMAT_INVALID, fault
    return None


def answer(publish: Publish, given: EventAnswer) -> Message:
    """What goes back to the client that sent an event: outcome in the topic, HTTP status as a User Property.

    The correlation data of the request returns with it (documented). To 3.1.1 only topic, payload and QoS survive.
    """
    succeeded, failed = answer_topics(publish.topic[len(EVENTS) :])
    properties: PublishProperties = {"user_property": [*given.user_properties, (STATUS_PROPERTY, str(given.status))]}
    if given.content_type is not None:
        properties["content_type"] = given.content_type
    if "correlation_data" in publish.properties:
        properties["correlation_data"] = publish.properties["correlation_data"]
    topic = succeeded if 200 <= given.status < 300 else failed
    return Message(topic, given.payload, QOS[publish.qos], False, properties)
