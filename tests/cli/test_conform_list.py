"""``mqttws conform list``: every statement with what decides it, or why nothing does."""

from __future__ import annotations

import json

import pytest

from mqttws.cli import main
from mqttws.conformance import statements
from mqttws.conformance.reasons import REASONS
from mqttws.vocabulary import ProtocolVersion


def listed(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["conform", "list", *options]) == 0
    return capsys.readouterr().out


def test_every_statement_stands_there_with_its_checks(capsys: pytest.CaptureFixture[str]) -> None:
    output = listed(capsys)
    heads = [line for line in output.splitlines() if line.startswith("MQTT ")]
    assert [head.partition(":")[0] for head in heads] == ["MQTT 5.0", "MQTT 3.1.1"]
    for version in ProtocolVersion:
        for statement in statements(version):
            assert f"  {statement['id']} " in output
    assert "3.12 PINGREQ" in output
    assert "pingreq_unanswered" in output
    assert "codec: its byte vectors" in output


def test_what_has_no_check_stands_there_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    output = listed(capsys, "--untested", "-V", "3.1.1")
    assert "MQTT 5.0" not in output
    shown = {line.split()[0] for line in output.splitlines() if line.startswith("  MQTT-")}
    assert shown == set(REASONS[ProtocolVersion.V3_1_1])
    assert "no check: about a Server's connections to other Servers" in output


def test_as_json_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    members = [json.loads(line) for line in listed(capsys, "--json", "-V", "5").splitlines()]
    assert [one["id"] for one in members] == [one["id"] for one in statements(ProtocolVersion.V5)]
    first = members[0]
    assert first["version"] == "5.0"
    assert first["requirement"]
    assert "server/5.0/sends_good_text" in first["checks"]
    assert first["reason"] is None
