"""Publishing: what is sent, when it waits, and for what."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, ClientState, PublishResult, Reconnect, open_client
from mqttws.client.outgoing import WhenFull
from mqttws.codec import ConnAck, Publish
from mqttws.errors import LocalProtocolError, MessageExpired, QueueFull, SessionLost
from mqttws.session import Session
from mqttws.vocabulary import QoS
from tests.client.scripted import URL, Peer, Server, open_pair


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


@trio_test
async def test_with_fail_nobody_waits_for_the_send_buffer_either(autojump_clock: MockClock) -> None:
    async with open_pair(server=Narrow(), when_full="fail") as (client, peer), trio.open_nursery() as nursery:
        for _ in range(3):  # one of them is on its way
            await client.publish("a", bytes(1_000_000))
            await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(QueueFull, match="bytes wait to be sent"):
            await client.publish("a", bytes(100_000))

        @nursery.start_soon
        async def server() -> None:
            for _ in range(3):
                await peer.expect(Publish)


# -- without a connection ----------------------------------------------------------------------------------------------

#: The next connection comes a second after the last one has ended.
SOON = Reconnect(initial=1, maximum=1, random=lambda: 1.0)


async def cut(client: Client, peer: Peer) -> None:
    """End the connection, and wait until the client has noticed."""
    await peer.vanish()
    assert await client.wait_for(ClientState.RECONNECTING) is ClientState.RECONNECTING


async def come_back(server: Server, connack: ConnAck, session: Session | None = None) -> Peer:
    """Take the client in once more; tests read on from there."""
    peer = await server.accept()
    await peer.greet(connack, session)
    return peer


@trio_test
async def test_messages_of_every_qos_wait_for_the_next_connection(autojump_clock: MockClock) -> None:
    server, session = Server(), Session()
    async with (
        open_pair(None, session, server=server, reconnect=SOON) as (client, peer),
        trio.open_nursery() as nursery,
    ):
        await cut(client, peer)
        results: list[tuple[int, float]] = []

        async def publish(qos: int) -> None:
            assert await client.publish("a", b"%d" % qos, qos) == PublishResult()
            results.append((qos, trio.current_time()))

        for qos in range(3):
            nursery.start_soon(publish, qos)
            await trio.testing.wait_all_tasks_blocked()
        receipt = client.publish_soon("a", b"3", 0)
        assert [client.unfinished, receipt.done, results] == [4, False, []]
        peer = await come_back(server, ConnAck(True), session)
        messages = [await peer.expect(Publish) for _ in range(4)]
        assert [message.payload for message in messages] == [b"0", b"1", b"2", b"3"]
        await trio.sleep(1)
        for message in messages[1:3]:
            await peer.acknowledge(message)
        await peer.swallow()
        await trio.testing.wait_all_tasks_blocked()
        assert results == [(0, 1.0), (1, 2.0), (2, 2.0)]
        assert [client.unfinished, receipt.done] == [0, True]


@trio_test
async def test_a_publisher_that_lets_others_run_while_the_connection_ends_waits_for_the_next(
    autojump_clock: MockClock,
) -> None:
    server = Server()
    async with open_pair(server=server, reconnect=SOON) as (client, peer), trio.open_nursery() as nursery:
        for number in range(31):
            await client.publish("a", b"%d" % number)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(client.publish, "a", b"last")
        await peer.vanish()
        await trio.testing.wait_all_tasks_blocked()
        peer = await come_back(server, ConnAck())
        assert (await peer.expect(Publish)).payload == b"last"


@trio_test
async def test_a_message_without_a_connection_waits_for_as_long_as_it_lives(autojump_clock: MockClock) -> None:
    server = Server()
    slow = Reconnect(initial=100, maximum=100, random=lambda: 1.0)
    async with open_pair(server=server, reconnect=slow) as (client, peer):
        await cut(client, peer)
        for qos in range(3):
            start = trio.current_time()
            with pytest.raises(MessageExpired, match="longer than its 5 seconds"):
                await client.publish("a", b"", qos, properties={"message_expiry_interval": 5})
            assert trio.current_time() - start == 5
        receipt = client.publish_soon("a", b"lives", 1, properties={"message_expiry_interval": 200})
        peer = await come_back(server, ConnAck())
        message = await peer.expect(Publish)
        assert message.properties == {"message_expiry_interval": 115}
        await peer.acknowledge(message)
        await receipt.wait()


@pytest.mark.parametrize("policy", ["wait", "fail", "drop_oldest_qos0"])
@trio_test
async def test_a_full_queue_without_a_connection_follows_the_policy(
    policy: WhenFull, autojump_clock: MockClock
) -> None:
    server = Server()
    async with open_pair(server=server, reconnect=SOON, send_queue=2, when_full=policy) as (client, peer):
        await cut(client, peer)
        receipts = [client.publish_soon("a", b"%d" % qos, qos) for qos in (0, 1)]
        with trio.move_on_after(0.5) as scope:
            if policy == "fail":
                with pytest.raises(QueueFull, match="2 messages of 4 bytes"):
                    await client.publish("a", b"2", 1)
            else:
                await client.publish("a", b"2", 1)
        assert scope.cancelled_caught == (policy != "fail")
        assert client.dropped == (policy == "drop_oldest_qos0")
        peer = await come_back(server, ConnAck())
        expected = {"wait": [b"0", b"1"], "fail": [b"0", b"1"], "drop_oldest_qos0": [b"1", b"2"]}
        for payload in expected[policy]:
            message = await peer.expect(Publish)
            assert message.payload == payload
            if message.qos:
                await peer.acknowledge(message)
        await receipts[1].wait()
        if policy == "drop_oldest_qos0":
            with pytest.raises(QueueFull, match="dropped"):
                await receipts[0].wait()


@pytest.mark.parametrize("resend", [False, True])
@trio_test
async def test_a_lost_session_is_told_to_whom_it_concerns(resend: bool, autojump_clock: MockClock) -> None:
    server = Server()
    async with open_pair(server=server, reconnect=SOON, resend_qos2=resend) as (client, peer):
        receipts = [client.publish_soon("a", b"%d" % qos, qos) for qos in (1, 2)]
        for _ in receipts:
            await peer.expect(Publish)
        await cut(client, peer)
        peer = await come_back(server, ConnAck(False))
        for qos in (1, 2) if resend else (1,):
            message = await peer.expect(Publish)
            assert (message.payload, message.dup) == (b"%d" % qos, False)
            await peer.acknowledge(message)
        if resend:
            await peer.swallow()
            assert await receipts[1].wait() == PublishResult()
        else:
            with pytest.raises(SessionLost, match="1 under way, on 'a'") as caught:
                await receipts[1].wait()
            assert [message.payload for message in caught.value.messages] == [b"2"]
        assert await receipts[0].wait() == PublishResult()


@trio_test
async def test_what_the_last_connection_did_not_take_is_refused_without_one(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, 0, {"maximum_qos": 1, "maximum_packet_size": 50})
    server = Server()
    async with open_pair(connack, server=server, reconnect=SOON) as (client, peer):
        await cut(client, peer)
        with pytest.raises(LocalProtocolError, match="Maximum QoS is 1"):
            await client.publish("a", b"", 2)
        with pytest.raises(LocalProtocolError, match="Maximum Packet Size is 50"):
            await client.publish("a", bytes(50), 0)
        assert client.unfinished == 0


class Brittle(trio.abc.Stream):
    """A stream that takes what is small; what is not waits for a second, and breaks it."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if len(data) > 1_000:
            await trio.sleep(1)
            raise trio.BrokenResourceError
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


@trio_test
async def test_a_flood_at_qos_0_waits_when_its_connection_has_broken(autojump_clock: MockClock) -> None:
    server = Server()

    async def dial(*args: Any, **options: Any) -> trio.abc.Stream:
        return Brittle(await server.dial(*args, **options))

    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def greet() -> None:
            await (await server.accept()).greet()

        sent = 0
        async with open_client(URL, dial=dial) as client:
            with trio.move_on_after(50):
                while sent < 1_000:
                    await client.publish("a", bytes(10_000))
                    sent += 1
            assert client.state is ClientState.RECONNECTING
            assert sent < 200  # the send buffer holds a MiB
            assert client.unfinished == 1
