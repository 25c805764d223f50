"""The words both protocol versions share: versions, roles, packet types, qualities of service, reason codes.

Everything here is an :class:`~enum.IntEnum` with the value that stands on the wire, or a table of such values.
Look a value up in a table (``QOS[1]``) where speed matters: calling the class (``QoS(1)``) costs 25 times as much.
"""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

__all__ = [
    "PACKET_TYPES",
    "QOS",
    "REASON_CODES",
    "ConnectReturnCode",
    "PacketType",
    "ProtocolVersion",
    "QoS",
    "ReasonCode",
    "RetainHandling",
    "Role",
]


class ProtocolVersion(IntEnum):
    """The Protocol Level byte of CONNECT (3.1.1: 3.1.2.2; 5.0: 3.1.2.2)."""

    V3_1_1 = 4
    V5 = 5


class Role(Enum):
    """Which end of a Network Connection: the one that sends CONNECT, or the one that answers it."""

    CLIENT = "client"
    SERVER = "server"

    #: Members are what they are; hashing their names instead, as Enum does, would cost more than the look-up itself.
    __hash__ = object.__hash__

    @property
    def peer(self) -> Role:
        """The other end."""
        return Role.SERVER if self is Role.CLIENT else Role.CLIENT


class PacketType(IntEnum):
    """The upper four bits of a Control Packet's first byte (5.0: 2.1.2). AUTH exists in 5.0 only."""

    CONNECT = 1
    CONNACK = 2
    PUBLISH = 3
    PUBACK = 4
    PUBREC = 5
    PUBREL = 6
    PUBCOMP = 7
    SUBSCRIBE = 8
    SUBACK = 9
    UNSUBSCRIBE = 10
    UNSUBACK = 11
    PINGREQ = 12
    PINGRESP = 13
    DISCONNECT = 14
    AUTH = 15


class QoS(IntEnum):
    """Quality of Service of a delivery (4.3)."""

    AT_MOST_ONCE = 0
    AT_LEAST_ONCE = 1
    EXACTLY_ONCE = 2


class RetainHandling(IntEnum):
    """What a Server does with retained messages when a subscription is made (5.0: 3.8.3.1)."""

    SEND = 0
    SEND_IF_NEW = 1
    DO_NOT_SEND = 2


class ConnectReturnCode(IntEnum):
    """The Connect Return code of a 3.1.1 CONNACK (3.1.1: 3.2.2.3). In 5.0 its place is taken by :class:`ReasonCode`."""

    ACCEPTED = 0
    UNACCEPTABLE_PROTOCOL_VERSION = 1
    IDENTIFIER_REJECTED = 2
    SERVER_UNAVAILABLE = 3
    BAD_USER_NAME_OR_PASSWORD = 4
    NOT_AUTHORIZED = 5


