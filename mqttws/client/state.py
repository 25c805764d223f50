"""Where a client is, for whoever wants to know, to wait for it, or to log it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import trio

__all__ = [
    "ClientEvent",
    "ClientState",
    "Connected",
    "Disconnected",
    "Ended",
    "RenewalFailed",
    "StateChanges",
    "Watch",
]

logger = logging.getLogger("mqttws.client")


class ClientState(Enum):
    """Where a client is between entering its block and having left it.

    CONNECTING until the first CONNACK, then OPEN, and RECONNECTING whenever there is no connection; CLOSING when the
    block was left and exchanges may still end; CLOSED for good.
    """

    CONNECTING = "connecting"
    OPEN = "open"
    RECONNECTING = "reconnecting"
    CLOSING = "closing"
    CLOSED = "closed"


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


@dataclass(frozen=True, slots=True)
class Connected:
    """CONNACK has accepted the client; ``session_present`` is whether the Server resumed its Session."""

    session_present: bool

    def __str__(self) -> str:
        return "connected, the Session goes on" if self.session_present else "connected, with a new Session"


@dataclass(frozen=True, slots=True)
class Disconnected:
    """There is no connection, and there will be another attempt ``delay`` seconds from now.

    ``error`` is what ended the connection or the attempt; None where the client moves to a new one by itself, before
    its access expires. ``attempt`` counts the attempts from 1 on, since a connection last held.
    """

    error: Exception | None
    attempt: int
    delay: float

    def __str__(self) -> str:
        if self.error is None:
            return "moving to a new connection"
        return f"disconnected: {_words(self.error)}; attempt {self.attempt} in {self.delay:.1f} s"


@dataclass(frozen=True, slots=True)
class RenewalFailed:
    """The move to a new connection before the access expires has failed; it is tried again in ``delay`` seconds.

    The present connection goes on.
    """

    error: Exception
    delay: float

    def __str__(self) -> str:
        return f"the access was not renewed: {_words(self.error)}; again in {self.delay:.1f} s"


@dataclass(frozen=True, slots=True)
class Ended:
    """The client has ended for good: by ``error``, or None because its block was left."""

    error: Exception | None

    def __str__(self) -> str:
        return "the client was left" if self.error is None else f"given up: {_words(self.error)}"


#: What an ``on_event`` hook is called with; ``str`` of it is a line for a log, without secrets.
ClientEvent: TypeAlias = Connected | Disconnected | RenewalFailed | Ended


class Watch:
    """The state of one client, those who wait for a change of it, and its event hook."""

    def __init__(self, hook: Callable[[ClientEvent], None] | None = None) -> None:
        self.state = ClientState.CONNECTING
        #: How many changes there were.
        self.serial = 0
        self._hook = hook
        self._changed: trio.Event | None = None

    def move(self, state: ClientState) -> None:
        """The client is in another state from now on; it leaves CLOSED no more."""
        if state is self.state or self.state is ClientState.CLOSED:
            return
        self.state = state
        self.serial += 1
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def tell(self, event: ClientEvent) -> None:
        """Call the hook, and log what is no good news.

        A hook that raises has a bug of its own, which is logged and ends nothing.
        """
        if not isinstance(event, Connected) and event.error is not None:
            logger.info("%s", event)
        if self._hook is None:
            return
        try:
            self._hook(event)
        except Exception:
            logger.exception("on_event has raised an error at %s", type(event).__name__)

    async def changed(self) -> None:
        """Wait for the next change."""
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    async def wait_for(self, *states: ClientState) -> ClientState:
        """Wait until the client is in one of ``states``, or has ended; say where it is."""
        await trio.lowlevel.checkpoint()
        while self.state not in states and self.state is not ClientState.CLOSED:
            await self.changed()
        return self.state


class StateChanges:
    """The states of a client: the present one, then each new one, and CLOSED as the last.

    Whoever is slow misses what was passed through meanwhile and gets the newest.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._seen = -1

    def __aiter__(self) -> StateChanges:
        return self

    async def __anext__(self) -> ClientState:
        watch = self._watch
        await trio.lowlevel.checkpoint()
        while self._seen == watch.serial:
            if watch.state is ClientState.CLOSED:
                raise StopAsyncIteration
            await watch.changed()
        self._seen = watch.serial
        return watch.state
