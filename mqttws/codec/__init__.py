"""Bytes to packets and back, for both versions (chapters 1.5, 2 and 3).

Sans-IO, standard library only, and without memory but for an unfinished packet. :func:`decode` and :func:`encode` take
one packet, :class:`Framer` a stream in any pieces. What the peer's bytes raise is a :class:`RemoteProtocolError`, what
our caller's packets raise a :class:`LocalProtocolError`; both name the statement that was broken. :func:`explain` says
of any bytes what they are; it is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mqttws.codec.acks import PubAck, PubComp, PubRec, PubRel
from mqttws.codec.auth import Auth
from mqttws.codec.connack import ConnAck
from mqttws.codec.connect import Connect, Will
from mqttws.codec.disconnect import Disconnect
from mqttws.codec.dispatch import Packet, decode, encode
from mqttws.codec.framer import Framer
from mqttws.codec.ping import PingReq, PingResp
from mqttws.codec.publish import Publish
from mqttws.codec.raw import Checks, RawPacket
from mqttws.codec.suback import SubAck, UnsubAck
from mqttws.codec.subscribe import Subscribe, Subscription, Unsubscribe
from mqttws.errors import LocalProtocolError, MalformedPacket, MqttError, ProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from mqttws.codec.dissection import PacketNotes, dissect, explain

__all__ = [
    "Auth",
    "Checks",
    "ConnAck",
    "Connect",
    "Disconnect",
    "Framer",
    "LocalProtocolError",
    "MalformedPacket",
    "MqttError",
    "Packet",
    "PacketNotes",
    "PingReq",
    "PingResp",
    "ProtocolError",
    "PubAck",
    "PubComp",
    "PubRec",
    "PubRel",
    "Publish",
    "RawPacket",
    "RemoteProtocolError",
    "SubAck",
    "Subscribe",
    "Subscription",
    "UnsubAck",
    "Unsubscribe",
    "Will",
    "decode",
    "dissect",
    "encode",
    "explain",
]


def __getattr__(name: str) -> Any:
    """What is for people only, and not for every program that reads packets."""
    if name in ("PacketNotes", "dissect", "explain"):
        return getattr(import_module("mqttws.codec.dissection"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
