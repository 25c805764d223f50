"""4.4 Delivering again: what a Server sends once more when a Client comes back, and what it never does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.server.deliveries import absent, come_back, lasting, nothing_but, publishes, resume
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, Inconclusive, NotTested
from mqttws.conformance.wire.peer import Missing
from mqttws.vocabulary import ReasonCode


@dataclass(slots=True)
class _Begun:
    """A message that has reached a Client, which has not answered it. ``peer`` is the Client's connection."""

    client_id: str
    topic: str
    publisher: Connected
    peer: Connected
    publish: Publish
    packet_id: int

    async def again(self, probe: ServerProbe) -> Connected:
        """Lose the connection, and come back to the Session."""
        await self.peer.drop()
        self.peer = await come_back(probe, self.client_id)
        return self.peer


@asynccontextmanager
async def _begun(probe: ServerProbe, qos: int) -> AsyncIterator[_Begun]:
    """A message on its way to a Client with a Session that lasts."""
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, qos)
        await probe.publish(publisher, topic, b"begun", qos)
        found = await probe.message(peer, topic, acknowledge=False)
        if found.packet_id is None:
            raise NotTested(f"it comes at QoS {found.qos:d}, which is never sent again")
        yield _Begun(client_id, topic, publisher, peer, found, found.packet_id)


async def _sent_again(probe: ServerProbe, begun: _Begun) -> Publish:
    """What is sent again after a reconnect. Raises :class:`Inconclusive` if nothing is, which other checks judge."""
    peer = await begun.again(probe)
    try:
        return await probe.message(peer, begun.topic, acknowledge=False)
    except Missing:
        raise Inconclusive("nothing was sent again, so there was nothing to look at") from None


@server_check(
    v5=("MQTT-4.4.0-1", "MQTT-4.3.2-3", "MQTT-4.1.0-1"),
    v311=("MQTT-4.4.0-1", "MQTT-4.3.2-1", "MQTT-4.1.0-1"),
    needs=("qos1", "session_expiry"),
)
async def unacknowledged_lost(probe: ServerProbe) -> None:
    """A QoS 1 message without PUBACK comes again when the Client comes back."""
    await _comes_again(probe, 1)


@server_check(
    v5=("MQTT-4.4.0-1", "MQTT-4.3.3-3", "MQTT-4.1.0-1"),
    v311=("MQTT-4.4.0-1", "MQTT-4.3.3-1", "MQTT-4.1.0-1"),
    needs=("qos2", "session_expiry"),
)
async def unreceived_lost(probe: ServerProbe) -> None:
    """A QoS 2 message without PUBREC comes again when the Client comes back."""
    await _comes_again(probe, 2)


async def _comes_again(probe: ServerProbe, qos: int) -> None:
    async with _begun(probe, qos) as begun:
        found = await probe.message(await begun.again(probe), begun.topic)
        if (found.payload, found.qos) != (b"begun", qos):
            raise Failed(f"{found.payload!r} came at QoS {found.qos:d}")


@server_check(v5="MQTT-3.3.1-1", v311="MQTT-3.3.1-1", needs=("qos1", "session_expiry"))
async def resent_without_dup(probe: ServerProbe) -> None:
    """A PUBLISH that is sent again has DUP set, each time."""
    for qos in (1, 2) if "qos2" in probe.capabilities else (1,):
        async with _begun(probe, qos) as begun:
            for _ in range(2):
                found = await _sent_again(probe, begun)
                if not found.dup:
                    raise Failed(f"DUP is clear, at QoS {qos}")


@server_check(v5="MQTT-4.4.0-1", v311="MQTT-4.4.0-1", needs=("qos1", "session_expiry"))
async def resent_by_another_identifier(probe: ServerProbe) -> None:
    """What is sent again has the identifier that it had."""
    for qos in (1, 2) if "qos2" in probe.capabilities else (1,):
        async with _begun(probe, qos) as begun:
            found = await _sent_again(probe, begun)
            if found.packet_id != begun.packet_id:
                raise Failed(f"it was {begun.packet_id} and is {found.packet_id}, at QoS {qos}")


