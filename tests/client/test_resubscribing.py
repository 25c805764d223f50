"""Subscriptions across connections: what is asked again, what is subscribed anew, and what a refusal then ends."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import pytest
from trio.testing import trio_test

from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.client.subscriptions import Subscriptions
from mqttws.codec import Packet, Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe
from mqttws.errors import ConnectionLost, LocalProtocolError, SubscribeRefused
from mqttws.vocabulary import QOS
from tests.client.lines import Line


class Desk:
    """Streams, their subscriptions, and the line on which these are asked for."""

    def __init__(self, version: int = 5) -> None:
        self.dispatcher = Dispatcher(self.acknowledge)
        self.subscriptions = Subscriptions(self.dispatcher)
        self.line = Line(version)

    def acknowledge(self, publish: Publish, reason_code: int = 0, properties: object = None) -> None:
        raise AssertionError(f"no message has come, {publish} with {reason_code} neither")

    def enter(
        self, *topic_filters: str, qos: int = 1, keep: bool = False, properties: Any = None
    ) -> tuple[Messages, Sequence[Any]]:
        stream = Messages(
            topic_filters,
            self.dispatcher.consumed,
            buffer=10,
            buffer_bytes=100,
            overflow="drop_newest",
            subscribed=True,
        )
        wanted = [Subscription(name, QOS[qos]) for name in topic_filters]
        requests = self.subscriptions.enter(stream, wanted, properties, self.line.connection, 0, keep=keep)
        self.dispatcher.open(stream)
        return stream, requests

    def leave(self, stream: Messages) -> None:
        given_up = self.subscriptions.leave(stream, self.line.connection, 0)
        self.dispatcher.close(stream, failed=False, given_up=given_up)

    def connect(self, *, present: bool = False, doubtful: bool = False, **properties: Any) -> list[Packet]:
        """A new connection, and what is asked for on it at once."""
        self.line.connect(present=present, **properties)
        self.subscriptions.connected(self.line.connection, 0, resumed=present, doubtful=doubtful)
        return self.line.sent()

    def cut(self) -> None:
        self.line.cut()
        self.subscriptions.disconnected()

    def answer(self, request: Packet, *codes: int) -> None:
        """SUBACK or UNSUBACK; without codes all is well."""
        if isinstance(request, Subscribe):
            granted = list(codes) or [int(subscription.qos) for subscription in request.subscriptions]
            (event,) = self.line.receive(SubAck(request.packet_id, granted))
            assert isinstance(event, SubAck)
            self.subscriptions.on_suback(event)
        else:
            assert isinstance(request, Unsubscribe)
            (event,) = self.line.receive(UnsubAck(request.packet_id, [0] * len(request.topic_filters)))
            assert isinstance(event, UnsubAck)
            self.subscriptions.on_unsuback(event)


def asked(packets: Sequence[Packet]) -> list[tuple[str, list[tuple[str, int]] | list[str]]]:
    """What the packets ask for, in short."""
    said: list[tuple[str, list[tuple[str, int]] | list[str]]] = []
    for packet in packets:
        if isinstance(packet, Subscribe):
            said.append(("subscribe", [(each.topic_filter, int(each.qos)) for each in packet.subscriptions]))
        else:
            assert isinstance(packet, Unsubscribe)
            said.append(("unsubscribe", packet.topic_filters))
    return said


def open_desk(*topic_filters: str, **options: Any) -> tuple[Desk, Messages]:
    """One stream, subscribed."""
    desk = Desk()
    desk.connect()
    stream, _ = desk.enter(*topic_filters, **options)
    for packet in desk.line.sent():
        desk.answer(packet)
    return desk, stream


async def is_open(desk: Desk, stream: Messages, requests: Sequence[Any]) -> bool:
    """Whether the stream's wait for SUBACK is over."""
    if not all(request.answered.is_set() for request in requests):
        return False
    await desk.subscriptions.granted(stream, requests)
    return True


def test_a_resumed_session_is_asked_for_nothing_that_it_has() -> None:
    desk, _ = open_desk("a", "b")
    desk.cut()
    assert desk.connect(present=True) == []


