"""Whose turn it is among those who share a subscription."""

from __future__ import annotations

from dataclasses import dataclass

from mqttws.endpoint.shares import Share
from mqttws.endpoint.subscriber import Subscriber
from mqttws.vocabulary import QoS


@dataclass(eq=False)
class Somebody:
    name: str
    peer: object | None = "a connection"


def test_everybody_gets_a_turn_and_who_is_offline_only_if_nobody_else_can() -> None:
    share: Share[Somebody] = Share()
    a, b, c = (Somebody(name) for name in "abc")
    for member in (a, b, c):
        share.members[member] = Subscriber(QoS.AT_LEAST_ONCE)
    assert [share.pick()[0].name for _ in range(4)] == ["a", "b", "c", "a"]
    b.peer = None
    assert [share.pick()[0].name for _ in range(3)] == ["c", "a", "c"]
    a.peer = c.peer = None
    assert sorted(share.pick()[0].name for _ in range(3)) == ["a", "b", "c"]
