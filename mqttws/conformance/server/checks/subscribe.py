"""3.8 SUBSCRIBE and 3.9 SUBACK: what is granted, what replaces what, and at which QoS messages come."""

from __future__ import annotations

from itertools import product

from mqttws.codec import SubAck, Subscribe, Subscription
from mqttws.conformance.server.deliveries import absent, nothing_but, publishes, subscribe_answer, subscriber
from mqttws.conformance.server.hostile import ends_behind_each, shown
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed
from mqttws.vocabulary import QOS


@server_check(v5="MQTT-3.8.4-1", v311="MQTT-3.8.4-1")
async def suback_missing(probe: ServerProbe) -> None:
    """Each SUBSCRIBE is answered by one SUBACK, also if several come at once."""
    peer = await probe.connect()
    wanted = [3, 0xFFFF, 1, 0x0100]
    await peer.send(*(Subscribe(packet_id, [Subscription(probe.topic(), QOS[1])]) for packet_id in wanted))
    found = [packet for packet in await peer.fence() if isinstance(packet, SubAck)]
    while len(found) < len(wanted):  # some answer PINGREQ first
        found.append(await peer.expect(SubAck))
    if sorted(suback.packet_id for suback in found) != sorted(wanted):
        raise Failed(f"SUBSCRIBE had {wanted}, SUBACK {[suback.packet_id for suback in found]}")


@server_check(v5=("MQTT-3.8.4-2", "MQTT-2.2.1-6"), v311=("MQTT-3.8.4-2", "MQTT-2.3.1-7"))
async def suback_identifier(probe: ServerProbe) -> None:
    """SUBACK has the Packet Identifier of its SUBSCRIBE, and the answers for it."""
    peer = await probe.connect()
    for count, packet_id in enumerate((1, 0x00FF, 0x0100, 0xFFFF), 1):
        subscriptions = [Subscription(probe.topic(), QOS[0]) for _ in range(count)]
        await peer.send(Subscribe(packet_id, subscriptions))
        found = await peer.expect(SubAck)
        if found.packet_id != packet_id:
            raise Failed(f"SUBSCRIBE had {packet_id}, SUBACK {found.packet_id}")


@server_check(v5=("MQTT-3.8.4-6", "MQTT-3.8.4-7"), v311="MQTT-3.8.4-5")
async def suback_codes(probe: ServerProbe) -> None:
    """SUBACK has a code for each filter: a QoS that is not above what was asked for, or a refusal."""
    peer = await probe.connect()
    for asked in ([0], [1], [2], [2, 0, 1], [0] * 20):
        answer = await subscribe_answer(peer, *(Subscription(probe.topic(), QOS[qos]) for qos in asked))
        if answer is None:
            raise Failed("it ends the connection behind a good SUBSCRIBE")
        if len(answer.reason_codes) != len(asked):
            raise Failed(f"{len(answer.reason_codes)} codes came for {len(asked)} filters")
        granted = [code for code in answer.reason_codes if code < 0x80]
        if not granted and 0 in asked:  # a higher QoS than it serves may be refused in place of a lower one
            raise Failed("it refuses all of them")
        if max(granted, default=0) > max(asked):
            raise Failed(f"it grants more than the QoS {asked} that was asked for")


@server_check(v5="MQTT-3.9.3-1", v311="MQTT-3.9.3-1", needs="qos1")
async def suback_order(probe: ServerProbe) -> None:
    """The codes in SUBACK are in the order of the filters."""
    peer = await probe.connect()
    for asked in ([0, 1, 2], [2, 1, 0], [1, 0, 0, 1]):
        answer = await subscribe_answer(peer, *(Subscription(probe.topic(), QOS[qos]) for qos in asked))
        codes = answer.reason_codes if answer else []
        if len(codes) != len(asked) or any(code < 0x80 and code > qos for code, qos in zip(codes, asked, strict=True)):
            raise Failed(f"QoS {asked} was asked for, and the codes are {codes}")


@server_check(v5="MQTT-3.8.4-5", v311="MQTT-3.8.4-4", needs="qos1")
async def later_filters_lost(probe: ServerProbe) -> None:
    """Each filter of a SUBSCRIBE becomes a subscription, as if it had been sent alone."""
    topics = [probe.topic() for _ in range(5)]
    peer, publisher = await probe.connect(), await probe.connect()
    answer = await subscribe_answer(peer, *(Subscription(topic, QOS[1]) for topic in topics))
    if answer is None or any(code >= 0x80 for code in answer.reason_codes):
        raise Failed("it refuses one of several good filters")
    for topic in reversed(topics):
        await probe.fresh_message(peer, topic, publisher)


