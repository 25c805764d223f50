"""User events of Web PubSub: sent to the service's event handler, and answered on topics of the service."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio

from mqttws.client.inbox import Message, Messages
from mqttws.client.request import Answers
from mqttws.errors import EventFailed
from mqttws.webpubsub.server_topics import EVENTS, answer_topics, status_of

__all__ = ["ServerEvents"]

#: Events of 3.1.1 whose place is kept; older ones count as never answered.
REMEMBERED: Final = 1_000


class ServerEvents:
    """The events of a client that wait for their answer. The stream of answers is opened by the first one.

    5.0 tells answers apart by correlation data. 3.1.1 has none: there the service answers the events of one name in
    their order, and so the place of one that was given up is kept.
    """

    def __init__(self, listen: Callable[..., AbstractAsyncContextManager[Messages]]) -> None:
        self._listen = listen
        self._answers: Answers | None = None
        self._in_order: deque[tuple[str, bytes]] = deque(maxlen=REMEMBERED)
        self._late_before = 0

    @property
    def late(self) -> int:
        """Answers that nobody waited for."""
        return self._late_before + (0 if self._answers is None else self._answers.late)

    async def send(
        self, name: str, ask: Callable[[bytes], Awaitable[object]], nursery: trio.Nursery, *, in_order: bool
    ) -> Message:
        """Send an event through ``ask``, which gets its correlation data, and return its answer.

        With ``in_order`` answers have no correlation data. Raises :class:`EventFailed`, and what ``ask`` does.
        """
        answers = self._open(nursery)
        key = answers.new_key()

        async def begin() -> None:
            if in_order:
                self._in_order.append((name, key))
            try:
                await ask(key)
            except Exception:
                self._give_up(key)
                raise

        answer = await answers.exchange(key, begin)
        if answer.topic == answer_topics(name)[1]:
            raise EventFailed(name, status_of(answer.properties), answer.payload, answer.properties)
        return answer

    def _open(self, nursery: trio.Nursery) -> Answers:
        if self._answers is None or self._answers.failure is not None:
            self._late_before = self.late
            self._in_order.clear()
            self._answers = Answers(self._key_of)
            nursery.start_soon(self._answers.run, self._listen(*answer_topics("+")))
        return self._answers

    def _key_of(self, message: Message) -> bytes | None:
        correlation: bytes | None = message.properties.get("correlation_data")
        if correlation is not None:
            return correlation
        name = message.topic[len(EVENTS) :].partition("/")[0]
        key = next((key for other, key in self._in_order if other == name), None)
        if key is not None:
            self._give_up(key)
        return key

    def _give_up(self, key: bytes) -> None:
        """The event has no place among those that will be answered, or none any more."""
        self._in_order = deque((place for place in self._in_order if place[1] != key), REMEMBERED)

    async def close(self) -> None:
        """Stop listening."""
        if self._answers is not None:
            self._answers.close()
            await self._answers.closed()
