"""The opening handshake of both roles (RFC 6455, chapter 4): bounded HTTP around wsproto's own checks.

:mod:`mqttws.http` reads every head, with its limits; what asks for, or agrees to, a WebSocket then passes wsproto. No
extension is ever offered or accepted: permessage-deflate lets a small frame grow without bound (CVE-2018-1000518).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from typing import Final

import h11
import wsproto
from wsproto.connection import Connection, ConnectionType
from wsproto.events import AcceptConnection, RejectConnection, Request
from wsproto.utilities import LocalProtocolError as WsprotoLocalError
from wsproto.utilities import RemoteProtocolError as WsprotoRemoteError
from wsproto.utilities import generate_accept_token

from mqttws import http
from mqttws.errors import LocalProtocolError
from mqttws.http import BadMessage, Headers, header
from mqttws.websocket.events import BadRequest, Opened, Refused, Upgrade

__all__ = ["ClientHandshake", "ServerHandshake", "accept_token"]

#: Written by the handshake itself; a caller's header of this name would contradict it.
_OUR_HEADERS: Final = frozenset(("connection", "content-length", "host", "transfer-encoding", "upgrade"))
#: May come once only (11.3); of two, wsproto would silently take the last.
_SINGLE: Final = ("sec-websocket-accept", "sec-websocket-key", "sec-websocket-version", "upgrade")


def accept_token(key: bytes) -> bytes:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key (4.2.2)."""
    return generate_accept_token(key)


class ClientHandshake:
    """The client's end. ``request`` is what goes out; :meth:`receive` reads the answer.

    Raises :class:`LocalProtocolError` for a host, target or header that cannot be sent; the text names no value.
    """

    def __init__(
        self, *, host: str, target: str, headers: Iterable[tuple[str, str]], subprotocols: Sequence[str]
    ) -> None:
        self._subprotocols = tuple(subprotocols)
        self._wsproto = wsproto.WSConnection(ConnectionType.CLIENT)
        self._http = http.HttpClient()
        self._http.expect_upgrade()
        #: The open connection, once :meth:`receive` gave :class:`Opened`.
        self.connection: Connection | None = None
        upgrade = Request(host, target, [], _extra(headers), list(subprotocols))
        try:
            self.request = self._wsproto.send(upgrade)
        except (h11.LocalProtocolError, UnicodeError):
            raise LocalProtocolError("the host, the target or a header cannot stand in an HTTP request") from None

    @property
    def trailing(self) -> bytes:
        """What has arrived behind the answer: the first frames."""
        return self._http.trailing

    def receive(self, data: bytes) -> Opened | Refused | None:
        """Read on; the answer's meaning once it is whole. Raises :class:`BadMessage` where it is no HTTP."""
        self._http.receive_data(data)
        response = self._http.next_response()
        return None if response is None else self._meaning(response)

    def end(self) -> Refused | None:
        """No more will come, or the time is over: a refusal, if that much has arrived."""
        self._http.receive_eof()
        try:
            response = self._http.next_response()
        except BadMessage:
            response = None
        response = response or self._http.partial
        return None if response is None else self._refused(response)

    def _meaning(self, response: http.Response) -> Opened | Refused:
        if response.status != 101:
            return self._refused(response)
        chosen = header(response.headers, "sec-websocket-protocol")
        doubled = _doubled(response.headers, (*_SINGLE, "sec-websocket-protocol"))
        if doubled:
            return self._refused(response, f"header {doubled} came twice")
        if self._subprotocols and not chosen:
            return self._refused(response, f"no subprotocol, {_quoted(self._subprotocols)} was offered")
        if chosen and chosen not in self._subprotocols:
            return self._refused(
                response, f"subprotocol {_quoted((chosen,))}, {_quoted(self._subprotocols)} was offered"
            )
        try:
            self._wsproto.receive_data(_head(response))
            accepted = next(self._wsproto.events())
        except WsprotoRemoteError as error:
            return self._refused(response, _readable(str(error)))
        except UnicodeError:
            return self._refused(response, "a handshake header is not ASCII")
        assert isinstance(accepted, AcceptConnection)
        self.connection = self._wsproto.connection
        return Opened(_decoded(accepted.extra_headers), accepted.subprotocol)

    def _refused(self, response: http.Response, reason: str = "") -> Refused:
        return Refused(response.status, response.headers, response.body, reason)


