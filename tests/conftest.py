"""Hypothesis profiles and the clock that makes an hour of Keep Alive take no time."""

from __future__ import annotations

import os

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, settings

from tests.canary import pytest_configure, pytest_runtest_makereport

__all__ = ["autojump_clock", "pytest_collection_modifyitems", "pytest_configure", "pytest_runtest_makereport"]

settings.register_profile("dev", deadline=None)
# Derandomised, so that a red run is red again; slow machines are no reason for one.
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the longest tests to the whole run, so that the plain one takes less than three minutes.

    The slowest of those that stay are dealt out over the whole list, of which each worker has a part.
    """
    if not os.environ.get("MQTTWS_WHOLE"):
        left = [item for item in items if item.get_closest_marker("whole")]
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = [item for item in items if not item.get_closest_marker("whole")]
    slowest = [item for item in items if item.get_closest_marker("slowest")]
    others = [item for item in items if not item.get_closest_marker("slowest")]
    for number, item in enumerate(slowest):
        others.insert(number * (len(others) // len(slowest)), item)
    items[:] = others


@pytest.fixture
def autojump_clock() -> trio.testing.MockClock:
    """Time that jumps to the next deadline whenever every task waits."""
    return trio.testing.MockClock(autojump_threshold=0)
