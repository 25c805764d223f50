"""Dispatcher: which stream gets which message, and when it is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.client import dispatch
from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.inbox import Messages
from mqttws.client.window import Holder
from mqttws.codec import Publish
from mqttws.errors import ConnectionLost, LocalProtocolError, StreamOverflow, SubscribeRefused
from mqttws.vocabulary import QOS, QoS, ReasonCode


class Desk:
    """A dispatcher and what it has acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[bytes] = []
        self.refused: list[tuple[bytes, int]] = []
        self.dispatcher = Dispatcher(self.acknowledge)
        self.counters = self.dispatcher.counters

    def acknowledge(self, publish: Publish, reason_code: int = 0, properties: object = None) -> None:
        self.acknowledged.append(publish.payload)
        if reason_code:
            self.refused.append((publish.payload, reason_code))

    def stream(self, *topic_filters: str, **options: Any) -> Messages:
        defaults: dict[str, Any] = {"buffer": 10, "buffer_bytes": 1_000, "overflow": "drop_newest"}
        stream = Messages(topic_filters, self.dispatcher.consumed, **(defaults | options))
        self.dispatcher.open(stream)
        return stream

    def deliver(self, topic: str, payload: bytes = b"x", qos: int = 1, identifiers: Sequence[int] = ()) -> None:
        publish = Publish(topic, payload, QOS[qos])
        if identifiers:
            publish.properties["subscription_identifier"] = list(identifiers)
        self.dispatcher.deliver(publish)


async def taken(stream: Messages, count: int) -> list[bytes]:
    """The next payloads, each consumed but the last."""
    return [(await anext(stream)).payload for _ in range(count)]


@trio_test
async def test_a_message_goes_to_every_stream_that_matches_and_is_acknowledged_once_all_have_consumed_it() -> None:
    desk = Desk()
    exact, wide, other = desk.stream("a/b"), desk.stream("a/+", "a/#"), desk.stream("b")
    desk.deliver("a/b", b"1")
    desk.deliver("a/b", b"2")
    assert await taken(exact, 2) == [b"1", b"2"]
    assert desk.acknowledged == []
    assert await taken(wide, 2) == [b"1", b"2"]
    assert desk.acknowledged == [b"1"]
    assert desk.counters.held == 1
    assert other.close(failed=False) == []


@trio_test
async def test_one_crowded_stream_whose_consumer_takes_is_enough_to_wait_for() -> None:
    desk = Desk()
    busy, idle = desk.stream("a", buffer=2), desk.stream("b", buffer=2)
    crowded = []
    for topic in ("b", "b", "a", "a", "a"):
        desk.deliver(topic, qos=0)
        crowded.append(desk.dispatcher.crowded)
    assert crowded == [False, True, True, True, True]
    desk.dispatcher.catch_up()
    assert not desk.dispatcher.crowded
    await anext(busy)
    desk.deliver("a", qos=0)
    desk.dispatcher.catch_up()
    assert (busy.crowded, idle.crowded) == (True, False)
    assert (busy.dropped, idle.dropped) == (1, 0)


@trio_test
async def test_a_shared_subscription_matches_by_its_inner_filter() -> None:
    desk = Desk()
    stream = desk.stream("$share/group/a/+")
    desk.deliver("a/b", b"1")
    assert await taken(stream, 1) == [b"1"]


@trio_test
async def test_a_stream_without_filters_takes_what_no_other_wants() -> None:
    desk = Desk()
    named, rest = desk.stream("a"), desk.stream()
    desk.deliver("a", b"1")
    desk.deliver("b", b"2", 0)
    assert await taken(named, 1) == [b"1"]
    assert await taken(rest, 1) == [b"2"]


@trio_test
async def test_what_no_stream_wants_waits_at_qos_1_and_is_dropped_at_qos_0() -> None:
    desk = Desk()
    desk.deliver("a", b"0", 0)
    desk.deliver("a", b"1", 1)
    desk.deliver("b", b"2", 2)
    assert (desk.counters.unwanted, desk.counters.waiting, desk.counters.held) == (1, 2, 2)
    assert desk.counters.held_bytes == 4
    assert await taken(desk.stream("b"), 1) == [b"2"]
    assert desk.counters.waiting == 1
    assert await taken(desk.stream(), 1) == [b"1"]
    assert desk.counters.waiting == 0
    assert desk.acknowledged == []


