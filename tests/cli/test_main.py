"""The way into every command: help, version, and errors that are one line."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

import mqttws
from mqttws import cli
from mqttws.cli import COMMANDS, main
from mqttws.errors import MqttError

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJhdWQiOiJjYW5hcnkifQ.c2lnbmF0dXJl"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mqttws {mqttws.__version__}\n"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in COMMANDS)
    assert "exit status" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: mqttws {command}" in out
    assert "examples:" in out
    assert out.count(f"mqttws {command}") >= 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "required: COMMAND"),
        (["publish"], "invalid choice: 'publish'"),
        (["--verbose"], "required: COMMAND"),
        (["--", "pub"], "the command comes first"),
        ([f"ws://h/?access_token={TOKEN}"], "invalid choice"),
        (["url", f"ws://h/?access_token={TOKEN}"], "--hub"),
    ],
)
def test_wrong_usage_is_one_line_without_a_token(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert complaint in err
    assert TOKEN not in err


def run_instead(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every command end with this error."""

    def run(_: Any) -> int:
        raise error

    command = SimpleNamespace(__doc__="a command", EXAMPLES="", add_arguments=lambda _: None, run=run)
    monkeypatch.setattr(cli, "import_module", lambda _: command)


def test_an_error_is_one_line_and_its_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_instead(monkeypatch, ExceptionGroup("both", [MqttError("one"), MqttError("two")]))
    assert main(["pub"]) == 1
    assert capsys.readouterr().err == "mqttws pub: one; two\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, ZeroDivisionError("bug"))
    with pytest.raises(ZeroDivisionError):
        main(["pub"])


@pytest.mark.parametrize(
    "interruption", [KeyboardInterrupt(), BaseExceptionGroup("in a nursery", [OSError(), KeyboardInterrupt()])]
)
def test_ctrl_c_at_a_bad_moment_is_a_failure_without_a_word(
    interruption: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_instead(monkeypatch, interruption)
    assert main(["pub"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_seen_enough_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, BrokenPipeError())
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        stdout.write("not flushed yet")
        assert main(["pub"]) == 0


def test_a_reader_that_has_seen_enough_hears_no_complaint_at_the_interpreters_end() -> None:
    script = "import sys, os\nfrom mqttws.cli import main\nos.close(sys.stdin.fileno())\nsys.exit(main(['--help']))\n"
    command = f'{sys.executable} -c "{script}" | true; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "mqttws", "--version"], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"mqttws {mqttws.__version__}\n", "")
    assert subprocess.run([sys.executable, "-m", "mqttws"], check=False, capture_output=True).returncode == 2
