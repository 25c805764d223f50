"""The journal counts: over several commits, and over several connections on one Session."""

from __future__ import annotations

from mqttws.codec import ConnAck, Connect, Publish, encode
from mqttws.session import Connection, IncomingStored, OutgoingStored, Session
from mqttws.session.journal import Journal
from mqttws.vocabulary import QoS, Role


def test_every_change_is_given_once_and_in_order() -> None:
    journal = Journal()
    for packet_id in (1, 2):
        journal.record(IncomingStored(packet_id))
    assert journal.changes() == [IncomingStored(1), IncomingStored(2)]
    journal.record(IncomingStored(3))
    assert journal.changes() == []
    journal.committed()
    assert journal.changes() == [IncomingStored(3)]
    journal.committed()
    assert journal.changes() == []


def test_it_is_settled_when_what_was_recorded_is_stored() -> None:
    journal = Journal()
    assert (journal.settled, journal.recorded, journal.stored) == (True, 0, 0)
    journal.record(IncomingStored(1))
    journal.changes()
    journal.record(IncomingStored(2))
    assert (journal.settled, journal.recorded, journal.stored) == (False, 2, 0)
    journal.committed()
    assert (journal.settled, journal.recorded, journal.stored) == (False, 2, 1)
    journal.changes()
    journal.committed()
    assert (journal.settled, journal.recorded, journal.stored) == (True, 2, 2)


def test_committing_nothing_counts_nothing() -> None:
    journal = Journal()
    journal.record(IncomingStored(1))
    journal.committed()
    assert (journal.settled, journal.stored) == (False, 0)
    assert journal.changes() == [IncomingStored(1)]


def open_on(session: Session) -> Connection:
    """A client's connection that resumes a Session and has sent its CONNECT."""
    client = Connection(Role.CLIENT, session=session)
    client.send(Connect(client_id="c", clean_start=False), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(True)), 0)
    return client


def test_what_one_connection_waits_for_may_be_stored_through_another() -> None:
    """A client that moves has two connections on one Session for a moment."""
    session = Session(durable=True)
    old = open_on(session)
    sent = old.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0)
    new = Connection(Role.CLIENT, session=session)
    assert new.changes() == [OutgoingStored(sent)]  # type: ignore[arg-type]
    assert old.changes() == []
    assert old.data_to_send(0) == b""
    new.committed()
    assert old.data_to_send(0) == encode(sent)


def test_a_commit_that_outlives_its_connection_counts_for_the_next() -> None:
    session = Session(durable=True)
    old = open_on(session)
    sent = old.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0)
    assert old.changes() == [OutgoingStored(sent)]  # type: ignore[arg-type]
    old.receive_eof(0)
    new = Connection(Role.CLIENT, session=session)
    connect = Connect(client_id="c", clean_start=False)
    new.send(connect, 0)
    assert new.data_to_send(0) == b""
    old.committed()
    assert new.data_to_send(0) == encode(connect)