def test_a_lost_session_is_subscribed_anew_with_the_same_options_and_properties() -> None:
    desk, _ = open_desk("a", "b", properties={"user_property": [("k", "v")]})
    desk.enter("c", qos=2)
    (second,) = desk.line.sent()
    desk.answer(second)
    desk.cut()
    packets = desk.connect()
    assert asked(packets) == [("subscribe", [("a", 1), ("b", 1)]), ("subscribe", [("c", 2)])]
    assert [packet.properties for packet in packets if isinstance(packet, Subscribe)] == [
        {"user_property": [("k", "v")]},
        {},
    ]
    for packet in packets:
        desk.answer(packet)
    desk.cut()
    assert asked(desk.connect()) == asked(packets)


def test_an_identifier_of_the_callers_own_is_left_alone() -> None:
    desk = Desk()
    desk.connect()
    desk.enter("a", properties={"subscription_identifier": 77})
    (packet,) = desk.line.sent()
    assert isinstance(packet, Subscribe)
    assert packet.properties == {"subscription_identifier": 77}


@pytest.mark.parametrize("present", [True, False])
@trio_test
async def test_what_was_not_answered_is_asked_again_and_the_stream_opens(present: bool) -> None:
    desk = Desk()
    desk.connect()
    stream, requests = desk.enter("a", "b")
    desk.cut()
    assert [await is_open(desk, stream, requests)] == [False]
    packets = desk.connect(present=present)
    assert asked(packets) == [("subscribe", [("a", 1), ("b", 1)])]
    desk.answer(packets[0])
    assert [await is_open(desk, stream, requests)] == [True]
    assert stream.reason_codes == (1, 1)


@trio_test
async def test_without_a_connection_a_subscription_waits_for_one() -> None:
    desk = Desk()
    desk.connect()
    desk.cut()
    stream, requests = desk.enter("a")
    packets = desk.connect(present=True)
    assert asked(packets) == [("subscribe", [("a", 1)])]
    desk.answer(packets[0])
    assert await is_open(desk, stream, requests)


def test_what_cannot_be_subscribed_is_refused_without_a_connection_too() -> None:
    desk = Desk()
    desk.connect(wildcard_subscription_available=0)
    desk.cut()
    with pytest.raises(LocalProtocolError, match="no Wildcard"):
        desk.enter("a/#")
    assert desk.connect() == []


@trio_test
async def test_who_leaves_before_there_is_a_connection_leaves_nothing_to_ask_for() -> None:
    desk = Desk()
    desk.connect()
    desk.cut()
    for _ in range(5):
        stream, _ = desk.enter("a")
        desk.leave(stream)
    stays, _ = desk.enter("b")
    leaves, _ = desk.enter("b", "c")
    desk.leave(leaves)
    assert len(desk.subscriptions._unasked) == 1
    assert asked(desk.connect()) == [("subscribe", [("b", 1)])]
    assert not stays.ended


def test_in_a_session_that_may_be_another_one_all_is_asked_again_and_what_was_left_is_left() -> None:
    desk, stays = open_desk("a")
    leaves, requests = desk.enter("b")
    for packet in desk.line.sent():
        desk.answer(packet)
    assert len(requests) == 1
    desk.cut()
    desk.leave(leaves)
    packets = desk.connect(present=True, doubtful=True)
    assert asked(packets) == [("subscribe", [("a", 1)]), ("unsubscribe", ["b"])]
    for packet in packets:
        desk.answer(packet)
    desk.cut()
    assert desk.connect(present=True) == []
    assert not stays.ended


def test_what_was_left_without_a_connection_is_unsubscribed_on_the_next_one_if_the_session_lives() -> None:
    for present, expected in ((True, [("unsubscribe", ["a"])]), (False, [])):
        desk, stream = open_desk("a")
        desk.cut()
        desk.leave(stream)
        packets = desk.connect(present=present)
        assert asked(packets) == expected
        for packet in packets:
            desk.answer(packet)
        desk.cut()
        assert desk.connect(present=True) == []


def test_an_unsubscribe_that_was_not_answered_is_sent_again_unless_the_filter_is_wanted_anew() -> None:
    desk, stream = open_desk("a", "b")
    desk.leave(stream)
    assert asked(desk.line.sent()) == [("unsubscribe", ["a", "b"])]
    desk.enter("b")
    desk.cut()
    desk.enter("c")
    assert asked(desk.connect(present=True)) == [
        ("subscribe", [("b", 1)]),
        ("subscribe", [("c", 1)]),
        ("unsubscribe", ["a"]),
    ]


