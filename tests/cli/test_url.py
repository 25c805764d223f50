"""``mqttws url``: a URL that opens the door, and nothing on standard error that should not be there."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mqttws.cli import main
from mqttws.webpubsub import Claims, ClientAccessUrl, ConnectionString, Roles, read_token

KEY = "canary0123456789abcdef0123456789abcdef"
SERVICE = f"Endpoint=http://localhost;Port=8080;AccessKey={KEY};Version=1.0;"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MQTTWS_CONNECTION_STRING", "WebPubSubConnectionString"):
        monkeypatch.delenv(name, raising=False)


def claims_of(url: str) -> Claims:
    audience = ConnectionString.parse(SERVICE).audience("chat")
    return read_token(ClientAccessUrl.parse(url).token, [KEY], [audience], time.time())


def test_the_url_says_what_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--user-id", "joe", "--publish", "a", "--subscribe", "b", "--role", "webpubsub.joinLeaveGroups.c*"]
    assert (
        main(["url", "--connection-string", SERVICE, "--hub", "chat", *options, "--group", "g", "--lifetime", "60"])
        == 0
    )
    out, err = capsys.readouterr()
    assert out.startswith("ws://localhost:8080/clients/mqtt/hubs/chat?access_token=")
    assert out.count("\n") == 1
    assert err == ""
    claims = claims_of(out)
    assert (claims.user_id, claims.groups) == ("joe", ("g",))
    assert claims.roles == Roles.publish("a") + Roles.subscribe("b") + Roles.subscribe_matching("c*")
    assert claims.expires_at - claims.all["iat"] == 60


def test_json_has_the_parts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["url", "--connection-string", SERVICE, "--hub", "chat", "--everything", "--json"]) == 0
    members = json.loads(capsys.readouterr().out)
    assert members["url"] == f"{members['base_url']}?access_token={members['token']}"
    assert tuple(members["roles"]) == Roles.everything() == claims_of(members["url"]).roles


@pytest.mark.parametrize("variable", ["MQTTWS_CONNECTION_STRING", "WebPubSubConnectionString"])
def test_the_connection_string_may_come_from_the_environment(
    variable: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, SERVICE)
    assert main(["url", "--hub", "chat", "--everything"]) == 0
    assert claims_of(capsys.readouterr().out).roles == Roles.everything()


def test_the_connection_string_may_come_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "service"
    path.write_text(SERVICE + "\n")
    assert main(["url", "--connection-string-file", str(path), "--hub", "chat", "--everything"]) == 0
    assert claims_of(capsys.readouterr().out).roles == Roles.everything()


def test_what_looks_like_a_mistake_is_noted_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    short = "Endpoint=http://localhost;AccessKey=short"
    assert main(["url", "--connection-string", short, "--hub", "chat", "--role", "admin"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("ws://localhost/clients/mqtt/hubs/chat?access_token=")
    assert [line.split(":")[:2] for line in err.splitlines()] == [["mqttws url", " note"]] * 2
    assert "the access key has 5 bytes" in err
    assert "'admin' ignored" in err
    assert main(["url", "--connection-string", SERVICE, "--hub", "chat"]) == 0
    assert "neither publish nor subscribe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--hub", "chat"], "no connection string"),
        (["--connection-string", SERVICE], "--hub"),
        (["--connection-string", SERVICE, "--hub", "1"], "no hub name"),
        (["--connection-string", KEY, "--hub", "chat"], "segment 1"),
        (["--connection-string", f"AccessKey={KEY}", "--hub", "chat"], "Endpoint is missing"),
        (["--connection-string", SERVICE, "--hub", "chat", "--lifetime", "0"], "lifetime"),
        (["--connection-string", SERVICE, "--hub", "chat", "--lifetime", "x"], "--lifetime"),
        (["--connection-string", SERVICE, "--hub", "chat", "--publish", " "], "group (topic) name"),
        (["--connection-string", SERVICE, "--hub", "chat", f"AccessKey={KEY}"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_one_line_without_the_key(
    options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["url", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("mqttws url: ")
    assert err.count("\n") == 1
    assert complaint in err
    assert KEY not in err


def test_the_command_answers_without_loading_trio() -> None:
    script = (
        "import sys\n"
        "from mqttws.cli import main\n"
        f"assert main(['url', '--connection-string', {SERVICE!r}, '--hub', 'chat', '--everything']) == 0\n"
        "assert main(['--version']) == 0\n"
        "assert main(['--help']) == 0\n"
        "assert not {'trio', 'wsproto', 'h11'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
