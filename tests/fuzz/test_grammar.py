"""The grammar: what it builds is legal, and it builds everything."""

from __future__ import annotations

from collections import Counter

import pytest

from mqttws.codec import Auth, Packet, Publish, decode, encode
from mqttws.codec.properties import TABLE, WILL, Place
from mqttws.fuzz.grammar import BUILDERS, packet, packet_types
from mqttws.fuzz.sources import BytesSource, RandomSource, ReplaySource
from mqttws.vocabulary import PacketType, Role

SENDERS = [None, Role.CLIENT, Role.SERVER]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("sender", SENDERS)
def test_every_packet_is_one_that_a_strict_decoder_takes(version: int, sender: Role | None) -> None:
    for seed in range(300):
        built = packet(RandomSource(seed), version, sender)
        assert decode(encode(built, version), version, sender=sender) == built


@pytest.mark.parametrize("plain", [False, True])
def test_every_type_and_every_property_comes(plain: bool) -> None:
    kinds: Counter[PacketType] = Counter()
    properties: set[tuple[Place, str]] = set()
    for seed in range(1_500):
        built = packet(RandomSource(seed, plain=plain), 5)
        kinds[built.packet_type] += 1
        will = getattr(built, "will", None)
        properties |= {(built.packet_type, name) for name in getattr(built, "properties", {})}
        properties |= {(WILL, name) for name in (will.properties if will is not None else {})}
    assert set(kinds) == set(PacketType)
    wanted = {(place, row.name) for row in TABLE for place in row.senders}
    assert wanted - properties <= ({(PacketType.DISCONNECT, "server_reference")} if plain else set())


def test_who_may_send_what() -> None:
    assert PacketType.AUTH not in packet_types(4)
    assert PacketType.CONNECT not in packet_types(5, Role.SERVER)
    assert packet_types(4, Role.SERVER) == [
        PacketType.CONNACK,
        PacketType.PUBLISH,
        PacketType.PUBACK,
        PacketType.PUBREC,
        PacketType.PUBREL,
        PacketType.PUBCOMP,
        PacketType.SUBACK,
        PacketType.UNSUBACK,
        PacketType.PINGRESP,
    ]


@pytest.mark.parametrize("packet_type", PacketType)
def test_without_choices_a_packet_is_the_simplest(packet_type: PacketType) -> None:
    built: Packet = BUILDERS[packet_type](ReplaySource([]), 5, None)
    assert not getattr(built, "properties", {}) or isinstance(built, Auth)
    assert len(encode(built)) <= 18


def test_a_fuzzers_bytes_build_packets_too() -> None:
    kinds = {packet(BytesSource(RandomSource(seed).block(300))).packet_type for seed in range(200)}
    assert kinds == set(PacketType)


def test_payloads_keep_the_promise_of_their_indicator() -> None:
    promised = 0
    for seed in range(600):
        built = BUILDERS[PacketType.PUBLISH](RandomSource(seed), 5, None)
        if built.properties.get("payload_format_indicator") == 1:
            promised += 1
            built.payload.decode()
    assert promised > 20


def test_payloads_are_bounded_by_their_limit() -> None:
    long = [BUILDERS[PacketType.PUBLISH](RandomSource(seed), 5, None, longest=500) for seed in range(300)]
    assert max(len(built.payload) for built in long if isinstance(built, Publish)) == 500
