"""Many deadlines, of which the earliest counts."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from mqttws.endpoint.deadlines import Deadlines


def test_without_deadlines_the_next_is_never() -> None:
    deadlines: Deadlines[str] = Deadlines()
    assert deadlines.next() == math.inf
    assert list(deadlines.due(1e9)) == []


def test_due_keys_come_earliest_first_and_once() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for key, when in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
        deadlines.set(key, when)
    assert list(deadlines.due(2.0)) == ["a", "b"]
    assert list(deadlines.due(2.0)) == []
    assert deadlines.next() == 3.0


def test_setting_again_moves_a_deadline_either_way() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 5.0)
    deadlines.set("a", 9.0)
    assert deadlines.next() == 9.0
    deadlines.set("a", 1.0)
    assert deadlines.next() == 1.0
    assert len(deadlines) == 1


def test_a_cancelled_deadline_never_comes() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.cancel("a")
    deadlines.cancel("never there")
    assert "a" not in deadlines
    assert list(deadlines.due(2.0)) == []


def test_deadlines_may_be_set_and_cancelled_while_due_ones_are_handled() -> None:
    deadlines: Deadlines[str] = Deadlines()
    deadlines.set("a", 1.0)
    deadlines.set("b", 1.0)
    handled = []
    for key in deadlines.due(1.0):
        handled.append(key)
        deadlines.cancel("b")
        if len(handled) < 3:
            deadlines.set(f"later{len(handled)}", 1.0)
    assert handled == ["a", "later1", "later2"]


def test_a_client_that_comes_and_goes_does_not_make_it_grow() -> None:
    deadlines: Deadlines[str] = Deadlines()
    for number in range(10_000):
        deadlines.set("a", float(number))
        deadlines.cancel("a")
    assert len(deadlines._heap) < 100


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 20))))
def test_it_behaves_like_a_dict_of_times(steps: list[tuple[int, int | None]]) -> None:
    deadlines: Deadlines[int] = Deadlines()
    model: dict[int, float] = {}
    for key, when in steps:
        if when is None:
            deadlines.cancel(key)
            model.pop(key, None)
        else:
            deadlines.set(key, when)
            model[key] = when
        assert deadlines.next() == min(model.values(), default=math.inf)
    assert sorted(deadlines.due(10)) == sorted(key for key, when in model.items() if when <= 10)
