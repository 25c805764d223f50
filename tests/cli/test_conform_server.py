"""``mqttws conform server``: a choice of checks, reports, exit codes, and whose host it is."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trio

from mqttws.cli import conform_options, main
from mqttws.conformance.report import Report
from mqttws.conformance.server import run as server_run
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.verdict import Failed, Verdict
from mqttws.vocabulary import ProtocolVersion
from tests.cli.peers import Command
from tests.conformance.test_runner import check_of

PING = ["--only", "pingreq_unanswered"]


def conform(*arguments: str) -> int:
    return main(["conform", "server", *arguments])


@pytest.fixture
def url(endpoint: tuple[str, str]) -> str:
    return endpoint[1]


def test_a_few_checks_and_their_report_as_files(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MQTTWS_URL", url)
    files = {name: tmp_path / f"report.{name}" for name in ("save", "html", "junit")}
    outputs = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    assert conform(*PING, "--name", "ours", "--release", "1", "--keep-all", "--seed", "7", *outputs) == 0
    output = capsys.readouterr()
    assert "ours 1: server, " in output.out
    assert "MQTT 5.0: empty_client_id, qos1" in output.err
    report = Report.loads(files["save"].read_bytes())
    assert (report.title, report.seed) == ("ours 1", 7)
    assert {result.version for result in report.results} == {4, 5}
    for result in report.results:
        assert result.verdict is Verdict.PASSED
        assert "MQTT-3.12.4-1" in result.statements
        assert result.transcript
    for path in files.values():
        assert b"access_token=ey" not in path.read_bytes()
    assert "access_token=ey" not in output.out + output.err


def test_as_json_in_one_version_with_what_a_user_knows(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def look(probe: ServerProbe) -> None:
        assert "session_expiry" not in probe.capabilities
        assert (probe.patience, probe.subject.topics) == (20.0, "sand/box")
        connect = probe.connect_packet()
        assert connect.client_id.startswith("dev")
        assert connect.properties == {"user_property": [("a", "b")]}

    use_checks(monkeypatch, [check_of(look), check_of(look, version=ProtocolVersion.V3_1_1)])
    options = ["-V", "5", "--json", "--without", "session_expiry", "--topics", "sand/box", "--client-ids", "dev"]
    options += ["--connect-property", "user_property=a=b", "--patience", "20", "--at-once", "2"]
    assert conform(url, *options) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert (result["version"], result["verdict"]) == (5, "passed")


def test_what_failed_before_is_run_again(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "report.json"
    assert conform(url, *PING, "--save", str(path), "--brief") == 0
    assert conform(url, "--failed", str(path)) == 2
    assert f"nothing in {path} has failed or was left open" in capsys.readouterr().err
    members = json.loads(path.read_text("utf-8"))
    members["results"][0]["verdict"] = "failed"
    path.write_text(json.dumps(members), encoding="utf-8")
    assert conform(url, "--failed", str(path), "--only", "second_connect") == 2
    assert "no check is asked for" in capsys.readouterr().err
    assert conform(url, "--failed", str(path), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert [result["check"] for result in shown["results"]] == [members["results"][0]["check"]]


def use_checks(monkeypatch: pytest.MonkeyPatch, checks: Sequence[Any]) -> None:
    """Let these be all checks of Servers."""
    monkeypatch.setattr(server_run, "checks", lambda _: list(checks))


def test_a_check_that_is_wrong_itself_does_not_go_unnoticed(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def wrong(_probe: ServerProbe) -> None:
        raise KeyError("oh")

    use_checks(monkeypatch, [check_of(wrong)])
    assert conform(url) == 1
    output = capsys.readouterr()
    assert "1 inconclusive" in output.out
    assert "server/5.0/one: the check itself is wrong: KeyError: 'oh'" in output.err


def test_a_failure_is_the_exit_status_and_second_credentials_are_used(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    async def tell(probe: ServerProbe) -> None:
        second = probe.subject.second
        assert second is not None
        assert (second.username, second.password) == ("bob", b"pass of bob")
        assert probe.subject.account.password == b"pass of ann"
        await probe.connect(account=second)
        raise Failed("so it is")

    secret = tmp_path / "bob.txt"
    secret.write_text("pass of bob\n", encoding="utf-8")
    use_checks(monkeypatch, [check_of(tell, needs=frozenset(("second_credentials",)))])
    options = ["-u", "ann", "-P", "pass of ann", "--second-username", "bob", "--second-password-file", str(secret)]
    assert conform(url, *options) == 1
    output = capsys.readouterr()
    assert "what was seen: so it is" in output.out
    assert "pass of" not in output.out + output.err


def test_a_second_url_is_somebody_else(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    async def note(probe: ServerProbe) -> None:
        seen.append(probe.subject.second)

    use_checks(monkeypatch, [check_of(note)])
    assert conform(url, "--second-url", url, "-u", "ann") == 0
    assert seen[0].username == "ann"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "no URL"),
        (["nonsense"], 2, "URL"),
        (["ws://192.0.2.1/mqtt"], 2, "--i-own-this-host says that you may check it"),
        (["ws://127.0.0.1:1/mqtt", "--at-once", "0"], 3, "no good client gets in at ws://127.0.0.1:1/mqtt"),
        (["ws://name.invalid/mqtt"], 3, "cannot find the host"),
        (["ws://127.0.0.1:1/mqtt", "--second-url", "ftp://x"], 2, "URL"),
        (["ws://127.0.0.1:1/mqtt", "--only", "nothing"], 2, "no check fits --only 'nothing'"),
        (["ws://127.0.0.1:1/mqtt", "--only", "5.0/3.8", "--only", "3.1.1/3.14", "-V", "5"], 2, "'3.1.1/3.14'"),
        (["ws://127.0.0.1:1/mqtt", "--failed", "nowhere.json"], 2, "cannot read nowhere.json"),
        (["ws://127.0.0.1:1/mqtt", "--without", "luck"], 2, "luck"),
        (["ws://127.0.0.1:1/mqtt", "--connect-property", "x"], 2, "NAME=VALUE"),
    ],
)
def test_wrong_usage_and_nobody_there(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conform(*arguments) == code
    assert words in capsys.readouterr().err


def test_what_may_help_is_said_where_no_client_gets_in(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    address = url.partition("?")[0]
    assert conform(address) == 3
    assert "HTTP 401 (MQTT 5.0 and 3.1.1); does it want a token in the URL" in capsys.readouterr().err
    assert conform(address.rpartition("/clients")[0] + "/nowhere") == 3
    assert "HTTP 404 (MQTT 5.0 and 3.1.1); is the path of the URL right?" in capsys.readouterr().err


def test_no_side_by_side_is_wrong_usage(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert conform(url, *PING, "--at-once", "0") == 2
    assert "--at-once is at least 1" in capsys.readouterr().err


def test_a_run_that_has_not_come_to_its_end_does_not_count_as_a_good_one(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def endless(_probe: ServerProbe) -> None:
        await trio.sleep_forever()

    use_checks(monkeypatch, [check_of(endless)])
    assert conform(url, "--seconds", "0.1") == 1
    output = capsys.readouterr()
    assert "1 checks: 1 not tested" in output.out
    assert "the run's 0.1 s were over (--seconds gives more): 1 of 1 checks" in output.err


@pytest.mark.parametrize(("name", "why"), [("no/report.json", "its folder is not there"), (".", "it is a folder")])
def test_a_file_that_cannot_be_written_is_told_before_the_run(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, why: str
) -> None:
    assert conform(url, *PING, "--save", str(tmp_path / name)) == 2
    output = capsys.readouterr()
    assert why in output.err
    assert not output.out


def test_progress_is_told_on_standard_error(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conform_options, "_PROGRESS_SECONDS", (0.0, 0.0))
    assert conform(url, *PING, "-V", "5", "--brief") == 0
    assert "1 of 1 checks, 0 failed" in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert conform(url, *PING, "-V", "5", "--brief") == 0
    assert "\r\x1b[K" in capsys.readouterr().err


def test_a_signal_ends_the_run_and_what_is_known_is_told(url: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    with Command("conform", "server", url, "--only", "pinging_*", "--save", str(path)) as command:
        assert command.process.stderr is not None
        assert command.process.stderr.readline().startswith("MQTT 5.0: ")
        command.signal(signal.SIGINT)
        code, output, errors = command.end()
    assert code == 1
    assert "interrupted: 2 of 2 checks were not brought to an end" in errors
    assert "2 checks: 2 not tested" in output
    assert {result.reason for result in Report.loads(path.read_bytes()).results} == {"the run was over before"}
