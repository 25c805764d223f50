"""``mqttws trace replay``: events and verdicts for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqttws.cli import main
from mqttws.codec import SubAck
from mqttws.vocabulary import Role
from tests.cli.test_trace import written
from tests.cli.test_trace_show import recorded
from tests.trace.test_replay import CONNACK, CONNECT
from tests.trace.wires import ANSWER, ASK, binary, conversation

STRAY = recorded(
    ("out", ASK), ("in", ANSWER), ("out", CONNECT), ("in", CONNACK), ("out", CONNECT),
    ("in", binary(SubAck(7, [0]), masked=False)), end=False,
)  # fmt: skip


def replayed(lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = main(["trace", "replay", written(folder, lines), *options])
    out, err = capsys.readouterr()
    assert err == ""
    return code, out


def events(lines: list[str], folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[dict[str, Any]]:
    _, out = replayed(lines, folder, capsys, "--json", *options)
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("to", ["codec", "connection"])
def test_a_good_connection_has_no_broken_rule(
    role: Role, direction: str, to: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = replayed(conversation(role), tmp_path, capsys, "-d", direction, "--to", to)
    first, *between, last = out.splitlines()
    receiver = role.value if direction == "in" else role.peer.value
    assert (code, first, last) == (0, f"#1: to a {to} of the {receiver}", "#1: no rule is broken")
    sender_is_client = receiver == "server"
    assert any(("CONNECT client_id='me'" if sender_is_client else "CONNACK") in line for line in between)
    if to == "connection":
        assert between[-1].endswith("Closed in order")


def test_a_broken_rule_is_named_and_what_could_not_be_done_again_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = replayed(STRAY, tmp_path, capsys, "-d", "in")
    lines = out.splitlines()
    assert code == 1
    assert any("not done again: CONNECT: " in line for line in lines)
    assert "FAULT" in lines[-2]
    assert "packet identifier 7" in lines[-1].lower()
    code, out = replayed(STRAY, tmp_path, capsys, "-d", "in", "--to", "codec")
    assert (code, out.splitlines()[-1]) == (0, "#1: no rule is broken")


def test_events_are_objects_for_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = events(STRAY, tmp_path, capsys, "-d", "in")
    assert [event["event"] for event in found] == ["Opened", "ConnAck", "SessionStarted", "Skipped", "Fault"]
    assert found[1]["properties"] == {}
    assert found[3]["packet_type"] == "CONNECT"
    assert found[4].keys() == {"connection", "time", "event", "message", "rule", "reason_code"}
    heard = events(conversation(Role.SERVER), tmp_path, capsys, "-d", "in")
    (subscribe,) = [event for event in heard if event["event"] == "Subscribe"]
    assert subscribe["subscriptions"] == [
        {"topic_filter": "a", "qos": 2, "no_local": False, "retain_as_published": False, "retain_handling": 0}
    ]
    publish = next(event for event in heard if event["event"] == "Publish")
    assert (publish["topic"], publish["payload"], publish["packet_id"]) == ("a", "there", None)
    delivered = next(event for event in heard if event["event"] == "Delivered")
    assert delivered["publish"]["payload"] == "back"
    connect = next(event for event in heard if event["event"] == "Connect")
    assert connect["properties"]["user_property"] == [["token", "*" * 53]]
    assert "password" not in connect
    assert heard[-1] == {"connection": 1, "time": heard[-1]["time"], "event": "Closed", "error": None}


def test_a_connection_that_was_lost_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [*STRAY[:-2], json.dumps({"connection": 1, "time": 9, "event": "eof"})]
    code, out = replayed(lines, tmp_path, capsys, "-d", "in")
    assert code == 0
    assert "Closed: " in out
    assert events(lines, tmp_path, capsys, "-d", "in")[-1]["error"]


def test_a_direction_has_to_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", "replay", written(tmp_path, STRAY)]) == 2
    assert "--direction" in capsys.readouterr().err
