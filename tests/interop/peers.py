"""Other people's clients behind one small interface, so that one scenario leads them all."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import trio

#: "Packet Identifier not found": after a resume the answer to a PUBREL whose first PUBCOMP was lost, and no fault then
#: (5.0: table 2-6). Both libraries hand it to their user like a refusal.
ENDED_BEFORE = 0x92


@dataclass(slots=True, frozen=True)
class Greeting:
    """What CONNACK said; ``reason_string`` is None where there was none."""

    session_present: bool
    reason_code: int
    reason_string: str | None = None


@dataclass(slots=True, frozen=True)
class Received:
    """An Application Message as the library handed it to its user."""

    topic: str
    payload: bytes
    qos: int
    retain: bool = False


@dataclass(slots=True, frozen=True)
class Options:
    """What a scenario asks of a client; ``client_id`` None leaves the choice to the library.

    ``session_expiry_interval`` is in seconds; 3.1.1 knows only 0 (Clean Session) and anything else.
    """

    url: str
    version: int
    client_id: str | None = None
    clean_start: bool = True
    session_expiry_interval: int = 0
    keep_alive: int = 60
    will: Received | None = None


class Peer(ABC):
    """A client library under control of a test. Every call ends when the library says so; the test has the deadline."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._arrived, self._inbox = trio.open_memory_channel[Received](math.inf)
        self._lost = trio.Event()

    async def message(self) -> Received:
        """The next message the library delivered."""
        return await self._inbox.receive()

    async def lost(self) -> None:
        """Wait until the library has noticed that its Network Connection has ended."""
        await self._lost.wait()

    @abstractmethod
    async def connect(self) -> Greeting:
        """CONNECT, and what CONNACK said; also again, after the Network Connection was lost."""

    @abstractmethod
    async def subscribe(self, topic: str, qos: int) -> int:
        """The Reason Code in the SUBACK."""

    @abstractmethod
    async def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        """Returns when the exchange of that QoS has ended."""

    @abstractmethod
    async def disconnect(self) -> None:
        """DISCONNECT, and the end of the Network Connection."""


@asynccontextmanager
async def open_peer(library: str, options: Options) -> AsyncIterator[Peer]:
    """A client of that library, not yet connected; whatever it runs on is gone when the block is left."""
    kind: Any
    if library == "paho":
        from tests.interop.paho_peer import open_paho as kind
    else:
        from tests.interop.mqttjs_peer import open_mqttjs as kind
    async with kind(options) as peer:
        yield peer
