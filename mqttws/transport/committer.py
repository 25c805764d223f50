"""Takes the changes of a Session to its store: in order, one commit at a time, in a thread where the store blocks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import trio

from mqttws.errors import StoreFailed
from mqttws.session import DurableStore, Session, Store

__all__ = ["Committer"]


class Committer:
    """One Session and its store, for all the pumps that work on that Session.

    A :class:`~mqttws.session.DurableStore` waits for a disk and commits in a thread of its own; any other, such as
    MemoryStore, at once. A store that has failed is asked no more: what it has missed it could not keep in order.
    """

    def __init__(self, session: Session, store: Store) -> None:
        self._journal = session.journal
        self._store = store
        self._blocks = isinstance(store, DurableStore)
        self._turn = trio.Lock()
        # Trio's common threads may all be waiting for something else.
        self._threads = trio.CapacityLimiter(1)
        self._error: Exception | None = None
        self._wanted = trio.Event()
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    @property
    def settled(self) -> bool:
        """Whether every change is stored."""
        return self._journal.settled

    async def commit(self) -> None:
        """Store every change made before this call, and return when that is done.

        It is a checkpoint only where the store blocks and there is something to store. Cancelled, it finishes first:
        what a disk was told it cannot unlearn. Raises :class:`~mqttws.errors.StoreFailed` whatever the store's own
        error was, and again at each further call.
        """
        if self.settled:
            return
        if self._blocks:
            with trio.CancelScope(shield=True):
                async with self._turn:
                    await self._commit_in_thread()
        else:
            self._commit()
        if self._error is not None:
            raise self._failure(self._error)
        while self._waiting and self._waiting[0][0] <= self._journal.stored:
            self._waiting.popleft()[1]()

    def soon(self) -> None:
        """Have :meth:`run` store the changes so far; for those that no write waits for."""
        self._wanted.set()

    async def run(self) -> None:
        """Commit whenever :meth:`soon` was called; to be run as a task, without end. Raises as :meth:`commit`."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            await self.commit()

    def when_stored(self, action: Callable[[], None]) -> None:
        """Call ``action`` once every change made so far is stored: at once, if it is. Never if the store fails."""
        if self.settled:
            action()
        else:
            self._waiting.append((self._journal.recorded, action))

    def _commit(self) -> None:
        if self._error is None:
            try:
                self._store.commit(self._journal.changes())
            except Exception as error:  # noqa: BLE001 - anybody's store, any error: it ends the client by one name
                self._error = error
            else:
                self._journal.committed()

    async def _commit_in_thread(self) -> None:
        # Whoever had the turn before may have stored everything.
        if self._error is None and (changes := self._journal.changes()):
            try:
                await trio.to_thread.run_sync(self._store.commit, changes, limiter=self._threads)
            except Exception as error:  # noqa: BLE001 - as above
                self._error = error
            else:
                self._journal.committed()

    @staticmethod
    def _failure(error: Exception) -> StoreFailed:
        """A new one each time: one object raised in two tasks mixes up their tracebacks."""
        if isinstance(error, StoreFailed):
            failure = StoreFailed(str(error))
            failure.__cause__ = error.__cause__
        else:
            failure = StoreFailed(f"the store has failed: {str(error) or type(error).__name__}")
            failure.__cause__ = error
        return failure