def test_left_and_wanted_again_without_a_connection_it_is_subscribed_and_not_unsubscribed() -> None:
    desk, stream = open_desk("a")
    desk.cut()
    desk.leave(stream)
    desk.enter("a")
    assert asked(desk.connect(present=True)) == [("subscribe", [("a", 1)])]


def test_many_filters_are_unsubscribed_in_packets_of_moderate_size() -> None:
    names = [f"f{number}" for number in range(45)]
    desk, stream = open_desk(*names)
    desk.cut()
    desk.leave(stream)
    packets = desk.connect(present=True)
    assert [len(packet.topic_filters) for packet in packets if isinstance(packet, Unsubscribe)] == [20, 20, 5]


def test_filters_that_the_next_server_takes_in_no_one_packet_are_unsubscribed_in_several() -> None:
    names = [letter * 20 for letter in "abcdefg"]
    desk, stream = open_desk(*names)
    desk.cut()
    desk.leave(stream)
    packets = desk.connect(present=True, maximum_packet_size=60)
    assert asked(packets) == [
        ("unsubscribe", [names[0]]),
        ("unsubscribe", names[1:3]),
        ("unsubscribe", names[3:5]),
        ("unsubscribe", names[5:]),
    ]


def test_a_block_is_left_although_its_unsubscribe_fits_into_no_packet_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, stream = open_desk("a" * 100, "b")
    desk.cut()
    assert desk.connect(present=True, maximum_packet_size=60) == []
    desk.leave(stream)
    assert asked(desk.line.sent()) == [("unsubscribe", ["b"])]
    assert "cannot be given up: UNSUBSCRIBE of 107 bytes; Maximum Packet Size is 60" in caplog.text


@pytest.mark.parametrize("present", [True, False])
def test_a_connection_that_ends_as_it_begins_leaves_all_requests_to_the_next(present: bool) -> None:
    desk, stream = open_desk("a")
    leaving, _ = desk.enter("b")
    for packet in desk.line.sent():
        desk.answer(packet)
    desk.cut()
    desk.leave(leaving)
    desk.line.connect(present=present)
    desk.line.cut()  # before anybody has looked at the CONNACK
    desk.subscriptions.connected(desk.line.connection, 0, resumed=present)
    desk.subscriptions.disconnected()
    assert not stream.ended
    # The Session of that short connection, which knows of no filter, may be resumed.
    wanted = [("unsubscribe", ["b"])] if present else [("subscribe", [("a", 1)])]
    assert asked(desk.connect(present=True)) == wanted


def test_answers_that_were_behind_when_the_connection_was_given_up_are_passed_over() -> None:
    desk, stream = open_desk("a")
    desk.enter("b")
    (subscribe,) = desk.line.sent()
    desk.leave(stream)
    (unsubscribe,) = desk.line.sent()
    desk.subscriptions.disconnected()
    desk.answer(subscribe)
    desk.answer(unsubscribe)
    desk.cut()
    assert asked(desk.connect(present=True)) == [("subscribe", [("b", 1)]), ("unsubscribe", ["a"])]


def test_what_is_kept_in_the_session_is_subscribed_anew_although_no_stream_wants_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk, stream = open_desk("a", keep=True)
    desk.leave(stream)
    desk.cut()
    assert desk.connect(present=True) == []
    desk.cut()
    packets = desk.connect()
    assert asked(packets) == [("subscribe", [("a", 1)])]
    desk.cut()
    packets = desk.connect()
    assert asked(packets) == [("subscribe", [("a", 1)])]
    with caplog.at_level(logging.WARNING, "mqttws.client"):
        desk.answer(packets[0], 0x87)
    assert caplog.messages == ["The subscription to 'a' could not be kept: subscribe refused: a: 0x87 Not authorized"]
    desk.cut()
    assert desk.connect() == []


