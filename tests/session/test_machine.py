"""Two connections against a model of a dozen lines, over a wire that is cut at any moment; and hostile bytes.

The model: a QoS 1 message that was sent arrives at least once, a QoS 2 message exactly once, in order, however often
the connection is cut and resumed.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mqttws.codec import ConnAck, Connect, Publish, encode
from mqttws.errors import RemoteProtocolError
from mqttws.session import Closed, Connection, Delivered, MemoryStore, Session
from mqttws.vocabulary import ProtocolVersion, QoS, Role
from tests.strategies import chunks, packets

MAXIMUM = 3


class Exactly(RuleBasedStateMachine):
    """Both ends send, consume, lose the wire and resume; the Client's state goes through a store each time."""

    @initialize(version=st.sampled_from(ProtocolVersion))
    def begin(self, version: ProtocolVersion) -> None:
        self.version = version
        self.store = MemoryStore()
        self.sessions = {Role.CLIENT: Session(durable=True), Role.SERVER: Session()}
        self.sent: dict[Role, list[bytes]] = {Role.CLIENT: [], Role.SERVER: []}
        self.qos: dict[bytes, QoS] = {}
        self.arrived: dict[Role, list[bytes]] = {Role.CLIENT: [], Role.SERVER: []}
        self.waiting: dict[Role, list[Publish]] = {Role.CLIENT: [], Role.SERVER: []}
        self.settled: set[bytes] = set()
        self.anew: set[bytes] = set()
        self.number = 0
        self.connect(resume=False)

    def connect(self, *, resume: bool) -> None:
        announced: Any = {"receive_maximum": MAXIMUM} if self.version == ProtocolVersion.V5 else {}
        kept: Any = {**announced, "session_expiry_interval": 30} if announced else {}
        self.ends = {
            role: Connection(role, session=self.sessions[role] if role is Role.CLIENT else None) for role in Role
        }
        client, server = self.ends[Role.CLIENT], self.ends[Role.SERVER]
        client.send(Connect(self.version, "c", clean_start=not resume, properties=kept), 0)
        server.receive_data(client.data_to_send(0), 0)
        server.events()
        server.attach(self.sessions[Role.SERVER])
        server.send(ConnAck(resume, properties=announced), 0)
        self.carry()

    def carry(self) -> None:
        while True:
            moved = False
            for role, end in self.ends.items():
                if role is Role.CLIENT:
                    self.store.commit(end.changes())
                    end.committed()
                data = end.data_to_send(0)
                # The pipe cuts its bytes into pieces, of another size each time.
                size = 1 + self.number % 7
                for start in range(0, len(data), size):
                    moved = True
                    self.ends[role.peer].receive_data(data[start : start + size], 0)
            for role, end in self.ends.items():
                self.note(role, end)
            if not moved:
                return

    def note(self, role: Role, end: Connection) -> None:
        for event in end.events():
            assert not isinstance(event, Closed), event
            if isinstance(event, Publish):
                self.arrived[role].append(event.payload)
                self.waiting[role].append(event)
            elif isinstance(event, Delivered):
                self.settled.add(event.publish.payload)

    @rule(sender=st.sampled_from(Role), qos=st.sampled_from([QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE]), now=st.booleans())
    def send(self, sender: Role, qos: QoS, now: bool) -> None:
        end = self.ends[sender]
        if end.send_quota == 0:
            return
        payload = b"%d" % self.number
        self.number += 1
        end.send(Publish("a", payload, qos), 0)
        self.sent[sender].append(payload)
        self.qos[payload] = qos
        if now:
            self.carry()

    @precondition(lambda self: any(self.waiting.values()))
    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        role = data.draw(st.sampled_from([role for role in Role if self.waiting[role]]))
        index = data.draw(st.integers(0, len(self.waiting[role]) - 1))
        self.ends[role].acknowledge(self.waiting[role].pop(index))
        if data.draw(st.booleans()):
            self.carry()

    @rule(half=st.sampled_from(Role), cut=st.integers(0, 60), restart=st.booleans())
    def cut(self, half: Role, cut: int, restart: bool) -> None:
        """The wire breaks: one end's last bytes arrive in part, or not at all; a restarted Client reads its store."""
        end = self.ends[half]
        self.store.commit(end.changes() if half is Role.CLIENT else [])
        end.committed()
        self.ends[half.peer].receive_data(end.data_to_send(0)[:cut], 0)
        for role, each in self.ends.items():
            each.receive_eof(0)
            for event in each.events():
                if isinstance(event, Publish):
                    self.arrived[role].append(event.payload)
                    self.waiting[role].append(event)
                elif isinstance(event, Delivered):
                    self.settled.add(event.publish.payload)
        client = self.ends[Role.CLIENT]
        self.store.commit(client.changes())
        client.committed()
        if restart:
            self.forget_what_was_not_stored()
        self.connect(resume=True)

    def forget_what_was_not_stored(self) -> None:
        """The Client's process ends: a message that was not stored as consumed is handed over anew.

        Then it may come behind a later one, which was consumed out of order before the restart.
        """
        state = self.store.load()
        assert state is not None
        self.sessions[Role.CLIENT] = Session(state, durable=True)
        self.waiting[Role.CLIENT].clear()
        ledger = self.sessions[Role.SERVER].outgoing
        for packet_id in range(1, self.number + 1):
            exchange = ledger.get(packet_id)
            if exchange is not None and exchange.publish is not None and packet_id not in state.incoming:
                payload = exchange.publish.payload
                self.arrived[Role.CLIENT] = [each for each in self.arrived[Role.CLIENT] if each != payload]
                self.anew.add(payload)

    @invariant()
    def nothing_comes_twice_at_qos_2(self) -> None:
        for role in Role:
            exactly = [payload for payload in self.arrived[role] if self.qos[payload] == QoS.EXACTLY_ONCE]
            assert len(set(exactly)) == len(exactly)

    @invariant()
    def the_quota_is_kept(self) -> None:
        if self.version == ProtocolVersion.V5:
            for session in self.sessions.values():
                assert len(session.incoming) <= MAXIMUM
                assert session.outgoing.sent <= MAXIMUM

    def teardown(self) -> None:
        """Let everything settle: nothing is lost, and both ends agree that it is over."""
        for _ in range(200):
            self.carry()
            for role in Role:
                while self.waiting[role]:
                    self.ends[role].acknowledge(self.waiting[role].pop(0))
            self.carry()
            if not any(self.waiting.values()) and not any(len(item.outgoing) for item in self.sessions.values()):
                break
        for sender in Role:
            arrived = self.arrived[sender.peer]
            assert set(arrived) == set(self.sent[sender])
            for qos in (QoS.AT_LEAST_ONCE, QoS.EXACTLY_ONCE):
                first = [each for each in dict.fromkeys(arrived) if self.qos[each] == qos and each not in self.anew]
                assert first == [each for each in self.sent[sender] if self.qos[each] == qos and each not in self.anew]
        assert self.settled == set(self.qos)
        assert all(len(session.outgoing) == len(session.incoming) == 0 for session in self.sessions.values())


