"""Ready-made answers to "where to connect": from a connection string, a negotiate endpoint, or a function.

Each is given to ``open_client`` as ``url`` and asked at every attempt to connect, so that no token is older than the
connection that it opens. Where the URL holds a token that says when it expires, :attr:`Access.expires_at` says so, too.
"""

from __future__ import annotations

import inspect
import json
import ssl
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

import trio

from mqttws import transport
from mqttws.client.access import Access
from mqttws.errors import NegotiateRefused
from mqttws.http import Limits, Response, header
from mqttws.redaction import Scrubber
from mqttws.transport import Dial, HttpPool, HttpUrl, ProxySetting, open_http_pool
from mqttws.webpubsub import ClientAccessUrl, ConnectionString, claimed_expiry, client_access_url

__all__ = ["Provider", "from_callable", "from_connection_string", "from_negotiate"]

#: What ``open_client`` awaits for an :class:`Access` at each attempt to connect.
Provider: TypeAlias = Callable[[], Awaitable[Access]]

_REDIRECTS: Final = frozenset((301, 302, 303, 307, 308))
_MOST_REDIRECTS: Final = 3
#: A URL with a token of 16 KiB fits twice.
_LIMITS: Final = Limits(body=32 * 1024)


def from_connection_string(
    connection_string: ConnectionString | str,
    hub: str,
    *,
    user_id: str | None = None,
    roles: Iterable[str] = (),
    groups: Iterable[str] = (),
    lifetime: float = 3600,
) -> Provider:
    """A new Client Access URL of a Web PubSub hub for each connection, with a token that lives ``lifetime`` seconds.

    The arguments are those of :func:`mqttws.webpubsub.client_access_url`: without ``roles`` the client may neither
    publish nor subscribe. Whoever holds a connection string can do everything on the service: this is for programs of
    the service's owner. Raises :class:`ValueError` at once for what is wrong with them.
    """
    if isinstance(connection_string, str):
        connection_string = ConnectionString.parse(connection_string)
    roles = roles if isinstance(roles, str) else tuple(roles)
    groups = groups if isinstance(groups, str) else tuple(groups)

    def url() -> str:
        return client_access_url(connection_string, hub, user_id=user_id, roles=roles, groups=groups, lifetime=lifetime)

    url()  # what it would raise at the first connection, it raises here

    async def provide() -> Access:
        await trio.lowlevel.checkpoint()
        return _dated(url())

    return provide


def from_callable(function: Callable[[], Any]) -> Provider:
    """What ``function`` returns: a URL or an :class:`Access`, or an awaitable of one.

    A function that is not async runs in a thread, for it may wait; when the client gives up, its answer is not waited
    for. What it raises is the cause of an :class:`~mqttws.errors.AccessFailed`.
    """

    async def provide() -> Access:
        if inspect.iscoroutinefunction(function):
            answer = await function()
        else:
            # In a list: a coroutine that a thread returns bare is a mistake in trio's eyes.
            (answer,) = await trio.to_thread.run_sync(lambda: [function()], abandon_on_cancel=True)
            if inspect.isawaitable(answer):
                answer = await answer
        if not isinstance(answer, str | Access):
            raise TypeError(f"a URL or an Access was expected, not {type(answer).__name__}")
        return _dated(answer)

    return provide


def from_negotiate(
    url: str,
    *,
    key: str = "url",
    headers: Sequence[tuple[str, str]] = (),
    timeout: float = 10.0,
    ssl_context: ssl.SSLContext | None = None,
    proxy: ProxySetting = "environment",
    dial: Dial = transport.dial,
) -> Provider:
    """Ask an HTTP endpoint, which knows who the caller is and has the connection string, by GET.

    Its answer is a URL, as plain text or in a JSON object under ``key``. ``headers`` are sent along, for instance an
    ``Authorization``; redirects are followed three times, and only to the same server, since they would take these
    headers elsewhere. The whole may take ``timeout`` seconds. Raises :class:`ValueError` at once for a URL that is
    none; at each connection :class:`~mqttws.errors.NegotiateRefused` for other answers,
    :class:`~mqttws.errors.ConnectionLost`, :class:`~mqttws.errors.ProxyRefused` and
    :class:`~mqttws.errors.RemoteProtocolError`. No error shows a token or a header.
    """
    address = HttpUrl.parse(url)
    if address.username is not None:
        raise ValueError("the URL holds credentials; they belong into headers")
    sent = (("Accept", "application/json, text/plain;q=0.9"), *headers)
    scrub = Scrubber(address.target, sent)

    async def provide() -> Access:
        async with open_http_pool(
            dial=dial, proxy=proxy, ssl_context=ssl_context, limits=_LIMITS, timeout=timeout
        ) as pool:
            where, response = await _get(pool, address, sent)
        if 200 <= response.status < 300:
            return _dated(_url_in(response, key, where))
        shown = tuple((name, scrub(value)) for name, value in response.headers)
        body = scrub(response.body.decode("latin-1")).encode("latin-1")
        raise NegotiateRefused(response.status, shown, body, reason=f"GET {where}")

    return provide


async def _get(pool: HttpPool, address: HttpUrl, headers: Sequence[tuple[str, str]]) -> tuple[HttpUrl, Response]:
    """The answer behind the redirects that do not leave the server, and where it came from."""
    origin = address.origin
    for _ in range(_MOST_REDIRECTS):
        response = await pool.request("GET", address, headers=headers)
        location = header(response.headers, "location")
        if response.status not in _REDIRECTS or location is None:
            return address, response
        try:
            there = address.join(location)
        except ValueError:
            return address, response
        if there.origin != origin:
            return address, response
        address = there
    return address, await pool.request("GET", address, headers=headers)


def _url_in(response: Response, key: str, where: HttpUrl) -> str:
    """The URL that a good answer holds, checked; what is wrong with it is said without it."""

    def useless(what: str) -> NegotiateRefused:
        return NegotiateRefused(response.status, reason=f"GET {where}: {what}")

    if response.truncated:
        raise useless("the body is too long, or was cut")
    try:
        text = response.body.decode("utf-8-sig").strip()
        answer: Any = json.loads(text) if text.startswith(("{", '"', "[")) else text
    except (ValueError, RecursionError):
        raise useless("the body is neither a URL nor JSON") from None
    found = answer.get(key) if isinstance(answer, dict) else answer
    if not isinstance(found, str) or not found:
        raise useless(f"no URL in the body, neither as text nor under {key!r} of a JSON object")
    try:
        ClientAccessUrl.parse(found)
    except ValueError as problem:
        raise useless(str(problem)) from None
    return found


def _dated(access: str | Access) -> Access:
    """An access that knows when it expires, as far as its token says so."""
    if isinstance(access, str):
        access = Access(access)
    if access.expires_at is None:
        access = replace(access, expires_at=claimed_expiry(ClientAccessUrl.parse(access.url).token))
    return access
