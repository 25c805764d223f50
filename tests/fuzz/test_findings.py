"""Findings as files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mqttws.fuzz.findings import Finding, read_finding, write_finding
from mqttws.vocabulary import Role

FINDING = Finding(
    "wrong-accept",
    bytes.fromhex("3600"),
    "a decoder",
    "refused",
    "accepted",
    version=5,
    sender=Role.CLIENT,
    rule="a PUBLISH has not both QoS bits set",
    statement="MQTT-3.3.1-4",
    mutation="qos-3",
    codes=(0x81,),
    original=b"\x36\x01x",
)


def test_a_finding_survives_its_file(tmp_path: Path) -> None:
    path = write_finding(FINDING, tmp_path / "new" / "folder")
    assert path.name.startswith("wrong-accept_v5_qos-3_")
    assert read_finding(path) == FINDING
    members = json.loads(path.read_text())
    assert (members["hex"], members["format"]) == ("3600", "mqttws-finding-1")


def test_names_are_safe_for_any_file_system() -> None:
    finding = Finding("crash", b"", "x", "", "", rule="a/b\\c: *?" * 30, target="link-client")
    assert len(finding.name) < 100
    assert not set(finding.name) & set("/\\: *?")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        pytest.param("[" * 100_000, id="too deep"),
        "{}",
        '{"format": "other"}',
        '{"format": "mqttws-finding-1", "hex": "zz", "codes": []}',
    ],
)
def test_anything_else_is_no_finding(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="holds no finding"):
        read_finding(path)


def test_a_finding_at_a_live_peer_is_sent_where_it_belongs(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"format": "mqttws-fuzz-live-1", "hex": ""}')
    with pytest.raises(ValueError, match="server and client take it with --replay"):
        read_finding(path)


def test_a_file_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_finding(tmp_path / "nothing.json")
