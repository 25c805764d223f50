"""4.6 Order of messages, and their payload."""

from __future__ import annotations

from mqttws.codec import Packet, Publish, PubRec, PubRel
from mqttws.conformance.server.deliveries import come_back, lasting, publishes, resume, subscriber
from mqttws.conformance.server.hostile import leave
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, Inconclusive, NotTested
from mqttws.conformance.wire.peer import Missing
from mqttws.vocabulary import QOS

#: Messages in a row; a Server's Receive Maximum may make it fewer.
_MANY = 40
#: Bytes of a payload that every Server should take, though no sentence says so.
_ANY_SIZE = 1_000


def _many(probe: ServerProbe) -> int:
    return min(_MANY, int(probe.offers.get("receive_maximum", _MANY)))


async def _burst(probe: ServerProbe, publisher: Connected, topic: str, qos: int) -> list[bytes]:
    """Publish a row of messages at once, and finish their exchanges."""
    payloads = [f"{number:03}".encode() for number in range(_many(probe))]
    await publisher.send(
        *(Publish(topic, payload, QOS[qos], packet_id=publisher.packet_id() if qos else None) for payload in payloads)
    )
    if qos == 2:
        pubrecs: list[Packet] = [await publisher.expect(PubRec) for _ in payloads]
        await publisher.send(*(PubRel(pubrec.packet_id) for pubrec in pubrecs if isinstance(pubrec, PubRec)))
    return payloads


async def _in_order(probe: ServerProbe, peer: Connected, topic: str, sent: list[bytes], *, lossless: bool) -> None:
    """What comes is in order, up to the last message, and whole if it has to be."""
    came: list[bytes] = []
    while not came or came[-1] != sent[-1]:
        payload = (await probe.message(peer, topic)).payload
        if came and payload <= came[-1]:
            raise Failed(f"message {payload!r} comes behind message {came[-1]!r}")
        came.append(payload)
    if lossless and came != sent:
        raise Failed(f"{len(sent)} messages were sent, {len(came)} came up to the last one")


async def _in_order_after(probe: ServerProbe, client_id: str, topic: str, sent: list[bytes]) -> None:
    """What comes to a Client that comes back is in order. Raises :class:`Inconclusive` if something of it is lost."""
    peer = await come_back(probe, client_id)
    try:
        await _in_order(probe, peer, topic, sent, lossless=True)
    except Missing:
        raise Inconclusive("not all of them came, which other checks judge") from None


async def _ordered(probe: ServerProbe, qos: int) -> None:
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos)
    sent = await _burst(probe, publisher, topic, qos)
    if not qos:  # a message of QoS 0 may be lost, and the last one is waited for
        await probe.publish(publisher, topic, b"999", 0)
        sent.append(b"999")
    try:
        await _in_order(probe, peer, topic, sent, lossless=qos > 0)
    except Missing as missing:
        if qos:
            came = len({publish.payload for publish in publishes(peer.arrived, topic)})
            raise Failed(f"{len(sent)} messages were sent, {came} came, and then {missing}") from None
        raise Inconclusive("the last message has not come, which QoS 0 does not promise") from None


@server_check(v5=("MQTT-4.6.0-5", "MQTT-4.6.0-6"), v311=("MQTT-4.6.0-6", "MQTT-4.6.0-5"))
async def disordered_qos0(probe: ServerProbe) -> None:
    """Messages of QoS 0 of one publisher on one topic come in the order in which they were sent."""
    await _ordered(probe, 0)


@server_check(v5=("MQTT-4.6.0-5", "MQTT-4.6.0-6"), v311=("MQTT-4.6.0-6", "MQTT-4.6.0-5"), needs="qos1")
async def disordered_qos1(probe: ServerProbe) -> None:
    """Messages of QoS 1 of one publisher on one topic come in the order in which they were sent, all of them."""
    await _ordered(probe, 1)


@server_check(v5=("MQTT-4.6.0-5", "MQTT-4.6.0-6"), v311=("MQTT-4.6.0-6", "MQTT-4.6.0-5"), needs="qos2")
async def disordered_qos2(probe: ServerProbe) -> None:
    """Messages of QoS 2 of one publisher on one topic come in the order in which they were sent, all of them."""
    await _ordered(probe, 2)


@server_check(v5="MQTT-4.6.0-5", v311="MQTT-4.6.0-6", needs=("qos1", "session_expiry"))
async def disordered_while_waiting(probe: ServerProbe) -> None:
    """Messages that have waited for a Client to come back come in the order in which they were sent."""
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic)
        await leave(peer)
        sent = await _burst(probe, publisher, topic, 1)
        await publisher.fence()
        await _in_order_after(probe, client_id, topic, sent)


@server_check(
    v5=("MQTT-4.6.0-5", "MQTT-4.4.0-1"), v311=("MQTT-4.6.0-6", "MQTT-4.4.0-1"), needs=("qos1", "session_expiry")
)
async def disordered_again(probe: ServerProbe) -> None:
    """Messages that are sent again after a reconnect come in their order, those that have waited behind them."""
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id, receive_maximum=5)
        await probe.subscribe(peer, topic)
        sent = await _burst(probe, publisher, topic, 1)
        await publisher.fence()
        await probe.message(peer, topic, acknowledge=False)
        if len(publishes(peer.arrived)) < 2:
            await peer.fence()
        if len(publishes(peer.arrived)) < 2:
            raise NotTested("it sends one message at a time, so there is no order to keep")
        await peer.drop()
        await _in_order_after(probe, client_id, topic, sent)


@server_check(v5="MQTT 5.0, 3.3.3", v311="MQTT 3.1.1, 3.3.3", needs="qos1")
async def bytes_garbled(probe: ServerProbe) -> None:
    """A payload comes out as it was sent, byte by byte, at every size of a length field."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic)
    most = min(probe.limits.get("maximum_packet_size", 70_000) - len(topic) - 20, 70_000)
    for size in (0, 1, 125, 126, 127, 128, 1_000, 16_383, 16_384, 65_535, 65_536, most):
        if size <= most:
            payload = (bytes(range(256)) * (size // 256 + 1))[:size]
            try:
                await probe.publish(publisher, topic, payload)
            except Failed as failed:
                if size <= _ANY_SIZE or (publisher.disconnect is None and publisher.ending is None):
                    raise
                raise Inconclusive(f"a message of {size} bytes is more than it takes, perhaps: {failed}") from None
            if (found := await probe.message(peer, topic)).payload != payload:
                raise Failed(f"{size} bytes were sent, and {len(found.payload)} others came")
