"""Pump: two of them back to back, and streams that behave badly."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.codec import ConnAck, Connect, Disconnect, Publish
from mqttws.errors import ConnectionLost, ServerDisconnected, StoreFailed, WireEnded, WireReset
from mqttws.link import Link, LinkEvent, Opened, Upgrade
from mqttws.session import (
    Change,
    Closed,
    Connection,
    Delivered,
    MemoryStore,
    OutgoingStored,
    Session,
    SessionState,
    Store,
)
from mqttws.transport import Committer, Pump
from mqttws.vocabulary import QoS, ReasonCode, Role


class Recorded(trio.abc.Stream):
    """A stream that counts writes and can be told to fail."""

    def __init__(self, stream: Any) -> None:
        self.inner = stream
        self.writes: list[bytes] = []
        self.send_breaks = False
        self.receive_breaks = False
        self.closed = False

    async def send_all(self, data: Any) -> None:
        if self.send_breaks:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError
        self.writes.append(bytes(data))
        await self.inner.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        raise AssertionError("nobody asks")

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        if self.receive_breaks:
            await trio.lowlevel.checkpoint()
            raise trio.BrokenResourceError
        data: bytes = await self.inner.receive_some(max_bytes)
        return data

    async def aclose(self) -> None:
        self.closed = True
        await self.inner.aclose()


class Ends:
    """A client's and a server's pump on one wire, with what the two have to tell."""

    def __init__(self, *, lockstep: bool = False, store: Store | None = None, **options: Any) -> None:
        make = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        near, far = make()
        self.stream, self.far_stream = Recorded(near), Recorded(far)
        session = Session(store.load(), durable=True) if store is not None else None
        client = Link.client(Connection(Role.CLIENT, session=session), host="server", target="/mqtt")
        server = Link.server(Connection(Role.SERVER))
        committer = Committer(session, store) if session is not None and store is not None else None
        self.client = Pump(self.stream, client, committer=committer, **options)
        self.server = Pump(self.far_stream, server)
        self.client_events: list[LinkEvent] = []
        self.server_events: list[LinkEvent] = []
        for link in (client, server):
            link.start(trio.current_time())

    async def read_client(self) -> None:
        while events := await self.client.receive():
            self.client_events += events

    async def read_server(self) -> None:
        link = self.server.link
        while events := await self.server.receive():
            self.server_events += events
            for event in events:
                if isinstance(event, Upgrade):
                    link.accept(trio.current_time())
                elif isinstance(event, Connect):
                    link.send(ConnAck(), trio.current_time())
            self.server.flush()

    def start(self, nursery: trio.Nursery, *, serve: bool = True) -> None:
        nursery.start_soon(self.client.write)
        nursery.start_soon(self.read_client)
        if serve:
            nursery.start_soon(self.server.write)
            nursery.start_soon(self.read_server)

    async def connect(self) -> None:
        self.client.link.send(Connect(client_id="a"), trio.current_time())
        self.client.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert self.client.link.connection.is_open

    def close(self) -> None:
        self.client.link.close(trio.current_time())
        self.client.flush()


def only(events: Sequence[LinkEvent], kind: type[Any]) -> Any:
    """The one event of a kind."""
    (event,) = (event for event in events if isinstance(event, kind))
    return event


@trio_test
async def test_events_arrive_at_both_ends_and_both_streams_are_closed_in_the_end(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.close()
    assert [type(event) for event in ends.server_events][:3] == [Upgrade, Opened, Connect]
    assert only(ends.client_events, Closed) == Closed(None)
    assert only(ends.server_events, Closed) == Closed(None)
    assert ends.stream.closed
    assert ends.far_stream.closed
    assert trio.current_time() == 0


@trio_test
async def test_many_packets_sent_in_a_row_leave_in_one_write(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        before = len(ends.stream.writes)
        for number in range(10):
            ends.client.link.send(Publish("a", b"%d" % number), trio.current_time())
            ends.client.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert len(ends.stream.writes) == before + 1
        assert [event.payload for event in ends.server_events if isinstance(event, Publish)] == [
            b"%d" % number for number in range(10)
        ]
        ends.close()


@trio_test
async def test_a_deadline_fires_although_nothing_arrives(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery, serve=False)
    assert "handshake was not answered within 10 seconds" in str(only(ends.client_events, Closed).error)
    assert trio.current_time() == 10
    assert ends.stream.closed


@trio_test
async def test_a_deadline_that_comes_nearer_while_waiting_is_kept(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery, serve=False)
        with trio.CancelScope() as serving:
            nursery.start_soon(ends.server.write)
            nursery.start_soon(ends.read_server)
            await ends.connect()
        serving.cancel()
        # The server answers nothing any more: our farewell has a second, the Keep Alive had a minute.
        ends.far_stream.send_breaks = True
        ends.close()
    assert only(ends.client_events, Closed) == Closed(None)
    assert trio.current_time() <= 1


@trio_test
async def test_a_stream_that_ends_is_a_lost_connection(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        await ends.far_stream.aclose()
    assert isinstance(only(ends.client_events, Closed).error, WireEnded)
    assert isinstance(only(ends.server_events, Closed).error, WireEnded)


@trio_test
async def test_a_stream_that_breaks_while_reading_is_a_lost_connection(autojump_clock: MockClock) -> None:
    ends = Ends()
    ends.stream.receive_breaks = True
    async with trio.open_nursery() as nursery:
        ends.start(nursery, serve=False)
    assert isinstance(only(ends.client_events, Closed).error, WireReset)
    assert ends.stream.closed


@trio_test
async def test_the_last_words_of_a_peer_that_takes_no_more_are_heard(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.stream.send_breaks = True
        ends.client.link.send(Publish("a"), trio.current_time())
        ends.client.flush()
        await trio.testing.wait_all_tasks_blocked()
        ends.server.link.send(Disconnect(ReasonCode.SERVER_SHUTTING_DOWN), trio.current_time())
        ends.server.flush()
    error = only(ends.client_events, Closed).error
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code == ReasonCode.SERVER_SHUTTING_DOWN


@trio_test
async def test_a_peer_that_takes_no_more_and_says_nothing_is_left_after_a_second(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.stream.send_breaks = True
        ends.client.link.send(Publish("a"), trio.current_time())
        ends.client.flush()
    assert isinstance(only(ends.client_events, Closed).error, WireReset)
    assert trio.current_time() == 1


@trio_test
async def test_a_peer_that_takes_nothing_is_ended_by_the_send_timeout(autojump_clock: MockClock) -> None:
    ends = Ends(lockstep=True, send_timeout=5)
    async with trio.open_nursery() as nursery:
        ends.start(nursery, serve=False)
    assert isinstance(only(ends.client_events, Closed).error, ConnectionLost)
    assert trio.current_time() == 5
    assert ends.stream.closed


@trio_test
async def test_a_peer_that_takes_a_little_now_and_then_is_not(autojump_clock: MockClock) -> None:
    ends = Ends(lockstep=True, send_timeout=5)
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.server.pause()
        ends.client.link.send(Publish("a", bytes(400_000)), trio.current_time())
        ends.client.flush()
        for _ in range(8):
            await trio.sleep(4)
            ends.server.resume()
            await trio.testing.wait_all_tasks_blocked()
            ends.server.pause()
        ends.server.resume()
        await trio.sleep(60)
        ends.close()
    assert len(only(ends.server_events, Publish).payload) == 400_000
    assert only(ends.client_events, Closed) == Closed(None)


@trio_test
async def test_while_too_much_waits_to_be_written_nothing_is_read(autojump_clock: MockClock) -> None:
    ends = Ends(lockstep=True, high_water=1_000)
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.server.pause()
        link = ends.client.link
        await trio.sleep(1)
        for _ in range(3):  # the server still takes the first, the second is on its way when the third is queued
            link.send(Publish("a", bytes(2_000)), trio.current_time())
            ends.client.flush()
            await trio.testing.wait_all_tasks_blocked()
        assert [ends.client.congested] == [True]
        # The read that was under way still brings something, the next one waits.
        await ends.far_stream.send_all(b"\x82\x06\x30\x04\x00\x01b\x00")
        nursery.start_soon(ends.far_stream.send_all, b"\x82\x06\x30\x04\x00\x01c\x00")
        await trio.testing.wait_all_tasks_blocked()
        assert [event.topic for event in ends.client_events if isinstance(event, Publish)] == ["b"]
        ends.server.resume()
        await ends.client.drained()
        await trio.testing.wait_all_tasks_blocked()
        assert [ends.client.congested] == [False]
        assert [event.topic for event in ends.client_events if isinstance(event, Publish)] == ["b", "c"]
        ends.close()


@trio_test
async def test_a_paused_pump_reads_nothing_and_keeps_its_deadlines(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.client.resume()  # not paused: nothing happens
        ends.client.pause()
        ends.server.link.send(Publish("b"), trio.current_time())
        ends.server.flush()
        await trio.sleep(1)
        # The step that was under way when it was paused still ends with the bytes that came.
        ends.server.link.send(Publish("c"), trio.current_time())
        ends.server.flush()
        await trio.sleep(50)
        assert [event.topic for event in ends.client_events if isinstance(event, Publish)] == ["b"]
        ends.client.resume()
        await trio.testing.wait_all_tasks_blocked()
        assert [event.topic for event in ends.client_events if isinstance(event, Publish)] == ["b", "c"]
        ends.close()


class Watched(MemoryStore):
    """Notes what had been written when it was asked to commit."""

    def __init__(self) -> None:
        super().__init__()
        self.stream: Recorded | None = None
        self.log: list[tuple[type, int]] = []

    def commit(self, changes: Sequence[Change]) -> None:
        assert self.stream is not None
        self.log += [(type(change), len(self.stream.writes)) for change in changes]
        super().commit(changes)


@trio_test
async def test_changes_are_stored_before_the_bytes_that_depend_on_them_leave(autojump_clock: MockClock) -> None:
    store = Watched()
    ends = Ends(store=store)
    store.stream = ends.stream
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        writes = len(ends.stream.writes)
        for _ in range(3):
            ends.client.link.send(Publish("a", b"", QoS.AT_LEAST_ONCE), trio.current_time())
        ends.client.flush()
        await trio.testing.wait_all_tasks_blocked()
        stored = [written for kind, written in store.log if kind is OutgoingStored]
        assert stored == [writes] * 3
        assert len(ends.stream.writes) == writes + 1
        ends.close()
    state = store.load()
    assert state is not None
    assert len(state.outgoing) == 3


class Full(MemoryStore):
    """Has room for so many commits."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def commit(self, changes: Sequence[Change]) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError("no space left")
        super().commit(changes)


