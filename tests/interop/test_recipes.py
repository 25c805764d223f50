"""The README's recipes for other I/O libraries, as they stand there, against our endpoint and against mosquitto."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

import mqttws
from mqttws.webpubsub import Roles
from tests.interop.servers import mosquitto
from tests.test_readme import BLOCKS, Block

SECONDS = 30.0
RECIPES = [block for block in BLOCKS if block.mark == "recipe"]


async def follow(recipe: Block, url: str) -> tuple[int, str]:
    """Run a recipe as a program, which fails by itself unless its message made the round: exit code and output."""
    program = partial(
        trio.run_process,
        [sys.executable, "-W", "error", "-c", recipe.text],
        env={"MQTTWS_URL": url, "PATH": "/usr/bin:/bin"},
        check=False,
        capture_stdout=True,
        stderr=subprocess.STDOUT,
    )
    with trio.fail_after(SECONDS):
        result = await program()
    return result.returncode, result.stdout.decode()


def test_there_are_recipes() -> None:
    assert len(RECIPES) == 2
    assert all("MQTTWS_URL" in recipe.text and recipe.text.count("\n") < 80 for recipe in RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@trio_test
async def test_a_recipe_reaches_the_endpoint(recipe: Block) -> None:
    async with mqttws.open_endpoint() as endpoint:
        code, output = await follow(recipe, endpoint.client_access_url("chat", roles=Roles.everything()))
        assert code == 0, output
        assert endpoint.connections.accepted == 1


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
@trio_test
async def test_a_recipe_reaches_mosquitto(recipe: Block, tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as server:
        code, output = await follow(recipe, server.url)
        assert code == 0, output
