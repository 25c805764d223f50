"""Topic Aliases from packet to packet: a name stays until another one takes its number."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import ConnAck, Connect, Publish, decode, encode
from mqttws.errors import LocalProtocolError
from mqttws.session import Connection, Session
from mqttws.vocabulary import ProtocolVersion, QoS, Role
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


@pytest.mark.parametrize("topic_aliases", [False, True])
def test_a_message_with_neither_name_nor_alias_is_told_so_whatever_names_are_known(topic_aliases: bool) -> None:
    pair = Pair(topic_aliases=topic_aliases).connect(connack=ConnAck(properties=ROOM))
    pair.send(Publish("name", properties=ALIAS))
    with pytest.raises(LocalProtocolError, match="neither Topic Name nor Topic Alias"):
        pair.client.send(Publish(""), 0)
    assert pair.client.bytes_pending == 0


def test_the_two_directions_do_not_share_their_names() -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    pair.send(Publish("ours", properties=ALIAS))
    pair.client.receive_data(encode(Publish("", properties=ALIAS)), 0)
    assert pair.client.closed


# -- aliases that are given by themselves ------------------------------------------------------------------------------


def automatic(maximum: int = 2, *, session: Session | None = None, **said: Any) -> Pair:
    """A Client that gives aliases, to a Server that takes so many."""
    announced: Any = {"topic_alias_maximum": maximum} | said
    connack = ConnAck(properties=announced)
    return Pair(client_session=session, topic_aliases=True).connect(connack=connack)


def wire(pair: Pair, *messages: Publish) -> list[tuple[str, int]]:
    """Send messages; topic and alias (0: none) of each as they were on the wire. The Server has to know all topics."""
    seen = []
    for message in messages:
        pair.client.send(message, 0)
        data = pair.client.data_to_send(0)
        packet = decode(data)
        assert isinstance(packet, Publish)
        seen.append((packet.topic, packet.properties.get("topic_alias", 0)))
        pair.server.receive_data(data, 0)
        (received,) = publishes(pair.server.events())
        if message.topic:
            assert received.topic == message.topic
        assert received.properties == {key: value for key, value in message.properties.items() if key != "topic_alias"}
        pair.server.acknowledge(received)
        pair.run()
    return seen


@pytest.mark.parametrize("qos", QoS)
def test_a_name_gets_an_alias_and_is_left_out_from_then_on(qos: QoS) -> None:
    user: Any = {"content_type": "x"}
    message = Publish("room/1", b"hi", qos, properties=user)
    assert wire(automatic(), message, message, message) == [("room/1", 1), ("", 1), ("", 1)]
    assert message == Publish("room/1", b"hi", qos, properties={"content_type": "x"})


def test_the_alias_that_was_used_longest_ago_goes_to_the_next_name() -> None:
    names = ("one/", "two/", "one/", "three/", "one/", "two/", "three/")
    assert wire(automatic(), *map(Publish, names)) == [
        ("one/", 1),
        ("two/", 2),
        ("", 1),
        ("three/", 2),
        ("", 1),
        ("two/", 2),
        ("three/", 1),
    ]


def test_a_short_name_and_a_peer_without_aliases_get_none() -> None:
    assert wire(automatic(), *[Publish("abc")] * 2, *[Publish("abcd")] * 2) == [("abc", 0)] * 2 + [("abcd", 1), ("", 1)]
    assert wire(automatic(0), *[Publish("abcd")] * 2) == [("abcd", 0)] * 2


def test_no_alias_is_given_unless_asked_for() -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    assert wire(pair, *[Publish("abcd")] * 2) == [("abcd", 0)] * 2


def test_no_alias_is_given_to_3_1_1() -> None:
    pair = Pair(topic_aliases=True).connect(Connect(version=ProtocolVersion.V3_1_1, client_id="c"))
    for _ in range(2):
        pair.send(Publish("abcd", b"x"))
    assert publishes(pair.server_events()) == [Publish("abcd", b"x")] * 2


def test_a_server_gives_aliases_to_a_client_that_takes_them() -> None:
    server = Connection(Role.SERVER, topic_aliases=True)
    server.receive_data(encode(Connect(client_id="c", properties=ROOM)), 0)
    server.send(ConnAck(), 0)
    server.data_to_send(0)
    for topic in ("room/1", ""):
        server.send(Publish("room/1"), 0)
        assert decode(server.data_to_send(0)) == Publish(topic, properties=ALIAS)


def test_no_more_than_a_thousand_aliases_are_given_whatever_the_peer_takes() -> None:
    names = [f"name/{number}" for number in range(1_001)]
    seen = wire(automatic(65_535), *map(Publish, names))
    assert [alias for _, alias in seen] == [*range(1, 1_001), 1]


def test_a_number_that_the_owner_uses_is_left_to_him() -> None:
    own: Any = {"topic_alias": 2}
    assert wire(
        automatic(),
        Publish("auto/1"),
        Publish("auto/2"),
        Publish("his/own", properties=own),
        Publish("auto/2"),
        Publish("auto/1"),
        Publish("", properties=own),
    ) == [("auto/1", 1), ("auto/2", 2), ("his/own", 2), ("auto/2", 1), ("auto/1", 1), ("", 2)]


def test_a_number_that_the_owner_has_used_first_is_not_given() -> None:
    own: Any = {"topic_alias": 1}
    assert wire(
        automatic(),
        Publish("his/own", properties=own),
        Publish("his/other", properties=own),
        *map(Publish, ("auto/1", "auto/2", "auto/2")),
        Publish("", properties=own),
    ) == [("his/own", 1), ("his/other", 1), ("auto/1", 2), ("auto/2", 2), ("", 2), ("", 1)]


def test_when_the_owner_uses_every_number_none_is_given() -> None:
    own: Any = {"topic_alias": 1}
    messages = Publish("auto/1"), Publish("his/own", properties=own), Publish("auto/1")
    assert wire(automatic(1), *messages) == [("auto/1", 1), ("his/own", 1), ("auto/1", 0)]


def test_a_number_taken_over_leaves_the_others_alone() -> None:
    own: Any = {"topic_alias": 1}
    names = ("auto/1", "auto/2", "auto/3")
    messages = *map(Publish, names), Publish("his/own", properties=own), *map(Publish, names)
    assert wire(automatic(3), *messages) == [
        ("auto/1", 1),
        ("auto/2", 2),
        ("auto/3", 3),
        ("his/own", 1),
        ("auto/1", 2),
        ("auto/2", 3),
        ("auto/3", 2),
    ]


def test_neither_a_name_nor_an_alias_is_no_message() -> None:
    pair = Pair().connect(connack=ConnAck(properties=ROOM))
    wire(pair, Publish("name", properties=ALIAS))
    with pytest.raises(LocalProtocolError, match="neither Topic Name nor Topic Alias"):
        pair.client.send(Publish(""), 0)


def test_the_owner_cannot_use_a_number_that_was_given() -> None:
    pair = automatic()
    wire(pair, Publish("auto/1"))
    with pytest.raises(LocalProtocolError, match="stands for no Topic Name"):
        pair.client.send(Publish("", properties=ALIAS), 0)


@pytest.mark.parametrize("qos", QoS)
def test_a_message_that_may_not_be_sent_sets_no_alias(qos: QoS) -> None:
    pair = automatic(maximum_packet_size=100)
    with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 100"):
        pair.client.send(Publish("room/1", bytes(100), qos), 0)
    with pytest.raises(LocalProtocolError, match="wildcard"):
        pair.client.send(Publish("room/#", b"", qos), 0)
    assert wire(pair, Publish("room/1", b"", qos)) == [("room/1", 1)]


@pytest.mark.parametrize("topic", ["long/topic/name", "\N{GRINNING FACE}" * 5, "\N{GRINNING FACE}" * 15])
@pytest.mark.parametrize("length", range(20, 90))
def test_an_alias_lets_no_message_pass_that_is_too_large_with_its_name(length: int, topic: str) -> None:
    """A message sent again has its name; it would be given up then."""
    pair = automatic(maximum_packet_size=100)
    message = Publish(topic, bytes(length), QoS.AT_LEAST_ONCE)
    wire(pair, Publish(topic))
    message.packet_id = 7
    if len(encode(message)) <= 100:
        wire(pair, message)
    else:
        with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 100"):
            pair.client.send(message, 0)


def test_an_alias_needs_room_for_four_bytes_a_character_and_eight_more() -> None:
    """Any name fits there, so that only near the limit its bytes have to be counted."""
    pair = automatic(maximum_packet_size=100)
    aliased = len(encode(Publish("", b"", properties=ALIAS)))
    fits = bytes(100 - aliased - 4 * len("room/1") - 8)
    messages = Publish("room/1"), Publish("room/1", fits), Publish("room/1", fits + b"x")
    assert wire(pair, *messages) == [("room/1", 1), ("", 1), ("room/1", 0)]


def test_what_is_sent_again_carries_its_name_and_no_alias() -> None:
    session = Session()
    pair = automatic(session=session)
    for payload in (b"1", b"2"):
        sent = pair.client.send(Publish("room/1", payload, QoS.AT_LEAST_ONCE), 0)
        assert sent == Publish("room/1", payload, QoS.AT_LEAST_ONCE, packet_id=int(payload))
    pair.client.data_to_send(0)
    pair.client.receive_eof(0)
    again = Pair(client_session=session, topic_aliases=True, server_session=Session())
    connack = ConnAck(True, properties=ROOM)
    again.client.send(Connect(client_id="c", clean_start=False), 0)
    again.server.receive_data(again.client.data_to_send(0), 0)
    again.server.attach(Session())
    again.server.send(connack, 0)
    again.client.receive_data(again.server.data_to_send(0), 0)
    resent = encode(Publish("room/1", b"1", QoS.AT_LEAST_ONCE, dup=True, packet_id=1))
    resent += encode(Publish("room/1", b"2", QoS.AT_LEAST_ONCE, dup=True, packet_id=2))
    assert again.client.data_to_send(0) == resent
    assert wire(again, Publish("room/1"), Publish("room/1")) == [("room/1", 1), ("", 1)]


@given(
    st.lists(
        st.tuples(st.sampled_from(("a", "bb/1", "cc/2", "dd/3", "ee/4")), st.integers(0, 3), st.sampled_from(QoS))
    ),
    st.integers(0, 4),
)
def test_whatever_is_sent_means_the_same_to_the_peer(sent: list[tuple[str, int, QoS]], maximum: int) -> None:
    pair = automatic(maximum)
    messages = []
    for topic, own, qos in sent:
        said: Any = {"topic_alias": own} if 0 < own <= maximum else {}
        messages.append(Publish(topic, b"x", qos, properties=said))
    names: dict[int, str] = {}
    understood = []
    for topic, alias in wire(pair, *messages):
        assert alias <= maximum
        if topic and alias:
            names[alias] = topic
        understood.append(topic or names[alias])
    assert understood == [message.topic for message in messages]