@trio_test
async def test_a_store_that_fails_ends_the_connection_and_nothing_unstored_leaves(autojump_clock: MockClock) -> None:
    ends = Ends(store=Full(1))
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.client.link.send(Publish("a", b"", QoS.AT_LEAST_ONCE), trio.current_time())
        ends.client.flush()
    error = only(ends.client_events, Closed).error
    assert isinstance(error, StoreFailed)
    assert str(error) == "the store has failed: no space left"
    assert isinstance(error.__cause__, OSError)
    assert not [event for event in ends.server_events if isinstance(event, Publish)]
    heard = only(ends.server_events, Closed).error
    assert isinstance(heard, ConnectionLost)
    assert heard.close_code == 1011
    assert ends.stream.closed
    assert trio.current_time() == 0


@trio_test
async def test_a_store_that_fails_at_the_end_is_what_the_end_says(autojump_clock: MockClock) -> None:
    """PUBACK and the end of the stream come together: the end is told when the first is stored, or cannot be."""
    ends = Ends(store=Full(2))
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.client.link.send(Publish("a", b"", QoS.AT_LEAST_ONCE), trio.current_time())
        ends.client.flush()
        await trio.testing.wait_all_tasks_blocked()
        ends.server.link.acknowledge(only(ends.server_events, Publish))
        ends.server.link.send(Disconnect(ReasonCode.SERVER_SHUTTING_DOWN), trio.current_time())
        ends.server.flush()
    assert [type(event) for event in ends.client_events][-3:] == [Delivered, Disconnect, Closed]
    assert isinstance(ends.client_events[-1].error, StoreFailed)  # type: ignore[union-attr]


