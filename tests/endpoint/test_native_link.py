"""A native client's WebSocket as a link: whole messages, silence, and how it ends."""

from __future__ import annotations

import math
from typing import Any

import pytest

from mqttws.endpoint import Service
from mqttws.endpoint.native_link import NativeLink
from mqttws.errors import ConnectionLost, PeerSilent, RemoteProtocolError, WebSocketClosed
from mqttws.session import Closed
from mqttws.websocket import Opened, PeerClosed, Refused, WebSocket
from mqttws.websocket import Upgrade as Asked

SILENCE = 10.0


class Ends:
    """A link with its client, and time that passes when told to."""

    def __init__(self, subprotocol: str | None = "p", *, accept: bool = True, **settings: Any) -> None:
        self.now = 100.0
        server = WebSocket.server(maximum_message_size=1000)
        self.client = WebSocket.client(
            host="x", target="/", subprotocols=(subprotocol,) if subprotocol else (), text=True
        )
        server.receive_data(self.client.data_to_send())
        assert isinstance(server.events()[0], Asked)
        self.link = NativeLink(server, Service(native_silence=SILENCE, close_timeout=1.0, **settings))
        self.seen: list[Any] = []
        if accept:
            self.link.accept(subprotocol, self.now)
            self.settle()
            assert isinstance(self.seen.pop(), Opened)

    def settle(self) -> list[Any]:
        """Move bytes; what the link has to tell then."""
        while data := self.link.data_to_send(self.now):
            self.client.receive_data(data)
            if data := self.client.data_to_send():
                self.link.receive_data(data, self.now)
        self.seen += self.client.events()
        return self.link.events()

    def send(self, *messages: str | bytes) -> list[Any]:
        for message in messages:
            self.client.send_message(message)
        self.link.receive_data(self.client.data_to_send(), self.now)
        return self.link.events()


def frame(opcode: int, payload: bytes, *, final: bool) -> bytes:
    return bytes([opcode | (0x80 if final else 0), 0x80 | len(payload), 0, 0, 0, 0]) + payload


def test_messages_come_whole_however_they_were_split() -> None:
    ends = Ends()
    assert ends.send("a", b"b", "") == ["a", b"b", ""]
    data = frame(1, b"", final=False) + b"".join(frame(0, b"x", final=False) for _ in range(50))
    data += frame(0, b"!", final=True) + frame(2, b"\x01", final=False) + frame(0, b"\x02", final=True)
    for at in range(len(data)):
        ends.link.receive_data(data[at : at + 1], ends.now)
    assert ends.link.events() == ["x" * 50 + "!", b"\x01\x02"]
    ends.link.send("answer")
    ends.settle()
    assert ends.seen == ["answer"]


def test_a_message_that_is_too_long_ends_the_connection_with_1009() -> None:
    ends = Ends()
    ends.send("x" * 1001)
    (closed,) = ends.settle() or [Closed(None)]
    assert isinstance(closed, Closed)
    assert [event.code for event in ends.seen if isinstance(event, PeerClosed)] == [1009]
    assert not ends.link.closed  # it reads on, so that the farewell is not lost to a reset
    ends.link.receive_eof(ends.now)
    assert ends.link.closed


def test_a_fault_in_framing_is_told_once_and_nothing_is_taken_behind_it() -> None:
    ends = Ends()
    ends.link.receive_data(b"\xff\x80\0\0\0\0" + frame(1, b"more", final=True), ends.now)
    (closed,) = ends.link.events()
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, RemoteProtocolError)
    ends.link.send("nobody hears it")
    ends.link.close(ends.now)
    assert ends.settle() == []


def test_silence_is_met_with_a_ping_and_a_client_that_answers_stays() -> None:
    ends = Ends()
    ends.link.handle_deadline(ends.now)
    assert ends.link.next_deadline() == ends.now + SILENCE / 2
    for _ in range(5):
        ends.now = ends.link.next_deadline()
        ends.link.handle_deadline(ends.now)
        assert ends.settle() == []
    assert ends.link.next_deadline() == ends.now + SILENCE / 2
    assert not ends.link.closed


