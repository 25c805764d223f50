"""Bytes that claim to be a packet, for those who pass them on as they are or test what receives them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from mqttws.codec.primitives import varint
from mqttws.errors import MalformedPacket
from mqttws.vocabulary import PACKET_TYPES, PacketType

__all__ = ["Checks", "RawPacket", "encode_raw"]


class Checks(Enum):
    """How much of what arrives is held against the rules.

    The framing is always: a Remaining Length of at most four bytes (2.1.4), as many bytes as it says, and no more than
    are taken. Without it nobody can tell where a packet ends.
    """

    #: Every rule. What breaks one raises.
    STRICT = auto()
    #: Every rule, but what breaks one of another kind than framing comes as a :class:`RawPacket`.
    LENIENT = auto()
    #: The framing alone. Every packet comes as a :class:`RawPacket`, so that it can go on as it came.
    RAW = auto()


@dataclass(slots=True)
class RawPacket:
    """A packet that nobody has looked into: any first byte, any body, and any length, be it a lie on purpose.

    ``remaining_length`` None tells the truth. An int is written as a Variable Byte Integer, in as many bytes as it
    takes, more than MQTT's four included; bytes stand in the header as they are.
    """

    first_byte: int
    body: bytes = b""
    remaining_length: int | bytes | None = None

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> RawPacket:
        """Any bytes, at least one, as a packet that :func:`~mqttws.codec.encode` turns into exactly these bytes again.

        ``remaining_length`` is None where it is true and as short as it can be, else its bytes, at most four of them.
        Raises :class:`MalformedPacket` for no bytes at all.
        """
        if not data:
            raise MalformedPacket("a packet has a first byte at least", offset=0, field="packet_type")
        data = bytes(data)
        ends = (index + 1 for index, byte in enumerate(data[:5]) if index and byte < 0x80)
        stop = next(ends, 5)
        length, body = data[1:stop], data[stop:]
        return cls(data[0], body, None if length == varint(len(body)) else length)

    @property
    def packet_type(self) -> PacketType | None:
        """What the first byte claims to begin; None for the reserved type 0."""
        return PACKET_TYPES[self.first_byte >> 4]


def encode_raw(packet: RawPacket) -> bytes:
    """First byte, length, body; nothing is checked but that the first byte is one."""
    length = packet.remaining_length
    if not isinstance(length, bytes):
        length = varint(len(packet.body) if length is None else length)
    return b"".join((packet.first_byte.to_bytes(1, "big"), length, packet.body))
