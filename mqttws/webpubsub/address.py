"""Where a service is and how a Client gets there: connection string, hub name, Client Access URL.

Nothing here opens anything. A connection string holds an access key and a Client Access URL an access token; both are
kept out of every ``repr`` and ``str``, and out of the text of every error. What really goes out has to be asked for by
name: :attr:`ConnectionString.text` and :attr:`ClientAccessUrl.url`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from mqttws.redaction import redact

__all__ = [
    "MQTT_PATH",
    "ClientAccessUrl",
    "ConnectionString",
    "check_hub",
    "redact",
]

#: What stands before the hub in the MQTT endpoint's path: plural, unlike the native ``/client/hubs/`` (documented).
MQTT_PATH: Final = "/clients/mqtt/hubs/"

#: The REST schema's pattern for hub names (documented).
_HUB: Final = re.compile(r"[A-Za-z][A-Za-z0-9_`,.\[\]]{0,127}")

#: What may stand in a request target besides letters and digits; anything else is percent-encoded (RFC 3986, 3.3, 3.4).
_TARGET_CHARACTERS: Final = "/?:@!$&'()*+,;=-._~%[]`"

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}


def check_hub(hub: str) -> None:
    """Raise :class:`ValueError` unless this is a hub name: a letter, then up to 127 letters, digits or ``_`,.[]``."""
    if not _HUB.fullmatch(hub):
        raise ValueError(
            f"{hub[:140]!a} is no hub name: a letter comes first, then up to 127 letters, digits or any of _ ` , . [ ]"
        )


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """What a service hands out: ``Endpoint=https://…;AccessKey=…;Version=1.0;``.

    ``endpoint`` is lower-case, without a trailing slash and with ``Port`` applied, exactly as it stands in the audience
    of a token. The key is used as text, not decoded from base64.
    """

    endpoint: str
    access_key: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> ConnectionString:
        """Read a connection string as the official SDKs do.

        Names may be in any case and order, empty segments are skipped, a value keeps its ``=`` and the first of two
        equal names counts. Raises :class:`ValueError`, whose text holds no part of a value.
        """
        fields: dict[str, str] = {}
        for number, segment in enumerate(text.strip().split(";"), 1):
            name, equals, value = segment.partition("=")
            if equals:
                fields.setdefault(name.strip().lower(), value.strip())
            elif segment.strip():
                # Not quoted: it may be a piece of a key.
                raise ValueError(f"connection string: segment {number} is not name=value")
        for name, spelled in (("endpoint", "Endpoint"), ("accesskey", "AccessKey")):
            if not fields.get(name):
                raise ValueError(f"connection string: {spelled} is missing")
        return cls(_endpoint(fields["endpoint"], fields.get("port", "")), fields["accesskey"])

    @property
    def text(self) -> str:
        """The whole connection string, **with the access key**."""
        return f"Endpoint={self.endpoint};AccessKey={self.access_key};Version=1.0;"

    @property
    def secure(self) -> bool:
        """Whether Clients reach the service by ``wss`` (an ``https`` endpoint)."""
        return self.endpoint.startswith("https:")

    def audience(self, hub: str) -> str:
        """The ``aud`` claim of a token for MQTT on this hub; the scheme is ``http(s)``, never ``ws(s)``."""
        check_hub(hub)
        return f"{self.endpoint}{MQTT_PATH}{hub}"

    def client_url(self, hub: str) -> str:
        """The URL of the hub's MQTT endpoint, without a token."""
        return "ws" + self.audience(hub).removeprefix("http")

    def __str__(self) -> str:
        return f"Endpoint={self.endpoint};AccessKey=[redacted]"


def _endpoint(endpoint: str, port: str) -> str:
    endpoint = endpoint.lower() if "://" in endpoint else f"https://{endpoint.lower()}"
    endpoint = endpoint.rstrip("/")
    if port:
        endpoint = f"{endpoint}:{port}"
    try:
        parts = urlsplit(endpoint)
        number = parts.port
    except ValueError:
        raise ValueError("connection string: Endpoint or Port is malformed") from None
    plain = parts.path or parts.query or parts.fragment or "@" in parts.netloc or not endpoint.isprintable()
    if parts.scheme not in ("http", "https") or not parts.hostname or plain or number == 0 or " " in endpoint:
        raise ValueError("connection string: Endpoint reads https://host or http://host:port, without a path")
    return endpoint


@dataclass(frozen=True, slots=True)
class ClientAccessUrl:
    """Any ``ws://`` or ``wss://`` URL, taken apart: the service's, the local endpoint's, any Server's.

    ``host`` is bare (an IPv6 address stands without brackets), ``target`` is what the HTTP request line asks for, path
    and query **with the token**. ``hub`` is None unless the path is that of an MQTT hub, ``token`` None unless the
    query holds ``access_token``. ``repr`` and ``str`` show neither token nor any other query value.
    """

    secure: bool
    host: str
    port: int
    target: str = field(repr=False)
    hub: str | None = None
    token: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> ClientAccessUrl:
        """Take a URL apart; raise :class:`ValueError`, whose text holds no part of the query or the user information.

        Default ports are 80 and 443. A fragment has no place in a WebSocket URL (RFC 6455, 3). User name and password
        belong into CONNECT, where the caller puts them; in the URL they are refused rather than dropped in silence.
        """
        url = url.strip()
        if not url.isprintable() or " " in url:
            raise ValueError("the URL holds a space or a control character")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError("the URL is malformed: host and port read host, host:1234 or [::1]:1234") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("MQTT over WebSocket needs a URL that starts with ws:// or wss://" + _hint(parts.scheme))
        if "@" in parts.netloc:
            raise ValueError("user name and password do not belong into the URL; pass them as username and password")
        if not host or port == 0:
            raise ValueError("the URL names no host" if not host else "the URL's port is 0")
        if parts.fragment or url.endswith("#"):
            raise ValueError("a WebSocket URL has no fragment ('#…'); write '#' in a path or query as %23")
        if not host.isascii():
            host = _ascii_host(host)
        query = f"?{parts.query}" if parts.query else ""
        return cls(
            secure=parts.scheme == "wss",
            host=host,
            port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
            target=quote((parts.path or "/") + query, safe=_TARGET_CHARACTERS),
            hub=_hub_of(parts.path),
            token=_token_of(parts.query),
        )

    @property
    def authority(self) -> str:
        """The ``Host`` header: brackets around an IPv6 address, the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self._scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL, **with the token**."""
        return f"{self._scheme}://{self.authority}{self.target}"

    @property
    def _scheme(self) -> str:
        return "wss" if self.secure else "ws"

    def __str__(self) -> str:
        path, question, _ = self.target.partition("?")
        return f"{self._scheme}://{self.authority}{path}" + ("?[redacted]" if question else "")


def _hint(scheme: str) -> str:
    """What people mean by the schemes they try instead."""
    meant = {"http": "ws://", "https": "wss://"}
    if scheme in meant:
        return f" ({meant[scheme]} in place of {scheme}://)"
    if scheme in ("mqtt", "mqtts", "tcp", "ssl"):
        return f"; {scheme}:// is MQTT over plain TCP or TLS, which this package does not speak"
    return ""


def _ascii_host(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("the URL's host name cannot be written in ASCII (IDNA)") from None


def _hub_of(path: str) -> str | None:
    hub = unquote(path[len(MQTT_PATH) :]) if path.startswith(MQTT_PATH) else ""
    return hub if _HUB.fullmatch(hub) else None


def _token_of(query: str) -> str | None:
    return next((value for name, value in parse_qsl(query) if name == "access_token"), None)
