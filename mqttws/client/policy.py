"""Which failures call for another attempt: one table.

A failure that is not in the table is given up: whoever connects again and again with what the Server has refused for
good does harm, and hides the reason from whoever could change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final

from mqttws.errors import (
    AccessExpired,
    AccessFailed,
    CertificateRefused,
    ConnectionLost,
    ConnectRefused,
    HandshakeRefused,
    NegotiateRefused,
    ProxyRefused,
    RemoteProtocolError,
    ServerDisconnected,
)
from mqttws.vocabulary import ConnectReturnCode, ProtocolVersion, ReasonCode

__all__ = ["POLICY", "Row", "Verdict", "retry_after", "verdict"]

_R = ReasonCode


class Verdict(Enum):
    """What follows from a failure."""

    RETRY = "retry"
    """Another attempt, after a while."""
    NEW_ACCESS = "new access"
    """Another attempt, at once and once only, if there is a function to ask for another URL."""
    REDIRECT = "redirect"
    """Another attempt with the Server that this one names, if the client follows redirects."""
    GIVE_UP = "give up"
    """The failure is the client's end."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of failure: the class of the error and, where it has any, the codes that the row is about.

    ``codes`` None stands for every code that no row above has. ``version`` None is either version.
    """

    kind: type[Exception]
    codes: frozenset[int] | None
    verdict: Verdict
    version: ProtocolVersion | None = None


def _row(
    kind: type[Exception], verdict: Verdict, *codes: int, version: ProtocolVersion | None = None, every: bool = False
) -> Row:
    return Row(kind, None if every or not codes else frozenset(codes), verdict, version)


_V5, _V3_1_1 = ProtocolVersion.V5, ProtocolVersion.V3_1_1
_SERVER_ERRORS: Final = tuple(range(500, 600))

#: The first row that fits counts.
POLICY: Final[tuple[Row, ...]] = (
    # On the way to the Server: DNS, TCP, TLS, the proxy, the WebSocket handshake.
    _row(CertificateRefused, Verdict.GIVE_UP),
    _row(HandshakeRefused, Verdict.NEW_ACCESS, 401, 403),
    _row(HandshakeRefused, Verdict.RETRY, 408, 425, 429, *_SERVER_ERRORS),
    _row(NegotiateRefused, Verdict.RETRY, 408, 425, 429, *_SERVER_ERRORS),
    _row(ProxyRefused, Verdict.RETRY, 408, 425, 429, *_SERVER_ERRORS),
    # CONNACK.
    _row(ConnectRefused, Verdict.RETRY, ConnectReturnCode.SERVER_UNAVAILABLE, version=_V3_1_1),
    _row(
        ConnectRefused,
        Verdict.RETRY,
        *(_R.SERVER_UNAVAILABLE, _R.SERVER_BUSY, _R.QUOTA_EXCEEDED, _R.CONNECTION_RATE_EXCEEDED),
        version=_V5,
    ),
    _row(ConnectRefused, Verdict.REDIRECT, _R.USE_ANOTHER_SERVER, _R.SERVER_MOVED, version=_V5),
    # DISCONNECT. Session taken over is not here: two programs with one client id would chase each other for ever.
    _row(ServerDisconnected, Verdict.REDIRECT, _R.USE_ANOTHER_SERVER, _R.SERVER_MOVED),
    _row(
        ServerDisconnected,
        Verdict.RETRY,
        *(_R.NORMAL_DISCONNECTION, _R.UNSPECIFIED_ERROR, _R.SERVER_BUSY, _R.SERVER_SHUTTING_DOWN),
        *(_R.KEEP_ALIVE_TIMEOUT, _R.MESSAGE_RATE_TOO_HIGH, _R.QUOTA_EXCEEDED, _R.CONNECTION_RATE_EXCEEDED),
        _R.MAXIMUM_CONNECT_TIME,
    ),
    # The wire has ended without a word of MQTT, or the Server has sent nonsense: the next connection may be better.
    _row(ConnectionLost, Verdict.RETRY),
    _row(RemoteProtocolError, Verdict.RETRY),
    # The caller's own function for URLs.
    _row(AccessExpired, Verdict.NEW_ACCESS),
    _row(AccessFailed, Verdict.RETRY),
)


def verdict(error: Exception) -> Verdict:
    """What the table says about a failure."""
    code = getattr(error, "status", getattr(error, "reason_code", None))
    version = getattr(error, "version", None)
    for row in POLICY:
        if (
            isinstance(error, row.kind)
            and (row.codes is None or code in row.codes)
            and (row.version is None or row.version == version)
        ):
            return row.verdict
    return Verdict.GIVE_UP


def retry_after(error: Exception, now: float) -> float:
    """Seconds for which the Server asks to be left alone (RFC 9110, 10.2.3); ``now`` is in seconds since 1970."""
    headers = getattr(error, "headers", ())
    value = next((value for name, value in headers if name.lower() == "retry-after"), "").strip()
    if value.isascii() and value.isdigit():
        # More digits than a year has seconds are cut off by whoever uses this; int() of a huge text is slow.
        return float(value[:10])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError, TypeError):
        return 0.0
