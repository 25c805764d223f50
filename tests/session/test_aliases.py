"""Topic Aliases from packet to packet: a name stays until another one takes its number."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Publish, encode
from mqttws.vocabulary import QoS
from tests.pair import Pair, publishes

ROOM: Any = {"topic_alias_maximum": 2}
ALIAS: Any = {"topic_alias": 1}


@pytest.mark.parametrize("qos", QoS)
def test_an_alias_can_be_used_any_number_of_times(qos: QoS) -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    for topic in ("long/name", "", "", ""):
        pair.send(Publish(topic, b"", qos, properties=ALIAS))
    assert [message.topic for message in publishes(pair.server_events())] == ["long/name"] * 4


def test_a_message_without_an_alias_gives_none_a_meaning() -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    user: Any = {"content_type": "x"}
    pair.send(Publish("other", properties=user))
    pair.send(Publish("name", properties=ALIAS))
    pair.send(Publish("other", properties=user))
    pair.send(Publish("", properties=ALIAS))
    assert [message.topic for message in publishes(pair.server_events())] == ["other", "name", "other", "name"]


def test_the_two_directions_do_not_share_their_names() -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    pair.send(Publish("ours", properties=ALIAS))
    pair.client.receive_data(encode(Publish("", properties=ALIAS)), 0)
    assert pair.client.closed
