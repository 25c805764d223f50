"""Reconnecting: what goes on, what is sent again, what is lost; and the journal that makes it durable."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import (
    ConnAck,
    Connect,
    Framer,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    Subscribe,
    Subscription,
    decode,
    encode,
)
from mqttws.codec.properties import ConnAckProperties
from mqttws.errors import RemoteProtocolError
from mqttws.session import (
    Closed,
    Connection,
    Delivered,
    IncomingEnded,
    IncomingStored,
    MemoryStore,
    OutgoingEnded,
    OutgoingReleased,
    OutgoingStored,
    Session,
    SessionBegan,
    SessionResumed,
    SessionStarted,
    SessionState,
    WaitingEnded,
    WaitingStored,
)
from mqttws.vocabulary import ProtocolVersion, QoS, ReasonCode, Role
from tests.pair import Pair, publishes

ONCE, TWICE = QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE
KEEP: Any = {"session_expiry_interval": 30}


def again(session: Session, *, present: bool = True, connack: Any = None, version: int = 5) -> Connection:
    """A Client that has come back with its Session."""
    client = Connection(Role.CLIENT, session=session)
    client.send(Connect(version=ProtocolVersion(version), client_id="c", clean_start=False), 0)
    client.data_to_send(0)
    client.receive_data(encode(ConnAck(present, properties=connack or ConnAckProperties()), version), 0)
    return client


def wire(data: bytes) -> list[Any]:
    """The packets in some bytes."""
    framer = Framer(5)
    framer.receive_data(data)
    return list(framer.packets())


class TestSender:
    """What we had under way."""

    def test_publish_goes_out_again_with_dup_and_pubrel_as_itself(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        for number in range(4):
            pair.client.send(Publish("a", b"%d" % number, TWICE if number % 2 else ONCE), 0)
        pair.client.data_to_send(0)
        pair.client.receive_data(encode(PubRec(4)) + encode(PubRec(2)), 0)
        pair.client.receive_eof(0)
        client = again(session)
        assert client.events()[1:] == [SessionResumed(4)]
        assert wire(client.data_to_send(0)) == [
            PubRel(4),
            PubRel(2),
            Publish("a", b"0", ONCE, dup=True, packet_id=1),
            Publish("a", b"2", ONCE, dup=True, packet_id=3),
        ]
        client.receive_data(encode(PubComp(2)) + encode(PubAck(1)), 0)
        assert [event.packet_id for event in client.events() if isinstance(event, Delivered)] == [2, 1]

    def test_what_was_never_given_out_is_sent_all_the_same(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        pair.client.send(Publish("a", b"x", ONCE), 0)
        pair.client.receive_eof(0)
        assert wire(again(session).data_to_send(0)) == [Publish("a", b"x", ONCE, dup=True, packet_id=1)]

    def test_old_messages_keep_to_the_new_receive_maximum_and_go_before_new_ones(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        for _ in range(3):
            pair.client.send(Publish("a", b"", ONCE), 0)
        pair.client.receive_eof(0)
        client = again(session, connack={"receive_maximum": 2})
        assert [packet.packet_id for packet in wire(client.data_to_send(0))] == [1, 2]
        assert client.send_quota == 0
        client.receive_data(encode(PubAck(1)), 0)
        assert [packet.packet_id for packet in wire(client.data_to_send(0))] == [3]
        assert client.send_quota == 0
        client.receive_data(encode(PubAck(2)), 0)
        assert client.send_quota == 1

    def test_an_acknowledgement_for_what_was_not_sent_again_is_a_protocol_error(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        for _ in range(2):
            pair.client.send(Publish("a", b"", ONCE), 0)
        client = again(session, connack={"receive_maximum": 1})
        client.receive_data(encode(PubAck(2)), 0)
        closed = client.events()[-1]
        assert isinstance(closed, Closed)
        assert isinstance(closed.error, RemoteProtocolError)

    @pytest.mark.parametrize(
        ("limit", "code"),
        [
            ({"maximum_qos": 0}, ReasonCode.QOS_NOT_SUPPORTED),
            ({"retain_available": 0}, ReasonCode.RETAIN_NOT_SUPPORTED),
            ({"maximum_packet_size": 50}, ReasonCode.PACKET_TOO_LARGE),
        ],
    )
    def test_what_new_limits_forbid_is_given_up_and_reported(self, limit: Any, code: ReasonCode) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        pair.client.send(Publish("a", bytes(100), ONCE, retain=True), 0)
        client = again(session, connack=limit)
        told = [event for event in client.events() if isinstance(event, Delivered)]
        assert [(event.packet_id, event.reason_code) for event in told] == [(1, code)]
        assert client.data_to_send(0) == b""
        assert len(session.outgoing) == 0

    def test_no_room_for_pubrel_is_the_servers_fault(self) -> None:
        session = Session(SessionState(outgoing={1: (Publish("a", b"", TWICE, packet_id=1), True)}))
        client = again(session, connack={"maximum_packet_size": 3})
        assert client.events()[-1].error.reason_code is ReasonCode.PACKET_TOO_LARGE  # type: ignore[union-attr]

    def test_an_alias_does_not_outlive_its_connection(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(
            Connect(client_id="c", properties=KEEP), ConnAck(properties={"topic_alias_maximum": 5})
        )
        pair.client.send(Publish("name", b"", ONCE, properties={"topic_alias": 1}), 0)
        pair.client.send(Publish("", b"", ONCE, properties={"topic_alias": 1, "content_type": "x"}), 0)
        first, second = wire(again(session).data_to_send(0))
        assert (first.topic, first.properties) == ("name", {})
        assert (second.topic, second.properties) == ("name", {"content_type": "x"})

    def test_requests_do_not_outlive_it_either(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        pair.client.send(Subscribe(0, [Subscription("a")]), 0)
        pair.client.receive_eof(0)
        client = again(session)
        assert client.data_to_send(0) == b""
        assert session.outgoing.get(1) is None

    def test_a_lost_session_is_reported(self) -> None:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        sent = pair.client.send(Publish("a", b"x", ONCE), 0)
        pair.client.receive_eof(0)
        client = again(session, present=False)
        assert client.events()[1:] == [SessionStarted((sent,))]  # type: ignore[arg-type]
        assert client.data_to_send(0) == b""
        assert client.send_quota == 65_535

    def test_a_server_resumes_likewise(self) -> None:
        session = Session()
        pair = Pair(server_session=session).connect(Connect(client_id="c", properties=KEEP))
        pair.server.send(Publish("a", b"x", ONCE), 0)
        pair.server.receive_eof(0)
        pair = Pair(client_session=Session(), server_session=session)
        pair.client.send(Connect(client_id="c", clean_start=False), 0)
        pair.run()
        pair.server.attach(session)
        pair.server.send(ConnAck(True), 0)
        pair.run()
        [message] = publishes(pair.client_events())
        assert (message.payload, message.dup) == (b"x", True)


class TestReceiver:
    """What the peer had under way."""

    def start(self, *wanted: Publish) -> tuple[Session, list[Publish]]:
        session = Session()
        pair = Pair(client_session=session).connect(Connect(client_id="c", properties=KEEP))
        pair.client.receive_data(b"".join(map(encode, wanted)), 0)
        messages = publishes(pair.client.events())
        self.old = pair.client
        return session, messages

    @pytest.mark.parametrize("qos", [ONCE, TWICE])
    def test_a_message_that_still_waits_for_its_consumer_is_not_delivered_again(self, qos: QoS) -> None:
        session, [message] = self.start(Publish("a", b"", qos, packet_id=1))
        self.old.receive_eof(0)
        client = again(session)
        client.events()
        client.receive_data(encode(Publish("a", b"", qos, dup=True, packet_id=1)), 0)
        assert client.events() == []
        client.acknowledge(message)
        assert client.data_to_send(0) == encode(PubAck(1) if qos == ONCE else PubRec(1))

    @pytest.mark.parametrize("qos", [ONCE, TWICE])
    def test_acknowledged_in_between_it_is_answered_when_it_comes_again(self, qos: QoS) -> None:
        session, [message] = self.start(Publish("a", b"", qos, packet_id=1))
        self.old.receive_eof(0)
        self.old.acknowledge(message)
        client = again(session)
        client.events()
        assert client.data_to_send(0) == b""
        client.receive_data(encode(Publish("a", b"", qos, dup=True, packet_id=1)), 0)
        assert client.events() == []
        assert client.data_to_send(0) == encode(PubAck(1) if qos == ONCE else PubRec(1))

    def test_acknowledged_before_connack_it_is_answered_when_it_comes_again(self) -> None:
        session, [message] = self.start(Publish("a", b"", ONCE, packet_id=1))
        self.old.receive_eof(0)
        client = Connection(Role.CLIENT, session=session)
        client.acknowledge(message)
        client.send(Connect(client_id="c", clean_start=False), 0)
        client.data_to_send(0)
        client.receive_data(encode(ConnAck(True)), 0)
        client.events()
        client.receive_data(encode(Publish("a", b"", ONCE, dup=True, packet_id=1)), 0)
        assert client.events() == []
        assert client.data_to_send(0) == encode(PubAck(1))

    def test_qos_2_after_pubrec_is_answered_again_and_not_delivered(self) -> None:
        session, [message] = self.start(Publish("a", b"", TWICE, packet_id=1))
        self.old.acknowledge(message)
        self.old.receive_eof(0)
        client = again(session)
        client.events()
        client.receive_data(encode(Publish("a", b"", TWICE, dup=True, packet_id=1)) + encode(PubRel(1)), 0)
        assert client.events() == []
        assert client.data_to_send(0) == encode(PubRec(1)) + encode(PubComp(1))

    def test_an_identifier_that_the_server_gave_up_can_be_used_anew(self) -> None:
        session, [old] = self.start(Publish("a", b"old", ONCE, packet_id=1))
        client = again(session)
        client.events()
        client.receive_data(encode(Publish("a", b"new", ONCE, packet_id=1)), 0)
        [new] = publishes(client.events())
        assert new.payload == b"new"
        client.acknowledge(old)
        assert client.data_to_send(0) == b""
        client.acknowledge(new)
        assert client.data_to_send(0) == encode(PubAck(1))

    def test_a_qos_2_identifier_given_up_at_another_qos_is_forgotten(self) -> None:
        session = Session(SessionState(incoming={1}), durable=True)
        client = again(session)
        client.receive_data(encode(Publish("a", b"new", ONCE, packet_id=1)), 0)
        assert len(publishes(client.events())) == 1
        assert client.changes() == [IncomingEnded(1)]

    def test_acknowledging_what_belongs_to_a_lost_session_is_passed_over(self) -> None:
        session, [message] = self.start(Publish("a", b"", ONCE, packet_id=1))
        client = again(session, present=False)
        client.acknowledge(message)
        assert client.data_to_send(0) == b""

    def test_what_was_under_way_before_does_not_count_against_receive_maximum(self) -> None:
        session, messages = self.start(*(Publish("a", b"", ONCE, packet_id=number) for number in (1, 2)))
        client = Connection(Role.CLIENT, session=session)
        one: Any = {"receive_maximum": 1}
        client.send(Connect(client_id="c", clean_start=False, properties=one), 0)
        client.receive_data(encode(ConnAck(True)), 0)
        client.receive_data(encode(Publish("a", b"", ONCE, dup=True, packet_id=1)), 0)
        assert not client.closed
        assert len(messages) == 2
        assert repr(session) == "<Session outgoing=0 incoming=2>"

    def test_what_was_under_way_before_gives_no_room_when_it_ends(self) -> None:
        session = Session(SessionState(incoming={1}))
        client = Connection(Role.CLIENT, session=session)
        one: Any = {"receive_maximum": 1}
        client.send(Connect(client_id="c", clean_start=False, properties=one), 0)
        client.receive_data(encode(ConnAck(True)) + encode(PubRel(1)), 0)
        assert len(session.incoming) == 0
        client.receive_data(b"".join(encode(Publish("a", b"", ONCE, packet_id=number)) for number in (1, 2)), 0)
        closed = client.events()[-1]
        assert isinstance(closed, Closed)
        assert closed.error.reason_code is ReasonCode.RECEIVE_MAXIMUM_EXCEEDED  # type: ignore[union-attr]


class TestJournal:
    """Stored before sent: bytes wait for the changes that they depend on."""

    def connected(self, state: SessionState | None = None) -> Pair:
        pair = Pair(client_session=Session(state, durable=True)).connect(Connect(client_id="c", properties=KEEP))
        assert pair.client.changes() == [SessionBegan()]
        pair.client.committed()
        return pair

    def test_a_message_is_held_until_it_is_stored(self) -> None:
        pair = self.connected()
        pair.client.send(Publish("before"), 0)
        sent = pair.client.send(Publish("a", b"", TWICE), 0)
        pair.client.send(Publish("behind"), 0)
        assert wire(pair.client.data_to_send(0)) == [Publish("before")]
        assert pair.client.changes() == [OutgoingStored(sent)]  # type: ignore[arg-type]
        assert pair.client.data_to_send(0) == b""
        assert pair.client.changes() == []
        pair.client.committed()
        assert wire(pair.client.data_to_send(0)) == [sent, Publish("behind")]
        assert pair.client.bytes_pending == 0

    def test_what_changes_during_a_commit_waits_for_the_next_one(self) -> None:
        pair = self.connected()
        first = pair.client.send(Publish("a", b"1", ONCE), 0)
        pair.client.changes()
        second = pair.client.send(Publish("a", b"2", ONCE), 0)
        pair.client.committed()
        assert wire(pair.client.data_to_send(0)) == [first]
        assert pair.client.changes() == [OutgoingStored(second)]  # type: ignore[arg-type]
        pair.client.committed()
        assert wire(pair.client.data_to_send(0)) == [second]

    def test_committed_without_changes_does_nothing(self) -> None:
        pair = self.connected()
        pair.client.send(Publish("a", b"", ONCE), 0)
        pair.client.committed()
        assert pair.client.data_to_send(0) == b""

    def test_each_step_of_both_flows_is_written_down(self) -> None:
        pair = self.connected()
        pair.client.send(Publish("a", b"", TWICE), 0)
        pair.client.receive_data(encode(PubRec(1)) + encode(PubComp(1)), 0)
        pair.client.receive_data(encode(Publish("b", b"", TWICE, packet_id=5)), 0)
        pair.client.acknowledge(publishes(pair.client.events())[0])
        pair.client.receive_data(encode(PubRel(5)), 0)
        assert pair.client.changes()[1:] == [
            OutgoingReleased(1),
            OutgoingEnded(1),
            IncomingStored(5),
            IncomingEnded(5),
        ]

    def test_a_pubrec_that_comes_twice_is_written_down_once(self) -> None:
        pair = self.connected()
        pair.client.send(Publish("a", b"", TWICE), 0)
        pair.client.receive_data(encode(PubRec(1)) * 2, 0)
        assert pair.client.changes()[1:] == [OutgoingReleased(1)]

    def test_a_session_goes_on_from_a_memory_store(self) -> None:
        store = MemoryStore()
        assert store.load() is None
        pair = Pair(client_session=Session(durable=True)).connect(Connect(client_id="c", properties=KEEP))

        def commit() -> bytes:
            store.commit(pair.client.changes())
            pair.client.committed()
            return pair.client.data_to_send(0)

        for qos in (ONCE, TWICE, TWICE, TWICE):
            pair.client.send(Publish("a", b"", qos), 0)
        assert len(wire(commit())) == 4
        pair.client.receive_data(encode(PubRec(2)) + encode(PubRec(4)) + encode(PubComp(4)), 0)
        pair.client.receive_data(encode(Publish("b", b"", TWICE, packet_id=8)), 0)
        pair.client.receive_data(encode(Publish("b", b"", TWICE, packet_id=9)), 0)
        for message in publishes(pair.client.events()):
            pair.client.acknowledge(message)
        pair.client.receive_data(encode(PubRel(8)), 0)
        commit()
        state = store.load()
        assert state is not None
        assert state.incoming == {9}
        assert [(key, released) for key, (_, released) in state.outgoing.items()] == [(1, False), (3, False), (2, True)]
        client = again(Session(state, durable=True))
        sent = wire(client.data_to_send(0))
        assert [(packet.packet_type.name, packet.packet_id) for packet in sent] == [
            ("PUBREL", 2),
            ("PUBLISH", 1),
            ("PUBLISH", 3),
        ]

    def test_a_new_session_clears_the_store(self) -> None:
        store = MemoryStore()
        store.commit([OutgoingStored(Publish("a", b"", ONCE, packet_id=1)), IncomingStored(3), SessionBegan()])
        assert store.load() == SessionState()

    def test_what_was_not_sent_yet_outlives_the_session_and_is_given_to_the_next_owner(self) -> None:
        store = MemoryStore()
        first, second = Publish("a", b"1", ONCE), Publish("a", b"2", TWICE)
        store.commit([WaitingStored(1, first), WaitingStored(2, second), SessionBegan()])
        state = store.load()
        assert state == SessionState(waiting={1: first, 2: second})
        assert Session(state, durable=True).waiting == {1: first, 2: second}
        store.commit([WaitingEnded(1)])
        assert store.load() == SessionState(waiting={2: second})

    def test_a_server_journals_into_the_session_that_is_attached(self) -> None:
        session = Session(durable=True)
        server = Connection(Role.SERVER)
        server.receive_data(encode(Connect(client_id="c")), 0)
        server.attach(session)
        server.send(ConnAck(), 0)
        sent = server.send(Publish("a", b"", ONCE), 0)
        assert wire(server.data_to_send(0)) == [ConnAck()]
        assert server.changes() == [SessionBegan(), OutgoingStored(sent)]  # type: ignore[arg-type]
        server.committed()
        assert wire(server.data_to_send(0)) == [sent]


def test_decoded_farewell_of_a_resumed_connection_is_plain() -> None:
    client = again(Session())
    client.close(0)
    assert decode(client.data_to_send(0)).reason_code == 0  # type: ignore[union-attr]