Exactly.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExactly = Exactly.TestCase


def open_end(role: Role, version: int) -> Connection:
    """One end of an open connection with something under way in both directions."""
    end = Connection(role, session=Session())
    connect = Connect(ProtocolVersion(version), "c", keep_alive=10)
    if role is Role.CLIENT:
        end.send(connect, 0)
        end.receive_data(encode(ConnAck(), version), 0)
    else:
        end.receive_data(encode(connect), 0)
        end.send(ConnAck(), 0)
    end.send(Publish("a", b"", QoS.AT_LEAST_ONCE), 0)
    end.send(Publish("a", b"", QoS.EXACTLY_ONCE), 0)
    end.receive_data(encode(Publish("a", b"", QoS.EXACTLY_ONCE, packet_id=1), version), 0)
    end.data_to_send(0)
    end.events()
    return end


@given(st.sampled_from(Role), st.sampled_from([4, 5]), st.binary(max_size=100))
def test_any_bytes_end_in_events_or_in_one_typed_error(role: Role, version: int, data: bytes) -> None:
    end = open_end(role, version)
    end.receive_data(data, 1)
    events = end.events()
    ends = [event for event in events if isinstance(event, Closed)]
    assert end.closed == bool(ends)
    if ends:
        assert events[-1] is ends[0]
        assert ends[0].error is None or role is Role.CLIENT or isinstance(ends[0].error, RemoteProtocolError)


@given(st.data(), st.sampled_from(Role), st.sampled_from([4, 5]))
def test_any_packet_in_any_state_has_a_defined_result(data: st.DataObject, role: Role, version: int) -> None:
    end = open_end(role, version)
    packet = data.draw(packets(version, role.peer))
    end.receive_data(encode(packet, version), 1)
    end.data_to_send(1)
    end.handle_deadline(end.next_deadline())
    kinds = [type(event) for event in end.events()]
    assert kinds.count(Closed) == int(end.closed)


@given(st.data(), st.sampled_from([4, 5]))
def test_whole_and_in_pieces_give_the_same_events_and_answers(data: st.DataObject, version: int) -> None:
    stream = b"".join(
        encode(packet, version) for packet in data.draw(st.lists(packets(version, Role.CLIENT), max_size=5))
    )
    whole, pieces = open_end(Role.SERVER, version), open_end(Role.SERVER, version)
    whole.receive_data(stream, 1)
    for chunk in data.draw(chunks(stream)):
        pieces.receive_data(chunk, 1)
    assert [repr(event) for event in whole.events()] == [repr(event) for event in pieces.events()]
    assert whole.data_to_send(1) == pieces.data_to_send(1)
