"""Steps of several checks of a Server: wrong packets, each on a connection of its own, and connections that leave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final

import trio

from mqttws.codec import ConnAck, Disconnect, RawPacket, encode
from mqttws.conformance import Vector, vectors
from mqttws.conformance.server.probe import Connected, ServerProbe
from mqttws.conformance.verdict import Failed, Inconclusive, NotStrict, NotTested, Outcome
from mqttws.conformance.wire.peer import Sendable
from mqttws.vocabulary import ReasonCode

__all__ = [
    "connect_bytes",
    "each",
    "ends",
    "ends_behind_each",
    "leave",
    "refused",
    "refuses_each",
    "shown",
    "text",
]

#: Connections that a check has open at a time for packets that are independent of each other.
_AT_ONCE: Final = 8
_RANK: Final = (NotTested, NotStrict, Inconclusive, Failed)
#: What says more than a Malformed Packet or a Protocol Error, and is right wherever one of them is.
_GENERAL: Final = (0x80, 0x81, 0x82, 0x83)


def text(value: bytes) -> bytes:
    """Bytes with their length in front, well-formed or not."""
    return len(value).to_bytes(2, "big") + value


def connect_bytes(
    probe: ServerProbe,
    *,
    name: bytes = b"MQTT",
    level: int | None = None,
    flags: int | None = None,
    flip: int = 0,
    properties: bytes | None = None,
    client_id: bytes | None = None,
    will: bytes = b"",
    credentials: bytes | None = None,
    behind: bytes = b"",
) -> bytes:
    """A CONNECT put together by hand, good as long as nothing is said.

    ``flags`` are the Connect Flags, ``flip`` some of their bits the other way round. ``properties`` stand with their
    length, ``client_id`` without, ``will`` is all that is between it and the User Name, ``credentials`` what follows,
    ``behind`` what should not be there.
    """
    who = probe.subject.account
    connect_flags, known = 0x02, b""
    if who.username is not None:
        connect_flags |= 0x80
        known += text(who.username.encode())
    if who.password is not None:
        connect_flags |= 0x40
        known += text(who.password)
    if flags is not None:
        connect_flags = flags
    if properties is None:
        properties = b"\0" if probe.is_v5 else b""
    body = (
        text(name)
        + bytes((int(probe.version) if level is None else level, connect_flags ^ flip))
        + (60).to_bytes(2, "big")
        + properties
        + text(probe.name().encode() if client_id is None else client_id)
        + will
        + (known if credentials is None else credentials)
        + behind
    )
    return encode(RawPacket(0x10, body))


def shown(probe: ServerProbe, *names: str) -> dict[str, Vector]:
    """Vectors of the probe's version, by what they show: ``puback_flags_0001`` is ``v5_puback_flags_0001``."""
    known = {vector["name"]: vector for vector in vectors()}
    return {name.replace("_", " "): known[f"v{int(probe.version)}_{name}"] for name in names}


async def each(jobs: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Do all of them, some at a time. Raises the worst of their outcomes, with the reasons of all that are as bad."""
    outcomes: list[Outcome] = []
    limit = trio.CapacityLimiter(_AT_ONCE)

    async def do(job: Callable[[], Awaitable[None]]) -> None:
        async with limit:
            try:
                await job()
            except Outcome as outcome:
                outcomes.append(outcome)

    async with trio.open_nursery() as nursery:
        for job in jobs:
            nursery.start_soon(do, job)
    for kind in reversed(_RANK):
        found = list(dict.fromkeys(str(one) for one in outcomes if isinstance(one, kind)))
        if found:
            raise kind("; ".join(found))


async def ends(peer: Connected, why: str, *, codes: Iterable[int] = ()) -> None:
    """The Server has to end this connection; ``codes`` are what fits, if its DISCONNECT names one.

    Raises :class:`Failed` if it goes on, :class:`NotStrict` if it says something else than what is wrong.
    """
    await peer.must_end(why)
    said = peer.disconnect
    if said is not None and codes and said.reason_code not in (*codes, *_GENERAL):
        wanted = " or ".join(f"0x{code:02X}" for code in codes)
        raise NotStrict(f"DISCONNECT says 0x{said.reason_code:02X} {why}, where {wanted} fits")


async def ends_behind_each(
    probe: ServerProbe, wrong: Mapping[str, Sendable | Vector], *, codes: Iterable[int] = (), **connect: Any
) -> None:
    """Each of these packets, named in words, ends a connection on which CONNECT was accepted."""

    async def try_one(name: str, packet: Sendable | Vector) -> None:
        peer = await probe.connect(**connect)
        fitting = codes
        if isinstance(packet, dict):
            fitting = packet.get("accept_codes") or ()
            packet = bytes.fromhex(packet["hex"])
        await peer.send(packet)
        await ends(peer, f"behind {name}", codes=fitting)

    await each(partial(try_one, name, packet) for name, packet in wrong.items())


async def refused(probe: ServerProbe, packet: Sendable, why: str, *, judged: bool = True) -> Connected:
    """A CONNECT that the Server has to turn down: with a CONNACK or without, the connection ends.

    ``judged`` is False where the Server cannot know in which version it should answer. Raises :class:`Failed` if it
    accepts, or does not end the connection.
    """
    peer = await probe.open()
    peer.judges = judged
    await peer.send(packet)
    ending = await peer.must_end(why)
    for connack in peer.arrived:
        if isinstance(connack, ConnAck) and not connack.reason_code:
            raise Failed(f"it accepts the connection {why}, before {ending}")
    return peer


async def refuses_each(
    probe: ServerProbe, wrong: Mapping[str, Sendable], *, judged: bool = True, answered: type[Outcome] = NotStrict
) -> None:
    """Each of these CONNECTs, named in words, is turned down.

    3.1.1 wants a connection ended without CONNACK where CONNECT is malformed [3.1.1 MQTT-3.1.4-1]; ``answered`` is what
    is raised in 3.1.1 where there is one.
    """

    async def try_one(name: str, packet: Sendable) -> None:
        peer = await refused(probe, packet, f"behind {name}", judged=judged)
        if not probe.is_v5 and any(isinstance(one, ConnAck) for one in peer.arrived):
            raise answered(f"it answers {name} by a CONNACK, not by the end of the connection alone")

    await each(partial(try_one, name, packet) for name, packet in wrong.items())


async def leave(peer: Connected, code: int = 0, **properties: Any) -> None:
    """End a connection by DISCONNECT."""
    said: Any = properties
    await peer.send(Disconnect(ReasonCode(code), said))
    await peer.close()
