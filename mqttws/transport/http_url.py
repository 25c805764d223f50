"""URLs of HTTP servers and proxies, taken apart: what is dialled, what is asked for, and what must not be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

__all__ = ["HttpUrl", "authority"]

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

#: What may stand in a request target besides letters and digits; anything else is percent-encoded (RFC 3986, 3.3, 3.4).
_TARGET_CHARACTERS: Final = "/?:@!$&'()*+,;=-._~%[]`"


def authority(host: str, port: int) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """An ``http://`` or ``https://`` URL.

    ``host`` is bare (an IPv6 address stands without brackets), ``target`` is what the request line asks for, path and
    query. ``repr`` and ``str`` show neither the query nor user name and password.
    """

    secure: bool
    host: str
    port: int
    target: str = field(default="/", repr=False)
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> HttpUrl:
        """Take a URL apart; raise :class:`ValueError`, whose text holds no part of the URL.

        Default ports are 80 and 443. A fragment is not part of what is asked for, and left out (RFC 9110, 7.1).
        """
        url = url.strip()
        if not url.isprintable() or " " in url:
            raise ValueError("the URL holds a space or a control character")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
            if host and not host.isascii():
                host = host.encode("idna").decode("ascii")
        except ValueError:  # UnicodeError is one
            raise ValueError("the URL is malformed: host and port read host, host:1234 or [::1]:1234") from None
        if parts.scheme not in _DEFAULT_PORTS:
            raise ValueError("the URL does not start with http:// or https://")
        if not host or port == 0:
            raise ValueError("the URL names no host" if not host else "the URL's port is 0")
        query = f"?{parts.query}" if parts.query else ""
        return cls(
            secure=parts.scheme == "https",
            host=host,
            port=_DEFAULT_PORTS[parts.scheme] if port is None else port,
            target=quote((parts.path or "/") + query, safe=_TARGET_CHARACTERS),
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.secure else "http"

    @property
    def authority(self) -> str:
        """The ``Host`` header: the port only if it is not the scheme's own."""
        return authority(self.host, self.port).removesuffix(f":{_DEFAULT_PORTS[self.scheme]}")

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What two URLs have in common that lead to one server: ``secure``, ``host``, ``port``."""
        return self.secure, self.host, self.port

    def join(self, location: str) -> HttpUrl:
        """Where a ``Location`` header points from here (RFC 9110, 10.2.2); :class:`ValueError` as in :meth:`parse`."""
        return self.parse(urljoin(f"{self.scheme}://{self.authority}{self.target}", location))

    def __str__(self) -> str:
        path, question, _ = self.target.partition("?")
        return f"{self.scheme}://{self.authority}{path}" + ("?[redacted]" if question else "")
