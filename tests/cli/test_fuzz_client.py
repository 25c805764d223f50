"""``mqttws fuzz client``: our own command and a Client in a loop against a hostile Server, exit codes, whose host."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.fuzz.live.misdeeds import misdeed
from mqttws.fuzz.live.script import Moment
from mqttws.fuzz.live.verdict import Finding, Symptom, Verdict
from tests.cli.peers import PATIENCE, Command


def looping(way: str) -> str:
    return f"'{sys.executable}' -m tests.fuzz.clients {way} {{url}}"


TINY = ["--rate", "10000", "--patience", "5", "--wait", "15"]


def test_our_own_subscriber_gives_no_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = f"'{sys.executable}' -m mqttws sub --url {{url}} -t group1"
    code = main(["fuzz", "client", "--command", command, "--count", "3", *TINY, "--json", "--out", str(tmp_path)])
    summary = json.loads(capsys.readouterr().out)
    assert code == 0, summary["findings"]
    assert (summary["subject"], summary["attacks"], summary["versions"]) == ("client", 3, [5])
    assert summary["starts"] >= 3


def test_findings_are_files_that_can_be_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--command", looping("falls"), "--tries", "0", "--stop-after", "1", *TINY]
    assert main(["fuzz", "client", *options, "--count", "30", "--seed", "2", "--out", str(tmp_path)]) == 1
    output = capsys.readouterr().out
    assert "the Client has crashed: KeyError: 7" in output
    (path,) = tmp_path.glob("*.json")
    assert str(path) in output

    assert main(["fuzz", "client", *options, "--replay", str(path)]) == 1
    assert "died: the Client has crashed: KeyError: 7" in capsys.readouterr().out
    options[1] = looping("good")
    assert main(["fuzz", "client", *options, "--replay", str(path)]) == 0
    output = capsys.readouterr().out
    assert "< GET /mqtt\n" in output
    assert output.endswith("nothing is wrong now\n")


def test_a_client_that_somebody_else_starts_is_told_where(tmp_path: Path) -> None:
    arguments = ["--listen", "127.0.0.1:0", "--count", "3", "--seed", "2", *TINY, "--out", str(tmp_path)]
    with Command("fuzz", "client", *arguments) as command:
        assert command.process.stderr is not None
        url = command.process.stderr.readline().removeprefix("listening: ").strip()
        assert re.fullmatch(r"ws://127\.0\.0\.1:\d+/mqtt", url)
        client = subprocess.Popen([sys.executable, "-m", "tests.fuzz.clients", "good", url])
        try:
            code, output, _ = command.end()
        finally:
            client.kill()
            client.wait(PATIENCE)
    assert code == 0, output
    assert f"3 misdeeds from seed 2 at {url} (MQTT 5.0), 0 findings" in output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--listen", "192.0.2.1:80"], 2, "--i-own-this-host"),
        (["--listen", "nonsense"], 2, "HOST:PORT"),
        (["--listen", "127.0.0.1:99999"], 2, "HOST:PORT"),
        (["--listen", "no.such.host.invalid:80"], 2, "cannot find the host"),
        (["--listen", "192.0.2.1:80", "--i-own-this-host"], 1, "cannot listen on 192.0.2.1:80"),
        (["--path", "mqtt"], 2, "slash"),
        (["--pid", "1", "--command", "x"], 2, "--pid has no place"),
        (["--replay", "/no/such/file"], 2, "cannot read"),
        (["--wait", "0.2"], 3, "no connection within 0.2 s"),
        (["--listen", "[::1]:0", "--wait", "0.2"], 3, "no connection"),
        (["--command", "/no/such/program"], 3, "program"),
    ],
)
def test_what_cannot_be_done_is_said(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fuzz", "client", *arguments]) == code
    assert words in capsys.readouterr().err


def test_a_replay_that_is_interrupted_says_so(tmp_path: Path) -> None:
    symptom = Symptom(Verdict.STOPPED, "it has stopped", "x")
    finding = Finding(symptom, "client", [misdeed(0, 0, 5, {Moment.HANDSHAKE})], 0, 0)
    path = tmp_path / "x.json"
    path.write_text(json.dumps(finding.to_json()), encoding="utf-8")
    with Command("fuzz", "client", "--replay", str(path)) as command:
        assert command.process.stderr is not None
        assert command.process.stderr.readline().startswith("listening: ")
        command.signal(signal.SIGINT)
        code, output, error = command.end()
    assert (code, output) == (1, "")
    assert "interrupted before the finding was tried to its end" in error
