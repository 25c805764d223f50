"""When to connect again."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.client.reconnect import LONGEST_RETRY_AFTER, Backoff, Reconnect


def delays(settings: Reconnect, count: int) -> list[float | None]:
    backoff = Backoff(settings)
    return [backoff.delay(0.0) for _ in range(count)]


def test_the_longest_delay_doubles_up_to_the_maximum() -> None:
    assert delays(Reconnect(initial=1, maximum=10, random=lambda: 1.0), 6) == [1, 2, 4, 8, 10, 10]


def test_the_jitter_is_full() -> None:
    assert delays(Reconnect(initial=1, maximum=10, random=lambda: 0.0), 4) == [0, 0, 0, 0]
    parts = iter((0.5, 0.25, 0.5))
    assert delays(Reconnect(initial=1, maximum=10, random=lambda: next(parts)), 3) == [0.5, 0.5, 2]


@given(st.floats(0, 1), st.integers(1, 5_000))
def test_no_delay_is_longer_than_the_maximum(part: float, attempt: int) -> None:
    backoff = Backoff(Reconnect(random=lambda: part))
    backoff.attempts = attempt
    delay = backoff.delay(0.0)
    assert delay is not None
    assert 0 <= delay <= 30


def test_what_the_server_asks_for_comes_on_top_within_reason() -> None:
    backoff = Backoff(Reconnect(initial=1, maximum=1, random=lambda: 1.0))
    assert backoff.delay(0.0, 7.0) == 8
    assert backoff.delay(0.0, -7.0) == 1
    assert backoff.delay(0.0, 1e12) == 1 + LONGEST_RETRY_AFTER


def test_attempts_are_bounded() -> None:
    assert delays(Reconnect(initial=1, maximum=1, attempts=2, random=lambda: 1.0), 4) == [1, 1, None, None]


def test_the_time_since_a_connection_held_is_bounded() -> None:
    backoff = Backoff(Reconnect(initial=4, maximum=4, total=10, random=lambda: 1.0))
    assert [backoff.delay(now) for now in (100, 104, 106.5)] == [4, 4, None]
    assert backoff.attempts == 2


def test_a_connection_that_held_sets_everything_back() -> None:
    backoff = Backoff(Reconnect(initial=1, maximum=8, attempts=3, total=20, held=5, random=lambda: 1.0))
    assert [backoff.delay(0), backoff.delay(1), backoff.delay(3)] == [1, 2, 4]
    backoff.ended(opened_at=10, now=15)
    assert [backoff.delay(15), backoff.attempts] == [1, 1]


def test_one_that_did_not_hold_sets_nothing_back() -> None:
    backoff = Backoff(Reconnect(initial=1, maximum=8, held=5, random=lambda: 1.0))
    assert backoff.delay(0) == 1
    backoff.ended(opened_at=1, now=5.9)
    assert backoff.delay(5.9) == 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"initial": 0}, "initial and maximum are seconds above 0"),
        ({"initial": 2, "maximum": 1}, "maximum is not below initial"),
        ({"attempts": 0}, "attempts is at least 1"),
        ({"held": -1}, "held and total are seconds"),
        ({"total": 0}, "held and total are seconds"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reconnect(**settings)
