"""The published strategies: they keep their word and their limits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from mqttws.codec import Connect, Publish, Subscribe, decode, encode
from mqttws.codec.properties import TABLE, WILL, Place
from mqttws.fuzz import strategies
from mqttws.fuzz.mutations import MUTATIONS
from mqttws.fuzz.strategies import (
    chunks,
    connects,
    malformed,
    packets,
    properties,
    property_values,
    publishes,
    subscribes,
    texts,
    topic_filters,
    topic_names,
    wills,
)
from mqttws.topics import check_filter, check_topic
from mqttws.vocabulary import PacketType, Role


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("sender", [None, Role.CLIENT, Role.SERVER])
def test_packets_are_legal(version: int, sender: Role | None) -> None:
    @settings(max_examples=60)
    @given(packets(version, sender))
    def check(packet: Any) -> None:
        assert decode(encode(packet, version), version, sender=sender) == packet

    check()


@given(topic_names(), topic_filters(), texts(min_size=2, max_size=3, without="a"))
def test_names_filters_and_texts(name: str, wanted: str, text: str) -> None:
    check_topic(name)
    check_filter(wanted)
    assert 2 <= len(text) <= 3
    assert "a" not in text


@given(st.data())
def test_properties_stand_where_they_may(data: st.DataObject) -> None:
    places: list[Place] = [PacketType.CONNACK, PacketType.PUBLISH, WILL]
    place = data.draw(st.sampled_from(places))
    drawn = data.draw(properties(place, max_many=2))
    allowed = {row.name: row for row in TABLE if place in row.senders}
    assert drawn.keys() <= allowed.keys()
    assert len(drawn.get("user_property", ())) <= 2
    row = data.draw(st.sampled_from(TABLE))
    assert data.draw(property_values(row)) is not None


@given(publishes(4, longest=50), wills(4, longest=50), subscribes(5, max_size=2))
def test_limits_are_kept(publish: Publish, will: Any, subscribe: Subscribe) -> None:
    assert len(publish.payload) <= 50
    assert len(publish.topic.encode()) <= 80
    assert will.properties == {}
    assert len(subscribe.subscriptions) <= 2


@given(st.data(), st.binary(max_size=30))
def test_chunks_are_all_of_it(data: st.DataObject, whole: bytes) -> None:
    pieces = data.draw(chunks(whole))
    assert b"".join(pieces) == whole
    assert all(pieces)


def test_examples_shrink_field_by_field() -> None:
    smallest = find(connects(5), lambda packet: packet.keep_alive > 500 and packet.will is not None)
    assert isinstance(smallest, Connect)
    assert smallest.keep_alive == 501
    assert (smallest.client_id, smallest.username, smallest.password, smallest.properties) == ("", None, None, {})


def test_one_mutation_may_be_asked_for() -> None:
    @settings(max_examples=20)
    @given(malformed(5, Role.CLIENT, mutation="will-qos-3"))
    def check(case: Any) -> None:
        assert case.mutation == "will-qos-3"
        assert case.rule == MUTATIONS["will-qos-3"].rule

    check()


def test_nothing_debatable_comes_unasked() -> None:
    @settings(max_examples=100)
    @given(malformed(5))
    def check(case: Any) -> None:
        assert not case.debatable

    check()


def test_the_published_names_are_there_and_documented() -> None:
    for name in strategies.__all__:
        published = getattr(strategies, name)
        assert published.__doc__, name