def test_a_stream_that_takes_over_what_was_kept_may_give_it_up() -> None:
    desk, stream = open_desk("a", keep=True)
    desk.leave(stream)
    again, _ = desk.enter("a")
    assert asked(desk.line.sent()) == [("subscribe", [("a", 1)])]
    desk.leave(again)
    assert asked(desk.line.sent()) == [("unsubscribe", ["a"])]
    desk.cut()
    assert desk.connect() == []


@trio_test
async def test_a_refusal_on_subscribing_anew_ends_the_streams_that_wanted_it() -> None:
    desk, both = open_desk("a", "b")
    only, requests = desk.enter("b")
    assert await is_open(desk, only, requests)
    desk.cut()
    (packet,) = desk.connect()
    desk.answer(packet, 0x87, 1)
    with pytest.raises(SubscribeRefused, match="a: 0x87 Not authorized"):
        await anext(both)
    assert not only.ended
    desk.leave(both)
    desk.leave(only)
    assert asked(desk.line.sent()) == [("unsubscribe", ["b"])]


@trio_test
async def test_after_such_a_refusal_it_may_be_tried_anew() -> None:
    desk, _ = open_desk("a")
    desk.cut()
    (packet,) = desk.connect()
    desk.answer(packet, 0x97)
    stream, requests = desk.enter("a")
    (packet,) = desk.line.sent()
    desk.answer(packet)
    assert await is_open(desk, stream, requests)
    assert not stream.ended


@trio_test
async def test_a_higher_qos_under_way_when_the_session_is_lost_is_asked_for_alone() -> None:
    desk, low = open_desk("a", qos=0)
    desk.enter("a", qos=1)
    desk.cut()
    packets = desk.connect()
    assert asked(packets) == [("subscribe", [("a", 1)])]
    desk.answer(packets[0], 0x80)
    with pytest.raises(SubscribeRefused):
        await anext(low)


@trio_test
async def test_a_server_that_takes_less_than_the_one_before_ends_the_streams_it_cannot_serve() -> None:
    desk, wide = open_desk("a/#")
    plain, _ = desk.enter("b")
    for packet in desk.line.sent():
        desk.answer(packet)
    desk.cut()
    assert asked(desk.connect(wildcard_subscription_available=0)) == [("subscribe", [("b", 1)])]
    with pytest.raises(LocalProtocolError, match="no Wildcard"):
        await anext(wide)
    assert not plain.ended


@trio_test
async def test_the_end_of_the_client_ends_the_wait_of_those_who_were_not_asked_for_yet() -> None:
    desk = Desk()
    desk.connect()
    desk.cut()
    stream, requests = desk.enter("a")
    desk.subscriptions.fail(Failure(ConnectionLost("gone")))
    with pytest.raises(ConnectionLost, match="gone"):
        await desk.subscriptions.granted(stream, requests)


# -- Subscription Identifiers ------------------------------------------------------------------------------------------


def numbered(packets: Sequence[Packet]) -> list[tuple[list[str], int | None, int]]:
    """Filters, Subscription Identifier and Retain Handling of each SUBSCRIBE."""
    return [
        (
            [each.topic_filter for each in packet.subscriptions],
            packet.properties.get("subscription_identifier"),
            int(packet.subscriptions[0].retain_handling),
        )
        for packet in packets
        if isinstance(packet, Subscribe)
    ]


def test_filters_that_do_not_overlap_need_no_identifier() -> None:
    desk, _ = open_desk("a", "b/#")
    desk.enter("c")
    desk.enter("a")
    desk.enter("$SYS/+")
    assert numbered(desk.line.sent()) == [(["c"], None, 0), (["$SYS/+"], None, 0)]


@pytest.mark.parametrize(
    ("first", "second"), [("a/b", "a/+"), ("a/+", "a/b"), ("a", "$share/group/a"), ("$share/g/x/+", "$share/h/x/#")]
)
def test_filters_that_overlap_get_one_each_and_the_older_ones_first(first: str, second: str) -> None:
    desk, _ = open_desk("other", properties={"user_property": [("k", "v")]})
    desk.enter(first)
    for packet in desk.line.sent():
        desk.answer(packet)
    desk.enter(second)
    packets = desk.line.sent()
    assert numbered(packets) == [([first], 2, 2), ([second], 1, 0)]
    for packet in packets:
        desk.answer(packet)
    assert desk.dispatcher.identified == {first, second}
    desk.cut()
    assert numbered(desk.connect()) == [(["other"], None, 0), ([first], 2, 0), ([second], 1, 0)]


