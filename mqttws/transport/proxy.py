"""Through an HTTP proxy: CONNECT, which turns a connection to the proxy into one to the Server (RFC 9110, 9.3.6).

The proxy sees where the connection leads and, of ``wss://``, nothing more. Its user name and password are in no
``repr``, log line or error here.
"""

from __future__ import annotations

import base64
import ssl
import urllib.parse
from typing import Final, Protocol, TypeAlias

import trio

from mqttws.errors import ConnectionLost, ProxyRefused, RemoteProtocolError
from mqttws.http import Headers, HttpClient, Limits, Request, Response
from mqttws.redaction import REDACTED, Scrubber
from mqttws.transport.dial import dial as dial_directly
from mqttws.transport.dial import encrypt, is_loopback
from mqttws.transport.exchange import exchange
from mqttws.transport.http_url import HttpUrl, authority

__all__ = ["Dial", "Proxy", "ProxySetting", "dial_through", "open_tunnel", "proxy_from_environment"]

#: Of a refusal, some words are worth reading; a page is not.
_LIMITS: Final = Limits(body=4 * 1024)
#: Seconds for the body of a refusal, once its head is here.
_BODY_SECONDS: Final = 1.0

#: Which ``…_proxy`` variables count for which scheme, the first that is set (as curl does).
_VARIABLES: Final = {
    "ws": ("ws", "http", "all"),
    "wss": ("wss", "https", "all"),
    "http": ("http", "all"),
    "https": ("https", "all"),
}


class Dial(Protocol):
    """How a stream to a Server is opened; :func:`mqttws.transport.dial` unless the caller knows another way."""

    async def __call__(
        self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None
    ) -> trio.abc.Stream:
        """A stream, with TLS if ``secure``; or :class:`~mqttws.errors.DialFailed`."""
        ...


class Proxy:
    """An HTTP proxy: ``http://host:3128`` or ``https://host``, with ``user:password@`` in front for basic auth.

    Characters that a URL cannot carry are percent-encoded in name and password; without a scheme it is ``http``. With
    ``https`` the proxy itself is spoken to over TLS; ``ssl_context`` is for that connection, None trusts the system's
    certificates. Raises :class:`ValueError`, whose text holds no part of the URL.
    """

    __slots__ = ("_url", "ssl_context")

    def __init__(self, url: str, *, ssl_context: ssl.SSLContext | None = None) -> None:
        url = url.strip()
        try:
            self._url = HttpUrl.parse(url if "://" in url else f"http://{url}")
        except ValueError as problem:
            raise ValueError(f"proxy: {problem}") from None
        if self._url.target != "/":
            raise ValueError("proxy: the URL of a proxy has neither path nor query")
        if ":" in (self._url.username or ""):
            raise ValueError("proxy: basic authentication cannot carry a user name with a colon")
        self.ssl_context = ssl_context

    @property
    def host(self) -> str:
        """Where it listens; a name or a bare address."""
        return self._url.host

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._url.port

    @property
    def secure(self) -> bool:
        """Whether it is spoken to over TLS."""
        return self._url.secure

    def headers(self) -> Headers:
        """The credentials, **readable**, as a request to the proxy carries them (RFC 7617)."""
        if self._url.username is None:
            return ()
        pair = f"{self._url.username}:{self._url.password or ''}".encode()
        return (("Proxy-Authorization", f"Basic {base64.b64encode(pair).decode('ascii')}"),)

    def hide(self, text: str) -> str:
        """``text`` without what the proxy may have repeated of our credentials."""
        password = self._url.password or ""
        for secret in {password, urllib.parse.quote(password)}:
            # Taking out every "a" would garble the answer and hide nothing.
            if len(secret) >= 4:
                text = text.replace(secret, REDACTED)
        return Scrubber("", self.headers())(text)

    def __str__(self) -> str:
        return f"{self._url.scheme}://{authority(self.host, self.port)}"

    def __repr__(self) -> str:
        return f"Proxy({str(self)!r})"


#: A proxy or its URL; ``"environment"`` for what the usual variables say; None for no proxy.
ProxySetting: TypeAlias = str | Proxy | None


