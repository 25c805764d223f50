"""No test of a command sees the user's own environment; those that only need an endpoint share one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cli.peers import serving


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MQTTWS_") or name == "WebPubSubConnectionString":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def endpoint() -> Iterator[tuple[str, str]]:
    """Connection string and URL of ``mqttws serve``, as a process."""
    with serving("--quiet") as (_, connection_string, url):
        yield connection_string, url
