"""Calls to event handlers as a hub makes them, without a clock or a task; rows 32 to 36 and 60 to 62, 66, 67."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mqttws.codec import ConnAck, Disconnect, Publish, encode
from mqttws.endpoint import Admission, Hub
from mqttws.endpoint.members import Ending
from mqttws.endpoint.upstream import (
    Call,
    ConnectRequest,
    Denied,
    EventAnswer,
    Granted,
    MemberConnected,
    MemberDisconnected,
    Nobody,
    UserEvent,
)
from mqttws.session import Delivered
from mqttws.vocabulary import ReasonCode
from mqttws.webpubsub import Permission, Roles
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client

VERSIONS = pytest.mark.parametrize("version", [4, 5])
ECHO = "$webpubsub/server/events/echo"


class Some:
    """Event handlers for these names."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)

    def wants_system(self, hub: str, name: str) -> bool:
        return hub == "chat" and name in self.names

    def wants_event(self, hub: str, name: str) -> bool:
        return self.wants_system(hub, f"user.{name}")


def bench_for(*names: str, **settings: Any) -> Bench:
    bench = Bench(**settings)
    bench.hub = Hub("chat", bench.service, counters=bench.counters, log=bench.log, wants=Some(names))
    return bench


def the_call(bench: Bench) -> Call:
    (call,) = bench.hub.calls()
    return call


def connect_request(bench: Bench) -> ConnectRequest:
    call = the_call(bench)
    assert isinstance(call, ConnectRequest)
    return call


def user_event(bench: Bench) -> UserEvent:
    call = the_call(bench)
    assert isinstance(call, UserEvent)
    return call


def answer(bench: Bench, call: Call, given: Any) -> None:
    assert isinstance(call, ConnectRequest | UserEvent)
    call.answer(given, bench.now)
    bench.hub.answered(call.visitor, bench.now)
    bench.settle()


# -- connect ----------------------------------------------------------------------------------------------------------


@VERSIONS
def test_row_32_connack_waits_for_the_connect_handler(version: int) -> None:
    bench = bench_for("connect")
    client = bench.client(version=version, user_id="ann")
    assert client.all(ConnAck) == []
    request = connect_request(bench)
    assert (request.hub, request.client_id, request.subprotocol) == ("chat", "c1", "mqtt")
    assert request.connect is not None
    assert request.connect.keep_alive == 60
    assert request.visitor.admission.user_id == "ann"
    bench.pass_time(20)
    assert not client.ended
    answer(bench, request, Granted())
    assert client.connack.reason_code == 0
    assert repr(request) == "ConnectRequest(hub='chat', client_id='c1')"


def test_row_32_a_limit_of_the_service_is_not_the_handler_s_business() -> None:
    bench = bench_for("connect")
    assert bench.client("not-allowed").connack.reason_code == ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
    assert bench.hub.calls() == []


def test_row_32_the_answer_sets_user_id_roles_groups_and_user_properties() -> None:
    bench = bench_for("connect")
    client = bench.client(user_id="ann", roles=Roles.publish_anywhere(), groups=("token",))
    granted = Granted("bob", [*Roles.subscribe("a"), "strange"], ["given"], [("k", "v")], state="S")
    answer(bench, connect_request(bench), granted)
    assert client.connack.properties["user_property"] == [("k", "v")]
    member = bench.hub.member("c1")
    assert member is not None
    assert (member.user_id, member.state, list(member.subscriptions)) == ("bob", "S", ["token", "given"])
    assert not bench.hub.has_permission(member, Permission.PUBLISH, "a")
    assert bench.hub.has_permission(member, Permission.SUBSCRIBE, "a")
    assert any("strange" in line for line in bench.lines)


def test_row_32_roles_may_extend_the_token_s_instead() -> None:
    bench = bench_for("connect", handler_roles="extend")
    bench.client(roles=(*Roles.publish("a"), *Roles.subscribe_matching("x.*")))
    answer(bench, connect_request(bench), Granted(roles=Roles.subscribe("b")))
    member = bench.hub.member("c1")
    assert member is not None
    assert bench.hub.has_permission(member, Permission.PUBLISH, "a")
    assert bench.hub.has_permission(member, Permission.SUBSCRIBE, "b")
    assert bench.hub.has_permission(member, Permission.SUBSCRIBE, "x.y")