class Gated(MemoryStore):
    """A store that blocks: each commit waits in its thread until the test lets it pass."""

    client_id = None

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[list[Change]] = []
        self.started = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)
        self.threads: set[int] = set()

    def claim(self, client_id: str) -> None:
        raise AssertionError("a pump knows no client identifiers")

    def commit(self, changes: Sequence[Change]) -> None:
        self.threads.add(threading.get_ident())
        self.begun.append(list(changes))
        self.started.release()
        assert self.gate.acquire(timeout=20)
        super().commit(changes)

    async def has_begun(self) -> None:
        """Wait for the next commit, and until nobody else has anything to do."""
        assert await trio.to_thread.run_sync(lambda: self.started.acquire(timeout=20))
        await trio.testing.wait_all_tasks_blocked()


@trio_test
async def test_a_store_that_blocks_does_so_in_a_thread_and_reading_goes_on() -> None:
    store = Gated()
    ends = Ends(store=store)
    client, server = ends.client, ends.server

    def arrived(events: Sequence[LinkEvent]) -> list[bytes]:
        return [event.payload for event in events if isinstance(event, Publish)]

    def publish(payload: bytes) -> None:
        client.link.send(Publish("a", payload, QoS.AT_LEAST_ONCE), trio.current_time())
        client.flush()

    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        client.link.send(Connect(client_id="a"), trio.current_time())
        client.flush()
        await store.has_begun()
        for payload in (b"1", b"2", b"3"):
            publish(payload)
        store.gate.release()
        await store.has_begun()
        # Reading goes on, further changes wait for the next commit, and nothing leaves that is not stored.
        server.link.send(Publish("b", b"hi"), trio.current_time())
        server.flush()
        publish(b"4")
        await trio.testing.wait_all_tasks_blocked()
        assert (arrived(ends.client_events), arrived(ends.server_events)) == ([b"hi"], [])
        store.gate.release()
        await store.has_begun()
        assert arrived(ends.server_events) == [b"1", b"2", b"3"]
        store.gate.release()
        ends.close()
    assert arrived(ends.server_events) == [b"1", b"2", b"3", b"4"]
    assert [len(changes) for changes in store.begun] == [1, 3, 1]
    assert threading.get_ident() not in store.threads


