"""The properties of 5.0 (2.2.2.2): one table, and what follows from it.

A row of :data:`TABLE` decides how a property is read and written, where it may stand, who may send it there, how often,
and from which value to which. Nothing else in the package names a property's identifier. On a packet, properties are a
plain dict whose keys are the table's names; the TypedDicts say to the type checker what the table says at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal, TypeAlias, TypedDict

from mqttws.vocabulary import PacketType, ReasonCode, Role

__all__ = [
    "TABLE",
    "WILL",
    "AckProperties",
    "AuthProperties",
    "ConnAckProperties",
    "ConnectProperties",
    "DisconnectProperties",
    "Place",
    "Property",
    "PublishProperties",
    "SubAckProperties",
    "SubscribeProperties",
    "UnsubAckProperties",
    "UnsubscribeProperties",
    "WillProperties",
    "WireType",
]

#: The Will Properties stand in CONNECT, but are a set of their own (3.1.3.2).
WILL: Final = "WILL"
Place: TypeAlias = PacketType | Literal["WILL"]


class WireType(Enum):
    """How a value is laid out (2.2.2.2). TOPIC is a UTF8 that also obeys the rules of a Topic Name."""

    U8 = auto()
    U16 = auto()
    U32 = auto()
    VARINT = auto()
    UTF8 = auto()
    TOPIC = auto()
    BINARY = auto()
    PAIR = auto()


@dataclass(frozen=True, slots=True)
class Property:
    """One property.

    ``senders`` says where it may stand and who may send it there. In the places of ``many`` it may stand more than
    once, and its value on the packet is a list. ``least`` and ``most`` bound a number where the wire type alone does
    not; a number outside is a fault with ``reason_code`` and ``statement``. ``wrong_sender`` is the statement that
    forbids it to the other end.
    """

    identifier: int
    name: str
    wire_type: WireType
    senders: dict[Place, frozenset[Role]]
    many: frozenset[Place] = frozenset()
    least: int | None = None
    most: int | None = None
    reason_code: ReasonCode = ReasonCode.PROTOCOL_ERROR
    statement: str | None = None
    wrong_sender: str | None = None


_CLIENT = frozenset({Role.CLIENT})
_SERVER = frozenset({Role.SERVER})
_BOTH = _CLIENT | _SERVER

_P = PacketType
_W = WireType
_ACKNOWLEDGEMENTS: dict[Place, frozenset[Role]] = dict.fromkeys((_P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP), _BOTH)
_ANSWERS: dict[Place, frozenset[Role]] = {
    _P.CONNACK: _SERVER, **_ACKNOWLEDGEMENTS, _P.SUBACK: _SERVER, _P.UNSUBACK: _SERVER, _P.DISCONNECT: _BOTH,
    _P.AUTH: _BOTH,
}  # fmt: skip
_REQUESTS: dict[Place, frozenset[Role]] = {
    _P.CONNECT: _CLIENT, WILL: _CLIENT, _P.PUBLISH: _BOTH, _P.SUBSCRIBE: _CLIENT, _P.UNSUBSCRIBE: _CLIENT,
}  # fmt: skip
_PUBLISH_AND_WILL: dict[Place, frozenset[Role]] = {_P.PUBLISH: _BOTH, WILL: _CLIENT}

#: Server Reference: 3.14.2.2.5 speaks of the Server only, but forbids it to nobody.
#: Payload Format Indicator: no sentence calls another value than 0 and 1 an error, nor a second one in a PUBLISH; they
#: are refused like those of all other one-byte properties. Whether the payload keeps the promise is not looked at:
#: the standard leaves it to the receiver, and it would cost every PUBLISH a pass over its payload.
TABLE: Final[tuple[Property, ...]] = (
    Property(0x01, "payload_format_indicator", _W.U8, _PUBLISH_AND_WILL, most=1),
    Property(0x02, "message_expiry_interval", _W.U32, _PUBLISH_AND_WILL),
    Property(0x03, "content_type", _W.UTF8, _PUBLISH_AND_WILL),
    Property(0x08, "response_topic", _W.TOPIC, _PUBLISH_AND_WILL),
    Property(0x09, "correlation_data", _W.BINARY, _PUBLISH_AND_WILL),
    Property(0x0B, "subscription_identifier", _W.VARINT, {_P.PUBLISH: _SERVER, _P.SUBSCRIBE: _CLIENT},
             many=frozenset({_P.PUBLISH}), least=1, wrong_sender="MQTT-3.3.4-6"),
    Property(0x11, "session_expiry_interval", _W.U32,
             {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER, _P.DISCONNECT: _CLIENT}, wrong_sender="MQTT-3.14.2-2"),
    Property(0x12, "assigned_client_identifier", _W.UTF8, {_P.CONNACK: _SERVER}),
    Property(0x13, "server_keep_alive", _W.U16, {_P.CONNACK: _SERVER}),
    Property(0x15, "authentication_method", _W.UTF8, {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER, _P.AUTH: _BOTH}),
    Property(0x16, "authentication_data", _W.BINARY, {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER, _P.AUTH: _BOTH}),
    Property(0x17, "request_problem_information", _W.U8, {_P.CONNECT: _CLIENT}, most=1),
    Property(0x18, "will_delay_interval", _W.U32, {WILL: _CLIENT}),
    Property(0x19, "request_response_information", _W.U8, {_P.CONNECT: _CLIENT}, most=1),
    Property(0x1A, "response_information", _W.UTF8, {_P.CONNACK: _SERVER}),
    Property(0x1C, "server_reference", _W.UTF8, {_P.CONNACK: _SERVER, _P.DISCONNECT: _BOTH}),
    Property(0x1F, "reason_string", _W.UTF8, _ANSWERS),
    Property(0x21, "receive_maximum", _W.U16, {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER}, least=1),
    Property(0x22, "topic_alias_maximum", _W.U16, {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER}),
    Property(0x23, "topic_alias", _W.U16, {_P.PUBLISH: _BOTH},
             least=1, reason_code=ReasonCode.TOPIC_ALIAS_INVALID, statement="MQTT-3.3.2-8"),
    Property(0x24, "maximum_qos", _W.U8, {_P.CONNACK: _SERVER}, most=1),
    Property(0x25, "retain_available", _W.U8, {_P.CONNACK: _SERVER}, most=1),
    Property(0x26, "user_property", _W.PAIR, {**_REQUESTS, **_ANSWERS}, many=frozenset({*_REQUESTS, *_ANSWERS})),
    Property(0x27, "maximum_packet_size", _W.U32, {_P.CONNECT: _CLIENT, _P.CONNACK: _SERVER}, least=1),
    Property(0x28, "wildcard_subscription_available", _W.U8, {_P.CONNACK: _SERVER}, most=1),
    Property(0x29, "subscription_identifier_available", _W.U8, {_P.CONNACK: _SERVER}, most=1),
    Property(0x2A, "shared_subscription_available", _W.U8, {_P.CONNACK: _SERVER}, most=1),
)  # fmt: skip


class ConnectProperties(TypedDict, total=False):
    """Of CONNECT (3.1.2.11)."""

    session_expiry_interval: int
    receive_maximum: int
    maximum_packet_size: int
    topic_alias_maximum: int
    request_response_information: int
    request_problem_information: int
    user_property: list[tuple[str, str]]
    authentication_method: str
    authentication_data: bytes


class WillProperties(TypedDict, total=False):
    """Of the Will Message in CONNECT (3.1.3.2)."""

    will_delay_interval: int
    payload_format_indicator: int
    message_expiry_interval: int
    content_type: str
    response_topic: str
    correlation_data: bytes
    user_property: list[tuple[str, str]]


class ConnAckProperties(TypedDict, total=False):
    """Of CONNACK (3.2.2.3)."""

    session_expiry_interval: int
    receive_maximum: int
    maximum_qos: int
    retain_available: int
    maximum_packet_size: int
    assigned_client_identifier: str
    topic_alias_maximum: int
    reason_string: str
    user_property: list[tuple[str, str]]
    wildcard_subscription_available: int
    subscription_identifier_available: int
    shared_subscription_available: int
    server_keep_alive: int
    response_information: str
    server_reference: str
    authentication_method: str
    authentication_data: bytes


class PublishProperties(TypedDict, total=False):
    """Of PUBLISH (3.3.2.3)."""

    payload_format_indicator: int
    message_expiry_interval: int
    topic_alias: int
    response_topic: str
    correlation_data: bytes
    user_property: list[tuple[str, str]]
    subscription_identifier: list[int]
    content_type: str


class AckProperties(TypedDict, total=False):
    """Of PUBACK, PUBREC, PUBREL and PUBCOMP (3.4.2.2, 3.5.2.2, 3.6.2.2, 3.7.2.2)."""

    reason_string: str
    user_property: list[tuple[str, str]]


class SubscribeProperties(TypedDict, total=False):
    """Of SUBSCRIBE (3.8.2.1)."""

    subscription_identifier: int
    user_property: list[tuple[str, str]]


class SubAckProperties(TypedDict, total=False):
    """Of SUBACK (3.9.2.1)."""

    reason_string: str
    user_property: list[tuple[str, str]]


class UnsubscribeProperties(TypedDict, total=False):
    """Of UNSUBSCRIBE (3.10.2.1)."""

    user_property: list[tuple[str, str]]


class UnsubAckProperties(TypedDict, total=False):
    """Of UNSUBACK (3.11.2.1)."""

    reason_string: str
    user_property: list[tuple[str, str]]


class DisconnectProperties(TypedDict, total=False):
    """Of DISCONNECT (3.14.2.2)."""

    session_expiry_interval: int
    reason_string: str
    user_property: list[tuple[str, str]]
    server_reference: str


class AuthProperties(TypedDict, total=False):
    """Of AUTH (3.15.2.2)."""

    authentication_method: str
    authentication_data: bytes
    reason_string: str
    user_property: list[tuple[str, str]]
