"""What a Server is, found out before the checks: how fast it is, which versions it speaks, and what it offers.

What CONNACK says of a capability counts; what a 5.0 CONNACK rules out is ruled out in 3.1.1 too, which has no words for
it. Beyond that, a thing is offered unless the Server refuses it openly: one that accepts something and does not do it
has to fail the checks, not to escape them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Any, Final

import trio

from mqttws.codec import ConnAck, PingReq, PingResp, Will
from mqttws.conformance.chapters import version_name
from mqttws.conformance.runner import closed_within
from mqttws.conformance.server.probe import Connected, ServerProbe
from mqttws.conformance.server.subject import ServerSubject
from mqttws.conformance.verdict import Outcome
from mqttws.conformance.watch import Watch
from mqttws.vocabulary import QOS, ProtocolVersion

__all__ = ["FAREWELL", "Unreachable", "discover"]

#: Seconds for farewells when a check is over, or its time is.
FAREWELL: Final = 5.0
#: Seconds that the Server may take as long as nothing is known of it.
_FIRST_PATIENCE: Final = 10.0
#: Patience in seconds: this many of the slowest round trips, within these bounds.
_ROUND_TRIPS: Final = 25
_LEAST, _MOST = 3.0, 15.0
_PINGS: Final = 6
#: Connections at the same time, as checks will make them.
_CROWD: Final = 8
#: A Receive Maximum up to this one can be filled by a check.
_REACHABLE: Final = 1_000
#: Codes of a CONNACK that say: not this version.
_NOT_THIS_VERSION: Final = (0x01, 0x84)


class Unreachable(Exception):
    """No good Client gets in, so nothing can be said of the Server; the text says why."""


async def discover(
    subject: ServerSubject,
    versions: Collection[ProtocolVersion] = frozenset(ProtocolVersion),
    *,
    without: Collection[str] = (),
    patience: float | None = None,
) -> None:
    """Fill in the subject's patience, versions, capabilities and offers.

    What it is ``without`` is not tried, ``patience`` in seconds not measured. Raises :class:`Unreachable` if no version
    is spoken with us.
    """
    subject.patience = _FIRST_PATIENCE if patience is None else patience
    trouble: dict[str, list[str]] = {}
    slowest = 0.0
    for version in sorted(versions, reverse=True):  # 5.0 first: its CONNACK says what 3.1.1 leaves open
        try:
            async with closed_within(ServerProbe(subject, version, check=f"discovery/{version:d}"), FAREWELL) as probe:
                slowest = max(slowest, await _measure(probe))
                subject.capabilities[version] = await _capabilities(probe, without)
        except Outcome as outcome:
            trouble.setdefault(str(outcome), []).append(version_name(version))
    # What came was perhaps meant for another version, from one who does not speak this one.
    subject.watch = Watch()
    if not subject.capabilities:
        raise Unreachable("; ".join(f"{why} (MQTT {' and '.join(names)})" for why, names in trouble.items()))
    if patience is None:
        subject.patience = min(max(_ROUND_TRIPS * slowest, _LEAST), _MOST)


async def _measure(probe: ServerProbe) -> float:
    """Connect plainly, note what the Server offers, and give the seconds that its slowest answer has taken.

    Raises an :class:`Outcome` if it does not let us in.
    """
    began = trio.current_time()
    peer = await probe.open()
    slowest = trio.current_time() - began
    began = trio.current_time()
    await peer.send(probe.connect_packet())
    connack = await peer.expect(ConnAck)
    if connack.reason_code:
        raise _Refused(connack.reason_code)
    slowest = max(slowest, trio.current_time() - began)
    probe.subject.offers[probe.version] = dict(connack.properties)
    for _ in range(_PINGS):
        began = trio.current_time()
        await peer.send(PingReq())
        await peer.expect(PingResp)
        slowest = max(slowest, trio.current_time() - began)
    return max(slowest, await _measure_crowd(probe))


async def _measure_crowd(probe: ServerProbe) -> float:
    """The seconds that the slowest of several connections at once takes to open."""
    times = [0.0]

    async def open_one() -> None:
        began = trio.current_time()
        with suppress(Outcome):
            await probe.connect()
            times.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for _ in range(_CROWD):
            nursery.start_soon(open_one)
    return max(times)


class _Refused(Outcome):
    """It does not let us in."""

    def __init__(self, code: int) -> None:
        said = "it does not speak this version" if code in _NOT_THIS_VERSION else f"CONNACK 0x{code:02X}"
        super().__init__(f"a plain CONNECT is refused: {said}")


async def _capabilities(probe: ServerProbe, without: Collection[str]) -> frozenset[str]:
    """What it offers in this version."""
    declared = _declared(probe)
    found = set()
    if probe.subject.second is not None:
        found.add("second_credentials")
    offers = probe.offers
    if offers.get("topic_alias_maximum"):
        found.add("topic_alias")
    if offers.get("receive_maximum", 0xFFFF) <= _REACHABLE:
        found.add("receive_maximum")
    for name, trial in _TRIALS.items():
        if declared.get(name, True) and name not in without and await _is_taken(probe, trial):
            found.add(name)
    return frozenset(found.difference(without))


def _declared(probe: ServerProbe) -> Mapping[str, bool]:
    """What CONNACK rules out, or what the version does not have."""
    offers = probe.subject.offers.get(ProtocolVersion.V5, {})
    most = offers.get("maximum_qos", 2)
    return {
        "qos1": most >= 1,
        "qos2": most >= 2,
        "retain": bool(offers.get("retain_available", 1)),
        "wildcard": bool(offers.get("wildcard_subscription_available", 1)),
        "shared": probe.is_v5 and bool(offers.get("shared_subscription_available", 1)),
        "subscription_identifier": probe.is_v5 and bool(offers.get("subscription_identifier_available", 1)),
    }


async def _is_taken(probe: ServerProbe, trial: Callable[[ServerProbe], Awaitable[bool]]) -> bool:
    """Whether it does not refuse; a refusal is often the end of a connection, so each trial has one of its own."""
    with suppress(Outcome):
        return await trial(probe)
    return False


async def _publish(probe: ServerProbe, qos: int, *, retain: bool = False) -> Connected:
    """Publish, and see that it is still there afterwards."""
    peer = await probe.connect()
    topic = probe.topic()
    await probe.publish(peer, topic, b"x", qos, retain=retain)
    await peer.fence()
    if retain:  # and take it away again
        await probe.publish(peer, topic, b"", qos, retain=True)
        await peer.fence()
    return peer


async def _qos(probe: ServerProbe, qos: int) -> bool:
    """Publishing at it is taken, and a subscription is granted it."""
    peer = await _publish(probe, qos)
    return (await probe.subscribe(peer, probe.topic(), qos)).reason_codes[0] == qos


async def _qos1(probe: ServerProbe) -> bool:
    return await _qos(probe, 1)


async def _qos2(probe: ServerProbe) -> bool:
    return await _qos(probe, 2)


async def _retain(probe: ServerProbe) -> bool:
    await _publish(probe, 0, retain=True)
    return True


async def _wildcard(probe: ServerProbe) -> bool:
    peer = await probe.connect()
    await probe.subscribe(peer, probe.topic("#"), 0)
    return True


async def _shared(probe: ServerProbe) -> bool:
    peer = await probe.connect()
    await probe.subscribe(peer, f"$share/{probe.name()}/{probe.topic()}", 0)
    return True


async def _subscription_identifier(probe: ServerProbe) -> bool:
    peer = await probe.connect()
    await probe.subscribe(peer, probe.topic(), 0, identifier=1)
    return True


async def _will(probe: ServerProbe) -> bool:
    await probe.connect(will=Will(probe.topic(), b"x", QOS[0]))
    return True


async def _session_expiry(probe: ServerProbe) -> bool:
    """A Session that outlives its connection is agreed to; it is ended again."""
    client_id = probe.name()
    peer = await probe.connect(client_id, session_expiry_interval=60)
    agreed: Mapping[str, Any] = peer.connack.properties
    if agreed.get("session_expiry_interval", 60) == 0:
        return False
    await peer.close()
    await probe.connect(client_id)
    return True


async def _empty_client_id(probe: ServerProbe) -> bool:
    await probe.connect("")
    return True


_TRIALS: Final[Mapping[str, Callable[[ServerProbe], Awaitable[bool]]]] = {
    "qos1": _qos1,
    "qos2": _qos2,
    "retain": _retain,
    "wildcard": _wildcard,
    "shared": _shared,
    "subscription_identifier": _subscription_identifier,
    "will": _will,
    "session_expiry": _session_expiry,
    "empty_client_id": _empty_client_id,
}
