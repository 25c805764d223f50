"""ohmqtt: packets, and a decoder that reads from a socket."""

from __future__ import annotations

from typing import Any

from benchmarks.peers import CodecPeer, Reader, load
from benchmarks.workloads import CASES, PUBACK, PUBLISH_1, PUBLISH_SMALL

_SMALL, _QOS_1, _ACK, _CONNECT = (case.name for case in CASES)
_QOS, _packets = load("ohmqtt.mqtt_spec").MQTTQoS, load("ohmqtt.packet")
_MQTTPublishPacket, _MQTTPubAckPacket = _packets.MQTTPublishPacket, _packets.MQTTPubAckPacket
_IncrementalDecoder = load("ohmqtt.connection.decoder").IncrementalDecoder


class _Socket:
    """Gives out one chunk; then there is nothing to read for now."""

    def __init__(self) -> None:
        self._held = b""
        self._position = 0

    def hold(self, chunk: bytes) -> None:
        self._held, self._position = chunk, 0

    def recv(self, size: int) -> bytes:
        if self._position >= len(self._held):
            raise BlockingIOError
        taken = self._held[self._position : self._position + size]
        self._position += len(taken)
        return taken


def peer() -> CodecPeer:
    """The adapter."""
    small, big = PUBLISH_SMALL, PUBLISH_1
    return CodecPeer(
        "ohmqtt",
        dict.fromkeys((_SMALL, _QOS_1, _ACK, _CONNECT), _packets.decode_packet),
        {
            _SMALL: lambda: _MQTTPublishPacket(topic=small.topic, payload=small.payload, qos=_QOS.Q0).encode(),
            _QOS_1: lambda: _MQTTPublishPacket(
                topic=big.topic, payload=big.payload, qos=_QOS.Q1, packet_id=big.packet_id or 0
            ).encode(),
            _ACK: lambda: _MQTTPubAckPacket(packet_id=PUBACK.packet_id).encode(),
        },
        lambda packet: (packet.topic, packet.payload),
        _reader,
    )


def _reader() -> Reader:
    decoder, socket = _IncrementalDecoder(), _Socket()

    def read(chunk: bytes) -> int:
        source: Any = socket
        socket.hold(chunk)
        count = 0
        while decoder.decode(source) is not None:
            count += 1
        return count

    return read
