"""The lines of a recorder: what is in them, in which order, and which of them a ring keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mqttws.codec import ConnAck, Publish
from mqttws.trace import Recorder, Recording, read_trace
from mqttws.vocabulary import Role
from tests.trace.wires import REQUEST, SECRETS, SWITCH, WALL, binary, bytes_of, connect, conversation

HELLO = binary(Publish("a", b"hello"))


def members(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def begun(recorder: Recorder) -> Recording:
    """A client's connection up to CONNACK; eight seconds have passed."""
    recording = recorder.open(Role.CLIENT, 10.0, WALL, peer="127.0.0.1:2222", url="ws://h/?access_token=abc")
    recording.sent(REQUEST, 11.0)
    recording.received(SWITCH, 12.5)
    recording.sent(binary(connect()), 13.0)
    recording.received(binary(ConnAck(), masked=False), 18.0)
    return recording


def test_a_line_says_when_which_way_where_and_what() -> None:
    lines: list[str] = []
    recording = begun(Recorder(lines.append))
    recording.sent(HELLO + HELLO + HELLO[:5], 19.0)
    recording.sent(HELLO[5:], 20.25)
    recording.event("eof", 21.0)
    header, opened, *chunks, eof = members(lines)
    assert header == {"format": "mqttws-trace/1", "started": "2025-06-15T15:06:40.250000+00:00", "clock": 10.0}
    assert opened == {
        "connection": 1, "time": 0.0, "event": "open", "role": "client", "peer": "127.0.0.1:2222",
        "url": "ws://h/?access_token=[redacted]",
    }  # fmt: skip
    size, connecting = len(REQUEST), len(binary(connect()))
    behind = size + connecting + 2 * len(HELLO)
    assert [{name: chunk.get(name) for name in chunk if name not in ("hex", "connection")} for chunk in chunks] == [
        {"time": 1.0, "direction": "out", "offset": 0},
        {"time": 2.5, "direction": "in", "offset": 0},
        {"time": 3.0, "direction": "out", "offset": size, "sync": 0, "packets": {"CONNECT": 1}},
        {"time": 8.0, "direction": "in", "offset": len(SWITCH), "sync": 0, "packets": {"CONNACK": 1}},
        {"time": 9.0, "direction": "out", "offset": size + connecting, "sync": 0, "packets": {"PUBLISH": 2}},
        {"time": 10.25, "direction": "out", "offset": behind + 5, "packets": {"PUBLISH": 1}},
    ]  # fmt: skip
    assert eof == {"connection": 1, "time": 11.0, "event": "eof"}
    assert bytes.fromhex(chunks[-1]["hex"]) == HELLO[5:]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("version", [4, 5])
def test_no_secret_of_a_whole_connection_is_in_its_lines(role: Role, version: int) -> None:
    lines = conversation(role, version)
    text = "\n".join(lines)
    for secret in SECRETS:
        assert secret not in text
        assert secret.encode() not in bytes_of(lines, "in") + bytes_of(lines, "out")


def test_a_chunk_that_is_held_back_keeps_its_time_and_follows_what_came_meanwhile() -> None:
    lines: list[str] = []
    recording = Recorder(lines.append).open(Role.SERVER, 0.0, WALL)
    recording.received(REQUEST[:9], 1.0)
    recording.sent(SWITCH, 2.0)
    recording.received(b"", 2.5)
    recording.received(REQUEST[9:], 3.0)
    assert [(line["time"], line["direction"]) for line in members(lines)[2:]] == [
        (2.0, "out"),
        (1.0, "in"),
        (3.0, "in"),
    ]


@pytest.mark.parametrize("ending", ["close", "reset"])
def test_an_end_brings_out_what_was_held_back(ending: str) -> None:
    lines: list[str] = []
    recording = Recorder(lines.append).open(Role.SERVER, 0.0, WALL)
    recording.received(REQUEST[:9], 1.0)
    assert len(lines) == 2
    recording.event(ending, 2.0)
    assert bytes_of(lines, "in") == REQUEST[:9]
    assert members(lines)[-1]["event"] == ending


def test_both_directions_learn_the_version_from_connect() -> None:
    lines: list[str] = []
    recording = Recorder(lines.append, payloads=False).open(Role.SERVER, 0.0, WALL)
    recording.received(REQUEST + binary(connect(4)), 1.0)
    recording.sent(SWITCH + binary(Publish("a", b"\x07private"), version=4, masked=False), 2.0)
    content = bytes_of(lines, "out")[len(SWITCH) :]
    assert content == binary(Publish("a", b"********"), version=4, masked=False)


def test_a_ring_keeps_the_last_lines_and_how_each_connection_began() -> None:
    written: list[str] = []
    recorder = Recorder(written.append, last=1000)
    recording = begun(recorder)
    assert recorder.lines == written
    for second in range(50):
        recording.sent(HELLO, 20.0 + second)
    kept = recorder.lines
    assert kept[:6] == written[:6]
    assert kept[6:] == written[len(written) - len(kept) + 6 :]
    assert 600 < sum(map(len, kept[6:])) <= 1000
    (connection,) = read_trace(kept)
    assert connection.entries[-1].time == 59.0


def test_a_ring_lets_go_of_a_connection_that_is_over_and_forgotten() -> None:
    recorder = Recorder(last=1000)
    first = begun(recorder)
    first.event("close", 19.0)
    second = begun(recorder)
    assert recorder.connections == 2
    for _ in range(50):
        second.sent(HELLO, 30.0)
    assert {line["connection"] for line in members(recorder.lines)[1:]} == {2}


def test_a_ring_is_bounded_whatever_comes() -> None:
    recorder = Recorder(last=1000)
    assert recorder.lines == []
    recording = begun(recorder)
    recording.sent(binary(Publish("a", bytes(5000))), 30.0)
    assert sum(map(len, recorder.lines)) < 2000
    garbage = Recorder(last=1000)
    unanswered = garbage.open(Role.SERVER, 0.0, WALL)
    for number in range(3):
        unanswered.received(b"G" * 60_000, float(number))
    assert sum(map(len, garbage.lines)) < 2000
    endless = Recorder(last=1000)
    silent = endless.open(Role.SERVER, 0.0, WALL)
    silent.received(REQUEST, 0.0)
    for number in range(1000):
        silent.received(binary(b"\x30\xff\xff\xff\x7f" if number == 0 else bytes(100)), float(number))
    assert sum(map(len, endless.lines)) < 67_000


@pytest.mark.parametrize(("options", "complaint"), [({}, "somewhere to write"), ({"last": 0}, "above 0, not 0")])
def test_a_recorder_without_a_place_for_its_lines_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Recorder(**options)


def test_times_of_later_connections_count_from_the_first_ones_beginning() -> None:
    lines: list[str] = []
    recorder = Recorder(lines.append)
    recorder.open(Role.CLIENT, 10.0, WALL)
    recorder.open(Role.CLIENT, 15.5, WALL + 5.5)
    assert [line.get("time") for line in members(lines)] == [None, 0.0, 5.5]
