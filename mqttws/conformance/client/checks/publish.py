"""Chapters 3.3 and 4.3: messages that a Client sends, from the PUBLISH to the end of the exchange."""

from __future__ import annotations

from mqttws.codec import PubAck, PubComp, PubRec, PubRel
from mqttws.conformance.client.convention import Message, Published
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.verdict import Failed, NotStrict, NotTested
from mqttws.conformance.wire.peer import Ended

__all__: list[str] = []


@client_check(
    v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2", "MQTT-4.3.1-1"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1", "MQTT-4.3.1-1")
)
async def changes_the_message(probe: ClientProbe) -> None:
    """A new message goes out as it was asked for, with DUP 0."""
    await probe.needs_program()
    visit = await probe.connect()
    payload = bytes(range(256))
    for qos in (0, 1, 2):
        topic = probe.name() + "/\N{LATIN SMALL LETTER U WITH DIAERESIS}"
        retain = qos == 1
        publish = await probe.publish(visit, payload, qos, topic=topic, retain=retain)
        for name, wanted in (("topic", topic), ("payload", payload), ("qos", qos), ("dup", False), ("retain", retain)):
            if (found := getattr(publish, name)) != wanted:
                raise Failed(f"its PUBLISH at QoS {qos} has the {name} {found!r:.100}, not {wanted!r:.100}")
        await visit.accept(publish)


@client_check(v5="MQTT-4.3.3-5", v311="MQTT-4.3.3-1")
async def takes_the_identifier_of_an_open_pubrel(probe: ClientProbe) -> None:
    """An identifier stays in use until PUBCOMP, though PUBREC has come."""
    visit = await probe.connect()
    publish = await probe.publish(visit, qos=2)
    await visit.send(PubRec(publish.packet_id or 0))
    await visit.expect(PubRel)
    for qos in (1, 2, 1):
        other = await probe.publish(visit, qos=qos)
        if other.packet_id == publish.packet_id:
            raise Failed(f"its PUBLISH has identifier {other.packet_id}, whose PUBREL waits for PUBCOMP")
        await visit.accept(other)


@client_check(v5=("MQTT-4.3.3-4", "MQTT-2.2.1-5"), v311=("MQTT-4.3.3-1", "MQTT-2.3.1-6"))
async def answers_pubrec_otherwise(probe: ClientProbe) -> None:
    """PUBREC is answered by PUBREL with the same identifier."""
    visit = await probe.connect()
    one, other = [await probe.publish(visit, qos=2) for _ in range(2)]
    for publish in (other, one):
        await visit.send(PubRec(publish.packet_id or 0))
        released = await visit.expect(PubRel)
        if released.packet_id != publish.packet_id:
            raise Failed(f"PUBREL has identifier {released.packet_id}, PUBREC had {publish.packet_id}")
        if released.reason_code != 0:
            raise Failed(f"PUBREL says 0x{released.reason_code:02X} of a message that is under way")
        await visit.send(PubComp(released.packet_id))


@client_check(v5="MQTT-4.3.3-4")
async def answers_pubrec_with_a_success_above_0(probe: ClientProbe) -> None:
    """PUBREC with 0x10 (nobody has subscribed) is no refusal: PUBREL follows."""
    visit = await probe.connect()
    publish = await probe.publish(visit, qos=2)
    await visit.send(PubRec(publish.packet_id or 0, 0x10))
    released = await visit.expect(PubRel)
    await visit.send(PubComp(released.packet_id))
    await probe.fence(visit)


@client_check(v5="MQTT 5.0, 4.3.3")
async def releases_a_refused_message(probe: ClientProbe) -> None:
    """A PUBREC with 0x80 or above ends the exchange: there is nothing for PUBREL to release."""
    visit = await probe.connect()
    publish = await probe.publish(visit, qos=2)
    await visit.send(PubRec(publish.packet_id or 0, 0x97))
    if any(isinstance(packet, PubRel) for packet in await probe.fence(visit)):
        raise NotStrict("it sends PUBREL for a message that PUBREC has refused")


@client_check(v5="MQTT-4.6.0-4", v311="MQTT-4.6.0-4")
async def releases_out_of_order(probe: ClientProbe) -> None:
    """PUBRELs go out in the order in which the PUBRECs have come."""
    visit = await probe.connect()
    sent = [await probe.publish(visit, qos=2) for _ in range(4)]
    ids = [one.packet_id or 0 for one in (sent[2], sent[0], sent[3], sent[1])]
    await visit.send(*map(PubRec, ids))
    released = [(await visit.expect(PubRel)).packet_id for _ in ids]
    if released != ids:
        raise Failed(f"PUBRECs with identifiers {ids} are answered by PUBRELs with {released}")
    await visit.send(*map(PubComp, ids))


@client_check(v5="MQTT-4.3.2-3", v311="MQTT-4.3.2-1")
async def takes_any_puback_for_its_own(probe: ClientProbe) -> None:
    """A message is open until the PUBACK with its own identifier has come."""
    visit = await probe.talk()
    publish = await probe.publish(visit, qos=1)
    stranger = 7 if publish.packet_id != 7 else 8
    message = visit.message(probe.name().encode(), 1)
    await visit.send(PubAck(stranger), message)
    try:
        await visit.expect(PubAck)
    except Ended:
        return  # it takes that for an error of the Server, which is its right
    if not await probe.tells():
        raise NotTested("when a message is done only a program can tell that is started by the kit")
    if isinstance(await probe.event(Published, Message), Published):
        raise Failed(f"it tells that its message {publish.packet_id} is done, behind PUBACK for {stranger}")
    await visit.accept(publish)
    await probe.event(Published)
