"""What is published without a connection, and what becomes of it when the Session is resumed or lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client.failure import Failure
from mqttws.client.outgoing import Outgoing, WhenFull, size_of
from mqttws.client.receipts import PublishResult, Receipt
from mqttws.codec import Publish, PubRec
from mqttws.errors import ConnectionLost, LocalProtocolError, MessageExpired, PublishRefused, QueueFull, SessionLost
from mqttws.vocabulary import QOS
from tests.client.lines import Line


class Desk:
    """A queue and the line that it sends on."""

    def __init__(self, messages: int = 100, size: int = 10_000, **options: Any) -> None:
        self.outgoing = Outgoing(messages, size, **options)
        self.line = Line()
        self.now = 0.0

    def publish(self, payload: bytes, qos: int = 1, topic: str = "a", **properties: Any) -> Receipt:
        given: Any = properties
        message = Publish(topic, payload, QOS[qos], properties=given)
        assert self.outgoing.reserve(size_of(message))
        return self.outgoing.begin(message, size_of(message), self.line.connection, self.now)

    def connect(self, *, present: bool = False, **properties: Any) -> list[bytes]:
        """A new connection; the payloads that are sent on it at once."""
        lost = self.line.connect(present=present, **properties)
        self.outgoing.connected(self.line.connection, self.now, lost)
        return self.payloads()

    def payloads(self) -> list[bytes]:
        return [publish.payload for publish in self.line.published()]

    def cut(self) -> None:
        self.line.cut()

    def answer(self, publish: Publish, reason_code: int = 0) -> None:
        self.outgoing.delivered(self.line.acknowledge(publish, reason_code), 5)


async def outcome(receipt: Receipt) -> PublishResult | Exception:
    try:
        return await receipt.wait()
    except Exception as error:  # noqa: BLE001 - the outcome is what the test asks for
        return error


def test_without_a_connection_messages_of_every_qos_wait_and_leave_in_order() -> None:
    desk = Desk()
    receipts = [desk.publish(b"%d" % number, number % 3) for number in range(6)]
    assert [receipt.done for receipt in receipts] == [False] * 6
    assert len(desk.outgoing) == 6
    assert desk.connect() == [b"0", b"1", b"2", b"3", b"4", b"5"]
    assert [receipt.done for receipt in receipts] == [True, False, False, True, False, False]
    assert len(desk.outgoing) == 4


def test_qos_0_overtakes_only_what_receive_maximum_holds_back() -> None:
    desk = Desk()
    for payload, qos in ((b"1", 1), (b"2", 0), (b"3", 2), (b"4", 0), (b"5", 1)):
        desk.publish(payload, qos)
    desk.line.connect(receive_maximum=1)
    desk.outgoing.connected(desk.line.connection, 0)
    first, *loose = desk.line.published()
    assert [publish.payload for publish in (first, *loose)] == [b"1", b"2", b"4"]
    desk.answer(first)
    desk.outgoing.send_more(desk.line.connection, 0)
    assert desk.payloads() == [b"3"]


def test_qos_0_does_not_overtake_what_waits_for_the_first_moment_of_a_connection() -> None:
    desk = Desk()
    desk.publish(b"early", 0)
    desk.line.connect()
    assert not desk.outgoing.may_pass(desk.line.connection)
    desk.publish(b"late", 0)
    desk.outgoing.connected(desk.line.connection, 0)
    assert desk.payloads() == [b"early", b"late"]
    assert desk.outgoing.may_pass(desk.line.connection)


def test_a_resumed_session_goes_on_and_the_receipts_with_it() -> None:
    desk = Desk()
    desk.connect(receive_maximum=2)
    receipts = [desk.publish(b"%d" % number) for number in range(3)]
    assert desk.payloads() == [b"0", b"1"]
    desk.cut()
    desk.line.connect(present=True, receive_maximum=2)
    desk.outgoing.connected(desk.line.connection, 0)
    again = desk.line.published()
    assert [(publish.payload, publish.dup) for publish in again] == [(b"0", True), (b"1", True)]
    for publish in again:
        desk.answer(publish)
    desk.outgoing.send_more(desk.line.connection, 0)
    (last,) = desk.line.published()
    assert (last.payload, last.dup) == (b"2", False)
    desk.answer(last)
    assert all(receipt.done for receipt in receipts)
    assert len(desk.outgoing) == 0


@trio_test
async def test_a_lost_session_sends_qos_1_again_as_new_before_the_rest_and_tells_of_qos_2() -> None:
    desk = Desk()
    desk.connect(receive_maximum=4)
    under_way = [desk.publish(payload, qos) for payload, qos in ((b"1", 1), (b"2", 2), (b"3", 2), (b"4", 1))]
    waiting = desk.publish(b"5", 1)
    desk.line.receive(PubRec(desk.line.published()[1].packet_id or 0))
    desk.cut()
    later = desk.publish(b"6", 1)
    lost = desk.line.connect()
    desk.outgoing.connected(desk.line.connection, 0, lost)
    again = desk.line.published()
    assert [(publish.payload, publish.dup) for publish in again] == [
        (b"1", False),
        (b"4", False),
        (b"5", False),
        (b"6", False),
    ]
    for receipt, payload in ((under_way[1], b"2"), (under_way[2], b"3")):
        error = await outcome(receipt)
        assert isinstance(error, SessionLost)
        assert [(message.payload, message.packet_id) for message in error.messages] == [(payload, None)]
    for publish in again:
        desk.answer(publish)
    assert [await outcome(receipt) for receipt in (under_way[0], under_way[3], waiting, later)] == [PublishResult()] * 4
    assert len(desk.outgoing) == 0
    assert desk.outgoing.lost == ()


def test_with_the_callers_word_qos_2_is_sent_again_as_well_in_the_order_of_publishing() -> None:
    desk = Desk(resend_qos2=True)
    desk.connect()
    for payload, qos in ((b"1", 2), (b"2", 1), (b"3", 2)):
        desk.publish(payload, qos)
    # PUBREC moves the first behind the others in the Session, but not here.
    desk.line.receive(PubRec(desk.line.published()[0].packet_id or 0))
    desk.cut()
    lost = desk.line.connect()
    desk.outgoing.connected(desk.line.connection, 0, lost)
    again = desk.line.published()
    assert [(publish.payload, publish.dup) for publish in again] == [(b"1", False), (b"2", False), (b"3", False)]
    for publish in again:
        desk.answer(publish)
    assert len(desk.outgoing) == 0


@trio_test
async def test_what_an_earlier_process_has_left_is_sent_again_or_named() -> None:
    desk = Desk(messages=1)
    desk.line.connect()
    for number, qos in enumerate((1, 2, 1)):
        desk.line.connection.send(Publish("old", b"%d" % number, QOS[qos]), 0)
    desk.cut()
    lost = desk.line.connect(receive_maximum=1)
    desk.outgoing.connected(desk.line.connection, 0, lost)
    assert [message.payload for message in desk.outgoing.lost] == [b"1"]
    assert len(desk.outgoing) == 2  # more than there is room for: they were there already
    (first,) = desk.line.published()
    desk.answer(first)
    desk.outgoing.send_more(desk.line.connection, 0)
    (second,) = desk.line.published()
    assert (first.payload, second.payload) == (b"0", b"2")
    desk.answer(second, 0x97)
    assert isinstance(desk.outgoing.unseen_failure(), PublishRefused)


def test_a_refusal_of_what_an_earlier_process_has_left_is_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    desk.line.connect()
    for code in (0x00, 0x87):
        desk.line.connection.send(Publish("old", qos=QOS[1]), 0)
        with caplog.at_level(logging.WARNING, "mqttws.client"):
            desk.answer(desk.line.published()[0], code)
    assert caplog.messages == ["A message of an earlier process, to 'old', was refused: 0x87 Not authorized"]


@trio_test
async def test_what_another_connection_does_not_take_fails_alone() -> None:
    desk = Desk()
    receipts = [desk.publish(b"1", 2), desk.publish(b"2", 0), desk.publish(bytes(100), 0), desk.publish(b"4", 1)]
    assert desk.connect(maximum_qos=1, maximum_packet_size=50) == [b"2", b"4"]
    for index, words in ((0, "Maximum QoS is 1"), (2, "Maximum Packet Size is 50")):
        with pytest.raises(LocalProtocolError, match=words):
            await receipts[index].wait()
    assert len(desk.outgoing) == 1


# -- a full queue ------------------------------------------------------------------------------------------------------


@trio_test
async def test_the_oldest_qos_0_messages_make_room_and_their_receipts_say_so() -> None:
    desk = Desk(3, when_full="drop_oldest_qos0")
    oldest, kept, other = desk.publish(b"0", 0), desk.publish(b"1", 1), desk.publish(b"2", 0)
    desk.publish(b"3", 1)
    with pytest.raises(QueueFull, match="dropped to make room"):
        await oldest.wait()
    desk.publish(b"4", 0)
    assert [receipt.done for receipt in (kept, other)] == [False, True]
    assert desk.outgoing.dropped == 2
    assert desk.outgoing.unseen_failure() is None
    assert desk.connect() == [b"1", b"3", b"4"]


def test_nothing_is_dropped_in_vain() -> None:
    desk = Desk(10, 100, when_full="drop_oldest_qos0")
    desk.publish(bytes(59), 1)
    desk.publish(bytes(19), 0)
    assert not desk.outgoing.reserve(41)
    assert desk.outgoing.dropped == 0
    assert desk.outgoing.reserve(40)
    assert desk.outgoing.dropped == 1
    assert not desk.outgoing.reserve(1)


@trio_test
async def test_who_has_waited_longer_goes_first_whoever_could_be_dropped(autojump_clock: MockClock) -> None:
    desk = Desk(2, 100, when_full="drop_oldest_qos0")
    desk.publish(bytes(89), 1)
    desk.publish(bytes(8), 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.outgoing.wait_for_room, 50)
        await trio.testing.wait_all_tasks_blocked()
        assert not desk.outgoing.reserve(1)
        assert desk.outgoing.dropped == 0
        nursery.cancel_scope.cancel()


@trio_test
async def test_fail_raises_instead_of_waiting() -> None:
    desk = Desk(1, when_full="fail")
    await desk.outgoing.wait_for_room(5)
    with pytest.raises(QueueFull, match="1 messages of 5 bytes"):
        await desk.outgoing.wait_for_room(1)


def test_an_unknown_policy_is_refused() -> None:
    policy: Any = "explode"
    with pytest.raises(ValueError, match="when_full is one of wait, fail, drop_oldest_qos0, not 'explode'"):
        Outgoing(1, 1, when_full=policy)


# -- expiry ------------------------------------------------------------------------------------------------------------


def test_what_has_waited_is_sent_with_the_seconds_that_remain() -> None:
    desk = Desk()
    receipt = desk.publish(b"1", 1, message_expiry_interval=10, content_type="text/plain")
    desk.publish(b"2", 0, message_expiry_interval=20)
    desk.now = 3.5
    desk.line.connect()
    desk.outgoing.connected(desk.line.connection, desk.now)
    assert [publish.properties for publish in desk.line.published()] == [
        {"message_expiry_interval": 7, "content_type": "text/plain"},
        {"message_expiry_interval": 17},
    ]
    assert receipt.publish.properties["message_expiry_interval"] == 10


def test_what_need_not_wait_is_sent_as_it_is() -> None:
    desk = Desk()
    desk.connect()
    desk.publish(b"1", 1, message_expiry_interval=0)
    assert desk.line.published()[0].properties == {"message_expiry_interval": 0}


@trio_test
async def test_what_expires_while_it_waits_fails_at_that_moment_and_makes_room(autojump_clock: MockClock) -> None:
    desk = Desk(2)
    late, soon = (desk.publish(b"1", qos, message_expiry_interval=after) for qos, after in ((1, 30), (0, 10)))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.outgoing.keep_time)
        with pytest.raises(MessageExpired, match="longer than its 10 seconds"):
            await soon.wait()
        assert trio.current_time() == 10
        desk.now = 10
        sooner = desk.publish(b"3", 1, message_expiry_interval=5)
        await desk.outgoing.wait_for_room(1)
        assert trio.current_time() == 15
        with pytest.raises(MessageExpired):
            await sooner.wait()
        desk.outgoing.release(1)
        with pytest.raises(MessageExpired):
            await late.wait()
        assert trio.current_time() == 30
        nursery.cancel_scope.cancel()
    assert len(desk.outgoing) == 0


@trio_test
async def test_it_is_not_sent_either_when_the_connection_comes_in_that_very_moment() -> None:
    desk = Desk()
    expired = desk.publish(b"1", 1, message_expiry_interval=10)
    desk.publish(b"2", 1)
    desk.now = 10
    assert desk.connect() == [b"2"]
    assert isinstance(await outcome(expired), MessageExpired)


@trio_test
async def test_what_the_server_may_have_taken_is_uncertain_and_not_expired() -> None:
    desk = Desk()
    desk.connect()
    receipt = desk.publish(b"1", 1, message_expiry_interval=10)
    desk.cut()
    desk.now = 10
    assert desk.connect() == []
    assert isinstance(await outcome(receipt), SessionLost)


@trio_test
async def test_messages_long_gone_leave_nothing_behind_in_the_list_of_expiries(autojump_clock: MockClock) -> None:
    desk = Desk()
    for _ in range(3):
        for _ in range(50):
            desk.publish(b"", 0, message_expiry_interval=100_000)
        desk.connect()
        desk.cut()
    waiting = desk.publish(b"", 1, message_expiry_interval=100_000)
    assert len(desk.outgoing._expiries) < 100
    async with trio.open_nursery() as nursery:
        nursery.start_soon(desk.outgoing.keep_time)
        with pytest.raises(MessageExpired):
            await waiting.wait()
        nursery.cancel_scope.cancel()
    assert desk.outgoing._expiries == []


@trio_test
async def test_the_end_of_the_client_is_the_outcome_of_all_that_waits() -> None:
    policy: WhenFull = "drop_oldest_qos0"
    desk = Desk(2, when_full=policy)
    receipts = [desk.publish(b"1", 0), desk.publish(b"2", 1)]
    desk.outgoing.fail(Failure(ConnectionLost("gone")))
    assert [str(await outcome(receipt)) for receipt in receipts] == ["gone", "gone"]
    assert len(desk.outgoing) == 0
    assert desk.outgoing.reserve(1)
