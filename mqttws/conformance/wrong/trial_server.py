"""Servers of this process on trial: the correct one, and wrong ones, before the checks of Servers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

import trio
import trio.testing

from mqttws.codec import PingReq, Publish, PubRel, Subscribe, Subscription, Unsubscribe, Will
from mqttws.conformance.check import Check, Kind
from mqttws.conformance.runner import Plan, run_checks
from mqttws.conformance.server.discovery import discover
from mqttws.conformance.server.probe import ServerProbe
from mqttws.conformance.server.run import probes_of
from mqttws.conformance.server.subject import Account, ServerSubject
from mqttws.conformance.verdict import Outcome, Result
from mqttws.conformance.wrong.entry import OFFERS, Wrong
from mqttws.conformance.wrong.in_process import Accidents, server_target
from mqttws.conformance.wrong.reference_server import ReferenceServer
from mqttws.vocabulary import QOS

__all__ = ["traffic", "try_server"]

#: Seconds of a clock that jumps: waiting costs nothing.
_PATIENCE: Final = 2.0
_PLAN: Final = Plan(check_seconds=600.0, seconds=100_000.0, at_once=4, confirm=False)


def try_server(
    checks: Sequence[Check], offer: str = "full", wrong: Wrong | None = None, accidents: Accidents | None = None
) -> list[Result]:
    """Put a Server before these checks: the wrong one, or the correct one with an offer; in a trio run of its own.

    What it falls over is raised, or noted as ``accidents``.
    """
    known = _known(offer)

    async def main() -> list[Result]:
        async with trio.open_nursery() as nursery:
            subject = await _subject(nursery, offer, wrong, accidents)
            subject.capabilities = known.capabilities
            hidden = () if wrong is None else wrong.hidden
            for version, offers in known.offers.items():
                subject.offers[version] = {name: value for name, value in offers.items() if name not in hidden}
            before = [] if wrong is None else _traffic_for(checks)
            results = await run_checks([*before, *checks], probes_of(subject), _PLAN)
            nursery.cancel_scope.cancel()
        return results[len(before) :]

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


async def _subject(
    nursery: trio.Nursery, offer: str, wrong: Wrong | None, accidents: Accidents | None = None
) -> ServerSubject:
    offered = OFFERS[offer]
    server = ReferenceServer(offered) if wrong is None else wrong.server(offered)
    nursery.start_soon(server.broker.tend)
    target = server_target(server, nursery, None if wrong is None else wrong.tampers(), accidents)
    accounts = [Account(target, name, password) for name, password in offered.accounts.items()] or [Account(target)]
    second = accounts[1] if len(accounts) > 1 else None
    return ServerSubject(accounts[0], second, patience=_PATIENCE)


@cache
def _known(offer: str) -> ServerSubject:
    """What the correct Server with an offer is found to be; the same is said of the wrong ones."""

    async def main() -> ServerSubject:
        async with trio.open_nursery() as nursery:
            subject = await _subject(nursery, offer, None)
            await discover(subject, patience=_PATIENCE)
            nursery.cancel_scope.cancel()
        return subject

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def _traffic_for(checks: Sequence[Check]) -> list[Check]:
    """Something to be seen, for checks that only look on."""
    versions = {check.version for check in checks if check.passive}
    return [
        Check(Kind.SERVER, version, "traffic", "Everything is used once.", (), "3.1", frozenset(), False, traffic)
        for version in sorted(versions)
    ]


async def traffic(probe: ServerProbe) -> None:
    """Use everything once, whatever becomes of it."""
    for use in (_refused, _messages, _taken_over, _assigned):
        with suppress(Outcome):
            await use(probe)


async def _messages(probe: ServerProbe) -> None:
    topic = probe.topic()
    peer = await probe.connect(will=Will(topic, b"will"), topic_alias_maximum=5)
    said: Any = {}
    if probe.is_v5:
        said = {"content_type": "text/plain", "response_topic": topic, "user_property": [("a", "b"), ("c", "d")]}
    subscriptions = [Subscription(topic, QOS[2]), Subscription(topic + "/#", QOS[1])]
    await peer.send(Subscribe(1, subscriptions))
    for qos in (0, 1, 2):
        packet_id = 10 + qos if qos else None
        await peer.send(Publish(topic, b"x", QOS[qos], packet_id=packet_id, properties=said))
    await peer.end(within=1.0)
    await peer.send(PubRel(12), Unsubscribe(2, [topic, "never/subscribed"]), PingReq())
    for packet in [one for one in peer.arrived if isinstance(one, Publish)]:
        with suppress(Outcome):
            await probe.acknowledge(peer, packet)
    await peer.end(within=1.0)


async def _refused(probe: ServerProbe) -> None:
    """A CONNECT that breaks a rule, for the sake of the answer."""
    peer = await probe.open()
    await peer.send(b"\x10\x0d\x00\x04MQTT" + bytes((probe.version, 3)) + b"\x00\x3c\x00\x01a")
    await peer.end()


async def _taken_over(probe: ServerProbe) -> None:
    client_id = probe.name()
    peer = await probe.connect(client_id)
    await probe.connect(client_id)
    await peer.end()


async def _assigned(probe: ServerProbe) -> None:
    await probe.connect("")
