"""A schedule that shows a finding, made smaller as long as it still shows one of the same kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Final

from mqttws.simulation.faults import WirePlan
from mqttws.simulation.schedule import Planned, Schedule

__all__ = ["minimise"]

#: What a schedule is like when nothing about it is special.
_PLAIN: Final = {
    item.name: item.default
    for item in fields(Schedule)
    if item.name in {"keep_alive", "expiry", "client_window", "server_window", "queue", "pause"}
}


def minimise(schedule: Schedule, shows: Callable[[Schedule], bool], *, attempts: int = 300) -> Schedule:
    """The smallest schedule found in so many attempts of which ``shows`` is still true, as it is of ``schedule``.

    Takes out faults, messages and everything that is not plain, one after another, until nothing can go.
    """
    progress = True
    while progress and attempts > 0:
        progress = False
        for smaller in _smaller(schedule):
            attempts -= 1
            if shows(smaller):
                schedule, progress = smaller, True
                break
            if attempts <= 0:
                break
    return schedule


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    """Every schedule that is one step smaller, the boldest steps first."""
    half = len(schedule.messages) // 2
    if half > 1:
        yield replace(schedule, messages=schedule.messages[:half])
        yield replace(schedule, messages=schedule.messages[half:])
    for name in ("restarts", "strikes", "messages"):
        planned = getattr(schedule, name)
        for index in range(len(planned)):
            yield _with(schedule, name, planned[:index] + planned[index + 1 :])
    for name, value in _PLAIN.items():
        if getattr(schedule, name) != value:
            yield _with(schedule, name, value)
    yield from _smaller_wires(schedule)
    for index, message in enumerate(schedule.messages):
        plain = Planned(message.at, message.topic, message.qos)
        if message != plain:
            yield replace(schedule, messages=(*schedule.messages[:index], plain, *schedule.messages[index + 1 :]))


def _with(schedule: Schedule, name: str, value: object) -> Schedule:
    changed: dict[str, object] = {name: value}
    return replace(schedule, **changed)  # type: ignore[arg-type]  # the value is that of a field of this name


def _smaller_wires(schedule: Schedule) -> Iterator[Schedule]:
    for client, plans in schedule.wires.items():
        if plans:
            yield replace(schedule, wires={**schedule.wires, client: plans[:-1]})
        for index, plan in enumerate(plans):
            for smaller in _smaller_plans(plan):
                changed = (*plans[:index], smaller, *plans[index + 1 :])
                yield replace(schedule, wires={**schedule.wires, client: changed})


def _smaller_plans(plan: WirePlan) -> Iterator[WirePlan]:
    if plan != WirePlan():
        yield WirePlan()
    for index in range(len(plan.faults)):
        yield replace(plan, faults=plan.faults[:index] + plan.faults[index + 1 :])
    if plan != (plain := WirePlan(faults=plan.faults)) and plan.opens:
        yield plain
