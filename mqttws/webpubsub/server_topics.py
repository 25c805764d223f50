"""Topics that belong to the service itself, and how a user event is answered on them.

An event is a PUBLISH to ``$webpubsub/server/events/{name}``. Its answer comes unasked, on the same topic with
``/succeeded`` or ``/failed`` behind it, at the same QoS; in 5.0 it has the correlation data of the event, and the HTTP
status of the event handler as a User Property.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

__all__ = [
    "EVENTS",
    "RESERVED",
    "SERVER_MESSAGES",
    "STATUS_PROPERTY",
    "answer_topics",
    "event_name_fault",
    "event_topic",
    "status_of",
]

RESERVED: Final = "$webpubsub/"
EVENTS: Final = "$webpubsub/server/events/"
#: What a server sends to all clients, to a user or to a connection arrives here, without a subscription.
SERVER_MESSAGES: Final = "$webpubsub/server/messages"
#: The User Property of an answer that has the status.
STATUS_PROPERTY: Final = "azure-status-code"


def event_name_fault(name: str) -> str | None:
    """Why there can be no event of that name; None if there can."""
    return None if name and "/" not in name else "an event's name is not empty and holds no '/'"


def event_topic(name: str) -> str:
    """Where an event is sent."""
    return EVENTS + name


def answer_topics(name: str) -> tuple[str, str]:
    """Where its answer comes: if it succeeded, and if it failed. ``+`` as a name makes filters for all events."""
    return f"{EVENTS}{name}/succeeded", f"{EVENTS}{name}/failed"


def status_of(properties: Mapping[str, Any]) -> int | None:
    """The HTTP status that an answer tells; None in 3.1.1, and where it is no number of three digits."""
    pairs: Iterable[tuple[str, str]] = properties.get("user_property", ())
    value = next((value for key, value in pairs if key == STATUS_PROPERTY), "")
    return int(value) if len(value) == 3 and value.isascii() and value.isdigit() else None
