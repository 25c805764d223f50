"""Every error this package raises on purpose.

Whatever the peer sends leads to :class:`RemoteProtocolError` (or its child :class:`MalformedPacket`) and to nothing
else; what our own caller asks for wrongly leads to :class:`LocalProtocolError`, and then nothing was sent and nothing
has changed. No message, ``repr`` or attribute holds an access token or a password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mqttws.vocabulary import ConnectReturnCode, ProtocolVersion, ReasonCode

__all__ = [
    "AccessExpired",
    "AccessFailed",
    "AuthenticationFailed",
    "CertificateRefused",
    "ConnectRefused",
    "ConnectionLost",
    "DialFailed",
    "EventFailed",
    "HandshakeRefused",
    "HostNotFound",
    "LocalProtocolError",
    "MalformedPacket",
    "MessageExpired",
    "MqttError",
    "NegotiateRefused",
    "PeerSilent",
    "ProtocolError",
    "ProxyRefused",
    "PublishRefused",
    "QueueFull",
    "RemoteProtocolError",
    "ServerDisconnected",
    "SessionLost",
    "StoreFailed",
    "StreamOverflow",
    "SubscribeRefused",
    "WebSocketClosed",
    "WireEnded",
    "WireReset",
    "WireTruncated",
]


def name_of(code: int, version: int = 5) -> str:
    """A reason code as people read it: ``0x87 Not authorized`` (3.1.1 CONNACK codes: ``5 Not authorized``)."""
    try:
        if version == ProtocolVersion.V3_1_1 and code < 0x80:
            return f"{code} {_words(ConnectReturnCode(code).name)}"
        return f"0x{code:02X} {_words(ReasonCode(code).name)}"
    except ValueError:
        return f"0x{code:02X}"


def _words(name: str) -> str:
    words = name.replace("_", " ").lower().replace("qos", "QoS")
    return words[0].upper() + words[1:]


class MqttError(Exception):
    """The root of everything this package raises."""


class ProtocolError(MqttError):
    """A rule of MQTT was, or would have been, broken.

    ``reason_code`` is what a DISCONNECT or CONNACK says about it in 5.0; ``statement`` the normative statement
    (``"MQTT-3.3.1-4"``) in the numbering of ``version``, None where the standard gives the rule no number; ``offset``
    counts bytes from the start of the packet, and ``field`` names the part of the packet, where bytes are concerned.
    """

    def __init__(
        self,
        message: str,
        *,
        reason_code: ReasonCode = ReasonCode.PROTOCOL_ERROR,
        version: int | None = None,
        statement: str | None = None,
        offset: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason_code = reason_code
        self.version = version
        self.statement = statement
        self.offset = offset
        self.field = field

    def __str__(self) -> str:
        details = []
        if self.field is not None:
            details.append(self.field)
        if self.offset is not None:
            details.append(f"offset {self.offset}")
        where = f" ({', '.join(details)})" if details else ""
        return f"{self.message}{where}" + (f" [{self.statement}]" if self.statement else "")


class LocalProtocolError(ProtocolError):
    """Our caller asked for something MQTT forbids. Nothing was sent, nothing has changed."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule. The connection is closed, and stays so."""


class MalformedPacket(RemoteProtocolError):
    """Bytes that are no Control Packet (Reason Code 0x81)."""

    def __init__(
        self,
        message: str,
        *,
        reason_code: ReasonCode = ReasonCode.MALFORMED_PACKET,
        version: int | None = None,
        statement: str | None = None,
        offset: int | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(
            message, reason_code=reason_code, version=version, statement=statement, offset=offset, field=field
        )


#: User information, query and fragment of a URL: what may be secret in it. Each part is read once, in linear time.
_SECRET_PARTS: Final = re.compile(r"(^(?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@|[?#].*", re.IGNORECASE | re.DOTALL)


class _AnsweredInHttp(MqttError):
    """An HTTP answer that was not the one asked for.

    ``status``, ``headers`` (pairs of lower-case name and value) and ``body`` (bounded) are that answer. ``reason`` says
    what was wrong where the status alone does not.
    """

    _what = "refused"

    def __init__(
        self, status: int, headers: Sequence[tuple[str, str]] = (), body: bytes = b"", *, reason: str = ""
    ) -> None:
        super().__init__(status, headers, body)
        self.status = status
        self.headers = tuple(headers)
        self.body = body
        self.reason = reason

    @property
    def location(self) -> str | None:
        """Where a redirect (3xx) points, without credentials and query; None for any other answer. Nobody follows."""
        if not 300 <= self.status < 400:
            return None
        value = next((value for name, value in self.headers if name.lower() == "location"), None)
        return None if value is None else _SECRET_PARTS.sub(r"\1", value)

    def __str__(self) -> str:
        text = f"{self._what} with HTTP {self.status}"
        if self.location is not None:
            text += f", a redirect to {_one_line(self.location)}, which is not followed"
        if self.reason:
            text += f": {self.reason}"
        excerpt = _one_line(self.body[:300].decode("utf-8", "replace"))
        return f"{text}: {excerpt}" if excerpt else text


def _one_line(text: str) -> str:
    """A peer's words, printable and bounded."""
    words = " ".join(text[:300].split())
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in words)


