"""Messages: one stream by itself, without a connection behind it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client.failure import Failure
from mqttws.client.inbox import FAIR_SHARE, Message, Messages
from mqttws.codec import Publish
from mqttws.errors import ConnectionLost
from mqttws.vocabulary import QOS


def message(payload: bytes = b"", qos: int = 1) -> Message:
    publish = Publish("t", payload, QOS[qos])
    return Message("t", payload, QOS[qos], False, False, {}, publish, 1)


class Stream(Messages):
    """A stream that notes what it says is consumed."""

    def __init__(self, **options: Any) -> None:
        self.consumed: list[bytes] = []
        defaults: dict[str, Any] = {"buffer": 10, "buffer_bytes": 1_000, "overflow": "drop_newest"}
        super().__init__(("t",), lambda done: self.consumed.append(done.payload), **(defaults | options))

    def payloads(self) -> list[bytes]:
        return [item.payload for item in self._queue]


@trio_test
async def test_a_message_is_consumed_when_the_next_one_is_asked_for() -> None:
    stream = Stream()
    for payload in (b"1", b"2"):
        stream.put(message(payload))
    assert (await anext(stream)).payload == b"1"
    assert stream.consumed == []
    assert (await anext(stream)).payload == b"2"
    assert stream.consumed == [b"1"]


@trio_test
async def test_asking_consumes_even_when_the_wait_is_cancelled(autojump_clock: MockClock) -> None:
    stream = Stream()
    stream.put(message(b"1"))
    await anext(stream)
    with trio.move_on_after(1) as scope:
        await anext(stream)
    assert scope.cancelled_caught
    assert stream.consumed == [b"1"]


@trio_test
async def test_a_cancelled_wait_loses_nothing(autojump_clock: MockClock) -> None:
    stream = Stream()
    with trio.move_on_after(1):
        await anext(stream)
    stream.put(message(b"1"))
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(stream)
    assert scope.cancelled_caught
    assert (await anext(stream)).payload == b"1"


@trio_test
async def test_receive_many_takes_what_is_there_and_waits_only_for_the_first(autojump_clock: MockClock) -> None:
    stream = Stream()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def later() -> None:
            await trio.sleep(1)
            for payload in (b"1", b"2", b"3"):
                stream.put(message(payload))

        assert [item.payload for item in await stream.receive_many(2)] == [b"1", b"2"]
    assert trio.current_time() == 1
    assert stream.consumed == []
    assert [item.payload for item in await stream.receive_many(2)] == [b"3"]
    assert stream.consumed == [b"1", b"2"]


@trio_test
async def test_receive_many_needs_a_maximum_of_at_least_one() -> None:
    with pytest.raises(ValueError, match="maximum is at least 1, not 0"):
        await Stream().receive_many(0)


@trio_test
async def test_a_busy_consumer_lets_others_run_every_32_messages() -> None:
    stream = Stream(buffer=1_000)
    for _ in range(5 * FAIR_SHARE):
        stream.put(message(qos=0))
    others = 0

    async def other() -> None:
        nonlocal others
        while True:
            others += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        for _ in range(5 * FAIR_SHARE):
            await anext(stream)
        assert 4 <= others <= 6
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_second_task_on_the_same_stream_is_told_so() -> None:
    stream = Stream()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stream.__anext__)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(stream)
        nursery.cancel_scope.cancel()


def test_the_newest_qos_0_message_is_dropped_when_the_buffer_is_full() -> None:
    stream = Stream(buffer=2)
    for payload in (b"1", b"2", b"3"):
        stream.put(message(payload, 0))
    assert stream.payloads() == [b"1", b"2"]
    assert stream.dropped == 1


def test_or_the_oldest_and_never_one_of_qos_1() -> None:
    stream = Stream(buffer=2, overflow="drop_oldest")
    stream.put(message(b"kept", 1))
    for payload in (b"1", b"2", b"3"):
        stream.put(message(payload, 0))
    assert stream.payloads() == [b"kept", b"2", b"3"]
    assert stream.dropped == 1


def test_bytes_count_as_well_and_a_single_large_message_always_fits() -> None:
    stream = Stream(buffer_bytes=10)
    stream.put(message(b"0123456789abc", 0))
    stream.put(message(b"", 0))
    assert stream.payloads() == [b"0123456789abc"]
    assert stream.dropped == 1


def test_as_many_as_necessary_make_room_for_a_new_one() -> None:
    stream = Stream(buffer_bytes=10, overflow="drop_oldest")
    for payload in (b"0123", b"4567", b"89abcdef"):
        stream.put(message(payload, 0))
    assert stream.payloads() == [b"89abcdef"]
    assert stream.dropped == 2


@trio_test
async def test_room_comes_back_when_messages_are_taken() -> None:
    stream = Stream(buffer=1)
    for payload in (b"1", b"2"):
        stream.put(message(payload, 0))
        assert (await anext(stream)).payload == payload
    assert stream.dropped == 0


@trio_test
async def test_a_stream_is_crowded_while_it_is_half_full_and_its_consumer_takes() -> None:
    stream = Stream(buffer=4)
    crowded = []

    def put() -> None:
        stream.put(message(qos=0))
        crowded.append(stream.crowded)

    def look_again() -> None:
        stream.catch_up()
        crowded.append(stream.crowded)

    for _ in range(3):
        put()
    assert crowded == [False, False, True]
    look_again()
    put()
    assert crowded[3:] == [False, False]  # nobody takes: not worth waiting for
    await anext(stream)
    look_again()
    assert crowded[5:] == [True]
    await anext(stream)
    look_again()
    put()
    assert crowded[6:] == [False, True]  # there was room, and then there was none


def test_bytes_make_a_stream_crowded_too() -> None:
    stream = Stream(buffer=100, buffer_bytes=10)
    crowded = []
    for payload in (b"12345", b"6"):
        stream.put(message(payload, qos=0))
        crowded.append(stream.crowded)
    assert crowded == [False, True]


@pytest.mark.parametrize(
    "options", [{"buffer": 0}, {"buffer_bytes": 0}, {"overflow": "drop_all"}, {"acknowledge": "never"}]
)
def test_a_buffer_that_holds_nothing_and_an_unknown_policy_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(
        ValueError,
        match=r"at least one message|overflow is one of drop_newest, drop_oldest|acknowledge is one of consumed, r",
    ):
        Stream(**options)


@trio_test
async def test_what_came_before_the_end_is_handed_out_before_the_error() -> None:
    stream = Stream()
    stream.put(message(b"1"))
    stream.fail(Failure(ConnectionLost("gone")))
    assert (await anext(stream)).payload == b"1"
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="gone"):
            await anext(stream)
    assert stream.consumed == [b"1"]


@trio_test
async def test_the_end_wakes_a_waiting_consumer() -> None:
    stream = Stream()
    with pytest.RaisesGroup(ConnectionLost):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.__anext__)
            await trio.testing.wait_all_tasks_blocked()
            stream.fail(Failure(ConnectionLost("gone")))


@trio_test
async def test_leaving_the_block_wakes_a_consumer_in_another_task() -> None:
    stream = Stream()
    with pytest.RaisesGroup(trio.ClosedResourceError):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stream.__anext__)
            await trio.testing.wait_all_tasks_blocked()
            stream.close(failed=False)


@trio_test
async def test_left_without_an_exception_what_was_handed_out_is_consumed() -> None:
    stream = Stream()
    for payload, qos in ((b"1", 1), (b"0", 0), (b"2", 2)):
        stream.put(message(payload, qos))
    await anext(stream)
    assert [left.payload for left in stream.close(failed=False)] == [b"2"]
    assert stream.consumed == [b"1"]


@trio_test
async def test_left_by_an_exception_it_is_not() -> None:
    stream = Stream()
    for payload in (b"1", b"2"):
        stream.put(message(payload))
    await anext(stream)
    assert [left.payload for left in stream.close(failed=True)] == [b"1", b"2"]
    assert stream.consumed == []


def test_the_text_of_a_message_shows_what_it_is() -> None:
    assert repr(message(b"x")) == (
        "Message(topic='t', payload=b'x', qos=<QoS.AT_LEAST_ONCE: 1>, retain=False, dup=False, properties={})"
    )