@server_check(
    v5=("MQTT-4.4.0-1", "MQTT-4.3.3-5"), v311=("MQTT-4.4.0-1", "MQTT-4.3.3-1"), needs=("qos2", "session_expiry")
)
async def pubrel_lost(probe: ServerProbe) -> None:
    """A PUBREL without PUBCOMP comes again when the Client comes back."""
    async with _begun(probe, 2) as begun:
        await begun.peer.send(PubRec(begun.packet_id))
        await begun.peer.expect(PubRel)
        peer = await begun.again(probe)
        await peer.expect(PubRel, where=lambda found: found.packet_id == begun.packet_id)
        await peer.send(PubComp(begun.packet_id))


@server_check(v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1", needs=("qos2", "session_expiry"))
async def resent_behind_pubrel(probe: ServerProbe) -> None:
    """A QoS 2 message is not sent again once its PUBREL was."""
    async with _begun(probe, 2) as begun:
        await begun.peer.send(PubRec(begun.packet_id))
        await begun.peer.expect(PubRel)
        peer = await begun.again(probe)
        await peer.fence()
        await peer.send(PubComp(begun.packet_id))
        await probe.fresh_message(peer, begun.topic, begun.publisher, 2)
        if any(found.payload == b"begun" for found in publishes(peer.arrived)):
            raise Failed("the PUBLISH comes again")


@server_check(v5="MQTT-4.4.0-1", v311="MQTT-4.4.0-1", needs=("qos1", "session_expiry"))
async def acknowledged_resent(probe: ServerProbe) -> None:
    """A QoS 1 message with a PUBACK is not sent again when the Client comes back."""
    await _stays_away(probe, ReasonCode.SUCCESS)


@server_check(v5="MQTT-4.4.0-2", needs=("qos1", "session_expiry"))
async def refused_resent(probe: ServerProbe) -> None:
    """A QoS 1 message that the Client refuses by its PUBACK is not sent again when it comes back."""
    await _stays_away(probe, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR)


async def _stays_away(probe: ServerProbe, code: ReasonCode) -> None:
    """A QoS 1 message that was answered by a PUBACK with this code does not come again."""
    async with _begun(probe, 1) as begun:
        await begun.peer.send(PubAck(begun.packet_id, code))
        await begun.peer.fence()
        peer = await begun.again(probe)
        await absent(peer, "it comes again", begun.topic)
        await nothing_but(probe, peer, begun.topic, begun.publisher, "it comes again")


@server_check(v5=("MQTT-4.4.0-2", "MQTT-4.3.3-4"), needs=("qos2", "session_expiry"))
async def refused_qos2_resent(probe: ServerProbe) -> None:
    """A QoS 2 message that the Client refuses by its PUBREC is over: no PUBREL, and nothing comes again."""
    async with _begun(probe, 2) as begun:
        await begun.peer.send(PubRec(begun.packet_id, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR))
        if any(isinstance(found, PubRel) for found in await begun.peer.fence()):
            raise Failed("PUBREL came behind a PUBREC that refuses")
        peer = await begun.again(probe)
        if any(isinstance(found, PubRel | Publish) for found in await peer.fence()):
            raise Failed("something of it comes again")
        before = await probe.fresh_message(peer, begun.topic, begun.publisher, 2)
        if publishes(before):
            raise Failed("it comes again")


@server_check(v5="MQTT-4.4.0-1", needs="qos1")
async def resent_while_connected(probe: ServerProbe) -> None:
    """An unanswered message is not sent again on the connection that it was sent on."""
    topic, publisher = probe.topic(), await probe.connect()
    for qos in (1, 2) if "qos2" in probe.capabilities else (1,):
        peer = await probe.connect()
        await probe.subscribe(peer, topic, qos)
        await probe.publish(publisher, topic, b"begun", qos)
        await probe.message(peer, topic, acknowledge=False)
        # Occasions on which a careless Server might look through what is open.
        await probe.subscribe(peer, topic, qos)
        await probe.publish(publisher, probe.topic(), b"elsewhere", qos)
        await probe.publish(publisher, topic, b"next", qos)
        await peer.fence()
        copies = [found for found in publishes(peer.arrived, topic) if found.payload == b"begun"]
        if len(copies) > 1:
            raise Failed(f"{len(copies)} copies came, at QoS {qos}")
