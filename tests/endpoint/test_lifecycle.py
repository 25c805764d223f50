"""Sessions in a hub: CONNECT, resume, takeover, Will, expiry (rows 19 to 41 and 65 to 70 of the contract)."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Disconnect, Publish, Will
from mqttws.endpoint import Admission
from mqttws.errors import ConnectRefused, ServerDisconnected
from mqttws.session import Closed, Session
from mqttws.vocabulary import ProtocolVersion, ReasonCode
from mqttws.webpubsub import Roles
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client

EXPIRY = {"session_expiry_interval": 30}


def watcher(bench: Bench, topic: str = "w") -> Client:
    """A client that sees what is published to ``topic``."""
    client = bench.client("watcher")
    client.subscribe(topic)
    return client


def lasting(bench: Bench, client_id: str = "c1", *, version: int = 5, **fields: Any) -> Client:
    """A client whose session outlives its connection."""
    properties = dict(EXPIRY if version == 5 else {}) | fields.pop("properties", {})
    return bench.client(client_id, version=version, clean=fields.pop("clean", False), properties=properties, **fields)


# -- CONNECT ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "answer"),
    [
        ("10 0D 0004 4D515454 06 02 003C 00 0000", "20 03 00 84 00"),
        ("10 0E 0006 4D5149736470 03 02 003C 0000", "20 02 00 01"),
        ("10 0C 0004 4D515454 02 02 003C 0000", "20 02 00 01"),
    ],
    ids=["level 6", "3.1", "level 2"],
)
def test_row_21_other_levels_are_refused_in_words_they_know(wire: str, answer: str) -> None:
    bench = Bench()
    client = Client(bench, Admission("chat"), None, True)
    client.reads = False
    client.send_raw(bytes.fromhex(wire))
    said = client.server.data_to_send(bench.now)
    assert said[:1] == b"\x20"
    assert said[3] == bytes.fromhex(answer)[3]
    assert client.server.closed
    assert bench.hub.is_empty


@pytest.mark.parametrize("version", [4, 5])
def test_row_22_a_refused_connect_leaves_no_state(version: int) -> None:
    bench = Bench()
    client = bench.client("mqttjs_12", version=version, will=Will("w", b"gone"))
    error = client.last(Closed).error
    assert isinstance(error, ConnectRefused)
    assert error.reason_code == (0x85 if version == 5 else 2)
    assert bench.hub.is_empty
    assert bench.counters.refused == 1
    (line,) = [line for line in bench.lines if line.startswith("ConnectRefused")]
    assert "allow_underscore" in line
    assert "client_id=mqttjs_12" in line


def test_row_22_the_reason_string_names_rule_and_switch() -> None:
    reason = Bench().client("mqttjs_12").connack.properties["reason_string"]
    assert "[0-9A-Za-z]{1,128}" in reason
    assert "allow_underscore" in reason


def test_row_23_an_assigned_id_is_told_and_used() -> None:
    bench = Bench()
    client = bench.client("")
    assert client.connack.properties["assigned_client_identifier"] == "assigned0"
    assert bench.hub.session("assigned0") is not None


def test_row_25_an_invalid_keep_alive_is_logged_in_the_service_s_words() -> None:
    bench = Bench()
    client = bench.client(version=4, keep_alive=0)
    assert client.connack.reason_code == 3
    assert any("invalid keep alive interval" in line for line in bench.lines)


def test_row_26_the_server_keep_alive_governs() -> None:
    bench = Bench()
    client = bench.client(keep_alive=0)
    assert client.connack.properties["server_keep_alive"] == 180
    client.cut = True
    bench.pass_time(269)
    assert not client.server.closed
    bench.pass_time(2)
    assert client.server.closed


def test_row_31_whoever_names_a_method_is_refused_even_with_auth_behind_it() -> None:
    bench = Bench()
    client = bench.client(properties={"authentication_method": "M", "authentication_data": b"x"})
    assert client.connack.reason_code == ReasonCode.BAD_AUTHENTICATION_METHOD
    assert bench.hub.is_empty


def test_row_35_a_new_session_is_not_present() -> None:
    bench = Bench()
    assert not lasting(bench).connack.session_present
    assert bench.counters.sessions_started == 1


@pytest.mark.parametrize("version", [4, 5])
def test_row_36_a_session_is_resumed_within_30_seconds_with_its_subscriptions(version: int) -> None:
    bench = Bench()
    first = lasting(bench, version=version)
    first.subscribe("a")
    first.vanish()
    bench.pass_time(29)
    again = lasting(bench, version=version, session=first.connection.session)
    assert again.connack.session_present
    bench.client("other").send(Publish("a", b"1", Q1))
    assert again.received == [("a", b"1", 1)]
    assert any(line.startswith("MqttSessionAttached") for line in bench.lines)
    assert bench.counters.sessions_resumed == 1


def test_row_36_the_session_keeps_the_identity_that_began_it() -> None:
    bench = Bench()
    first = lasting(bench, user_id="ann", roles=Roles.publish("a"), groups=("g1",))
    first.vanish()
    again = lasting(bench, user_id="bob", roles=Roles.everything(), groups=("g2",), session=Session())
    assert again.connack.session_present
    session = bench.hub.session("c1")
    assert session is not None
    assert session.user_id == "ann"
    assert list(session.subscriptions) == ["g1"]
    assert again.subscribe("x") == [0x87]
    assert any("keeps the user id and roles" in line for line in bench.lines)


def test_row_36_clean_start_begins_anew() -> None:
    bench = Bench()
    first = lasting(bench)
    first.subscribe("a")
    first.vanish()
    again = lasting(bench, clean=True)
    assert not again.connack.session_present
    bench.client("other").send(Publish("a", b"1", Q1))
    assert again.received == []
    assert bench.counters.sessions_ended == 1


def test_row_37_the_cap_is_told_and_kept() -> None:
    bench = Bench()
    client = bench.client(properties={"session_expiry_interval": 3600})
    assert client.connack.properties["session_expiry_interval"] == 30
    client.vanish()
    bench.pass_time(31)
    assert bench.hub.session("c1") is None


@pytest.mark.parametrize("version", [4, 5])
def test_row_39_a_second_connection_takes_the_session_over(version: int) -> None:
    bench = Bench()
    first = lasting(bench, version=version)
    first.subscribe("a")
    second = lasting(bench, version=version, session=first.connection.session)
    error = first.last(Closed).error
    if version == 5:
        assert isinstance(error, ServerDisconnected)
        assert error.reason_code == ReasonCode.SESSION_TAKEN_OVER
    assert first.ended
    assert second.connack.session_present
    bench.client("other").send(Publish("a", b"1", Q1))
    assert second.received == [("a", b"1", 1)]
    assert first.received == []


def test_row_39_a_session_that_ends_with_its_connection_is_not_resumed_by_a_takeover() -> None:
    bench = Bench()
    first = bench.client()
    second = bench.client(clean=False)
    assert first.ended
    assert not second.connack.session_present


def test_row_39_what_the_old_connection_still_sends_counts_for_nothing() -> None:
    bench = Bench()
    watching = watcher(bench)
    first = bench.client()
    first.connection.send(Publish("w", b"late"), bench.now)
    late = first.connection.data_to_send(bench.now)
    bench.client()
    first.server.receive_data(late, bench.now)
    bench.settle()
    assert watching.received == []


def test_row_41_groups_of_the_token_are_subscriptions() -> None:
    bench = Bench(group_qos=1)
    client = bench.client(groups=("g1", "g2"), roles=())
    bench.client("other").send(Publish("g2", b"hi", Q2))
    assert client.received == [("g2", b"hi", 1)]


def test_row_41_their_default_qos_is_0() -> None:
    bench = Bench()
    client = bench.client(groups=("g1",))
    bench.client("other").send(Publish("g1", b"hi", Q2))
    assert client.received == [("g1", b"hi", 0)]


@pytest.mark.parametrize(("version", "code"), [(5, 0x97), (4, 3)])
def test_a_hub_full_of_sessions_takes_no_new_one_but_the_old_ones(version: int, code: int) -> None:
    bench = Bench(session_limit=2)
    first = lasting(bench, "a")
    bench.client("b")
    assert bench.client("c", version=version).connack.reason_code == code
    first.vanish()
    assert lasting(bench, "a", session=first.connection.session).connack.session_present


def test_a_client_that_takes_no_connack_is_let_go_without_a_session() -> None:
    bench = Bench()
    client = bench.client(properties={"maximum_packet_size": 5})
    assert client.connack == ConnAck(False, ReasonCode.PACKET_TOO_LARGE)
    assert client.ended
    assert bench.client("c2", properties={"maximum_packet_size": 4}).all(ConnAck) == []
    assert bench.hub.is_empty
    assert any("CONNACK cannot be sent" in line for line in bench.lines)


def test_a_client_that_is_in_holds_no_memory_for_its_handshake() -> None:
    bench = Bench()
    client = Client(bench, Admission("chat", "u1", headers=(("host", "x"),)), None, acknowledges=True)
    client.connection.send(Connect(ProtocolVersion.V5, "c1", keep_alive=60), bench.now)
    assert client.peer.admission.headers
    bench.settle()
    assert client.connack.reason_code == ReasonCode.SUCCESS
    assert client.peer.admission == Admission("chat", "u1")


def test_warnings_of_the_token_are_logged() -> None:
    bench = Bench()
    bench.client(warnings=("role 'x' ignored",))
    assert any(line.startswith("Warning: role 'x' ignored") for line in bench.lines)


# -- the end of a connection and of a session -----------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_row_65_silence_ends_the_connection_with_the_known_text_and_the_will_speaks(version: int) -> None:
    bench = Bench()
    watching = watcher(bench)
    client = bench.client(version=version, keep_alive=10, will=Will("w", b"gone", Q1))
    client.cut = True
    bench.pass_time(14.9)
    assert watching.received == []
    bench.pass_time(0.2)
    assert watching.received == [("w", b"gone", 1)]
    text = "An mqtt session is ended. Reason: No packet has been received for 1.5 times the Keepalive time."
    assert any(text in line for line in bench.lines)
    assert client.server.data_to_send(bench.now) == (b"\xe0\x01\x8d" if version == 5 else b"")


def test_row_66_disconnect_ends_a_session_without_expiry_at_once() -> None:
    bench = Bench()
    client = bench.client()
    client.send(Disconnect())
    assert bench.hub.is_empty
    assert bench.counters.sessions_ended == 1


def test_row_66_disconnect_may_shorten_and_lengthen_the_expiry_within_the_cap() -> None:
    bench = Bench()
    client = lasting(bench)
    client.send(Disconnect(0, {"session_expiry_interval": 5}))
    bench.pass_time(4)
    assert bench.hub.session("c1") is not None
    bench.pass_time(2)
    assert bench.hub.session("c1") is None
    client = lasting(bench, properties={"session_expiry_interval": 5})
    client.send(Disconnect(0, {"session_expiry_interval": 1000}))
    bench.pass_time(29)
    assert bench.hub.session("c1") is not None
    bench.pass_time(2)
    assert bench.hub.is_empty


def test_row_67_messages_of_qos_1_and_2_wait_for_a_lost_client_and_qos_0_does_not() -> None:
    bench = Bench()
    first = lasting(bench)
    first.subscribe("a", qos=2)
    first.vanish()
    other = bench.client("other")
    other.send(Publish("a", b"0", Q0), Publish("a", b"1", Q1), Publish("a", b"2", Q2))
    assert bench.counters.dropped == 1
    again = lasting(bench, session=first.connection.session)
    assert again.received == [("a", b"1", 1), ("a", b"2", 2)]


def test_row_67_the_session_ends_after_30_seconds() -> None:
    bench = Bench()
    client = lasting(bench)
    client.subscribe("a")
    client.vanish()
    assert bench.hub.next_deadline() == bench.now + 30
    bench.pass_time(30)
    assert bench.hub.is_empty
    assert bench.hub.next_deadline() == float("inf")
    assert not lasting(bench, session=client.connection.session).connack.session_present


def test_row_67_an_exchange_under_way_goes_on_after_the_reconnect() -> None:
    bench = Bench()
    first = lasting(bench, acknowledges=False)
    first.subscribe("a", qos=2)
    bench.client("other").send(Publish("a", b"2", Q2))
    assert first.received == [("a", b"2", 2)]
    first.vanish()
    again = lasting(bench, session=first.connection.session)
    assert again.received == []  # its first copy was delivered, and waits for the acknowledgement only
    again.connection.acknowledge(first.last(Publish))
    bench.settle()
    session = bench.hub.session("c1")
    assert session is not None
    assert len(session.mqtt.outgoing) == 0
    assert session.in_flight == 0


# -- Will -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [4, 5])
def test_row_70_a_will_is_published_when_the_wire_breaks(version: int) -> None:
    bench = Bench()
    watching = watcher(bench)
    bench.client(
        version=version, will=Will("w", b"gone", Q2, True) if version == 4 else Will("w", b"gone", Q2)
    ).vanish()
    assert watching.received == [("w", b"gone", 1)]
    assert not watching.last(Publish).retain


@pytest.mark.parametrize("version", [4, 5])
def test_row_70_a_will_is_not_published_after_an_orderly_end(version: int) -> None:
    bench = Bench()
    watching = watcher(bench)
    bench.client(version=version, will=Will("w", b"gone")).send(Disconnect())
    assert watching.received == []


def test_row_70_disconnect_0x04_publishes_the_will() -> None:
    bench = Bench()
    watching = watcher(bench)
    bench.client(will=Will("w", b"gone")).send(Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE))
    assert watching.received == [("w", b"gone", 0)]


def test_row_70_a_client_that_breaks_the_protocol_has_its_will_published() -> None:
    bench = Bench()
    watching = watcher(bench)
    bench.client(will=Will("w", b"gone")).send_raw(b"\x00\x00")
    assert watching.received == [("w", b"gone", 0)]


def test_row_70_a_will_keeps_its_message_properties() -> None:
    bench = Bench()
    watching = watcher(bench)
    properties: Any = {"content_type": "text/plain", "user_property": [("a", "b")], "will_delay_interval": 0}
    bench.client(will=Will("w", b"gone", properties=properties)).vanish()
    assert watching.last(Publish).properties == {"content_type": "text/plain", "user_property": [("a", "b")]}


def delayed(seconds: int) -> Will:
    return Will("w", b"gone", properties={"will_delay_interval": seconds})


def test_row_70_a_will_without_delay_does_not_wait_for_the_end_of_the_session() -> None:
    bench = Bench()
    watching = watcher(bench)
    lasting(bench, will=delayed(0)).vanish()
    assert watching.received == [("w", b"gone", 0)]
    bench.pass_time(40)
    assert watching.received == [("w", b"gone", 0)]


def test_row_70_a_delayed_will_waits_and_comes_once() -> None:
    bench = Bench()
    watching = watcher(bench)
    lasting(bench, will=delayed(10)).vanish()
    bench.pass_time(9)
    assert watching.received == []
    bench.pass_time(2)
    assert watching.received == [("w", b"gone", 0)]
    bench.pass_time(30)
    assert watching.received == [("w", b"gone", 0)]


def test_row_70_a_delayed_will_is_not_published_if_the_client_is_back_in_time() -> None:
    bench = Bench()
    watching = watcher(bench)
    first = lasting(bench, will=delayed(10))
    first.vanish()
    bench.pass_time(5)
    lasting(bench, session=first.connection.session)
    bench.pass_time(20)
    assert watching.received == []


@pytest.mark.parametrize(("expiry", "delay"), [(5, 10), (10, 10), (0, 10)])
def test_row_70_the_end_of_the_session_ends_the_delay(expiry: int, delay: int) -> None:
    bench = Bench()
    watching = watcher(bench)
    lasting(bench, will=delayed(delay), properties={"session_expiry_interval": expiry}).vanish()
    bench.pass_time(expiry)
    assert watching.received == [("w", b"gone", 0)]


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("delay", [0, 10])
def test_row_70_a_takeover_publishes_a_will_unless_it_was_delayed_and_the_session_goes_on(
    clean: bool, delay: int
) -> None:
    bench = Bench()
    watching = watcher(bench)
    first = lasting(bench, will=delayed(delay))
    lasting(bench, clean=clean, session=None if clean else first.connection.session)
    bench.pass_time(40)
    assert watching.received == ([("w", b"gone", 0)] if clean or not delay else [])


def test_row_70_clean_start_publishes_a_will_that_was_waiting() -> None:
    bench = Bench()
    watching = watcher(bench)
    lasting(bench, will=delayed(10)).vanish()
    lasting(bench, clean=True)
    assert watching.received == [("w", b"gone", 0)]


def test_row_70_a_will_needs_the_role_unless_the_setting_says_otherwise() -> None:
    for permission, expected in ((True, []), (False, [("w", b"gone", 0)])):
        bench = Bench(will_permission=permission)
        watching = watcher(bench)
        bench.client(roles=(), will=Will("w", b"gone")).vanish()
        assert watching.received == expected
        assert any(line.startswith("WillRefused: no role") for line in bench.lines) is permission


def test_row_70_a_will_to_the_service_s_own_topics_is_dropped() -> None:
    bench = Bench()
    watching = watcher(bench, "$webpubsub/server/messages")
    bench.client(will=Will("$webpubsub/server/messages", b"gone")).vanish()
    assert watching.received == []
    assert any(line.startswith("WillRefused") for line in bench.lines)


def test_wills_that_fill_queues_end_each_session_once() -> None:
    bench = Bench(queue_messages=1, patience=0.0)
    for number in range(3):
        client = lasting(bench, f"c{number}", will=delayed(20))
        client.subscribe("w")
        client.vanish()
    other = bench.client("other")
    other.send(Publish("w", b"1", Q1), Publish("w", b"2", Q1))
    bench.pass_time(60)
    assert [bench.hub.session(f"c{number}") for number in range(3)] == [None, None, None]
    assert bench.counters.sessions_ended == 3
