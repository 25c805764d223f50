"""What a :class:`~mqttws.session.connection.Connection` tells its owner.

Received packets are events themselves: what a Client sends is what a Server receives. The classes here say what only
the state machine knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mqttws.codec import Packet, Publish
from mqttws.errors import MqttError

__all__ = ["Closed", "Delivered", "Event", "KeepAliveExpired", "SessionResumed", "SessionStarted"]


@dataclass(slots=True)
class Delivered:
    """A QoS 1 or 2 exchange that we began has ended, and its Packet Identifier is free again.

    ``reason_code`` and ``properties`` are those of PUBACK or PUBREC, which say whether the peer took the message: 0x80
    and above mean that it did not. (A PUBCOMP adds nothing: its 0x92 is no error after a reconnect.) Where a resumed
    Session may not send the message again because the peer's new limits forbid it, ``reason_code`` names the limit.
    """

    packet_id: int
    reason_code: int
    properties: Mapping[str, Any]
    publish: Publish


@dataclass(slots=True)
class SessionResumed:
    """The Server still holds our Session: ``resent`` exchanges go on, in their original order [MQTT-4.6.0-1]."""

    resent: int


@dataclass(slots=True)
class SessionStarted:
    """A new Session begins, and what ours held is gone [MQTT-3.2.2-5].

    ``lost`` are the outgoing messages whose exchange had not ended: whether the Server took them cannot be learned.
    """

    lost: tuple[Publish, ...] = ()


@dataclass(slots=True)
class KeepAliveExpired:
    """The peer was silent for too long; :class:`Closed` follows."""


@dataclass(slots=True)
class Closed:
    """The end of the connection, and always the last event. ``error`` is None when it was orderly."""

    error: MqttError | None = field(default=None)


Event: TypeAlias = Packet | Delivered | SessionResumed | SessionStarted | KeepAliveExpired | Closed
