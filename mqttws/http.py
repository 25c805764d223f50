"""HTTP/1.1 heads and bounded bodies over h11, for either role; no I/O and no clock.

One :class:`HttpServer` or :class:`HttpClient` reads and writes one connection. A message is handed out when it is
whole; what stands behind it stays in :attr:`~HttpServer.trailing`, so that another protocol can take over there. The
limits hold while a head trickles in, not only when it is complete, and any chunking of the bytes gives the same result.

Requests hold access tokens: no ``repr`` and no error text here shows a query, a credential or a line of the peer's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import h11

from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.redaction import REDACTED, is_secret_name, redact

__all__ = [
    "BadMessage",
    "Headers",
    "HttpClient",
    "HttpServer",
    "Limits",
    "Request",
    "Response",
    "asks_for_websocket",
    "bearer",
    "header",
    "shown",
]

#: Pairs of lower-case name and value, in the order of the message; a name may come more than once.
Headers: TypeAlias = tuple[tuple[str, str], ...]

#: h11 ends some texts with what it has read, which may be a request line with a token in it.
_QUOTED = re.compile(r":? \(?(?:bytearray\(|b['\"]).*", re.DOTALL)
_NO_BODY: Final = frozenset((204, 304))


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message may take, in bytes (``headers``: lines). Precedents: Apache 8 KiB a line, IIS 16 KiB a head."""

    head: int = 16 * 1024
    line: int = 8 * 1024
    headers: int = 100
    body: int = 64 * 1024


class BadMessage(RemoteProtocolError):
    """Bytes that are no HTTP message, or one above the limits; ``status`` is what a server answers to it."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, repr=False)
class Request:
    """A request. Its ``target`` (the request line's) and headers may hold secrets, the ``repr`` does not."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    version: str = "1.1"

    @property
    def path(self) -> str:
        """The target up to its query, without the scheme and authority of an absolute form; still percent-encoded."""
        return split_target(self.target)[0]

    @property
    def query(self) -> str:
        """What follows the first question mark of the target, empty without one."""
        return split_target(self.target)[1]

    def __repr__(self) -> str:
        hidden = f"?{REDACTED}" if self.query else ""
        return f"Request({self.method} {self.path}{hidden}, {shown(self.headers)!r}, {len(self.body)} bytes)"


@dataclass(slots=True, repr=False)
class Response:
    """An answer. ``truncated`` says that the body went on, above the limit or beyond the end of the connection."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    reason: str = ""
    truncated: bool = False

    def __repr__(self) -> str:
        return f"Response({self.status} {self.reason}, {shown(self.headers)!r}, {len(self.body)} bytes)"


def header(headers: Iterable[tuple[str, str]], name: str) -> str | None:
    """The value of a header, several of one name joined by commas (RFC 9110, 5.3); None where there is none."""
    values = [value for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


def bearer(headers: Iterable[tuple[str, str]]) -> str | None:
    """The token of ``Authorization: Bearer`` (RFC 6750, 2.1); None where there is none."""
    scheme, _, token = (header(headers, "authorization") or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def shown(headers: Iterable[tuple[str, str]]) -> Headers:
    """Headers as a log or a ``repr`` may show them: without credentials, and without the token in an address."""
    return tuple((name, REDACTED if is_secret_name(name) else redact(value)) for name, value in headers)


def split_target(target: str) -> tuple[str, str]:
    """Path and query of a request target, be it in origin or in absolute form (RFC 9112, 3.2)."""
    address, _, query = target.partition("?")
    if not address.startswith("/") and "://" in address:
        address = "/" + address.partition("://")[2].partition("/")[2]
    return address, query


class _HeadScanner:
    """Measures a head while its bytes pass, so that no limit waits for the end of a line that never ends."""

    __slots__ = ("_first", "_length", "_limits", "_lines", "_total")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._lines = 0
        self._length = 0  # of the unfinished line
        self._first = 0  # its first byte

    def scan(self, data: bytes) -> int:
        """How many of these bytes belong to the head; raise :class:`BadMessage` where it breaks a limit."""
        if not self._total and not 0x21 <= data[0] < 0x7F:
            # Seen at once, since a TLS ClientHello (0x16) or a TCP MQTT peer would wait for an answer for ever.
            raise BadMessage(f"byte 0x{data[0]:02X} begins no HTTP message")
        position = 0
        while position < len(data):
            newline = data.find(b"\n", position)
            stop = newline if newline >= 0 else len(data)
            if not self._length and stop > position:
                self._first = data[position]
            self._length += stop - position
            self._total += stop - position + (newline >= 0)
            self._check()
            if newline < 0:
                return len(data)
            position = newline + 1
            if self._length == 0 or (self._length == 1 and self._first == 0x0D):
                return position
            self._lines += 1
            self._length = 0
        return position

    def _check(self) -> None:
        limits = self._limits
        if self._length > limits.line:
            if self._lines == 0:
                raise BadMessage(f"the first line is longer than {limits.line} bytes", status=414)
            raise BadMessage(f"a header is longer than {limits.line} bytes", status=431)
        if self._total > limits.head:
            raise BadMessage(f"the head is longer than {limits.head} bytes", status=431)
        if self._lines > limits.headers and self._length > 1:
            raise BadMessage(f"there are more than {limits.headers} headers", status=431)


class _Messages:
    """The reading half of both roles. Each message has an h11 machine of its own: bytes behind it enter none."""

    def __init__(self, role: type[h11.CLIENT | h11.SERVER], limits: Limits) -> None:
        self._role = role
        self._limits = limits
        self._buffer = bytearray()
        self._eof = False
        self._fault: BadMessage | None = None
        self._begin()

    def _begin(self) -> None:
        # Larger than any head, so that the limits above decide; h11 still bounds chunk lines and trailers by it.
        self._h11 = h11.Connection(self._role, max_incomplete_event_size=self._limits.head + 1)
        self._scanner = _HeadScanner(self._limits)
        self._body = bytearray()

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the peer; look for messages after each call, since nothing is bounded before that."""
        self._buffer += data

    def receive_eof(self) -> None:
        """The peer sends no more."""
        self._eof = True

    @property
    def trailing(self) -> bytes:
        """What has arrived behind the last message that was handed out."""
        return bytes(self._buffer)

    def _event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        try:
            return self._h11.next_event()
        except h11.RemoteProtocolError as error:
            raise BadMessage(_QUOTED.sub("", str(error)), status=error.error_status_hint) from None

    def _read_head(self) -> h11.Event | None:
        """The next head, or None while it is unfinished."""
        if self._buffer:
            piece = bytes(self._buffer[: self._scanner.scan(bytes(self._buffer))])
            del self._buffer[: len(piece)]
            self._h11.receive_data(piece)
        elif self._eof:
            self._h11.receive_data(b"")
        event = self._event()
        return None if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed) else event  # type: ignore[return-value]  # the sentinels are no Event

    def _read_body(self) -> bool:
        """Collect the body; True when it is whole, or longer than the limit, in which case it is cut there."""
        while len(self._body) <= self._limits.body:
            event = self._event()
            if isinstance(event, h11.Data):
                self._body += event.data
            elif event is h11.NEED_DATA:
                if not self._buffer and not self._eof:
                    return False
                self._h11.receive_data(bytes(self._buffer))
                self._buffer.clear()
            else:  # the end of the message, or of HTTP on this connection
                self._buffer[:0] = self._h11.trailing_data[0]
                return True
        return True