@server_check(v5=("MQTT-3.8.4-5", "MQTT-3.8.4-3"), v311=("MQTT-3.8.4-4", "MQTT-3.8.4-3"), needs="qos1")
async def same_filter_twice(probe: ServerProbe) -> None:
    """A filter that is twice in one SUBSCRIBE makes one subscription, as the later one says."""
    topic, peer, publisher = probe.topic(), await probe.connect(), await probe.connect()
    await subscribe_answer(peer, Subscription(topic, QOS[1]), Subscription(topic, QOS[0]))
    await probe.publish(publisher, topic, b"once")
    came = [int(found.qos) for found in publishes(await probe.fresh_message(peer, topic, publisher))]
    if came != [0]:
        raise Failed(f"QoS 0 was asked for last; a message of QoS 1 comes at {came}")


@server_check(v5="MQTT-3.8.4-3", v311="MQTT-3.8.4-3", needs="qos1")
async def subscription_not_replaced(probe: ServerProbe) -> None:
    """Subscribing to the same filter again replaces the subscription: the new QoS counts, and messages come once."""
    topic, peer, publisher = probe.topic(), await probe.connect(), await probe.connect()
    for qos in (1, 0, 1):
        granted = int((await probe.subscribe(peer, topic, qos)).reason_codes[0])
        await probe.publish(publisher, topic, b"once")
        before = await probe.fresh_message(peer, topic, publisher)
        came = [int(found.qos) for found in publishes(before)]
        if came != [granted]:
            raise Failed(f"QoS {granted} is granted now; a message of QoS 1 comes at {came}")
        await absent(peer, "a copy comes from the subscription before", topic)


@server_check(v5="MQTT-3.8.4-4", v311="MQTT-3.8.4-3", needs="qos1")
async def lost_while_replacing(probe: ServerProbe) -> None:
    """No message is lost while a subscription is replaced, again and again."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic)
    sent = [f"{number}".encode() for number in range(30)]
    for number, payload in enumerate(sent):
        if number % 3 == 0:
            await peer.send(Subscribe(peer.packet_id(), [Subscription(topic, QOS[1])]))
        await probe.publish(publisher, topic, payload)
    before: list[bytes] = []
    while not before or before[-1] != sent[-1]:
        found = await peer.receive("PUBLISH")
        if publishes([found]):
            before += [one.payload for one in publishes([found])]
            await probe.acknowledge(peer, publishes([found])[0])
    if lost := [payload for payload in sent if payload not in before]:
        raise Failed(f"{len(lost)} of {len(sent)} messages were lost")


@server_check(v5="MQTT-3.8.4-4", needs="qos1")
async def waiting_lost_by_replacing(probe: ServerProbe) -> None:
    """Messages that wait for a place in the Client's Receive Maximum are not lost when a subscription is replaced."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await probe.connect(receive_maximum=1)
    await probe.subscribe(peer, topic)
    sent = [f"{number}".encode() for number in range(5)]
    for payload in sent:
        await probe.publish(publisher, topic, payload)
    await probe.subscribe(peer, topic)
    for payload in sent:
        if (found := await probe.message(peer, topic)).payload != payload:
            raise Failed(f"{found.payload!r} came where {payload!r} was owed")


@server_check(v5="MQTT-3.8.4-8", v311="MQTT-3.8.4-6", needs="qos1")
async def delivered_above_granted(probe: ServerProbe) -> None:
    """A message comes at the lower of its own QoS and the one that was granted, for each pair of them."""
    levels = (0, 1, 2) if "qos2" in probe.capabilities else (0, 1)
    publisher, peer = await probe.connect(), await probe.connect()
    for asked, qos in product(levels, levels):
        topic = probe.topic()
        granted = int((await probe.subscribe(peer, topic, asked)).reason_codes[0])
        await probe.publish(publisher, topic, b"x", qos)
        if (found := await probe.message(peer, topic)).qos != min(granted, qos):
            raise Failed(f"QoS {granted} was granted, a message of QoS {qos} comes at QoS {found.qos:d}")


