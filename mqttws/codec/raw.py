"""Bytes that claim to be a packet, for those who test what receives them."""

from __future__ import annotations

from dataclasses import dataclass

from mqttws.codec.primitives import varint


@dataclass(slots=True)
class RawPacket:
    """Lies on purpose: any first byte, any body, any length.

    ``remaining_length`` None tells the truth. An int is written as a Variable Byte Integer, in as many bytes as it
    takes, more than MQTT's four included; bytes stand in the header as they are.
    """

    first_byte: int
    body: bytes = b""
    remaining_length: int | bytes | None = None


def encode_raw(packet: RawPacket) -> bytes:
    """First byte, length, body; nothing is checked but that the first byte is one."""
    length = packet.remaining_length
    if not isinstance(length, bytes):
        length = varint(len(packet.body) if length is None else length)
    return b"".join((packet.first_byte.to_bytes(1, "big"), length, packet.body))
