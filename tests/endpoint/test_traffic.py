"""What clients of a hub may say to each other (rows 42 to 64 of the emulation contract)."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    PingReq,
    PingResp,
    PubAck,
    Publish,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    encode,
)
from mqttws.errors import ServerDisconnected
from mqttws.session import Closed, Delivered
from mqttws.vocabulary import QOS, ReasonCode
from mqttws.webpubsub import Roles
from tests.endpoint.bench import Q0, Q1, Q2, Bench, Client

VERSIONS = pytest.mark.parametrize("version", [4, 5])


def pair(version: int = 5, **settings: Any) -> tuple[Bench, Client, Client]:
    """A bench with a publisher and a subscriber who may do everything."""
    bench = Bench(**settings)
    return bench, bench.client("publisher", version=version), bench.client("subscriber", version=version)


def disconnected_with(client: Client) -> int | None:
    """The code of the DISCONNECT that ended a client's connection."""
    error = client.last(Closed).error
    return error.reason_code if isinstance(error, ServerDisconnected) else None


# -- SUBSCRIBE and UNSUBSCRIBE ----------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_row_42_the_qos_asked_for_is_granted(version: int, qos: int) -> None:
    assert Bench().client(version=version).subscribe("a", qos=qos) == [qos]


@VERSIONS
def test_row_43_without_the_role_suback_says_no_and_nothing_is_delivered(version: int) -> None:
    bench = Bench()
    client = bench.client(version=version, roles=Roles.publish_anywhere())
    assert client.subscribe("a") == [0x87 if version == 5 else 0x80]
    assert not client.ended
    bench.client("other").send(Publish("a", b"x"))
    assert client.received == []
    if version == 5:
        assert "webpubsub.joinLeaveGroup.a" in client.last(SubAck).properties["reason_string"]
    assert any(line.startswith("SubscribeRefused") and "joinLeaveGroup" in line for line in bench.lines)


@VERSIONS
@pytest.mark.parametrize("topic_filter", ["#", "a/+", "a/#", "+"])
def test_row_44_wildcards_are_refused_in_suback(version: int, topic_filter: str) -> None:
    bench = Bench()
    client = bench.client(version=version)
    client.connection.limits.wildcard_subscription_available = True  # what a client does that does not look
    assert client.subscribe(topic_filter) == [0xA2 if version == 5 else 0x80]
    assert not client.ended


def test_row_44_or_by_disconnect_if_the_setting_says_so_and_then_no_filter_counts() -> None:
    bench = Bench(wildcard_answer="disconnect")
    client = bench.client()
    client.connection.limits.wildcard_subscription_available = True
    client.send(Subscribe(0, [Subscription("a", Q1), Subscription("#", Q1)]))
    assert disconnected_with(client) == ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
    assert bench.hub.is_empty


@VERSIONS
def test_row_45_shared_subscriptions_are_refused_in_suback(version: int) -> None:
    client = Bench().client(version=version)
    client.connection.limits.shared_subscription_available = True
    assert client.subscribe("$share/n/a") == [0x9E if version == 5 else 0x80]


def test_row_45_or_by_disconnect_in_5_0_only() -> None:
    bench = Bench(shared_answer="disconnect")
    client = bench.client()
    client.connection.limits.shared_subscription_available = True
    client.send(Subscribe(0, [Subscription("$share/n/a", Q1)]))
    assert disconnected_with(client) == ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
    assert bench.client("old", version=4).subscribe("$share/n/a") == [0x80]


@VERSIONS
@pytest.mark.parametrize("topic_filter", [" ", "\t\n", "x" * 1025])
def test_row_46_blank_and_long_filters_are_invalid(version: int, topic_filter: str) -> None:
    assert Bench().client(version=version).subscribe(topic_filter) == [0x8F if version == 5 else 0x80]


def test_row_46_a_filter_of_1024_characters_is_fine() -> None:
    assert Bench().client().subscribe("ä" * 1024) == [1]


@VERSIONS
def test_row_47_each_filter_is_judged_on_its_own(version: int) -> None:
    bench = Bench()
    client = bench.client(version=version, roles=Roles.subscribe("a", "b"))
    client.connection.limits.wildcard_subscription_available = True
    assert client.subscribe("a", "no", "b", "#") == ([1, 0x87, 1, 0xA2] if version == 5 else [1, 0x80, 1, 0x80])
    bench.client("other").send(Publish("b", b"x", Q1))
    assert client.received == [("b", b"x", 1)]


