"""All checks of a Server: found out what it is, run, and told."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager

import trio

from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.runner import Plan, ProbeFactory, Progress, run_checks, select
from mqttws.conformance.server.discovery import discover
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import NotApplicable, Result
from mqttws.conformance.wire.target import Target
from mqttws.vocabulary import ProtocolVersion

__all__ = ["probes_of", "run_server", "server_checks"]

#: Seconds for farewells when a check is over, or its time is.
_FAREWELL = 5.0


def server_checks(only: Sequence[str] = (), versions: Iterable[ProtocolVersion] = ProtocolVersion) -> list[Check]:
    """The checks of Servers that the patterns fit."""
    spoken = set(versions)
    return [check for check in select(checks(Kind.SERVER), only) if check.version in spoken]


def probes_of(subject: ServerSubject) -> ProbeFactory:
    """For the runner: a probe for each check, which leaves no connection behind."""

    @asynccontextmanager
    async def probe_of(check: Check) -> AsyncIterator[ServerProbe]:
        if check.version not in subject.capabilities:
            raise NotApplicable(f"the Server does not speak MQTT {version_name(check.version)}")
        probe = ServerProbe(subject, check.version, check=check.id)
        try:
            yield probe
        finally:
            with trio.move_on_after(_FAREWELL, shield=True):
                await probe.close()

    return probe_of


async def run_server(
    url: str,
    *,
    only: Sequence[str] = (),
    second: str | None = None,
    topics: str | None = None,
    without: Collection[str] = (),
    patience: float | None = None,
    plan: Plan | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Check the Server on this machine behind a URL, as a test does; ``second`` is a URL with other credentials.

    Raises :class:`~mqttws.conformance.server.discovery.Unreachable`, and what
    :meth:`~mqttws.conformance.wire.target.Target.find` raises.
    """
    subject = ServerSubject(Account(await Target.find(url)), seed=random.getrandbits(32))
    if second is not None:
        subject.second = Account(await Target.find(second))
    if topics is not None:
        subject.topics = topics
    await discover(subject, without=without, patience=patience)
    return await run_checks(server_checks(only), probes_of(subject), plan, progress)
