"""``mqttws conform client``: who is checked, whether a program or whoever comes, reports, exit codes."""

from __future__ import annotations

import json
import signal
import socket
import sys
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from mqttws.cli import main
from mqttws.client import open_client
from mqttws.conformance.client.subjects import environment_of
from mqttws.conformance.report import Report
from mqttws.conformance.verdict import Verdict
from mqttws.errors import MqttError
from tests.cli.peers import Command

QUICK = ["--only", "offers_no_mqtt_subprotocol", "-V", "5"]
OURS = f"{sys.executable} -m mqttws conform subject {{url}}"


def conform(*arguments: str) -> int:
    return main(["conform", "client", *arguments])


def test_a_ready_subject_and_its_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert conform("--subject", "mqttws", *QUICK, "--save", str(path), "--seed", "5") == 0
    output = capsys.readouterr()
    assert "MQTT 5.0; 2." in output.err
    report = Report.loads(path.read_bytes())
    assert (report.subject, bool(report.release), report.seed) == ("mqttws", True, 5)
    (result,) = report.results
    assert (result.check, result.verdict) == ("client/5.0/offers_no_mqtt_subprotocol", Verdict.PASSED)


def test_a_program_by_its_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in environment_of().items():
        monkeypatch.setenv(name, value)
    assert conform("--command", OURS, *QUICK, "--json", "--name", "mine", "--release", "2") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["subject"], report["release"], report["kind"]) == ("mine", "2", "client")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "one of the arguments --command --subject --listen is required"),
        (["--subject", "nobody"], 2, "invalid choice"),
        (["--command", "", *QUICK], 2, "--command is empty"),
        (["--command", "'", *QUICK], 2, "--command: No closing quotation"),
        (["--command", "/nowhere/client {url}", *QUICK], 2, "cannot start '/nowhere/client {url}': No such file"),
        (["--command", "false {url}", *QUICK], 3, "the client does not get through a good conversation"),
        (["--command", "false", *QUICK], 3, "; there is no {url} in --command"),
        (["--listen", "x:y"], 2, "HOST:PORT"),
        (["--listen", "127.0.0.1:1", "--only", "nothing"], 2, "no check fits --only 'nothing'"),
    ],
)
def test_wrong_usage_and_clients_that_do_not_come(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conform(*arguments) == code
    assert words in capsys.readouterr().err


def test_a_ready_subject_that_is_not_installed_is_said_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert conform("--subject", "MQTT.js", *QUICK) == 2
    assert "Node.js is not installed" in capsys.readouterr().err


async def come(url: str) -> None:
    """Connect, subscribe, and stay as long as one may."""
    async with open_client(url, reconnect=None) as client, client.subscribe("here") as messages:
        while True:
            await messages.receive_many(1)


@trio_test
async def test_whoever_comes_is_checked_and_told_what_to_do() -> None:
    with Command("conform", "client", "--listen", "--only", "takes_a_text_frame", "-V", "5", "--brief") as command:
        assert command.process.stderr is not None
        line = command.process.stderr.readline()
        assert line.startswith("listening: ws://127.0.0.1:")
        url = line.split()[1]
        with trio.fail_after(60):
            for _ in range(2):  # one to know it by, one for the check
                with pytest.raises(MqttError):
                    await come(url)
        code, output, errors = command.end()
    assert code == 0, errors
    assert "1 checks: 1 passed" in output
    assert "task: connect version=5" in errors
    assert "task: subscribe" in errors


def test_a_place_that_is_taken_cannot_be_listened_at(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert conform("--listen", f"127.0.0.1:{taken.getsockname()[1]}", *QUICK) == 2
    assert "cannot listen for the client: " in capsys.readouterr().err


def test_a_signal_before_the_first_check_leaves_no_traceback() -> None:
    with Command("conform", "client", "--listen", *QUICK) as command:
        assert command.process.stderr is not None
        assert command.process.stderr.readline().startswith("listening: ")
        assert command.process.stderr.readline().startswith("task: connect ")
        command.signal(signal.SIGINT)
        assert command.end() == (1, "", "")
