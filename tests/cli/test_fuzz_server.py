"""``mqttws fuzz server``: bounds, findings as files, exit codes, and whose host it is."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from mqttws.cli import main
from tests.cli.peers import PATIENCE, Command, serving

TINY = ["--count", "12", "--every", "4", "--rate", "10000", "--patience", "10"]


def wrong_server(way: str) -> list[str]:
    """URL and --command of a Server that is wrong in one way."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = f"'{sys.executable}' -m tests.fuzz.subjects {way} {port}"
    return [f"ws://127.0.0.1:{port}/mqtt?access_token=SECRETSECRET", "--command", command]


def test_our_own_endpoint_gives_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving("--quiet") as (endpoint, _, url):
        folder = tmp_path / "findings"
        code = main(["fuzz", "server", url, "--pid", str(endpoint.process.pid), *TINY, "--json",
                     "--findings", str(folder), "--seed", "5"])  # fmt: skip
    output = capsys.readouterr()
    summary = json.loads(output.out)
    assert code == 0, summary["findings"]
    assert (summary["attacks"], summary["seed"], summary["gone"]) == (12, 5, False)
    assert summary["versions"] == [5, 4]
    assert summary["memory_bytes"][0] > 1_000_000
    assert "access_token=ey" not in output.out + output.err
    assert not folder.exists()


def test_findings_are_files_that_replay_and_explain_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--stop-after", "1", "--tries", "2", "--rate", "10000", "--patience", "2", "--out", str(tmp_path)]
    assert main(["fuzz", "server", *wrong_server("talks-nonsense"), *options]) == 1
    output = capsys.readouterr().out
    (path,) = tmp_path.glob("*.json")
    binary = path.with_suffix(".bin")
    assert f"- sent nonsense: {json.loads(path.read_text('utf-8'))['scripts'][0]['kind']}" in output
    assert str(path) in output
    assert "good clients: slowest round trip" in output
    assert b"SECRET" not in path.read_bytes() + binary.read_bytes() + output.encode()

    assert main(["fuzz", "server", *wrong_server("talks-nonsense"), "--replay", str(path), "--patience", "2"]) == 1
    output = capsys.readouterr().out
    assert "> handshake\n< HTTP 101\n" in output
    assert "sent nonsense: what it has sent is wrong: packet type 0 is reserved" in output
    assert main(["fuzz", "server", *wrong_server("good"), "--replay", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["seen"] is None

    assert main(["fuzz", "replay", str(path)]) == 2
    assert f"mqttws fuzz server --replay {path}" in capsys.readouterr().err
    main(["explain", "--websocket", "--stream", "--file", str(path)])
    assert "HTTP head" in capsys.readouterr().out
    main(["explain", "--websocket", "--stream", "--file", str(binary), "--json"])
    assert '"HTTP head"' in capsys.readouterr().out


def test_a_server_that_dies_is_started_again_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--stop-after", "1", "--tries", "0", "--rate", "10000", "--patience", "10", "--out", str(tmp_path)]
    assert main(["fuzz", "server", *wrong_server("falls"), *options]) == 1
    output = capsys.readouterr().out
    assert "the process has ended: KeyError: 7" in output
    assert "started again" in output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "no URL"),
        (["http://127.0.0.1/"], 2, "ws://"),
        (["ws://192.0.2.1/mqtt"], 2, "--i-own-this-host"),
        (["ws://127.0.0.1:1/", "--pid", "1", "--command", "x"], 2, "--pid has no place"),
        (["ws://127.0.0.1:1/", "--every", "0"], 2, "--every"),
        (["ws://127.0.0.1:1/", "--command", "'"], 2, "--command"),
        (["ws://127.0.0.1:1/", "--command", ""], 2, "--command is empty"),
        (["ws://127.0.0.1:1/", "--replay", "/no/such/file"], 2, "cannot read"),
        (["ws://127.0.0.1:1/", "--count", "x"], 2, "whole number"),
        (["ws://127.0.0.1:1/"], 3, "cannot connect"),
        (["ws://127.0.0.1:1/", "--command", "/no/such/program"], 3, "program"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuzz", "server", *arguments]) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(("content", "words"), [("{}", "no finding"), ("x", "no finding"), (None, "fuzz client")])
def test_another_file_is_no_finding(
    content: str | None, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    members: dict[str, Any] = {
        "format": "mqttws-fuzz-live-1", "subject": "client", "verdict": "hung", "symptom": "", "key": "",
        "scripts": [], "attack": 0, "seed": 0,
    }  # fmt: skip
    path.write_text(json.dumps(members) if content is None else content, encoding="utf-8")
    assert main(["fuzz", "server", "ws://127.0.0.1:1/", "--replay", str(path)]) == 2
    assert words in capsys.readouterr().err


def test_an_interrupted_run_still_reports(endpoint: tuple[str, str], tmp_path: Path) -> None:
    _, url = endpoint
    with Command("fuzz", "server", url, "--seconds", str(PATIENCE), "--json", "--out", str(tmp_path)) as command:
        assert command.process.stderr is not None
        assert "attacks, 0 findings" in command.process.stderr.readline()  # the first line of progress
        command.signal(signal.SIGINT)
        code, output, _ = command.end()
    assert code == 0
    assert json.loads(output)["attacks"] > 0
