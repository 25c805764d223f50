"""The plain loop: bounded, repeatable, and it reports each way to fail once."""

from __future__ import annotations

import time

import pytest

from mqttws.fuzz import loop
from mqttws.fuzz.findings import Finding
from mqttws.fuzz.loop import LoopReport, run_loop, try_input
from mqttws.fuzz.targets import TARGETS


def test_all_targets_run_clean() -> None:
    report = run_loop(list(TARGETS), count=350, seed=1)
    assert report.findings == []
    assert sum(report.inputs.values()) == 350
    assert set(report.inputs.values()) == {50}
    assert report.slowest > 0
    assert report.slowest_size > 0


def test_it_stops_when_time_is_over() -> None:
    told: list[LoopReport] = []
    begun = time.monotonic()
    report = run_loop(["codec"], seconds=1.2, progress=told.append)
    assert 1.2 <= time.monotonic() - begun < 20
    assert told
    assert report.inputs["codec"] >= 50


def test_a_run_needs_a_bound() -> None:
    with pytest.raises(ValueError, match="a count or a time"):
        run_loop(["codec"])


def test_each_way_to_fail_is_reported_once_and_made_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fragile(data: bytes) -> None:
        if 0x30 in data:
            raise KeyError(data)
        assert len(data) < 100

    monkeypatch.setitem(TARGETS, "codec", fragile)
    found: list[Finding] = []
    report = run_loop(["codec"], count=400, seed=2, found=found.append)
    assert found == report.findings
    assert sorted(finding.rule.partition(" ")[0] for finding in found) == ["AssertionError", "KeyError"]
    by_kind = {finding.rule.partition(" ")[0]: finding for finding in found}
    assert by_kind["KeyError"].data == b"\x30"
    assert len(by_kind["AssertionError"].data) == 100
    assert by_kind["KeyError"].original is not None
    assert by_kind["KeyError"].target == "codec"


def test_a_hang_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(data: bytes) -> None:
        while data:
            pass

    monkeypatch.setitem(TARGETS, "codec", endless)
    report = run_loop(["codec"], count=1, limit=0.02)
    (finding,) = report.findings
    assert finding.kind == "hang"
    assert try_input(endless, b"", 1.0) is None


def test_a_hang_is_not_swallowed_by_the_code_under_test() -> None:
    def stubborn(data: bytes) -> None:
        while data:
            try:
                time.sleep(0.001)
                sum(range(10_000))
            except Exception:  # noqa: BLE001 - that is the point
                continue

    assert try_input(stubborn, b"x", 0.05) == ("hang", "no end within 0.05 seconds")


def test_memory_is_measured_where_the_system_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loop.resident() >= 0

    def nothing(*_: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr("builtins.open", nothing)
    assert loop.resident() == 0
