"""Publishes to the service instead of to a topic: user events (rows 60 to 63 of the emulation contract).

``$webpubsub/server/events/{name}`` asks for an event handler, whose answer comes back on the same topic with
``/succeeded`` or ``/failed`` behind it, unasked, at the QoS of the request. No hub has an event handler yet, so every
event meets the setting ``event_without_handler``.
"""

from __future__ import annotations

import re
from typing import Final

from mqttws.codec import Publish
from mqttws.codec.properties import PublishProperties
from mqttws.endpoint.messages import Message
from mqttws.vocabulary import QOS, ReasonCode

__all__ = ["EVENTS", "RESERVED", "answer", "event_fault"]

#: Topics that belong to the service; a PUBLISH to one reaches no subscriber.
RESERVED: Final = "$webpubsub/"
EVENTS: Final = "$webpubsub/server/events/"

_MIME_TYPE: Final = re.compile(r"[\w!#$&^.+-]{1,127}/[\w!#$&^.+-]{1,127}(?:\s*;.*)?", re.ASCII | re.DOTALL)


def event_fault(publish: Publish) -> tuple[ReasonCode, str] | None:
    """Why a PUBLISH below :data:`EVENTS` is no event, as code and text; None if it is one.

    Documented: the name holds no ``/``, and a content type is a MIME type.
    """
    name = publish.topic[len(EVENTS) :]
    if not name or "/" in name:
        return ReasonCode.TOPIC_NAME_INVALID, "an event's name is not empty and holds no '/'"
    content_type = publish.properties.get("content_type")
    if content_type is not None and not _MIME_TYPE.fullmatch(content_type):
        return ReasonCode.PAYLOAD_FORMAT_INVALID, "the content type of an event is a MIME type"
    return None


def answer(publish: Publish, status: int, text: str) -> Message:
    """What goes back to the client that sent an event: outcome in the topic, HTTP ``status`` as a User Property.

    The correlation data of the request returns with it (documented). To 3.1.1 only topic, payload and QoS survive.
    """
    outcome = "succeeded" if 200 <= status < 300 else "failed"
    properties: PublishProperties = {
        "content_type": "text/plain",
        "user_property": [("azure-status-code", str(status))],
    }
    if "correlation_data" in publish.properties:
        properties["correlation_data"] = publish.properties["correlation_data"]
    return Message(f"{publish.topic}/{outcome}", text.encode(), QOS[publish.qos], False, properties)
