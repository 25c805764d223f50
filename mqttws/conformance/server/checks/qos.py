"""4.3 Quality of Service: the exchanges of QoS 1 and 2, with the Server as receiver and as sender."""

from __future__ import annotations

from typing import Final

import trio

from mqttws.codec import PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.server.deliveries import (
    answer_to,
    come_back,
    lasting,
    publishes,
    resume,
    subscriber,
)
from mqttws.conformance.server.hostile import ends_behind_each, leave, shown
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotTested
from mqttws.vocabulary import QOS

#: Longer than a Message Expiry Interval of one second, whatever the Server's clock rounds to.
_EXPIRED: Final = 2.5
#: Identifiers that are no neighbours of each other, nor of what else is sent.
_ID: Final = 0x1234


async def _numbered(probe: ServerProbe, peer: Connected, topic: str) -> tuple[Publish, int]:
    """The next message, unanswered, and its identifier. Raises :class:`Failed` if it has none."""
    found = await probe.message(peer, topic, acknowledge=False)
    if found.packet_id is None:
        raise Failed(f"the message comes at QoS {found.qos:d}")
    return found, found.packet_id


async def _release(peer: Connected, packet_id: int) -> None:
    await peer.send(PubRel(packet_id))
    await peer.expect(PubComp, where=lambda found: found.packet_id == packet_id)


async def _copy(publisher: Connected, topic: str, *, dup: bool) -> None:
    """Send a message, or send it again; a PUBREC has to come."""
    answer = await answer_to(publisher, Publish(topic, b"once", QOS[2], dup=dup, packet_id=_ID))
    if answer is None:
        raise Failed(f"it ends the connection behind a PUBLISH with DUP {dup:d}")
    if answer.reason_code >= 0x80:
        raise Failed(f"a PUBLISH with DUP {dup:d} is answered by PUBREC 0x{answer.reason_code:02X}")


async def _once(probe: ServerProbe, peer: Connected, topic: str, publisher: Connected) -> None:
    """One message, and one only, has come before the next one."""
    before = publishes(await probe.fresh_message(peer, topic, publisher, 2))
    if len(before) != 1:
        raise Failed(f"it was delivered {len(before)} times")


@server_check(v5="MQTT-4.3.1-1", v311="MQTT-4.3.1-1")
async def qos0_raised(probe: ServerProbe) -> None:
    """A message of QoS 0 comes at QoS 0, whatever was granted."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    await probe.publish(publisher, topic, b"x", 0)
    found = await probe.message(peer, topic)
    if found.qos or found.dup:
        raise Failed(f"it comes at QoS {found.qos:d} with DUP {found.dup:d}")


@server_check(v5=("MQTT-4.3.2-2", "MQTT-4.3.3-2"), v311=("MQTT-4.3.2-1", "MQTT-4.3.3-1"), needs="qos2")
async def first_copy_marked(probe: ServerProbe) -> None:
    """A message that is sent for the first time has DUP clear, at QoS 1 and 2, and the QoS of its exchange."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    for qos in (1, 2):
        await probe.publish(publisher, topic, b"x", qos)
        found = await probe.message(peer, topic)
        if found.dup:
            raise Failed(f"DUP is set, at QoS {qos}")
        if found.qos != qos:
            raise Failed(f"a message of QoS {qos} comes at QoS {found.qos:d}")


@server_check(v5=("MQTT-4.3.2-1", "MQTT-2.2.1-4"), v311=("MQTT-4.3.2-1", "MQTT-2.3.1-4", "MQTT-2.3.1-1"), needs="qos1")
async def identifier_in_use(probe: ServerProbe) -> None:
    """Messages of QoS 1 that are on their way at the same time have different identifiers."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic)
    for number in range(10):
        await probe.publish(publisher, topic, f"{number}".encode())
    found = [(await _numbered(probe, peer, topic))[0]]
    found += publishes(await peer.fence(), topic)
    used = [publish.packet_id for publish in found]
    if len(set(used)) < len(used):
        raise Failed(f"messages without PUBACK have the identifiers {used}")
    if len(used) < 2:
        raise NotTested("it sends one message at a time, so no two are on their way")


@server_check(v5=("MQTT-4.3.3-1", "MQTT-2.2.1-4", "MQTT-4.3.3-5"), v311=("MQTT-4.3.3-1", "MQTT-2.3.1-4"), needs="qos2")
async def identifier_in_use_qos2(probe: ServerProbe) -> None:
    """An identifier is not used again before the PUBCOMP, not behind PUBREL either."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    await probe.publish(publisher, topic, b"first", 2)
    _, packet_id = await _numbered(probe, peer, topic)
    await peer.send(PubRec(packet_id))
    await peer.expect(PubRel)
    for number in range(5):
        await probe.publish(publisher, topic, f"{number}".encode(), 2)
    found = publishes(await peer.fence(), topic)
    used = [packet_id, *(publish.packet_id for publish in found)]
    if len(set(used)) < len(used):
        raise Failed(f"messages without PUBCOMP have the identifiers {used}")
    if not found:
        raise NotTested("it sends one message at a time, so no two are on their way")