@VERSIONS
def test_row_48_unsubscribe_without_the_role_ends_nothing(version: int) -> None:
    bench = Bench()
    client = bench.client(version=version, roles=Roles.subscribe("b"), groups=("a",))
    client.subscribe("b")
    client.send(Unsubscribe(0, ["a", "b", "c"]))
    assert client.last(UnsubAck).reason_codes == ([0x87, 0, 0x87] if version == 5 else [])
    bench.client("other").send(Publish("a", b"1"), Publish("b", b"2"))
    assert client.received == [("a", b"1", 0)]
    assert any(line.startswith("UnsubscribeRefused") for line in bench.lines)


def test_unsubscribe_says_what_there_was() -> None:
    client = Bench().client()
    client.subscribe("a")
    client.send(Unsubscribe(0, ["a", "a", "never"]))
    assert client.last(UnsubAck).reason_codes == [0, 0x11, 0x11]


def test_subscribing_again_replaces_the_options() -> None:
    bench, publisher, subscriber = pair()
    subscriber.subscribe("a", qos=0)
    subscriber.subscribe("a", qos=2)
    publisher.send(Publish("a", b"x", Q2))
    assert subscriber.received == [("a", b"x", 2)]
    session = bench.hub.session("subscriber")
    assert session is not None
    assert len(session.subscriptions) == 1


def test_subscriptions_of_a_session_are_bounded() -> None:
    client = Bench(subscription_limit=2).client()
    assert client.subscribe("a", "b", "c", "a") == [1, 1, 0x97, 1]


def test_a_client_that_leaves_right_behind_its_subscribe_is_no_error() -> None:
    bench = Bench()
    client = bench.client()
    data = encode(Subscribe(1, [Subscription("a", Q1)])) + encode(Unsubscribe(2, ["a"])) + b"\xe0\x00"
    client.send_raw(data)
    assert bench.hub.is_empty


# -- PUBLISH ------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("published", [0, 1, 2])
@pytest.mark.parametrize("subscribed", [0, 1, 2])
def test_row_49_a_message_is_delivered_at_the_lower_qos(version: int, published: int, subscribed: int) -> None:
    _, publisher, subscriber = pair(version)
    subscriber.subscribe("a", qos=subscribed)
    publisher.send(Publish("a", b"x", QOS[published]))
    assert subscriber.received == [("a", b"x", min(published, subscribed))]
    assert [delivered.reason_code for delivered in publisher.all(Delivered)] == ([0] if published else [])


def test_row_49_only_the_exact_topic_matches() -> None:
    _, publisher, subscriber = pair()
    subscriber.subscribe("a")
    publisher.send(*(Publish(topic, b"x") for topic in ("A", "a/", "/a", "a/b", "aa")))
    assert subscriber.received == []


@pytest.mark.parametrize(("there", "here"), [(4, 5), (5, 4)])
def test_row_49_the_versions_reach_each_other(there: int, here: int) -> None:
    bench = Bench()
    publisher, subscriber = bench.client("p", version=there), bench.client("s", version=here)
    subscriber.subscribe("a", qos=2)
    properties: Any = {"content_type": "text/plain", "message_expiry_interval": 9} if there == 5 else {}
    publisher.send(Publish("a", b"x", Q2, properties=properties))
    assert subscriber.received == [("a", b"x", 2)]
    assert subscriber.last(Publish).properties == {}


def test_row_49_what_goes_with_a_message_arrives_and_what_belongs_to_one_hop_does_not() -> None:
    _, publisher, subscriber = pair()
    subscriber.subscribe("a")
    properties: Any = {
        "payload_format_indicator": 1,
        "content_type": "text/plain",
        "response_topic": "r",
        "correlation_data": b"c",
        "user_property": [("k", "1"), ("k", "2")],
    }
    publisher.send(Publish("a", b"x", Q1, properties=properties))
    assert subscriber.last(Publish).properties == properties


@VERSIONS
def test_row_50_qos_0_without_the_role_ends_the_connection_and_not_the_session(version: int) -> None:
    bench = Bench()
    fields: Any = {"properties": {"session_expiry_interval": 30}} if version == 5 else {}
    client = bench.client(version=version, clean=False, roles=Roles.subscribe_anywhere(), **fields)
    client.send(Publish("a", b"x"))
    assert client.ended
    assert disconnected_with(client) == (ReasonCode.NOT_AUTHORIZED if version == 5 else None)
    assert bench.hub.session("c1") is not None
    if version == 5:
        error = client.last(Closed).error
        assert isinstance(error, ServerDisconnected)
        assert "webpubsub.sendToGroup.a" in error.properties["reason_string"]


