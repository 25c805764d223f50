"""Taking packets apart and putting them together."""

from __future__ import annotations

import pytest

from mqttws.codec import Connect, PubAck, Subscribe, Subscription, Will, decode, encode
from mqttws.codec.properties import WILL, WireType
from mqttws.fuzz.anatomy import Part, take_apart
from mqttws.fuzz.grammar import packet
from mqttws.fuzz.sources import RandomSource
from mqttws.vocabulary import PacketType, ProtocolVersion


@pytest.mark.parametrize("version", [4, 5])
def test_the_parts_make_the_packet_again(version: int) -> None:
    for seed in range(400):
        data = encode(packet(RandomSource(seed), version), version)
        assert take_apart(data, version).encode() == data


def test_parts_have_the_names_that_errors_use() -> None:
    connect = Connect(
        ProtocolVersion.V5, "c", will=Will("t", b"p", properties={"content_type": "x"}), username="u", password=b"p"
    )
    anatomy = take_apart(encode(connect))
    assert [part.name for part in anatomy.parts] == [
        "protocol_name",
        "version",
        "connect_flags",
        "keep_alive",
        "properties",
        "client_id",
        "will.properties",
        "will.topic",
        "will.payload",
        "username",
        "password",
    ]
    assert [part.place for part in anatomy.lists()] == [PacketType.CONNECT, WILL]
    assert [part.name for part in anatomy.texts()] == [
        "protocol_name", "client_id", "content_type", "will.topic", "username",
    ]  # fmt: skip


def test_a_changed_part_leaves_the_lengths_right() -> None:
    anatomy = take_apart(encode(Subscribe(1, [Subscription("a")], {"user_property": [("k", "v")]})))
    part = anatomy.part("topic_filter")
    assert part is not None
    part.data = b"x" * 200
    anatomy.lists()[0].items[0].values[1].data = b"longer"
    changed = decode(anatomy.encode())
    assert changed == Subscribe(1, [Subscription("x" * 200)], {"user_property": [("k", "longer")]})


def test_where_a_body_may_end() -> None:
    anatomy = take_apart(encode(PubAck(1, 0x10, {"reason_string": "r"})))
    assert [anatomy.may_end_before(index) for index in range(4)] == [False, True, True, True]
    anatomy = take_apart(encode(Subscribe(1, [Subscription("a"), Subscription("b")])))
    assert [anatomy.may_end_before(index) for index in range(7)] == [False, False, False, False, True, False, True]
    anatomy = take_apart(bytes.fromhex("3006 0001 61 00 6869"))
    assert [anatomy.may_end_before(index) for index in range(4)] == [False, False, True, True]


def test_a_part_may_lie_about_its_length() -> None:
    part = Part("topic", WireType.TOPIC, b"ab", claimed=7)
    assert part.encode() == b"\0\7ab"
