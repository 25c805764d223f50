"""Which failures call for another attempt."""

from __future__ import annotations

import pytest

from mqttws.client.policy import POLICY, Verdict, retry_after, verdict
from mqttws.errors import (
    AccessExpired,
    AccessFailed,
    CertificateRefused,
    ConnectionLost,
    ConnectRefused,
    DialFailed,
    HandshakeRefused,
    HostNotFound,
    LocalProtocolError,
    MalformedPacket,
    NegotiateRefused,
    PeerSilent,
    ProxyRefused,
    RemoteProtocolError,
    ServerDisconnected,
    StoreFailed,
    WebSocketClosed,
    WireEnded,
    WireReset,
    WireTruncated,
)
from mqttws.vocabulary import REASON_CODES, PacketType, Role

RETRY, NEW_ACCESS, REDIRECT, GIVE_UP = Verdict.RETRY, Verdict.NEW_ACCESS, Verdict.REDIRECT, Verdict.GIVE_UP

CONNACK = {0x88: RETRY, 0x89: RETRY, 0x97: RETRY, 0x9F: RETRY, 0x9C: REDIRECT, 0x9D: REDIRECT}
DISCONNECT = dict.fromkeys((0x00, 0x80, 0x89, 0x8B, 0x8D, 0x96, 0x97, 0x9F, 0xA0), RETRY) | {
    0x9C: REDIRECT,
    0x9D: REDIRECT,
}
HTTP = dict.fromkeys((408, 425, 429, 500, 502, 503, 504, 599), RETRY)
WEBSOCKET = HTTP | {401: NEW_ACCESS, 403: NEW_ACCESS}


@pytest.mark.parametrize("code", sorted(set(REASON_CODES[PacketType.CONNACK][Role.SERVER]) - {0}))
def test_every_reason_code_of_connack_has_its_verdict(code: int) -> None:
    assert verdict(ConnectRefused(code)) is CONNACK.get(code, GIVE_UP)


@pytest.mark.parametrize("code", range(1, 7))
def test_in_3_1_1_only_server_unavailable_is_worth_another_attempt(code: int) -> None:
    assert verdict(ConnectRefused(code, version=4)) is (RETRY if code == 3 else GIVE_UP)


@pytest.mark.parametrize("code", sorted(REASON_CODES[PacketType.DISCONNECT][Role.SERVER]))
def test_every_reason_code_of_disconnect_has_its_verdict(code: int) -> None:
    assert verdict(ServerDisconnected(code)) is DISCONNECT.get(code, GIVE_UP)


def test_a_session_that_was_taken_over_is_not_taken_back() -> None:
    assert verdict(ServerDisconnected(0x8E)) is GIVE_UP


@pytest.mark.parametrize("status", [101, 200, 301, 307, 400, 401, 403, 404, 408, 410, 425, 426, 429, 500, 503, 599])
def test_every_status_of_a_handshake_has_its_verdict(status: int) -> None:
    assert verdict(HandshakeRefused(status)) is WEBSOCKET.get(status, GIVE_UP)
    assert verdict(ProxyRefused(status)) is HTTP.get(status, GIVE_UP)
    assert verdict(NegotiateRefused(status)) is HTTP.get(status, GIVE_UP)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (HostNotFound("no such name"), RETRY),
        (DialFailed("connection refused"), RETRY),
        (CertificateRefused("expired"), GIVE_UP),
        (PeerSilent("no PINGRESP"), RETRY),
        (WireReset("reset"), RETRY),
        (WireEnded("ended"), RETRY),
        (WireTruncated("truncated"), RETRY),
        (WebSocketClosed("going away", 1001), RETRY),
        (ConnectionLost("gone"), RETRY),
        (RemoteProtocolError("nonsense"), RETRY),
        (MalformedPacket("nonsense"), RETRY),
        (AccessFailed("no URL"), RETRY),
        (AccessExpired("too late"), NEW_ACCESS),
        (LocalProtocolError("ours"), GIVE_UP),
        (StoreFailed("disk full"), GIVE_UP),
        (ValueError("no URL"), GIVE_UP),
        (ZeroDivisionError(), GIVE_UP),
    ],
)
def test_every_other_failure_has_its_verdict(error: Exception, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_every_row_decides_something() -> None:
    """None is hidden by a row above it."""
    for index, row in enumerate(POLICY):
        codes: frozenset[int | None] = frozenset(row.codes) if row.codes else frozenset((None,))
        above = [other for other in POLICY[:index] if issubclass(row.kind, other.kind)]
        for other in above:
            hidden = other.codes is None or (row.codes is not None and codes <= other.codes)
            assert not (hidden and other.version in (None, row.version))


NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 0),
        ("9" * 5_000, 9_999_999_999),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0),
        ("-5", 0),
        ("1.5", 0),
        ("\N{SUPERSCRIPT TWO}", 0),
        ("soon", 0),
        ("", 0),
        ("Fri, 15 Jan 99999 08:00:30 GMT", 0),
    ],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(value: str, seconds: float) -> None:
    assert retry_after(HandshakeRefused(503, [("server", "x"), ("Retry-After", value)]), NOW) == seconds


def test_who_says_nothing_about_it_asks_for_nothing() -> None:
    assert retry_after(HandshakeRefused(503), NOW) == retry_after(ConnectionLost("gone"), NOW) == 0
