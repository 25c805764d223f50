"""SQLiteStore: keeps what a Session was, refuses every file that it cannot vouch for, and says why."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws import SQLiteStore
from mqttws.client.sqlite_store import APPLICATION_ID, SCHEMA_VERSION
from mqttws.codec import PubAck, Publish, encode
from mqttws.errors import StoreFailed
from mqttws.session import (
    Change,
    DurableStore,
    IncomingEnded,
    IncomingStored,
    MemoryStore,
    OutgoingEnded,
    OutgoingReleased,
    OutgoingStored,
    SessionBegan,
    SessionState,
    WaitingEnded,
    WaitingStored,
)
from mqttws.vocabulary import QoS

ONCE, TWICE = QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.db"


def message(packet_id: int, payload: bytes = b"hi", qos: QoS = TWICE) -> Publish:
    return Publish("a/b", payload, qos, packet_id=packet_id)


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    """The file as SQLite has it, behind the store's back."""
    with closing(sqlite3.connect(path)) as database, database:
        yield database


class TestKeeping:
    def test_a_new_store_has_no_session_and_no_owner(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            assert store.load() is None
            assert store.client_id is None
            assert isinstance(store, DurableStore)
            assert not isinstance(MemoryStore(), DurableStore)

    def test_what_was_committed_is_there_when_it_is_opened_again(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.claim("me")
            store.commit([SessionBegan(), OutgoingStored(message(3)), OutgoingStored(message(1, qos=ONCE))])
            store.commit([OutgoingReleased(3), IncomingStored(9), IncomingStored(8)])
            store.commit([IncomingEnded(8)])
        with SQLiteStore(path) as store:
            assert store.client_id == "me"
            state = store.load()
        assert state == SessionState({1: (message(1, qos=ONCE), False), 3: (message(3), True)}, {9})
        assert list(state.outgoing) == [1, 3]

    def test_new_messages_come_behind_those_of_before(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(number)) for number in (9, 8)])
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(7))])
            state = store.load()
        assert state is not None
        assert list(state.outgoing) == [9, 8, 7]

    def test_an_identifier_can_be_used_again_in_one_transaction(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1, b"old"))])
            store.commit([OutgoingEnded(1), OutgoingStored(message(1, b"new"))])
            assert store.load() == SessionState({1: (message(1, b"new"), False)})

    def test_a_new_session_forgets_the_one_before(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1)), IncomingStored(2)])
            store.commit([SessionBegan()])
            assert store.load() == SessionState()

    def test_messages_that_wait_are_kept_in_the_order_of_their_numbers_and_outlive_the_session(
        self, path: Path
    ) -> None:
        waiting = {number: Publish("a", b"%d" % number, ONCE) for number in (3, 1, -2)}
        with SQLiteStore(path) as store:
            store.commit([WaitingStored(number, publish) for number, publish in waiting.items()])
            store.commit([SessionBegan(), WaitingEnded(3)])
        with SQLiteStore(path) as store:
            state = store.load()
        assert state is not None
        assert list(state.waiting.items()) == [(-2, waiting[-2]), (1, waiting[1])]

    def test_all_properties_of_a_message_are_kept(self, path: Path) -> None:
        sent = Publish(
            "a",
            b"\x00\xff",
            ONCE,
            retain=True,
            packet_id=65_535,
            properties={
                "message_expiry_interval": 7,
                "correlation_data": b"\x00",
                "user_property": [("a", "1"), ("a", "2")],
            },
        )
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(sent)])
            assert store.load() == SessionState({65_535: (sent, False)})

    def test_only_its_owner_can_read_the_file(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1))])
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        assert modes == {"session.db": 0o600, "session.db-wal": 0o600}

    def test_closing_leaves_one_file(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([SessionBegan()])
        assert os.listdir(path.parent) == ["session.db"]

    def test_a_name_that_sqlite_gives_a_meaning_is_a_file_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with SQLiteStore(":memory:") as store:
            store.commit([SessionBegan()])
        assert os.listdir(tmp_path) == [":memory:"]

    def test_it_can_be_told_not_to_wait_for_the_disk(self, path: Path) -> None:
        with SQLiteStore(path, synchronous="normal") as store:
            store.commit([IncomingStored(1)])
        with SQLiteStore(path) as store:
            assert store.load() == SessionState(incoming={1})

    def test_any_other_word_for_that_is_refused(self, path: Path) -> None:
        with pytest.raises(ValueError, match="'full' or 'normal', not 'off'"):
            SQLiteStore(path, synchronous="off")  # type: ignore[arg-type]
        assert not path.exists()

    def test_its_repr_has_the_path_and_whether_it_is_closed(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            assert repr(store) == f"<SQLiteStore {str(path)!r}>"
        assert repr(store) == f"<SQLiteStore {str(path)!r} closed>"


#: What may happen to one identifier, as the state of the exchange allows it; see the test below.
STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "release", "end", "take", "free", "begin", "wait", "leave"]), st.integers(1, 4)),
    max_size=30,
)


