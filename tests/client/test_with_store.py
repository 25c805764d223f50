"""The client and its store: stored before sent, settled before completed, and one error when that cannot be."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws import SQLiteStore, StoreFailed
from mqttws.client import ClientState, Deadlines, open_client
from mqttws.codec import ConnAck, Connect, Disconnect, Publish
from mqttws.codec.properties import AuthProperties
from mqttws.errors import AuthenticationFailed, ConnectionLost
from mqttws.session import (
    Change,
    Closed,
    IncomingStored,
    MemoryStore,
    OutgoingEnded,
    OutgoingStored,
    Session,
    SessionBegan,
    SessionState,
    WaitingStored,
)
from mqttws.vocabulary import QoS
from tests.client.scenes import Scene
from tests.client.scripted import URL, Peer, Server, open_pair


class Failing(MemoryStore):
    """Fails at the first change of a kind."""

    def __init__(self, kind: type) -> None:
        super().__init__()
        self.kind = kind

    def commit(self, changes: Sequence[Change]) -> None:
        if any(isinstance(change, self.kind) for change in changes):
            raise OSError(f"no room for {self.kind.__name__}")
        super().commit(changes)


class Gated(MemoryStore):
    """A store that blocks at the end of an exchange, in its thread, until the test lets it pass."""

    client_id = None

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def claim(self, client_id: str) -> None:
        """It does not mind whose it is."""

    def commit(self, changes: Sequence[Change]) -> None:
        if any(isinstance(change, OutgoingEnded) for change in changes):
            self.begun.release()
            assert self.gate.acquire(timeout=20)
        super().commit(changes)


@trio_test
async def test_a_receipt_is_done_when_the_end_of_its_exchange_is_stored() -> None:
    store = Gated()
    async with open_pair(store=store, client_id="c") as (client, peer):
        receipt = client.publish_soon("a", b"x", qos=1)
        await peer.acknowledge(await peer.expect(Publish))
        assert await trio.to_thread.run_sync(lambda: store.begun.acquire(timeout=20))
        await trio.testing.wait_all_tasks_blocked()
        assert [receipt.done, client.unfinished] == [False, 1]
        # Its place in the Server's window is free all the same, and nobody waits who need not.
        await peer.send(Publish("b"))
        store.gate.release()
        assert (await receipt.wait()).reason_code == 0
        assert client.unfinished == 0


async def serve(server: Server) -> None:
    """Greet one client and acknowledge what it publishes."""
    peer = await server.accept()
    await peer.greet()
    while not isinstance(event := await peer.next(), Closed):
        if isinstance(event, Publish):
            await peer.acknowledge(event)
    await peer.finish()


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(SessionBegan, id="when the Session begins"),
        pytest.param(OutgoingStored, id="before it is sent"),
        pytest.param(OutgoingEnded, id="when it was acknowledged"),
    ],
)
@trio_test
async def test_a_store_that_fails_is_the_clients_end_by_one_error(kind: type, autojump_clock: MockClock) -> None:
    server = Server()
    words = f"the store has failed: no room for {kind.__name__}"

    async def use_it() -> None:
        async with open_client(URL, dial=server.dial, store=Failing(kind), client_id="c") as client:
            receipt = client.publish_soon("a", b"x", qos=1)
            with pytest.raises(StoreFailed, match=words):
                await receipt.wait()
            assert client.state is ClientState.CLOSED
            await client.publish("a", b"y", qos=1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        with pytest.raises(StoreFailed, match=words) as caught:
            await use_it()
    assert isinstance(caught.value.__cause__, OSError)
    assert len(server.peers) == 1


@trio_test
async def test_a_store_that_fails_unseen_is_raised_when_the_block_is_left(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        with pytest.raises(StoreFailed, match="no room for SessionBegan"):
            async with open_client(URL, dial=server.dial, store=Failing(SessionBegan), client_id="c"):
                await trio.sleep(1)


@trio_test
async def test_a_store_that_is_closed_too_early_is_the_clients_end(tmp_path: Path) -> None:
    server, store = Server(), SQLiteStore(tmp_path / "session.db")

    async def use_it() -> None:
        async with open_client(URL, dial=server.dial, store=store, client_id="c") as client:
            store.close()
            await client.publish("a", b"x", qos=1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, server)
        with pytest.raises(StoreFailed, match=r"session\.db is closed"):
            await use_it()


@trio_test
async def test_what_cannot_be_stored_at_the_very_end_is_raised_by_the_block(autojump_clock: MockClock) -> None:
    """The last message is consumed by leaving its stream, and the connection is gone by then."""
    server, store = Server(), Failing(IncomingStored)

    async def send_one() -> None:
        peer = await server.accept()
        await peer.greet()
        await peer.send(Publish("a", b"x", QoS.EXACTLY_ONCE, packet_id=1))
        await peer.vanish()

    async def take_it() -> None:
        async with (
            open_client(URL, dial=server.dial, store=store, client_id="c") as client,
            client.messages("a") as messages,
        ):
            assert (await anext(messages)).payload == b"x"
            await client.wait_for(ClientState.RECONNECTING)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_one)
        with pytest.raises(StoreFailed, match="no room for IncomingStored"):
            await take_it()


@trio_test
async def test_a_received_message_is_remembered_before_the_server_hears_that_it_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "session.db"
    with SQLiteStore(path) as store:
        async with open_pair(store=store, client_id="c") as (client, peer), client.messages("a") as messages:
            await peer.send(Publish("a", b"x", QoS.EXACTLY_ONCE, packet_id=7))
            await anext(messages)
            with trio.move_on_after(0.05):
                await anext(messages)  # asking for the next one consumes the first
            assert await peer.stream.receive_some()  # PUBREC, and the client has had no turn since
            assert store.load() == SessionState(incoming={7})


@trio_test
async def test_a_client_without_an_identifier_takes_the_one_of_its_store(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with SQLiteStore(tmp_path / "session.db") as store:
            server = Server()
            async with open_pair(store=store, server=server) as (client, peer):
                connect = peer.connection.connect
                assert connect is not None
                seen.append((connect.client_id, connect.clean_start))
                assert store.client_id == client.client_id
    assert seen[0] == seen[1]
    assert len(seen[0][0]) == 20
    assert not seen[0][1]


@trio_test
async def test_the_store_of_another_client_is_refused_before_anything_is_dialled(tmp_path: Path) -> None:
    with SQLiteStore(tmp_path / "session.db") as store:
        store.claim("me")
        store.commit([SessionBegan()])
        with pytest.raises(StoreFailed, match="client 'me', not of 'you'"):
            async with open_client(URL, store=store, client_id="you"):
                raise AssertionError("nobody is connected")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clean_start": True}, "would throw away what the store has kept"),
        ({"client_id": ""}, "needs a client_id"),
        ({"session_expiry_interval": 0}, "a store has nothing to keep"),
    ],
)
@trio_test
async def test_options_that_make_a_store_pointless_are_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with SQLiteStore(tmp_path / "session.db") as store, pytest.raises(ValueError, match=words):
        async with open_client(URL, store=store, **options):
            raise AssertionError("nobody is connected")


@trio_test
async def test_the_next_process_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    """Two clients one after the other; the second has nothing of the first but the file."""
    path = tmp_path / "session.db"
    with SQLiteStore(path) as store:
        async with open_pair(store=store, client_id="c") as (client, peer):
            receipt = client.publish_soon("a", b"x", qos=2)
            await peer.expect(Publish)
            await peer.vanish()
            with pytest.raises(ConnectionLost):
                await receipt.wait()
    with SQLiteStore(path) as store:
        assert store.load() is not None
        async with open_pair(ConnAck(True), Session(), store=store, client_id="c") as (client, peer):
            again = await peer.expect(Publish)
            assert (again.payload, again.dup, again.qos) == (b"x", True, 2)
            await peer.acknowledge(again)
            await peer.swallow()
            await trio.testing.wait_all_tasks_blocked()
        state = store.load()
    assert state is not None
    assert state.outgoing == {}


@trio_test
async def test_what_was_published_without_a_connection_is_sent_by_the_next_process(tmp_path: Path) -> None:
    path, server = tmp_path / "session.db", Server()

    async def first_process() -> None:
        async with open_client(URL, dial=server.dial, store=store, client_id="c", deadlines=SHORT) as client:
            await client.wait_for(ClientState.RECONNECTING)
            for number, qos in enumerate((2, 0, 1)):
                client.publish_soon("a", str(number), qos=qos)
            await stored(store, 2)

    with SQLiteStore(path) as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(vanish, server)
            with pytest.raises(ConnectionLost, match="left before the exchange had ended"):
                await first_process()
    with SQLiteStore(path) as store:
        async with open_pair(ConnAck(True), Session(), store=store, client_id="c") as (client, peer):
            assert client.unfinished == 2
            for expected in (b"0", b"2"):
                publish = await peer.expect(Publish)
                assert (publish.payload, publish.dup) == (expected, False)
                await peer.acknowledge(publish)
            await peer.swallow()
        state = store.load()
    assert state is not None
    assert (state.outgoing, state.waiting) == ({}, {})


#: The first client has nobody to say goodbye to, and 0.1 s for it.
SHORT = Deadlines(linger=0.1)


async def vanish(server: Server) -> None:
    """Greet one client and close the connection; nobody answers the next one."""
    peer = await server.accept()
    await peer.greet()
    await peer.vanish()


async def stored(store: SQLiteStore, count: int) -> None:
    """Wait until so many messages that wait are stored."""
    with trio.fail_after(20):
        while (state := store.load()) is None or len(state.waiting) != count:  # noqa: ASYNC110 - a thread does it
            await trio.sleep(0.005)


@trio_test
async def test_a_lost_session_takes_nothing_from_the_store_that_is_to_be_sent_again(tmp_path: Path) -> None:
    """Receive Maximum is 1: of three messages one can be sent again at once, and a crash must not lose the others."""
    one: Any = {"receive_maximum": 1}
    messages = [Publish("a", b"%d" % number, QoS.AT_LEAST_ONCE, packet_id=number) for number in (1, 2, 3)]
    found: list[SessionState | None] = []

    async def next_process() -> None:
        async with open_pair(ConnAck(properties=one), store=store, client_id="c", deadlines=SHORT) as (client, peer):
            first = await peer.expect(Publish)
            found.append(store.load())
            assert client.unfinished == 3
            await peer.acknowledge(first)
            assert (await peer.expect(Publish)).payload == b"2"
            client.publish_soon("a", b"4", qos=1)
            await stored(store, 2)
            found.append(store.load())

    with SQLiteStore(tmp_path / "session.db") as store:
        store.commit([SessionBegan(), *map(OutgoingStored, messages)])
        with pytest.RaisesGroup(pytest.RaisesExc(ConnectionLost, match="left before the exchange had ended")):
            await next_process()
    assert [kept(state) for state in found] == [([b"1"], [b"2", b"3"]), ([b"2"], [b"3", b"4"])]


def kept(state: SessionState | None) -> tuple[list[bytes], list[bytes]]:
    """The messages that are under way, and those that wait."""
    assert state is not None
    return [publish.payload for publish, _ in state.outgoing.values()], [
        each.payload for each in state.waiting.values()
    ]


class FailsLater(Failing):
    """Takes everything until a message has to wait."""

    def __init__(self) -> None:
        super().__init__(WaitingStored)


@trio_test
async def test_a_store_that_fails_without_a_connection_is_the_clients_end(autojump_clock: MockClock) -> None:
    server = Server()

    async def use_it() -> None:
        async with open_client(URL, dial=server.dial, store=FailsLater(), client_id="c") as client:
            await client.wait_for(ClientState.RECONNECTING)
            await client.publish("a", b"x", qos=1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(vanish, server)
        with pytest.raises(StoreFailed, match="no room for WaitingStored"):
            await use_it()


@trio_test
async def test_what_is_consumed_without_a_connection_is_stored_all_the_same(autojump_clock: MockClock) -> None:
    server, store = Server(), MemoryStore()

    async def send_one() -> None:
        peer = await server.accept()
        await peer.greet()
        await peer.send(Publish("a", b"x", QoS.EXACTLY_ONCE, packet_id=1))
        await peer.vanish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send_one)
        async with (
            open_client(URL, dial=server.dial, store=store, client_id="c", deadlines=SHORT) as client,
            client.messages("a", acknowledge="manual") as messages,
        ):
            message = await anext(messages)
            await client.wait_for(ClientState.RECONNECTING)
            messages.acknowledge(message)
            await trio.testing.wait_all_tasks_blocked()
            assert store.load() == SessionState(incoming={1})


class Watched(MemoryStore):
    """Remembers how many messages were in it after each commit: under way, and waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[tuple[int, int]] = []

    def commit(self, changes: Sequence[Change]) -> None:
        super().commit(changes)
        state = self.load()
        assert state is not None
        self.held.append((len(state.outgoing), len(state.waiting)))


