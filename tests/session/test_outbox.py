"""Bytes and the changes they wait for: one commit at a time, and none for nothing."""

from __future__ import annotations

from typing import Any

from mqttws.codec import Connect, Publish, encode
from mqttws.session import OutgoingStored, Session, SessionBegan
from mqttws.vocabulary import QoS
from tests.pair import Pair


def connected() -> Pair:
    keep: Any = {"session_expiry_interval": 30}
    pair = Pair(client_session=Session(durable=True)).connect(Connect(client_id="c", properties=keep))
    assert pair.client.changes() == [SessionBegan()]
    pair.client.committed()
    return pair


def test_while_one_commit_is_under_way_no_other_begins() -> None:
    client = connected().client
    first = client.send(Publish("a", b"1", QoS.AT_LEAST_ONCE), 0)
    assert client.changes() == [OutgoingStored(first)]  # type: ignore[arg-type]
    second = client.send(Publish("a", b"2", QoS.AT_LEAST_ONCE), 0)
    assert client.changes() == []
    client.committed()
    assert client.data_to_send(0) == encode(first)
    assert client.changes() == [OutgoingStored(second)]  # type: ignore[arg-type]


def test_what_is_sent_after_a_commit_does_not_overtake_what_waited_for_it() -> None:
    client = connected().client
    first = client.send(Publish("a", b"1", QoS.AT_LEAST_ONCE), 0)
    client.changes()
    client.committed()
    client.send(Publish("a", b"2"), 0)
    assert client.data_to_send(0) == encode(first) + encode(Publish("a", b"2"))


def test_asking_for_changes_when_there_are_none_holds_nothing_up() -> None:
    client = connected().client
    assert client.changes() == []
    client.send(Publish("a"), 0)
    assert client.data_to_send(0) == encode(Publish("a"))
