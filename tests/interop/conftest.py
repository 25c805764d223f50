"""Allowances for other people's libraries, and for nothing of ours."""

from __future__ import annotations

import pytest

#: paho-mqtt 2.2.0 now and then leaves a socket of its own to the garbage collector.
PAHO_LEAKS = "ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let paho's tests, and only them, pass with such a socket."""
    for item in items:
        if "paho" in item.nodeid:
            item.add_marker(pytest.mark.filterwarnings(PAHO_LEAKS))