def test_row_50_what_comes_behind_counts_for_nothing() -> None:
    bench = Bench()
    client = bench.client(roles=Roles.publish("good") + Roles.subscribe("good"))
    watching = bench.client("watching")
    watching.subscribe("good")
    client.send(Publish("good", b"1"), Publish("bad", b"2"), Publish("good", b"3"))
    assert watching.received == [("good", b"1", 0)]


@VERSIONS
@pytest.mark.parametrize("qos", [1, 2])
def test_row_51_qos_1_and_2_without_the_role_keep_the_connection(version: int, qos: int) -> None:
    bench = Bench()
    client = bench.client(version=version, roles=Roles.subscribe_anywhere())
    client.subscribe("a")
    client.send(Publish("a", b"x", QOS[qos]))
    assert not client.ended
    assert client.received == []
    assert client.last(Delivered).reason_code == (0x87 if version == 5 else 0)
    if version == 5:
        assert "webpubsub.sendToGroup.a" in client.last(Delivered).properties["reason_string"]
    assert any(line.startswith("PublishRefused") for line in bench.lines)


def test_row_51_a_client_that_wants_no_problem_information_gets_the_code_alone() -> None:
    client = Bench().client(roles=(), properties={"request_problem_information": 0})
    client.send(Publish("a", b"x", Q1))
    assert client.last(Delivered).properties == {}
    assert client.subscribe("a") == [0x87]
    assert client.last(SubAck).properties == {}


@pytest.mark.parametrize("qos", [0, 1])
def test_row_52_retain_ends_a_5_0_connection(qos: int) -> None:
    client = Bench().client()
    client.send_raw(encode(Publish("a", b"x", QOS[qos], True, packet_id=qos or None)))
    assert disconnected_with(client) == ReasonCode.RETAIN_NOT_SUPPORTED


def test_row_52_a_3_1_1_message_with_retain_is_delivered_and_not_stored() -> None:
    bench, publisher, subscriber = pair(4)
    subscriber.subscribe("a")
    publisher.send(Publish("a", b"x", Q1, True))
    assert subscriber.received == [("a", b"x", 1)]
    assert not subscriber.last(Publish).retain
    late = bench.client("late")
    late.subscribe("a")
    assert late.received == []


def test_row_52_retain_as_published_is_kept() -> None:
    bench = Bench()
    client = bench.client()
    client.send(Subscribe(0, [Subscription("a", Q1, retain_as_published=True)]))
    bench.client("old", version=4).send(Publish("a", b"x", Q1, True))
    assert client.last(Publish).retain


def test_row_53_a_topic_alias_ends_the_connection() -> None:
    client = Bench().client()
    client.send_raw(encode(Publish("a", b"x", properties={"topic_alias": 1})))
    assert disconnected_with(client) == ReasonCode.TOPIC_ALIAS_INVALID


def test_row_54_a_packet_above_1_mib_ends_the_connection_at_its_header() -> None:
    client = Bench().client()
    client.send_raw(bytes.fromhex("30 FFFFFF7F"))
    assert disconnected_with(client) == ReasonCode.PACKET_TOO_LARGE


@VERSIONS
def test_row_54_a_payload_of_1_000_000_bytes_passes(version: int) -> None:
    _, publisher, subscriber = pair(version)
    subscriber.subscribe("a")
    publisher.send(Publish("a", b"x" * 1_000_000, Q1))
    assert len(subscriber.last(Publish).payload) == 1_000_000


@VERSIONS
def test_row_55_a_client_hears_itself(version: int) -> None:
    client = Bench().client(version=version)
    client.subscribe("a")
    client.send(Publish("a", b"x", Q1))
    assert client.received == [("a", b"x", 1)]


def test_row_55_unless_no_local_is_set() -> None:
    bench = Bench()
    client, other = bench.client(), bench.client("other")
    client.send(Subscribe(0, [Subscription("a", Q1, no_local=True)]))
    client.send(Publish("a", b"mine", Q1))
    other.send(Publish("a", b"theirs", Q1))
    assert client.received == [("a", b"theirs", 1)]


@VERSIONS
def test_row_56_qos_2_is_delivered_once_though_it_is_sent_thrice(version: int) -> None:
    _, publisher, subscriber = pair(version)
    subscriber.subscribe("a", qos=2)
    publisher.reads = False  # it would answer PUBREC with PUBREL
    for dup in (False, True, True):
        publisher.send_raw(encode(Publish("a", b"x", Q2, dup=dup, packet_id=7), version))
    assert subscriber.received == [("a", b"x", 2)]


