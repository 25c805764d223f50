"""Which kind of attack is it that makes a process grow?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import trio

from mqttws.conformance.wire.target import Target
from mqttws.fuzz.live.attack import play
from mqttws.fuzz.live.script import Script
from mqttws.fuzz.live.verdict import Symptom, Verdict
from mqttws.fuzz.live.watch import Growth, Sample, Watch

__all__ = ["grows_by", "rise"]

#: How often each kind is played, and the seconds for all of them.
_ROUNDS: Final = 30
_SECONDS: Final = 60.0
#: What so many rounds of the guilty kind have to add.
_GUILTY: Final = {"memory": 256 * 1024, "files": _ROUNDS // 2}
#: How much more than the usual kind it has to add.
_STANDS_OUT: Final = 3


async def grows_by(growth: Growth, scripts: Iterable[Script], target: Target, watch: Watch) -> Script | None:
    """The script that stands out when each is played thirty times; None if none does, or all do."""
    attribute = growth.what
    rises: list[tuple[int, Script]] = []
    with trio.move_on_after(_SECONDS):
        for script in scripts:
            before = watch.look()
            for _ in range(_ROUNDS):
                await play(script, target, patience=0.2)
            await trio.sleep(0.02)
            after = watch.look()
            if before is None or after is None:
                return None
            rises.append((getattr(after, attribute) - getattr(before, attribute), script))
    rises.sort(key=lambda each: -each[0])
    if not rises or rises[0][0] < _GUILTY[attribute]:
        return None
    usual = rises[len(rises) // 2][0]
    if len(rises) > 2 and rises[0][0] < _STANDS_OUT * usual:
        return None
    rises[0][1].repeat = _ROUNDS
    return rises[0][1]


def rise(before: Sample, after: Sample) -> Symptom | None:
    """What thirty rounds of the guilty kind have added, if they have added enough."""
    for attribute, least in _GUILTY.items():
        added = getattr(after, attribute) - getattr(before, attribute)
        if added >= least:
            return Symptom(Verdict.GREW, f"{attribute} has grown by {added:,} in {_ROUNDS} rounds", attribute)
    return None
