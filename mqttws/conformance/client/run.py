"""All checks of a Client: found out what it is, run, and told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import median
from typing import Final

import trio

from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.client.subject import ClientSubject, open_subject
from mqttws.conformance.runner import Plan, ProbeFactory, Progress, closed_within, probes, run_checks, select
from mqttws.conformance.verdict import Outcome, Result
from mqttws.vocabulary import ProtocolVersion

__all__ = ["PLAN", "ClientUnreachable", "client_checks", "discover", "probes_of", "run_client"]

#: How a Client is checked if nothing else is said; each check has a program of its own.
PLAN: Final = Plan(at_once=4, check_seconds=60.0, seconds=300.0)
#: Seconds for farewells when a check is over, or its time is.
_FAREWELL: Final = 8.0
#: Patience in seconds: this many steps of a good conversation, within these bounds.
_PATIENCE: Final = 25
_LEAST, _MOST = 2.0, 15.0
_STEPS: Final = 5


class ClientUnreachable(Exception):
    """It does not get through a good conversation, so nothing can be said of the Client; the text says why."""


def client_checks(only: Sequence[str] = (), versions: Iterable[ProtocolVersion] = ProtocolVersion) -> list[Check]:
    """The checks of Clients that the patterns fit."""
    return list(select(checks(Kind.CLIENT), only, versions=versions))


def probes_of(subject: ClientSubject) -> ProbeFactory:
    """For the runner: a probe for each check, which sends the Client away."""
    return probes(
        lambda check: ClientProbe(subject, check.version, check=check.id),
        lambda version: version in subject.versions,
        farewell=_FAREWELL,
    )


async def discover(subject: ClientSubject, versions: Collection[ProtocolVersion] = frozenset(ProtocolVersion)) -> None:
    """Find out which versions the Client speaks, and how fast it is.

    Raises :class:`ClientUnreachable` if a good conversation comes to nothing in all of them.
    """
    trouble: dict[str, None] = {}
    slowest = 0.0
    has_come = True
    subject.versions = set(versions)
    for version in sorted(versions, reverse=True):
        probe = ClientProbe(subject, version, check=f"discovery/{version:d}")
        try:
            async with closed_within(probe, _FAREWELL):
                if not has_come:  # though it had all the time to start
                    (await probe.lane()).hurry()
                slowest = max(slowest, await _measure(probe))
        except Outcome as outcome:
            trouble[f"MQTT {version_name(version)}: {outcome}"] = None
            subject.versions.discard(version)
        has_come = probe.has_come
    if not subject.versions:
        raise ClientUnreachable("; ".join(trouble))
    subject.patience = min(max(_PATIENCE * slowest, _LEAST), _MOST)


async def _measure(probe: ClientProbe) -> float:
    """Seconds of a usual step of a good conversation, a message each way; the first ones tell of a program's start."""
    visit = await probe.talk()
    took = []
    for _ in range(_STEPS):
        began = trio.current_time()
        await probe.fence(visit)
        if await probe.tells():  # a person is no measure
            await visit.accept(await probe.publish(visit))
        took.append(trio.current_time() - began)
    return median(took)


async def run_client(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    only: Sequence[str] = (),
    versions: Collection[ProtocolVersion] = frozenset(ProtocolVersion),
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Check a Client that is a program of the convention, as a test does; ``command`` are words, with ``{url}``.

    Raises :class:`ClientUnreachable`, and :class:`OSError` if it cannot be started.
    """
    plan = plan or PLAN
    async with open_subject(command, seed=plan.seed, environment=environment) as subject:
        await discover(subject, versions)
        return await run_checks(client_checks(only, versions), probes_of(subject), plan, progress)
