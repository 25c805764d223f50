"""paho-mqtt: no codec apart from its client, so its client works without a socket.

For single packets the body is split off beforehand, which flatters it; the reader does it all.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from benchmarks.peers import CodecPeer, Reader, load
from benchmarks.workloads import CASES, PUBACK, PUBLISH_1, PUBLISH_SMALL

_SMALL, _QOS_1, _ACK = (case.name for case in CASES[:3])
_paho = load("paho.mqtt.client")


def _client() -> Any:
    """A client that hands out what it would send, and keeps the message that it would give to a callback."""
    client = _paho.Client(_paho.CallbackAPIVersion.VERSION2, protocol=_paho.MQTTv5)
    client._sock = SimpleNamespace(close=lambda: None)
    client.manual_ack_set(True)
    client._packet_queue = lambda _command, packet, *_: packet
    client._handle_on_message = lambda message: setattr(client, "message", message)
    return client


def peer() -> CodecPeer:
    """The adapter."""
    client = _client()
    bodies = {case.wire: (case.wire[0], bytearray(case.wire[3 if case.wire[1] > 127 else 2 :])) for case in CASES}

    def decode_publish(wire: bytes) -> Any:
        command, body = bodies[wire]
        client._in_packet = {"command": command, "packet": body, "remaining_length": len(body), "pos": 0}
        client._handle_publish()
        return client.message

    def decode_puback(wire: bytes) -> Any:
        command, body = bodies[wire]
        client._in_packet = {"command": command, "packet": body, "remaining_length": len(body), "pos": 0}
        return client._handle_pubackcomp("PUBACK")

    small, big = PUBLISH_SMALL, PUBLISH_1
    return CodecPeer(
        "paho-mqtt",
        {_SMALL: decode_publish, _QOS_1: decode_publish, _ACK: decode_puback},
        {
            _SMALL: lambda: client._send_publish(0, small.topic.encode(), small.payload, 0),
            _QOS_1: lambda: client._send_publish(big.packet_id, big.topic.encode(), big.payload, 1),
            _ACK: lambda: client._send_command_with_mid(_paho.PUBACK, PUBACK.packet_id, False),
        },
        lambda message: (message.topic, bytes(message.payload)),
        _reader,
    )


def _reader() -> Reader:
    """paho reads from its socket: first one byte, then the length, then the body."""
    client = _client()
    held = b""
    position = 0
    count = 0

    def receive(size: int) -> bytes:
        nonlocal position
        if position >= len(held):
            raise BlockingIOError
        taken = held[position : position + size]
        position += len(taken)
        return taken

    def packet_handle() -> Any:
        nonlocal count
        count += 1
        return type(client)._packet_handle(client)

    client._sock_recv = receive
    client._packet_handle = packet_handle

    def read(chunk: bytes) -> int:
        nonlocal held, position, count
        held, position, count = chunk, 0, 0
        while position < len(held):
            client._packet_read()
        return count

    return read
