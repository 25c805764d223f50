"""How the body of each packet is laid out (chapter 3), as a table for those who look at bytes without judging them.

The readers of the packets are written out for speed and stop at the first fault; with this table
:mod:`mqttws.codec.walk` goes on. A test holds the two together: for every valid packet the rows made from here have the
values that ``decode`` gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mqttws.codec.connect import (
    CLEAN_START,
    PASSWORD_FLAG,
    RESERVED,
    USER_NAME_FLAG,
    WILL_FLAG,
    WILL_QOS,
    WILL_RETAIN,
)
from mqttws.codec.properties import WILL, Place, WireType
from mqttws.vocabulary import PacketType

_V3_1_1: Final = frozenset({4})
_V5: Final = frozenset({5})
_P = PacketType
_W = WireType


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body. ``name`` is its path on the packet; ``[]`` stands for the number of the repetition.

    With a ``wire_type`` it is a value of that kind, with a ``place`` a Property Length and the properties of that
    place, with neither all the rest of the packet. ``bits`` divide a byte into parts, mask and path of each. A field
    with ``flags`` is there only if one of these bits is set in the Connect Flags, in PUBLISH in the first byte. What is
    ``optional`` may be left out together with all behind it.
    """

    name: str
    wire_type: WireType | None = None
    place: Place | None = None
    bits: tuple[tuple[int, str], ...] = ()
    flags: int = 0
    optional: bool = False
    secret: bool = False
    versions: frozenset[int] = _V3_1_1 | _V5


@dataclass(frozen=True, slots=True)
class Layout:
    """The fields of a body: those at its beginning, and those that repeat up to its end, at least once."""

    fields: tuple[Field, ...] = ()
    repeated: tuple[Field, ...] = ()


#: The QoS in the first byte of a PUBLISH, which decides over its Packet Identifier.
QOS_BITS: Final = 0x06

_CONNECT_FLAGS: Final = (
    (USER_NAME_FLAG, "user_name_flag"),
    (PASSWORD_FLAG, "password_flag"),
    (WILL_RETAIN, "will.retain"),
    (WILL_QOS, "will.qos"),
    (WILL_FLAG, "will_flag"),
    (CLEAN_START, "clean_start"),
    (RESERVED, "reserved"),
)
_SUBSCRIPTION_OPTIONS: Final = (
    (0xC0, "reserved"),
    (0x30, "subscriptions[].retain_handling"),
    (0x08, "subscriptions[].retain_as_published"),
    (0x04, "subscriptions[].no_local"),
    (0x03, "subscriptions[].qos"),
)

_PACKET_ID: Final = Field("packet_id", _W.U16)
_ACK: Final = (
    _PACKET_ID,
    Field("reason_code", _W.U8, optional=True, versions=_V5),
)


def _properties(place: Place, *, optional: bool = False) -> Field:
    return Field("properties", place=place, optional=optional, versions=_V5)


#: Bits of the first byte, for PUBLISH and for all other packet types.
PUBLISH_BITS: Final = ((0xF0, "packet_type"), (0x08, "dup"), (QOS_BITS, "qos"), (0x01, "retain"))
OTHER_BITS: Final = ((0xF0, "packet_type"), (0x0F, "flags"))

LAYOUTS: Final[dict[PacketType, Layout]] = {
    _P.CONNECT: Layout(
        (
            Field("protocol_name", _W.UTF8),
            Field("version", _W.U8),
            Field("connect_flags", _W.U8, bits=_CONNECT_FLAGS),
            Field("keep_alive", _W.U16),
            _properties(_P.CONNECT),
            Field("client_id", _W.UTF8),
            Field("will.properties", place=WILL, flags=WILL_FLAG, versions=_V5),
            Field("will.topic", _W.TOPIC, flags=WILL_FLAG),
            Field("will.payload", _W.BINARY, flags=WILL_FLAG),
            Field("username", _W.UTF8, flags=USER_NAME_FLAG),
            Field("password", _W.BINARY, flags=PASSWORD_FLAG, secret=True),
        )
    ),
    _P.CONNACK: Layout(
        (
            Field("acknowledge_flags", _W.U8, bits=((0xFE, "reserved"), (0x01, "session_present"))),
            Field("reason_code", _W.U8),
            _properties(_P.CONNACK),
        )
    ),
    _P.PUBLISH: Layout(
        (
            Field("topic", _W.TOPIC),
            Field("packet_id", _W.U16, flags=QOS_BITS),
            _properties(_P.PUBLISH),
            Field("payload"),
        )
    ),
    **{
        packet_type: Layout((*_ACK, _properties(packet_type, optional=True)))
        for packet_type in (_P.PUBACK, _P.PUBREC, _P.PUBREL, _P.PUBCOMP)
    },
    _P.SUBSCRIBE: Layout(
        (_PACKET_ID, _properties(_P.SUBSCRIBE)),
        (
            Field("subscriptions[].topic_filter", _W.UTF8),
            Field("subscriptions[].options", _W.U8, bits=_SUBSCRIPTION_OPTIONS, versions=_V5),
            Field(
                "subscriptions[].requested_qos",
                _W.U8,
                bits=((0xFC, "reserved"), (0x03, "subscriptions[].qos")),
                versions=_V3_1_1,
            ),
        ),
    ),
    _P.SUBACK: Layout((_PACKET_ID, _properties(_P.SUBACK)), (Field("reason_codes[]", _W.U8),)),
    _P.UNSUBSCRIBE: Layout((_PACKET_ID, _properties(_P.UNSUBSCRIBE)), (Field("topic_filters[]", _W.UTF8),)),
    _P.UNSUBACK: Layout((_PACKET_ID, _properties(_P.UNSUBACK)), (Field("reason_codes[]", _W.U8, versions=_V5),)),
    _P.PINGREQ: Layout(),
    _P.PINGRESP: Layout(),
    _P.DISCONNECT: Layout(
        (
            Field("reason_code", _W.U8, optional=True, versions=_V5),
            _properties(_P.DISCONNECT, optional=True),
        )
    ),
    _P.AUTH: Layout(
        (
            Field("reason_code", _W.U8, optional=True, versions=_V5),
            _properties(_P.AUTH),
        )
    ),
}