def test_one_request_of_before_is_renewed_as_one_and_only_as_far_as_it_overlaps() -> None:
    desk, _ = open_desk("a/1", "a/2", "b", properties={"user_property": [("k", "v")]})
    desk.enter("c")
    desk.enter("a/+", "c")
    packets = desk.line.sent()
    assert numbered(packets) == [(["c"], None, 0), (["a/1", "a/2"], 2, 2), (["a/+"], 1, 0)]
    assert isinstance(packets[1], Subscribe)
    assert packets[1].properties["user_property"] == [("k", "v")]


def test_an_identifier_is_kept_when_a_higher_qos_is_asked_for_and_given_once() -> None:
    desk, _ = open_desk("a/b", qos=0)
    desk.enter("a/+", qos=0)
    desk.enter("a/b", qos=1)
    desk.enter("a/#", qos=0)
    assert numbered(desk.line.sent()) == [(["a/b"], 2, 2), (["a/+"], 1, 0), (["a/b"], 3, 0), (["a/#"], 4, 0)]


def test_what_is_kept_in_the_session_is_told_apart_as_well() -> None:
    desk, stream = open_desk("a/#", keep=True)
    desk.leave(stream)
    desk.enter("a")
    assert numbered(desk.line.sent()) == [(["a/#"], 2, 2), (["a"], 1, 0)]


def test_what_was_left_or_refused_overlaps_with_nothing() -> None:
    desk, stream = open_desk("a/#")
    desk.leave(stream)
    desk.line.sent()
    refused, _ = desk.enter("+/+")
    desk.answer(desk.line.sent()[0], 0x87)
    desk.enter("a/b")
    assert numbered(desk.line.sent()) == [(["a/b"], None, 0)]
    assert refused.ended


def test_without_a_connection_they_are_told_apart_on_the_next() -> None:
    desk, _ = open_desk("a/b")
    desk.cut()
    desk.enter("a/+")
    assert numbered(desk.connect(present=True)) == [(["a/b"], 2, 2), (["a/+"], 1, 0)]


@pytest.mark.parametrize(("version", "properties"), [(4, {}), (5, {"subscription_identifier_available": 0})])
def test_there_is_no_identifier_where_the_server_has_none(version: int, properties: Any) -> None:
    desk = Desk(version)
    desk.connect(**properties)
    desk.enter("a/b")
    desk.enter("a/+")
    assert numbered(desk.line.sent()) == [(["a/b"], None, 0), (["a/+"], None, 0)]
    assert desk.dispatcher.identified == set()


def test_there_is_none_either_where_it_would_not_fit_into_the_packet() -> None:
    desk = Desk()
    desk.connect(maximum_packet_size=12)
    for topic_filter in ("a/b", "a/#"):
        desk.enter(topic_filter)
        (packet,) = desk.line.sent()
        assert isinstance(packet, Subscribe)
        assert packet.properties == {}
        desk.answer(packet)
    desk.cut()
    assert asked(desk.connect()) == [("subscribe", [("a/b", 1)]), ("subscribe", [("a/#", 1)])]


def test_on_a_server_without_identifiers_those_of_the_one_before_are_forgotten() -> None:
    desk, _ = open_desk("a/b")
    desk.enter("a/+")
    for packet in desk.line.sent():
        desk.answer(packet)
    desk.cut()
    assert numbered(desk.connect(subscription_identifier_available=0)) == [(["a/b"], None, 0), (["a/+"], None, 0)]
    assert desk.dispatcher.identified == set()


@trio_test
async def test_where_the_server_refuses_to_renew_a_subscription_it_is_told_by_its_filter_as_before() -> None:
    desk, old = open_desk("a/b")
    desk.enter("a/+")
    renewal, request = desk.line.sent()
    desk.answer(renewal, 0xA1)
    desk.answer(request)
    assert not old.ended
    assert desk.dispatcher.identified == {"a/+"}
    message = Publish("a/b", b"x", properties={"subscription_identifier": [1]})
    desk.dispatcher.deliver(message)
    assert (await anext(old)).payload == b"x"
