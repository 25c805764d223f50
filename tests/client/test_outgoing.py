"""Publishing at QoS 1 and 2: results, refusals, the bounded queue, Receive Maximum, and cancelling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, PublishResult
from mqttws.client.failure import Failure
from mqttws.client.outgoing import Outgoing
from mqttws.codec import ConnAck, Connect, Publish
from mqttws.errors import ConnectionLost, LocalProtocolError, PublishRefused, QueueFull, StoreFailed
from mqttws.session import Delivered
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scripted import Peer, open_pair
from tests.pair import Pair


@trio_test
async def test_publish_at_qos_1_returns_when_puback_has_come(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def server() -> None:
            publish = await peer.expect(Publish)
            assert (publish.topic, publish.payload, publish.qos) == ("a", b"x", QoS.AT_LEAST_ONCE)
            await trio.sleep(3)
            await peer.acknowledge(publish, ReasonCode.NO_MATCHING_SUBSCRIBERS, reason_string="nobody")

        result = await client.publish("a", "x", qos=1)
        assert trio.current_time() == 3
        assert result == PublishResult(ReasonCode.NO_MATCHING_SUBSCRIBERS, {"reason_string": "nobody"})
        assert client.unfinished == 0


@trio_test
async def test_publish_at_qos_2_returns_when_pubcomp_has_come(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def server() -> None:
            publish = await peer.expect(Publish)
            peer.link.acknowledge(publish)  # PUBREC
            await peer.flush()
            await trio.testing.wait_all_tasks_blocked()
            assert client.unfinished == 1
            await peer.swallow()  # PUBREL, which is answered with PUBCOMP

        assert await client.publish("a", b"x", qos=2) == PublishResult()


@pytest.mark.parametrize("qos", [1, 2])
@trio_test
async def test_a_refused_message_raises_with_the_servers_words(qos: int, autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:

        @nursery.start_soon
        async def server() -> None:
            await peer.acknowledge(await peer.expect(Publish), ReasonCode.NOT_AUTHORIZED, reason_string="no role")

        with pytest.raises(PublishRefused, match="0x87 Not authorized: no role") as caught:
            await client.publish("a", b"x", qos=qos)
        assert caught.value.reason_code == ReasonCode.NOT_AUTHORIZED


@trio_test
async def test_a_cancelled_publish_goes_on_by_itself(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        with trio.move_on_after(1) as scope:
            await client.publish("a", b"1", qos=2)
        assert scope.cancelled_caught
        assert client.unfinished == 1
        await peer.acknowledge(await peer.expect(Publish))
        await peer.swallow()
        await trio.testing.wait_all_tasks_blocked()
        assert client.unfinished == 0


@trio_test
async def test_cancelled_before_it_begins_at_qos_0_nothing_is_sent(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        with trio.CancelScope() as scope:
            scope.cancel()
            await client.publish("a", b"1")
        await client.publish("a", b"2")
        assert (await peer.expect(Publish)).payload == b"2"


async def acknowledge_all(peer: Peer, payloads: list[bytes], count: int) -> None:
    for _ in range(count):
        event: Any = await peer.expect(Publish)
        payloads.append(event.payload)
        await trio.sleep(1)
        await peer.acknowledge(event)


@trio_test
async def test_beyond_the_servers_receive_maximum_messages_wait_in_order(autojump_clock: MockClock) -> None:
    payloads: list[bytes] = []
    async with open_pair(ConnAck(False, 0, {"receive_maximum": 2})) as (client, peer):
        receipts = [client.publish_soon("a", b"%d" % number, qos=1) for number in range(5)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(acknowledge_all, peer, payloads, 5)
            for receipt in receipts:
                assert await receipt.wait() == PublishResult()
    assert payloads == [b"0", b"1", b"2", b"3", b"4"]


@trio_test
async def test_a_message_that_has_to_wait_is_checked_at_once(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"receive_maximum": 1, "maximum_packet_size": 100, "retain_available": 0})
    async with open_pair(connack) as (client, peer):
        waiting = client.publish_soon("a", b"1", qos=1)
        with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 100"):
            client.publish_soon("a", bytes(100), qos=1)
        with pytest.raises(LocalProtocolError, match="no retained messages"):
            await client.publish("a", b"", qos=1, retain=True)
        with pytest.raises(LocalProtocolError, match="no wildcard"):
            await client.publish("a/#", b"", qos=1)
        assert client.unfinished == 1
        await peer.acknowledge(await peer.expect(Publish))
        assert await waiting.wait() == PublishResult()


@trio_test
async def test_a_message_that_turns_out_not_to_be_sendable_fails_alone(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"receive_maximum": 1, "topic_alias_maximum": 5})
    async with open_pair(connack) as (client, peer):
        first = client.publish_soon("a", b"1", qos=1)
        # The message that would set up the alias is never sent.
        unknown = client.publish_soon("b", b"2", qos=1)
        unknown.publish.topic = ""
        unknown.publish.properties = {"topic_alias": 3}
        last = client.publish_soon("c", b"3", qos=1)
        for _ in range(2):
            await peer.acknowledge(await peer.expect(Publish))
        await first.wait()
        with pytest.raises(LocalProtocolError, match="Topic Alias 3"):
            await unknown.wait()
        assert await last.wait() == PublishResult()


@trio_test
async def test_a_full_queue_makes_publish_wait_and_publish_soon_raise(autojump_clock: MockClock) -> None:
    async with open_pair(send_queue=2) as (client, peer):
        first = [client.publish_soon("a", b"%d" % number, qos=1) for number in range(2)]
        with pytest.raises(QueueFull, match="2 messages of 4 bytes"):
            client.publish_soon("a", b"x", qos=1)
        async with trio.open_nursery() as nursery:
            for number in range(2, 5):
                nursery.start_soon(client.publish, "a", b"%d" % number, 1)
                await trio.testing.wait_all_tasks_blocked()
            assert client.unfinished == 2
            payloads: list[bytes] = []
            await acknowledge_all(peer, payloads, 5)
        assert payloads == [b"0", b"1", b"2", b"3", b"4"]
        assert all(receipt.done for receipt in first)


@trio_test
async def test_cancelled_while_it_waits_for_room_nothing_is_sent(autojump_clock: MockClock) -> None:
    async with open_pair(send_queue=1) as (client, peer):
        client.publish_soon("a", b"1", qos=1)
        async with trio.open_nursery() as nursery:

            @nursery.start_soon
            async def impatient() -> None:
                with trio.move_on_after(1):
                    await client.publish("a", b"2", qos=1)

            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(client.publish, "a", b"3", 1)
            await trio.sleep(2)
            payloads: list[bytes] = []
            await acknowledge_all(peer, payloads, 2)
        assert payloads == [b"1", b"3"]


def test_an_exchange_that_began_before_this_client_has_no_receipt() -> None:
    outgoing = Outgoing(1, 1)
    outgoing.delivered(Delivered(7, 0, {}, Publish("a", packet_id=7)), 5)
    assert len(outgoing) == 0


@trio_test
async def test_a_receipt_may_be_asked_by_many_and_afterwards(autojump_clock: MockClock) -> None:
    results = []

    async with open_pair() as (client, peer):
        receipt = client.publish_soon("a", b"1", qos=1)
        done = [receipt.done]

        async def ask() -> None:
            results.append(await receipt.wait())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await peer.acknowledge(await peer.expect(Publish))
        assert [*done, receipt.done] == [False, True]
        assert receipt.publish.payload == b"1"
    results.append(await receipt.wait())
    assert results == [PublishResult()] * 3


@trio_test
async def test_the_end_of_the_connection_is_the_outcome_of_what_is_under_way(autojump_clock: MockClock) -> None:
    async with open_pair(ConnAck(False, 0, {"receive_maximum": 1})) as (client, peer):
        receipts = [client.publish_soon("a", b"1", qos=1) for _ in range(2)]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(expect_loss, client)
            await trio.testing.wait_all_tasks_blocked()
            await peer.vanish()
        for receipt in receipts:
            with pytest.raises(ConnectionLost):
                await receipt.wait()
        assert client.unfinished == 0


async def expect_loss(client: Client) -> None:
    with pytest.raises(ConnectionLost):
        await client.publish("a", b"2", qos=1)


def test_an_outcome_that_cannot_be_stored_any_more_is_not_told() -> None:
    """The client ends while the end of an exchange is being stored: what was told first stays."""
    outgoing, waiting = Outgoing(10, 1_000), list[Callable[[], None]]()
    outgoing.when_stored = waiting.append
    line = Pair().connect(Connect(client_id="c"))
    assert outgoing.reserve(2)
    receipt = outgoing.begin(Publish("a", b"x", QoS.AT_LEAST_ONCE), 2, line.client, 0)
    outgoing.delivered(Delivered(1, 0, {}, receipt.publish), 5)
    assert [receipt.done, len(outgoing)] == [False, 1]
    outgoing.fail(Failure(StoreFailed("the disk is full")))
    assert [receipt.done, len(outgoing)] == [True, 0]
    for action in waiting:
        action()
    assert receipt.unseen_failure is not None
    assert str(receipt.unseen_failure.error) == "the disk is full"
    assert len(outgoing) == 0