def test_row_57_message_expiry_is_counted_down_while_a_message_waits() -> None:
    bench = Bench()
    client = bench.client("c1", clean=False, properties={"session_expiry_interval": 30})
    client.subscribe("a")
    client.vanish()
    other = bench.client("other")
    for seconds in (5, 20):
        properties: Any = {"message_expiry_interval": seconds}
        other.send(Publish("a", str(seconds).encode(), Q1, properties=properties))
    bench.pass_time(7.5)
    again = bench.client("c1", clean=False, session=client.connection.session)
    assert again.received == [("a", b"20", 1)]
    assert again.last(Publish).properties == {"message_expiry_interval": 13}


def test_row_57_a_message_that_need_not_wait_keeps_its_interval() -> None:
    _, publisher, subscriber = pair()
    subscriber.subscribe("a")
    for seconds in (0, 5):
        properties: Any = {"message_expiry_interval": seconds}
        publisher.send(Publish("a", b"x", Q1, properties=properties))
        assert subscriber.last(Publish).properties == properties


def test_row_58_the_subscription_identifier_comes_with_deliveries() -> None:
    _, publisher, subscriber = pair()
    subscriber.subscribe("a", subscription_identifier=268_435_455)
    subscriber.subscribe("b")
    publisher.send(Publish("a", b"1", Q1), Publish("b", b"2", Q1))
    with_it, without = subscriber.all(Publish)
    assert with_it.properties == {"subscription_identifier": [268_435_455]}
    assert without.properties == {}


def test_row_58_two_subscribers_have_their_own_identifiers() -> None:
    bench, publisher, subscriber = pair()
    other = bench.client("other")
    subscriber.subscribe("a", subscription_identifier=1)
    other.subscribe("a", subscription_identifier=2)
    publisher.send(Publish("a", b"x"))
    assert subscriber.last(Publish).properties == {"subscription_identifier": [1]}
    assert other.last(Publish).properties == {"subscription_identifier": [2]}


def test_row_59_the_client_s_receive_maximum_is_honoured_in_order() -> None:
    bench = Bench()
    client = bench.client(properties={"receive_maximum": 2}, acknowledges=False)
    client.subscribe("a")
    bench.client("other").send(*(Publish("a", bytes([n]), Q1) for n in range(5)))
    assert [payload for _, payload, _ in client.received] == [b"\0", b"\1"]
    for _ in range(4):
        client.connection.acknowledge(client.all(Publish)[len(client.received) - 2])
        bench.settle()
    assert [payload for _, payload, _ in client.received] == [b"\0", b"\1", b"\2", b"\3", b"\4"]


def test_row_59_our_own_receive_maximum_is_announced_and_held() -> None:
    client = Bench(receive_maximum=2).client()
    assert client.connack.properties["receive_maximum"] == 2
    client.send_raw(b"".join(encode(Publish("a", b"", Q2, packet_id=n)) for n in (1, 2, 3)))
    assert disconnected_with(client) == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED


@VERSIONS
@pytest.mark.parametrize("topic", [" ", "x" * 1025])
def test_publishing_to_what_is_no_group_name_is_refused(version: int, topic: str) -> None:
    client = Bench().client(version=version)
    client.send(Publish(topic, b"", Q1))
    assert client.last(Delivered).reason_code == (0x90 if version == 5 else 0)
    client.send(Publish(topic, b"", Q0))
    assert disconnected_with(client) == (0x90 if version == 5 else None)
    assert client.ended


def test_a_message_behind_which_the_client_leaves_is_delivered() -> None:
    bench, publisher, subscriber = pair()
    subscriber.subscribe("a")
    publisher.send_raw(encode(Publish("a", b"last words", Q1, packet_id=1)) + b"\xe0\x00")
    assert subscriber.received == [("a", b"last words", 1)]
    assert bench.hub.session("publisher") is None


def test_a_message_before_a_malformed_packet_is_delivered() -> None:
    _, publisher, subscriber = pair()
    subscriber.subscribe("a")
    publisher.send_raw(encode(Publish("a", b"good")) + b"\x00\x00")
    assert subscriber.received == [("a", b"good", 0)]
    assert disconnected_with(publisher) == ReasonCode.MALFORMED_PACKET