@trio_test
async def test_what_was_not_handed_out_waits_for_another_stream_in_order_of_arrival() -> None:
    desk = Desk()
    first = desk.stream("a", "b")
    for topic, payload in (("a", b"1"), ("b", b"2"), ("c", b"3"), ("a", b"4")):
        desk.deliver(topic, payload)
    assert await taken(first, 1) == [b"1"]
    desk.dispatcher.close(first, failed=False)
    assert desk.acknowledged == [b"1"]
    assert await taken(desk.stream(), 3) == [b"2", b"3", b"4"]


@trio_test
async def test_left_by_an_exception_the_message_in_hand_comes_again() -> None:
    desk = Desk()
    first = desk.stream("a")
    desk.deliver("a", b"1")
    assert await taken(first, 1) == [b"1"]
    desk.dispatcher.close(first, failed=True, given_up=("a",))
    assert desk.acknowledged == []
    assert await taken(desk.stream("a"), 1) == [b"1"]


@trio_test
async def test_a_subscription_given_up_takes_its_messages_with_it() -> None:
    desk = Desk()
    stream = desk.stream("a/#")
    desk.deliver("a/b", b"1")
    desk.deliver("a/b", b"2")
    assert await taken(stream, 1) == [b"1"]
    desk.dispatcher.close(stream, failed=False, given_up=("a/#",))
    assert desk.acknowledged == [b"1", b"2"]
    desk.deliver("a/late", b"3")  # sent before the Server had UNSUBSCRIBE
    desk.deliver("b", b"4")
    assert desk.acknowledged == [b"1", b"2", b"3"]
    assert (desk.counters.discarded, desk.counters.waiting, desk.counters.held) == (2, 1, 1)


@trio_test
async def test_subscribed_again_they_are_wanted_again() -> None:
    desk = Desk()
    desk.dispatcher.close(desk.stream("a"), failed=False, given_up=("a",))
    again = desk.stream("a")
    desk.deliver("a", b"1")
    assert await taken(again, 1) == [b"1"]
    desk.dispatcher.close(again, failed=False)
    desk.deliver("a", b"2")
    assert desk.counters.waiting == 1
    assert desk.counters.discarded == 0


@trio_test
async def test_a_message_that_one_stream_has_failed_on_is_not_acknowledged_by_the_others() -> None:
    desk = Desk()
    good, bad, worse = desk.stream("a"), desk.stream("a"), desk.stream("a")
    desk.deliver("a", b"1")
    for stream in (good, bad, worse):
        assert await taken(stream, 1) == [b"1"]
    desk.dispatcher.close(good, failed=False)
    desk.dispatcher.close(bad, failed=True)
    desk.dispatcher.close(worse, failed=True)
    assert desk.acknowledged == []
    assert desk.counters.waiting == 1
    retry = desk.stream("a")
    assert await taken(retry, 1) == [b"1"]
    desk.dispatcher.close(retry, failed=False)
    assert desk.acknowledged == [b"1"]
    assert desk.counters.held == 0


@trio_test
async def test_a_message_still_wanted_by_another_stream_is_not_discarded() -> None:
    desk = Desk()
    leaving, staying = desk.stream("a"), desk.stream("+")
    desk.deliver("a", b"1")
    desk.dispatcher.close(leaving, failed=False, given_up=("a",))
    assert desk.acknowledged == []
    desk.dispatcher.close(staying, failed=False, given_up=("+",))
    assert desk.acknowledged == [b"1"]


@trio_test
async def test_what_another_stream_has_consumed_is_not_asked_for_again() -> None:
    desk = Desk()
    slow, quick = desk.stream("a"), desk.stream("a")
    desk.deliver("a", b"1")
    assert await taken(quick, 1) == [b"1"]
    with trio.move_on_after(0):
        await anext(quick)  # asks for the next, so the first is consumed
    desk.dispatcher.close(slow, failed=False)
    assert desk.acknowledged == [b"1"]
    assert desk.counters.waiting == 0


@trio_test
async def test_a_stream_that_was_opened_after_it_came_takes_over_what_another_leaves_behind() -> None:
    desk = Desk()
    first = desk.stream("a")
    desk.deliver("a", b"1")
    second, third = desk.stream("a"), desk.stream("+")
    desk.dispatcher.close(first, failed=True, given_up=())
    assert await taken(second, 1) == [b"1"]
    assert await taken(third, 1) == [b"1"]
    desk.dispatcher.close(second, failed=False)
    assert desk.acknowledged == []
    desk.dispatcher.close(third, failed=False)
    assert desk.acknowledged == [b"1"]
    assert desk.counters.held == 0


