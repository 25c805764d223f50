"""Conversations: both ends of our state machine can live through them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from mqttws.codec import Connect, PingResp, PubAck, PubComp, Publish, PubRec, PubRel, encode
from mqttws.errors import ConnectRefused, ServerDisconnected
from mqttws.fuzz.machine import Step, conversation
from mqttws.fuzz.sources import RandomSource
from mqttws.fuzz.strategies import conversations
from mqttws.session import Closed, Connection
from mqttws.vocabulary import PacketType, Role

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def live_through(steps: list[Step], role: Role, version: int) -> list[Closed]:
    """Play one end with our state machine; what its peer sends is read from the conversation."""
    end = Connection(role)
    end.start(0)
    waiting: dict[int, Publish] = {}
    endings = []
    for sender, packet in steps:
        if sender is not role:
            end.receive_data(encode(packet, version), 0)
        elif isinstance(packet, PubAck | PubRec):
            end.acknowledge(waiting.pop(packet.packet_id), packet.reason_code, packet.properties)
        elif not isinstance(packet, PubRel | PubComp | PingResp):  # those leave by themselves
            end.send(packet, 0)
        for event in end.events():
            if isinstance(event, Publish) and event.packet_id is not None:
                waiting[event.packet_id] = event
            elif isinstance(event, Closed):
                endings.append(event)
        end.data_to_send(0)
    return endings


def ends_well(steps: list[Step], version: int) -> None:
    for role in Role:
        for ending in live_through(steps, role, version):
            assert ending.error is None or isinstance(ending.error, ConnectRefused | ServerDisconnected)


@VERSIONS
def test_a_conversation_breaks_no_rule_of_either_end(version: int) -> None:
    kinds: Counter[tuple[Role, PacketType]] = Counter()
    for seed in range(150):
        steps = conversation(RandomSource(seed), version, most=40)
        ends_well(steps, version)
        kinds.update((sender, packet.packet_type) for sender, packet in steps)
    absent = {PacketType.AUTH} if version == 4 else set()
    assert {kind for _, kind in kinds} == set(PacketType) - absent


@VERSIONS
def test_conversations_shrink_and_stay_legal(version: int) -> None:
    @settings(max_examples=40)
    @given(conversations(version, max_size=15))
    def check(steps: list[Step]) -> None:
        assert isinstance(steps[0].packet, Connect)
        ends_well(steps, version)

    check()
