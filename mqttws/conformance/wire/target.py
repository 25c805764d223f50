"""The Server under test: where it is, whether that may be, and a connection to it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import trio

from mqttws.errors import ConnectionLost
from mqttws.redaction import REDACTED
from mqttws.transport import dial
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["NotLoopback", "Target", "loopback_address"]


class NotLoopback(Exception):
    """The host has an address that is not this machine's own."""


async def loopback_address(host: str, port: int) -> str:
    """The numeric address of a host, all of whose addresses are loopback ones.

    Raises :class:`NotLoopback` if one is not, :class:`~mqttws.errors.ConnectionLost` if there is none.
    """
    try:
        found = await trio.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectionLost(f"cannot find the host {host}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not ip_address(address.partition("%")[0]).is_loopback:
            raise NotLoopback(f"{host} is {address}, which is not this machine's loopback address")
    return addresses[0]


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A URL under test. ``address`` is what the host was found to be when it was checked."""

    url: ClientAccessUrl
    address: str
    headers: Sequence[tuple[str, str]] = ()
    ssl_context: ssl.SSLContext | None = None

    @classmethod
    async def find(
        cls,
        url: str,
        *,
        anywhere: bool = False,
        headers: Sequence[tuple[str, str]] = (),
        ssl_context: ssl.SSLContext | None = None,
    ) -> Target:
        """Look a URL up. Raises :class:`NotLoopback` unless it is ours or may be ``anywhere``; ValueError if bad."""
        parsed = ClientAccessUrl.parse(url)
        address = parsed.host if anywhere else await loopback_address(parsed.host, parsed.port)
        return cls(parsed, address, tuple(headers), ssl_context)

    async def open(self) -> trio.abc.Stream:
        """A fresh connection; raises :class:`~mqttws.errors.ConnectionLost`."""
        url = self.url
        # TLS verifies the name, so there the name is looked up once more.
        host = url.host if url.secure else self.address
        return await dial(host, url.port, secure=url.secure, ssl_context=self.ssl_context)

    def fill(self, head: bytes) -> bytes:
        """An HTTP head with its places filled in."""
        headers = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        return self._fill(head, self.url.target, headers)

    def fill_safely(self, head: bytes) -> bytes:
        """The same without a secret, to be shown and kept."""
        path, question, _ = self.url.target.partition("?")
        headers = "".join(f"{name}: {REDACTED}\r\n" for name, _ in self.headers)
        return self._fill(head, path + (f"?{REDACTED}" if question else ""), headers)

    def _fill(self, head: bytes, target: str, headers: str) -> bytes:
        for place, value in (("{target}", target), ("{host}", self.url.authority), ("{headers}", headers)):
            head = head.replace(place.encode(), value.encode("latin-1"))
        return head

    def __repr__(self) -> str:
        return f"<Target {self.url}>"
