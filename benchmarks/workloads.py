"""The packets that every contender gets: made once, from one seed, and checked against bytes written out by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from mqttws.codec import Connect, Packet, PubAck, Publish, Will, decode, encode
from mqttws.vocabulary import ProtocolVersion, QoS

__all__ = [
    "CASES",
    "MESSAGE_TOPIC",
    "PUBACK",
    "PUBLISH_1",
    "PUBLISH_SMALL",
    "Case",
    "large_publish",
    "mixed_stream",
    "payload_of",
]

SEED: Final = 20_190_307

#: The topic of every message: as long as topics of groups are, rather than one letter.
TOPIC: Final = "sensors/hall-3/temperature"

#: Where messages go between processes.
MESSAGE_TOPIC: Final = "bench/messages"


def payload_of(size: int) -> bytes:
    """``size`` bytes that are the same in every run and in every contender."""
    return random.Random(SEED).randbytes(size)


@dataclass(frozen=True)
class Case:
    """A packet of 5.0 and its bytes."""

    name: str
    packet: Packet
    wire: bytes


def _case(name: str, packet: Packet) -> Case:
    wire = encode(packet)
    assert decode(wire) == packet
    return Case(name, packet, wire)


PUBLISH_SMALL: Final = Publish("group1", b"Hello World!")
PUBLISH_1: Final = Publish(TOPIC, payload_of(256), QoS.AT_LEAST_ONCE, packet_id=4711)
PUBACK: Final = PubAck(4711)
CONNECT: Final = Connect(
    ProtocolVersion.V5,
    "benchmark0001",
    True,
    60,
    "user",
    b"password",
    Will("sensors/hall-3/status", b"offline", QoS.AT_LEAST_ONCE, True, {"will_delay_interval": 5}),
    {
        "session_expiry_interval": 30,
        "receive_maximum": 100,
        "maximum_packet_size": 1_048_576,
        "user_property": [("region", "eu-west"), ("build", "1.2.3")],
    },
)

CASES: Final = (
    _case("PUBLISH QoS 0, 12 bytes", PUBLISH_SMALL),
    _case("PUBLISH QoS 1, 256 bytes", PUBLISH_1),
    _case("PUBACK", PUBACK),
    _case("CONNECT, full", CONNECT),
)

# What the encoder says is what stands in the standard, written out once by hand.
assert CASES[0].wire == b"\x30\x15\x00\x06group1\x00Hello World!"
assert CASES[1].wire == b"\x32\x9f\x02\x00\x1a" + TOPIC.encode() + b"\x12\x67\x00" + payload_of(256)
assert CASES[2].wire == b"\x40\x02\x12\x67"


def mixed_stream(packets: int) -> bytes:
    """What a busy Client receives: messages of several sizes at QoS 0 and 1, and acknowledgements, in 5.0."""
    chance = random.Random(SEED)
    parts = []
    for number in range(packets):
        packet_id = number % 65_535 + 1
        kind = chance.random()
        packet: Packet
        if kind < 0.6:
            packet = Publish(
                f"sensors/hall-{number % 7}/temperature", chance.randbytes(chance.choice((8, 64, 128, 512)))
            )
        elif kind < 0.85:
            packet = Publish(TOPIC, chance.randbytes(128), QoS.AT_LEAST_ONCE, packet_id=packet_id)
        else:
            packet = PubAck(packet_id)
        parts.append(encode(packet))
    return b"".join(parts)


def large_publish(mebibytes: int) -> bytes:
    """One PUBLISH with that many MiB of payload."""
    return encode(Publish(TOPIC, bytes(mebibytes << 20)))
