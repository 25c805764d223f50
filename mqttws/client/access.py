"""Where to connect and with which credentials: asked for at each attempt, and never used beyond its time."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import trio

from mqttws.errors import AccessExpired, AccessFailed, MqttError
from mqttws.http import bearer
from mqttws.webpubsub import ClientAccessUrl, claimed_expiry

__all__ = ["Access", "AccessSource", "Ticket", "UrlSource"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where to connect, and with which headers: what a URL provider may return instead of a plain URL.

    ``headers`` are added to those of ``open_client``. ``expires_at`` is in seconds since 1970: from then on the URL is
    not used for another connection. None: a JSON Web Token in the URL says it, if there is one, and then the Server has
    the last word. URL and headers do not show in ``repr``, since both may hold an access token.
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
        self._source = Access(source) if isinstance(source, str) else source
        self._patience = patience
        #: When a fixed access expires, on trio's clock: the calendar's may be set, or stand still in a simulation.
        self._fixed_expires = math.inf
        self._last: ClientAccessUrl | None = None
        self._moved: ClientAccessUrl | None = None
        self._for_now: ClientAccessUrl | None = None

    @property
    def renewable(self) -> bool:
        """Whether asking again can bring anything new."""
        return callable(self._source)

    async def ticket(self) -> Ticket:
        """What to use now. A checkpoint only where there is a function to be asked.

        Raises :class:`ValueError` for what is no URL, :class:`~mqttws.errors.AccessExpired`,
        :class:`~mqttws.errors.AccessFailed`, or an :class:`~mqttws.errors.MqttError` of the function's own.
        """
        access = await self._ask() if callable(self._source) else self._source
        address = ClientAccessUrl.parse(access.url)
        now = trio.current_time()
        stated = access.expires_at
        if stated is None:
            stated = claimed_expiry(address.token or bearer(access.headers))
        expires = math.inf if stated is None else now + stated - time.time()
        if not self.renewable:
            expires = self._fixed_expires = min(expires, self._fixed_expires)
        if access.expires_at is not None and expires <= now:
            raise AccessExpired(f"the access to {address} has expired")
        self._last = address
        elsewhere = self._for_now or self._moved
        return Ticket(address if elsewhere is None else _moved(address, elsewhere), tuple(access.headers), expires)

    async def _ask(self) -> Access:
        assert callable(self._source)
        try:
            with trio.fail_after(self._patience):
                said = await self._source()
        except trio.TooSlowError:
            raise AccessFailed(f"the provider gave no URL within {self._patience:g} seconds") from None
        except MqttError:
            raise
        except Exception as error:
            # Its text is not repeated: it may hold a credential.
            raise AccessFailed(f"the provider gave no URL: {type(error).__name__}") from error
        if isinstance(said, str):
            return Access(said)
        if not isinstance(said, Access):
            raise AccessFailed(f"the provider gave no URL and no Access but {type(said).__name__}")
        return said

    # -- redirects ----------------------------------------------------------------------------------------------------

    def redirect(self, reference: str | None, *, permanent: bool) -> bool:
        """Go where a Server Reference points (5.0: 4.11), from the next ticket on; False where it points nowhere.

        ``permanent`` for Server moved; otherwise :meth:`failed` leads back. A reference is a host with or without a
        port, or a whole WebSocket URL; of several, the first that makes sense counts. None leads out of TLS.
        """
        assert self._last is not None  # somebody has sent us there
        for word in (reference or "").split():
            if (target := _referred(word, self._last)) is not None:
                if permanent:
                    self._moved, self._for_now = target, None
                else:
                    self._for_now = target
                return True
        return False

    def failed(self) -> None:
        """The connection that the last ticket was for has ended, or never was: another Server for now is used up."""
        self._for_now = None


def _referred(reference: str, last: ClientAccessUrl) -> ClientAccessUrl | None:
    scheme = "wss" if last.secure else "ws"
    with suppress(ValueError):
        if "://" in reference:
            target = ClientAccessUrl.parse(reference)
            return None if last.secure and not target.secure else target
        if any(character in reference for character in "/?#@"):
            return None
        target = ClientAccessUrl.parse(f"{scheme}://{reference}")
        # Without a port it is that of the Server that says so, not the scheme's own.
        named = reference.rpartition("]")[2].partition(":")[2]
        return target if named else replace(target, port=last.port)
    return None


def _moved(address: ClientAccessUrl, to: ClientAccessUrl) -> ClientAccessUrl:
    """The address that was asked for, at another Server; a reference that names a path of its own is taken whole."""
    if to.target != "/":
        return to
    return replace(address, secure=to.secure, host=to.host, port=to.port)
