"""3.10 UNSUBSCRIBE and 3.11 UNSUBACK."""

from __future__ import annotations

from mqttws.codec import PubComp, PubRec, PubRel, UnsubAck, Unsubscribe
from mqttws.conformance.server.deliveries import absent, come_back, lasting, publishes, resume, subscriber, unsubscribe
from mqttws.conformance.server.hostile import ends_behind_each, shown
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict

_NONE_EXISTED = 0x11


@server_check(v5="MQTT-3.10.4-4", v311="MQTT-3.10.4-4")
async def unsuback_missing(probe: ServerProbe) -> None:
    """Each UNSUBSCRIBE is answered by one UNSUBACK, also if several come at once."""
    peer = await subscriber(probe, topic := probe.topic())
    wanted = [3, 0xFFFF, 2, 0x0100]
    await peer.send(*(Unsubscribe(packet_id, [topic]) for packet_id in wanted))
    found = [packet for packet in await peer.fence() if isinstance(packet, UnsubAck)]
    while len(found) < len(wanted):  # some answer PINGREQ first
        found.append(await peer.expect(UnsubAck))
    if sorted(unsuback.packet_id for unsuback in found) != sorted(wanted):
        raise Failed(f"UNSUBSCRIBE had {wanted}, UNSUBACK {[unsuback.packet_id for unsuback in found]}")


@server_check(v5=("MQTT-3.10.4-5", "MQTT-2.2.1-6"), v311=("MQTT-3.10.4-5", "MQTT-3.10.4-4", "MQTT-2.3.1-7"))
async def unsuback_identifier(probe: ServerProbe) -> None:
    """UNSUBACK has the Packet Identifier of its UNSUBSCRIBE, and comes where there is nothing to take back, too."""
    peer = await probe.connect()
    for packet_id in (1, 0x00FF, 0x0100, 0xFFFF):
        await peer.send(Unsubscribe(packet_id, [probe.topic()]))
        found = await peer.expect(UnsubAck)
        if found.packet_id != packet_id:
            raise Failed(f"UNSUBSCRIBE had {packet_id}, UNSUBACK {found.packet_id}")


@server_check(v5=("MQTT-3.11.3-1", "MQTT-3.11.3-2"))
async def unsuback_codes(probe: ServerProbe) -> None:
    """UNSUBACK has a code for each filter, in their order."""
    peer, topics = await probe.connect(), [probe.topic() for _ in range(4)]
    there = topics[:2]
    for topic in there:
        await probe.subscribe(peer, topic)
    codes = [int(code) for code in (await unsubscribe(peer, *topics)).reason_codes]
    if len(codes) != len(topics):
        raise Failed(f"{len(codes)} codes came for {len(topics)} filters")
    for topic, code in zip(topics, codes, strict=True):
        if topic in there and code == _NONE_EXISTED:
            raise Failed(f"the first two of four were subscribed to, and the codes are {codes}")
    if _NONE_EXISTED not in codes:
        raise NotStrict(f"two of four filters were not subscribed to, and the codes are {codes}")


@server_check(v5=("MQTT-3.10.4-1", "MQTT-3.10.4-2"), v311=("MQTT-3.10.4-1", "MQTT-3.10.4-2"), needs="qos1")
async def still_subscribed(probe: ServerProbe) -> None:
    """After UNSUBACK no new message comes for a filter that was taken back."""
    topic, mark = probe.topic(), probe.topic()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    await probe.subscribe(peer, mark)
    await probe.fresh_message(peer, topic, publisher)
    await unsubscribe(peer, topic)
    for qos in (0, 1):
        await probe.publish(publisher, topic, b"late", qos)
    await probe.fresh_message(peer, mark, publisher)
    await absent(peer, "a message comes for a filter that was taken back", topic)


@server_check(v5="MQTT-3.10.4-1", v311="MQTT-3.10.4-1", needs="qos1")
async def other_filter_removed(probe: ServerProbe) -> None:
    """UNSUBSCRIBE takes back the very same filter only: another case, a level more or less leave it alone."""
    topic, publisher = probe.topic("inner"), await probe.connect()
    peer = await subscriber(probe, topic)
    parent, _, last = topic.rpartition("/")
    others = [parent, f"{topic}/", f"{topic}/deeper", f"{parent}/{last.upper()}", topic[:-1]]
    if "wildcard" in probe.capabilities:
        others += [f"{parent}/+", f"{parent}/#", f"{topic}/#"]
    for other in others:
        await unsubscribe(peer, other)
    await probe.fresh_message(peer, topic, publisher)


