"""Dispatcher: which stream gets which message, and when it is acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.client import dispatch
from mqttws.client.dispatch import Dispatcher
from mqttws.client.inbox import Messages
from mqttws.codec import Publish
from mqttws.vocabulary import QOS


class Desk:
    """A dispatcher and what it has acknowledged."""

    def __init__(self) -> None:
        self.acknowledged: list[bytes] = []
        self.dispatcher = Dispatcher(lambda publish: self.acknowledged.append(publish.payload))
        self.counters = self.dispatcher.counters

    def stream(self, *topic_filters: str, **options: Any) -> Messages:
        defaults: dict[str, Any] = {"buffer": 10, "buffer_bytes": 1_000, "overflow": "drop_newest"}
        stream = Messages(topic_filters, self.dispatcher.consumed, **(defaults | options))
        self.dispatcher.open(stream)
        return stream

    def deliver(self, topic: str, payload: bytes = b"x", qos: int = 1) -> None:
        self.dispatcher.deliver(Publish(topic, payload, QOS[qos]))


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
    assert desk.counters.held_bytes == 2
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
