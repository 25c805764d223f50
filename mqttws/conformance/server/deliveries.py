"""Steps of several checks of a Server: who subscribes, what has come and what has not, and Sessions that last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import trio

from mqttws.codec import (
    Disconnect,
    Packet,
    PubAck,
    Publish,
    PubRec,
    RawPacket,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
)
from mqttws.conformance.server.hostile import text
from mqttws.conformance.server.probe import Connected, ServerProbe
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict, Outcome
from mqttws.conformance.wire.peer import Ended, Missing

__all__ = [
    "absent",
    "answer_to",
    "come_back",
    "connect_without_session",
    "is_granted",
    "is_taken",
    "lasting",
    "nothing_but",
    "publishes",
    "raw_publish",
    "refused_filter",
    "resume",
    "subscribe_answer",
    "subscriber",
    "unsubscribe",
]

#: How long Sessions of checks may outlive their connection.
SESSION_SECONDS: Final = 60


def raw_publish(
    probe: ServerProbe, topic: str | bytes, payload: bytes = b"x", *, flags: int = 0, packet_id: int = 1
) -> RawPacket:
    """A PUBLISH that the encoder would refuse; ``flags`` are the lower four bits of its first byte."""
    name = topic.encode() if isinstance(topic, str) else topic
    numbered = packet_id.to_bytes(2, "big") if flags & 0b0110 else b""
    return RawPacket(0x30 | flags, text(name) + numbered + (b"\0" if probe.is_v5 else b"") + payload)


async def subscriber(probe: ServerProbe, topic_filter: str, qos: int = 1, **options: Any) -> Connected:
    """A fresh Client with one subscription, as :meth:`ServerProbe.subscribe` makes it."""
    peer = await probe.connect()
    await probe.subscribe(peer, topic_filter, qos, **options)
    return peer


async def unsubscribe(peer: Connected, *topic_filters: str) -> UnsubAck:
    """Take subscriptions back, and give the Server's answer. Raises :class:`Failed` if there is none."""
    packet_id = peer.packet_id()
    await peer.send(Unsubscribe(packet_id, list(topic_filters)))
    return await peer.expect(UnsubAck, where=lambda found: found.packet_id == packet_id)


async def answer_to(peer: Connected, publish: Publish) -> PubAck | PubRec | None:
    """Send a PUBLISH of QoS 1 or 2 that may be refused: the Server's answer, or None if it ends the connection."""
    kind: type[PubAck | PubRec] = PubAck if publish.qos == 1 else PubRec
    await peer.send(publish)
    try:
        return await peer.expect(
            kind, aside=(Publish, Disconnect), where=lambda found: found.packet_id == publish.packet_id
        )
    except Ended:
        return None


async def is_taken(peer: Connected, publish: RawPacket) -> bool:
    """Whether a wrong PUBLISH of QoS 1 is acknowledged; else it is refused, or ends the connection.

    Raises :class:`Failed` if neither happens: that is owed, whatever a Server thinks of it.
    """
    await peer.send(publish)
    try:
        return (await peer.expect(PubAck, aside=(Publish, Disconnect))).reason_code < 0x80
    except Ended:
        return False
    except Missing:
        raise Failed("it neither acknowledges a wrong PUBLISH of QoS 1 nor ends the connection") from None


async def subscribe_answer(peer: Connected, *subscriptions: Subscription, **properties: Any) -> SubAck | None:
    """Send a SUBSCRIBE that may be refused: the Server's answer, or None if it ends the connection."""
    packet_id = peer.packet_id()
    said: Any = properties
    await peer.send(Subscribe(packet_id, list(subscriptions), said))
    try:
        return await peer.expect(SubAck, aside=(Publish, Disconnect), where=lambda found: found.packet_id == packet_id)
    except Ended:
        return None