def test_a_client_that_stays_silent_is_gone() -> None:
    ends = Ends()
    for _ in range(2):
        ends.now = ends.link.next_deadline()
        ends.link.handle_deadline(ends.now)
    (closed,) = ends.link.events()
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, PeerSilent)
    ends.now = ends.link.next_deadline()
    ends.link.handle_deadline(ends.now)
    assert ends.link.closed
    assert ends.link.bytes_pending == 0
    assert ends.link.next_deadline() == math.inf


def test_our_farewell_waits_for_that_of_the_client_but_not_for_ever() -> None:
    ends = Ends()
    ends.link.close(ends.now, 1008, "why")
    ends.link.close(ends.now)
    assert ends.link.events() == [Closed(None)]
    assert ends.link.next_deadline() == ends.now + 1  # it is not closed yet
    assert ends.settle() == []
    assert ends.link.closed
    assert ends.seen == [PeerClosed(1008, "why")]
    silent = Ends()
    silent.link.close(silent.now)
    silent.now += 1
    silent.link.handle_deadline(silent.now)
    assert silent.link.closed


@pytest.mark.parametrize(("code", "orderly"), [(1000, True), (1001, True), (1005, True), (1011, False)])
def test_a_farewell_of_the_client_is_orderly_by_its_code(code: int, orderly: bool) -> None:
    ends = Ends()
    ends.client.close(code)
    ends.link.receive_data(ends.client.data_to_send(), ends.now)
    (closed,) = ends.link.events()
    assert isinstance(closed, Closed)
    assert (closed.error is None) is orderly
    assert orderly or isinstance(closed.error, WebSocketClosed)


@pytest.mark.parametrize("broken", [True, False])
def test_bytes_that_end_are_no_farewell(broken: bool) -> None:
    ends = Ends()
    ends.link.receive_eof(ends.now, broken=broken)
    (closed,) = ends.link.events()
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ConnectionLost)
    assert ends.link.closed
    assert ends.link.changes() == []
    ends.link.committed()


def test_a_handshake_that_is_not_let_in_ends_with_a_status() -> None:
    ends = Ends(accept=False)
    ends.link.reject(ends.now, 403, (), b"no")
    assert ends.settle() == [Closed(None)]
    assert [(event.status, event.body) for event in ends.seen if isinstance(event, Refused)] == [(403, b"no")]
    ends.link.reject(ends.now, 500)
    ends.link.accept("p", ends.now)
    assert ends.settle() == []


@pytest.mark.parametrize("abort", [True, False])
def test_a_handshake_without_an_answer_ends_with_503(abort: bool) -> None:
    ends = Ends(accept=False)
    (ends.link.abort if abort else ends.link.close)(ends.now)
    ends.settle()
    assert [event.status for event in ends.seen if isinstance(event, Refused)] == [503]


def test_a_client_that_leaves_during_the_handshake_is_lost() -> None:
    ends = Ends(accept=False)
    ends.link.receive_eof(ends.now)
    (closed,) = ends.link.events()
    assert isinstance(closed, Closed)
    ends.link.accept("p", ends.now)
    assert ends.link.data_to_send(ends.now) == b""


def test_a_client_that_does_not_wait_for_the_answer_is_refused_before_it_costs_much() -> None:
    ends = Ends(accept=False)
    for _ in range(64):
        ends.link.receive_data(b"x" * 1024, ends.now)
    assert ends.settle() == []
    ends.link.receive_data(b"x", ends.now)
    assert ends.settle() == [Closed(None)]
    assert [event.status for event in ends.seen if isinstance(event, Refused)] == [400]


def test_a_fault_of_ours_ends_it_with_1011() -> None:
    ends = Ends()
    ends.link.abort(ends.now)
    (closed,) = ends.settle()
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ConnectionLost)
    assert ends.seen == [PeerClosed(1011, "")]