class HandshakeRefused(_AnsweredInHttp):
    """The WebSocket handshake was answered with something other than an acceptable ``101``.

    ``status``, ``headers`` (pairs of lower-case name and value) and ``body`` (bounded) are the HTTP answer. ``reason``
    says what was wrong where the status alone does not: a missing subprotocol, a false accept value. Redirects are not
    followed: ``location`` says where one points.
    """

    _what = "WebSocket handshake refused"


class ProxyRefused(_AnsweredInHttp):
    """The HTTP proxy opened no tunnel: 407 wants credentials, 403 forbids, 502 to 504 could not reach the Server.

    ``reason`` names the proxy and the Server. ``status``, ``headers`` and ``body`` are as in :class:`HandshakeRefused`.
    """

    _what = "the proxy refused the tunnel"


class NegotiateRefused(_AnsweredInHttp):
    """The negotiate endpoint gave no URL to connect to: an HTTP status other than 2xx, a redirect, a useless body.

    ``status``, ``headers`` and ``body`` are as in :class:`HandshakeRefused`; the ``body`` of a 2xx is left out, since
    it may hold an access token. ``reason`` names the endpoint and what was wrong.
    """

    _what = "the negotiate endpoint answered"


class _Refused(MqttError):
    """What a peer's packet said no to: a reason code and that packet's properties."""

    _what = "refused"

    def __init__(self, reason_code: int, properties: Mapping[str, Any] | None = None, *, version: int = 5) -> None:
        super().__init__(reason_code, properties)
        self.reason_code = reason_code
        self.properties: Mapping[str, Any] = dict(properties or {})
        self.version = version

    def __str__(self) -> str:
        text = f"{self._what}: {name_of(self.reason_code, self.version)}"
        reason = self.properties.get("reason_string")
        return f"{text}: {reason}" if reason else text


class ConnectRefused(_Refused):
    """CONNACK said no. In 3.1.1 ``reason_code`` is a :class:`~mqttws.vocabulary.ConnectReturnCode`."""

    _what = "the Server refused the connection"


class ServerDisconnected(_Refused):
    """The Server ended the connection with a DISCONNECT (5.0 only)."""

    _what = "the Server disconnected"


class PublishRefused(_Refused):
    """PUBACK or PUBREC carried a Reason Code of 0x80 or above: the Server took the message for nobody."""

    _what = "publish refused"


class SubscribeRefused(MqttError):
    """SUBACK refused at least one Topic Filter; ``reason_codes`` are in the order of the filters."""

    def __init__(
        self,
        reason_codes: Sequence[int],
        properties: Mapping[str, Any] | None = None,
        *,
        topic_filters: Sequence[str] = (),
    ) -> None:
        super().__init__(reason_codes, properties)
        self.reason_codes = tuple(reason_codes)
        self.properties: Mapping[str, Any] = dict(properties or {})
        self.topic_filters = tuple(topic_filters)

    def __str__(self) -> str:
        names = self.topic_filters or tuple(f"filter {number}" for number in range(1, len(self.reason_codes) + 1))
        pairs = zip(names, self.reason_codes, strict=True)
        text = "subscribe refused: " + ", ".join(f"{name}: {name_of(code)}" for name, code in pairs if code >= 0x80)
        reason = self.properties.get("reason_string")
        return f"{text}: {reason}" if reason else text


