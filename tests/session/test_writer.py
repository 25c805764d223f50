"""Explanations in packets: who may give them, and which of them go when there is no room."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    ConnAck,
    Connect,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    Unsubscribe,
    encode,
)
from mqttws.errors import LocalProtocolError
from mqttws.vocabulary import QoS, Role
from tests.pair import Pair, publishes

WORDS: Any = {"reason_string": "x" * 20, "user_property": [("k", "v" * 20)]}


def test_only_so_much_is_left_out_as_does_not_fit() -> None:
    limits: Any = {"maximum_packet_size": 40}
    pair = Pair().connect(Connect(client_id="c", properties=limits))
    pair.send(Subscribe(0, [Subscription("a")]))
    pair.send(SubAck(1, [0x87], WORDS), Role.SERVER)
    shorter: Any = {"reason_string": "x" * 20}
    assert pair.client_events() == [SubAck(1, [0x87], shorter)]


def test_what_fits_to_the_byte_is_not_left_out() -> None:
    shorter: Any = {"reason_string": "x" * 20}
    limits: Any = {"maximum_packet_size": len(encode(SubAck(1, [0x87], shorter)))}
    pair = Pair().connect(Connect(client_id="c", properties=limits))
    pair.send(Subscribe(0, [Subscription("a")]))
    pair.send(SubAck(1, [0x87], WORDS), Role.SERVER)
    assert pair.client_events() == [SubAck(1, [0x87], shorter)]


@pytest.mark.parametrize("asked", [0, 1])
def test_a_client_explains_itself_whatever_it_wants_to_hear(asked: int) -> None:
    quiet: Any = {"request_problem_information": asked}
    pair = Pair().connect(Connect(client_id="c", properties=quiet))
    pair.client.receive_data(encode(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=1)), 0)
    [message] = publishes(pair.client.events())
    pair.client.acknowledge(message, 0x87, WORDS)
    assert pair.client.data_to_send(0) == encode(PubAck(1, 0x87, WORDS))


@pytest.mark.parametrize(
    "packet",
    [
        Publish("a", properties={"user_property": WORDS["user_property"]}),
        Subscribe(0, [Subscription("a")], {"user_property": WORDS["user_property"]}),
        Unsubscribe(0, ["a"], {"user_property": WORDS["user_property"]}),
    ],
    ids=lambda packet: type(packet).__name__,
)
def test_what_the_application_says_is_never_left_out(packet: Any) -> None:
    small: Any = {"maximum_packet_size": 25}
    pair = Pair().connect(connack=ConnAck(properties=small))
    with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 25"):
        pair.client.send(packet, 0)
    assert pair.client.data_to_send(0) == b""
