"""What an attack shows, and the files that findings are kept in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mqttws.fuzz.live.attack import Trace
from mqttws.fuzz.live.hostile import Visit
from mqttws.fuzz.live.referee import Demand
from mqttws.fuzz.live.script import Script, Step
from mqttws.fuzz.live.verdict import Finding, Findings, Symptom, Verdict, judge, judge_client, load

SCRIPT = Script("mutation: qos-3 in PUBLISH", 5, [Step("bad", b"\x36\x00", spoiled=True)])
DEMAND = Demand("both QoS bits", "MQTT-3.3.1-4")


@pytest.mark.parametrize(
    ("trace", "verdict", "key"),
    [
        (Trace(demand=DEMAND, closed="the end of the stream"), None, ""),
        (Trace(demand=DEMAND, answered=False), Verdict.HUNG, "MQTT-3.3.1-4"),
        (Trace(demand=DEMAND, answered=True), Verdict.TOLERATED, "MQTT-3.3.1-4"),
        (Trace(demand=DEMAND, answered=True, closed="later"), Verdict.TOLERATED, "MQTT-3.3.1-4"),
        (Trace(demand=Demand("12 bytes behind 0x0F"), answered=True), Verdict.TOLERATED, "N bytes behind N"),
        (Trace(answered=True), None, ""),
        (Trace(answered=False), Verdict.HUNG, SCRIPT.kind),
        (Trace(answered=False, closed="a limit"), None, ""),
        (Trace(unanswered="CONNACK"), Verdict.HUNG, "no CONNACK"),
        (Trace(nonsense="packet type 0", unanswered="PUBACK"), Verdict.NONSENSE, "packet type 0"),
        (Trace(), None, ""),
    ],
)
def test_a_server_is_judged_by_its_answer(trace: Trace, verdict: Verdict | None, key: str) -> None:
    symptom = judge(SCRIPT, trace)
    assert (symptom and symptom.verdict, symptom.key if symptom else "") == (verdict, key)


@pytest.mark.parametrize(
    ("visit", "verdict", "key"),
    [
        (Visit(demand=DEMAND, closed="a Close frame"), None, ""),
        (Visit(demand=DEMAND), Verdict.HUNG, "MQTT-3.3.1-4"),
        (Visit(demand=Demand("as it should", firm=False)), Verdict.TOLERATED, "as it should"),
        (Visit(demand=DEMAND, answered=True), Verdict.TOLERATED, "MQTT-3.3.1-4"),
        (Visit(nonsense="packet type 0"), Verdict.NONSENSE, "packet type 0"),
        (Visit(), None, ""),
    ],
)
def test_a_client_is_judged_by_its_leaving(visit: Visit, verdict: Verdict | None, key: str) -> None:
    symptom = judge_client(SCRIPT, visit)
    assert (symptom and symptom.verdict, symptom.key if symptom else "") == (verdict, key)


def finding(key: str = "MQTT-3.3.1-4", *, sent: bytes = b"bytes") -> Finding:
    symptom = Symptom(Verdict.HUNG, "it neither closes nor answers", key)
    return Finding(symptom, "server", [SCRIPT], 17, 3, "ws://127.0.0.1/?[redacted]", ["> bad"], sent, True)


def test_a_finding_becomes_two_files_that_can_be_read(tmp_path: Path) -> None:
    findings = Findings(tmp_path / "new")
    findings.add(finding())
    path = findings.path_of(finding())
    assert path == tmp_path / "new" / "001-hung-mqtt-3.3.1-4.json"
    assert path.with_suffix(".bin").read_bytes() == b"bytes"
    again = load(path)
    assert (again.symptom, again.scripts, again.number, again.seed) == (finding().symptom, [SCRIPT], 17, 3)
    assert json.loads(path.read_text("utf-8"))["hex"] == b"bytes".hex()


def test_a_symptom_that_is_known_is_counted_and_kept_once(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    assert findings.known(finding().symptom) is None
    findings.add(finding())
    assert findings.known(finding().symptom) is not None
    assert findings.known(finding("another").symptom) is None
    findings.add(finding("", sent=b""))
    findings.finish()
    assert len(findings) == 2
    assert [each.seen for each in findings] == [2, 1]
    written = json.loads((tmp_path / "001-hung-mqtt-3.3.1-4.json").read_text("utf-8"))
    assert written["seen"] == 2
    assert not (tmp_path / "002-hung-x.bin").exists()


def test_without_a_folder_nothing_is_written() -> None:
    findings = Findings()
    findings.add(finding())
    findings.finish()
    assert findings.path_of(finding()) is None


def test_a_finding_without_a_script_has_a_title_too() -> None:
    symptom = Symptom(Verdict.GREW, "memory has grown", "memory")
    assert Finding(symptom, "server", [], 1, 0).title == "grew: the run: memory has grown"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"verdict": "fine"},
        {"subject": "broker"},
        {"scripts": 7},
        {"scripts": [{}]},
        {"attack": None},
    ],
)
def test_what_is_no_finding_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps(finding().to_json() | change), encoding="utf-8")
    with pytest.raises(ValueError, match=r"."):
        load(path)
    for text in ("[]", "[" * 100_000):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="no finding"):
            load(path)


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.fuzz.live.verdict._LARGEST_FILE", 3)
    (tmp_path / "x.json").write_bytes(b"[[[[")
    with pytest.raises(ValueError, match="too large"):
        load(tmp_path / "x.json")