@trio_test
async def test_what_is_remembered_of_topics_and_filters_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "REMEMBERED", 2)
    desk = Desk()
    everything = desk.stream("#")
    for number in range(5):
        desk.deliver(f"a{number}", b"%d" % number)
    assert await taken(everything, 5) == [b"0", b"1", b"2", b"3", b"4"]
    desk.dispatcher.close(everything, failed=False)
    for number in range(3):
        desk.dispatcher.close(desk.stream(f"f{number}"), failed=False, given_up=(f"f{number}",))
    desk.deliver("f0")  # forgotten: waits
    desk.deliver("f2")
    assert (desk.counters.waiting, desk.counters.discarded) == (1, 1)


# -- acknowledged on receipt, or by the application --------------------------------------------------------------------


@trio_test
async def test_on_receipt_is_acknowledged_before_anybody_has_looked() -> None:
    desk = Desk()
    stream = desk.stream("a", acknowledge="received")
    desk.deliver("a", b"1")
    desk.deliver("a", b"2", 2)
    assert desk.acknowledged == [b"1", b"2"]
    assert (desk.counters.held, desk.counters.held_bytes) == (0, 0)
    assert await taken(stream, 2) == [b"1", b"2"]
    desk.dispatcher.close(stream, failed=False)
    assert desk.acknowledged == [b"1", b"2"]
    assert desk.counters.discarded == 0


@trio_test
async def test_another_stream_that_consumes_is_still_waited_for() -> None:
    desk = Desk()
    quick, slow = desk.stream("a", acknowledge="received"), desk.stream("a")
    desk.deliver("a", b"1")
    assert desk.acknowledged == []
    await taken(slow, 1)
    desk.dispatcher.close(slow, failed=False)
    assert desk.acknowledged == [b"1"]
    assert await taken(quick, 1) == [b"1"]


@trio_test
async def test_an_overflow_on_receipt_ends_the_stream_and_loses_nothing() -> None:
    desk = Desk()
    stream = desk.stream("a", buffer=2, acknowledge="received")
    for payload in (b"1", b"2", b"3", b"4"):
        desk.deliver("a", payload)
    assert desk.acknowledged == [b"1", b"2"]
    assert (desk.counters.waiting, desk.counters.held) == (2, 2)
    assert await taken(stream, 2) == [b"1", b"2"]
    with pytest.raises(StreamOverflow, match="more than 2 messages or 1,000 bytes wait in the stream for 'a'"):
        await anext(stream)
    desk.dispatcher.close(stream, failed=True, given_up=("a",))
    again = desk.stream("a", buffer=1, acknowledge="received")
    assert await taken(again, 1) == [b"3"]
    with pytest.raises(StreamOverflow):
        await anext(again)
    assert desk.acknowledged == [b"1", b"2", b"3"]
    assert desk.counters.waiting == 1
    # Given up without an exception: whoever caught the error has seen it.
    desk.dispatcher.close(again, failed=False, given_up=("a",))
    assert desk.acknowledged == [b"1", b"2", b"3", b"4"]
    assert (desk.counters.discarded, desk.counters.waiting, desk.counters.held) == (1, 0, 0)


@trio_test
async def test_a_stream_that_is_full_already_does_not_take_over_what_another_leaves_behind() -> None:
    desk = Desk()
    first = desk.stream("a")
    desk.deliver("a", b"1")
    desk.deliver("a", b"2")
    desk.stream("a", buffer=1, acknowledge="received")
    desk.dispatcher.close(first, failed=True)
    assert desk.acknowledged == [b"1"]
    assert desk.counters.waiting == 1


@trio_test
async def test_what_has_waited_overflows_a_stream_once_and_waits_on() -> None:
    desk = Desk()
    for number in range(4):
        desk.deliver("a", b"%d" % number)
    stream = desk.stream("a", buffer=1, acknowledge="received")
    assert await taken(stream, 1) == [b"0"]
    with pytest.raises(StreamOverflow):
        await anext(stream)
    assert (desk.acknowledged, desk.counters.waiting, desk.counters.held) == ([b"0"], 3, 3)
    desk.dispatcher.close(stream, failed=True)
    assert await taken(desk.stream("a"), 3) == [b"1", b"2", b"3"]


@trio_test
async def test_what_was_acknowledged_on_receipt_and_never_handed_out_is_counted() -> None:
    desk = Desk()
    stream = desk.stream("a", acknowledge="received")
    desk.deliver("a", b"1")
    desk.deliver("a", b"2")
    desk.dispatcher.close(stream, failed=True)
    assert desk.counters.discarded == 2
    assert (desk.counters.waiting, desk.counters.held) == (0, 0)


