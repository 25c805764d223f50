"""A slice of the long run through cut connections, which is ``python -m tests.interop.cuts``."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from tests.interop.cuts import through_cuts
from tests.interop.faulty_proxy import LOUD


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("kind", ["endpoint", "mosquitto"])
@trio_test
async def test_nothing_is_lost_through_ten_cuts(kind: str, qos: int, version: int, tmp_path: Path) -> None:
    with trio.fail_after(45):
        outcome = await through_cuts(
            kind, tmp_path, version=version, qos=qos, messages=200, cuts=10, seed=version, endings=LOUD
        )
    assert outcome.kept, outcome
    assert outcome.cuts >= 10
    assert outcome.connections > 2
    assert outcome.messages >= 200
