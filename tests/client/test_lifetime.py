"""The end of a client's block, and the end of its connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Client, ClientState, Deadlines, PublishResult, open_client
from mqttws.codec import ConnAck, Connect, Disconnect, Publish, PubRel
from mqttws.errors import ConnectionLost, PublishRefused, RemoteProtocolError, ServerDisconnected, WireEnded
from mqttws.link import LinkEvent, Upgrade
from mqttws.session import Closed, MemoryStore, Session
from mqttws.vocabulary import QoS, ReasonCode
from tests.client.scenes import STEADY, Scene, goes
from tests.client.scripted import URL, Peer, Server, open_pair


class Serving:
    """A server's task: lets one client in, does what the test says, and notes what comes until the end."""

    def __init__(self, **greeting: Any) -> None:
        self.server = Server()
        self.rest: list[LinkEvent] = []
        self.left = trio.Event()
        self.greeting = greeting

    @property
    def peer(self) -> Peer:
        return self.server.peers[-1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve)
            yield

    async def _serve(self) -> None:
        peer = await self.server.accept()
        await peer.greet(**self.greeting)
        await self.left.wait()
        self.rest = await peer.finish()

    def goodbye(self) -> LinkEvent:
        """What the client said last before the connection was closed."""
        closed = self.rest[-1]
        assert isinstance(closed, Closed)
        return self.rest[-2] if len(self.rest) > 1 else closed


@trio_test
async def test_leaving_the_block_sends_disconnect(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running(), open_client(URL, reconnect=None, dial=serving.server.dial):
        serving.left.set()
    assert serving.goodbye() == Disconnect(ReasonCode.NORMAL_DISCONNECTION)
    assert serving.rest[-1] == Closed(None)
    assert trio.current_time() == 0


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("x"), KeyboardInterrupt(), StopAsyncIteration(), ExceptionGroup("g", [ValueError()])]
)
@trio_test
async def test_left_by_an_exception_the_will_speaks_and_the_exception_stays_as_it_is(
    raised: BaseException, autojump_clock: MockClock
) -> None:
    serving = Serving()
    async with serving.running():
        try:
            async with open_client(URL, reconnect=None, dial=serving.server.dial):
                serving.left.set()
                raise raised
        except BaseException as error:  # noqa: BLE001 - whatever it is, it has to be the same object
            assert error is raised  # noqa: PT017
        else:
            raise AssertionError("not raised")
    assert serving.goodbye() == Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE)


@trio_test
async def test_in_3_1_1_that_is_a_close_without_disconnect(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running():
        with suppress(ZeroDivisionError):
            async with open_client(URL, reconnect=None, dial=serving.server.dial, version=4):
                serving.left.set()
                raise ZeroDivisionError
    (closed,) = serving.rest
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ConnectionLost)
    assert closed.error.close_code == 1001


@trio_test
async def test_cancelled_from_outside_it_says_goodbye_as_well(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running():
        with trio.move_on_after(5) as scope:
            async with open_client(URL, reconnect=None, dial=serving.server.dial):
                serving.left.set()
                await trio.sleep_forever()
        assert scope.cancelled_caught
    assert serving.goodbye() == Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE)
    assert trio.current_time() == 5


@trio_test
async def test_what_was_queued_is_sent_and_waited_for(autojump_clock: MockClock) -> None:
    serving = Serving(connack=ConnAck(False, 0, {"receive_maximum": 1}))
    async with (
        serving.running(),
        trio.open_nursery() as nursery,
        open_client(URL, reconnect=None, dial=serving.server.dial) as client,
    ):
        receipts = [client.publish_soon("a", b"%d" % number, qos=1) for number in range(3)]
        nursery.start_soon(acknowledge_slowly, serving, 3)
    assert all(receipt.done for receipt in receipts)
    assert [await receipt.wait() for receipt in receipts] == [PublishResult()] * 3
    assert serving.goodbye() == Disconnect(ReasonCode.NORMAL_DISCONNECTION)


async def acknowledge_slowly(serving: Serving, count: int) -> None:
    for _ in range(count):
        await serving.peer.acknowledge(await serving.peer.expect(Publish))
        await trio.sleep(0.1)
    serving.left.set()