@trio_test
async def test_a_stream_on_receipt_is_crowded_when_it_is_half_full_and_its_consumer_takes() -> None:
    desk = Desk()
    stream = desk.stream("a", buffer=4, acknowledge="received")
    for _ in range(3):
        desk.deliver("a")
    assert desk.dispatcher.crowded
    await anext(stream)
    desk.dispatcher.catch_up()
    assert not desk.dispatcher.crowded


@trio_test
async def test_by_hand_in_any_order_and_refusals_go_along() -> None:
    desk = Desk()
    stream = desk.stream("a", acknowledge="manual")
    for payload in (b"1", b"2", b"3"):
        desk.deliver("a", payload)
    desk.deliver("a", b"0", 0)
    first, second, third, loose = [await anext(stream) for _ in range(4)]
    assert desk.acknowledged == []
    stream.acknowledge(loose)
    stream.acknowledge(second)
    stream.acknowledge(first, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)
    assert desk.acknowledged == [b"2", b"1"]
    assert desk.refused == [(b"1", ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)]
    with pytest.raises(ValueError, match="not in hand"):
        stream.acknowledge(first)
    with pytest.raises(LocalProtocolError, match="no reason code 0x8E"):
        stream.acknowledge(third, ReasonCode.SESSION_TAKEN_OVER)
    desk.dispatcher.close(stream, failed=False)
    assert desk.acknowledged == [b"2", b"1"]
    with pytest.raises(ValueError, match="not in hand"):
        stream.acknowledge(third)
    assert await taken(desk.stream("a"), 1) == [b"3"]


@trio_test
async def test_only_a_manual_stream_is_told_what_to_acknowledge() -> None:
    desk = Desk()
    stream = desk.stream("a")
    desk.deliver("a")
    with pytest.raises(ValueError, match="acknowledges by itself"):
        stream.acknowledge(await anext(stream))


# -- Subscription Identifiers ------------------------------------------------------------------------------------------


@trio_test
async def test_each_copy_goes_to_the_subscription_that_it_was_sent_for() -> None:
    desk = Desk()
    exact, wide, unsubscribed = (
        desk.stream("a/b", subscribed=True),
        desk.stream("a/#", subscribed=True),
        desk.stream("a/+"),
    )
    desk.dispatcher.identify(1, ["a/b"])
    desk.dispatcher.identify(2, ["a/#"])
    desk.deliver("a/b", b"1", identifiers=[1])
    desk.deliver("a/b", b"2", identifiers=[2])
    desk.deliver("a/b", b"both", identifiers=[1, 2])
    desk.deliver("a/b", b"none")
    assert await taken(exact, 3) == [b"1", b"both", b"none"]
    assert await taken(wide, 3) == [b"2", b"both", b"none"]
    assert await taken(unsubscribed, 4) == [b"1", b"2", b"both", b"none"]


@trio_test
async def test_a_subscription_without_an_identifier_may_be_meant_by_any_copy() -> None:
    desk = Desk()
    exact, wide = desk.stream("a/b", subscribed=True), desk.stream("a/#", subscribed=True)
    desk.dispatcher.identify(1, ["a/#"])
    desk.deliver("a/b", b"1", identifiers=[1])
    desk.dispatcher.identify(2, ["a/b"])
    desk.deliver("a/b", b"2", identifiers=[1])
    desk.dispatcher.identify(None, ["a/b", "c"])
    desk.deliver("a/b", b"3", identifiers=[1])
    desk.deliver("a/b", b"4", identifiers=[2])
    assert await taken(exact, 3) == [b"1", b"3", b"4"]
    assert await taken(wide, 4) == [b"1", b"2", b"3", b"4"]


@trio_test
async def test_an_identifier_that_nobody_knows_leaves_it_to_the_filters() -> None:
    desk = Desk()
    first, second = desk.stream("a", subscribed=True), desk.stream("#", subscribed=True)
    desk.dispatcher.identify(1, ["a"])
    desk.deliver("a", b"1", identifiers=[7])
    desk.deliver("a", b"2", identifiers=[1, 7])
    for stream in (first, second):
        assert await taken(stream, 2) == [b"1", b"2"]