class ReasonCode(IntEnum):
    """Result of an operation in 5.0 (2.4). Values of 0x80 and above are failures.

    A 3.1.1 SUBACK uses 0x00 to 0x02 and 0x80 with the same meaning.
    """

    SUCCESS = 0x00
    NORMAL_DISCONNECTION = 0x00
    GRANTED_QOS_0 = 0x00
    GRANTED_QOS_1 = 0x01
    GRANTED_QOS_2 = 0x02
    DISCONNECT_WITH_WILL_MESSAGE = 0x04
    NO_MATCHING_SUBSCRIBERS = 0x10
    NO_SUBSCRIPTION_EXISTED = 0x11
    CONTINUE_AUTHENTICATION = 0x18
    RE_AUTHENTICATE = 0x19
    UNSPECIFIED_ERROR = 0x80
    MALFORMED_PACKET = 0x81
    PROTOCOL_ERROR = 0x82
    IMPLEMENTATION_SPECIFIC_ERROR = 0x83
    UNSUPPORTED_PROTOCOL_VERSION = 0x84
    CLIENT_IDENTIFIER_NOT_VALID = 0x85
    BAD_USER_NAME_OR_PASSWORD = 0x86
    NOT_AUTHORIZED = 0x87
    SERVER_UNAVAILABLE = 0x88
    SERVER_BUSY = 0x89
    BANNED = 0x8A
    SERVER_SHUTTING_DOWN = 0x8B
    BAD_AUTHENTICATION_METHOD = 0x8C
    KEEP_ALIVE_TIMEOUT = 0x8D
    SESSION_TAKEN_OVER = 0x8E
    TOPIC_FILTER_INVALID = 0x8F
    TOPIC_NAME_INVALID = 0x90
    PACKET_IDENTIFIER_IN_USE = 0x91
    PACKET_IDENTIFIER_NOT_FOUND = 0x92
    RECEIVE_MAXIMUM_EXCEEDED = 0x93
    TOPIC_ALIAS_INVALID = 0x94
    PACKET_TOO_LARGE = 0x95
    MESSAGE_RATE_TOO_HIGH = 0x96
    QUOTA_EXCEEDED = 0x97
    ADMINISTRATIVE_ACTION = 0x98
    PAYLOAD_FORMAT_INVALID = 0x99
    RETAIN_NOT_SUPPORTED = 0x9A
    QOS_NOT_SUPPORTED = 0x9B
    USE_ANOTHER_SERVER = 0x9C
    SERVER_MOVED = 0x9D
    SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E
    CONNECTION_RATE_EXCEEDED = 0x9F
    MAXIMUM_CONNECT_TIME = 0xA0
    SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED = 0xA1
    WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED = 0xA2


#: ``QOS[bits]`` for 0, 1, 2.
QOS: Final[tuple[QoS, QoS, QoS]] = (QoS.AT_MOST_ONCE, QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE)

#: ``PACKET_TYPES[first_byte >> 4]``; type 0 is reserved.
PACKET_TYPES: Final[tuple[PacketType | None, ...]] = (None, *PacketType)


def _codes(*values: int) -> dict[int, ReasonCode]:
    return {value: ReasonCode(value) for value in values}


_PUBLISH_OUTCOME = _codes(0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)
_RELEASE_OUTCOME = _codes(0x00, 0x92)

#: Which Reason Codes a 5.0 packet may carry, by who sends it (the tables 3-1 to 3-13 of the standard, and 3.15.2.1).
#: ``REASON_CODES[packet_type][sender].get(byte)`` is the member, or None where the byte is not allowed there.
REASON_CODES: Final[dict[PacketType, dict[Role, dict[int, ReasonCode]]]] = {
    PacketType.CONNACK: {
        Role.CLIENT: {},
        Role.SERVER: _codes(
            0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99,
            0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
        ),
    },
    PacketType.PUBACK: {Role.CLIENT: _PUBLISH_OUTCOME, Role.SERVER: _PUBLISH_OUTCOME},
    PacketType.PUBREC: {Role.CLIENT: _PUBLISH_OUTCOME, Role.SERVER: _PUBLISH_OUTCOME},
    PacketType.PUBREL: {Role.CLIENT: _RELEASE_OUTCOME, Role.SERVER: _RELEASE_OUTCOME},
    PacketType.PUBCOMP: {Role.CLIENT: _RELEASE_OUTCOME, Role.SERVER: _RELEASE_OUTCOME},
    PacketType.SUBACK: {
        Role.CLIENT: {},
        Role.SERVER: _codes(0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2),
    },
    PacketType.UNSUBACK: {Role.CLIENT: {}, Role.SERVER: _codes(0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91)},
    PacketType.DISCONNECT: {
        Role.CLIENT: _codes(
            0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
        ),
        Role.SERVER: _codes(
            0x00, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97,
            0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
        ),
    },
    PacketType.AUTH: {Role.CLIENT: _codes(0x18, 0x19), Role.SERVER: _codes(0x00, 0x18)},
}  # fmt: skip