@server_check(v5="MQTT-3.8.3-3", needs="qos1")
async def own_message_returned(probe: ServerProbe) -> None:
    """With No Local a Client does not get what it has published itself, but what others have."""
    topic, other = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, no_local=True)
    for qos in (0, 1):
        await probe.publish(peer, topic, b"own", qos)
    await nothing_but(probe, peer, topic, other, "its own message comes back")


@server_check(v5="MQTT-3.8.3-3", needs="qos1")
async def no_local_for_all(probe: ServerProbe) -> None:
    """No Local holds back nothing else: a Client without it gets its own messages, others get them with it."""
    topic = probe.topic()
    peer, other = await subscriber(probe, topic), await subscriber(probe, topic, no_local=True)
    await probe.publish(peer, topic, b"own")
    for who in (peer, other):
        if (await probe.message(who, topic)).payload != b"own":
            raise Failed("another message came")


@server_check(v311="MQTT-3.8.3-2", v5="MQTT 5.0, 3.2.2.3.11")
async def wildcard_granted_unserved(probe: ServerProbe) -> None:
    """A filter with a wildcard is refused by a Server that does not serve it."""
    topic, publisher = probe.topic("below"), await probe.connect()
    for wildcard in (f"{topic.rpartition('/')[0]}/+", f"{topic.rpartition('/')[0]}/#"):
        peer = await probe.connect()
        answer = await subscribe_answer(peer, Subscription(wildcard, QOS[0]))
        if answer is not None and answer.reason_codes[0] < 0x80:
            await probe.publish(publisher, topic, b"x", 0)
            await probe.message(peer, topic)


@server_check(
    v5=("MQTT-3.8.1-1", "MQTT-2.1.3-1", "MQTT-4.13.1-1"), v311=("MQTT-3.8.1-1", "MQTT-2.2.2-2", "MQTT-4.8.0-1")
)
async def subscribe_flags(probe: ServerProbe) -> None:
    """A SUBSCRIBE with other flags than 0010 ends the connection."""
    await ends_behind_each(probe, shown(probe, "subscribe_flags_0000", "subscribe_flags_0011", "subscribe_flags_1010"))


@server_check(v5=("MQTT-3.8.3-5", "MQTT-4.13.1-1"), v311=("MQTT-3.8.3-4", "MQTT-4.8.0-1"))
async def subscribe_reserved_bits(probe: ServerProbe) -> None:
    """A reserved bit in the byte behind a filter ends the connection."""
    if probe.is_v5:
        names = ["subscribe_options_reserved_bits_80", "subscribe_options_reserved_bits_c0"]
    else:
        names = [f"subscribe_options_reserved_bit_{bit}" for bit in ("04", "08", "10", "20", "40")]
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5="MQTT-4.13.1-1", v311=("MQTT-3.8.3-4", "MQTT-4.8.0-1"))
async def subscribe_qos3(probe: ServerProbe) -> None:
    """A filter with QoS 3 or, in 5.0, Retain Handling 3 ends the connection."""
    names = ["subscribe_qos_3", "subscribe_retain_handling_3"] if probe.is_v5 else ["subscribe_qos_3"]
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5=("MQTT-3.8.3-2", "MQTT-4.13.1-1"), v311=("MQTT-3.8.3-3", "MQTT-4.8.0-1"))
async def subscribe_without_filter(probe: ServerProbe) -> None:
    """A SUBSCRIBE without a filter, or without the byte behind one, ends the connection."""
    await ends_behind_each(probe, shown(probe, "subscribe_no_payload", "subscribe_options_missing"))


@server_check(
    v5=("MQTT-3.8.3-1", "MQTT-1.5.4-1", "MQTT-1.5.4-2", "MQTT-4.7.3-2", "MQTT-4.13.1-1"),
    v311=("MQTT-3.8.3-1", "MQTT-1.5.3-1", "MQTT-1.5.3-2", "MQTT-4.7.3-2"),
)
async def filter_no_text(probe: ServerProbe) -> None:
    """A SUBSCRIBE with a filter that is no valid UTF-8, or has U+0000 in it, ends the connection."""
    await ends_behind_each(probe, shown(probe, "subscribe_filter_ill_formed", "subscribe_filter_nul"))
