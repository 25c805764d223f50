"""What waits for native clients, reliable and not (row 81), without sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mqttws.endpoint import Admission
from mqttws.endpoint.messages import Message
from mqttws.endpoint.native_link import NativeLink
from mqttws.endpoint.native_members import JSON, RELIABLE_JSON, NativeMember, NativeVisitor
from mqttws.vocabulary import ReasonCode
from mqttws.webpubsub import Grants
from mqttws.websocket import Opened, PeerClosed, WebSocket
from tests.endpoint.bench import Bench


class Guest:
    """A native member of a bench's hub, and everything it has been sent."""

    def __init__(self, bench: Bench, subprotocol: str | None = RELIABLE_JSON) -> None:
        self.bench = bench
        self.subprotocol = subprotocol
        reliable = subprotocol == RELIABLE_JSON
        grants = Grants.from_roles(())
        self.member = NativeMember(
            "native", None, grants, bench.service, bench.counters,
            token="secret" if reliable else None, expiry=30 if reliable else 0,
        )  # fmt: skip
        self.visitor = self.visit()
        bench.hub.enter(self.member, self.visitor, bench.now)
        bench.hub.add_to_group(self.member, "g")

    def visit(self) -> NativeVisitor:
        """A new network connection."""
        server = WebSocket.server()
        offered = () if self.subprotocol is None else (self.subprotocol,)
        self.client = WebSocket.client(host="x", target="/", subprotocols=offered, text=True)
        server.receive_data(self.client.data_to_send())
        server.events()
        link = NativeLink(server, self.bench.service)
        link.accept(self.subprotocol, self.bench.now)
        return NativeVisitor(Admission("chat"), subprotocol=self.subprotocol, link=link, service=self.bench.service)

    def come_back(self) -> None:
        self.visitor = self.visit()
        self.bench.hub.reattach(self.member, self.visitor, self.bench.now)
        self.member.come_back(self.bench.now)

    def publish(self, *texts: str, lifetime: int | None = None, group: str = "g") -> None:
        for text in texts:
            message = Message.from_server(
                text.encode(), self.bench.now, topic=group, content_type="text/plain", lifetime=lifetime
            )
            self.bench.hub.publish(message, self.bench.now)

    def read(self) -> list[Any]:
        """What has arrived since: messages as number and text, the rest as it is."""
        self.client.receive_data(self.visitor.link.data_to_send(self.bench.now))
        seen: list[Any] = []
        for event in self.client.events():
            if isinstance(event, str) and self.visitor.speaks_json:
                frame = json.loads(event)
                message = (frame.get("sequenceId"), frame.get("data"))
                seen.append(frame["message"] if frame["type"] == "system" else message)
            elif not isinstance(event, Opened):
                seen.append(event)
        return seen


def test_row_81_a_reliable_client_gets_again_what_it_has_not_acknowledged() -> None:
    bench = Bench()
    guest = Guest(bench)
    guest.publish("a", "b", "c")
    assert guest.read() == [(1, "a"), (2, "b"), (3, "c")]
    guest.member.acknowledge(1, bench.now)
    bench.hub.depart(guest.member, bench.now)
    guest.publish("d")
    guest.come_back()
    assert guest.read() == [(2, "b"), (3, "c"), (4, "d")]
    guest.member.acknowledge(9, bench.now)
    guest.come_back()
    guest.publish("e")
    assert guest.read() == [(5, "e")]


def test_row_81_an_acknowledgement_may_overtake_what_is_sent_again() -> None:
    bench = Bench(send_buffer_bytes=1024)
    guest = Guest(bench)
    guest.publish("a" * 2000)
    guest.read()
    guest.publish("b" * 2000)
    assert [number for number, _ in guest.read()] == [2]
    guest.publish("c")
    guest.read()
    guest.come_back()  # the first one fills the buffer
    guest.member.acknowledge(2, bench.now)
    assert [number for number, _ in guest.read()] == [1, 3]
    guest.publish("d")
    assert guest.read() == [(4, "d")]