def proxy_from_environment(scheme: str, host: str, port: int) -> Proxy | None:
    """The proxy that the user's environment names for a Server, None if there is none.

    ``scheme`` is ``ws``, ``wss``, ``http`` or ``https``. The variables are ``wss_proxy``, ``https_proxy`` and
    ``all_proxy`` for ``wss``, and so on, in small or capital letters; hosts in ``no_proxy`` and this machine itself are
    reached directly. Where there are no such variables at all, macOS and Windows have settings that count. Raises
    :class:`ValueError` for a setting that is no HTTP proxy, for going around a proxy in silence may be what the user
    must not do.
    """
    # Loads the standard library's whole HTTP client, for which few have a use.
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415 - see above

    proxies = getproxies()
    url = next((proxies[name] for name in _VARIABLES[scheme] if proxies.get(name)), None)
    if url is None or is_loopback(host) or proxy_bypass(authority(host, port)) or proxy_bypass(host):
        return None
    try:
        return Proxy(url)
    except ValueError as problem:
        raise ValueError(f"{problem} (from the environment; proxy=None connects without)") from None


def dial_through(
    proxy: ProxySetting = "environment", *, dial: Dial = dial_directly, schemes: tuple[str, str] = ("ws", "wss")
) -> Dial:
    """A way to dial that leads through a proxy, where there is one; ``dial`` reaches the proxy, or the Server.

    ``schemes`` say what the environment is asked for, without and with TLS. Raises :class:`ValueError` at once for a
    URL that is no proxy's; what it returns raises what :func:`~mqttws.transport.dial` does, and
    :class:`~mqttws.errors.ProxyRefused`.
    """
    if proxy is None:
        return dial
    given = None if proxy == "environment" else proxy if isinstance(proxy, Proxy) else Proxy(proxy)

    async def dialled(host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None) -> trio.abc.Stream:
        via = proxy_from_environment(schemes[secure], host, port) if given is None else given
        if via is None:
            return await dial(host, port, secure=secure, ssl_context=ssl_context)
        try:
            stream = await dial(via.host, via.port, secure=via.secure, ssl_context=via.ssl_context)
        except ConnectionLost as error:
            raise type(error)(f"no connection to the proxy {via}: {error.cause}") from error
        await open_tunnel(stream, via, host, port)
        return await encrypt(stream, host, port, ssl_context) if secure else stream

    return dialled


async def open_tunnel(stream: trio.abc.Stream, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end of ``stream`` for a tunnel; when this returns, the Server is at the other end.

    Waits without bound: the caller sets the deadline. Raises :class:`~mqttws.errors.ProxyRefused`,
    :class:`~mqttws.errors.ConnectionLost` if the proxy cuts the connection,
    :class:`~mqttws.errors.RemoteProtocolError` for an answer that is no HTTP or too long, and
    :class:`~mqttws.errors.LocalProtocolError` for a host that HTTP cannot name. The stream is closed then, and when
    cancelled.
    """
    where = authority(host, port)
    request = Request("CONNECT", where, (("Host", where), *proxy.headers()))
    client = HttpClient(_LIMITS)
    peer = f"the proxy {proxy}"
    try:
        response = await exchange(stream, client, request, peer=peer, body_seconds=_BODY_SECONDS)
        if not 200 <= response.status < 300:
            raise _refusal(response, proxy, where)
        if client.trailing:
            # MQTT's Servers do not speak first, neither do TLS's: these bytes are of somebody else.
            raise RemoteProtocolError(f"{peer} sent {len(client.trailing)} bytes behind its answer")
    except BaseException:
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)
        raise


def _refusal(response: Response, proxy: Proxy, where: str) -> ProxyRefused:
    """The error for an answer, without what it repeats of our credentials."""
    reason = f"{proxy} to {where}"
    if response.status in (401, 407):  # the one that is meant, and what some say instead
        reason += " (user name and password stand in the proxy's URL)"
    elif response.reason:
        reason += f" ({proxy.hide(response.reason)})"
    headers = tuple((name, proxy.hide(value)) for name, value in response.headers)
    body = proxy.hide(response.body.decode("latin-1")).encode("latin-1")
    return ProxyRefused(response.status, headers, body, reason=reason)
