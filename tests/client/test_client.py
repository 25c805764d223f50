"""Client: what an application reads, publishes at QoS 0, and receives."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, ClientState, Messages, PublishResult
from mqttws.codec import ConnAck, Publish
from mqttws.errors import LocalProtocolError, QueueFull, RemoteProtocolError
from mqttws.session import Delivered, Session
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode
from tests.client.scripted import Peer, Server, open_pair


@trio_test
async def test_the_client_tells_what_was_settled(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"assigned_client_identifier": "yours", "maximum_qos": 1, "server_reference": "s"})
    async with open_pair(connack, client_id="") as (client, _):
        states = [client.state]
        assert client.client_id == "yours"
        assert client.version is ProtocolVersion.V5
        assert client.session_present is False
        assert client.limits.maximum_qos == QoS.AT_LEAST_ONCE
        assert client.connack.properties.get("server_reference") == "s"
        assert client.lost == ()
        assert repr(client) == "<Client 'yours' open>"
    states.append(client.state)
    assert states == [ClientState.OPEN, ClientState.CLOSED]


@trio_test
async def test_a_session_that_the_server_resumes_is_told(autojump_clock: MockClock) -> None:
    async with open_pair(ConnAck(True), Session(), clean_start=False, client_id="me") as (client, _):
        assert client.session_present is True


@pytest.mark.parametrize(
    ("payload", "sent"),
    [("Grüße", "Grüße".encode()), (bytearray(b"ab"), b"ab"), (memoryview(b"abc")[1:], b"bc"), (b"a", b"a")],
)
@trio_test
async def test_a_payload_is_bytes_of_any_kind_or_text(payload: Any, sent: bytes, autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        assert await client.publish("a", payload) == PublishResult()
        publish = await peer.expect(Publish)
        assert publish == Publish("a", sent, QoS.AT_MOST_ONCE)


@trio_test
async def test_properties_and_retain_go_along_as_they_are_now(autojump_clock: MockClock) -> None:
    properties: Any = {"content_type": "text/plain", "user_property": [("a", "1"), ("a", "2")]}
    async with open_pair() as (client, peer):
        receipt = client.publish_soon("a", b"x", qos=1, retain=True, properties=properties)
        properties["content_type"] = "changed"
        publish = await peer.expect(Publish)
        assert publish.retain
        assert publish.properties == {"content_type": "text/plain", "user_property": [("a", "1"), ("a", "2")]}
        await peer.acknowledge(publish)
        await receipt.wait()


@pytest.mark.parametrize("qos", [-1, 3])
@trio_test
async def test_a_qos_that_there_is_not_is_refused(qos: int, autojump_clock: MockClock) -> None:
    async with open_pair() as (client, _):
        with pytest.raises(ValueError, match=f"qos is 0, 1 or 2, not {qos}"):
            await client.publish("a", qos=qos)


@trio_test
async def test_what_the_server_does_not_take_is_refused_before_it_is_sent(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"maximum_qos": 1, "retain_available": 0, "maximum_packet_size": 50})
    async with open_pair(connack) as (client, peer):
        with pytest.raises(LocalProtocolError, match="Maximum QoS is 1"):
            await client.publish("a", qos=2)
        with pytest.raises(LocalProtocolError, match="no retained messages"):
            await client.publish("a", retain=True)
        with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 50"):
            await client.publish("a", bytes(50))
        with pytest.raises(LocalProtocolError, match="no wildcard"):
            client.publish_soon("#")
        assert client.unfinished == 0
        await client.publish("a", b"good")
        assert (await peer.expect(Publish)).payload == b"good"


@trio_test
async def test_a_loop_of_qos_0_publishes_lets_others_run_now_and_then(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, _), trio.open_nursery() as nursery:
        others = 0

        @nursery.start_soon
        async def other() -> None:
            nonlocal others
            while True:
                others += 1
                await trio.lowlevel.checkpoint()

        for _ in range(320):
            await client.publish("a", b"x" * 10)
        assert 9 <= others <= 11
        others = 0
        for _ in range(10):
            await client.publish("a", bytes(40_000))
        assert 4 <= others <= 6
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_receipt_of_qos_0_is_done_at_once(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        receipt = client.publish_soon("a", b"x")
        assert receipt.done
        assert await receipt.wait() == PublishResult()
        assert (await peer.expect(Publish)).payload == b"x"


class Narrow(Server):
    """A wire that takes a byte only when the other end asks for one."""

    async def dial(self, *args: Any, **options: Any) -> trio.abc.Stream:
        ours, theirs = trio.testing.lockstep_stream_pair()
        self._send.send_nowait(Peer(theirs))
        return ours


@trio_test
async def test_a_full_send_buffer_makes_publish_wait_and_publish_soon_raise(autojump_clock: MockClock) -> None:
    async with open_pair(server=Narrow()) as (client, peer), trio.open_nursery() as nursery:
        for _ in range(3):  # one of them is on its way
            await client.publish("a", bytes(1_000_000))
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(QueueFull, match="bytes wait to be sent"):
            client.publish_soon("a", b"x")
        with trio.move_on_after(1) as scope:
            await client.publish("a", bytes(100_000))
        assert scope.cancelled_caught

        @nursery.start_soon
        async def server() -> None:
            assert [len((await peer.expect(Publish)).payload) for _ in range(4)] == [1_000_000] * 3 + [100_001]

        await client.publish("a", bytes(100_001))


# -- receiving ---------------------------------------------------------------------------------------------------------


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
