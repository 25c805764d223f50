"""The hub as its owner sees it: peers, what they have to send, deadlines, goodbye."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws.codec import Auth, ConnAck, Connect, Publish, Subscribe, Subscription, encode
from mqttws.endpoint import Admission, Hub
from mqttws.errors import ConnectionLost, ServerDisconnected
from mqttws.session import Closed, Delivered
from mqttws.vocabulary import ProtocolVersion, ReasonCode
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client


def test_a_new_hub_is_empty_and_waits_for_nothing() -> None:
    hub = Hub("chat")
    assert hub.is_empty
    assert hub.next_deadline() == math.inf
    assert hub.touched() == []
    assert hub.counters.open == 0
    hub.handle_deadline(0.0)
    hub.shut_down(0.0)
    assert hub.is_empty


def test_only_peers_with_something_to_send_are_touched() -> None:
    bench = Bench()
    first, second, third = (bench.client(name) for name in ("a", "b", "c"))
    second.subscribe("t")
    first.connection.send(Publish("t", b"x", Q0), bench.now)
    first.server.receive_data(first.connection.data_to_send(bench.now), bench.now)
    for event in first.server.events():
        bench.hub.handle(first.peer, event, bench.now)
    assert bench.hub.touched() == [second.peer]
    assert bench.hub.touched() == []
    assert third.peer.session is not None


def test_leaving_twice_is_leaving_once() -> None:
    bench = Bench()
    client = bench.client()
    bench.hub.leave(client.peer, bench.now, ConnectionLost("cable"))
    bench.hub.leave(client.peer, bench.now)
    assert bench.hub.is_empty
    assert len([line for line in bench.lines if "Connection" in line and "Started" not in line]) == 1
    assert any(line.startswith("ConnectionAborted: cable") for line in bench.lines)


def test_a_peer_that_never_connected_leaves_nothing() -> None:
    bench = Bench()
    client = Client(bench, Admission("chat"), None, True)
    client.send_raw(b"\xe0\x00")
    assert bench.hub.is_empty
    assert bench.counters.sessions_started == 0


def test_auth_that_nobody_has_asked_for_gets_its_client_refused() -> None:
    bench = Bench()
    client = Client(bench, Admission("chat"), None, True)
    connect = Connect(ProtocolVersion.V5, "c1", keep_alive=60, properties={"authentication_method": "M"})
    client.connection.send(connect, bench.now)
    hello = client.connection.data_to_send(bench.now)
    auth = Auth(ReasonCode.CONTINUE_AUTHENTICATION, {"authentication_method": "M"})
    client.send_raw(hello + encode(auth))
    assert client.last(ConnAck).reason_code == ReasonCode.PROTOCOL_ERROR
    assert bench.hub.is_empty


def test_a_client_that_is_gone_before_its_answer_leaves_nothing_behind() -> None:
    bench = Bench()
    client = Client(bench, Admission("chat"), None, True)
    client.connection.send(Connect(ProtocolVersion.V5, "c1", keep_alive=60), bench.now)
    client.server.receive_data(client.connection.data_to_send(bench.now), bench.now)
    client.server.receive_eof(bench.now)
    bench.settle()
    assert bench.hub.is_empty
    assert bench.counters.sessions_started == bench.counters.sessions_ended == 1


def test_an_acknowledgement_behind_the_message_that_ended_its_session_is_no_error() -> None:
    bench = Bench(queue_messages=1, patience=0.0)
    client = bench.client(properties={"receive_maximum": 1}, acknowledges=False)
    client.subscribe("t")
    client.send(Publish("t", b"1", Q1), Publish("t", b"2", Q1))
    for payload in (b"3", b"4"):
        client.connection.send(Publish("t", payload, Q1), bench.now)
    client.connection.acknowledge(client.last(Publish))
    client.bench.settle()
    error = client.last(Closed).error
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code == ReasonCode.QUOTA_EXCEEDED
    assert bench.hub.is_empty


def test_goodbye_is_said_to_everyone_and_no_will_is_published() -> None:
    bench = Bench()
    new, old = bench.client("new"), bench.client("old", version=4)
    waiting = Client(bench, Admission("chat"), None, True)
    bench.hub.shut_down(bench.now)
    bench.settle()
    error = new.last(Closed).error
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code == ReasonCode.SERVER_SHUTTING_DOWN
    assert old.ended
    assert waiting.server.closed
    assert bench.hub.is_empty


STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(["publish", "subscribe", "vanish", "return"]), st.integers(0, 2)),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60)
def test_whatever_clients_do_qos_1_and_2_arrive_in_order_and_qos_2_once(steps: list[tuple[int, str, int]]) -> None:
    """A model of a dozen lines: who is subscribed gets every later message of its topic, however often it is cut."""
    bench = Bench()
    lasting = {"session_expiry_interval": 30}
    clients = [bench.client(f"c{n}", clean=False, properties=lasting) for n in range(3)]
    away = [False] * 3
    expected: list[list[bytes]] = [[], [], []]
    got: list[list[bytes]] = [[], [], []]
    subscribed = [False] * 3
    count = 0

    def collect(number: int) -> None:
        got[number] += [payload for _, payload, _ in clients[number].received]
        clients[number].seen.clear()

    for number, step, qos in steps:
        client = clients[number]
        if step == "return" and away[number]:
            collect(number)
            clients[number] = bench.client(
                f"c{number}", clean=False, properties=lasting, session=client.connection.session
            )
            away[number] = False
        elif away[number]:
            continue
        elif step == "publish":
            count += 1
            client.send(Publish("t", b"%d" % count, (Q1, Q2)[qos % 2]))
            for other in range(3):
                expected[other] += [b"%d" % count] * subscribed[other]
        elif step == "subscribe":
            client.send(Subscribe(0, [Subscription("t", Q2)]))
            subscribed[number] = True
        elif step == "vanish":
            client.vanish()
            away[number] = True
    for number in range(3):
        if away[number]:
            collect(number)
            session = clients[number].connection.session
            clients[number] = bench.client(f"c{number}", clean=False, properties=lasting, session=session)
        collect(number)
        assert clients[number].all(Delivered) == []
    assert got == expected
