"""Where to connect and with which credentials: asked for at each attempt, and never used beyond its time."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import trio

from mqttws.errors import AccessExpired, AccessFailed, MqttError
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["Access", "AccessSource", "Ticket", "UrlSource"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where to connect, and with which headers: what a URL provider may return instead of a plain URL.

    ``headers`` are added to those of ``open_client``. ``expires_at`` is in seconds since 1970, None when it is not
    known: from then on the URL is not used for another connection. URL and headers do not show in ``repr``, since both
    may hold an access token.
    """

    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(default=(), repr=False)
    expires_at: float | None = None


#: A ``ws://`` or ``wss://`` URL, or a function that is awaited for one at each connection.
UrlSource: TypeAlias = str | Access | Callable[[], Awaitable[str | Access]]


@dataclass(frozen=True, slots=True)
class Ticket:
    """An access as it is used for one attempt; ``expires`` is on trio's clock, infinity when it is not known."""

    address: ClientAccessUrl
    headers: Sequence[tuple[str, str]] = field(repr=False)
    expires: float


class AccessSource:
    """Gives out a ticket for each attempt to connect. A function is awaited each time, for ``patience`` seconds."""

    def __init__(self, source: UrlSource, patience: float) -> None:
        self._source = source
        self._patience = patience

    @property
    def renewable(self) -> bool:
        """Whether asking again can bring anything new."""
        return callable(self._source)

    async def ticket(self) -> Ticket:
        """Raises :class:`ValueError` for what is no URL, :class:`AccessFailed` or an error of the provider's own."""
        access = await self._ask() if callable(self._source) else self._source
        if isinstance(access, str):
            access = Access(access)
        address = ClientAccessUrl.parse(access.url)
        remaining = math.inf if access.expires_at is None else access.expires_at - time.time()
        if remaining <= 0:
            raise AccessExpired(f"the access to {address} has expired")
        return Ticket(address, tuple(access.headers), trio.current_time() + remaining)

    async def _ask(self) -> str | Access:
        assert callable(self._source)
        try:
            with trio.fail_after(self._patience):
                return await self._source()
        except trio.TooSlowError:
            raise AccessFailed(f"the provider gave no URL within {self._patience:g} seconds") from None
        except MqttError:
            raise
        except Exception as error:
            # Its text is not repeated: it may hold a credential.
            raise AccessFailed(f"the provider gave no URL: {type(error).__name__}") from error