class ServerHandshake:
    """The server's end: a request is an :class:`Upgrade` before it is answered, or a :class:`BadRequest`.

    With ``plain`` limits a request that asks for no WebSocket is handed out as it is, with a body within these limits;
    :meth:`respond` answers it, and the next one may follow on the same connection.
    """

    #: How much a client may send behind its request before it has the answer; it should send nothing (4.1).
    early_bytes = 64 * 1024

    def __init__(self, plain: http.Limits | None = None) -> None:
        self._wsproto = wsproto.WSConnection(ConnectionType.SERVER)
        self._takes_plain = plain is not None
        self._http = http.HttpServer(plain)
        self._subprotocols: tuple[str, ...] = ()
        self.connection: Connection | None = None
        #: The request was handed out; :meth:`accept` or :meth:`reject` answers it.
        self.asked = False

    @property
    def trailing(self) -> bytes:
        """What has arrived behind the request."""
        return self._http.trailing

    def receive(self, data: bytes) -> tuple[Upgrade | http.Request | BadRequest | None, bytes]:
        """Read on; what the bytes ask for, and what is to be sent at once (the answer to a bad request)."""
        self._http.receive_data(data)
        if self.asked:
            if len(self.trailing) > self.early_bytes:
                return self._bad(400, "too many bytes before the answer to the handshake")
            return None, b""
        try:
            request = self._http.next_request()
        except BadMessage as fault:
            return self._bad(fault.status, fault.message)
        return (None, b"") if request is None else self._judge(request)

    def _judge(self, request: http.Request) -> tuple[Upgrade | http.Request | BadRequest, bytes]:
        """What RFC 6455, 4.2.1 asks of a request that is sound HTTP."""
        headers = request.headers
        if self._takes_plain and not http.asks_for_websocket(request):
            return request, b""
        if request.method != "GET" or header(headers, "upgrade") is None:
            return self._bad(400, "this port speaks WebSocket: a GET with 'Upgrade: websocket' is expected")
        if request.version != "1.1":  # of no other version h11 has looked at the Host
            return self._bad(400, "a WebSocket needs HTTP/1.1")
        doubled = _doubled(headers, _SINGLE)
        if doubled:
            return self._bad(400, f"header {doubled} came twice")
        key = header(headers, "sec-websocket-key")
        if key is not None and not _is_key(key):
            return self._bad(400, "Sec-WebSocket-Key is not 16 bytes in base64")
        try:
            # wsproto looks at the last header of a name only.
            self._wsproto.initiate_upgrade_connection(_encoded(_joined(headers, "connection")), request.target)
            upgrade = next(self._wsproto.events())
        except WsprotoRemoteError as error:
            hint = error.event_hint
            assert isinstance(hint, RejectConnection)
            return self._bad(hint.status_code, _readable(str(error)), _decoded(hint.headers))
        except UnicodeError:
            return self._bad(400, "a handshake header is not ASCII")
        assert isinstance(upgrade, Request)
        self._subprotocols = tuple(filter(None, upgrade.subprotocols))
        self.asked = True
        return Upgrade.of(request.target, headers, self._subprotocols), b""

    def _bad(self, status: int, message: str, headers: Headers = ()) -> tuple[BadRequest, bytes]:
        return BadRequest(status, message), self.reject(status, headers, f"{message}\n".encode())

    def respond(self, response: http.Response) -> tuple[bytes, bool]:
        """Answer a plain request: the bytes, and whether the connection ends with them.

        Raises :class:`LocalProtocolError`, and the request still waits, for an answer that HTTP forbids.
        """
        data = self._http.send(response)
        return data, self._http.must_close

    def accept(self, wanted: Sequence[str], headers: Iterable[tuple[str, str]]) -> tuple[Opened, bytes]:
        """Say ``101``, with the first of the ``wanted`` subprotocols that the client offers, or with none.

        Raises :class:`LocalProtocolError`, and the request still waits, for headers that cannot be sent.
        """
        subprotocol = next((name for name in wanted if name in self._subprotocols), None)
        extra = _extra(headers)
        try:
            data = self._wsproto.send(AcceptConnection(subprotocol, [], extra))
        except (h11.LocalProtocolError, WsprotoLocalError):
            raise LocalProtocolError("a header cannot stand in the answer to a WebSocket handshake") from None
        self.connection = self._wsproto.connection
        return Opened(_decoded(extra), subprotocol), data

    def reject(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
        """Say no, with an HTTP answer that ends the connection.

        Raises :class:`LocalProtocolError`, and the request still waits, for a status or headers that HTTP forbids.
        """
        return self._http.send(http.Response(status, tuple(headers), body), close=True)


def _extra(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """A caller's headers as wsproto takes them, checked not to contradict the handshake's own."""
    checked = []
    for name, value in headers:
        if name.lower() in _OUR_HEADERS or name.lower().startswith("sec-websocket-"):
            raise LocalProtocolError(f"header {name} belongs to the WebSocket handshake")
        try:
            checked.append((name.encode("ascii"), value.encode("latin-1")))
        except UnicodeError:
            raise LocalProtocolError("a header has characters that HTTP cannot carry") from None
    return checked


def _head(response: http.Response) -> bytes:
    """The head of a ``101`` as bytes again, for wsproto."""
    headers = _encoded(_joined(response.headers, "connection"))
    return b"HTTP/1.1 101 \r\n" + b"".join(b"%b: %b\r\n" % pair for pair in headers) + b"\r\n"


def _joined(headers: Headers, name: str) -> Headers:
    """The same headers with all of one name in a single one (RFC 9110, 5.3)."""
    value = header(headers, name)
    others = tuple(pair for pair in headers if pair[0] != name)
    return others if value is None else (*others, (name, value))


def _doubled(headers: Headers, names: Iterable[str]) -> str | None:
    found = [name for name, _ in headers]
    return next((name for name in names if found.count(name) > 1), None)


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("ascii").lower(), value.decode("latin-1")) for name, value in headers)


def _quoted(names: Iterable[str]) -> str:
    return _readable(", ".join(repr(name) for name in names))


def _readable(text: str) -> str:
    """A peer's words on one line of bounded length."""
    return "".join(character if character.isprintable() else "?" for character in text[:200])
