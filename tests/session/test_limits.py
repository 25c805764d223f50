"""What one end allows the other, at the very edge of each limit, and what is said where it is overstepped."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Publish, Subscribe, Subscription, encode
from mqttws.errors import LocalProtocolError
from mqttws.session import Closed, Connection, Limits
from mqttws.vocabulary import QoS, Role
from tests.pair import Pair

ALIAS: Any = {"topic_alias": 3}


def connected(role: Role, **limits: Any) -> tuple[Pair, Connection, Connection]:
    """A pair, the end that announced limits, and its peer."""
    said: Any = limits
    if role is Role.SERVER:
        pair = Pair().connect(connack=ConnAck(properties=said))
        return pair, pair.server, pair.client
    pair = Pair().connect(Connect(client_id="c", properties=said))
    return pair, pair.client, pair.server


def test_the_largest_packet_is_what_four_bytes_of_remaining_length_can_say() -> None:
    assert Limits().maximum_packet_size == 268_435_460
    assert Limits.announced_in(ConnAck()) == Limits.announced_in(Connect()) == Limits()


@pytest.mark.parametrize(("announcer", "statement"), [(Role.SERVER, "MQTT-3.2.2-15"), (Role.CLIENT, "MQTT-3.1.2-24")])
def test_a_packet_as_large_as_allowed_passes_and_one_byte_more_does_not(announcer: Role, statement: str) -> None:
    _, _, sender = connected(announcer, maximum_packet_size=20)
    fits = Publish("a", bytes(20 - len(encode(Publish("a")))))
    sender.send(fits, 0)
    assert len(sender.data_to_send(0)) == 20
    with pytest.raises(LocalProtocolError) as caught:
        sender.send(Publish("a", fits.payload + b"x"), 0)
    assert caught.value.statement == statement


@pytest.mark.parametrize(
    ("announcer", "maximum", "statement"),
    [
        (Role.SERVER, 2, "MQTT-3.2.2-17"),
        (Role.SERVER, 0, "MQTT-3.2.2-18"),
        (Role.CLIENT, 2, "MQTT-3.1.2-26"),
        (Role.CLIENT, 0, "MQTT-3.1.2-27"),
    ],
)
def test_an_alias_beyond_the_maximum_breaks_a_rule_for_either_end(
    announcer: Role, maximum: int, statement: str
) -> None:
    _, receiver, sender = connected(announcer, topic_alias_maximum=maximum)
    with pytest.raises(LocalProtocolError) as caught:
        sender.send(Publish("a", properties=ALIAS), 0)
    assert caught.value.statement == statement
    receiver.receive_data(encode(Publish("a", properties=ALIAS)), 0)
    closed = receiver.events()[-1]
    assert isinstance(closed, Closed)
    assert closed.error.statement == statement  # type: ignore[union-attr]


def test_the_highest_alias_and_the_highest_qos_allowed_pass() -> None:
    pair, _, _ = connected(Role.SERVER, topic_alias_maximum=3, maximum_qos=1)
    pair.send(Publish("a", b"", QoS.AT_LEAST_ONCE, properties=ALIAS))
    assert len(pair.server_events()) == 1


@pytest.mark.parametrize(
    ("limit", "packet", "statement"),
    [
        ({"maximum_qos": 0}, Publish("a", b"", QoS.AT_LEAST_ONCE), "MQTT-3.2.2-11"),
        ({"retain_available": 0}, Publish("a", retain=True), "MQTT-3.2.2-14"),
    ],
)
def test_a_refusal_names_the_rule(limit: Any, packet: Publish, statement: str) -> None:
    _, _, client = connected(Role.SERVER, **limit)
    with pytest.raises(LocalProtocolError) as caught:
        client.send(packet, 0)
    assert caught.value.statement == statement


def test_a_server_without_wildcards_takes_plain_filters_and_none_of_the_others_by_accident() -> None:
    none: Any = {
        "wildcard_subscription_available": 0,
        "shared_subscription_available": 0,
        "subscription_identifier_available": 0,
    }
    _, _, client = connected(Role.SERVER, **none)
    client.send(Subscribe(0, [Subscription("a"), Subscription("b/c")]), 0)
    with pytest.raises(LocalProtocolError, match="no Wildcard Subscriptions"):
        client.send(Subscribe(0, [Subscription("a"), Subscription("b/#")]), 0)


@pytest.mark.parametrize(("announcer", "statement"), [(Role.SERVER, "MQTT-3.3.4-7"), (Role.CLIENT, "MQTT-3.3.4-9")])
def test_more_than_receive_maximum_breaks_a_rule_for_either_end(announcer: Role, statement: str) -> None:
    _, _, sender = connected(announcer, receive_maximum=1)
    sender.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0)
    with pytest.raises(LocalProtocolError) as caught:
        sender.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0)
    assert caught.value.statement == statement