class ConnectionLost(MqttError):
    """The Network Connection ended without a DISCONNECT: reset, truncated, silent, or closed by WebSocket alone.

    ``close_code`` is the WebSocket close code the peer gave (RFC 6455, 7.4), None if there was no Close frame.
    """

    def __init__(self, cause: str, close_code: int | None = None) -> None:
        super().__init__(cause, close_code)
        self.cause = cause
        self.close_code = close_code

    def __str__(self) -> str:
        return self.cause if self.close_code is None else f"{self.cause} (WebSocket close code {self.close_code})"


class DialFailed(ConnectionLost):
    """There never was a stream: nobody listens, no route, no TLS, or not within the deadline."""


class HostNotFound(DialFailed):
    """The Server's name has no address."""


class CertificateRefused(DialFailed):
    """The Server's certificate is not to be trusted: another name, another authority, or its time is over."""


class PeerSilent(ConnectionLost):
    """An answer did not come in time: to the handshake, to CONNECT, or to PINGREQ while TCP still stood."""


class WebSocketClosed(ConnectionLost):
    """The peer has sent a Close frame and no DISCONNECT: ``close_code`` and its words say why."""


class WireEnded(ConnectionLost):
    """The peer has ended its bytes, between two packets and without a farewell."""


class WireTruncated(ConnectionLost):
    """The peer's bytes have ended in the middle of a handshake, a WebSocket frame or a packet."""


class WireReset(ConnectionLost):
    """The stream broke: TCP was reset, or TLS was."""


class AccessFailed(MqttError):
    """The function that was to say where to connect said nothing of use; what it raised is the cause."""


class AccessExpired(AccessFailed):
    """The time of a URL or its token is over: it is not used for another connection."""


class AuthenticationFailed(MqttError):
    """The client's side of enhanced authentication has failed: its authenticator does not accept what the Server said.

    Raise it in an authenticator. Any other error of one is the cause of one of these, and its words are not repeated.
    """


class EventFailed(MqttError):
    """The event handler of a Web PubSub hub refused a user event, failed, or is not there.

    ``status`` is the HTTP status that the service tells of, None where it tells none (3.1.1 has no place for it);
    ``payload`` and ``properties`` are the answer's.
    """

    def __init__(self, name: str, status: int | None, payload: bytes, properties: Mapping[str, Any]) -> None:
        super().__init__(name, status, payload, properties)
        self.name = name
        self.status = status
        self.payload = payload
        self.properties = properties

    def __str__(self) -> str:
        text = f"event {self.name!r} failed"
        if self.status is not None:
            text += f" with status {self.status}"
        said = _one_line(self.payload[:300].decode("utf-8", "replace"))
        return f"{text}: {said}" if said else text


class SessionLost(MqttError):
    """The Server holds no Session any more, so the outcome of exchanges that were under way cannot be learned.

    ``messages`` are those that the Server may or may not have taken, each a :class:`~mqttws.codec.Publish`.
    """

    def __init__(self, messages: Sequence[Any] = ()) -> None:
        super().__init__(messages)
        self.messages = tuple(messages)

    def __str__(self) -> str:
        topics = ", ".join(repr(message.topic) for message in self.messages[:3])
        more = ", …" if len(self.messages) > 3 else ""
        found = f"{len(self.messages)} under way, on {topics}{more}" if self.messages else "none under way"
        return f"the Server has lost the Session: whether it took its messages cannot be learned ({found})"


class StoreFailed(MqttError):
    """A store could not read or keep a Session: a full disk, a broken file, one that is in use, closed or another's.

    A client ends with it, for what is not stored must not be sent; what the store took before is still in it.
    """


class QueueFull(MqttError):
    """A bound on count or bytes was reached and the message does not wait: it was not queued, or not any more."""


class MessageExpired(MqttError):
    """The Message Expiry Interval of a message passed while it waited here; it was not sent (5.0: 3.3.2.3.3)."""

    def __init__(self, topic: str, interval: int) -> None:
        super().__init__(topic, interval)
        self.topic = topic
        self.interval = interval

    def __str__(self) -> str:
        return f"the message to {self.topic!r} has waited for longer than its {self.interval} seconds"


class StreamOverflow(MqttError):
    """A stream that acknowledges on receipt has reached its bound: it ends, and takes no further message.

    What had come before is handed out first. The message that did not fit is not acknowledged.
    """
