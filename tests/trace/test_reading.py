"""Lines read again: what is taken, what is refused, and what is read behind a gap."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import PingReq, Publish, encode
from mqttws.trace import BadTrace, Chunk, Happening, read_trace
from mqttws.trace.reading import Ways
from mqttws.trace.units import Kind
from mqttws.vocabulary import Role
from tests.trace.wires import REQUEST, SWITCH, WALL, binary, connect, conversation, only, traced

HEADER = {"format": "mqttws-trace/1", "started": "2025-06-15T15:06:40.250000+00:00", "clock": 10.0}
OPEN = {"connection": 1, "time": 0.5, "event": "open", "role": "server", "local": "a:1", "peer": "b:2"}
CHUNK = {"connection": 1, "time": 2.0, "direction": "in", "offset": 0, "hex": "00ff"}
HELLO = encode(Publish("a", b"hello"))


def lines(*members: Any) -> list[str]:
    return [json.dumps(member) for member in members]


def test_a_connection_has_its_places_and_its_entries_in_order_of_time() -> None:
    later, first = CHUNK | {"time": 3.0, "offset": 2, "sync": 1}, CHUNK
    connection = only(
        lines(HEADER, OPEN, {"connection": 1, "time": 9, "event": "eof"}, later, first, {**CHUNK, "x": 1})
    )
    assert (connection.role, connection.wall, connection.opened) == (Role.SERVER, WALL, 0.5)
    assert (connection.local, connection.peer, connection.url) == ("a:1", "b:2", "")
    assert connection.entries == [
        Chunk(2.0, "in", 0, b"\0\xff"), Chunk(2.0, "in", 0, b"\0\xff"), Chunk(3.0, "in", 2, b"\0\xff", 1),
        Happening(9.0, "eof"),
    ]  # fmt: skip
    assert connection.sender("in") is Role.CLIENT
    assert connection.sender("out") is Role.SERVER


def test_traces_may_be_joined_and_have_lines_of_unknown_kinds() -> None:
    unknown = {"connection": 1, "time": 1.0, "new": 1}
    two = [*lines(HEADER, OPEN, CHUNK, unknown, HEADER, OPEN), "", "\n"]
    first, second = read_trace(two)
    assert (len(first.entries), len(second.entries)) == (1, 0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ([], "there is no trace"),
        (["hello", "again"], "line 1: it is not a line of a trace"),
        pytest.param(["[" * 100_000, "again"], "line 1: it is not a line of a trace", id="too deep"),
        (lines({"format": "mqttws-fuzz/1"}), "line 1: the format is 'mqttws-fuzz/1', not mqttws-trace/1"),
        (lines(OPEN, CHUNK), "line 1: a trace begins with its format"),
        (lines(HEADER, CHUNK, CHUNK), "line 2: connection 1 has not been opened"),
        (lines(HEADER, OPEN | {"role": "broker"}, CHUNK), "line 2: it is not a line"),
        (lines(HEADER, OPEN, CHUNK | {"hex": "0"}, CHUNK), "line 3: it is not a line"),
        (lines(HEADER, OPEN, CHUNK | {"direction": "up"}, CHUNK), "line 3: the direction is 'up', neither in nor out"),
        (lines(HEADER, OPEN, [1], CHUNK), "line 3: it is not a line"),
        (lines(HEADER, OPEN, {"connection": 1}, CHUNK), "line 3: it is not a line"),
        (lines(HEADER, OPEN, CHUNK | {"time": 1e300}, CHUNK), "line 3: the time is 1e\\+300"),
        (lines(HEADER, OPEN, CHUNK | {"time": float("nan")}, CHUNK), "line 3: the time is nan"),
    ],
)
def test_what_is_no_trace_is_refused_with_its_line(text: list[str], complaint: str) -> None:
    with pytest.raises(BadTrace, match=complaint):
        read_trace(text)


def test_words_of_a_trace_move_no_cursor() -> None:
    places = dict.fromkeys(("local", "peer", "url"), "a\x1b[2J\nb")
    found = only(lines(HEADER, OPEN | places, {"connection": 1, "time": 1.0, "event": "\x07"}))
    assert {found.local, found.peer, found.url} == {"a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"}
    assert found.entries == [Happening(1.0, "\N{REPLACEMENT CHARACTER}")]


def test_a_last_line_that_a_crash_has_cut_off_is_left_out() -> None:
    whole = conversation()
    cut = [*whole[:-4], whole[-4][:20]]
    assert len(only(cut).entries) == len(only(whole[:-4]).entries)


@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_is_a_trace_or_refused(text: list[str]) -> None:
    with pytest.raises(BadTrace):
        read_trace(text)


def packets(connection: Any) -> list[bytes]:
    ways, found = Ways(), []
    for entry in connection.entries:
        if isinstance(entry, Chunk):
            found += [unit.data for unit in ways.take(entry)[1] if unit.kind is Kind.PACKET]
    return found + [unit.data for _, unit in ways.end()]


def test_behind_a_gap_reading_begins_where_a_packet_does() -> None:
    steps: list[tuple[str, bytes | str]] = [
        ("out", REQUEST), ("in", SWITCH), ("out", binary(connect(4), version=4)),
        *[("out", binary(HELLO))] * 3,
        ("out", binary(encode(PingReq()))[:3]),
        ("out", binary(encode(PingReq()))[3:] + binary(HELLO)),
        ("out", binary(HELLO[:-1])),
    ]  # fmt: skip
    connection = traced(Role.CLIENT, *steps)
    whole = packets(connection)
    assert whole == [encode(connect(4), 4).replace(b"correct horse battery", b"*" * 21), *[HELLO] * 3,
                     encode(PingReq()), HELLO, HELLO[:-1]]  # fmt: skip
    del connection.entries[3:7]  # among them the beginning of PINGREQ
    assert packets(connection) == [whole[0], HELLO, HELLO[:-1]]
    ways = Ways()
    chunks = [entry for entry in connection.entries if isinstance(entry, Chunk)]
    taken = [(ways.take(chunk)[0] == chunk.data, ways.missed(chunk.direction)) for chunk in chunks]
    assert taken == [(True, False), (True, False), (True, False), (False, True), (True, False)]
    assert ways.version == 4
    del connection.entries[3]
    assert packets(connection)[-1] == HELLO[:-1]


def test_behind_a_gap_without_a_place_to_begin_nothing_is_read() -> None:
    long = binary(Publish("a", bytes(1000)))
    connection = traced(Role.CLIENT, ("out", REQUEST), ("out", long[:500]), ("out", long[500:600]), ("out", long[600:]))
    del connection.entries[1]
    assert packets(connection) == []
