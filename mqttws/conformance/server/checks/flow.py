"""4.9 Flow control: Receive Maximum, with the Server as sender and as receiver."""

from __future__ import annotations

from typing import Final

from mqttws.codec import PingReq, PingResp, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.server.deliveries import absent, publishes, unsubscribe
from mqttws.conformance.server.hostile import ends
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.vocabulary import QOS, ReasonCode

#: Messages beyond a Receive Maximum that wait for their turn.
_BEYOND: Final = 5


async def _filled(probe: ServerProbe, topic: str, maximum: int, qos: int) -> tuple[Connected, list[Publish]]:
    """A Client with this Receive Maximum, to which more is sent; what has come by the time that it could be no more.

    Raises :class:`Failed` if it is more than the maximum.
    """
    peer, publisher = await probe.connect(receive_maximum=maximum), await probe.connect()
    await probe.subscribe(peer, topic, qos)
    for number in range(maximum + _BEYOND):
        await probe.publish(publisher, topic, f"{number}".encode(), qos)
    found = [await probe.message(peer, topic, acknowledge=False)]
    found += publishes(await peer.fence(), topic)
    if len(found) > maximum:
        raise Failed(f"{len(found)} messages are on their way, the Client's Receive Maximum is {maximum}")
    return peer, found


async def _still_answers(probe: ServerProbe, peer: Connected) -> None:
    """PINGREQ, SUBSCRIBE, UNSUBSCRIBE and PUBLISH are answered."""
    await peer.send(PingReq())
    await peer.expect(PingResp)
    other = probe.topic()
    await probe.subscribe(peer, other, 0)
    await unsubscribe(peer, other)
    await probe.publish(peer, other, b"x", 1)


@server_check(v5=("MQTT-3.3.4-9", "MQTT-4.9.0-1", "MQTT-4.9.0-2"), needs="qos1")
async def receive_maximum_exceeded(probe: ServerProbe) -> None:
    """No more QoS 1 messages are on their way than the Client's Receive Maximum, and each PUBACK lets one more come."""
    topic, maximum = probe.topic(), 3
    peer, found = await _filled(probe, topic, maximum, 1)
    waiting, more = found, maximum + _BEYOND - len(found)
    while more:
        await probe.acknowledge(peer, waiting.pop(0))
        came = [await probe.message(peer, topic, acknowledge=False), *publishes(await peer.fence(), topic)]
        waiting += came
        more -= len(came)
        if len(waiting) > maximum:
            raise Failed(f"{len(waiting)} messages are on their way, the Client's Receive Maximum is {maximum}")


@server_check(v5=("MQTT-3.3.4-9", "MQTT-4.9.0-2"), needs="qos2")
async def receive_maximum_exceeded_qos2(probe: ServerProbe) -> None:
    """A QoS 2 message counts against the Client's Receive Maximum up to its PUBCOMP, not to its PUBREC."""
    topic = probe.topic()
    peer, found = await _filled(probe, topic, 2, 2)
    for publish in found:
        if publish.packet_id is None:
            raise Failed("a message comes at QoS 0")
        await peer.send(PubRec(publish.packet_id))
        await peer.expect(PubRel)
    if len(found) == 2:
        await absent(peer, "another PUBLISH comes behind PUBREC, before PUBCOMP", topic)
    await peer.send(PubComp(found[0].packet_id or 0))
    await probe.message(peer, topic, acknowledge=False)


@server_check(v5="MQTT-3.3.4-9", needs="qos2")
async def refusal_not_counted(probe: ServerProbe) -> None:
    """A PUBREC that refuses ends an exchange, so that the next message may come."""
    topic = probe.topic()
    peer, found = await _filled(probe, topic, 1, 2)
    for number in range(1, 4):
        await peer.send(PubRec(found[0].packet_id or 0, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR))
        found = [await probe.message(peer, topic, acknowledge=False)]
        if found[0].payload != f"{number}".encode():
            raise Failed(f"{found[0].payload!r} comes behind a refusal of the message before number {number}")


@server_check(v5=("MQTT-3.3.4-10", "MQTT-4.9.0-3"), needs="qos1")
async def all_held_back(probe: ServerProbe) -> None:
    """With the Client's Receive Maximum used up it still answers everything else, and QoS 0 is not concerned."""
    topic = probe.topic()
    peer, _ = await _filled(probe, topic, 1, 1)
    await _still_answers(probe, peer)


@server_check(v5=("MQTT-4.9.0-3", "MQTT-3.3.4-10"), needs=("receive_maximum", "qos2"))
async def window_smaller_than_said(probe: ServerProbe) -> None:
    """A Client may use the Server's Receive Maximum whole: each PUBLISH is answered, and everything else is."""
    maximum = probe.offers["receive_maximum"]
    topic, peer = probe.topic(), await probe.connect()
    await peer.send(*(Publish(topic, b"x", QOS[2], packet_id=number) for number in range(1, maximum + 1)))
    answered = {(await peer.expect(PubRec)).packet_id for _ in range(maximum)}
    if answered != set(range(1, maximum + 1)):
        raise Failed(f"{len(answered)} different PUBREC packets came for {maximum} PUBLISH packets")
    await peer.send(PingReq())
    await peer.expect(PingResp)
    await probe.subscribe(peer, probe.topic(), 0)
    await peer.send(PubRel(1))
    await peer.expect(PubComp)
    await peer.send(Publish(topic, b"x", QOS[2], packet_id=maximum + 1))
    await peer.expect(PubRec)


@server_check(v5=("MQTT-3.3.4-7", "MQTT-4.13.1-1"), needs=("receive_maximum", "qos2"))
async def exceeded_receive_maximum(probe: ServerProbe) -> None:
    """A Client that has more QoS 2 messages open than the Server's Receive Maximum is disconnected."""
    maximum = probe.offers["receive_maximum"]
    topic, peer = probe.topic(), await probe.connect()
    await peer.send(*(Publish(topic, b"x", QOS[2], packet_id=number) for number in range(1, maximum + 2)))
    try:
        await ends(peer, f"behind {maximum + 1} open PUBLISH packets", codes=(ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,))
    except Failed:
        # 3.3.4 says that a Server "uses" DISCONNECT, not that it must; a message refused by PUBREC is not open any more
        if not any(isinstance(packet, PubRec) and packet.reason_code >= 0x80 for packet in peer.arrived):
            raise
        raise NotStrict("it refuses what is too much by PUBREC, and does not disconnect with 0x93") from None