async def is_granted(probe: ServerProbe, peer: Connected, topic_filter: str, options: int = 0) -> bool:
    """Whether a SUBSCRIBE that the encoder would refuse is granted; else it is refused, or ends the connection."""
    packet_id = peer.packet_id()
    body = packet_id.to_bytes(2, "big") + (b"\0" if probe.is_v5 else b"")
    await peer.send(RawPacket(0x82, body + text(topic_filter.encode()) + bytes((options,))))
    try:
        answer = await peer.expect(
            SubAck, aside=(Publish, Disconnect), where=lambda found: found.packet_id == packet_id
        )
    except Ended:
        return False
    return answer.reason_codes[0] < 0x80


# -- what came, and what did not ---------------------------------------------------------------------------------------


def publishes(packets: Iterable[Packet], topic: str | None = None) -> list[Publish]:
    """The PUBLISH packets among them, on that topic if one is given."""
    return [packet for packet in packets if isinstance(packet, Publish) and topic in (None, packet.topic)]


async def absent(peer: Connected, why: str, topic: str | None = None) -> None:
    """No PUBLISH on that topic (on any, without one) has come before the answer to a PINGREQ.

    Packets that have been put aside count. Raises :class:`Failed` with ``why`` in words.
    """
    if publishes(await peer.fence(), topic):
        raise Failed(why)


async def nothing_but(
    probe: ServerProbe, peer: Connected, topic: str, publisher: Connected, why: str, *, qos: int = 1
) -> None:
    """Nothing has come to a subscriber of a topic before a fresh message on it, nor directly behind that.

    Raises :class:`Failed` with ``why`` in words.
    """
    before = await probe.fresh_message(peer, topic, publisher, qos)
    if publishes(before):
        raise Failed(why)
    await absent(peer, why, topic)


# -- Sessions ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def lasting(probe: ServerProbe) -> AsyncIterator[str]:
    """The identifier of a Client whose Session may outlive its connections; it is ended when the block is left."""
    client_id = probe.name()
    try:
        yield client_id
    finally:
        with suppress(Outcome):
            await probe.connect(client_id)


async def resume(probe: ServerProbe, client_id: str, **properties: Any) -> Connected:
    """Begin a Session that lasts, or come back to it; the CONNACK says which."""
    said = {"session_expiry_interval": SESSION_SECONDS, **properties}
    return await probe.connect(client_id, clean_start=False, **said)


async def come_back(probe: ServerProbe, client_id: str, **properties: Any) -> Connected:
    """Come back to a Session. Raises :class:`Inconclusive` if it is gone, which other checks judge."""
    peer = await resume(probe, client_id, **properties)
    if not peer.connack.session_present:
        raise Inconclusive("the Session was gone when the Client came back, so there was nothing to look at")
    return peer


async def connect_without_session(probe: ServerProbe, client_id: str) -> Connected:
    """Connect with a Session that ends with its connection. Raises :class:`NotApplicable` if the Server prolongs it."""
    peer = await probe.connect(client_id, session_expiry_interval=0)
    if agreed := peer.connack.properties.get("session_expiry_interval"):
        raise NotApplicable(f"it keeps a Session for {agreed} s, though none was asked for")
    return peer


# -- filters that are none ---------------------------------------------------------------------------------------------


async def refused_filter(probe: ServerProbe, topic_filter: str, topic: str) -> None:
    """A filter that breaks a rule is refused, or the connection is ended.

    Raises :class:`Failed` if it is granted and then taken to match ``topic``, :class:`NotStrict` if it is granted and
    matches nothing.
    """
    peer = await probe.connect()
    if not await is_granted(probe, peer, topic_filter):
        return
    publisher = await probe.connect()
    await probe.publish(publisher, topic, qos=0)
    await publisher.fence()
    with trio.move_on_after(probe.patience / 4):
        await probe.message(peer, topic)
        raise Failed(f"it grants {topic_filter!r}, and takes {topic!r} to match that")
    raise NotStrict(f"it grants {topic_filter!r}, which is no valid filter; nothing came of it")
