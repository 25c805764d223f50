"""Chapter 4.9: how many messages of a Client are open at a time, and that nothing else waits for them."""

from __future__ import annotations

from contextlib import suppress

from mqttws.codec import PubComp, Publish, PubRec, PubRel, Subscribe, Unsubscribe
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.conformance.wire.peer import Ended, Missing

__all__: list[str] = []


@client_check(v5=("MQTT-3.3.4-7", "MQTT-4.9.0-1", "MQTT-4.9.0-2"))
async def exceeds_receive_maximum(probe: ClientProbe) -> None:
    """No more messages above QoS 0 are open than the Server's Receive Maximum says."""
    for maximum, qualities in ((1, (1, 2, 1)), (3, (2, 1, 1, 2, 1))):
        visit = await probe.connect(properties={"receive_maximum": maximum})
        for qos in qualities:
            await probe.task("publish", topic=probe.name(), payload=b"x", qos=qos)
        opened = [await probe.sent(visit, Publish, "publish") for _ in range(maximum)]
        await _no_more(probe, visit, maximum)
        for _ in qualities[maximum:]:
            await visit.accept(opened.pop(0))
            opened.append(await probe.sent(visit, Publish, "publish"))
        await _no_more(probe, visit, maximum)
        await probe.close()


@client_check(v5=("MQTT-3.3.4-7", "MQTT-4.9.0-2"))
async def frees_its_quota_at_pubrec(probe: ClientProbe) -> None:
    """A message at QoS 2 counts until PUBCOMP: a good PUBREC makes no room for the next one."""
    visit = await probe.connect(properties={"receive_maximum": 1})
    for _ in range(2):
        await probe.task("publish", topic=probe.name(), payload=b"x", qos=2)
    publish = await probe.sent(visit, Publish, "publish")
    await visit.send(PubRec(publish.packet_id or 0))
    await visit.expect(PubRel)
    await _no_more(probe, visit, 1)
    await visit.send(PubComp(publish.packet_id or 0))
    await visit.accept(await probe.sent(visit, Publish, "publish"))


@client_check(v5=("MQTT-3.3.4-7", "MQTT-4.9.0-2"))
async def forgets_its_quota_of_a_session(probe: ClientProbe) -> None:
    """Messages that a Client sends again when it comes back to its Session count like new ones."""
    visit = await probe.connect_to_stay()
    await probe.publish(visit, b"1", 1)
    await probe.publish(visit, b"2", 1)
    visit = await probe.come_back(visit, properties={"receive_maximum": 1})
    try:
        publish = await visit.expect(Publish)
    except (Ended, Missing) as problem:  # what it sends again is another rule
        raise Inconclusive(str(problem)) from None
    await _no_more(probe, visit, 1)
    await visit.accept(publish)


@client_check(v5=("MQTT-3.3.4-8", "MQTT-4.9.0-3"))
async def holds_back_more_than_messages(probe: ClientProbe) -> None:
    """With its quota used up a Client goes on with everything but messages of its own above QoS 0."""
    visit = await probe.connect(properties={"receive_maximum": 1})
    await probe.subscribe(visit)
    for _ in range(3):
        await probe.task("publish", topic=probe.name(), payload=b"x", qos=1)
    publish = await probe.sent(visit, Publish, "publish")
    await visit.deliver(visit.message(b"1", 1))
    await visit.deliver(visit.message(b"2", 2))
    await probe.task("unsubscribe", topic_filter=visit.topic)
    try:
        await probe.sent(visit, Unsubscribe, "unsubscribe")
    except Inconclusive:
        await _was_held_back(visit, publish)
        raise
    await visit.accept(publish)


async def _was_held_back(visit: Visit, publish: Publish) -> None:
    """Raises :class:`Failed` if an UNSUBSCRIBE comes as soon as there is room for messages again."""
    await visit.accept(publish)
    with suppress(Missing, Ended):
        while not isinstance(packet := await visit.receive(within=visit.patience), Unsubscribe):
            if isinstance(packet, Publish):
                await visit.accept(packet)
        raise Failed("UNSUBSCRIBE comes only when there is room for messages again")


async def _no_more(probe: ClientProbe, visit: Visit, maximum: int) -> None:
    """No message above QoS 0 comes before a SUBSCRIBE that it is told to send now: nothing may hold that back."""
    await probe.task("subscribe", topic_filter=probe.name(), qos=0)
    await probe.sent(visit, Subscribe, "subscribe")
    if any(isinstance(packet, Publish) and packet.qos for packet in visit.aside):
        raise Failed(f"it has more than {maximum} messages open, the Server's Receive Maximum")
