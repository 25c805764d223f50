"""QoS 1 and 2 messages that wait for one session, and the publishers that wait for it.

A session that is offline, or whose client takes messages more slowly than they come, has a bounded queue. When the
queue of a connected session grows long, publishers get their acknowledgements late instead of at once, so that their
Receive Maximum slows them down to the subscriber's speed. That lasts for a bounded time: a subscriber that stays slow
costs the publishers nothing further, it runs into its bound and its session ends.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, TypeAlias

from mqttws.codec import Publish
from mqttws.endpoint.messages import Message
from mqttws.endpoint.service import Service
from mqttws.endpoint.subscriber import Subscriber

if TYPE_CHECKING:
    from mqttws.endpoint.sessions import ClientSession

__all__ = ["Backlog", "Held"]

#: A PUBLISH that has been routed and whose acknowledgement waits, with the session that sent it.
Held: TypeAlias = "tuple[ClientSession, Publish]"


class Backlog:
    """The queue of one session, oldest message first, and the acknowledgements it holds up."""

    __slots__ = ("_entries", "_held", "_service", "crowded_since", "size")

    def __init__(self, service: Service) -> None:
        self._service = service
        #: No deque without need: an empty one takes 760 bytes, and most sessions have nothing waiting.
        self._entries: deque[tuple[Message, Subscriber]] | tuple[()] = ()
        self._held: list[Held] = []
        self.size = 0
        self.crowded_since = math.inf

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, message: Message, subscriber: Subscriber, now: float) -> bool:
        """Queue a message; False, and nothing queued, if that would break a bound even without expired messages."""
        if self._is_full(message):
            self._drop_expired(now)
            if self._is_full(message):
                return False
        self._entries = self._entries or deque()
        self._entries.append((message, subscriber))
        self.size += message.size
        return True

    def take(self, now: float) -> tuple[Message, Subscriber] | None:
        """The next message that may still be sent; None if there is none."""
        while self._entries:
            message, subscriber = self._entries.popleft()
            self.size -= message.size
            if not message.expired(now):
                return message, subscriber
        return None

    def drop(self, topic: str) -> None:
        """Forget what waits on a topic whose subscription has ended (5.0: 3.10.4 allows either)."""
        self._keep([entry for entry in self._entries if entry[0].topic != topic])

    def _is_full(self, message: Message) -> bool:
        service = self._service
        return len(self._entries) >= service.queue_messages or self.size + message.size > service.queue_bytes

    def _drop_expired(self, now: float) -> None:
        self._keep([entry for entry in self._entries if not entry[0].expired(now)])

    def _keep(self, entries: list[tuple[Message, Subscriber]]) -> None:
        self._entries = deque(entries)
        self.size = sum(message.size for message, _ in entries)

    # Publishers that wait.

    def crowded(self, now: float) -> bool:
        """Whether publishers should wait: the queue is a quarter full, and has been long for less than our patience."""
        service = self._service
        if len(self._entries) * 4 < service.queue_messages and self.size * 4 < service.queue_bytes:
            return False
        self.crowded_since = min(self.crowded_since, now)
        return now < self.crowded_since + service.patience

    def hold(self, publisher: ClientSession, publish: Publish) -> None:
        """Let the acknowledgement of a routed PUBLISH wait until :meth:`release`."""
        self._held.append((publisher, publish))

    @property
    def is_short(self) -> bool:
        """Whether a queue that was long is no longer: half of what :meth:`crowded` calls long."""
        service = self._service
        short = len(self._entries) * 8 < service.queue_messages and self.size * 8 < service.queue_bytes
        return short and self.crowded_since < math.inf

    def release(self) -> list[Held]:
        """Give out all acknowledgements that wait. A queue that stays long beyond our patience holds up no more."""
        if self.is_short:
            self.crowded_since = math.inf
        held, self._held = self._held, []
        return held

    def went_offline(self) -> None:
        """The client is gone; when it is back it is given patience anew."""
        self.crowded_since = math.inf
