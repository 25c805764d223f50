"""Retained messages (3.3.1.3): the latest one of each topic, for those who subscribe later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from mqttws.endpoint.messages import Message
from mqttws.endpoint.service import Service
from mqttws.topics import has_wildcard, matches

__all__ = ["RetainedMessages"]

OriginT = TypeVar("OriginT")


class RetainedMessages(Generic[OriginT]):
    """The retained messages of one hub, within its bounds; each with who has published it."""

    __slots__ = ("_messages", "_service", "size")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._messages: dict[str, tuple[Message, OriginT]] = {}
        self.size = 0

    def __len__(self) -> int:
        return len(self._messages)

    def keep(self, message: Message, origin: OriginT, now: float) -> bool:
        """Take the place of the topic's message, or only remove it if this one is empty [MQTT-3.3.1-5, -6].

        False, and nothing changed, if that would break a bound even without expired messages.
        """
        if message.payload and not self._has_room(message):
            self._drop_expired(now)
            if not self._has_room(message):
                return False
        self.drop(message.topic)
        if message.payload:
            self._messages[message.topic] = (message, origin)
            self.size += message.size
        return True

    def _has_room(self, message: Message) -> bool:
        old = self._messages.get(message.topic)
        count = len(self._messages) + (old is None)
        size = self.size + message.size - (old[0].size if old is not None else 0)
        return count <= self._service.retained_limit and size <= self._service.retained_bytes

    def drop(self, topic: str) -> None:
        """Forget the message of a topic, if there is one."""
        old = self._messages.pop(topic, None)
        if old is not None:
            self.size -= old[0].size

    def _drop_expired(self, now: float) -> None:
        for topic in [topic for topic, (message, _) in self._messages.items() if message.expired(now)]:
            self.drop(topic)

    def matching(self, topic_filter: str, now: float) -> list[Message]:
        """The messages that a new subscription gets, without those that have expired."""
        if has_wildcard(topic_filter):
            found = [message for topic, (message, _) in self._messages.items() if matches(topic_filter, topic)]
        else:
            held = self._messages.get(topic_filter)
            found = [held[0]] if held is not None else []
        return [message for message in found if not message.expired(now)]

    def of(self, origin: OriginT) -> Iterator[str]:
        """The topics whose message somebody has published."""
        return (topic for topic, (_, publisher) in tuple(self._messages.items()) if publisher is origin)