class HttpServer(_Messages):
    """The server's end of one HTTP/1.1 connection: requests in, answers out, one at a time.

    A request that asks for ``Upgrade: websocket`` is handed out without waiting for a body and may have none.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(h11.SERVER, limits or Limits())
        self._head: h11.Request | None = None
        self._answering = False
        #: The connection ends with the answer that was sent last.
        self.must_close = False

    def next_request(self) -> Request | None:
        """The next whole request, or None: not all of it is here, or the one before has no answer yet.

        Raises :class:`BadMessage`, again at each further call; answer it with :meth:`send` and close.
        """
        if self._fault is not None:
            raise self._fault
        try:
            if not self._answering:
                return self._next_request()
            if len(self._buffer) > self._limits.head + self._limits.body:
                raise BadMessage("too many bytes arrived before the request was answered")
            return None
        except BadMessage as fault:
            self._fault = fault
            self._buffer.clear()
            raise

    def _next_request(self) -> Request | None:
        if self._head is None:
            head = self._read_head()
            if not isinstance(head, h11.Request):
                return None
            self._head = head
        headers = _decoded(self._head.headers)
        if _names_websocket(headers) and _announces_body(headers):
            raise BadMessage("a request for a WebSocket has no body")
        if not self._read_body():
            return None
        if len(self._body) > self._limits.body:
            raise BadMessage(f"the body is longer than {self._limits.body} bytes", status=413)
        self._answering = True
        head = self._head
        return Request(
            head.method.decode("ascii"),
            head.target.decode("ascii"),
            headers,
            bytes(self._body),
            head.http_version.decode("ascii"),
        )

    def send(self, response: Response, *, close: bool = False) -> bytes:
        """The bytes of an answer, after which the next request may be read unless :attr:`must_close` says otherwise.

        Content-Length is added, and Content-Type (plain text) where there is a body without one. Before a request was
        whole the answer is a refusal and closes. Raises :class:`LocalProtocolError` and sends nothing for headers or a
        status that HTTP does not allow.
        """
        close = close or not self._answering
        method = self._head.method if self._head is not None else b""
        body = b"" if method == b"HEAD" or response.status in _NO_BODY else response.body
        headers = [pair for pair in response.headers if pair[0].lower() not in ("content-length", "transfer-encoding")]
        if response.status not in _NO_BODY:
            headers.append(("Content-Length", str(len(response.body))))
        if response.body and header(headers, "content-type") is None:
            headers.append(("Content-Type", "text/plain; charset=utf-8"))
        if close:
            headers.append(("Connection", "close"))
        event = _checked_response(response.status, headers, response.reason)
        data = self._h11.send(event) + self._h11.send(h11.Data(data=body)) + self._h11.send(h11.EndOfMessage())
        self.must_close = close or self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE
        if not self.must_close:
            self._begin()
            self._head = None
            self._answering = False
        return data


class HttpClient(_Messages):
    """The client's end of one HTTP/1.1 connection: one request out, its answer in, then perhaps the next."""

    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(h11.CLIENT, limits or Limits())
        self._head: h11.Response | h11.InformationalResponse | None = None
        self._awaiting = False

    def send(self, request: Request) -> bytes:
        """The bytes of a request; Content-Length is added where it has a body, a Host header is the caller's duty.

        Raises :class:`LocalProtocolError` and sends nothing for what HTTP does not allow.
        """
        self._begin()
        self._head = None
        headers = list(request.headers)
        if request.body:
            headers.append(("Content-Length", str(len(request.body))))
        try:
            event = h11.Request(method=request.method, target=request.target, headers=headers)
        except (h11.LocalProtocolError, UnicodeError) as error:
            raise LocalProtocolError(f"HTTP forbids this request: {_QUOTED.sub('', str(error))}") from None
        self._awaiting = True
        return self._h11.send(event) + self._h11.send(h11.Data(data=request.body)) + self._h11.send(h11.EndOfMessage())

    def expect_upgrade(self) -> None:
        """Read the answer to an upgrade request that somebody else has written: wsproto, which keeps its secret."""
        pairs = (("Host", "-"), ("Connection", "Upgrade"), ("Upgrade", "websocket"))
        self.send(Request("GET", "/", pairs))

    def next_response(self) -> Response | None:
        """The answer, once, when it is whole or its body exceeds the limit. Interim answers are passed over.

        A ``101`` is handed out at its head. Raises :class:`BadMessage`, again at each further call.
        """
        if self._fault is not None:
            raise self._fault
        try:
            response = self._next_response() if self._awaiting else None
        except BadMessage as fault:
            response = self.partial if self._eof else None  # cut short by the end of the connection
            if response is None:
                self._fault = fault
                self._buffer.clear()
                raise
        self._awaiting = self._awaiting and response is None
        return response

    def _next_response(self) -> Response | None:
        while self._head is None:
            head = self._read_head()
            if isinstance(head, h11.InformationalResponse) and head.status_code != 101:
                self._scanner = _HeadScanner(self._limits)
            elif isinstance(head, h11.InformationalResponse | h11.Response):
                self._head = head
            else:
                return None
        if not self._read_body():
            return None
        return self._response(truncated=len(self._body) > self._limits.body)

    @property
    def reusable(self) -> bool:
        """Whether another request may follow on this connection: the answer was whole, and neither end has to close.

        Bytes behind the answer are nobody's, and end the connection as well.
        """
        done = self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE
        return done and not self._eof and not self._buffer

    @property
    def partial(self) -> Response | None:
        """As much of the answer as has arrived, None before its head is whole."""
        return None if self._head is None else self._response(truncated=True)

    def _response(self, *, truncated: bool) -> Response:
        assert self._head is not None
        body = bytes(self._body[: self._limits.body])
        reason = bytes(self._head.reason).decode("latin-1")
        return Response(self._head.status_code, _decoded(self._head.headers), body, reason, truncated)


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in headers)


def asks_for_websocket(request: Request) -> bool:
    """Whether a request wants to become a WebSocket (RFC 6455, 4.2.1): a GET with ``Upgrade: websocket``."""
    return request.method == "GET" and _names_websocket(request.headers)


def _names_websocket(headers: Headers) -> bool:
    return "websocket" in [token.strip().lower() for token in (header(headers, "upgrade") or "").split(",")]


def _announces_body(headers: Headers) -> bool:
    length = header(headers, "content-length") or "0"
    return length.strip("0") != "" or header(headers, "transfer-encoding") is not None


def _checked_response(status: int, headers: list[tuple[str, str]], reason: str) -> h11.Response:
    try:
        phrase = reason or HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    try:
        return h11.Response(status_code=status, headers=headers, reason=phrase.encode("latin-1"))
    except (h11.LocalProtocolError, UnicodeError) as error:
        raise LocalProtocolError(f"HTTP forbids this answer: {_QUOTED.sub('', str(error))}") from None
