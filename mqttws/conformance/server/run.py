"""All checks of a Server: found out what it is, run, and told."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence

from mqttws.conformance.check import Check, Kind, checks
from mqttws.conformance.runner import Plan, ProbeFactory, Progress, probes, run_checks, select
from mqttws.conformance.server.discovery import FAREWELL, discover
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Result
from mqttws.conformance.wire.target import Target
from mqttws.vocabulary import ProtocolVersion

__all__ = ["probes_of", "run_server", "server_checks"]


def server_checks(only: Sequence[str] = (), versions: Iterable[ProtocolVersion] = ProtocolVersion) -> list[Check]:
    """The checks of Servers that the patterns fit."""
    return list(select(checks(Kind.SERVER), only, versions=versions))


def probes_of(subject: ServerSubject) -> ProbeFactory:
    """For the runner: a probe for each check, which leaves no connection behind."""
    return probes(
        lambda check: ServerProbe(subject, check.version, check=check.id),
        lambda version: version in subject.capabilities,
        farewell=FAREWELL,
    )


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