@settings(max_examples=25)  # each makes a file, and waits for the disk
@given(st.binary(max_size=20), STEPS, st.integers(1, 5))
def test_it_keeps_what_the_memory_keeps(payload: bytes, steps: list[tuple[str, int]], batch: int) -> None:
    """Any order of changes that a Session can make, in transactions of any size, opened again at the end."""
    memory = MemoryStore()
    changes: list[Change] = []
    shadow = SessionState()
    for step, packet_id in steps:
        change: Change
        if step == "send" and packet_id not in shadow.outgoing:
            change = OutgoingStored(message(packet_id, payload))
        elif step == "release" and packet_id in shadow.outgoing:
            change = OutgoingReleased(packet_id)
        elif step == "end" and packet_id in shadow.outgoing:
            change = OutgoingEnded(packet_id)
        elif step in ("take", "free"):
            change = IncomingStored(packet_id) if step == "take" else IncomingEnded(packet_id)
        elif step == "wait" and packet_id not in shadow.waiting:
            change = WaitingStored(packet_id, Publish("a", payload, ONCE))
        elif step == "leave" and packet_id in shadow.waiting:
            change = WaitingEnded(packet_id)
        else:
            change = SessionBegan()
        shadow.apply(change)
        changes.append(change)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "session.db"
        with SQLiteStore(path, synchronous="normal") as store:
            for start in range(0, len(changes), batch):
                store.commit(changes[start : start + batch])
                memory.commit(changes[start : start + batch])
            kept = store.load()
        with SQLiteStore(path) as store:
            again = store.load()
    expected = memory.load()
    assert again == kept == expected
    if again is not None and expected is not None:
        assert list(again.outgoing) == list(expected.outgoing)