def test_a_message_too_large_for_one_client_reaches_the_others() -> None:
    bench = Bench()
    small = bench.client("small", properties={"maximum_packet_size": 100})
    large = bench.client("large")
    for client in (small, large):
        client.subscribe("a")
    bench.client("other").send(Publish("a", b"x" * 100, Q1), Publish("a", b"fits", Q1))
    assert [len(payload) for _, payload, _ in large.received] == [100, 4]
    assert small.received == [("a", b"fits", 1)]
    assert bench.counters.dropped == 1


def test_acknowledgements_leave_in_order_though_one_was_refused() -> None:
    client = Bench().client(roles=Roles.publish("a"))
    client.send(Publish("a", b"", Q1), Publish("b", b"", Q1), Publish("a", b"", Q1))
    assert [delivered.reason_code for delivered in client.all(Delivered)] == [0, 0x87, 0]


# -- the service's own topics ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_row_62_an_event_without_a_handler_is_answered_with_404_and_needs_no_role(qos: int) -> None:
    bench = Bench()
    client = bench.client(roles=())
    properties: Any = {"correlation_data": b"7", "content_type": "application/json; charset=utf-8"}
    client.send(Publish("$webpubsub/server/events/echo", b"{}", QOS[qos], properties=properties))
    answer = client.last(Publish)
    assert answer.topic == "$webpubsub/server/events/echo/failed"
    assert answer.qos == qos
    assert answer.properties == {
        "content_type": "text/plain",
        "correlation_data": b"7",
        "user_property": [("azure-status-code", "404")],
    }
    assert b"echo" in answer.payload
    assert not client.ended
    assert any(line.startswith("EventHandlerNotFound") for line in bench.lines)


def test_row_62_to_3_1_1_topic_payload_and_qos_survive() -> None:
    client = Bench().client(version=4, roles=())
    client.send(Publish("$webpubsub/server/events/echo", b"", Q1))
    assert client.last(Publish).topic == "$webpubsub/server/events/echo/failed"
    assert client.last(Publish).properties == {}


@VERSIONS
def test_row_62_or_the_connection_ends_if_the_setting_says_so(version: int) -> None:
    bench = Bench(event_without_handler="close")
    client = bench.client(version=version)
    client.send(Publish("$webpubsub/server/events/echo", b"", Q0))
    assert client.ended
    assert client.received == []


@VERSIONS
@pytest.mark.parametrize("topic", ["$webpubsub/server/events/a/b", "$webpubsub/server/events/"])
def test_row_61_an_event_name_with_a_slash_is_no_event(version: int, topic: str) -> None:
    client = Bench().client(version=version)
    client.send(Publish(topic, b"", Q1))
    assert client.last(Delivered).reason_code == (0x90 if version == 5 else 0)
    assert client.received == []
    client.send(Publish(topic, b"", Q0))
    assert client.ended
    assert disconnected_with(client) == (0x90 if version == 5 else None)


def test_row_61_an_invalid_content_type_is_no_event() -> None:
    client = Bench().client()
    properties: Any = {"content_type": "json"}
    client.send(Publish("$webpubsub/server/events/a", b"", Q1, properties=properties))
    assert client.last(Delivered).reason_code == ReasonCode.PAYLOAD_FORMAT_INVALID


def test_row_61_qos_0_may_be_dropped_instead() -> None:
    bench = Bench(invalid_event="drop")
    client = bench.client()
    client.send(Publish("$webpubsub/server/events/a/b", b"", Q0))
    assert not client.ended
    assert any(line.startswith("PublishRefused") for line in bench.lines)


@pytest.mark.parametrize("topic", ["$webpubsub/server/messages", "$webpubsub/x"])
def test_row_63_other_topics_of_the_service_are_denied_whatever_the_roles(topic: str) -> None:
    bench = Bench()
    listener = bench.client("listener")
    listener.subscribe(topic)
    client = bench.client()
    client.send(Publish(topic, b"", Q1))
    assert client.last(Delivered).reason_code == ReasonCode.NOT_AUTHORIZED
    client.send(Publish(topic, b"", Q0))
    assert disconnected_with(client) == ReasonCode.NOT_AUTHORIZED
    assert listener.received == []


@VERSIONS
def test_row_64_a_ping_is_answered(version: int) -> None:
    client = Bench().client(version=version)
    client.send(PingReq())
    assert client.all(PingResp)


def test_a_log_line_cannot_be_forged_by_a_topic() -> None:
    bench = Bench()
    client = bench.client(roles=())
    client.send(Publish("x\r\nConnectionStarted: forged", b"", Q1))
    assert all("\n" not in line and "\r" not in line for line in bench.lines)
    assert client.all(Delivered)
    assert client.all(PubAck) == []
