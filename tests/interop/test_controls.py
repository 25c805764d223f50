"""The scenarios between other people's clients and other people's servers: proof that they test what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import trio_test

from tests.interop import servers
from tests.interop.scenarios import SCENARIOS, Scenario

each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)


@each_scenario
@pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])
@pytest.mark.parametrize("library", ["paho", pytest.param("mqttjs", marks=pytest.mark.whole)])
@trio_test
async def test_other_clients_pass_on_mosquitto(library: str, version: int, scenario: Scenario, tmp_path: Path) -> None:
    async with servers.mosquitto(tmp_path) as server:
        await scenario(library, version, server)


@each_scenario
@pytest.mark.parametrize("library", ["paho", pytest.param("mqttjs", marks=pytest.mark.whole)])
@trio_test
async def test_other_clients_pass_on_aedes(library: str, scenario: Scenario) -> None:
    async with servers.aedes() as server:
        await scenario(library, 4, server)
