"""Conversations full of mistakes, beside a good client who must not notice any of them."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from mqttws.codec import (
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscribe,
    Subscription,
    Unsubscribe,
    Will,
    encode,
)
from mqttws.endpoint import Admission
from mqttws.vocabulary import QOS, ProtocolVersion
from mqttws.webpubsub import Grants, Roles
from tests.endpoint.bench import Q2, Bench, Client

TOPICS = ("a", "b", "w", "denied", "$webpubsub/server/events/x", "$webpubsub/z")
FILTERS = ("a", "b", "w", "denied", "#", "$share/n/a")
ROLES: tuple[tuple[str, ...], ...] = (Roles.everything(), Roles.publish("a", "w"), Roles.subscribe("a"), ())


def conversation(dice: random.Random, version: ProtocolVersion) -> Iterator[Packet]:
    """What a careless client might send, in any order."""
    v5 = version is ProtocolVersion.V5
    client_id = dice.choice(("x", "y", "bad_id", ""))
    will = Will("w", b"gone", dice.choice(QOS)) if dice.random() < 0.5 else None
    expiry = {"session_expiry_interval": dice.choice((0, 10, 99))} if v5 and dice.random() < 0.6 else {}
    clean = not client_id or dice.random() < 0.5
    connect = Connect(version, client_id, clean, dice.choice((0, 10, 60)), will=will)
    connect.properties.update(expiry)  # type: ignore[typeddict-item]  # a dict made of one known key
    yield connect
    for _ in range(dice.randrange(8)):
        packet_id = dice.randrange(1, 5)
        qos = dice.choice(QOS)
        yield dice.choice(
            (
                Publish(dice.choice(TOPICS), b"x" * dice.randrange(20), qos, packet_id=packet_id if qos else None),
                Publish(dice.choice(TOPICS), b"y", Q2, dup=True, packet_id=packet_id),
                Subscribe(packet_id, [Subscription(dice.choice(FILTERS), qos)] * dice.randrange(1, 4)),
                Unsubscribe(packet_id, [dice.choice(FILTERS)]),
                dice.choice((PubAck, PubRec, PubRel, PubComp))(packet_id),
                PingReq(),
                Disconnect(),
            )
        )


def spoiled(dice: random.Random, data: bytes) -> bytes:
    """Now and then with one bit the wrong way."""
    if dice.random() < 0.95:
        return data
    damaged = bytearray(data)
    damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def visit(bench: Bench, dice: random.Random) -> None:
    """One bad client: comes, talks in portions of any size, and leaves in some way or stays."""
    admission = Admission("chat", None, Grants.from_roles(dice.choice(ROLES)), dice.choice(((), ("a",))))
    client = Client(bench, admission, None, True)
    client.reads = False
    version = dice.choice(list(ProtocolVersion))
    data = b"".join(spoiled(dice, encode(packet, version)) for packet in conversation(dice, version))
    while data:
        size = dice.choice((1, 5, 50, len(data)))
        client.send_raw(data[:size])
        data = data[size:]
        if dice.random() < 0.3:
            client.server.data_to_send(bench.now)
    if dice.random() < 0.7:
        client.vanish()
    if dice.random() < 0.3:
        bench.pass_time(5 * dice.random())


@pytest.mark.parametrize("seed", range(5))
def test_bad_clients_cost_a_good_one_nothing_and_leave_nothing_behind(seed: int) -> None:
    dice = random.Random(seed)
    bench = Bench(queue_messages=20, patience=0.5, receive_maximum=5)
    good = bench.client("good", keep_alive=180)
    good.subscribe("news", qos=2)
    for number in range(100):
        visit(bench, dice)
        good.send(Publish("news", b"%d" % number, Q2))
    assert [payload for _, payload, _ in good.received] == [b"%d" % number for number in range(100)]
    for client in bench.clients[1:]:
        client.vanish()
    good.send(PingReq())
    bench.pass_time(60)
    assert not good.ended
    assert bench.counters.sessions_started - bench.counters.sessions_ended == 1
    good.vanish()
    assert bench.hub.is_empty
    assert bench.hub.next_deadline() == float("inf")
