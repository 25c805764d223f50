"""Request and response over topics (5.0: 4.10): many requests at a time, one subscription for their responses."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeAlias

import trio

from mqttws.client.failure import Failure
from mqttws.client.inbox import Message, Messages
from mqttws.errors import QueueFull

__all__ = ["Answers", "Requests", "private_topic"]

#: Response topics that are subscribed at a time; one more takes the place of the one that was idle for longest.
MOST_TOPICS: Final = 16

#: How the stream of responses on a topic is opened.
Opener: TypeAlias = Callable[[str], AbstractAsyncContextManager[Messages]]


def private_topic(response_information: str | None) -> str:
    """A response topic that nobody else has, below what the Server recommends if it does (5.0: 4.10.1)."""
    base = response_information or "response"
    return f"{base.rstrip('/')}/{secrets.token_hex(10)}"


class _Pending:
    """A request that waits for its answer, or for the end of the stream."""

    __slots__ = ("answer", "arrived")

    def __init__(self) -> None:
        self.arrived = trio.Event()
        self.answer: Message | None = None


class Answers:
    """What waits for answers that come in one stream.

    ``key_of`` says which request a message answers, None if it answers none. :attr:`late` counts those that nobody
    waited for any more, or ever: a request was cancelled, or an answer came twice.
    """

    def __init__(self, key_of: Callable[[Message], bytes | None]) -> None:
        self.late = 0
        self.failure: Failure | None = None
        self._key_of = key_of
        self._pending: dict[bytes, _Pending] = {}
        self._last = 0
        self._ready = trio.Event()
        self._ended = trio.Event()
        self._scope = trio.CancelScope()

    def __len__(self) -> int:
        """How many requests wait."""
        return len(self._pending)

    def new_key(self) -> bytes:
        """Correlation data that no other request of this stream has."""
        self._last += 1
        return self._last.to_bytes(8, "big")

    async def exchange(self, key: bytes, ask: Callable[[], Awaitable[object]]) -> Message:
        """Ask once the stream is open, and wait for the answer. Cancelled, or if asking fails, nobody waits any more.

        Raises what ``ask`` does, and what has ended the stream.
        """
        pending = self._pending[key] = _Pending()
        try:
            await self._ready.wait()
            if self.failure is None:
                await ask()
                await pending.arrived.wait()
        finally:
            del self._pending[key]
        if pending.answer is not None:
            return pending.answer
        assert self.failure is not None  # nothing else wakes those who wait
        raise self.failure.fresh()

    async def run(self, stream: AbstractAsyncContextManager[Messages]) -> None:
        """Hand out what comes until :meth:`close`, or until the stream ends; then everybody who waits fails."""
        failure = Failure(trio.ClosedResourceError("the client's block was left"))
        try:
            with self._scope:
                async with stream as messages:
                    self._ready.set()
                    async for message in messages:
                        self._take(message)
        except Exception as error:  # noqa: BLE001 - whatever it is, the requests that wait raise it
            failure = Failure(error)
        finally:
            self.failure = failure
            self._ready.set()
            for pending in self._pending.values():
                pending.arrived.set()
            self._ended.set()

    def _take(self, message: Message) -> None:
        key = self._key_of(message)
        pending = None if key is None else self._pending.get(key)
        if pending is None or pending.answer is not None:
            self.late += 1
        else:
            pending.answer = message
            pending.arrived.set()

    def close(self) -> None:
        """Leave the stream, and with it its subscription."""
        self._scope.cancel()

    async def closed(self) -> None:
        """Wait until :meth:`close` has taken effect."""
        await self._ended.wait()


class Requests:
    """The response topics of a client. The first request to use one subscribes, and the subscription stays."""

    def __init__(self, subscribe: Opener) -> None:
        self._subscribe = subscribe
        self._private: str | None = None
        #: By topic, the one that was used longest ago first.
        self._answers: OrderedDict[str, Answers] = OrderedDict()
        self._late_before = 0

    @property
    def late(self) -> int:
        """Responses that nobody waited for."""
        return self._late_before + sum(answers.late for answers in self._answers.values())

    def topic(self, response_information: str | None) -> str:
        """The response topic of requests that name none: one for the life of the client."""
        if self._private is None:
            self._private = private_topic(response_information)
        return self._private

    def answers_on(self, topic: str, nursery: trio.Nursery) -> Answers:
        """Where responses on a topic arrive. Raises :class:`QueueFull` when too many other topics are in use."""
        answers = self._answers.get(topic)
        if answers is not None and answers.failure is None:
            self._answers.move_to_end(topic)
            return answers
        if answers is not None:
            self._forget(topic)
        elif len(self._answers) >= MOST_TOPICS:
            idle = next((name for name, other in self._answers.items() if not len(other)), None)
            if idle is None:
                raise QueueFull(f"requests wait on {MOST_TOPICS} response topics")
            self._forget(idle)
        answers = self._answers[topic] = Answers(_correlation)
        nursery.start_soon(answers.run, self._subscribe(topic))
        return answers

    def _forget(self, topic: str) -> None:
        answers = self._answers.pop(topic)
        self._late_before += answers.late
        answers.close()

    async def close(self) -> None:
        """Unsubscribe from everything."""
        for answers in self._answers.values():
            answers.close()
        for answers in self._answers.values():
            await answers.closed()


def _correlation(message: Message) -> bytes | None:
    data: bytes | None = message.properties.get("correlation_data")
    return data
