"""What becomes of a published message, and how its publisher learns of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import trio

from mqttws.client.failure import Failure
from mqttws.codec import Publish
from mqttws.vocabulary import ReasonCode

__all__ = ["TAKEN", "PublishResult", "Receipt", "size_of"]


@dataclass(frozen=True, slots=True)
class PublishResult:
    """How an exchange ended well.

    ``reason_code`` and ``properties`` are those of PUBACK, PUBREC or PUBCOMP: 0x10 says that nobody had subscribed. At
    QoS 0, and in 3.1.1, there is nothing to say but success.
    """

    reason_code: int = ReasonCode.SUCCESS
    properties: Mapping[str, Any] = field(default_factory=dict)


#: The result of every QoS 0 publish.
TAKEN = PublishResult()


def size_of(publish: Publish) -> int:
    """What a message counts for in the send queue, in bytes."""
    return len(publish.payload) + len(publish.topic)


class Receipt:
    """What becomes of one published message."""

    __slots__ = ("_ended", "_error", "_result", "_seen", "expires_at", "maybe_taken", "number", "publish", "size")

    def __init__(self, publish: Publish, size: int, result: PublishResult | None = None) -> None:
        #: The message.
        self.publish = publish
        #: The bytes that it counts for in the send queue.
        self.size = size
        #: When it must not be sent any more, on trio's clock (5.0: 3.3.2.3.3).
        self.expires_at = math.inf
        #: Whether it was sent in a Session that the Server has lost, so that the Server may have it already.
        self.maybe_taken = False
        #: Under which number the store has it while it waits; None if it does not.
        self.number: int | None = None
        self._result = result
        self._error: Failure | None = None
        self._ended: trio.Event | None = None
        self._seen = False

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._result is not None or self._error is not None

    async def wait(self) -> PublishResult:
        """Wait for the outcome; may be called by any number of tasks, at any time, also after the client was left.

        Raises :class:`~mqttws.errors.PublishRefused` where the Server refused the message,
        :class:`~mqttws.errors.MessageExpired` where it had to wait for too long,
        :class:`~mqttws.errors.SessionLost` where its outcome cannot be learned, :class:`~mqttws.errors.QueueFull`
        where it made room for another, or what ended the client before the outcome was known. Cancelling it stops
        waiting, the exchange goes on.
        """
        self._seen = True
        if self.done:
            # No full checkpoint: the send queue bounds how many can be done before one has to be waited for.
            await trio.lowlevel.checkpoint_if_cancelled()
        else:
            if self._ended is None:
                self._ended = trio.Event()
            await self._ended.wait()
        if self._error is not None:
            raise self._error.fresh()
        assert self._result is not None  # one of the two is there when it is done
        return self._result

    @property
    def unseen_failure(self) -> Failure | None:
        """Why the message failed, if nobody has ever waited for it."""
        return None if self._seen else self._error

    def end(self, result: PublishResult | None = None, error: Failure | None = None) -> None:
        """The outcome is known."""
        self._result = result
        self._error = error
        if self._ended is not None:
            self._ended.set()