@server_check(v5="MQTT-3.10.4-1", v311="MQTT-3.10.4-1", needs=("wildcard", "qos1"))
async def wildcard_not_literal(probe: ServerProbe) -> None:
    """A filter with a wildcard is taken back by itself, not by what it matches, and takes back nothing else."""
    topic, mark, publisher = probe.topic("inner"), probe.topic(), await probe.connect()
    wildcard = f"{topic.rpartition('/')[0]}/+"
    peer = await subscriber(probe, wildcard)
    await probe.subscribe(peer, mark)
    await unsubscribe(peer, topic)
    await probe.fresh_message(peer, topic, publisher)
    await unsubscribe(peer, wildcard)
    await probe.publish(publisher, topic, b"late")
    await probe.fresh_message(peer, mark, publisher)
    await absent(peer, "a filter with a wildcard is there still", topic)


@server_check(v5=("MQTT-3.10.4-6", "MQTT-3.10.4-1"), v311=("MQTT-3.10.4-6", "MQTT-3.10.4-1"), needs="qos1")
async def later_filters_kept(probe: ServerProbe) -> None:
    """Each filter of an UNSUBSCRIBE is taken back, as if it had been sent alone, and no other."""
    topics, mark = [probe.topic() for _ in range(4)], probe.topic()
    peer, publisher = await subscriber(probe, mark), await probe.connect()
    for topic in topics:
        await probe.subscribe(peer, topic)
    await unsubscribe(peer, topics[0], probe.topic(), *topics[1:])
    for topic in topics:
        await probe.publish(publisher, topic, b"late")
    await probe.fresh_message(peer, mark, publisher)
    if late := [found.topic for found in publishes(await peer.fence()) if found.topic in topics]:
        raise Failed(f"filter number {topics.index(late[0]) + 1} of {len(topics)} is there still")


@server_check(v5="MQTT-3.10.4-3", v311="MQTT-3.10.4-3", needs="qos2")
async def exchange_broken_off(probe: ServerProbe) -> None:
    """A QoS 2 message that is on its way when its filter is taken back is brought to an end."""
    topic = probe.topic()
    peer, publisher = await subscriber(probe, topic, qos=2), await probe.connect()
    await probe.publish(publisher, topic, b"x", 2)
    found = await probe.message(peer, topic, acknowledge=False)
    if found.packet_id is None:
        raise Failed(f"it comes at QoS {found.qos:d}")
    await unsubscribe(peer, topic)
    await peer.send(PubRec(found.packet_id))
    await peer.expect(PubRel, where=lambda pubrel: pubrel.packet_id == found.packet_id)
    await peer.send(PubComp(found.packet_id))


@server_check(v5="MQTT-3.10.4-3", v311="MQTT-3.10.4-3", needs=("qos1", "session_expiry"))
async def unacknowledged_dropped(probe: ServerProbe) -> None:
    """A QoS 1 message that waits for its PUBACK when its filter is taken back is sent again after a reconnect."""
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, probe.topic())  # some count a Session by its subscriptions
        await probe.subscribe(peer, topic)
        await probe.publish(publisher, topic, b"begun")
        await probe.message(peer, topic, acknowledge=False)
        await unsubscribe(peer, topic)
        await peer.drop()
        if (await probe.message(await come_back(probe, client_id), topic)).payload != b"begun":
            raise Failed("another message came")


@server_check(
    v5=("MQTT-3.10.1-1", "MQTT-2.1.3-1", "MQTT-4.13.1-1"), v311=("MQTT-3.10.1-1", "MQTT-2.2.2-2", "MQTT-4.8.0-1")
)
async def unsubscribe_flags(probe: ServerProbe) -> None:
    """An UNSUBSCRIBE with other flags than 0010 ends the connection."""
    names = ("unsubscribe_flags_0000", "unsubscribe_flags_0011", "unsubscribe_flags_1010")
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5=("MQTT-3.10.3-2", "MQTT-4.13.1-1"), v311=("MQTT-3.10.3-2", "MQTT-4.8.0-1"))
async def unsubscribe_without_filter(probe: ServerProbe) -> None:
    """An UNSUBSCRIBE without a filter ends the connection."""
    await ends_behind_each(probe, shown(probe, "unsubscribe_no_payload"))


@server_check(
    v5=("MQTT-3.10.3-1", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-4.7.3-2", "MQTT-4.13.1-1"),
    v311=("MQTT-3.10.3-1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-4.7.3-2"),
)
async def unsubscribe_no_text(probe: ServerProbe) -> None:
    """An UNSUBSCRIBE with a filter that is no valid UTF-8, or has U+0000 in it, ends the connection."""
    await ends_behind_each(probe, shown(probe, "unsubscribe_filter_ill_formed", "unsubscribe_filter_nul"))
