"""Good conversations, from a seed: what an attack spoils a step of.

Everything here is legal and modest, so that strict services take it too: plain topics, no wildcards, nothing retained,
no aliases, client identifiers of letters and digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mqttws.codec import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    Publish,
    PubRel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
    encode,
)
from mqttws.fuzz.live.script import Layer, Step
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import QOS, PacketType, ProtocolVersion

__all__ = ["CLIENT_IDS", "REQUEST", "TOPIC", "TOPICS", "conversation", "handshake", "packet_step"]

#: Few, so that Sessions that an attack leaves behind are replaced by the next one.
CLIENT_IDS: Final = tuple(f"mqttwsfuzz{number}" for number in range(4))
TOPICS: Final = ("mqttwsfuzz", "mqttwsfuzz/a", "mqttwsfuzz/b")
#: Where only one topic is needed.
TOPIC: Final = TOPICS[0]
_PAYLOADS: Final = (b"", b"hi", bytes(range(256)), b"x" * 20_000)

#: A good HTTP request.
REQUEST: Final = (
    b"GET {target} HTTP/1.1\r\n"
    b"Host: {host}\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: bXF0dHdzLWZ1enouLi4uLg==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n"
    b"{headers}\r\n"
)


def handshake() -> Step:
    """The WebSocket handshake as it should be."""
    return Step("handshake", REQUEST, Layer.HTTP, awaits="101")


def packet_step(packet: Packet, version: int, awaits: PacketType | None = None) -> Step:
    """A good packet as a step."""
    return Step(_note(packet), encode(packet, version), awaits="" if awaits is None else awaits.name)


def conversation(source: Source, version: int, *, maximum_qos: int = 2) -> list[Step]:
    """CONNECT, up to four exchanges, and in half of all cases DISCONNECT."""
    steps = [packet_step(_connect(source, version), version, PacketType.CONNACK)]
    for number in range(source.draw(4)):
        steps += _exchange(source, version, number + 1, maximum_qos)
    if source.boolean():
        steps.append(packet_step(Disconnect(), version))
    return steps


def _connect(source: Source, version: int) -> Connect:
    said: Any = {}
    if version == ProtocolVersion.V5:
        offered = {
            "session_expiry_interval": source.choice((0, 5)),
            "receive_maximum": source.choice((1, 20, 65_535)),
            "maximum_packet_size": source.choice((1_000, 1_000_000)),
            "request_problem_information": source.draw(1),
            "user_property": [("k", "v")],
        }
        said = {name: value for name, value in offered.items() if source.boolean()}
    will = Will(TOPICS[1], source.choice(_PAYLOADS[:2]), QOS[source.draw(1)]) if source.draw(4) == 4 else None
    keep_alive = source.choice((60, 120))
    return Connect(ProtocolVersion(version), source.choice(CLIENT_IDS), True, keep_alive, will=will, properties=said)


def _exchange(source: Source, version: int, packet_id: int, maximum_qos: int) -> Iterator[Step]:
    match source.draw(4):
        case 0:
            yield packet_step(PingReq(), version, PacketType.PINGRESP)
        case 1:
            wanted = [Subscription(source.choice(TOPICS), QOS[source.draw(2)]) for _ in range(1 + source.draw(2))]
            yield packet_step(Subscribe(packet_id, wanted), version, PacketType.SUBACK)
        case 2:
            yield packet_step(Unsubscribe(packet_id, [source.choice(TOPICS)]), version, PacketType.UNSUBACK)
        case _:
            yield from _publish(source, version, packet_id, maximum_qos)


def _publish(source: Source, version: int, packet_id: int, maximum_qos: int) -> Iterator[Step]:
    qos = QOS[min(source.draw(2), maximum_qos)]
    topic, payload = source.choice(TOPICS), source.choice(_PAYLOADS)
    said: Any = {"content_type": "text/plain"} if version == ProtocolVersion.V5 and source.boolean() else {}
    publish = Publish(topic, payload, qos, packet_id=packet_id if qos else None, properties=said)
    answer = (None, PacketType.PUBACK, PacketType.PUBREC)[qos]
    yield packet_step(publish, version, answer)
    if qos == 2:
        yield packet_step(PubRel(packet_id), version, PacketType.PUBCOMP)


def _note(packet: Packet) -> str:
    name = packet.packet_type.name
    if isinstance(packet, Publish):
        return f"{name} at QoS {packet.qos:d}"
    if isinstance(packet, ConnAck):
        return f"{name} {packet.reason_code:d}"
    return name
