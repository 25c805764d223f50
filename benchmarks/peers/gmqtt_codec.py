"""gmqtt: the body is split off beforehand, which flatters it; its client does the rest without a connection."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

from benchmarks.peers import CodecPeer, load
from benchmarks.workloads import CASES, PUBACK, PUBLISH_1, PUBLISH_SMALL

_SMALL, _QOS_1, _ACK = (case.name for case in CASES[:3])
_gmqtt, _packages = load("gmqtt"), load("gmqtt.mqtt.package")
_PUBACK = load("gmqtt.mqtt.constants").MQTTCommands.PUBACK


def peer() -> CodecPeer:
    """The adapter. Its PUBLISH of QoS 1 is acknowledged by the reader, which is done without a connection here."""
    logging.getLogger("gmqtt").setLevel(logging.WARNING)
    handler: Any = _gmqtt.Client("benchmark")._package_handler
    taken: list[Any] = []
    handler._on_message_callback = lambda topic, payload, _qos, _properties: taken.append((topic, payload))
    handler._send_puback = lambda *_: None
    bodies = {case.wire: (case.wire[0], case.wire[3 if case.wire[1] > 127 else 2 :]) for case in CASES}
    ids = SimpleNamespace(next_id=lambda: PUBLISH_1.packet_id)
    protocol = SimpleNamespace(proto_ver=5, id_generator=ids)

    def decode(wire: bytes) -> Any:
        handler._handle_publish_packet(*bodies[wire])
        return taken.pop()

    def encode(topic: str, payload: bytes, qos: int) -> bytes | bytearray:
        data: bytearray = _packages.PublishPacket.build_package(_gmqtt.Message(topic, payload, qos), protocol)[1]
        return data

    return CodecPeer(
        "gmqtt",
        {_SMALL: decode, _QOS_1: decode},
        {
            _SMALL: lambda: encode(PUBLISH_SMALL.topic, PUBLISH_SMALL.payload, 0),
            _QOS_1: lambda: encode(PUBLISH_1.topic, PUBLISH_1.payload, 1),
            _ACK: lambda: _packages.CommandWithMidPacket.build_package(_PUBACK, PUBACK.packet_id, 0),
        },
        lambda message: message,
    )