def test_row_32_a_group_of_the_handler_without_a_name_is_passed_over() -> None:
    bench = bench_for("connect")
    bench.client()
    answer(bench, connect_request(bench), Granted(groups=[" ", "good"]))
    member = bench.hub.member("c1")
    assert member is not None
    assert list(member.subscriptions) == ["good"]


@VERSIONS
def test_row_32_a_refusal_has_code_reason_and_user_properties(version: int) -> None:
    bench = bench_for("connect", "connected", "disconnected")
    client = bench.client(version=version)
    answer(bench, connect_request(bench), Denied(0x8A if version == 5 else 5, "banned", [("k", "v")]))
    assert client.connack.reason_code == (0x8A if version == 5 else 5)
    assert client.ended
    assert client.connack.properties == (
        {"reason_string": "banned", "user_property": [("k", "v")]} if version == 5 else {}
    )
    assert bench.hub.is_empty
    assert bench.hub.calls() == []
    assert any(line.startswith("ConnectRefused: banned") for line in bench.lines)


@VERSIONS
def test_row_33_a_failure_without_a_code_is_answered_by_a_setting(version: int) -> None:
    for settings, expected in (
        ({}, {5: 0x80, 4: 3}),
        ({"handler_failure_code": 0x88, "v3_handler_failure_code": 5}, {5: 0x88, 4: 5}),
    ):
        bench = bench_for("connect", **settings)
        client = bench.client(version=version)
        answer(bench, connect_request(bench), Denied())
        assert client.connack.reason_code == expected[version]
        assert client.connack.properties == {}


@pytest.mark.parametrize(
    ("version", "code"), [(5, 0), (5, 1), (5, 5), (5, 0xA2), (5, 999), (4, 0), (4, 6), (4, 0x87), (4, -1)]
)
def test_row_34_an_invalid_code_becomes_unspecified(version: int, code: int) -> None:
    bench = bench_for("connect", v3_handler_invalid_code=2)
    client = bench.client(version=version)
    answer(bench, connect_request(bench), Denied(code))
    assert client.connack.reason_code == (0x80 if version == 5 else 2)


@VERSIONS
def test_row_35_connected_is_told_behind_connack_of_a_new_session(version: int) -> None:
    bench = bench_for("connected")
    client = bench.client(version=version)
    assert not client.connack.session_present
    notice = the_call(bench)
    assert isinstance(notice, MemberConnected)
    assert notice.member is bench.hub.member("c1")
    assert notice.visitor.connection_id != notice.member.session_id


def test_row_36_a_resumed_session_is_asked_about_but_keeps_what_it_is_and_is_not_announced() -> None:
    bench = bench_for("connect", "connected", "disconnected")
    lasting: Any = {"clean": False, "properties": {"session_expiry_interval": 30}}
    client = bench.client(**lasting)
    answer(bench, connect_request(bench), Granted("ann", Roles.publish("a"), ["g"], state="1"))
    session_id = bench.hub.member("c1").session_id  # type: ignore[union-attr]  # it is there
    bench.hub.calls()
    client.vanish()
    again = bench.client(session=client.connection.session, **lasting)
    answer(bench, connect_request(bench), Granted("bob", Roles.everything(), ["h"], [("k", "v")]))
    assert again.connack.session_present
    assert again.connack.properties["user_property"] == [("k", "v")]
    member = bench.hub.member("c1")
    assert member is not None
    assert (member.user_id, list(member.subscriptions), member.state) == ("ann", ["g"], "1")
    assert member.session_id == session_id
    assert bench.hub.calls() == []


def test_a_client_that_leaves_before_the_answer_is_let_in_for_what_it_has_sent() -> None:
    bench = bench_for("connect")
    watching = Bench.client(bench, "watching")
    answer(bench, connect_request(bench), Granted())
    watching.subscribe("t")
    client = bench.client()
    client.server.receive_data(encode(Publish("t", b"last words", Q1, packet_id=1)), bench.now)
    client.vanish()
    answer(bench, connect_request(bench), Granted())
    assert watching.received == [("t", b"last words", 1)]
    assert bench.hub.member("c1") is None