@trio_test
async def test_one_identifier_for_several_filters_is_told_apart_by_the_topic() -> None:
    desk = Desk()
    both, one = desk.stream("a", "b", subscribed=True), desk.stream("a", subscribed=True)
    desk.dispatcher.identify(1, ["a", "b"])
    desk.dispatcher.identify(1, ["c"])
    desk.deliver("a", b"1", identifiers=[1])
    desk.deliver("b", b"2", identifiers=[1])
    assert await taken(both, 2) == [b"1", b"2"]
    desk.dispatcher.close(one, failed=True)
    assert desk.counters.waiting == 1


@trio_test
async def test_a_late_copy_of_a_subscription_given_up_is_not_for_others() -> None:
    desk = Desk()
    leaving, staying = desk.stream("a", subscribed=True), desk.stream("#", subscribed=True)
    desk.dispatcher.identify(1, ["a"])
    desk.dispatcher.identify(2, ["#"])
    desk.dispatcher.close(leaving, failed=False, given_up=("a",))
    desk.deliver("a", b"1", identifiers=[1])
    desk.deliver("a", b"2", identifiers=[2])
    assert desk.acknowledged == [b"1"]
    assert await taken(staying, 1) == [b"2"]


@trio_test
async def test_what_is_remembered_of_identifiers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "REMEMBERED", 2)
    desk = Desk()
    first, second = desk.stream("a", subscribed=True), desk.stream("+", subscribed=True)
    for identifier, topic_filter in enumerate(("a", "+", "c"), 1):
        desk.dispatcher.identify(identifier, [topic_filter])
    desk.deliver("a", b"1", identifiers=[1])
    assert await taken(first, 1) == await taken(second, 1) == [b"1"]


# -- connections and the window ----------------------------------------------------------------------------------------


@trio_test
async def test_who_holds_the_window_is_told_oldest_first() -> None:
    desk = Desk()
    assert desk.dispatcher.holders() == ()
    desk.deliver("nobody's", b"12")
    quick, slow, manual = desk.stream("a"), desk.stream("b"), desk.stream("c", acknowledge="manual")
    desk.stream("d", acknowledge="received")
    for topic in ("c", "a", "b", "b", "c", "d"):
        desk.deliver(topic, b"123")
    await anext(manual)
    await taken(slow, 2)
    await anext(quick)
    assert desk.dispatcher.holders() == (
        Holder(None, 1, 2),
        Holder(("c",), 2, 6),
        Holder(("a",), 1, 3),
        Holder(("b",), 1, 3),
    )


@trio_test
async def test_what_came_in_a_lost_session_holds_no_window_but_memory() -> None:
    desk = Desk()
    stream = desk.stream("a")
    desk.deliver("a", b"old")
    desk.deliver("b", b"old")
    desk.dispatcher.connected(resumed=True)
    assert desk.counters.held == 2
    desk.dispatcher.connected(resumed=False)
    desk.deliver("a", b"new")
    assert (desk.counters.held, desk.counters.held_bytes) == (1, 12)
    assert desk.dispatcher.holders() == (Holder(("a",), 1, 3),)
    assert await taken(stream, 2) == [b"old", b"new"]
    assert (desk.counters.held, desk.counters.held_bytes) == (1, 8)
    desk.dispatcher.close(stream, failed=False)
    assert (desk.counters.held, desk.counters.held_bytes) == (0, 4)


@trio_test
async def test_a_stream_that_is_ended_alone_hands_out_what_it_has_and_gets_nothing_more() -> None:
    desk = Desk()
    ended, other = desk.stream("a"), desk.stream("#")
    desk.deliver("a", b"1")
    desk.dispatcher.end(ended, Failure(SubscribeRefused([0x87])))
    desk.deliver("a", b"2")
    desk.dispatcher.fail(Failure(ConnectionLost("gone")))
    assert await taken(ended, 1) == [b"1"]
    with pytest.raises(SubscribeRefused):
        await anext(ended)
    assert await taken(other, 2) == [b"1", b"2"]
    with pytest.raises(ConnectionLost):
        await anext(other)


@trio_test
async def test_what_is_held_counts_with_all_that_the_server_chose_to_fill_it_with() -> None:
    desk = Desk()
    stream = desk.stream("topic")
    publish = Publish("topic", b"", QoS.AT_LEAST_ONCE)
    publish.properties = {"content_type": "text", "correlation_data": b"12", "user_property": [("name", "value")]}
    publish.properties["subscription_identifier"] = [1, 2]  # four bytes each, at most
    desk.dispatcher.deliver(publish)
    assert desk.counters.held_bytes == len("topic" + "text" + "12" + "name" + "value") + 2 * 4
    await taken(stream, 1)
    desk.dispatcher.close(stream, failed=False)
    assert desk.counters.held_bytes == 0
