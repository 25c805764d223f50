"""What the errors say, and what they never say."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws import errors
from mqttws.codec import Publish
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    HandshakeRefused,
    LocalProtocolError,
    MalformedPacket,
    MessageExpired,
    MqttError,
    NegotiateRefused,
    ProtocolError,
    ProxyRefused,
    PublishRefused,
    QueueFull,
    RemoteProtocolError,
    ServerDisconnected,
    SessionLost,
    StreamOverflow,
    SubscribeRefused,
    name_of,
)
from mqttws.vocabulary import ConnectReturnCode, ReasonCode


def test_all_errors_have_one_root_and_the_peers_have_another() -> None:
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), MqttError)
    assert issubclass(MalformedPacket, RemoteProtocolError)
    assert issubclass(RemoteProtocolError, ProtocolError)
    assert issubclass(LocalProtocolError, ProtocolError)
    assert not issubclass(LocalProtocolError, RemoteProtocolError)
    assert not issubclass(HandshakeRefused, ProtocolError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ProtocolError("no"), "no"),
        (LocalProtocolError("no", field="topic"), "no (topic)"),
        (RemoteProtocolError("no", offset=7), "no (offset 7)"),
        (
            MalformedPacket("no", field="topic", offset=7, statement="MQTT-1.5.4-1"),
            "no (topic, offset 7) [MQTT-1.5.4-1]",
        ),
        (HandshakeRefused(401), "WebSocket handshake refused with HTTP 401"),
        (HandshakeRefused(101, reason="no subprotocol"), "WebSocket handshake refused with HTTP 101: no subprotocol"),
        (HandshakeRefused(400, body=b"a\r\n\x1b[2Jb"), "WebSocket handshake refused with HTTP 400: a \ufffd[2Jb"),
        (
            HandshakeRefused(302, [("location", "https://u:canary@b.example/x?t=canary#f")]),
            "WebSocket handshake refused with HTTP 302, a redirect to https://b.example/x, which is not followed",
        ),
        (
            ProxyRefused(407, reason="http://p.example:3128 to a.example:443", body=b"who are you?"),
            "the proxy refused the tunnel with HTTP 407: http://p.example:3128 to a.example:443: who are you?",
        ),
        (NegotiateRefused(200, reason="no URL"), "the negotiate endpoint answered with HTTP 200: no URL"),
        (ConnectRefused(ReasonCode.NOT_AUTHORIZED), "the Server refused the connection: 0x87 Not authorized"),
        (
            ConnectRefused(ConnectReturnCode.NOT_AUTHORIZED, version=4),
            "the Server refused the connection: 5 Not authorized",
        ),
        (ConnectRefused(0xF0), "the Server refused the connection: 0xF0"),
        (
            ServerDisconnected(ReasonCode.SERVER_MOVED, {"reason_string": "over there"}),
            "the Server disconnected: 0x9D Server moved: over there",
        ),
        (PublishRefused(ReasonCode.QUOTA_EXCEEDED), "publish refused: 0x97 Quota exceeded"),
        (
            SubscribeRefused([0, 0x87], {"reason_string": "why"}, topic_filters=["a", "b"]),
            "subscribe refused: b: 0x87 Not authorized: why",
        ),
        (SubscribeRefused([0x80]), "subscribe refused: filter 1: 0x80 Unspecified error"),
        (ConnectionLost("reset by the peer"), "reset by the peer"),
        (ConnectionLost("closed", 1006), "closed (WebSocket close code 1006)"),
        (
            SessionLost(),
            "the Server has lost the Session: whether it took its messages cannot be learned (none under way)",
        ),
        (
            SessionLost([Publish(topic) for topic in "abcd"]),
            "the Server has lost the Session: whether it took its messages cannot be learned "
            "(4 under way, on 'a', 'b', 'c', …)",
        ),
        (MessageExpired("a", 5), "the message to 'a' has waited for longer than its 5 seconds"),
        (StreamOverflow("100 messages"), "100 messages"),
        (QueueFull("full"), "full"),
    ],
)
def test_an_error_says_what_was_found(error: MqttError, text: str) -> None:
    assert str(error) == text


def test_a_protocol_error_has_a_reason_code_of_its_kind() -> None:
    assert ProtocolError("x").reason_code is ReasonCode.PROTOCOL_ERROR
    assert MalformedPacket("x").reason_code is ReasonCode.MALFORMED_PACKET
    assert RemoteProtocolError("x", reason_code=ReasonCode.PACKET_TOO_LARGE).reason_code is ReasonCode.PACKET_TOO_LARGE


def test_a_refusal_keeps_the_packets_properties_and_not_the_callers_dict() -> None:
    properties: dict[str, Any] = {"reason_string": "no"}
    error = PublishRefused(0x87, properties)
    properties.clear()
    assert error.properties == {"reason_string": "no"}
    assert (error.reason_code, error.version) == (0x87, 5)
    assert ConnectRefused(0x87).properties == {}


def test_a_handshake_refusal_keeps_the_answer_and_shows_little_of_it() -> None:
    error = HandshakeRefused(403, [("retry-after", "5")], b"x" * 5_000)
    assert (error.status, error.headers, len(error.body)) == (403, (("retry-after", "5"),), 5_000)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("code", "version", "name"),
    [
        (0x9B, 5, "0x9B QoS not supported"),
        (0x00, 5, "0x00 Success"),
        (2, 4, "2 Identifier rejected"),
        (0x80, 4, "0x80 Unspecified error"),
        (0x7F, 5, "0x7F"),
        (0x7F, 4, "0x7F"),
    ],
)
def test_a_code_is_shown_as_people_read_it(code: int, version: int, name: str) -> None:
    assert name_of(code, version) == name


@pytest.mark.parametrize(
    ("status", "location", "shown"),
    [
        (301, "wss://user:canary@b.example:81/a/b?access_token=canary", "wss://b.example:81/a/b"),
        (307, "//canary@b.example", "//b.example"),
        (308, "/elsewhere?canary", "/elsewhere"),
        (302, "a@b", "a@b"),
        (401, "/login", None),
    ],
)
def test_a_redirect_says_where_it_points_without_what_may_be_secret(
    status: int, location: str, shown: str | None
) -> None:
    error = HandshakeRefused(status, [("x", "y"), ("Location", location)])
    assert error.location == shown
    assert "canary" not in str(error)
    assert HandshakeRefused(300).location is None
