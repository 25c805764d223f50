"""Queues of slow and offline clients, and publishers that outrun them (row 68 of the contract)."""

from __future__ import annotations

import math

import pytest

from mqttws.codec import Disconnect, Publish, Unsubscribe
from mqttws.endpoint import Service
from mqttws.endpoint.backlog import Backlog
from mqttws.endpoint.messages import OVERHEAD, Message
from mqttws.endpoint.subscriptions import Subscriber
from mqttws.errors import LocalProtocolError, ServerDisconnected
from mqttws.session import Closed, Delivered
from mqttws.vocabulary import QOS, QoS, ReasonCode
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client

SUBSCRIBER = Subscriber(QoS.AT_LEAST_ONCE)
LASTING = {"session_expiry_interval": 30}


def message(payload: bytes = b"", expires_at: float = math.inf) -> Message:
    return Message("t", payload, QoS.AT_LEAST_ONCE, False, {}, expires_at)


def slow(bench: Bench, receive_maximum: int = 1, client_id: str = "slow") -> Client:
    """A subscriber that acknowledges nothing until it is told to."""
    client = bench.client(client_id, properties={"receive_maximum": receive_maximum, **LASTING}, acknowledges=False)
    client.subscribe("a")
    return client


def acknowledge_all(client: Client) -> None:
    """Acknowledge what has come, and what comes then, until nothing more comes."""
    client.acknowledges = True
    for publish in client.all(Publish):
        client.connection.acknowledge(publish)
    client.bench.settle()


def test_messages_leave_in_the_order_in_which_they_came() -> None:
    backlog = Backlog(Service())
    for payload in (b"1", b"2"):
        assert backlog.put(message(payload), SUBSCRIBER, 0.0)
    assert len(backlog) == 2
    assert backlog.size == 2 * (1 + 1 + OVERHEAD)
    taken = [backlog.take(0.0), backlog.take(0.0), backlog.take(0.0)]
    assert [entry and entry[0].payload for entry in taken] == [b"1", b"2", None]
    assert backlog.size == 0


def test_expired_messages_are_passed_over_and_make_room() -> None:
    backlog = Backlog(Service(queue_messages=2))
    backlog.put(message(b"old", 5.0), SUBSCRIBER, 0.0)
    backlog.put(message(b"good"), SUBSCRIBER, 0.0)
    assert not backlog.put(message(b"too many"), SUBSCRIBER, 4.0)
    assert backlog.put(message(b"new"), SUBSCRIBER, 5.0)
    backlog.put(message(b"short", 6.0), SUBSCRIBER, 5.0)
    first, second = backlog.take(7.0), backlog.take(7.0)
    assert first is not None
    assert second is not None
    assert [first[0].payload, second[0].payload] == [b"good", b"new"]
    assert backlog.take(7.0) is None


def test_row_68_the_queue_is_bounded_in_bytes_too() -> None:
    backlog = Backlog(Service(queue_bytes=1024))
    assert backlog.put(message(b"x" * 600), SUBSCRIBER, 0.0)
    assert not backlog.put(message(b"x" * 300), SUBSCRIBER, 0.0)
    assert backlog.put(message(b"x"), SUBSCRIBER, 0.0)


def test_row_68_an_offline_session_ends_when_too_much_waits_for_it() -> None:
    bench = Bench(queue_messages=3)
    client = bench.client("c1", properties=LASTING)
    client.subscribe("a")
    client.vanish()
    other = bench.client("other")
    other.send(*(Publish("a", b"x", Q1) for _ in range(3)))
    assert bench.hub.session("c1") is not None
    other.send(Publish("a", b"x", Q1))
    assert bench.hub.session("c1") is None
    assert any("SlowClient" in line for line in bench.lines)
    assert len(other.all(Delivered)) == 4


def test_row_68_a_connected_session_ends_with_0x97() -> None:
    bench = Bench(queue_messages=3, patience=0.0)
    client = slow(bench)
    other = bench.client("other")
    other.send(*(Publish("a", b"x", Q1) for _ in range(6)))
    error = client.last(Closed).error
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code == ReasonCode.QUOTA_EXCEEDED
    assert bench.hub.session("slow") is None
    assert not other.ended
    assert len(other.all(Delivered)) == 6


def test_row_68_a_3_1_1_client_that_reads_and_never_acknowledges_is_bounded_though_it_has_no_receive_maximum() -> None:
    bench = Bench(queue_messages=5, patience=0.0)
    client = bench.client("slow", version=4, acknowledges=False)
    client.subscribe("a")
    bench.client("other").send(*(Publish("a", b"x", Q1) for _ in range(20)))
    assert len(client.received) == 5
    assert client.ended
    assert bench.hub.session("slow") is None


def test_row_68_unacknowledged_messages_are_bounded_in_bytes() -> None:
    bench = Bench(queue_bytes=10_000, patience=0.0)
    client = bench.client("slow", version=4, acknowledges=False)
    client.subscribe("a")
    bench.client("other").send(*(Publish("a", b"x" * 4000, Q1) for _ in range(10)))
    assert len(client.received) == 3
    assert client.ended


