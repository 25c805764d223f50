"""3.3.2.3.4 Topic Alias, in both directions."""

from __future__ import annotations

from mqttws.codec import Publish, RawPacket
from mqttws.conformance.server.deliveries import lasting, resume, subscriber
from mqttws.conformance.server.hostile import ends, text
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable
from mqttws.vocabulary import ReasonCode


async def _publish_by(peer: Connected, topic: str, alias: int, payload: bytes = b"x") -> None:
    await peer.send(Publish(topic, payload, properties={"topic_alias": alias}))


async def _arrives(probe: ServerProbe, peer: Connected, topic: str, payload: bytes, how: str) -> None:
    """This message comes next on this topic."""
    if (found := await probe.message(peer, topic)).payload != payload:
        raise Failed(f"{found.payload!r} came to {topic!r} where {payload!r} was sent {how}")


@server_check(v5=("MQTT-3.3.2-8", "MQTT-4.13.1-1"))
async def alias_zero(probe: ServerProbe) -> None:
    """A PUBLISH with Topic Alias 0 ends the connection."""
    peer = await probe.connect()
    await peer.send(RawPacket(0x30, text(probe.topic().encode()) + b"\x03\x23\x00\x00x"))
    await ends(peer, "behind Topic Alias 0", codes=(ReasonCode.TOPIC_ALIAS_INVALID,))


@server_check(v5=("MQTT-3.3.2-9", "MQTT-3.2.2-17", "MQTT-3.2.2-18", "MQTT-4.13.1-1"))
async def alias_above_maximum(probe: ServerProbe) -> None:
    """A Topic Alias above the Server's maximum ends the connection; without a maximum, any."""
    most = probe.offers.get("topic_alias_maximum", 0)
    if most == 0xFFFF:
        raise NotApplicable("it takes every Topic Alias")
    for alias in dict.fromkeys((most + 1, 0xFFFF)):
        peer = await probe.connect()
        await _publish_by(peer, probe.topic(), alias)
        await ends(peer, f"behind Topic Alias {alias}", codes=(ReasonCode.TOPIC_ALIAS_INVALID,))


@server_check(v5="MQTT-4.13.1-1")
async def unknown_alias(probe: ServerProbe) -> None:
    """An alias that stands for no topic yet ends the connection, where a topic is missing."""
    peer = await probe.connect()
    await _publish_by(peer, "", 1)
    await ends(peer, "behind an alias without a topic", codes=(ReasonCode.TOPIC_ALIAS_INVALID,))


@server_check(v5="MQTT-3.3.2-12", needs="topic_alias")
async def alias_refused(probe: ServerProbe) -> None:
    """Each Topic Alias from 1 to the Server's maximum is taken, and stands for its topic from then on."""
    most = probe.offers["topic_alias_maximum"]
    publisher, peer = await probe.connect(), await probe.connect()
    for alias in sorted({1, (most + 1) // 2, most}):
        topic = probe.topic()
        await probe.subscribe(peer, topic)
        await _publish_by(publisher, topic, alias, b"named")
        await _arrives(probe, peer, topic, b"named", f"with alias {alias}")
        await _publish_by(publisher, "", alias, b"alias alone")
        await _arrives(probe, peer, topic, b"alias alone", f"by alias {alias} alone")


@server_check(v5="MQTT-3.3.2-12", needs=("topic_alias", "qos1"))
async def alias_not_replaced(probe: ServerProbe) -> None:
    """A PUBLISH with a topic and an alias that is in use gives the alias that topic, at any QoS."""
    publisher, peer = await probe.connect(), await probe.connect()
    first, second = probe.topic(), probe.topic()
    for topic in (first, second):
        await probe.subscribe(peer, topic)
        await probe.publish(publisher, topic, b"named", 1, topic_alias=1)
        await probe.publish(publisher, "", b"alias alone", 1, topic_alias=1)
    for topic in (first, second):
        await _arrives(probe, peer, topic, b"named", "with an alias")
        await _arrives(probe, peer, topic, b"alias alone", "by its alias alone")


@server_check(v5="MQTT-3.3.2-7", needs="topic_alias")
async def alias_survives_connection(probe: ServerProbe) -> None:
    """A fresh connection has no alias of the one before, not with the same Session either."""
    topic = probe.topic()
    peer = await subscriber(probe, topic, qos=0)
    async with lasting(probe) as client_id:
        publisher = await resume(probe, client_id)
        await _publish_by(publisher, topic, 1, b"named")
        await probe.message(peer, topic)
        await publisher.close()
        publisher = await resume(probe, client_id)
        await _publish_by(publisher, "", 1, b"stale")
        await publisher.must_end("behind an alias of an earlier connection")
    if any(isinstance(found, Publish) and found.payload == b"stale" for found in await peer.fence()):
        raise Failed("a message by an alias of an earlier connection came out")


async def _aliases(probe: ServerProbe, maximum: int | None) -> list[int]:
    """The aliases that the Server uses towards a Client with this maximum, to which much is sent on three topics."""
    peer = await probe.connect(topic_alias_maximum=maximum)
    publisher = await probe.connect()
    topics = [probe.topic() for _ in range(3)]
    for topic in topics:
        await probe.subscribe(peer, topic, 0)
    known: dict[int, str] = {}
    aliases = []
    for number, topic in enumerate(topics * 3):
        payload = f"{number}".encode()
        await probe.publish(publisher, topic, payload, 0)
        found = await probe.message(peer)
        alias = found.properties.get("topic_alias")
        if alias is not None:
            aliases.append(alias)
            if found.topic:
                known[alias] = found.topic
        if (found.topic or known.get(alias or 0)) != topic or found.payload != payload:
            raise Failed(f"{found.payload!r} came on {found.topic!r} with alias {alias}; it was sent to {topic!r}")
    return aliases


@server_check(v5=("MQTT-3.1.2-27", "MQTT-3.3.2-11"))
async def alias_unasked(probe: ServerProbe) -> None:
    """A Client that has given no Topic Alias Maximum, or 0, is sent no Topic Alias."""
    for maximum in (None, 0):
        if aliases := await _aliases(probe, maximum):
            raise Failed(f"a PUBLISH has Topic Alias {aliases[0]}")


@server_check(v5=("MQTT-3.1.2-26", "MQTT-3.3.2-11", "MQTT-3.3.2-8"))
async def alias_above_clients_maximum(probe: ServerProbe) -> None:
    """A Client is sent no Topic Alias above its maximum, and each stands for the right topic."""
    if high := [alias for alias in await _aliases(probe, 2) if not 1 <= alias <= 2]:
        raise Failed(f"a PUBLISH has Topic Alias {high[0]}, the Client's maximum is 2")
