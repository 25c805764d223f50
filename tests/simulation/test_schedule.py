"""Schedules as data: what is written is read again, and nothing else is."""

from __future__ import annotations

import pytest

from mqttws.simulation import Ending, Planned, Restart, Schedule, Strike, draw
from mqttws.simulation.faults import Direction, Kind


@pytest.mark.parametrize("seed", range(50))
def test_what_is_written_is_read_again(seed: int) -> None:
    schedule = draw(seed)
    assert Schedule.from_json(schedule.to_json()) == schedule


def test_what_is_left_out_is_as_usual() -> None:
    read = Schedule.from_json('{"seed": 3, "messages": [{"at": 1, "topic": "x", "qos": 2}]}')
    assert read == Schedule(3, messages=(Planned(1, "x", 2),))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"seed": 1, "colour": "red"}',
        '{"seed": 1, "messages": [{"at": 1}]}',
        '{"seed": 1, "wires": {"publisher": [{"faults": [{"kind": "fire", "direction": "up", "at": 1}]}]}}',
        '{"seed": 1, "restarts": [{}]}',
        pytest.param("[" * 100_000, id="too deep"),
    ],
)
def test_anything_else_is_no_schedule(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own error is one, and says where
        Schedule.from_json(text)


def test_the_last_event_is_the_latest_of_all_kinds() -> None:
    assert Schedule(1).last_event == 0
    assert Schedule(1, messages=(Planned(4, "a", 0),)).last_event == 4
    strike = Strike(5, "publisher", Kind.RESET, Direction.UP)
    assert Schedule(1, messages=(Planned(4, "a", 0),), strikes=(strike,)).last_event == 5
    assert Schedule(1, strikes=(strike,), restarts=(Restart(4, 3, True, Ending.CLOSE),)).last_event == 7


def test_topics_are_those_of_the_messages_or_one() -> None:
    assert Schedule(1).topics == ("a",)
    assert Schedule(1, messages=(Planned(1, "y", 0), Planned(2, "x", 0), Planned(3, "y", 0))).topics == ("y", "x")
