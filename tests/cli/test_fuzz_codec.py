"""mqttws fuzz: codec, replay, diff and self, as a user runs them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from mqttws.cli import fuzz, fuzz_diff, main
from mqttws.fuzz.findings import Finding, read_finding, write_finding
from mqttws.fuzz.targets import TARGETS

OWN = ["--adapter", "mqttws.fuzz.adapters.own:decode", "--refusal", "mqttws.errors:RemoteProtocolError"]
SERVED = f"{sys.executable} -m mqttws.fuzz.adapters.serve mqttws.fuzz.adapters.own:decode {{version}} {{sender}}"


@pytest.fixture
def lenient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A decoder in the current folder that takes everything but what is cut off."""
    (tmp_path / "lenient_decoder.py").write_text(
        "def decode(data):\n    if len(data) < 2:\n        raise ValueError('too short')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return "lenient_decoder:decode"


@pytest.mark.parametrize("kind", fuzz.SUBCOMMANDS)
def test_each_kind_has_help_with_examples(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", kind, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"usage: mqttws fuzz {kind}" in out
    assert out.count(f"mqttws fuzz {kind}") >= 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "KIND"),
        (["nothing"], "invalid choice"),
        (["codec"], "--adapter --command is required"),
        (["codec", "--adapter", "a:b", "--command", "c"], "not allowed with"),
        (["codec", "--adapter", "no_such_module:x"], "cannot load"),
        (["codec", "--adapter", "os:sep"], "names a function"),
        (["codec", "--adapter", "os:getcwd", "--refusal", "os:sep"], "names a function"),
        (["codec", "--command", " "], "empty"),
        (["codec", "--command", "x", "--refusal", "builtins:ValueError"], "a command says 'error'"),
        (["codec", *OWN, "--count", "many"], "not a whole number"),
        (["diff", "--command", "no name"], "NAME=TEXT"),
        (["replay", "README.md"], "holds no finding"),
        (["replay", "no such finding"], "cannot read no such finding: No such file"),
        (["self", "--corpus", "x"], "--engine atheris"),
        (["self", "--target", "nothing"], "invalid choice"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", *arguments]) == 2
    err = capsys.readouterr().err
    assert complaint in err
    assert err.count("\n") == 1


def test_our_own_decoder_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "codec", *OWN, "--count", "1500", "--seed", "3"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1,500 inputs from seed 3 in ")
    assert out.endswith("nothing found\n")


def test_our_own_decoder_passes_behind_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--command", SERVED, "--count", "150", "-V", "5", "--sender", "client", "--json"]
    assert main(["fuzz", "codec", *arguments]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert sum(figures["inputs"].values()) == 150
    assert figures["findings"] == 0
    assert "adapters.serve" in figures["decoder"]


def test_a_lenient_decoder_is_found_out(lenient: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--adapter", lenient, "--count", "600", "--findings", "found", "--seconds", "60"]
    assert main(["fuzz", "codec", *arguments]) == 1
    out, err = capsys.readouterr()
    assert "wrong-accept" in out
    files = list((tmp_path / "found").iterdir())
    assert f"{len(files)} findings in found" in out
    assert all(f"found/{file.name}" in err for file in files)
    finding = read_finding(files[0])
    assert (finding.kind, finding.subject) == ("wrong-accept", lenient)


def test_a_command_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "codec", "--command", "/no/such/decoder", "--count", "5"]) == 2
    assert "cannot run /no/such/decoder" in capsys.readouterr().err


def write(folder: Path, **changes: Any) -> str:
    members: dict[str, Any] = {
        "kind": "wrong-accept",
        "data": bytes.fromhex("36060001610001 00"),
        "subject": "x",
        "expected": "refused",
        "answer": "accepted",
        "rule": "a PUBLISH has not both QoS bits set",
    }
    return str(write_finding(Finding(**members | changes), folder))


def test_a_finding_is_tried_again(lenient: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path)
    assert main(["fuzz", "replay", file]) == 0
    assert "now:      refused by mqttws: MalformedPacket" in capsys.readouterr().out
    assert main(["fuzz", "replay", file, "--adapter", lenient, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["wrong_now"] == "wrong-accept"
    assert main(["fuzz", "replay", file, "--explain"]) == 0
    assert "MQTT-3.3.1-4" in capsys.readouterr().out


def test_a_finding_with_a_decoder_that_is_gone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "replay", write(tmp_path), "--command", "/no/such/decoder"]) == 2
    assert "cannot run" in capsys.readouterr().err


def test_a_finding_of_a_target_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, target="codec", kind="crash", expected="no exception")
    assert main(["fuzz", "replay", file]) == 0
    assert "an end without an exception" in capsys.readouterr().out

    def broken(_: bytes) -> None:
        raise KeyError("still")

    monkeypatch.setitem(TARGETS, "codec", broken)
    assert main(["fuzz", "replay", file]) == 1
    assert "KeyError" in capsys.readouterr().out
    assert main(["fuzz", "replay", write(tmp_path, target="unknown")]) == 2


def test_the_same_bytes_to_several_decoders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "matrix.html"
    arguments = ["--decoder", "mqttium", "--command", f"served={SERVED}", "--count", "120", "--html", str(page)]
    code = main(["fuzz", "diff", *arguments, "--json"])
    matrix = json.loads(capsys.readouterr().out)
    assert matrix["cases"] == 120
    by_name = {each["name"]: each for each in matrix["decoders"]}
    assert by_name["mqttws"]["asked"] == by_name["served"]["asked"]
    assert not by_name["mqttws"]["wrong"]
    assert not by_name["served"]["wrong"]
    assert code == int(any(each["wrong"] for each in matrix["decoders"]))
    assert "MQTT decoders compared" in page.read_text()


def test_decoders_that_are_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--decoder", "zmqtt", "--decoder", "mqtt-packet", "--python", "/no/such/python"]
    assert main(["fuzz", "diff", *arguments, "--node-folder", str(tmp_path), "--count", "10", "-V", "3.1.1"]) == 0
    out = capsys.readouterr().out
    assert "skipped: zmqtt: cannot run /no/such/python" in out
    assert "skipped: mqtt-packet: " in out
    assert "10 cases, 0 with a wrong answer" in out


def test_a_release_is_asked_for() -> None:
    assert fuzz_diff._release([sys.executable, "-c", "print('1.2')"], {}) == "1.2"


def test_our_own_targets_run_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--target", "codec", "--target", "link-server", "--count", "300", "--findings", str(tmp_path / "f")]
    assert main(["fuzz", "self", *arguments]) == 0
    out = capsys.readouterr().out
    assert out.startswith("300 inputs from seed 0, 0 findings\n")
    assert "codec" in out
    assert re.search(r"^slowest input [0-9.]+ s for [0-9,]+ bytes; memory grew by ", out, re.MULTILINE)
    assert not (tmp_path / "f").exists()
    assert main(["fuzz", "self", *arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["by_target"] == {"codec": 150, "link-server": 150}
    assert figures["slowest_bytes"] > 0


def test_what_our_own_targets_find_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(data: bytes) -> None:
        raise KeyError(len(data))

    monkeypatch.setitem(TARGETS, "codec", broken)
    arguments = ["--target", "codec", "--count", "5", "--findings", str(tmp_path)]
    assert main(["fuzz", "self", *arguments]) == 1
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("crash_codec_KeyError")
    assert file.name in capsys.readouterr().err


def test_atheris_gets_a_process_for_each_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended: list[int] = [0, 77]
    commands: list[list[str]] = []

    class Ended:
        def __init__(self, code: int) -> None:
            self.returncode = code

    def run(command: list[str], *, check: bool) -> Ended:
        assert not check
        commands.append(command)
        return Ended(ended[len(commands) - 1])

    monkeypatch.setattr("mqttws.cli.fuzz_self.subprocess.run", run)
    arguments = ["self", "--engine", "atheris", "--target", "codec", "--target", "framer", "--corpus", str(tmp_path)]
    assert main(["fuzz", *arguments, "--seconds", "60", "--seed", "9"]) == 1
    assert [command[3] for command in commands] == ["codec", "framer"]
    assert all(command[-2:] == ["--seed", "9"] for command in commands)
    assert commands[0][commands[0].index("--seconds") + 1] == "30.0"
    assert commands[1][commands[1].index("--corpus") + 1] == str(tmp_path / "framer")
    ended[:] = [2]
    commands.clear()
    assert main(["fuzz", *arguments[:-2]]) == 2
    assert commands[0][commands[0].index("--count") + 1] == "50000"
    assert "atheris is not installed" in capsys.readouterr().err
