"""A Session in a file: what was under way survives the process."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self

from mqttws.codec import Publish, decode, encode
from mqttws.errors import MqttError, StoreFailed
from mqttws.session import (
    Change,
    IncomingStored,
    OutgoingEnded,
    OutgoingReleased,
    OutgoingStored,
    SessionBegan,
    SessionState,
    WaitingEnded,
    WaitingStored,
)
from mqttws.vocabulary import ProtocolVersion, QoS

__all__ = ["SQLiteStore"]

#: Says in the header of a database that it is one of ours ("MQWS").
APPLICATION_ID: Final = 0x4D515753
#: What this version of the package writes. A file of a higher one is refused; a lower one would be brought up to date.
SCHEMA_VERSION: Final = 1

#: Messages are kept as 5.0 PUBLISH packets, whatever the version of the Client: that has room for all of them.
FORMAT: Final = ProtocolVersion.V5

_SCHEMA: Final = (
    # The one row is there once a Session was begun. NULL: nobody has said whose.
    "CREATE TABLE session (number INTEGER PRIMARY KEY CHECK (number = 1), client_id TEXT)",
    """CREATE TABLE outgoing (
        position INTEGER PRIMARY KEY,
        packet_id INTEGER NOT NULL UNIQUE,
        released INTEGER NOT NULL DEFAULT 0,
        packet BLOB NOT NULL
    )""",
    "CREATE TABLE incoming (packet_id INTEGER PRIMARY KEY CHECK (packet_id BETWEEN 1 AND 65535))",
    "CREATE TABLE waiting (number INTEGER PRIMARY KEY, packet BLOB NOT NULL)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class SQLiteStore:
    """A :class:`~mqttws.session.Store` in one SQLite file: one Client's Session, in use by one process at a time.

    The file is made if there is none, readable by its owner only, for it holds payloads; beside it SQLite keeps
    ``…-wal`` while it is open. It remembers the client identifier whose Session it has: a client opened without one
    takes it, and one with another is refused. Messages at QoS 1 and 2 that were published and not completed are in it,
    those that wait for a connection too, and the identifiers of received QoS 2 messages. What the store has of one
    process the next one sends; a Message Expiry Interval then begins anew.

    With ``synchronous="full"`` what was committed survives a power cut, as far as the disk keeps its word; with
    ``"normal"`` it survives the end of the process by any means, and costs no wait for the disk.

    Every failure is a :class:`~mqttws.errors.StoreFailed`: a file that cannot be opened, is no such store, is written
    by a newer version, belongs to another client or is open elsewhere; a full disk; a store that was closed. Close it
    behind the client's block, by :meth:`close` or as a context manager.
    """

    def __init__(self, path: str | os.PathLike[str], *, synchronous: Literal["full", "normal"] = "full") -> None:
        if synchronous not in ("full", "normal"):
            raise ValueError(f"synchronous is 'full' or 'normal', not {synchronous!r}")
        self.path = Path(path).absolute()
        #: One transaction at a time, in whichever thread; closing waits for it.
        self._guard = threading.Lock()
        self._closed = False
        with self._failing("cannot be opened"):
            # Not if it exists: closing a file that is open elsewhere in this process would give up SQLite's lock on it.
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, 0o600))
            self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            with self._failing("cannot be opened"):
                self._prepare(synchronous)
                row = self._database.execute("SELECT client_id FROM session").fetchone()
                self._position = self._last_position()
        except BaseException:
            self._database.close()
            raise
        self._begun = self._named = row is not None
        self._client_id: str | None = row[0] if row else None

    def __repr__(self) -> str:
        return f"<SQLiteStore {str(self.path)!r}{' closed' if self._closed else ''}>"

    @property
    def client_id(self) -> str | None:
        """Whose Session this is; None while nobody has said so."""
        return self._client_id

    def claim(self, client_id: str) -> None:
        """Use the store for this client from now on; written down with the next commit.

        Raises :class:`StoreFailed` where the Session in it is another's.
        """
        if self._begun and self._client_id not in (None, client_id):
            raise StoreFailed(
                f"the store {self.path} holds the Session of client {self._client_id!r}, not of {client_id!r}"
            )
        self._named = self._named and self._client_id == client_id
        self._client_id = client_id

    def load(self) -> SessionState | None:
        """The stored state, or None where no Session was ever begun."""
        with self._guard, self._failing("cannot be read"):
            self._check_open()
            if not self._begun:
                return None
            rows = self._database.execute("SELECT packet, released FROM outgoing ORDER BY position")
            state = SessionState()
            for packet, released in rows:
                publish = _publish(packet)
                assert publish.packet_id is not None  # the codec lets no QoS 1 or 2 PUBLISH without identifier pass
                state.outgoing[publish.packet_id] = (publish, bool(released))
            state.incoming.update(key for (key,) in self._database.execute("SELECT packet_id FROM incoming"))
            for number, packet in self._database.execute("SELECT number, packet FROM waiting ORDER BY number"):
                publish = _publish(packet)
                publish.packet_id = None
                state.waiting[number] = publish
            return state

    def commit(self, changes: Sequence[Change]) -> None:
        """Store all of ``changes`` or, where that fails, none. Waits for the disk; may be called in any thread."""
        with self._guard, self._failing("cannot be written"):
            self._check_open()
            with self._transaction():
                if not self._named:
                    self._database.execute("INSERT OR REPLACE INTO session VALUES (1, ?)", (self._client_id,))
                for change in changes:
                    self._apply(change)
            self._begun = self._named = True

    def close(self) -> None:
        """Let go of the file; another may open it. A commit that is under way is waited for. May be called again."""
        with self._guard, self._failing("cannot be closed"):
            self._closed = True
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _prepare(self, synchronous: str) -> None:
        """See that the file is ours and lock it; give a new one its tables."""
        execute = self._database.execute
        # Set before the first access, it also spares the shared memory file of WAL, which network disks cannot do.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        with self._transaction():
            application, version = self._number("PRAGMA application_id"), self._number("PRAGMA user_version")
            if not self._number("SELECT count(*) FROM sqlite_master") and (application, version) == (0, 0):
                for statement in _SCHEMA:
                    execute(statement)
            elif application != APPLICATION_ID or version < 1:
                raise StoreFailed(f"{self.path} is a database, but not the store of a Session")
            elif version > SCHEMA_VERSION:
                raise StoreFailed(
                    f"the store {self.path} was written by a newer mqttws (schema {version}, this one knows"
                    f" {SCHEMA_VERSION})"
                )
        execute("PRAGMA journal_mode = WAL")
        execute(f"PRAGMA synchronous = {synchronous}")

    def _number(self, query: str) -> int:
        (number,) = self._database.execute(query).fetchone()
        return int(number)

    def _last_position(self) -> int:
        return self._number("SELECT coalesce(max(position), 0) FROM outgoing")

    def _apply(self, change: Change) -> None:
        """As :meth:`SessionState.apply <mqttws.session.SessionState.apply>` does in memory."""
        execute = self._database.execute
        match change:
            case SessionBegan():
                execute("DELETE FROM outgoing")
                execute("DELETE FROM incoming")
            case OutgoingStored(publish):
                self._position += 1
                execute(
                    "INSERT INTO outgoing (position, packet_id, packet) VALUES (?, ?, ?)",
                    (self._position, publish.packet_id, encode(publish, FORMAT)),
                )
            case OutgoingReleased(packet_id):
                # To the end: PUBRELs leave in the order of the PUBRECs [MQTT-4.6.0-4].
                self._position += 1
                execute(
                    "UPDATE outgoing SET position = ?, released = 1 WHERE packet_id = ?", (self._position, packet_id)
                )
            case OutgoingEnded(packet_id):
                execute("DELETE FROM outgoing WHERE packet_id = ?", (packet_id,))
            case IncomingStored(packet_id):
                execute("INSERT OR IGNORE INTO incoming VALUES (?)", (packet_id,))
            case WaitingStored(number, publish):
                # It has no identifier yet, and at QoS 1 and 2 there is no packet without one.
                numbered = replace(publish, packet_id=1)
                execute("INSERT INTO waiting VALUES (?, ?)", (number, encode(numbered, FORMAT)))
            case WaitingEnded(number):
                execute("DELETE FROM waiting WHERE number = ?", (number,))
            case _:
                execute("DELETE FROM incoming WHERE packet_id = ?", (change.packet_id,))

    def _check_open(self) -> None:
        if self._closed:
            raise StoreFailed(f"the store {self.path} is closed")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN EXCLUSIVE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:  # a full disk may have ended it already
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """Turn everything that may go wrong with a file into one kind of error."""
        try:
            yield
        except StoreFailed:
            raise
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
                raise StoreFailed(f"the store {self.path} is in use, by another process or by this one") from error
            raise StoreFailed(f"the store {self.path} {what}: {error}") from error
        except (sqlite3.Error, OSError, MqttError) as error:
            raise StoreFailed(f"the store {self.path} {what}: {error}") from error


def _publish(data: bytes) -> Publish:
    packet = decode(data, FORMAT)
    if not isinstance(packet, Publish) or packet.qos == QoS.AT_MOST_ONCE:
        raise MqttError("it holds what is no message at QoS 1 or 2")
    return packet