@trio_test
async def test_what_did_not_end_in_time_is_raised_if_nobody_has_waited_for_it(autojump_clock: MockClock) -> None:
    serving = Serving()
    receipts = []

    async def block() -> None:
        async with open_client(URL, reconnect=None, dial=serving.server.dial, deadlines=Deadlines(linger=3)) as client:
            receipts.append(client.publish_soon("a", b"x", qos=1))
            serving.left.set()

    async with serving.running():
        with pytest.raises(ConnectionLost, match="the client was left before the exchange had ended"):
            await block()
    assert receipts[0].done
    assert trio.current_time() == 3
    assert serving.goodbye() == Disconnect(ReasonCode.NORMAL_DISCONNECTION)


@trio_test
async def test_what_a_cancelled_publish_has_left_behind_is_not(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running(), open_client(URL, reconnect=None, dial=serving.server.dial) as client:
        with trio.move_on_after(1):
            await client.publish("a", b"x", qos=1)
        serving.left.set()
    assert isinstance(serving.rest[-1], Closed)
    assert trio.current_time() == 3


@trio_test
async def test_a_refusal_that_nobody_has_seen_is_raised_at_the_end(autojump_clock: MockClock) -> None:
    serving = Serving()

    async def block() -> None:
        async with open_client(URL, reconnect=None, dial=serving.server.dial) as client:
            seen = client.publish_soon("a", b"1", qos=1)
            client.publish_soon("a", b"2", qos=1)
            for code in (ReasonCode.NOT_AUTHORIZED, ReasonCode.QUOTA_EXCEEDED):
                await serving.peer.acknowledge(await serving.peer.expect(Publish), code)
            with pytest.raises(PublishRefused, match="0x87"):
                await seen.wait()
            serving.left.set()

    async with serving.running():
        with pytest.raises(PublishRefused, match="0x97 Quota exceeded"):
            await block()
    assert serving.goodbye() == Disconnect(ReasonCode.NORMAL_DISCONNECTION)


@trio_test
async def test_a_server_that_does_not_answer_the_farewell_costs_a_second(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running():
        async with open_client(URL, reconnect=None, dial=serving.server.dial):
            pass
        assert trio.current_time() == 1
        serving.left.set()


@trio_test
async def test_cancelled_while_it_waits_for_exchanges_it_leaves_at_once(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with serving.running():
        with trio.move_on_after(1) as scope:
            async with open_client(URL, reconnect=None, dial=serving.server.dial) as client:
                client.publish_soon("a", b"x", qos=1)
                serving.left.set()
        assert scope.cancelled_caught
    assert trio.current_time() == 1
    assert serving.goodbye() == Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE)


@trio_test
async def test_after_the_block_every_call_says_that_it_was_left(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        await peer.send(Publish("a", b"x", QoS.AT_LEAST_ONCE))
        await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(trio.ClosedResourceError):
        await client.publish("a")
    with pytest.raises(trio.ClosedResourceError):
        client.publish_soon("a", qos=1)
    for block in (client.subscribe("a"), client.messages()):
        with pytest.raises(trio.ClosedResourceError):
            async with block:
                raise AssertionError("not reached")


@trio_test
async def test_calls_of_other_tasks_end_when_the_block_is_left(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        ended = []

        async def other(client: Client) -> None:
            with pytest.raises(trio.ClosedResourceError):
                async with client.messages() as messages:
                    await anext(messages)
            ended.append(client)

        async with open_pair() as (client, _):
            nursery.start_soon(other, client)
            await trio.testing.wait_all_tasks_blocked()
    assert ended == [client]


# -- the connection ends by itself -------------------------------------------------------------------------------------


@trio_test
async def test_every_waiting_and_every_later_call_raises_what_ended_the_connection(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        errors: list[ServerDisconnected] = []

        async def publish() -> None:
            with pytest.raises(ServerDisconnected) as caught:
                await client.publish("a", b"x", qos=1)
            errors.append(caught.value)

        async def receive() -> None:
            with pytest.raises(ServerDisconnected) as caught:
                async with client.messages() as messages:
                    await anext(messages)
            errors.append(caught.value)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(publish)
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await peer.send(Disconnect(ReasonCode.SESSION_TAKEN_OVER, {"reason_string": "another one"}))
        await publish()
        with pytest.raises(ServerDisconnected, match="0x8E Session taken over: another one"):
            client.publish_soon("a")
        assert {error.reason_code for error in errors} == {ReasonCode.SESSION_TAKEN_OVER}
        assert len({id(error) for error in errors}) == 3


@trio_test
async def test_leaving_after_the_end_raises_nothing_when_nothing_was_lost(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer):
        await peer.vanish()
        await trio.sleep(1)
        assert client.state.value == "closed"


@trio_test
async def test_but_it_raises_the_end_when_a_message_was_lost_with_it(autojump_clock: MockClock) -> None:
    serving = Serving()

    async def block() -> None:
        async with open_client(URL, reconnect=None, dial=serving.server.dial) as client:
            client.publish_soon("a", b"x", qos=1)
            await trio.testing.wait_all_tasks_blocked()
            await serving.peer.vanish()
            await trio.sleep(1)
            assert client.state.value == "closed"
            serving.left.set()

    async with serving.running():
        with pytest.raises(ConnectionLost):
            await block()


@trio_test
async def test_a_server_that_vanishes_in_mid_message_is_a_lost_connection(autojump_clock: MockClock) -> None:
    async with open_pair() as (client, peer), client.messages() as messages:
        await peer.send_raw(bytes.fromhex("30 20 0001 61"))
        await peer.vanish()
        with pytest.raises(ConnectionLost):
            await anext(messages)


@trio_test
async def test_a_packet_that_is_too_large_is_refused_at_its_header(autojump_clock: MockClock) -> None:
    serving = Serving()
    async with (
        serving.running(),
        open_client(URL, reconnect=None, dial=serving.server.dial, maximum_packet_size=100) as client,
    ):
        async with client.messages() as messages:
            await serving.peer.send_raw(bytes.fromhex("30 FF FF FF 7F"))
            with pytest.raises(RemoteProtocolError) as caught:
                await anext(messages)
        assert caught.value.reason_code == ReasonCode.PACKET_TOO_LARGE
        serving.left.set()
    goodbye = serving.goodbye()
    assert isinstance(goodbye, Disconnect)
    assert goodbye.reason_code == ReasonCode.PACKET_TOO_LARGE


@trio_test
async def test_an_idle_client_pings_within_its_keep_alive(autojump_clock: MockClock) -> None:
    async with open_pair(keep_alive=10) as (client, peer), trio.open_nursery() as nursery:
        nursery.start_soon(peer.next)
        await trio.sleep(3_600)
        assert 360 <= peer.pings <= 500
        assert client.state.value == "open"
        nursery.cancel_scope.cancel()


@trio_test
async def test_the_servers_keep_alive_wins(autojump_clock: MockClock) -> None:
    async with open_pair(ConnAck(False, 0, {"server_keep_alive": 5}), keep_alive=0) as (_, peer):
        with trio.move_on_after(50):
            await peer.next()
        assert peer.pings >= 10


@pytest.mark.parametrize(("deadlines", "after"), [(Deadlines(), 13), (Deadlines(ping=2), 10)])
@trio_test
async def test_a_dead_server_is_noticed_by_the_missing_pingresp(
    deadlines: Deadlines, after: float, autojump_clock: MockClock
) -> None:
    async with open_pair(keep_alive=10, deadlines=deadlines) as (client, _), client.messages() as messages:
        with pytest.raises(ConnectionLost, match="no PINGRESP"):
            await anext(messages)
        assert 7 <= trio.current_time() <= after


# -- the Session goes on -----------------------------------------------------------------------------------------------


@trio_test
async def test_an_exchange_goes_on_with_the_same_store(autojump_clock: MockClock) -> None:
    store, session = MemoryStore(), Session()
    async with open_pair(None, session, store=store, client_id="me", clean_start=True) as (client, peer):
        receipts = [client.publish_soon("a", b"%d" % number, qos=2) for number in (1, 2)]
        first = await peer.expect(Publish)
        await peer.acknowledge(first)  # PUBREC for one of them, and then the wire is cut
        await peer.expect(Publish)
        await trio.testing.wait_all_tasks_blocked()
        await peer.vanish()
        for receipt in receipts:
            with pytest.raises(ConnectionLost):
                await receipt.wait()

    async with open_pair(ConnAck(True), session, store=store, client_id="me") as (client, peer):
        assert client.session_present
        assert client.lost == ()
        # PUBREL for the first is answered by the link; of the second comes the PUBLISH again.
        await peer.swallow()
        again = peer.link.events()
        assert again == []
        await trio.testing.wait_all_tasks_blocked()
        state = store.load()
        assert state is not None
        assert [publish.payload for publish, _ in state.outgoing.values()] == [b"2"]


@trio_test
async def test_what_the_server_no_longer_knows_is_sent_again_at_qos_1_and_told_as_lost_at_qos_2(
    autojump_clock: MockClock,
) -> None:
    store = MemoryStore()
    async with open_pair(store=store, client_id="me") as (client, peer):
        receipts = [client.publish_soon("a", b"%d" % qos, qos=qos) for qos in (1, 2)]
        for _ in receipts:
            await peer.expect(Publish)
        await peer.vanish()
        for receipt in receipts:
            with pytest.raises(ConnectionLost):
                await receipt.wait()
    async with open_pair(ConnAck(False), store=store, client_id="me") as (client, peer):
        assert [(publish.payload, publish.packet_id) for publish in client.lost] == [(b"2", None)]
        again = await peer.expect(Publish)
        assert (again.payload, again.dup) == (b"1", False)
        await peer.acknowledge(again)
        await trio.testing.wait_all_tasks_blocked()
        state = store.load()
        assert state is not None
        assert state.outgoing == {}


@trio_test
async def test_a_qos_2_message_consumed_after_the_end_is_not_delivered_again(autojump_clock: MockClock) -> None:
    store, session = MemoryStore(), Session()
    message = Publish("a", b"1", QoS.EXACTLY_ONCE)
    async with open_pair(None, session, store=store, client_id="me") as (client, peer):
        await peer.send(message)
        await trio.testing.wait_all_tasks_blocked()
        await peer.vanish()
        await trio.testing.wait_all_tasks_blocked()
    # It was never handed out: it comes again, and the connection ends before its consumer is done with it.
    async with open_pair(ConnAck(True), session, store=store, client_id="me") as (client, peer):
        async with client.messages() as messages:
            assert (await anext(messages)).dup
            await peer.vanish()
            await trio.testing.wait_all_tasks_blocked()
        assert client.counters.held == 0
    async with open_pair(ConnAck(True), session, store=store, client_id="me") as (client, peer):
        await trio.sleep(1)
        assert client.counters.held == 0
        assert (await peer_after_resend(peer)) == PubRel


async def peer_after_resend(peer: Peer) -> type:
    """What the exchange that the server resumed has come to: it waits for PUBCOMP once PUBREC has come."""
    await peer.swallow()
    exchange = peer.connection.session.outgoing.get(1)
    assert exchange is not None
    return PubRel if exchange.awaits.name == "PUBCOMP" else Publish


@pytest.mark.parametrize("turns", range(8))
@trio_test
async def test_a_connection_that_is_made_while_the_block_is_left_does_not_keep_it(
    turns: int, autojump_clock: MockClock
) -> None:
    server, ready = Server(), trio.Event()

    async def dial(*args: Any, **options: Any) -> trio.abc.Stream:
        stream = await server.dial(*args, **options)
        if server.peers:
            await ready.wait()
        return stream

    async def serve() -> None:
        await goes(await server.accept())
        with suppress(trio.BrokenResourceError):  # the client may leave at any moment
            await let_in(await server.accept())

    async def let_in(peer: Peer) -> None:
        while not isinstance(event := await peer.next(), Closed):
            if isinstance(event, Upgrade):
                peer.link.accept(trio.current_time())
            elif isinstance(event, Connect):
                peer.link.send(ConnAck(), trio.current_time())
            await peer.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_client(URL, dial=dial, reconnect=STEADY, keep_alive=5) as client:
            await client.wait_for(ClientState.RECONNECTING)
            await trio.sleep(10)
            ready.set()
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert trio.current_time() < 20


@trio_test
async def test_a_connection_that_ends_as_it_begins_is_followed_by_another(autojump_clock: MockClock) -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.grant()
        await peer.vanish()

    async def busy(peer: Peer) -> None:
        await peer.open_websocket()
        await peer.expect(Connect)
        await peer.send(ConnAck(), Disconnect(ReasonCode.SERVER_BUSY))
        await peer.finish()

    async def third(peer: Peer) -> None:
        await peer.greet()
        assert (await peer.grant()).subscriptions[0].topic_filter == "a"
        await peer.send(Publish("a", b"x"))
        await peer.finish()

    scene = Scene(first, busy, third)
    async with scene.client() as client, client.subscribe("a") as messages:
        assert (await anext(messages)).payload == b"x"
    assert [type(error) for error in scene.failures] == [WireEnded, ServerDisconnected]
