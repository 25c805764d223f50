"""Chapters 4.4 and 4.6: what a Client sends again when it comes back to a Session, and what it does not."""

from __future__ import annotations

from typing import Final

import trio

from mqttws.codec import ConnAck, PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.client.convention import Connected
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable
from mqttws.conformance.wire.peer import Ended

__all__: list[str] = []

#: Seconds that the Session may last.
_EXPIRY: Final = 600


async def _first(probe: ClientProbe) -> Visit:
    """A Client whose Session is to outlive its connection."""
    visit = await probe.connect(clean_start=False, session_expiry=_EXPIRY)
    if visit.connect.clean_start and not probe.is_v5:
        raise NotApplicable("the Client has no Session that outlives its connection")
    if probe.is_v5 and not visit.connect.properties.get("session_expiry_interval"):
        raise NotApplicable("the Client has no Session that outlives its connection")
    return visit


async def _back(probe: ClientProbe, visit: Visit) -> Visit:
    """The connection is lost, and the Client comes back to its Session."""
    await visit.drop()
    await probe.gone()
    again = await probe.open(visit.connect.client_id, clean_start=False, session_expiry=_EXPIRY)
    if again.connect.clean_start:
        raise NotApplicable("the Client asks for a new Session when it comes back")
    await again.send(ConnAck(True))
    if await probe.tells():
        await probe.event(Connected)
    return again


async def _again(visit: Visit, count: int) -> list[Publish | PubRel]:
    """So many packets that are sent again; each is answered, for which a Client may wait before it sends the next."""
    found: list[Publish | PubRel] = []
    halfway: set[int] = set()
    while len(found) < count:
        try:
            packet = await visit.receive("what the Session holds")
        except Ended:
            raise Inconclusive("it ends the connection when it is told of its Session") from None
        if isinstance(packet, Publish) and packet.packet_id is not None:
            found.append(packet)
            if packet.qos == 2:
                halfway.add(packet.packet_id)
            await visit.send((PubRec if packet.qos == 2 else PubAck)(packet.packet_id))
        elif isinstance(packet, PubRel):
            if packet.packet_id not in halfway:
                found.append(packet)
            halfway.discard(packet.packet_id)
            await visit.send(PubComp(packet.packet_id))
        else:
            visit.aside.append(packet)
    return found


async def _interrupted(probe: ClientProbe) -> tuple[Visit, list[Publish]]:
    """A Client back in its Session with three open messages: at QoS 1, at QoS 2, and at QoS 2 with PUBREC there."""
    visit = await _first(probe)
    sent = [await probe.publish(visit, payload, qos) for payload, qos in ((b"1", 1), (b"2", 2), (b"3", 2))]
    await visit.send(PubRec(sent[2].packet_id or 0))
    await visit.expect(PubRel)
    return await _back(probe, visit), sent


@client_check(
    v5=("MQTT-4.4.0-1", "MQTT-4.3.3-5", "MQTT-4.3.2-3", "MQTT-4.3.3-3"),
    v311=("MQTT-4.4.0-1", "MQTT-2.3.1-3", "MQTT-4.3.2-1", "MQTT-4.3.3-1"),
)
async def sends_nothing_again(probe: ClientProbe) -> None:
    """A Client that comes back to its Session sends every open PUBLISH and PUBREL again, with its identifier."""
    visit, sent = await _interrupted(probe)
    found = await _again(visit, 3)
    released = [packet.packet_id for packet in found if isinstance(packet, PubRel)]
    if released != [sent[2].packet_id]:
        raise Failed(f"PUBREL is sent again for {released or 'nothing'}, not for {sent[2].packet_id}")
    messages = {packet.packet_id: packet for packet in found if isinstance(packet, Publish)}
    for publish in sent[:2]:
        again = messages.get(publish.packet_id)
        if again is None:
            raise Failed(f"the message with identifier {publish.packet_id} is not sent again")
        for name in ("topic", "payload", "qos", "retain"):
            if (what := getattr(again, name)) != (wanted := getattr(publish, name)):
                raise Failed(f"the message {publish.packet_id} has another {name} again: {what!r}, not {wanted!r}")


