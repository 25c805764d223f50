"""PINGREQ and PINGRESP (3.12, 3.13), the same in both versions: a fixed header and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mqttws.codec.faults import trailing
from mqttws.vocabulary import PacketType, Role


@dataclass(slots=True)
class PingReq:
    """A Client's question whether the Server is there."""

    packet_type: ClassVar[PacketType] = PacketType.PINGREQ


@dataclass(slots=True)
class PingResp:
    """The Server's answer to PINGREQ."""

    packet_type: ClassVar[PacketType] = PacketType.PINGRESP


def decode_pingreq(_buf: bytes, pos: int, end: int, _sender: Role | None) -> PingReq:
    """The body of a PINGREQ, which is empty."""
    if pos != end:
        raise trailing(end - pos, pos)
    return PingReq()


def decode_pingresp(_buf: bytes, pos: int, end: int, _sender: Role | None) -> PingResp:
    """The body of a PINGRESP, which is empty."""
    if pos != end:
        raise trailing(end - pos, pos)
    return PingResp()


def encode_pingreq(_packet: PingReq) -> bytes:
    """The whole packet."""
    return b"\xc0\0"


def encode_pingresp(_packet: PingResp) -> bytes:
    """The whole packet."""
    return b"\xd0\0"