class TestOwner:
    def test_the_session_of_another_client_is_refused(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.claim("me")
            store.commit([SessionBegan()])
        with SQLiteStore(path) as store:
            store.claim("me")
            with pytest.raises(StoreFailed, match="holds the Session of client 'me', not of 'you'"):
                store.claim("you")
            assert store.client_id == "me"

    def test_a_claim_is_forgotten_if_no_session_comes_of_it(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.claim("me")
        with SQLiteStore(path) as store:
            assert store.client_id is None
            store.claim("you")
            store.commit([SessionBegan()])
            assert store.client_id == "you"

    def test_a_session_that_nobody_has_claimed_is_the_first_ones(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([IncomingStored(1)])
        with SQLiteStore(path) as store:
            store.claim("me")
            store.commit([IncomingStored(2)])
        with SQLiteStore(path) as store:
            assert store.client_id == "me"
            assert store.load() == SessionState(incoming={1, 2})


class TestRefusing:
    def test_a_second_store_on_the_same_file_is_refused_and_harms_nothing(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([SessionBegan()])
            with pytest.raises(StoreFailed, match=r"session\.db is in use, by another process or by this one"):
                SQLiteStore(path)
            store.commit([IncomingStored(1)])
            assert store.load() == SessionState(incoming={1})

    def test_a_second_process_on_the_same_file_is_refused_until_the_first_lets_go(self, path: Path) -> None:
        program = f"from mqttws import SQLiteStore\nwith SQLiteStore({str(path)!r}) as store:\n    print(store.load())"

        def other() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
            )

        with SQLiteStore(path) as store:
            store.commit([IncomingStored(1)])
            refused = other()
            store.commit([IncomingStored(2)])
        assert refused.returncode == 1
        assert "StoreFailed" in refused.stderr
        assert "is in use" in refused.stderr
        accepted = other()
        assert accepted.returncode == 0
        assert "incoming={1, 2}" in accepted.stdout

    def test_a_file_of_a_newer_version_is_refused_and_left_as_it_is(self, path: Path) -> None:
        SQLiteStore(path).close()
        with raw(path) as database:
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        before = path.read_bytes()
        with pytest.raises(StoreFailed, match=r"written by a newer mqttws \(schema 2, this one knows 1\)"):
            SQLiteStore(path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        "statements",
        [
            ["CREATE TABLE other (a)"],
            ["PRAGMA user_version = 1"],
            [f"PRAGMA application_id = {APPLICATION_ID}"],
            ["CREATE TABLE outgoing (a)", "PRAGMA user_version = 1"],
        ],
    )
    def test_another_database_is_refused_and_left_as_it_is(self, path: Path, statements: list[str]) -> None:
        with raw(path) as database:
            for statement in statements:
                database.execute(statement)
        before = path.read_bytes()
        with pytest.raises(StoreFailed, match="is a database, but not the store of a Session"):
            SQLiteStore(path)
        assert path.read_bytes() == before

    def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(self, path: Path) -> None:
        path.write_bytes(b"dear diary, " * 100)
        with pytest.raises(StoreFailed, match="cannot be opened: file is not a database") as caught:
            SQLiteStore(path)
        assert isinstance(caught.value.__cause__, sqlite3.DatabaseError)
        assert path.read_bytes() == b"dear diary, " * 100

    def test_an_empty_file_is_a_new_store(self, path: Path) -> None:
        path.touch()
        with SQLiteStore(path) as store:
            assert store.load() is None

    def test_a_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StoreFailed, match="cannot be opened: unable to open database file"):
            SQLiteStore(tmp_path)

    def test_a_file_in_a_folder_that_there_is_not_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StoreFailed, match=r"cannot be opened: .*No such file or directory"):
            SQLiteStore(tmp_path / "nowhere" / "session.db")

    @pytest.mark.parametrize(
        ("packet", "words"),
        [
            (b"\x32\x00", "cannot be read: "),
            (encode(PubAck(1)), "cannot be read: it holds what is no message at QoS 1 or 2"),
            (encode(Publish("a")), "cannot be read: it holds what is no message at QoS 1 or 2"),
        ],
    )
    def test_a_message_that_cannot_be_read_is_said(self, path: Path, packet: bytes, words: str) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1))])
        with raw(path) as database:
            database.execute("UPDATE outgoing SET packet = ?", (packet,))
        with SQLiteStore(path) as store, pytest.raises(StoreFailed, match=words):
            store.load()

    def test_a_store_without_its_tables_is_said(self, path: Path) -> None:
        SQLiteStore(path).close()
        with raw(path) as database:
            database.execute("DROP TABLE outgoing")
        with pytest.raises(StoreFailed, match="cannot be opened: no such table: outgoing"):
            SQLiteStore(path)


class TestFailing:
    def test_a_closed_store_says_so(self, path: Path) -> None:
        store = SQLiteStore(path)
        store.close()
        store.close()
        for call in (store.load, lambda: store.commit([SessionBegan()])):
            with pytest.raises(StoreFailed, match=r"session\.db is closed"):
                call()

    def test_a_commit_that_fails_stores_nothing(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1))])
            with pytest.raises(StoreFailed, match=r"cannot be written: UNIQUE constraint failed: outgoing\.packet_id"):
                store.commit([IncomingStored(5), OutgoingStored(message(2)), OutgoingStored(message(1))])
            assert store.load() == SessionState({1: (message(1), False)})
            store.commit([IncomingStored(6)])
            assert store.load() == SessionState({1: (message(1), False)}, {6})

    def test_a_full_disk_fails_the_commit_and_keeps_what_was_there(self, path: Path) -> None:
        with SQLiteStore(path) as store:
            store.commit([OutgoingStored(message(1))])
            with no_file_above(300_000), pytest.raises(StoreFailed, match=r"cannot be written: .*(full|I/O)"):
                store.commit([OutgoingStored(message(2, bytes(1_000_000)))])
            assert store.load() == SessionState({1: (message(1), False)})
        with SQLiteStore(path) as store:
            assert store.load() == SessionState({1: (message(1), False)})

    def test_closing_waits_for_a_commit_in_another_thread(self, path: Path) -> None:
        store = SQLiteStore(path)
        outcomes: list[object] = []

        def write() -> None:
            try:
                for number in range(1, 10_000):
                    store.commit([IncomingStored(number)])
                    outcomes.append(number)
            except StoreFailed as error:
                outcomes.append(str(error))

        thread = threading.Thread(target=write)
        thread.start()
        while not outcomes:
            thread.join(0.001)
        store.close()
        thread.join()
        assert outcomes[-1] == f"the store {path} is closed"
        with SQLiteStore(path) as again:
            assert again.load() == SessionState(incoming=set(range(1, len(outcomes))))


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """As if the disk were full: the system lets this process write no file beyond ``size`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