def test_the_answer_for_a_client_that_the_hub_has_dismissed_counts_for_nothing() -> None:
    bench = bench_for("connect")
    bench.client()
    request = connect_request(bench)
    bench.hub.shut_down(bench.now)
    bench.settle()
    answer(bench, request, Granted())
    answer(bench, request, Granted())
    assert bench.hub.is_empty
    assert bench.counters.sessions_started == 0


def test_two_clients_of_one_id_may_wait_at_the_same_time() -> None:
    bench = bench_for("connect")
    first, second = bench.client(), bench.client()
    one, two = bench.hub.calls()
    answer(bench, two, Granted())
    answer(bench, one, Granted())
    assert second.ended
    assert not first.ended


# -- disconnected -----------------------------------------------------------------------------------------------------


def the_ending(bench: Bench) -> Ending:
    call = the_call(bench)
    assert isinstance(call, MemberDisconnected)
    assert bench.hub.calls() == []
    return call.ending


@VERSIONS
def test_row_66_disconnected_tells_the_client_s_disconnect(version: int) -> None:
    bench = bench_for("disconnected")
    client = bench.client(version=version)
    properties: Any = {"reason_string": "bye", "user_property": [("k", "v")]} if version == 5 else {}
    client.send(Disconnect(properties=properties))
    ending = the_ending(bench)
    assert (ending.by_client, ending.code) == (True, 0)
    assert (ending.reason, ending.user_properties) == (("bye", [("k", "v")]) if version == 5 else (None, ()))


@VERSIONS
def test_row_67_disconnected_is_told_when_the_session_ends_and_without_a_packet_if_the_wire_broke(version: int) -> None:
    bench = bench_for("disconnected")
    properties: Any = {"session_expiry_interval": 10} if version == 5 else {}
    bench.client(version=version, clean=False, properties=properties).vanish()
    assert bench.hub.calls() == []
    bench.pass_time(31)
    ending = the_ending(bench)
    assert (ending.by_client, ending.code, ending.user_properties) == (False, None, None)
    assert ending.reason is not None


@VERSIONS
def test_disconnected_tells_our_disconnect(version: int) -> None:
    bench = bench_for("disconnected")
    bench.client(version=version)
    bench.hub.close(bench.hub.members()[0], bench.now, "why")
    bench.settle()
    assert the_ending(bench) == Ending("why", code=0x98 if version == 5 else None)


@VERSIONS
def test_disconnected_tells_a_broken_rule(version: int) -> None:
    bench = bench_for("disconnected")
    bench.client(version=version).send_raw(b"\0\0")
    ending = the_ending(bench)
    assert (ending.by_client, ending.code) == (False, 0x81 if version == 5 else None)


def test_a_session_that_never_began_has_no_end() -> None:
    bench = bench_for("connected", "disconnected")
    bench.client(properties={"maximum_packet_size": 6})
    assert bench.hub.is_empty
    assert bench.hub.calls() == []


# -- user events ------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("qos", [Q0, Q1, Q2])
def test_row_60_an_event_is_asked_about_and_its_answer_comes_unasked(version: int, qos: Any) -> None:
    bench = bench_for("user.echo")
    client = bench.client(version=version, roles=())
    properties: Any = {"correlation_data": b"7", "user_property": [("a", "b")]} if version == 5 else {}
    client.send(Publish(ECHO, b"ping", qos, properties=properties))
    assert client.all(Delivered) == []
    event = user_event(bench)
    assert (event.hub, event.name, event.publish.payload) == ("chat", "echo", b"ping")
    assert event.publish.properties == properties
    answer(bench, event, EventAnswer(200, b"pong", "text/plain", [("c", "d")], state="S"))
    assert client.received == [(f"{ECHO}/succeeded", b"pong", int(qos))]
    assert client.last(Publish).properties == (
        {
            "content_type": "text/plain",
            "correlation_data": b"7",
            "user_property": [("c", "d"), ("azure-status-code", "200")],
        }
        if version == 5
        else {}
    )
    assert len(client.all(Delivered)) == (qos > 0)
    assert event.member.state == "S"
    assert repr(event) == "UserEvent(hub='chat', name='echo', client_id='c1')"


