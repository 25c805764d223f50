"""What seeds draw: always the same, and in all something of everything."""

from __future__ import annotations

from mqttws.simulation import Ending, Kind, Schedule, draw


def drawn() -> list[Schedule]:
    return [draw(seed) for seed in range(300)]


def test_a_seed_draws_the_same_schedule_again() -> None:
    assert drawn() == drawn()
    assert len({schedule.to_json() for schedule in drawn()}) == 300


def test_every_kind_of_fault_is_drawn_for_both_clients_and_both_versions() -> None:
    schedules = drawn()
    plans = [plan for schedule in schedules for plans in schedule.wires.values() for plan in plans]
    assert {fault.kind for plan in plans for fault in plan.faults} == set(Kind)
    assert {plan.opens for plan in plans} == {True, False, None}
    assert {strike.kind for schedule in schedules for strike in schedule.strikes} == set(Kind)
    assert {strike.client for schedule in schedules for strike in schedule.strikes} == {"publisher", "subscriber"}
    restarts = [restart for schedule in schedules for restart in schedule.restarts]
    assert {(restart.ending, restart.keeps) for restart in restarts} == {
        (ending, keeps) for ending in Ending for keeps in (True, False)
    }
    assert {schedule.version for schedule in schedules} == {4, 5}


def test_messages_come_in_the_order_of_their_times_at_every_qos() -> None:
    for schedule in drawn():
        times = [message.at for message in schedule.messages]
        assert times == sorted(times)
    assert {message.qos for schedule in drawn() for message in schedule.messages} == {0, 1, 2}


def test_only_mqtt_5_has_messages_that_expire() -> None:
    expiring = {schedule.version for schedule in drawn() for message in schedule.messages if message.expiry}
    assert expiring == {5}
