"""A limit on the time that a call may take."""

from __future__ import annotations

import threading
import time

import pytest

from mqttws.conformance.codec.deadline import Hang, time_limit


def test_a_limit_is_of_time_or_of_work() -> None:
    with time_limit(10.0):
        pass
    with pytest.raises(Hang, match="within 0"), time_limit(0.02):
        time.sleep(10)
    with time_limit(0.02, busy=True):
        time.sleep(0.05)  # waiting is no work


def limited_within(before: float, seconds: float) -> None:
    """Wait for so long in a block of its own inside another one that is endless."""
    with time_limit(before):
        with time_limit(10.0):
            time.sleep(seconds)
        time.sleep(10)


def test_a_timer_from_before_goes_on() -> None:
    with pytest.raises(Hang, match=r"within 0\.2 "):
        limited_within(0.2, 0.01)


def test_a_timer_from_before_that_should_have_run_out_does_so_at_once() -> None:
    with pytest.raises(Hang, match=r"within 0\.01 "):
        limited_within(0.01, 0.05)


def test_only_the_main_thread_has_a_timer() -> None:
    ended: list[bool] = []

    def work() -> None:
        with time_limit(0.001):
            time.sleep(0.05)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert ended == [True]
