"""``mqttws conform selftest``: what is printed, what is counted, and the exit status."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from mqttws.cli import conform_selftest, main
from mqttws.conformance.check import Kind
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.selftest import Selftest, Trial, try_reference


def run(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    status = main(["conform", "selftest", "--kind", "codec", "--jobs", "1", *options])
    return status, capsys.readouterr().out


def test_what_is_caught_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    status, output = run(capsys)
    assert status == 0
    lines = output.splitlines()
    assert lines[0].startswith("correct codec core: ")
    assert "failed" not in lines[0]
    assert lines[2].startswith("kill rate: 100.0 % of ")
    assert "checks that no wrong subject fails: 0" in lines
    assert lines[-2].startswith("MQTT 5.0: ")
    assert lines[-1].startswith("MQTT 3.1.1: ")


def test_as_json_it_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    status, output = run(capsys, "--json", "--only", "MQTT-3.3.1-4")
    assert status == 0
    members = json.loads(output)
    assert members["wrong"] == members["caught"] == 2
    assert "MQTT-3.3.1-4" in members["statements"]["5.0"]


@pytest.mark.parametrize("options", [["--jobs", "0"], ["--every", "0"], ["--only", "no-such-subject"]])
def test_what_makes_no_sense_is_a_usage_error(capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert main(["conform", "selftest", "--kind", "codec", *options]) == 2
    assert capsys.readouterr().err


def found_with(trials: list[Trial]) -> Selftest:
    results = try_reference(Kind.CODEC, "core", every=60)
    accused = replace(results[0], verdict=Verdict.FAILED, reason="it is not")
    return Selftest({"codec core": [*results, accused]}, trials, 1.0)


def test_survivors_and_accidents_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [
        Trial("lives", Kind.CODEC, "It is wrong.", ("codec/5.0/one",), (), ("codec/5.0/two",), (), ("Error: oh",), 0.1),
        Trial("alone", Kind.CODEC, "It is wrong, too.", (), (), (), (), (), 0.1),
    ]
    monkeypatch.setattr(conform_selftest, "run_selftest", lambda *_, **__: found_with(trials))
    status, output = run(capsys)
    assert status == 1
    assert "FAILED codec/" in output
    assert "SURVIVES codec lives: It is wrong. (codec/5.0/one)" in output
    assert "SURVIVES codec alone: It is wrong, too. (no check is about it)" in output
    assert "codec lives falls over what is not meant: Error: oh" in output
    assert "codec lives fails other checks too: codec/5.0/two" in output
    assert "checks that no wrong subject fails: " in output


def test_a_part_of_the_catalogue_says_nothing_of_checks_that_nobody_fails(capsys: pytest.CaptureFixture[str]) -> None:
    status, output = run(capsys, "--only", "5.0_refuses_publish")
    assert status == 0
    assert "checks that no wrong subject fails" not in output


def test_progress_goes_to_a_terminal_only(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    run(capsys, "--only", "5.0_refuses_publish")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert main(["conform", "selftest", "--kind", "codec", "--jobs", "1", "--only", "5.0_refuses_publish"]) == 0
    assert "1 of 1 subjects" in capsys.readouterr().err
