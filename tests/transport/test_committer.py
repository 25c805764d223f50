"""Committer: one commit at a time, in the order of the changes, whoever asks for it and whatever is cancelled."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
import trio
import trio.testing
from trio.testing import trio_test

from mqttws.errors import StoreFailed
from mqttws.session import Change, IncomingStored, MemoryStore, Session, SessionState
from mqttws.transport import Committer


class Broken(MemoryStore):
    """Fails as it is told; counts how often it was asked."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error: Exception | None = error
        self.asked = 0

    def commit(self, changes: Sequence[Change]) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error
        super().commit(changes)


class Blocking(Broken):
    """The same as a store on a disk would be, slow if the test holds it up."""

    client_id = None

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__(error or OSError())
        self.error = error
        self.sizes: list[int] = []
        self.begun = threading.Semaphore(0)
        self.gate = threading.Semaphore(0)

    def claim(self, client_id: str) -> None:
        raise AssertionError("a committer knows no client identifiers")

    def commit(self, changes: Sequence[Change]) -> None:
        self.sizes.append(len(changes))
        self.begun.release()
        assert self.gate.acquire(timeout=20)
        super().commit(changes)

    async def has_begun(self) -> None:
        """Wait for the next commit."""
        assert await trio.to_thread.run_sync(lambda: self.begun.acquire(timeout=20))


def durable() -> tuple[Session, MemoryStore, Committer]:
    session, store = Session(durable=True), MemoryStore()
    return session, store, Committer(session, store)


@trio_test
async def test_a_store_in_memory_is_asked_at_once() -> None:
    session, store, committer = durable()
    session.record(IncomingStored(1))
    assert [committer.settled] == [False]
    await committer.commit()
    assert [committer.settled] == [True]
    assert store.load() == SessionState(incoming={1})


@trio_test
async def test_without_changes_there_is_no_commit() -> None:
    _, store, committer = durable()
    await committer.commit()
    assert store.load() is None


@trio_test
async def test_what_waits_for_a_change_is_done_when_it_is_stored_and_in_order() -> None:
    session, _, committer = durable()
    done: list[int] = []
    committer.when_stored(lambda: done.append(0))
    assert done == [0]
    session.record(IncomingStored(1))
    committer.when_stored(lambda: done.append(1))
    session.record(IncomingStored(2))
    committer.when_stored(lambda: done.append(2))
    assert done == [0]
    await committer.commit()
    assert done == [0, 1, 2]


@trio_test
async def test_what_changes_during_a_commit_waits_for_the_next() -> None:
    session, store = Session(durable=True), Blocking()
    committer = Committer(session, store)
    done: list[int] = []
    session.record(IncomingStored(1))
    committer.when_stored(lambda: done.append(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.commit)
        await store.has_begun()
        session.record(IncomingStored(2))
        committer.when_stored(lambda: done.append(2))
        store.gate.release()
    assert done == [1]
    store.gate.release()
    await committer.commit()
    assert done == [1, 2]
    assert store.sizes == [1, 1]


@trio_test
async def test_many_who_ask_together_are_served_by_as_few_commits_as_there_can_be() -> None:
    session, store = Session(durable=True), Blocking()
    committer = Committer(session, store)
    session.record(IncomingStored(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.commit)
        await store.has_begun()
        for number in range(2, 6):
            session.record(IncomingStored(number))
            nursery.start_soon(committer.commit)
        for _ in range(2):
            store.gate.release()
    assert store.sizes == [1, 4]
    assert committer.settled
    assert store.load() == SessionState(incoming={1, 2, 3, 4, 5})


@trio_test
async def test_what_no_write_waits_for_is_stored_soon() -> None:
    session, store, committer = durable()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.run)
        for number in (1, 2):
            session.record(IncomingStored(number))
            committer.soon()
            await trio.testing.wait_all_tasks_blocked()
            assert store.load() == SessionState(incoming=set(range(1, number + 1)))
        nursery.cancel_scope.cancel()
    assert committer.settled


@trio_test
async def test_cancelled_it_finishes_first() -> None:
    session, store = Session(durable=True), Blocking()
    committer = Committer(session, store)
    session.record(IncomingStored(1))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(committer.commit)
        await store.has_begun()
        nursery.cancel_scope.cancel()
        store.gate.release()
    assert committer.settled
    with trio.CancelScope() as scope:
        scope.cancel()
        session.record(IncomingStored(2))
        store.gate.release()
        await committer.commit()
    assert committer.settled
    assert store.load() == SessionState(incoming={1, 2})


ERRORS = [
    pytest.param(OSError("no space left"), "the store has failed: no space left", OSError, id="any"),
    pytest.param(KeyError(), "the store has failed: KeyError", KeyError, id="without a word"),
    pytest.param(StoreFailed("the store x is closed"), "the store x is closed", type(None), id="its own"),
]


@pytest.mark.parametrize("blocks", [False, True])
@pytest.mark.parametrize(("error", "words", "cause"), ERRORS)
@trio_test
async def test_every_failure_is_one_kind_of_error_and_the_store_is_asked_no_more(
    blocks: bool, error: Exception, words: str, cause: type
) -> None:
    session = Session(durable=True)
    store = Blocking(error) if blocks else Broken(error)
    if isinstance(store, Blocking):
        store.gate.release()
    committer = Committer(session, store)
    done: list[int] = []
    session.record(IncomingStored(1))
    committer.when_stored(lambda: done.append(1))
    raised = []
    for _ in range(2):
        with pytest.raises(StoreFailed) as caught:
            await committer.commit()
        raised.append(caught.value)
        assert str(caught.value) == words
        assert type(caught.value.__cause__) is cause
        store.error = None
    assert raised[0] is not raised[1]
    assert (store.asked, done, committer.settled) == (1, [], False)