@trio_test
async def test_the_end_is_told_when_everything_is_stored() -> None:
    store = Gated()
    ends = Ends(store=store)
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        ends.client.link.send(Connect(client_id="a"), trio.current_time())
        ends.client.flush()
        await store.has_begun()
        await ends.far_stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert ends.client.link.connection.closed
        assert Closed not in {type(event) for event in ends.client_events}
        store.gate.release()
    assert isinstance(only(ends.client_events, Closed).error, ConnectionLost)
    assert store.load() == SessionState()


@trio_test
async def test_a_cancelled_writer_finishes_its_commit_and_closes_the_stream() -> None:
    store = Gated()
    ends = Ends(store=store)
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        ends.client.link.send(Connect(client_id="a"), trio.current_time())
        ends.client.flush()
        await store.has_begun()
        nursery.cancel_scope.cancel()
        store.gate.release()
    assert ends.client.link.connection.session.journal.settled
    assert store.load() == SessionState()
    assert ends.stream.closed


@trio_test
async def test_a_cancelled_writer_closes_the_stream() -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    assert ends.stream.closed
    assert ends.far_stream.closed


@trio_test
async def test_waiting_for_room_ends_when_nothing_will_be_written_any_more(autojump_clock: MockClock) -> None:
    ends = Ends(lockstep=True, high_water=1_000)
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.server.pause()
        await trio.sleep(1)
        for _ in range(3):
            ends.client.link.send(Publish("a", bytes(2_000)), trio.current_time())
            ends.client.flush()
            await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ends.client.drained)  # two may wait
        nursery.start_soon(ends.client.drained)
        await trio.testing.wait_all_tasks_blocked()
        await ends.stream.inner.aclose()
        await ends.client.drained()
        nursery.cancel_scope.cancel()
    assert ends.stream.closed


@trio_test
async def test_a_wire_that_takes_no_more_is_noticed_although_nothing_was_to_be_read(autojump_clock: MockClock) -> None:
    ends = Ends()
    async with trio.open_nursery() as nursery:
        ends.start(nursery)
        await ends.connect()
        ends.client.pause()
        ends.server.link.send(Publish("b"), trio.current_time())
        ends.server.flush()  # ends the step that was under way
        await trio.testing.wait_all_tasks_blocked()
        ends.stream.send_breaks = True
        ends.client.link.send(Publish("a"), trio.current_time())
        ends.client.flush()
        await trio.sleep(2)
        closed = ends.client_events[-1]
        assert isinstance(closed, Closed)
        assert isinstance(closed.error, ConnectionLost)
        nursery.cancel_scope.cancel()