@server_check(v5=("MQTT-4.3.2-5", "MQTT-4.3.2-4"), v311="MQTT-4.3.2-2", needs="qos1")
async def reused_identifier_qos1(probe: ServerProbe) -> None:
    """Behind a PUBACK the same identifier means a new message, DUP set or not."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic)
    for number, dup in enumerate((False, True, False, True)):
        payload = f"{number}".encode()
        await publisher.send(Publish(topic, payload, QOS[1], dup=dup, packet_id=_ID))
        await publisher.expect(PubAck, where=lambda found: found.packet_id == _ID)
        if (found := await probe.message(peer, topic)).payload != payload:
            raise Failed(f"message {number} was sent with DUP {dup:d}, and {found.payload!r} came")


@server_check(v311="MQTT-4.3.3-2", needs="qos2")
async def duplicate_delivered(probe: ServerProbe) -> None:
    """A copy of a QoS 2 message on the same connection is answered by PUBREC again, and the message delivered once."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    for dup in (False, True):
        await _copy(publisher, topic, dup=dup)
    await _release(publisher, _ID)
    await _once(probe, peer, topic, publisher)


@server_check(
    v5=("MQTT-4.3.3-10", "MQTT-4.3.3-8", "MQTT-4.1.0-1"), v311="MQTT-4.3.3-2", needs=("qos2", "session_expiry")
)
async def third_copy_refused(probe: ServerProbe) -> None:
    """A QoS 2 message that is sent again after each of several reconnects is answered by PUBREC, and delivered once."""
    topic = probe.topic()
    peer = await subscriber(probe, topic, qos=2)
    async with lasting(probe) as client_id:
        publisher = await resume(probe, client_id)
        await probe.subscribe(publisher, probe.topic())  # some count a Session by its subscriptions
        for attempt in range(4):
            await _copy(publisher, topic, dup=attempt > 0)
            await publisher.drop()
            publisher = await come_back(probe, client_id)
            await publisher.fence()  # some send PUBREC again by themselves, which nothing forbids
        await _release(publisher, _ID)
        await _once(probe, peer, topic, publisher)


@server_check(v311="MQTT-4.3.3-2", needs="qos2")
async def further_copies_refused(probe: ServerProbe) -> None:
    """However many copies of a QoS 2 message come on one connection, as 3.1.1 allows, each is answered by PUBREC."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    for attempt in range(5):
        await _copy(publisher, topic, dup=attempt > 0)
    await _release(publisher, _ID)
    await _once(probe, peer, topic, publisher)


@server_check(v5=("MQTT-4.3.3-11", "MQTT-2.2.1-5"), v311=("MQTT-4.3.3-2", "MQTT-2.3.1-6"), needs="qos2")
async def pubcomp_for_pubrel(probe: ServerProbe) -> None:
    """A PUBREL is answered by one PUBCOMP with its identifier, of several exchanges too."""
    topic, peer = probe.topic(), await probe.connect()
    used = (0x0100, 1, 0xFFFF)[: probe.offers.get("receive_maximum", 3)]
    for packet_id in used:
        await answer_to(peer, Publish(topic, b"x", QOS[2], packet_id=packet_id))
    for packet_id in used:  # in the order of their PUBRECs, as a Client has to send them
        await peer.send(PubRel(packet_id))
        found = await peer.expect(PubComp)
        if found.packet_id != packet_id:
            raise Failed(f"PUBREL had {packet_id}, PUBCOMP {found.packet_id}")
        if found.reason_code:
            raise Failed(f"the PUBCOMP of an exchange that was open says 0x{found.reason_code:02X}")


@server_check(v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2", needs=("qos2", "session_expiry"))
async def repeated_pubrel_unanswered(probe: ServerProbe) -> None:
    """A PUBREL that is sent again after a reconnect is answered by PUBCOMP, though its exchange is over."""
    topic = probe.topic()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await answer_to(peer, Publish(topic, b"x", QOS[2], packet_id=_ID))
        await _release(peer, _ID)
        await peer.drop()
        peer = await resume(probe, client_id)
        await _release(peer, _ID)


@server_check(v5="MQTT-4.3.3-12", v311="MQTT-4.3.3-2", needs="qos2")
async def reused_identifier_qos2(probe: ServerProbe) -> None:
    """Behind a PUBCOMP the same identifier means a new message, DUP set or not."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    for number, dup in enumerate((False, True, False)):
        payload = f"{number}".encode()
        await publisher.send(Publish(topic, payload, QOS[2], dup=dup, packet_id=_ID))
        await publisher.expect(PubRec, where=lambda found: found.packet_id == _ID)
        await _release(publisher, _ID)
        if (found := await probe.message(peer, topic)).payload != payload:
            raise Failed(f"message {number} was sent with DUP {dup:d}, and {found.payload!r} came")


