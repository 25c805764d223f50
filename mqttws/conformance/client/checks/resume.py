"""Chapters 4.4 and 4.6: what a Client sends again when it comes back to a Session, and what it does not."""

from __future__ import annotations

import trio

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.conformance.wire.peer import Ended, Missing

__all__: list[str] = []


async def _again(visit: Visit, count: int) -> list[Publish | PubRel]:
    """So many packets that are sent again, or fewer, if no more come.

    Each is answered, for which a Client may wait before it sends the next.
    """
    found: list[Publish | PubRel] = []
    halfway: set[int] = set()
    while len(found) < count:
        try:
            packet = await visit.receive("what the Session holds")
        except Ended:
            raise Inconclusive("it ends the connection when it is told of its Session") from None
        except Missing:
            break
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


async def _published_again(visit: Visit, count: int) -> list[Publish]:
    """The messages among so many packets. Where there is none, nothing can be said of how they are sent again."""
    found = [packet for packet in await _again(visit, count) if isinstance(packet, Publish)]
    if not found:
        raise Inconclusive("it sends no message again")
    return found


async def _interrupted(probe: ClientProbe) -> tuple[Visit, list[Publish]]:
    """A Client back in its Session with three open messages: at QoS 1, at QoS 2, and at QoS 2 with PUBREC there."""
    visit = await probe.connect_to_stay()
    sent = [await probe.publish(visit, payload, qos) for payload, qos in ((b"1", 1), (b"2", 2), (b"3", 2))]
    await visit.send(PubRec(sent[2].packet_id or 0))
    await visit.expect(PubRel)
    return await probe.come_back(visit), sent


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
    for packet in await _published_again(visit, 3):
        if not packet.dup:
            raise Failed(f"the message with identifier {packet.packet_id} is sent again with DUP 0")


@client_check(v5="MQTT-4.3.3-6", v311="MQTT-4.3.3-1")
async def publishes_again_behind_pubrel(probe: ClientProbe) -> None:
    """A message whose PUBREL has gone out is not published again."""
    visit, sent = await _interrupted(probe)
    found = await _again(visit, 3)
    for packet in found:
        if isinstance(packet, Publish) and packet.payload == sent[2].payload:
            raise Failed(f"it sends PUBLISH {packet.packet_id} again, whose PUBREL had gone out")
    if not any(isinstance(packet, PubRel) for packet in found):
        raise Inconclusive("it sends neither PUBREL nor PUBLISH again")


@client_check(v5="MQTT-4.6.0-1", v311="MQTT-4.6.0-1")
async def sends_again_out_of_order(probe: ClientProbe) -> None:
    """Messages that are sent again go out in their original order."""
    visit = await probe.connect_to_stay()
    payloads = [str(number).encode() for number in range(6)]
    for number, payload in enumerate(payloads):
        await probe.publish(visit, payload, 2 if number in (1, 4) else 1)
    visit = await probe.come_back(visit)
    found = [packet.payload for packet in await _published_again(visit, len(payloads))]
    if found != [payload for payload in payloads if payload in found]:
        raise Failed(f"messages that went out as {payloads} come again as {found}")
    if len(found) < len(payloads):
        raise Inconclusive(f"it sends only {len(found)} of {len(payloads)} messages again")


@client_check(v5="MQTT-4.4.0-2", v311="MQTT-4.3.2-1")
async def sends_acknowledged_messages_again(probe: ClientProbe) -> None:
    """A message that was acknowledged, or refused by PUBREC, is done, and not sent again."""
    visit = await probe.connect_to_stay()
    done = [await probe.publish(visit, payload, qos) for payload, qos in ((b"done 1", 1), (b"done 2", 2))]
    await probe.publish(visit, b"open", 1)
    await visit.send(PubAck(done[0].packet_id or 0))
    if probe.is_v5:
        await visit.send(PubRec(done[1].packet_id or 0, 0x97))
    else:
        await visit.accept(done[1])
    await probe.fence(visit)
    visit = await probe.come_back(visit)
    while found := await _again(visit, 1):
        if isinstance(found[0], Publish):
            if found[0].payload == b"open":
                return
            raise Failed(f"the message with identifier {found[0].packet_id} is sent again, though it is done")
    raise Inconclusive("it sends nothing again")


@client_check(v5="MQTT-4.3.3-7")
async def drops_what_expires_under_way(probe: ClientProbe) -> None:
    """A message at QoS 2 that has gone out does not expire any more: it is sent again like any other."""
    visit = await probe.connect_to_stay()
    await probe.publish(visit, b"late", 2, message_expiry=1)
    await probe.publish(visit, b"any other", 2)
    await visit.drop()
    await trio.sleep(1.5)
    visit = await probe.come_back(visit)
    if b"late" not in [packet.payload for packet in await _published_again(visit, 2)]:
        raise Failed("it sends a message again, but not the one whose time is over")


@client_check(v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2")
async def answers_no_late_pubrel(probe: ClientProbe) -> None:
    """A PUBREL that comes again, since its PUBCOMP was lost with the connection, is answered by PUBCOMP again."""
    visit = await probe.connect_to_stay()
    await probe.subscribe(visit)
    message = visit.message(b"x", 2)
    await visit.deliver(message)
    visit = await probe.come_back(visit)
    await visit.send(PubRel(message.packet_id or 0))
    done = await visit.expect(PubComp)
    if done.packet_id != message.packet_id:
        raise Failed(f"PUBREL with {message.packet_id} is answered by PUBCOMP with {done.packet_id}")