def test_row_60_a_failure_is_told_and_the_connection_stays() -> None:
    bench = bench_for("user.echo")
    client = bench.client()
    client.send(Publish(ECHO, b"ping", Q1))
    answer(bench, user_event(bench), EventAnswer(503))
    assert client.received == [(f"{ECHO}/failed", b"", 1)]
    assert not client.ended


def test_row_60_nothing_of_the_connection_is_looked_at_before_the_answer() -> None:
    bench = bench_for("user.echo")
    client = bench.client()
    client.subscribe("t")
    client.send(Publish(ECHO, b"1", Q1), Publish("t", b"2", Q0), Publish(ECHO, b"3", Q0), Publish("t", b"4", Q0))
    assert client.received == []
    answer(bench, user_event(bench), EventAnswer(204))
    assert [payload for _, payload, _ in client.received] == [b"", b"2"]
    answer(bench, user_event(bench), EventAnswer(204))
    assert [payload for _, payload, _ in client.received] == [b"", b"2", b"", b"4"]


def test_row_60_others_do_not_wait() -> None:
    bench = bench_for("user.echo")
    bench.client().send(Publish(ECHO, b"1", Q1))
    other = bench.client("other")
    other.subscribe("t")
    other.send(Publish("t", b"x", Q1))
    assert other.received == [("t", b"x", 1)]


def test_row_60_what_a_client_has_sent_before_it_left_counts_though_an_event_waits() -> None:
    bench = bench_for("user.echo")
    watching = bench.client("watching")
    watching.subscribe("t")
    client = bench.client()
    client.send(Publish(ECHO, b"1", Q1), Publish("t", b"2", Q1), Publish(ECHO, b"3", Q1), Publish("t", b"4", Q1))
    client.vanish()
    assert [payload for _, payload, _ in watching.received] == [b"2", b"4"]
    calls = bench.hub.calls()
    assert [call.publish.payload for call in calls if isinstance(call, UserEvent)] == [b"1", b"3"]
    for call in calls:
        answer(bench, call, EventAnswer(200))
    assert bench.hub.member("c1") is None


def test_row_60_the_answer_reaches_a_session_that_is_back_and_the_event_is_not_asked_again() -> None:
    bench = bench_for("user.echo")
    lasting: Any = {"clean": False, "properties": {"session_expiry_interval": 30}}
    client = bench.client(**lasting)
    client.send(Publish(ECHO, b"1", Q2))
    client.vanish()
    event = user_event(bench)
    again = bench.client(session=client.connection.session, **lasting)
    answer(bench, event, EventAnswer(200, b"late"))
    assert again.received == [(f"{ECHO}/succeeded", b"late", 2)]
    assert bench.hub.calls() == []


def test_row_62_an_event_that_no_handler_takes_is_not_asked_about() -> None:
    bench = bench_for("user.other")
    client = bench.client()
    client.send(Publish(ECHO, b"", Q1))
    assert bench.hub.calls() == []
    assert client.received[0][0] == f"{ECHO}/failed"


def test_calls_of_another_protocol_go_the_same_way() -> None:
    bench = bench_for("connect", "user.echo")
    assert bench.hub.wants_system("connect")
    assert not bench.hub.wants_system("connected")
    assert bench.hub.wants_event("echo")
    given: list[Any] = []
    client = Client(bench, Admission("chat"), None, True)

    def take(said: Granted | Denied, now: float) -> None:
        given.append((said, now))

    bench.hub.ask(ConnectRequest("chat", "native", client.peer, take, subprotocol="json"))
    answer(bench, connect_request(bench), Granted())
    assert given == [(Granted(), bench.now)]


def test_nobody_wants_anything() -> None:
    assert not Nobody().wants_system("chat", "connect")
    assert not Nobody().wants_event("chat", "echo")