@trio_test
async def test_a_message_of_a_lost_session_is_in_the_store_all_the_time(autojump_clock: MockClock) -> None:
    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.expect(Publish)
        await peer.vanish()

    async def short(peer: Peer) -> None:
        await peer.open_websocket()
        await peer.expect(Connect)
        await peer.send(ConnAck(), Disconnect(0x89))
        await peer.finish()

    async def third(peer: Peer) -> None:
        await peer.greet()
        await peer.acknowledge(await peer.expect(Publish))
        await peer.finish()

    store = Watched()
    async with Scene(first, short, third).client(store=store, client_id="c") as client:
        await client.publish("a", b"x", qos=1)
    since = store.held.index((1, 0))
    assert all(sum(held) == 1 for held in store.held[since:-1])
    assert store.held[-1] == (0, 0)


class Doubtful:
    """An authenticator that trusts the first connection only."""

    method = "words"
    trusts = True

    async def begin(self) -> AuthProperties:
        return {}

    async def answer(self, said: AuthProperties) -> AuthProperties:
        raise AssertionError("nobody asks")

    async def finish(self, said: AuthProperties) -> None:
        if not self.trusts:
            raise AuthenticationFailed("this is another Server")
        self.trusts = False


@trio_test
async def test_who_is_not_trusted_cannot_make_the_store_forget_a_message(autojump_clock: MockClock) -> None:
    async def first(peer: Peer) -> None:
        await peer.greet(ConnAck(properties={"authentication_method": "words"}))
        await peer.expect(Publish)
        await peer.vanish()

    async def second(peer: Peer) -> None:
        await peer.greet(ConnAck(properties={"authentication_method": "words"}))
        await peer.finish()

    store = MemoryStore()
    scene = Scene(first, second)
    async with scene.client(store=store, client_id="c", authenticator=Doubtful()) as client:
        with pytest.raises(AuthenticationFailed, match="another Server"):
            await client.publish("a", b"x", qos=1)
    state = store.load()
    assert state is not None
    assert [publish.payload for publish in state.waiting.values()] == [b"x"]
