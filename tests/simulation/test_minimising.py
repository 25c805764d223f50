"""Schedules that show something, made smaller."""

from __future__ import annotations

from mqttws.simulation import Schedule, WirePlan, draw, minimise


def test_only_what_shows_it_is_left() -> None:
    schedule = next(each for each in map(draw, range(100)) if len(each.messages) > 10 and each.strikes)
    wanted = schedule.messages[7]

    def shows(candidate: Schedule) -> bool:
        return any((message.at, message.qos) == (wanted.at, wanted.qos) for message in candidate.messages)

    smallest = minimise(schedule, shows, attempts=1_000)
    assert [(message.at, message.qos) for message in smallest.messages] == [(wanted.at, wanted.qos)]
    assert smallest.messages[0].size == 0
    assert not smallest.strikes
    assert not smallest.restarts
    assert not any(smallest.wires.values())
    assert (smallest.keep_alive, smallest.pause, smallest.client_window) == (10, 0.0, 100)


def test_a_fault_that_matters_stays_and_the_rest_of_its_wire_becomes_plain() -> None:
    def faults(candidate: Schedule) -> int:
        return sum(len(plan.faults) for plans in candidate.wires.values() for plan in plans)

    schedule = next(each for each in map(draw, range(100)) if faults(each) > 3)
    smallest = minimise(schedule, lambda candidate: faults(candidate) >= 1, attempts=1_000)
    assert faults(smallest) == 1
    plan = next(plan for plans in smallest.wires.values() for plan in plans if plan.faults)
    assert plan == WirePlan(faults=plan.faults) or not plan.opens


def test_it_stops_when_the_attempts_are_used_up() -> None:
    asked = []

    def shows(candidate: Schedule) -> bool:
        asked.append(candidate)
        return True

    minimise(draw(1), shows, attempts=5)
    assert len(asked) == 5


def test_what_cannot_be_smaller_is_left_alone() -> None:
    assert minimise(draw(3), lambda _: False) == draw(3)
    assert minimise(Schedule(1), lambda _: True) == Schedule(1)
