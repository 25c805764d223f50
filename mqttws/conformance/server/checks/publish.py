"""3.3 PUBLISH, as a Server receives and forwards it: flags, topic, answers. Retained messages have their own file."""

from __future__ import annotations

from typing import Final

from mqttws.codec import PubAck, Publish, PubRec
from mqttws.conformance.server.deliveries import absent, answer_to, is_taken, publishes, raw_publish, subscriber
from mqttws.conformance.server.hostile import ends_behind_each, shown
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.vocabulary import QOS

#: Flags in the first byte: QoS 1, both QoS bits, DUP.
_QOS1: Final = 0b0010
_QOS3: Final = 0b0110
_DUP: Final = 0b1000
#: No UTF-8: half a character, overlong ones, half of a surrogate pair and a whole one, a byte that stands for nothing.
_NO_TEXT: Final = (b"\xc3\x28", b"\xc0\xaf", b"\xc0\x80", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80", b"\xff")
#: Packet Identifiers that look like another one if a byte is lost or turned round.
_IDENTIFIERS: Final = (0x0102, 1, 0x0100, 0x7FFF, 0xFF00, 0xFFFF)


@server_check(v5=("MQTT-3.3.1-3", "MQTT-4.3.2-2"), v311=("MQTT-3.3.1-3", "MQTT-4.3.2-1"), needs="qos1")
async def dup_passed_on(probe: ServerProbe) -> None:
    """A message that came with DUP set is forwarded with DUP clear."""
    topic = probe.topic()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    await publisher.send(Publish(topic, b"x", QOS[1], dup=True, packet_id=7))
    await publisher.expect(PubAck)
    if (await probe.message(peer, topic)).dup:
        raise Failed("DUP of the incoming PUBLISH came out again")


@server_check(v5=("MQTT-3.3.1-4", "MQTT-4.13.1-1"), v311=("MQTT-3.3.1-4", "MQTT-4.8.0-1"))
async def both_qos_bits(probe: ServerProbe) -> None:
    """A PUBLISH with both QoS bits set ends the connection."""
    peer = await probe.connect()
    await peer.send(raw_publish(probe, probe.topic(), flags=_QOS3))
    await peer.must_end("behind a PUBLISH of QoS 3")


@server_check(v5=("MQTT-3.3.2-1", "MQTT-1.5.4-1"), v311=("MQTT-3.3.2-1", "MQTT-1.5.3-1"))
async def topic_no_text(probe: ServerProbe) -> None:
    """A PUBLISH whose topic is missing, or is no valid UTF-8, ends the connection."""
    wrong = {
        f"a topic with the bytes {spoilt.hex(' ')}": raw_publish(probe, probe.topic().encode() + spoilt)
        for spoilt in _NO_TEXT
    }
    await ends_behind_each(probe, {**wrong, **shown(probe, "publish_empty_body")})


@server_check(v5=("MQTT-4.7.3-2", "MQTT-1.5.4-2"), v311=("MQTT-4.7.3-2", "MQTT-1.5.3-2"))
async def topic_with_nul(probe: ServerProbe) -> None:
    """A PUBLISH whose topic has U+0000 in it ends the connection."""
    peer = await probe.connect()
    await peer.send(raw_publish(probe, probe.topic() + "\0x"))
    await peer.must_end("behind a topic with U+0000")


@server_check(v5=("MQTT-4.7.3-1", "MQTT-4.13.1-1"), v311=("MQTT-4.7.3-1", "MQTT-4.8.0-1"))
async def empty_topic(probe: ServerProbe) -> None:
    """A PUBLISH with an empty topic, and no alias in its place, ends the connection."""
    peer = await probe.connect()
    await peer.send(raw_publish(probe, ""))
    await peer.must_end("behind a PUBLISH with no topic")


@server_check(v5=("MQTT-3.3.2-2", "MQTT-4.7.0-1"), v311=("MQTT-3.3.2-2", "MQTT-4.7.1-1"), needs="qos1")
async def wildcard_forwarded(probe: ServerProbe) -> None:
    """A PUBLISH to a topic with a wildcard in it is refused, or ends the connection; nobody gets it."""
    topic = probe.topic()
    peer = await subscriber(probe, f"{topic}/#" if "wildcard" in probe.capabilities else topic)
    names = (f"{topic}/+", f"{topic}/#")
    taken = [name for name in names if await is_taken(await probe.connect(), raw_publish(probe, name, flags=_QOS1))]
    # A PUBLISH to such a topic breaks the rule by itself, wherever it comes.
    await probe.fresh_message(peer, topic, await probe.connect())
    if strays := publishes(await peer.fence()):
        raise Failed(f"it forwards a message to {taken}, on the topic {strays[0].topic!r}")
    if taken:
        raise NotStrict(f"it acknowledges a PUBLISH to {taken[0]!r}, though it forwards none")


@server_check(v5="MQTT-3.3.1-2", v311="MQTT-3.3.1-2")
async def dup_at_qos0(probe: ServerProbe) -> None:
    """A PUBLISH of QoS 0 with DUP set is not forwarded so, and had better end the connection."""
    topic = probe.topic()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    await publisher.send(raw_publish(probe, topic, flags=_DUP))
    try:
        await publisher.must_end("behind a PUBLISH of QoS 0 with DUP")
    except Failed as failed:  # the standard does not say what a Server has to do
        await probe.fresh_message(peer, topic, await probe.connect(), 0)
        raise NotStrict(str(failed)) from None


@server_check(v5=("MQTT-3.3.4-6", "MQTT-4.13.1-1"))
async def identifier_from_client(probe: ServerProbe) -> None:
    """A PUBLISH of a Client with a Subscription Identifier ends the connection."""
    peer = await probe.connect()
    await peer.send(Publish(probe.topic(), b"x", properties={"subscription_identifier": [1]}))
    await peer.must_end("behind a PUBLISH with a Subscription Identifier")


@server_check(v5="MQTT-3.3.4-1", v311="MQTT-3.3.4-1")
async def qos0_answered(probe: ServerProbe) -> None:
    """A PUBLISH of QoS 0 is not answered."""
    peer = await probe.connect()
    await peer.send(Publish(probe.topic(), b"x"))
    if answers := [packet for packet in await peer.fence() if not isinstance(packet, Publish)]:
        raise Failed(f"it is answered by {answers[0].packet_type.name}")


@server_check(
    v5=("MQTT-3.3.4-1", "MQTT-4.3.2-4", "MQTT-2.2.1-5"),
    v311=("MQTT-3.3.4-1", "MQTT-4.3.2-2", "MQTT-2.3.1-6"),
    needs="qos1",
)
async def puback_for_qos1(probe: ServerProbe) -> None:
    """A PUBLISH of QoS 1 is answered by one PUBACK with its identifier."""
    await _answered(probe, 1, PubAck)


@server_check(
    v5=("MQTT-3.3.4-1", "MQTT-4.3.3-8", "MQTT-2.2.1-5"),
    v311=("MQTT-3.3.4-1", "MQTT-4.3.3-2", "MQTT-2.3.1-6"),
    needs="qos2",
)
async def pubrec_for_qos2(probe: ServerProbe) -> None:
    """A PUBLISH of QoS 2 is answered by one PUBREC with its identifier."""
    await _answered(probe, 2, PubRec)


async def _answered(probe: ServerProbe, qos: int, kind: type[PubAck | PubRec]) -> None:
    """Each PUBLISH is answered by one packet of that kind, with its identifier."""
    peer, topic = await probe.connect(), probe.topic()
    for packet_id in _IDENTIFIERS[: probe.offers.get("receive_maximum", len(_IDENTIFIERS))]:  # QoS 2 remains open
        await peer.send(Publish(topic, b"x", QOS[qos], packet_id=packet_id))
        found = await peer.expect(kind)
        if found.packet_id != packet_id:
            raise Failed(f"{kind.packet_type.name} has identifier {found.packet_id}, the PUBLISH had {packet_id}")
    if more := [packet for packet in await peer.fence() if not isinstance(packet, Publish)]:
        raise Failed(f"another {more[0].packet_type.name} came behind the {kind.packet_type.name}s")


@server_check(v5="MQTT-3.3.4-1", v311=("MQTT-3.3.5-2", "MQTT-3.3.4-1"), needs="qos1")
async def refusal_without_answer(probe: ServerProbe) -> None:
    """A PUBLISH that a Server may want to refuse is acknowledged all the same, or the connection is ended."""
    for topic in ("$SYS/mqttws", f"$mqttws/{probe.name()}", "/" * 60):
        peer = await probe.connect()
        await answer_to(peer, Publish(topic, b"x", QOS[1], packet_id=9))


@server_check(v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", needs="qos1")
async def other_topic_delivered(probe: ServerProbe) -> None:
    """A subscriber gets nothing from topics that its filter does not name."""
    topic = probe.topic("inner")
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    parent, _, last = topic.rpartition("/")
    for other in (parent, f"{topic}/deeper", f"{parent}/{last.upper()}", f"{topic}x", topic[:-1]):
        await probe.publish(publisher, other)
    await probe.fresh_message(peer, topic, publisher)
    if strays := publishes(await peer.fence()):
        raise Failed(f"a message on {strays[0].topic!r} came to a subscriber of {topic!r}")


@server_check(v5="MQTT-3.3.2-3", v311="MQTT-3.3.2-3", needs="qos1")
async def delivered_unsubscribed(probe: ServerProbe) -> None:
    """A Client that has subscribed to nothing gets no message."""
    topic = probe.topic()
    idle = await probe.connect()
    peer, publisher = await subscriber(probe, topic), await probe.connect()
    await probe.fresh_message(peer, topic, publisher)
    await absent(idle, "a message came to a Client without a subscription")
    await absent(publisher, "a message came back to its publisher, who has not subscribed")