def test_qos_0_is_dropped_for_a_client_that_does_not_read_and_comes_again_when_it_does() -> None:
    bench = Bench(send_buffer_bytes=1024)
    client = bench.client()
    client.subscribe("a", qos=0)
    client.reads = False
    other = bench.client("other")
    other.send(*(Publish("a", b"x" * 500) for _ in range(10)))
    assert bench.counters.dropped == 7
    client.reads = True
    bench.settle()
    other.send(Publish("a", b"again"))
    assert [len(payload) for _, payload, _ in client.received] == [500, 500, 500, 5]


def test_qos_1_waits_for_a_client_that_does_not_read_and_nothing_is_lost() -> None:
    bench = Bench(send_buffer_bytes=1024)
    client = bench.client()
    client.subscribe("a")
    client.reads = False
    bench.client("other").send(*(Publish("a", bytes([n]) * 500, Q1) for n in range(10)))
    assert client.server.bytes_pending < 3 * 1024
    client.reads = True
    bench.settle()
    assert [payload[0] for _, payload, _ in client.received] == list(range(10))


def test_a_burst_is_slowed_down_by_late_acknowledgements_and_nobody_is_lost() -> None:
    bench = Bench(queue_messages=100)
    client = slow(bench, receive_maximum=10)
    other = bench.client("other")
    for n in range(40):
        other.send(Publish("a", bytes([n]), Q1))
    answered = len(other.all(Delivered))
    assert 30 < answered < 40
    acknowledge_all(client)
    assert len(other.all(Delivered)) == 40
    assert [payload[0] for _, payload, _ in client.received] == list(range(40))


def test_publishers_wait_no_longer_than_our_patience_and_once() -> None:
    bench = Bench(queue_messages=100, patience=2.0)
    client = slow(bench)
    other = bench.client("other")
    for _ in range(40):
        other.send(Publish("a", b"x", Q1))
    assert len(other.all(Delivered)) < 40
    bench.pass_time(1.9)
    assert len(other.all(Delivered)) < 40
    bench.pass_time(0.2)
    assert len(other.all(Delivered)) == 40
    other.send(Publish("a", b"x", Q1))
    assert len(other.all(Delivered)) == 41
    acknowledge_all(client)
    assert len(client.received) == 41


def test_publishers_do_not_wait_for_a_client_that_has_gone_offline() -> None:
    bench = Bench(queue_messages=100)
    client = slow(bench)
    other = bench.client("other")
    for _ in range(40):
        other.send(Publish("a", b"x", Q1))
    client.vanish()
    assert len(other.all(Delivered)) == 40
    other.send(Publish("a", b"x", Q1))
    assert len(other.all(Delivered)) == 41


@pytest.mark.parametrize("qos", [1, 2])
def test_a_publisher_that_comes_back_gets_the_acknowledgement_that_was_held(qos: int) -> None:
    bench = Bench(queue_messages=8)
    client = slow(bench)
    other = bench.client("other", clean=False, properties=LASTING)
    for _ in range(4):
        other.send(Publish("a", b"x", QOS[qos]))
    held = 4 - len(other.all(Delivered))
    assert held > 0
    other.vanish()
    again = bench.client("other", clean=False, properties=LASTING, session=other.connection.session)
    acknowledge_all(client)
    assert len(again.all(Delivered)) == held
    assert len(client.received) == 4


def test_a_publisher_that_is_away_is_answered_when_it_sends_again() -> None:
    bench = Bench(queue_messages=8)
    client = slow(bench)
    other = bench.client("other", clean=False, properties=LASTING)
    for _ in range(4):
        other.send(Publish("a", b"x", Q2))
    held = 4 - len(other.all(Delivered))
    other.vanish()
    acknowledge_all(client)
    again = bench.client("other", clean=False, properties=LASTING, session=other.connection.session)
    assert len(again.all(Delivered)) == held
    assert len(client.received) == 4


def test_a_publisher_whose_session_is_gone_is_no_error() -> None:
    bench = Bench(queue_messages=8)
    client = slow(bench)
    other = bench.client("other")
    for _ in range(4):
        other.send(Publish("a", b"x", Q1))
    other.send(Disconnect())
    acknowledge_all(client)
    assert len(client.received) == 4


def test_unsubscribing_forgets_what_waits() -> None:
    bench = Bench()
    client = slow(bench)
    client.subscribe("b")
    other = bench.client("other")
    for topic in ("a", "a", "b", "a"):
        other.send(Publish(topic, b"x", Q1))
    client.send(Unsubscribe(0, ["a"]))
    acknowledge_all(client)
    assert [topic for topic, _, _ in client.received] == ["a", "b"]


def test_a_message_that_cannot_be_encoded_is_a_bug_and_not_passed_over() -> None:
    bench = Bench()
    client = bench.client()
    session = bench.hub.session("c1")
    assert session is not None
    with pytest.raises(LocalProtocolError, match="wildcard"):
        session.offer(Message("a#", b"", Q0, False, {}), SUBSCRIBER, bench.now)
    assert client.received == []
