"""Inputs: the same ones from the same seed, of all kinds, small enough."""

from __future__ import annotations

import pytest

from mqttws.codec import decode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.inputs import Inputs, scramble
from mqttws.fuzz.sources import RandomSource, ReplaySource
from mqttws.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_gives_the_same_inputs(name: str) -> None:
    first, second = (Inputs(RandomSource("x")) for _ in range(2))
    produced = [first.next(name) for _ in range(60)]
    assert produced == [second.next(name) for _ in range(60)]
    assert len(set(produced)) > 40


def test_some_packets_are_valid_and_most_are_not() -> None:
    inputs = Inputs(RandomSource(1))
    valid = 0
    for _ in range(1_000):
        try:
            decode(inputs.packet())
            valid += 1
        except RemoteProtocolError:
            pass
    assert 50 < valid < 500


def test_scrambling_changes_bytes_and_never_gives_none() -> None:
    changed = [scramble(RandomSource(seed), b"abc") for seed in range(300)]
    assert all(changed)
    assert sum(each != b"abc" for each in changed) > 250
    assert {len(each) for each in changed} >= {1, 2, 3, 4}
    assert scramble(ReplaySource([]), b"") == b"\x01"