def test_row_81_a_slow_reliable_client_is_sent_more_as_it_acknowledges() -> None:
    bench = Bench(send_buffer_bytes=1024)
    guest = Guest(bench)
    guest.publish(*(text * 600 for text in "abcd"))
    assert guest.visitor.link.bytes_pending < 3000
    got: list[int] = []
    while seen := guest.read():
        got += [number for number, _ in seen]
        guest.member.acknowledge(got[-1], bench.now)
    assert got == [1, 2, 3, 4]


@pytest.mark.parametrize("limits", [{"queue_messages": 3}, {"queue_bytes": 1024}])
def test_row_81_a_reliable_client_that_acknowledges_nothing_ends(limits: dict[str, int]) -> None:
    bench = Bench(**limits)
    guest = Guest(bench)
    guest.publish(*("x" * 50 for _ in range(3)))
    assert len(guest.read()) == 3
    guest.publish("z" * 300)
    assert guest.read() == [
        "too many messages wait for this session",
        PeerClosed(1008, "too many messages wait for this session"),
    ]
    assert bench.hub.member("native") is None


def test_row_81_what_has_expired_makes_room_and_is_not_sent() -> None:
    bench = Bench(queue_messages=3)
    guest = Guest(bench)
    guest.publish("a")
    guest.read()
    bench.hub.depart(guest.member, bench.now)
    guest.publish("old", "older", lifetime=5)
    bench.now += 6
    guest.publish("b")
    guest.publish("short", lifetime=5)
    bench.now += 6
    guest.come_back()
    assert guest.read() == [(1, "a"), (2, "b")]
    guest.publish("c")
    assert guest.read() == [(3, "c")]
    assert bench.counters.dropped == 1


def test_row_81_leaving_a_group_drops_what_was_never_sent() -> None:
    bench = Bench()
    guest = Guest(bench)
    guest.publish("a")
    guest.read()
    bench.hub.depart(guest.member, bench.now)
    guest.publish("b")
    bench.hub.add_to_group(guest.member, "h")
    guest.publish("c", group="h")
    bench.hub.remove_from_group(guest.member, "g")
    guest.come_back()
    assert guest.read() == [(1, "a"), (2, "c")]


@pytest.mark.parametrize("subprotocol", [JSON, None])
def test_row_81_other_clients_get_what_they_take_at_once(subprotocol: str | None) -> None:
    bench = Bench(send_buffer_bytes=1024)
    guest = Guest(bench, subprotocol)
    guest.publish("a" * 1500, "b", "c")
    expected = [(None, "a" * 1500)] if subprotocol else ["a" * 1500]
    assert guest.read() == expected
    assert (bench.counters.delivered, bench.counters.dropped) == (1, 2)
    bench.hub.depart(guest.member, bench.now)
    assert bench.hub.member("native") is None


def test_row_81_a_reliable_client_has_its_time_to_come_back() -> None:
    bench = Bench()
    guest = Guest(bench)
    bench.hub.depart(guest.member, bench.now)
    bench.pass_time(29)
    assert bench.hub.member("native") is guest.member
    bench.pass_time(2)
    assert bench.hub.member("native") is None


@pytest.mark.parametrize(
    ("code", "close_code"),
    [
        (ReasonCode.ADMINISTRATIVE_ACTION, 1000),
        (ReasonCode.QUOTA_EXCEEDED, 1008),
        (ReasonCode.SERVER_SHUTTING_DOWN, 1001),
    ],
)
def test_row_81_a_reason_code_becomes_a_close_code(code: ReasonCode, close_code: int) -> None:
    guest = Guest(Bench())
    guest.visitor.dismiss(0.0, code, "why")
    assert guest.read() == ["why", PeerClosed(close_code, "why")]
    assert guest.visitor.dismissed
    assert guest.member.ending is not None
    assert guest.member.ending.reason == "why"


def test_ack_ids_are_remembered_up_to_a_bound() -> None:
    guest = Guest(Bench(native_ack_memory=2))
    for ack_id in (1, 2, 3):
        assert not guest.member.has_done(ack_id)
        guest.member.remember(ack_id)
    assert [guest.member.has_done(ack_id) for ack_id in (1, 2, 3)] == [False, True, True]


def test_the_reconnection_token_is_in_no_repr() -> None:
    assert "secret" not in repr(Guest(Bench()).member)
