"""No test of a command sees the user's own environment."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MQTTWS_") or name == "WebPubSubConnectionString":
            monkeypatch.delenv(name)
