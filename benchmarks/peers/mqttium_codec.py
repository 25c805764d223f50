"""mqttium: framing and typed packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.peers import CodecPeer, Reader, load
from benchmarks.workloads import CASES, PUBACK, PUBLISH_1, PUBLISH_SMALL

_SMALL, _QOS_1, _ACK = (case.name for case in CASES[:3])
_IncrementalDecoder = load("mqttium.codec").IncrementalDecoder
_V5, _QOS = load("mqttium.enums").MQTTProtocolVersion.MQTTv5, load("mqttium.enums").QoS
_PUBLISH = load("mqttium.enums").PacketType.PUBLISH
_PubAckPacket, _PublishPacket = load("mqttium.packets").PubAckPacket, load("mqttium.packets").PublishPacket


def _packet(raw: Any) -> Any:
    if raw.packet_type is _PUBLISH:
        return _PublishPacket.decode(raw.flags, raw.remaining, _V5)
    return _PubAckPacket.decode(raw.remaining, _V5)


def _publish(topic: str, payload: bytes, qos: Any, packet_id: int | None) -> Callable[[], bytes]:
    def encode() -> bytes:
        data: bytes = _PublishPacket(topic, payload, qos, False, False, packet_id, None).encode(_V5)
        return data

    return encode


def peer() -> CodecPeer:
    """The adapter."""
    decoder = _IncrementalDecoder()

    def decode(wire: bytes) -> Any:
        decoder.feed(wire)
        return _packet(decoder.next_packet())

    small, big = PUBLISH_SMALL, PUBLISH_1
    return CodecPeer(
        "mqttium",
        {_SMALL: decode, _QOS_1: decode, _ACK: decode},
        {
            _SMALL: _publish(small.topic, small.payload, _QOS.AT_MOST_ONCE, None),
            _QOS_1: _publish(big.topic, big.payload, _QOS.AT_LEAST_ONCE, big.packet_id),
            _ACK: lambda: _PubAckPacket(PUBACK.packet_id).encode(_V5),
        },
        lambda packet: (packet.topic, packet.payload),
        _reader,
    )


def _reader() -> Reader:
    decoder = _IncrementalDecoder(268_435_460)

    def read(chunk: bytes) -> int:
        count = 0
        decoder.feed(chunk)
        while (raw := decoder.next_packet()) is not None:
            _packet(raw)
            count += 1
        return count

    return read
