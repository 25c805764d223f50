"""Whole runs: the same seed is the same run, faults do what they should, and nothing is found."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mqttws.simulation import Ending, Outcome, Planned, Restart, Schedule, Strike, draw, play
from mqttws.simulation.faults import Direction, Fault, Kind, WirePlan

QOS_2 = tuple(Planned(number / 10, "a", 2) for number in range(10))


def test_the_same_seed_is_the_same_run() -> None:
    for seed in (1, 2, 3):
        assert play(draw(seed)).digest == play(draw(seed)).digest


def test_it_is_the_same_run_in_another_process() -> None:
    program = "from mqttws.simulation import draw, play; print(play(draw(5)).digest)"
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, timeout=60, check=True, env=bare | {"PYTHONHASHSEED": "12345"},
    )  # fmt: skip
    assert run.stdout.strip() == play(draw(5)).digest


def test_without_faults_everything_arrives_once() -> None:
    result = play(Schedule(1, messages=QOS_2))
    assert result.findings == ()
    assert [delivery.number for delivery in result.ledger.deliveries] == list(range(12))  # and the last words
    assert result.facts.connections == 2


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("version", [4, 5])
def test_a_fault_in_the_middle_costs_nothing(kind: Kind, direction: Direction, version: int) -> None:
    strikes = tuple(Strike(0.35, client, kind, direction, 1.0) for client in ("publisher", "subscriber"))
    result = play(Schedule(2, version=version, keep_alive=2, messages=QOS_2, strikes=strikes))
    assert result.findings == ()
    assert sorted(delivery.number or 0 for delivery in result.ledger.deliveries) == list(range(12))


def test_a_lost_session_ends_qos_2_in_session_lost_and_sends_qos_1_again() -> None:
    messages = (Planned(5.0, "a", 2), Planned(5.0, "a", 1), Planned(20.0, "a", 1))
    plan = WirePlan(latency=0.5)
    result = play(
        Schedule(3, messages=messages, wires={"publisher": (plan,)}, restarts=(Restart(5.6, 1.0, False, Ending.RESET),))
    )
    assert result.findings == ()
    assert result.facts.lost["publisher"] == 1
    assert [result.ledger.entries[number].outcome for number in range(3)] == [
        Outcome.LOST, Outcome.COMPLETED, Outcome.COMPLETED,
    ]  # fmt: skip


@pytest.mark.parametrize("version", [4, 5])
def test_a_subscriber_hears_again_though_the_loss_of_its_session_was_masked(version: int) -> None:
    """The CONNACK that begins a new Session is cut off, so that the next one says Session Present."""
    masked = 0
    for at in range(150, 200, 5):
        plans = (WirePlan(), WirePlan(faults=(Fault(Kind.RESET, Direction.DOWN, at),)))
        result = play(
            Schedule(
                at,
                version=version,
                keep_alive=5,
                messages=tuple(Planned(moment, "a", 1) for moment in (1.0, 5.0, 30.0)),
                wires={"publisher": plans, "subscriber": plans},
                restarts=(Restart(5.0, 1.0, False, Ending.RESET),),
            )
        )
        assert result.findings == ()
        masked += result.facts.masked["subscriber"]
    assert masked


def test_a_cut_at_every_byte_of_the_first_kilobyte_costs_nothing() -> None:
    messages = (Planned(0.1, "a", 2), Planned(0.2, "a", 1))
    for at in range(0, 1_000, 97):
        for direction in Direction:
            plans = {
                name: (WirePlan(faults=(Fault(Kind.RESET, direction, at),)),) for name in ("publisher", "subscriber")
            }
            result = play(Schedule(at, messages=messages, wires=plans))
            assert result.findings == ()
            assert all(entry.outcome is Outcome.COMPLETED for entry in result.ledger.entries.values())


def test_a_run_that_cannot_end_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.simulation.playing.PATIENCE", 5.0)
    result = play(Schedule(1, messages=(Planned(1, "a", 1),), restarts=(Restart(0, 1_000, True, Ending.CLOSE),) * 2))
    assert result.findings != ()
