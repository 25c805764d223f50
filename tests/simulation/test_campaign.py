"""Many schedules: a slice of the long run, and what is done with a finding."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from mqttws.simulation import Found, Report, Result, Schedule, Wire, play, run_campaign
from mqttws.simulation import campaign as module
from mqttws.simulation.invariants import findings_of

#: A slice of what `mqttws simulate --schedules 10000 --seed 1` plays.
SLICE = range(1, 51)


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest keeps log records, which keep errors, which keep frames, in which there are wires."""
    monkeypatch.setattr(logging.getLogger("mqttws.client"), "disabled", True)


def test_a_slice_of_the_long_run_finds_nothing() -> None:
    report = run_campaign(SLICE, attempts=0)
    assert [(found.seed, str(found.finding), found.schedule.to_json()) for found in report.found] == []
    assert report.schedules == len(SLICE)
    assert report.completed > 400
    assert report.connections > 2 * len(SLICE)
    assert report.lost
    assert report.simulated > 3_600


def forgetful(schedule: Schedule) -> Result:
    """A run in which the subscriber's last message seems not to have come."""
    result = play(schedule)
    number = len(result.ledger.entries) - 1
    result.ledger.deliveries[:] = [each for each in result.ledger.deliveries if each.number != number]
    return replace(result, findings=tuple(findings_of(result.ledger, result.facts)))


def test_a_finding_comes_with_the_smallest_schedule_and_its_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "play", forgetful)
    told: list[Found] = []
    progress: list[int] = []
    report = run_campaign(
        [1], attempts=60, found=told.append, progress=lambda so_far: progress.append(so_far.schedules)
    )
    assert told == report.found
    assert progress == [1]
    (found,) = report.found
    assert (found.seed, found.finding.kind) == (1, "vanished")
    assert len(found.schedule.messages) < 5
    assert any("published" in line or "publish" in line for line in found.story)


def test_wires_that_somebody_still_holds_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SWEEP", 2)
    held = Wire()

    def leaky(schedule: Schedule) -> Result:
        result = play(schedule)
        if schedule.seed == 2:
            result.network.alive.add(held)
        return result

    monkeypatch.setattr(module, "play", leaky)
    report = run_campaign(range(1, 4), attempts=0)
    assert [(found.seed, str(found.finding)) for found in report.found] == [(2, "leak: 1 wires are still in memory")]
    assert not held.over


def test_reports_add_up() -> None:
    one, two = Report(), Report()
    parts = [run_campaign([seed], attempts=0) for seed in (1, 2)]
    for part in parts:
        one.add(part)
    two.add(run_campaign([1, 2], attempts=0))
    one.seconds = two.seconds = 0.0
    assert one == two
    assert one.published == sum(one.outcomes.values()) >= one.completed
