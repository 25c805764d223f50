"""mqtt5: a codec in Rust for 5.0, without an incremental state of its own."""

from __future__ import annotations

from typing import Any

from benchmarks.peers import CodecPeer, Reader, load
from benchmarks.workloads import CASES, PUBACK, PUBLISH_1, PUBLISH_SMALL

_SMALL, _QOS_1, _ACK, _CONNECT = (case.name for case in CASES)
_mqtt5 = load("mqtt5")


def _decode(wire: bytes) -> Any:
    return _mqtt5.read(memoryview(wire))[0]


def peer() -> CodecPeer:
    """The adapter."""
    small, big = PUBLISH_SMALL, PUBLISH_1
    return CodecPeer(
        "mqtt5 (Rust)",
        dict.fromkeys((_SMALL, _QOS_1, _ACK, _CONNECT), _decode),
        {
            _SMALL: lambda: _mqtt5.PublishPacket(small.topic, small.payload).write(),
            _QOS_1: lambda: _mqtt5.PublishPacket(
                big.topic, big.payload, qos=_mqtt5.QoS.AT_LEAST_ONCE, packet_id=big.packet_id
            ).write(),
            _ACK: lambda: _mqtt5.PubAckPacket(PUBACK.packet_id).write(),
        },
        lambda packet: (packet.topic, packet.payload),
        _reader,
    )


def _reader() -> Reader:
    """The usual loop around such a codec: keep what is left, and ask again when more has come."""
    held = bytearray()

    def read(chunk: bytes) -> int:
        held.extend(chunk)
        count = position = 0
        view = memoryview(held)
        try:
            while position < len(held):
                try:
                    _, size = _mqtt5.read(view[position:])
                except IndexError:
                    break
                position += size
                count += 1
        finally:
            view.release()
        del held[:position]
        return count

    return read
