"""Who holds the window: which streams have messages that wait for their acknowledgement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mqttws.client.inbox import Message

__all__ = ["Holder", "Window", "holder_of"]


@dataclass(frozen=True, slots=True)
class Holder:
    """A stream with QoS 1 or 2 messages that it has not consumed: so many, with so many bytes of payload.

    ``topic_filters`` are the stream's; None stands for messages that no open stream wants.
    """

    topic_filters: tuple[str, ...] | None
    messages: int
    size: int


@dataclass(frozen=True, slots=True)
class Window:
    """What the Server may send without an acknowledgement, and what has become of it.

    ``used`` of ``maximum`` QoS 1 and 2 messages are under way; at the maximum the Server sends no other. ``size`` of
    ``maximum_size`` bytes, topics and properties included, are held by the application; at the maximum a 3.1.1 client
    stops reading. Acknowledgements leave in order of arrival, so the first of ``holders``, which has the oldest
    message, holds all the others back.
    """

    used: int
    maximum: int
    size: int
    maximum_size: int
    holders: tuple[Holder, ...]


def holder_of(topic_filters: tuple[str, ...] | None, messages: Sequence[Message]) -> Holder:
    """What one stream holds."""
    return Holder(topic_filters, len(messages), sum(len(message.payload) for message in messages))
