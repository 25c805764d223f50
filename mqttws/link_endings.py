"""How the end of a wire reads: what a WebSocket has to say about it as an error of MQTT's, and the other way round."""

from __future__ import annotations

from collections.abc import Callable

from mqttws.errors import (
    ConnectionLost,
    HandshakeRefused,
    MqttError,
    RemoteProtocolError,
    WebSocketClosed,
    WireEnded,
    WireReset,
    WireTruncated,
)
from mqttws.http import Headers
from mqttws.vocabulary import ReasonCode
from mqttws.websocket import Failed, Lost, PeerClosed, Refused

__all__ = ["close_reason", "fault", "lost", "peer_closed", "refusal"]


def refusal(event: Refused, scrub: Callable[[str], str]) -> HandshakeRefused:
    """The error for an answer; ``scrub`` takes out what it repeats of our credentials, since errors get printed."""
    headers: Headers = tuple((name, scrub(value)) for name, value in event.headers)
    body = scrub(event.body.decode("latin-1")).encode("latin-1")
    return HandshakeRefused(event.status, headers, body, reason=scrub(event.reason))


def peer_closed(event: PeerClosed, peer: str, scrub: Callable[[str], str]) -> WebSocketClosed:
    """The error for a Close frame that came first; ``peer`` is the role of who sent it."""
    said = "".join(character for character in scrub(event.reason) if character.isprintable())
    return WebSocketClosed(f"the {peer} has closed the WebSocket" + (f": {said}" if said else ""), event.code)


def lost(event: Lost, *, broken: bool, in_packet: bool) -> ConnectionLost:
    """The error for bytes that ended without a farewell; ``broken`` by a reset, ``in_packet`` within one of MQTT's."""
    if broken:
        return WireReset("the connection was reset")
    if event.unfinished:
        return WireTruncated(event.message)
    if in_packet:
        return WireTruncated("the connection ended in the middle of a packet")
    return WireEnded(event.message)


def fault(event: Failed) -> RemoteProtocolError:
    """What the peer's broken framing is to MQTT's owner."""
    return RemoteProtocolError(
        f"{event.message} (RFC 6455, {event.section})",
        reason_code=ReasonCode.PACKET_TOO_LARGE if event.code == 1009 else ReasonCode.PROTOCOL_ERROR,
        statement="MQTT-6.0.0-1" if event.code == 1003 else None,
    )


def close_reason(outcome: MqttError | None) -> tuple[int, str]:
    """Code and reason of our Close frame, by how MQTT has ended."""
    if not isinstance(outcome, RemoteProtocolError):
        return 1000, ""
    return 1009 if outcome.reason_code == ReasonCode.PACKET_TOO_LARGE else 1002, outcome.statement or ""
