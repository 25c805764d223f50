"""Ways to spoil a good packet, each with its name and the rule it breaks.

:data:`MUTATIONS` has all of them by name; :func:`spoil` applies one that fits, :func:`every` each that fits::

    spoiled = MUTATIONS["packet-id-zero"](RandomSource(1), bytes.fromhex("4002 0007"))
    spoiled.data, spoiled.statement, spoiled.codes   # 40020000, MQTT-2.2.1-5, {0x81, 0x82}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mqttws.fuzz.mutations import fields, header, lengths, property_faults, texts, topics
from mqttws.fuzz.mutations.registry import MUTATIONS, Malformed, Mutation
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType, Role

__all__ = ["MUTATIONS", "Malformed", "Mutation", "every", "spoil"]

#: The files that have entered their mutations.
FAMILIES: Final = (header, lengths, texts, topics, fields, property_faults)

_FITTING: Final = {
    (version, packet_type): tuple(each for each in MUTATIONS.values() if each.applies_to(version, packet_type))
    for version in (4, 5)
    for packet_type in PacketType
}


def spoil(source: Source, data: bytes, version: int = 5, sender: Role | None = None) -> Malformed:
    """A valid packet, spoiled by one of the mutations that fit it."""
    fitting = _FITTING[version, PacketType(data[0] >> 4)]
    for _ in range(8):
        spoiled = source.choice(fitting)(source, data, version, sender)
        if spoiled is not None:
            return spoiled
    spoiled = MUTATIONS["type-reserved"](source, data, version, sender)
    assert spoiled is not None
    return spoiled


def every(source: Source, data: bytes, version: int = 5, sender: Role | None = None) -> Iterator[Malformed]:
    """A valid packet spoiled once by each mutation that fits it."""
    for mutation in _FITTING[version, PacketType(data[0] >> 4)]:
        spoiled = mutation(source, data, version, sender)
        if spoiled is not None:
            yield spoiled
