"""mqttws simulate: many schedules, one with its story, and one from a file."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from mqttws.cli import main, simulate
from mqttws.simulation import Facts, Finding, Found, Report, Schedule, draw, play


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest keeps log records, which keep errors, which keep frames, in which there are wires."""
    monkeypatch.setattr(logging.getLogger("mqttws.client"), "disabled", True)


def test_several_schedules_in_one_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--schedules", "3", "--seed", "2"]) == 0
    out = capsys.readouterr().out
    assert "3 schedules from seed 2 on" in out
    assert out.endswith("nothing found\n")


def test_two_processes_find_the_same(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "_PORTION", 1)
    figures = []
    for jobs in ("1", "2"):
        assert main(["simulate", "--schedules", "2", "--jobs", jobs, "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out) | {"seconds": 0})
    assert figures[0] == figures[1]
    assert figures[0]["schedules"] == 2


def test_a_story_is_told_the_same_way_each_time(capsys: pytest.CaptureFixture[str]) -> None:
    stories = []
    for _ in range(2):
        assert main(["simulate", "--seed", "4", "--story"]) == 0
        stories.append(capsys.readouterr().out)
    assert stories[0] == stories[1]
    assert "publish 0 to" in stories[0]


def test_a_schedule_is_read_from_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schedule.json"
    file.write_text(draw(4).to_json())
    assert main(["simulate", "--schedule", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == play(draw(4)).digest


def test_findings_are_printed_with_what_shows_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Found(7, Finding("vanished", "message 1"), Schedule(7), ("0.000 publish 1",))
    monkeypatch.setattr(simulate, "run_campaign", lambda seeds: Report(schedules=len(seeds), found=[found]))
    assert main(["simulate", "--schedules", "5"]) == 1
    out = capsys.readouterr().out
    assert "vanished: message 1\n  seed 7;" in out
    assert Schedule.from_json(next(line for line in out.splitlines() if '"seed"' in line)) == Schedule(7)
    assert "0.000 publish 1" in out
    assert main(["simulate", "--schedules", "5", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["found"][0]["schedule"]["seed"] == 7


def test_a_single_run_prints_its_findings(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = replace(play(Schedule(1)), findings=(Finding("order", "2 before 1"),), facts=Facts())
    monkeypatch.setattr(simulate, "play", lambda _: broken)
    assert main(["simulate", "--story"]) == 1
    assert "order: 2 before 1\n1 findings" in capsys.readouterr().out


def test_without_the_hook_of_trio_it_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulate, "can_repeat", lambda: False)
    assert main(["simulate", "--schedules", "1"]) == 0
    assert "no hook for the order of tasks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--schedule", "x", "--schedules", "3"], "--schedules many"),
        (["--schedule", "no such file"], "no such file"),
        (["--seed", "first"], "not a whole number"),
        (["--schedules", "0"], "would find nothing"),
        (["--story", "--schedules", "3"], "tells of one schedule"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", *arguments]) == 2
    assert complaint in capsys.readouterr().err