@client_check(v5="MQTT-3.3.1-1", v311="MQTT-3.3.1-1")
async def sends_again_without_dup(probe: ClientProbe) -> None:
    """A PUBLISH that is sent again has DUP 1."""
    visit, _ = await _interrupted(probe)
    for packet in await _again(visit, 3):
        if isinstance(packet, Publish) and not packet.dup:
            raise Failed(f"the message with identifier {packet.packet_id} is sent again with DUP 0")


@client_check(v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1")
async def publishes_again_behind_pubrel(probe: ClientProbe) -> None:
    """A message whose PUBREL has gone out is not published again."""
    visit, sent = await _interrupted(probe)
    for packet in await _again(visit, 3):
        if isinstance(packet, Publish) and packet.payload == sent[2].payload:
            raise Failed(f"it sends PUBLISH {packet.packet_id} again, whose PUBREL had gone out")


@client_check(v5="MQTT-4.6.0-1", v311="MQTT-4.6.0-1")
async def sends_again_out_of_order(probe: ClientProbe) -> None:
    """Messages that are sent again go out in their original order."""
    visit = await _first(probe)
    payloads = [str(number).encode() for number in range(6)]
    for number, payload in enumerate(payloads):
        await probe.publish(visit, payload, 2 if number in (1, 4) else 1)
    visit = await _back(probe, visit)
    found = [packet.payload for packet in await _again(visit, len(payloads)) if isinstance(packet, Publish)]
    if found != payloads:
        raise Failed(f"messages that went out as {payloads} come again as {found}")


@client_check(v5="MQTT-4.4.0-2", v311="MQTT-4.3.2-1")
async def sends_acknowledged_messages_again(probe: ClientProbe) -> None:
    """A message that was acknowledged, or refused by PUBREC, is done, and not sent again."""
    visit = await _first(probe)
    done = [await probe.publish(visit, payload, qos) for payload, qos in ((b"done 1", 1), (b"done 2", 2))]
    await probe.publish(visit, b"open", 1)
    await visit.send(PubAck(done[0].packet_id or 0))
    if probe.is_v5:
        await visit.send(PubRec(done[1].packet_id or 0, 0x97))
    else:
        await visit.accept(done[1])
    await probe.fence(visit)
    visit = await _back(probe, visit)
    (first,) = await _again(visit, 1)
    while not (isinstance(first, Publish) and first.payload == b"open"):
        if isinstance(first, Publish):
            raise Failed(f"the message with identifier {first.packet_id} is sent again, though it is done")
        (first,) = await _again(visit, 1)


@client_check(v5="MQTT-4.3.3-7")
async def drops_what_expires_under_way(probe: ClientProbe) -> None:
    """A message at QoS 2 that has gone out does not expire any more: it is sent again all the same."""
    visit = await _first(probe)
    await probe.publish(visit, b"late", 2, message_expiry=1)
    await visit.drop()
    await trio.sleep(1.5)
    visit = await _back(probe, visit)
    await _again(visit, 1)


@client_check(v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2")
async def answers_no_late_pubrel(probe: ClientProbe) -> None:
    """A PUBREL that comes again, since its PUBCOMP was lost with the connection, is answered by PUBCOMP again."""
    visit = await _first(probe)
    await probe.subscribe(visit)
    message = visit.message(b"x", 2)
    await visit.deliver(message)
    visit = await _back(probe, visit)
    await visit.send(PubRel(message.packet_id or 0))
    done = await visit.expect(PubComp)
    if done.packet_id != message.packet_id:
        raise Failed(f"PUBREL with {message.packet_id} is answered by PUBCOMP with {done.packet_id}")
