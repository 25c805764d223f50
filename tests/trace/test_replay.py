"""Recorded directions again: the same events, the same end, and the faults of either side."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, Disconnect, PingReq, Publish, PubRel, SubAck, Subscribe, Subscription, encode
from mqttws.errors import ConnectionLost, HandshakeRefused, MalformedPacket, ProtocolError, RemoteProtocolError
from mqttws.link import Opened, Upgrade
from mqttws.session import Closed, Delivered, SessionStarted
from mqttws.trace import Direction, TracedConnection
from mqttws.trace.replay import Skipped, replay_into_codec, replay_into_connection
from mqttws.vocabulary import QoS, ReasonCode, Role
from tests.trace.wires import ANSWER, ASK, binary, connect, conversation, only, traced
from tests.websocket.frames import BINARY, frame

CONNECT = binary(Connect(client_id="me"))
CONNACK = binary(ConnAck(), masked=False)
BEGINNING: tuple[tuple[str, bytes | str], ...] = (("out", ASK), ("in", ANSWER), ("out", CONNECT), ("in", CONNACK))


def events(traced: TracedConnection, direction: Direction) -> list[Any]:
    return [outcome for _, outcome in replay_into_connection(traced, direction)]


def kinds(outcomes: list[Any]) -> list[str]:
    return [type(outcome).__name__ for outcome in outcomes]


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("role", list(Role))
def test_a_connection_hears_again_what_it_heard_then(role: Role, version: int) -> None:
    connection = only(conversation(role, version))
    to_client: Direction = "in" if role is Role.CLIENT else "out"
    to_server: Direction = "out" if role is Role.CLIENT else "in"
    heard = events(connection, to_client)
    assert kinds(heard[:4]) == ["Opened", "ConnAck", "SessionStarted", "SubAck"]
    assert [int(event.qos) for event in heard if isinstance(event, Publish)] == [0, 1, 2]
    assert sum(isinstance(event, Delivered) for event in heard) == 2
    assert heard[-1] == Closed(None)
    heard = events(connection, to_server)
    assert kinds(heard[:4]) == ["Upgrade", "Opened", "Connect", "Subscribe"]
    assert [int(event.qos) for event in heard if isinstance(event, Publish)] == [0, 1, 2]
    assert sum(isinstance(event, Delivered) for event in heard) == 2
    assert heard[-1] == Closed(None)
    assert not any(isinstance(event, Skipped) for event in heard)
    times = [time for time, _ in replay_into_connection(connection, to_client)]
    assert times == sorted(times)


@pytest.mark.parametrize("role", list(Role))
def test_the_codec_reads_every_packet_of_a_direction(role: Role) -> None:
    connection = only(conversation(role, 4))
    for direction in ("in", "out"):
        packets = [outcome for _, outcome in replay_into_codec(connection, direction)]
        sender = connection.sender(direction)
        first, last = (Connect, Disconnect) if sender is Role.CLIENT else (ConnAck, ConnAck)
        assert isinstance(packets[0], first)
        assert sum(isinstance(packet, Publish) for packet in packets) == 3
        if sender is Role.CLIENT:
            assert isinstance(packets[-1], last)


def test_the_codec_stops_at_the_fault_and_at_a_packet_that_is_cut_off() -> None:
    bad = traced(Role.CLIENT, *BEGINNING, ("in", binary(b"\x36\x03\0\1a" + encode(PingReq()), masked=False)))
    outcomes = list(replay_into_codec(bad, "in"))
    time, fault = outcomes[-1]
    assert (len(outcomes), time) == (2, 5.0)
    assert isinstance(fault, MalformedPacket)
    assert fault.statement == "MQTT-3.3.1-4"
    cut = traced(Role.CLIENT, *BEGINNING, ("in", frame(BINARY, encode(Publish("a"))[:-1], masked=False)))
    assert isinstance(list(replay_into_codec(cut, "in"))[-1][1], MalformedPacket)
    assert list(replay_into_codec(traced(Role.CLIENT), "in")) == []


def test_a_broken_rule_ends_the_connection_as_it_would_then() -> None:
    stray = traced(Role.CLIENT, *BEGINNING, ("in", binary(SubAck(7, [0]), masked=False)))
    closed = events(stray, "in")[-1]
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, RemoteProtocolError)
    unmasked = traced(Role.SERVER, ("in", ASK), ("out", ANSWER), ("in", binary(Connect(), masked=False)))
    closed = events(unmasked, "in")[-1]
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ProtocolError)
    assert "5.1" in str(closed.error)


def test_an_answer_to_another_key_is_refused_as_it_was_then() -> None:
    wrong = ANSWER.replace(b"s3pP", b"sssp")
    (closed,) = events(traced(Role.CLIENT, ("out", ASK), ("in", wrong)), "in")
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, HandshakeRefused)


@pytest.mark.parametrize("size", [7, 1000])
def test_an_answer_may_come_in_pieces_and_behind_an_interim_one(size: int) -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\n\r\n" + ANSWER + CONNACK
    steps = [("in", answer[start : start + size]) for start in range(0, len(answer), size)]
    early: list[tuple[str, bytes | str]] = [("out", ASK + CONNECT), *steps]
    assert kinds(events(traced(Role.CLIENT, *early), "in"))[:1] == ["Opened"]


def test_refusals_are_refused_again() -> None:
    refusal = b"HTTP/1.1 503 No\r\nContent-Length: 4\r\n\r\nbusy"
    (closed,) = events(traced(Role.CLIENT, ("out", ASK), ("in", refusal)), "in")
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, HandshakeRefused)
    assert (closed.error.status, closed.error.body) == (503, b"busy")
    upgrade, closed = events(traced(Role.SERVER, ("in", ASK), ("out", refusal)), "in")
    assert isinstance(upgrade, Upgrade)
    assert closed == Closed(None)
    odd = traced(Role.SERVER, ("in", ASK), ("out", b"NONSENSE here\r\n\r\n"))
    assert kinds(events(odd, "in")) == ["Upgrade"]


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"])
def test_what_is_no_answer_is_refused_again(garbage: bytes) -> None:
    (closed,) = events(traced(Role.CLIENT, ("out", ASK), ("in", garbage)), "in")
    assert isinstance(closed, Closed)
    assert closed.error is not None


@pytest.mark.parametrize(("direction", "end"), [("in", "eof"), ("in", "reset"), ("out", "reset")])
def test_an_end_of_the_bytes_is_an_end_again(direction: Direction, end: str) -> None:
    connection = traced(Role.CLIENT, *BEGINNING, ("event", end))
    closed = events(connection, direction)[-1]
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ConnectionLost)


def test_time_passes_in_a_replay() -> None:
    silent = binary(Connect(client_id="me", keep_alive=10))
    steps = (("out", ASK), ("in", ANSWER), ("out", silent), ("in", CONNACK))
    connection = traced(Role.CLIENT, *steps)  # its end is 95 seconds later
    time, closed = list(replay_into_connection(connection, "in"))[-1]
    assert 10 < time < 30
    assert isinstance(closed, Closed)
    assert "PINGRESP" in str(closed.error)


def test_what_cannot_be_done_again_is_told_and_the_replay_goes_on() -> None:
    doubled: tuple[tuple[str, bytes | str], ...] = (
        ("out", binary(b"\x36\x03\0\1a")),
        ("out", binary(b"\x00\x00")),
        ("out", CONNECT),
        ("out", binary(PubRel(9))),
        ("out", binary(b"\x40\x02\0\x05")),
        ("out", binary(Subscribe(3, [Subscription("a", QoS.AT_MOST_ONCE)]))),
        ("in", binary(SubAck(3, [0]), masked=False)),
        ("out", binary(Disconnect(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE))),
    )
    outcomes = events(traced(Role.CLIENT, *BEGINNING, *doubled), "in")
    assert kinds(outcomes[:3]) == [Opened.__name__, ConnAck.__name__, SessionStarted.__name__]
    skipped = [outcome for outcome in outcomes if isinstance(outcome, Skipped)]
    assert [outcome.packet_type for outcome in skipped] == ["PUBLISH", "reserved", "CONNECT"]
    assert outcomes[-2:] == [SubAck(3, [0]), Closed(None)]


def test_a_server_that_let_nobody_in_does_so_again() -> None:
    refused = binary(ConnAck(False, ReasonCode.NOT_AUTHORIZED), masked=False)
    connection = traced(Role.SERVER, ("in", ASK), ("out", ANSWER), ("in", binary(connect())), ("out", refused))
    assert kinds(events(connection, "in"))[-1] == "Closed"
