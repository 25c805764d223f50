"""WebSocket (RFC 6455) over wsproto, without I/O and for both roles; knows nothing of MQTT."""

from mqttws.websocket.connection import MAXIMUM_MESSAGE_SIZE, State, WebSocket
from mqttws.websocket.events import (
    BadRequest,
    Event,
    Failed,
    FrameEvent,
    Lost,
    Opened,
    PeerClosed,
    Piece,
    Pong,
    Refused,
    Upgrade,
)
from mqttws.websocket.fastpath import FastFraming, mask
from mqttws.websocket.framing import Framing
from mqttws.websocket.handshake import accept_token

__all__ = [
    "MAXIMUM_MESSAGE_SIZE",
    "BadRequest",
    "Event",
    "Failed",
    "FastFraming",
    "FrameEvent",
    "Framing",
    "Lost",
    "Opened",
    "PeerClosed",
    "Piece",
    "Pong",
    "Refused",
    "State",
    "Upgrade",
    "WebSocket",
    "accept_token",
    "mask",
]
