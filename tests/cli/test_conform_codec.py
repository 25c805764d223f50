"""``mqttws conform codec``: decoders in this process and behind commands."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from mqttws.cli import main
from mqttws.conformance.report import Report

OWN = ["--adapter", "mqttws.fuzz.adapters.own:decode", "--refusal", "mqttws.errors:RemoteProtocolError"]


def test_our_own_codec_passes_in_every_form_of_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / name for name in ("own.json", "own.html", "own.xml")]
    options = ["--save", str(files[0]), "--html", str(files[1]), "--junit", str(files[2])]
    assert main(["conform", "codec", *OWN, "--name", "mqttws", *options]) == 0
    out, err = capsys.readouterr()
    assert "MQTT 3.1.1" in out
    assert "FAILED" not in out
    assert err == ""
    assert Report.loads(files[0].read_bytes()).subject == "mqttws"
    assert "<h2>Codecs</h2>" in files[1].read_text("utf-8")
    assert ElementTree.parse(files[2]).getroot().find("testsuite") is not None


def decoder(folder: Path, body: str) -> list[str]:
    file = folder / "decoder.py"
    file.write_text(f"import sys\nfor line in sys.stdin:\n    {body}\n", encoding="utf-8")
    return ["--command", f"{sys.executable} {file} {{version}} {{sender}}"]


def test_a_command_that_takes_everything_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = decoder(tmp_path, "print('ok', flush=True)")
    options = ["-V", "5", "--sender", "server", "--only", "MQTT-3.3.1-4", "--json"]
    assert main(["conform", "codec", *command, *options]) == 1
    out, err = capsys.readouterr()
    (found,) = json.loads(out)["results"]
    assert found["check"] == "codec/5.0/mqtt_3_3_1_4"
    assert found["verdict"] == "failed"
    assert "no fields were given" in err


def test_a_command_that_dies_fails_what_it_dies_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = decoder(tmp_path, "print('error no', flush=True) if line.startswith(('c0', 'd0')) else sys.exit('oops')")
    assert main(["conform", "codec", *command, "--only", "5.0/auth_invalid"]) == 1
    assert "the decoder fails over it (exit status 1: oops)" in capsys.readouterr().out


def test_who_does_not_speak_the_protocol_cannot_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "codec", *decoder(tmp_path, "print('hello', flush=True)")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "said 'hello'" in err


def test_who_loses_his_tongue_halfway_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = "print('error no' if line.startswith(('c0', 'd0')) else 'what?', flush=True)"
    assert main(["conform", "codec", *decoder(tmp_path, body), "--only", "5.0/auth_*"]) == 2
    out, err = capsys.readouterr()
    assert "not tested" in out
    assert "said 'what?'" in err


def test_a_check_that_does_not_exist_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conform", "codec", *OWN, "--only", "MQTT-99"]) == 2
    assert "no check fits --only 'MQTT-99'" in capsys.readouterr().err


def test_a_function_of_bytes_alone_is_for_one_version(capsys: pytest.CaptureFixture[str]) -> None:
    adapter = ["--adapter", "tests.cli.test_conform_codec:takes_all", "--only", "pingreq_direction"]
    assert main(["conform", "codec", *adapter]) == 2
    assert "say which by -V" in capsys.readouterr().err
    assert main(["conform", "codec", *adapter, "-V", "5"]) == 0
    assert "not applicable" in capsys.readouterr().out


def test_a_command_is_told_the_sender_or_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = decoder(tmp_path, "print('ok', flush=True)")
    only = ["--only", "5.0/pingreq_direction"]
    assert main(["conform", "codec", *command, *only]) == 1
    assert main(["conform", "codec", *command, *only, "--any-sender"]) == 0
    assert main(["conform", "codec", "--command", command[1].removesuffix(" {sender}"), *only]) == 0
    capsys.readouterr()


def takes_all(_data: bytes) -> None:
    """A decoder that has never seen a rule."""
