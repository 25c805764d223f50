"""3.2.2.3: what a Server announces in CONNACK holds, and goes for what it does with Clients that ignore it."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import ConnAck, Disconnect, PubAck, Publish, PubRec, Will, encode
from mqttws.conformance.server.hostile import ends, refused
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict
from mqttws.conformance.wire.peer import Ended
from mqttws.vocabulary import QOS, ReasonCode

#: Bytes of a packet that a check sends at most.
_LARGEST: Final = 4 * 1024 * 1024


def _maximum_qos(probe: ServerProbe) -> int:
    """The highest QoS that it announces. Raises :class:`NotApplicable` if it announces no limit."""
    most = int(probe.offers.get("maximum_qos", 2))
    if most == 2:
        raise NotApplicable("it announces no Maximum QoS")
    return most


@server_check(v5="MQTT-3.2.2-9")
async def qos_missing_unannounced(probe: ServerProbe) -> None:
    """A Server handles messages of QoS 1 and 2, unless it has announced that it does not."""
    peer = await probe.connect()
    topic = probe.topic()
    kinds: tuple[type[PubAck | PubRec], ...] = (PubAck, PubRec)
    for qos in range(1, probe.offers.get("maximum_qos", 2) + 1):
        await peer.send(Publish(topic, b"x", QOS[qos], packet_id=qos))
        try:
            answer = await peer.expect(kinds[qos - 1], aside=(Publish, Disconnect))
        except Ended:
            raise Failed(f"a PUBLISH of QoS {qos} ends the connection, and no Maximum QoS was announced") from None
        if answer.reason_code == ReasonCode.QOS_NOT_SUPPORTED:
            raise Failed(f"a PUBLISH of QoS {qos} is not supported, and no Maximum QoS was announced")


@server_check(v5="MQTT-3.2.2-10")
async def subscription_above_maximum_qos_refused(probe: ServerProbe) -> None:
    """A Server with a Maximum QoS takes subscriptions of every QoS, and grants what it can."""
    most = _maximum_qos(probe)
    peer = await probe.connect()
    for qos in range(3):
        granted = (await probe.subscribe(peer, probe.topic(), qos)).reason_codes[0]
        if granted > most:
            raise NotStrict(f"QoS {granted} is granted by a Server whose Maximum QoS is {most}")  # "at most" holds


@server_check(v5=("MQTT-3.2.2-11", "MQTT-4.13.1-1"))
async def publish_above_maximum_qos_taken(probe: ServerProbe) -> None:
    """A PUBLISH above the announced Maximum QoS ends the connection."""
    qos = _maximum_qos(probe) + 1
    peer = await probe.connect()
    await peer.send(Publish(probe.topic(), b"x", QOS[qos], packet_id=1))
    await ends(peer, f"behind a PUBLISH of QoS {qos}", codes=(ReasonCode.QOS_NOT_SUPPORTED,))


@server_check(v5="MQTT-3.2.2-12")
async def will_above_maximum_qos_taken(probe: ServerProbe) -> None:
    """A CONNECT with a Will QoS above the announced maximum is refused."""
    qos = _maximum_qos(probe) + 1
    will = Will(probe.topic(), b"x", QOS[qos])
    await refused(probe, probe.connect_packet(will=will), f"behind a CONNECT with the Will QoS {qos}")


def _no_retain(probe: ServerProbe) -> None:
    if probe.offers.get("retain_available", 1):
        raise NotApplicable("it does not announce that it retains nothing")


@server_check(v5="MQTT-3.2.2-13")
async def retained_will_taken(probe: ServerProbe) -> None:
    """A Server that retains nothing refuses a CONNECT with Will Retain 1."""
    _no_retain(probe)
    will = Will(probe.topic(), b"x", retain=True)
    await refused(probe, probe.connect_packet(will=will), "behind a CONNECT with Will Retain 1")


@server_check(v5=("MQTT-3.2.2-14", "MQTT-4.13.1-1"))
async def retained_publish_taken(probe: ServerProbe) -> None:
    """A PUBLISH with RETAIN 1 to a Server that retains nothing ends the connection."""
    _no_retain(probe)
    peer = await probe.connect()
    await peer.send(Publish(probe.topic(), b"x", retain=True))
    await ends(peer, "behind a PUBLISH with RETAIN 1", codes=(ReasonCode.RETAIN_NOT_SUPPORTED,))


@server_check(v5=("MQTT-3.2.2-15", "MQTT-4.13.1-1"))
async def too_large_a_packet_taken(probe: ServerProbe) -> None:
    """A packet larger than the announced Maximum Packet Size ends the connection."""
    size = probe.offers.get("maximum_packet_size")
    if size is None or size > _LARGEST:
        raise NotApplicable("it announces no Maximum Packet Size that could be exceeded here")
    peer = await probe.connect()
    await peer.send(Publish(probe.topic(), bytes(size)))
    await ends(peer, f"behind a PUBLISH of more than {size} bytes", codes=(ReasonCode.PACKET_TOO_LARGE,))


@server_check(v5=("MQTT-3.2.2-19", "MQTT-3.2.2-20", "MQTT-3.1.2-24"))
async def connack_too_large(probe: ServerProbe) -> None:
    """CONNACK goes without Reason String and User Property where they make it too large for the Client."""
    extra = False
    for said in ({}, {"authentication_method": "mqttws-no-such-method"}):
        wanted: Any = said
        connack = await _connack(probe, **wanted)
        if connack is None or not {"reason_string", "user_property"} & set(connack.properties):
            continue
        extra = True
        size = len(encode(connack)) - 1
        smaller = await _connack(probe, maximum_packet_size=size, **wanted)
        if smaller is not None and len(encode(smaller)) > size:
            raise Failed(f"a CONNACK of {len(encode(smaller))} bytes goes to a Client that takes {size}")
    if not extra:
        raise NotApplicable("its CONNACK has neither a Reason String nor a User Property")


async def _connack(probe: ServerProbe, **properties: Any) -> ConnAck | None:
    """The answer to a CONNECT with these properties; None if the connection ends without one."""
    peer = await probe.open()
    await peer.send(probe.connect_packet(**properties))
    try:
        return await peer.expect(ConnAck)
    except Ended:
        return None


# -- what a Client says of itself -------------------------------------------------------------------------------------


@server_check(v5="MQTT-3.1.2-24")
async def message_too_large_for_the_client(probe: ServerProbe) -> None:
    """A message that is too large for a Client does not reach it."""
    await _drops(probe, qos=0)


@server_check(v5="MQTT-3.1.2-25", needs="qos1")
async def delivery_stopped_by_a_large_message(probe: ServerProbe) -> None:
    """A message that was too large for a Client counts as delivered: it takes no place in the Receive Maximum."""
    await _drops(probe, qos=1, receive_maximum=1)


async def _drops(probe: ServerProbe, qos: int, **properties: Any) -> None:
    """A message of another size follows each that is too large, and comes; the latter do not."""
    topic, size = probe.topic(), 256
    watcher, publisher = await probe.connect(maximum_packet_size=size, **properties), await probe.connect()
    await probe.subscribe(watcher, topic, qos)
    for _ in range(2):
        await probe.publish(publisher, topic, bytes(2 * size), qos)
        before = await probe.fresh_message(watcher, topic, publisher, qos)
        if before:
            largest = max(len(encode(one)) for one in before)
            raise Failed(f"a packet of {largest} bytes goes to a Client that takes {size}")


@server_check(v5="MQTT-3.1.2-28")
async def response_information_unasked(probe: ServerProbe) -> None:
    """CONNACK has Response Information only for a Client that has asked for it."""
    for said in (None, 0):
        peer = await probe.connect(request_response_information=said)
        if "response_information" in peer.connack.properties:
            raise Failed("CONNACK has Response Information, for which the Client has not asked")
