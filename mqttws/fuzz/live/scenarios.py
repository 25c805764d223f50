"""Attacks on a Server, each from a seed and a number: the same two give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from mqttws.fuzz.inputs import scramble
from mqttws.fuzz.live.conversation import conversation, handshake
from mqttws.fuzz.live.frame_faults import FRAME_FAULTS, Good
from mqttws.fuzz.live.mqtt_faults import CLIENT_FAULTS, malformed_vectors
from mqttws.fuzz.live.request_faults import REQUEST_FAULTS
from mqttws.fuzz.live.script import Script, Step
from mqttws.fuzz.mutations import spoil
from mqttws.fuzz.sources import RandomSource, Source
from mqttws.vocabulary import PacketType, Role

__all__ = ["scenario"]


def scenario(seed: int, number: int, versions: Sequence[int] = (4, 5), *, maximum_qos: int = 2) -> Script:
    """The attack of that number. ``versions`` and ``maximum_qos`` are what the Server speaks."""
    source = RandomSource(f"server {seed} {number}")
    version = versions[number % len(versions)]
    family = source.choice(_FAMILIES)
    kind, steps = family(source, version, conversation(source, version, maximum_qos=maximum_qos))
    return Script(kind, version, _without_farewell(steps))


def _without_farewell(steps: list[Step]) -> list[Step]:
    """No DISCONNECT behind what is wrong: a Server that has passed over it could give no sign of that any more."""
    wrong = False
    kept = []
    for step in steps:
        wrong = wrong or step.spoiled
        if step.spoiled or not (wrong and step.note == "DISCONNECT"):
            kept.append(step)
    return kept


def _packet_of(step: Step) -> str:
    return PacketType(step.data[0] >> 4).name


def _spoil_packet(source: Source, version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """One packet breaks one rule."""
    at = source.draw(len(talk) - 1)
    name = _packet_of(talk[at])
    malformed = spoil(source, talk[at].data, version, Role.CLIENT)
    note = f"{name} spoiled: {malformed.mutation}"
    talk[at] = Step(note, malformed.data, spoiled=True, debatable=malformed.debatable)
    return f"mutation: {malformed.mutation} in {name}", [handshake(), *talk]


def _garble_packet(source: Source, _version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """One packet with some of its bytes changed at random, breaking who knows what."""
    at = source.draw(len(talk) - 1)
    name = _packet_of(talk[at])
    talk[at] = Step(f"{name} with bytes changed", scramble(source, talk[at].data), spoiled=True)
    return f"garbled: {name}", [handshake(), *talk]


def _send_vector(source: Source, version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """A malformed packet of the collection, before CONNECT or behind CONNACK."""
    name, data = source.choice(malformed_vectors(version, Role.CLIENT))
    vector = Step(f"vector {name}", data, spoiled=True)
    if data[0] & 0xF0 == PacketType.CONNECT << 4 or source.rarely(8):
        return f"vector: {name}", [handshake(), vector]
    return f"vector: {name}", [handshake(), talk[0], vector, *talk[1:]]


def _break_frame(source: Source, _version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """A fault of WebSocket framing or of the connection in place of one packet."""
    name = source.choice(tuple(FRAME_FAULTS))
    at = source.draw(len(talk) - 1)
    talk[at : at + 1] = FRAME_FAULTS[name](source, Good(talk[at].data, masked=True))
    return f"frame: {name}", [handshake(), *talk]


def _break_request(source: Source, _version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """An HTTP request that is wrong; only if it is answered with 101 does a conversation follow."""
    name = source.choice(tuple(REQUEST_FAULTS))
    step = REQUEST_FAULTS[name](source)
    return f"request: {name}", [step, *(talk if step.awaits else ())]


def _break_protocol(source: Source, version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """A packet that is good in itself, and wrong at this point."""
    name = source.choice(tuple(CLIENT_FAULTS))
    return f"protocol: {name}", [handshake(), talk[0], *CLIENT_FAULTS[name](source, version), *talk[1:]]


def _first_packet(source: Source, _version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """Anything but CONNECT comes first."""
    first = talk[-1] if len(talk) > 1 else Step("PINGREQ", b"\xc0\0")
    spoiled = Step(f"{first.note} before CONNECT", first.data, spoiled=True)
    return f"protocol: {_packet_of(first)} first", [handshake(), spoiled, *talk[: source.draw(1)]]


def _behave(_source: Source, _version: int, talk: list[Step]) -> tuple[str, list[Step]]:
    """Nothing wrong at all: what a Server refuses here it refuses everybody."""
    return "nothing wrong", [handshake(), *talk]


#: As often as they stand here.
_FAMILIES: Final[tuple[Callable[[Source, int, list[Step]], tuple[str, list[Step]]], ...]] = (
    *(_spoil_packet,) * 6,
    *(_garble_packet,) * 3,
    *(_send_vector,) * 3,
    *(_break_frame,) * 4,
    *(_break_request,) * 2,
    *(_break_protocol,) * 2,
    _first_packet,
    _behave,
)