@server_check(v5="MQTT-4.3.3-9", needs="qos2")
async def identifier_held_by_refusal(probe: ServerProbe) -> None:
    """Behind a PUBREC that refuses the same identifier means a new message."""
    topic = probe.topic()
    peer = await subscriber(probe, topic, qos=2)
    for refused in ("$SYS/mqttws", f"$mqttws/{probe.name()}", "$webpubsub/server/x", f"{topic}/{'x' * 20_000}"):
        publisher = await probe.connect()
        answer = await answer_to(publisher, Publish(refused, b"x", QOS[2], packet_id=_ID))
        if answer is not None and answer.reason_code >= 0x80:
            break
    else:
        raise NotTested("it refuses no PUBLISH of those that were tried")
    await publisher.send(Publish(topic, b"good", QOS[2], packet_id=_ID))
    await publisher.expect(PubRec, where=lambda found: found.packet_id == _ID and found.reason_code < 0x80)
    await _release(publisher, _ID)
    if (await probe.message(peer, topic)).payload != b"good":
        raise Failed("another message came")


@server_check(v5=("MQTT-4.3.3-4", "MQTT-2.2.1-5"), v311=("MQTT-4.3.3-1", "MQTT-2.3.1-6"), needs="qos2")
async def pubrel_for_pubrec(probe: ServerProbe) -> None:
    """A PUBREC is answered by a PUBREL with its identifier, of several exchanges too."""
    topic, publisher = probe.topic(), await probe.connect()
    peer = await subscriber(probe, topic, qos=2)
    for number in range(3):
        await probe.publish(publisher, topic, f"{number}".encode(), 2)
    _, first = await _numbered(probe, peer, topic)
    more = [publish.packet_id for publish in publishes(await peer.fence(), topic) if publish.packet_id]
    for packet_id in (first, *more):  # in the order of their PUBLISH packets, as a Client has to send them
        await peer.send(PubRec(packet_id))
        found = await peer.expect(PubRel)
        if found.packet_id != packet_id:
            raise Failed(f"PUBREC had {packet_id}, PUBREL {found.packet_id}")


@server_check(v5="MQTT-4.3.3-13", needs="qos2")
async def expired_exchange_refused(probe: ServerProbe) -> None:
    """A QoS 2 exchange is brought to its end though the message has expired before the PUBREL."""
    peer = await probe.connect()
    properties = {"message_expiry_interval": 1}
    await peer.send(Publish(probe.topic(), b"x", QOS[2], packet_id=_ID, properties=properties))  # type: ignore[arg-type]
    await peer.expect(PubRec)
    await trio.sleep(_EXPIRED)
    await _release(peer, _ID)


@server_check(v5="MQTT-4.3.3-7", needs=("qos2", "session_expiry"))
async def expired_after_sending(probe: ServerProbe) -> None:
    """A QoS 2 message that was sent once is sent again after a reconnect, though it has expired meanwhile."""
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, 2)
        await probe.publish(publisher, topic, b"begun", 2, message_expiry_interval=1)
        await _numbered(probe, peer, topic)
        await trio.sleep(_EXPIRED)
        await peer.drop()
        peer = await come_back(probe, client_id)
        if (await probe.message(peer, topic)).payload != b"begun":
            raise Failed("another message came")
        await leave(peer)


@server_check(
    v5=("MQTT-3.6.1-1", "MQTT-2.1.3-1", "MQTT-4.13.1-1"), v311=("MQTT-3.6.1-1", "MQTT-2.2.2-2", "MQTT-4.8.0-1")
)
async def pubrel_flags(probe: ServerProbe) -> None:
    """A PUBREL with other flags than 0010 ends the connection."""
    names = ("pubrel_flags_0000", "pubrel_flags_0001", "pubrel_flags_0110", "pubrel_flags_1010")
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5="MQTT-4.13.1-1", v311="MQTT-4.8.0-1")
async def acknowledgement_cut_off(probe: ServerProbe) -> None:
    """A PUBACK, PUBREL or PUBCOMP that is too short for its identifier ends the connection."""
    await ends_behind_each(
        probe, shown(probe, "puback_one_byte", "pubrel_empty", "pubrel_one_byte", "pubcomp_one_byte")
    )
