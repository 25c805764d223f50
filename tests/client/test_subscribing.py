"""Subscribing: what comes, when it is acknowledged, and what holds up what."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, ClientState, Messages, PublishResult, Reconnect
from mqttws.codec import ConnAck, Publish
from mqttws.errors import LocalProtocolError, RemoteProtocolError, StreamOverflow, SubscribeRefused
from mqttws.session import Delivered
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scripted import Peer, Server, open_pair


async def subscribed(client: Client, peer: Peer, messages: list[Messages], *filters: str, **options: Any) -> None:
    """Hold a subscription open for the test."""
    async with client.subscribe(*filters, **options) as stream:
        messages.append(stream)
        await trio.sleep_forever()


@trio_test
async def test_a_message_is_acknowledged_when_the_next_one_is_asked_for(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            for payload in (b"1", b"2"):
                await peer.send(Publish("a", payload, QoS.AT_LEAST_ONCE))
            first = await anext(messages)
            await trio.testing.wait_all_tasks_blocked()
            assert (first.payload, client.counters.held) == (b"1", 2)
            await anext(messages)
            assert (await peer.expect(Delivered)).publish.payload == b"1"
            assert client.counters.held == 1
        nursery.start_soon(peer.release)
    assert client.counters.held == 0


@trio_test
async def test_acknowledgements_leave_in_order_of_arrival(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        streams: list[Messages] = []
        for topic in ("slow", "fast"):
            nursery.start_soon(peer.grant)
            nursery.start_soon(subscribed, client, peer, streams, topic)
            await trio.testing.wait_all_tasks_blocked()
        await peer.send(*(Publish(topic, b"", QoS.AT_LEAST_ONCE) for topic in ("slow", "fast")))
        await streams[1].receive_many(1)
        with trio.move_on_after(1):
            await streams[1].receive_many(1)  # the fast one is consumed, and has to wait
        with trio.move_on_after(1) as silence:
            await peer.next()
        assert silence.cancelled_caught
        await streams[0].receive_many(1)
        with trio.move_on_after(1):
            await streams[0].receive_many(1)
        assert [(await peer.expect(Delivered)).publish.topic for _ in range(2)] == ["slow", "fast"]
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_stalled_consumer_stops_nobody_else(autojump_clock: MockClock) -> None:
    """Not keep alive, not other streams at QoS 0, not our own publishes and their acknowledgements."""
    async with (
        open_pair(receive_maximum=2, keep_alive=10) as (client, peer),
        trio.open_nursery() as nursery,
    ):
        streams: list[Messages] = []
        for topic in ("stalled", "live"):
            nursery.start_soon(peer.grant)
            nursery.start_soon(subscribed, client, peer, streams, topic)
            await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            await peer.send(Publish("stalled", b"", QoS.AT_LEAST_ONCE))
        assert peer.connection.send_quota == 0

        @nursery.start_soon
        async def server() -> None:
            for _ in range(20):
                await trio.sleep(10)
                await peer.send(Publish("live", b"tick"))
                await peer.acknowledge(await peer.expect(Publish))

        for _ in range(20):
            assert (await anext(streams[1])).payload == b"tick"
            assert await client.publish("ours", b"", qos=1) == PublishResult()
        assert trio.current_time() == 200
        assert client.counters.held == 2
        nursery.cancel_scope.cancel()


@trio_test
async def test_more_than_our_receive_maximum_ends_the_connection(autojump_clock: MockClock) -> None:
    async with open_pair(receive_maximum=1) as (client, peer):
        async with client.messages() as messages:
            # PUBLISH at QoS 1 with identifiers 1 and 2.
            await peer.send_raw(bytes.fromhex("32 06 0001 61 0001 00 32 06 0001 61 0002 00"))
            with pytest.raises(RemoteProtocolError) as caught:
                async for _ in messages:
                    pass
        assert caught.value.reason_code == ReasonCode.RECEIVE_MAXIMUM_EXCEEDED


@trio_test
async def test_in_3_1_1_the_client_stops_reading_when_its_window_is_full(autojump_clock: MockClock) -> None:
    async with open_pair(version=4, receive_maximum=2, maximum_packet_size=1_000) as (client, peer):
        for number in range(5):
            await peer.send(Publish("a", bytes(990), QoS.AT_LEAST_ONCE))
            await trio.testing.wait_all_tasks_blocked()
            # The second fills the window; the read that was under way still brings the third.
            assert client.counters.held == min(number + 1, 3)
        async with client.messages() as messages:
            for _ in range(5):
                assert len((await anext(messages)).payload) == 990
        assert client.counters.held == 0


@trio_test
async def test_what_comes_without_a_subscribe_waits_for_messages(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        await peer.send(
            Publish("$webpubsub/server/messages", b"1", QoS.AT_LEAST_ONCE), Publish("group", b"2", QoS.EXACTLY_ONCE)
        )
        await trio.testing.wait_all_tasks_blocked()
        assert client.counters.waiting == 2
        async with client.messages("group") as messages:
            assert (await anext(messages)).payload == b"2"
        async with client.messages() as messages:
            message = await anext(messages)
            assert (message.topic, message.payload) == ("$webpubsub/server/messages", b"1")
        assert client.counters.waiting == 0


@trio_test
async def test_a_consumer_that_raised_gets_its_message_again(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        seen = []
        for attempt in range(2):
            nursery.start_soon(peer.grant)
            try:
                async with client.subscribe("jobs") as messages:
                    if not attempt:
                        await peer.send(Publish("jobs", b"1", QoS.AT_LEAST_ONCE))
                    seen.append((await anext(messages)).payload)
                    if not attempt:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                assert client.counters.held == 1
                await peer.release()
        assert seen == [b"1", b"1"]
        assert client.counters.held == 0


@trio_test
async def test_a_filter_of_messages_is_checked(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, _):
        with pytest.raises(LocalProtocolError, match="'#' stands alone"):
            async with client.messages("a#"):
                raise AssertionError("not reached")


@trio_test
async def test_messages_left_by_an_exception_wait_on(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        await peer.send(Publish("a", b"1", QoS.AT_LEAST_ONCE))
        for _ in range(2):
            with suppress(ZeroDivisionError):
                async with client.messages() as messages:
                    assert (await anext(messages)).payload == b"1"
                    raise ZeroDivisionError
            assert client.counters.waiting == 1


@trio_test
async def test_in_3_1_1_the_keep_alive_rests_while_the_client_does_not_read(autojump_clock: MockClock) -> None:
    """PINGRESP is there, but behind what waits to be read: the Server is not dead, and hears that we are not either."""
    async with (
        open_pair(version=4, keep_alive=10, receive_maximum=1, maximum_packet_size=1_000) as (client, peer),
        trio.open_nursery() as nursery,
    ):
        for _ in range(3):
            await peer.send(Publish("a", bytes(990), QoS.AT_LEAST_ONCE))
            await trio.testing.wait_all_tasks_blocked()

        @nursery.start_soon
        async def server() -> None:
            while True:
                await peer.next()

        await trio.sleep(100)
        assert client.state is ClientState.OPEN
        assert peer.pings == 13
        async with client.messages() as messages:
            for _ in range(3):
                await anext(messages)
        await trio.sleep(100)
        assert client.state is ClientState.OPEN
        assert client.counters.held == 0
        nursery.cancel_scope.cancel()


@trio_test
async def test_what_is_acknowledged_on_receipt_holds_nobody_up(autojump_clock: MockClock) -> None:
    async with open_pair(receive_maximum=1) as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a", acknowledge="received", buffer=3) as messages:
            for number in range(3):
                await peer.send(Publish("a", b"%d" % number, QoS.AT_LEAST_ONCE))
                assert (await peer.expect(Delivered)).publish.payload == b"%d" % number
            await peer.send(Publish("a", b"too much", QoS.AT_LEAST_ONCE))
            await trio.testing.wait_all_tasks_blocked()
            assert [message.payload for message in await messages.receive_many(9)] == [b"0", b"1", b"2"]
            with pytest.raises(StreamOverflow):
                await anext(messages)
            assert client.window.used == 1
        await peer.release()
        assert (await peer.expect(Delivered)).publish.payload == b"too much"
        assert client.counters.discarded == 1


@trio_test
async def test_a_message_is_refused_by_hand(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        async with client.messages(acknowledge="manual") as messages:
            await peer.send(Publish("a", b"1", QoS.EXACTLY_ONCE), Publish("a", b"2", QoS.AT_LEAST_ONCE))
            first, second = await messages.receive_many(2)
            messages.acknowledge(second)
            messages.acknowledge(first, ReasonCode.QUOTA_EXCEEDED)
            delivered = [await peer.expect(Delivered) for _ in range(2)]
        assert [(event.publish.payload, event.reason_code) for event in delivered] == [
            (b"1", ReasonCode.QUOTA_EXCEEDED),
            (b"2", ReasonCode.SUCCESS),
        ]


@trio_test
async def test_overlapping_filters_get_a_copy_each(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), trio.open_nursery() as nursery:
        streams: list[Messages] = []
        for topic_filter in ("a/b", "a/#"):
            nursery.start_soon(subscribed, client, peer, streams, topic_filter)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(len(streams) + 1):  # the second gives the first an identifier as well
                subscribe = await peer.grant()
            await trio.testing.wait_all_tasks_blocked()
        assert subscribe.properties == {"subscription_identifier": 1}
        for identifier in (2, 1):
            await peer.send(Publish("a/b", b"%d" % identifier, properties={"subscription_identifier": [identifier]}))
        for stream, payload in zip(streams, (b"2", b"1"), strict=True):
            assert [message.payload for message in await stream.receive_many(9)] == [payload]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("code", [1, ReasonCode.NOT_AUTHORIZED])
@trio_test
async def test_a_stream_stays_open_across_connections_and_a_lost_session(code: int, autojump_clock: MockClock) -> None:
    server = Server()
    soon = Reconnect(initial=1, maximum=1, random=lambda: 1.0)
    async with open_pair(server=server, reconnect=soon) as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.grant)
        async with client.subscribe("a") as messages:
            await peer.send(Publish("a", b"1", QoS.AT_LEAST_ONCE))
            assert (await anext(messages)).payload == b"1"
            await peer.vanish()
            peer = await server.accept()
            await peer.greet(ConnAck(False))
            assert [each.topic_filter for each in (await peer.grant(code)).subscriptions] == ["a"]
            if code == 1:
                await peer.send(Publish("a", b"2", QoS.AT_LEAST_ONCE))
                assert (await anext(messages)).payload == b"2"
            else:
                with pytest.raises(SubscribeRefused, match="a: 0x87 Not authorized"):
                    await anext(messages)
    assert client.counters.held == 0


@trio_test
async def test_a_subscription_begun_without_a_connection_opens_with_the_next(autojump_clock: MockClock) -> None:
    server = Server()
    soon = Reconnect(initial=1, maximum=1, random=lambda: 1.0)
    async with open_pair(server=server, reconnect=soon) as (client, peer), trio.open_nursery() as nursery:
        await peer.vanish()
        await client.wait_for(ClientState.RECONNECTING)

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.greet()
            await peer.grant()
            await peer.send(Publish("a", b"1"))

        async with client.subscribe("a") as messages:
            assert trio.current_time() == 1
            assert (await anext(messages)).payload == b"1"
