"""The ledgers of Packet Identifiers: what counts, what does not, and what is forgotten with a Session."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, PubAck, Publish, PubRec, SubAck, Subscribe, Subscription, encode
from mqttws.session import Connection, Session, SessionBegan, SessionStarted, SessionState
from mqttws.vocabulary import QoS, Role
from tests.pair import Pair, publishes

KEEP: Any = {"session_expiry_interval": 30}


def back_without_session(session: Session, **announced: Any) -> Connection:
    """A Client that has come back, and whose Server has lost the Session."""
    said: Any = announced
    client = Connection(Role.CLIENT, session=session)
    client.send(Connect(client_id="c", clean_start=False, properties=said), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(False)), 0)
    return client


def test_a_request_uses_an_identifier_but_neither_quota_nor_store() -> None:
    session = Session(durable=True)
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    assert pair.client.changes() == [SessionBegan()]
    pair.client.committed()
    pair.send(Subscribe(0, [Subscription("a")]))
    assert (len(session.outgoing), pair.client.send_quota) == (0, 65_535)
    pair.send(SubAck(1, [0]), Role.SERVER)
    assert (len(session.outgoing), pair.client.send_quota) == (0, 65_535)
    assert pair.client.changes() == []


def test_a_request_is_no_message_that_a_lost_session_took_along() -> None:
    session = Session()
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    pair.client.send(Subscribe(0, [Subscription("a")]), 0)
    client = back_without_session(session)
    assert client.events()[1:] == [SessionStarted(())]
    assert session.outgoing.get(1) is None


@pytest.mark.parametrize("qos", [QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE])
def test_what_a_lost_session_had_received_does_not_count_against_receive_maximum(qos: QoS) -> None:
    session = Session()
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    pair.client.receive_data(encode(Publish("a", b"old", qos, packet_id=1)), 0)
    assert len(session.incoming) == 1
    client = back_without_session(session, receive_maximum=1)
    client.receive_data(encode(Publish("a", b"new", qos, packet_id=1)), 0)
    assert [message.payload for message in publishes(client.events())] == [b"new"]
    assert (len(session.incoming), client.closed) == (1, False)


def resumed(session: Session, **connack: Any) -> Connection:
    """A Client that has come back, and whose Server has kept the Session."""
    said: Any = connack
    client = Connection(Role.CLIENT, session=session)
    client.send(Connect(client_id="c", clean_start=False), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(True, properties=said)), 0)
    return client


def test_a_request_of_a_connection_that_nobody_ended_is_not_sent_again() -> None:
    session = Session()
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    pair.client.send(Subscribe(0, [Subscription("a")]), 0)
    client = resumed(session)
    assert client.is_open
    assert client.data_to_send(0) == b""
    assert client.send_quota == 65_535


def test_what_still_waited_to_be_sent_again_is_lost_with_its_session() -> None:
    session = Session()
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    sent = [pair.client.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0) for _ in range(2)]
    resumed(session, receive_maximum=1).receive_eof(0)
    client = back_without_session(session)
    assert client.events()[1:] == [SessionStarted(tuple(sent))]  # type: ignore[arg-type]
    assert client.send_quota == 65_535


def test_words_for_a_message_acknowledged_between_connections_are_kept_for_its_return() -> None:
    session = Session()
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    pair.client.receive_data(encode(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=1)), 0)
    [message] = publishes(pair.client.events())
    pair.client.receive_eof(0)
    words: Any = {"reason_string": "no role"}
    pair.client.acknowledge(message, 0x87, words)
    client = resumed(session)
    client.receive_data(encode(Publish("a", b"", QoS.AT_LEAST_ONCE, dup=True, packet_id=1)), 0)
    assert client.data_to_send(0) == encode(PubAck(1, 0x87, words))


def test_repeats_that_wait_behind_a_held_message_are_answered_once() -> None:
    server = Pair().connect().server
    repeated = encode(Publish("a", b"", QoS.EXACTLY_ONCE, packet_id=1))
    server.receive_data(repeated, 0)
    server.acknowledge(publishes(server.events())[0])
    assert server.data_to_send(0) == encode(PubRec(1))
    server.receive_data(encode(Publish("held", b"", QoS.AT_LEAST_ONCE, packet_id=2)) + repeated * 1000, 0)
    [held] = publishes(server.events())
    server.acknowledge(held)
    assert server.data_to_send(0) == encode(PubAck(2)) + encode(PubRec(1))


def test_a_message_is_not_kept_once_its_pubrec_has_left() -> None:
    server = Pair().connect().server
    server.receive_data(encode(Publish("a", b"", QoS.EXACTLY_ONCE, packet_id=1)), 0)
    [message] = publishes(server.events())
    kept = sys.getrefcount(message)
    server.acknowledge(message)
    assert server.data_to_send(0) == encode(PubRec(1))
    assert sys.getrefcount(message) == kept - 1


def test_what_a_store_remembers_as_taken_over_is_answered_without_a_word() -> None:
    client = Connection(Role.CLIENT, session=Session(SessionState(incoming={1})))
    client.send(Connect(client_id="c", clean_start=False), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(True)), 0)
    client.receive_data(encode(Publish("a", b"", QoS.EXACTLY_ONCE, dup=True, packet_id=1)), 0)
    assert client.data_to_send(0) == encode(PubRec(1))
    assert publishes(client.events()) == []


def test_a_qos_1_message_that_came_in_leaves_nothing_to_store() -> None:
    session = Session(durable=True)
    pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
    assert pair.client.changes() == [SessionBegan()]
    pair.client.committed()
    pair.client.receive_data(encode(Publish("a", b"", QoS.AT_LEAST_ONCE, packet_id=1)), 0)
    pair.client.acknowledge(publishes(pair.client.events())[0])
    assert pair.client.changes() == []
    assert pair.client.data_to_send(0) == encode(PubAck(1))
