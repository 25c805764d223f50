"""``mqttws trace show``: everything that passed, in order, with what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqttws.cli import main
from mqttws.codec import PingReq, Publish, encode
from mqttws.trace import Recorder
from mqttws.vocabulary import Role
from tests.cli.test_trace import written
from tests.trace.wires import ANSWER, ASK, SECRETS, WALL, binary, connect, conversation
from tests.websocket.frames import BINARY, CONTINUATION, PING, TEXT, frame

HELLO = encode(Publish("a", b"hello"))


def recorded(*steps: tuple[str, bytes], role: Role = Role.CLIENT, end: bool = True) -> list[str]:
    lines: list[str] = []
    recording = Recorder(lines.append).open(role, 0.0, WALL)
    for number, (way, data) in enumerate(steps, 1):
        (recording.sent if way == "out" else recording.received)(data, float(number))
    if end:
        recording.event("close", 50.0)
    return lines


def shown(lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main(["trace", "show", written(folder, lines), *options])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


def as_json(lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    _, out = shown(lines, folder, capsys, "--json", *options)
    return [json.loads(line) for line in out.splitlines()]


def titles(moments: list[dict[str, Any]]) -> list[str]:
    return [section["title"] for moment in moments for section in moment.get("sections", ())]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("version", [4, 5])
def test_a_whole_connection_is_shown_packet_by_packet_without_secrets(
    role: Role, version: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = shown(conversation(role, version), tmp_path, capsys)
    assert code == 0
    name = "MQTT 5.0" if version == 5 else "MQTT 3.1.1"
    heads = [line for line in out.splitlines() if ": valid" in line]
    assert heads[0].startswith("HTTP request from the client")
    assert heads[1].startswith("HTTP response from the server")
    assert heads[2].startswith(f"CONNECT, {name}")
    assert heads[-2:] == [
        "WebSocket close frame from the client, 8 bytes at offset 0: valid",
        "WebSocket close frame from the server, 4 bytes at offset 0: valid",
    ]
    for secret in SECRETS:
        assert secret not in out


def test_brief_is_a_line_for_each_packet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = shown(conversation(), tmp_path, capsys, "--brief")
    assert code == 0
    lines = [line.split(maxsplit=1)[1] for line in out.splitlines()]
    assert lines[0].startswith("#1  opened, we are the client (ws://example.com/")
    assert lines[1].startswith("#1  client → server  HTTP request from the client 'GET /clients/mqtt/hubs/chat?")
    assert lines[2] == "#1  server → client  HTTP response from the server 'HTTP/1.1 101 Switching Protocols'"
    assert lines[3].startswith("#1  client → server  CONNECT client_id='me' keep_alive=60 username='joe'")
    assert (
        lines[5] == "#1  client → server  SUBSCRIBE packet_id=1 subscriptions=[(Subscription topic_filter='a' qos=2)]"
    )
    assert "#1  client → server  PUBLISH topic='a' payload='there' qos=2 packet_id=3" in lines
    assert lines[-2:] == ["#1  the peer's bytes have ended", "#1  closed by this end"]
    assert max(map(len, out.splitlines())) <= 160


def test_json_has_each_chunk_with_its_sections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moments = as_json(conversation(Role.SERVER), tmp_path, capsys)
    first, second = moments[:2]
    assert first["event"].startswith("opened, we are the server")
    assert {name: second[name] for name in ("connection", "time", "wall", "direction", "sender", "offset", "gap")} == {
        "connection": 1, "time": 1.0, "wall": "2025-06-15T15:06:41.250000+00:00", "direction": "in",
        "sender": "client", "offset": 0, "gap": False,
    }  # fmt: skip
    packets = [section for moment in moments for section in moment.get("sections", ()) if section["kind"] == "packet"]
    assert [packet["packet_type"] for packet in packets[:4]] == ["CONNECT", "CONNACK", "SUBSCRIBE", "SUBACK"]
    assert {packet["verdict"] for packet in packets} == {"valid"}
    assert moments[-1]["event"] == "the peer's bytes have ended"


def test_one_direction_may_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moments = as_json(conversation(), tmp_path, capsys, "--direction", "in")
    assert {moment.get("sender") for moment in moments} == {None, "server"}


def test_a_broken_rule_is_a_finding_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = recorded(("out", ASK), ("in", ANSWER), ("out", binary(b"\x36\x03\0\1a")))
    code, out = shown(lines, tmp_path, capsys)
    assert code == 1
    assert "MALFORMED PACKET at offset 0" in out
    assert "[MQTT-3.3.1-4]" in out
    code, out = shown(lines, tmp_path, capsys, "--brief")
    assert code == 1
    assert "PUBLISH, MQTT 5.0 MALFORMED PACKET: " in out
    assert shown(lines, tmp_path, capsys, "--direction", "in")[0] == 0


def test_frames_are_shown_where_they_are_not_plain_or_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragmented = (
        frame(BINARY, HELLO[:3], masked=True, fin=False)
        + frame(PING, b"", masked=True)
        + frame(CONTINUATION, HELLO[3:], masked=True)
    )
    lines = recorded(
        ("out", ASK), ("in", ANSWER), ("out", fragmented[:9]), ("out", fragmented[9:]),
        ("out", frame(TEXT, b"hi", masked=True)), ("out", binary(PingReq(), masked=False)),
    )  # fmt: skip
    assert titles(as_json(lines, tmp_path, capsys))[2:] == [
        "PUBLISH, MQTT 5.0",
        "WebSocket ping frame from the client",
        "text of a WebSocket message from the client",
        "WebSocket text frame from the client",
        "PINGREQ, MQTT 5.0",
        "WebSocket binary frame from the client",
    ]
    code, out = shown(lines, tmp_path, capsys, "--frames")
    assert code == 1
    assert "WebSocket continuation frame from the client, 14 bytes at offset 15: valid" in out
    assert "FAULTY FRAME" in out


def test_what_fits_nowhere_and_what_never_came_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused = recorded(("out", ASK), ("in", b"HTTP/1.1 403 No\r\n\r\nno entry"))
    assert titles(as_json(refused, tmp_path, capsys)) == [
        "HTTP request from the client",
        "HTTP response from the server",
        "body of the answer from the server",
    ]
    garbage = recorded(("in", b"\x16\x03\x01"), role=Role.SERVER)
    assert titles(as_json(garbage, tmp_path, capsys)) == ["bytes that fit nowhere from the client"]
    cut = recorded(("out", ASK), ("in", ANSWER), ("out", binary(connect(4), version=4)), ("out", binary(HELLO[:5])))
    code, out = shown(cut, tmp_path, capsys, "--brief")
    assert code == 0
    assert "never completed" in out
    assert "PUBLISH, MQTT 3.1.1 UNFINISHED: 5 of 11 bytes are here; still to come: payload" in out


def test_a_gap_is_said_and_reading_goes_on_behind_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = binary(Publish("a", bytes(300)))
    lines = recorded(
        ("out", ASK), ("in", ANSWER), ("out", binary(HELLO) + long[:100]), ("out", long[100:200]),
        ("out", long[200:] + binary(HELLO)), end=False,
    )  # fmt: skip
    del lines[5]
    moments = as_json(lines, tmp_path, capsys)
    assert [moment["gap"] for moment in moments[1:5]] == [False, False, False, True]
    assert titles(moments)[2:] == ["PUBLISH, MQTT 5.0"] * 2
    _, out = shown(lines, tmp_path, capsys, "--brief")
    assert "(not recorded: what came before)" in out
    _, out = shown(lines, tmp_path, capsys)
    assert ", behind a gap" in out


def test_connections_are_told_apart_and_in_order_of_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    recorder = Recorder(lines.append)
    first, second = recorder.open(Role.CLIENT, 0.0, WALL), recorder.open(Role.CLIENT, 1.0, WALL)
    second.sent(ASK, 2.0)
    first.sent(ASK, 3.0)
    second.event("wobble", 4.0)
    second.event("reset", 5.0)
    moments = as_json(lines, tmp_path, capsys)
    assert [(moment["connection"], moment["time"]) for moment in moments] == [
        (1, 0.0), (2, 1.0), (2, 2.0), (1, 3.0), (2, 4.0), (2, 5.0),
    ]  # fmt: skip
    assert [moment["event"] for moment in moments[-2:]] == ["wobble", "the connection was reset"]
    assert {moment["connection"] for moment in as_json(lines, tmp_path, capsys, "-c", "2")} == {2}


def test_colours_are_for_whoever_asks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = conversation()
    assert "\x1b[" not in shown(lines, tmp_path, capsys)[1]
    assert "\x1b[" in shown(lines, tmp_path, capsys, "--colour", "always")[1]


def test_a_trace_may_come_through_a_pipe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(written(tmp_path, conversation())).open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert main(["trace", "show", "-", "--brief"]) == 0
    assert "CONNECT client_id='me'" in capsys.readouterr().out
