"""Makes a script smaller as long as it shows the same: fewer steps, then fewer bytes in the step that matters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Final

import trio

from mqttws.codec import RawPacket, encode
from mqttws.codec.dispatch import read_header
from mqttws.errors import MalformedPacket
from mqttws.fuzz.live.script import Layer, Script, Step

__all__ = ["Budget", "minimise"]

#: Whether a script still shows what it is about.
Shows = Callable[[Script], Awaitable[bool]]
#: Bytes up to which a step is cut byte by byte.
_FINE: Final = 64


class Budget:
    """How often, and for how many seconds, things may be tried."""

    def __init__(self, tries: int, seconds: float) -> None:
        self._left = tries
        self._deadline = trio.current_time() + seconds

    def take(self) -> bool:
        """Whether there is one more try, which is then used up."""
        self._left -= 1
        return self._left >= 0 and trio.current_time() < self._deadline


async def minimise(script: Script, shows: Shows, budget: Budget) -> Script:
    """The smallest variant found within the budget; ``script`` itself has shown it already."""
    changed = True
    while changed:
        changed = False
        for variant in _variants(script):
            if not budget.take():
                return script
            if await shows(variant):
                script, changed = variant, True
                break
    return script


def _variants(script: Script) -> Iterator[Script]:
    """Everything that is a little smaller, the boldest first."""
    steps = script.steps
    for size in (len(steps) // 2, 1):
        for start in range(len(steps) - size, -1, -1) if size else ():
            left = steps[:start] + steps[start + size :]
            if any(step.spoiled for step in left) or script.spoiled is None:
                yield script.with_steps(left)
    for index, step in enumerate(steps):
        for smaller in _smaller(step):
            yield script.with_steps([*steps[:index], smaller, *steps[index + 1 :]])


def _smaller(step: Step) -> Iterator[Step]:
    """A step with less in it."""
    if step.pieces:
        yield replace(step, pieces=0)
    if step.times > 1:
        yield replace(step, times=1)
        yield replace(step, times=step.times // 2)
    if not step.spoiled or step.identifier is not None or step.layer is Layer.HTTP:
        return
    size = len(step.data)
    finest = 1 if size <= _FINE else size // 16
    chunk = size // 2
    while chunk >= finest:
        for start in range(0, size - chunk + 1, chunk):
            yield from _without(step, start, chunk)
        chunk //= 2


def _without(step: Step, start: int, size: int) -> Iterator[Step]:
    """A step without some bytes; of a packet the length is put right, if it was right before."""
    data = step.data
    if step.layer is Layer.MQTT and start >= 2:
        try:
            header = read_header(data, 0)
        except MalformedPacket:
            header = None
        if header is not None and sum(header) == len(data) and start >= header[1]:
            body = data[header[1] : start] + data[start + size :]
            yield replace(step, data=encode(RawPacket(data[0], body)))
            return
    if len(data) > size:
        yield replace(step, data=data[:start] + data[start + size :])
