"""Chapters 3.3 and 4.3: messages that a Client receives, what it answers, and what reaches the application."""

from __future__ import annotations

from typing import Any, Final

import trio

from mqttws.codec import Packet, PubAck, PubComp, Publish, PubRec, PubRel
from mqttws.conformance.client.convention import Message
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict, NotTested
from mqttws.conformance.wire.peer import Ended

__all__: list[str] = []

_ACKS: Final = (PubAck, PubRec, PubComp, PubRel)


@client_check(
    v5=("MQTT-3.3.4-1", "MQTT-4.3.2-4", "MQTT-4.3.3-8", "MQTT-4.3.3-11", "MQTT-2.2.1-5"),
    v311=("MQTT-3.3.4-1", "MQTT-4.3.2-2", "MQTT-4.3.3-2", "MQTT-2.3.1-6"),
)
async def acknowledges_otherwise(probe: ClientProbe) -> None:
    """A message is answered as its QoS demands, with its identifier, and reaches the application as it was."""
    visit = await probe.talk()
    for qos, payload in ((0, b""), (1, bytes(range(256))), (2, b"\xef\xbb\xbf"), (0, bytes(20_000))):
        publish = visit.message(payload, qos)
        await visit.send(publish)
        await probe.arrives(visit, publish)
    _no_acks(await probe.fence(visit))


@client_check(v5="MQTT-4.5.0-2", v311="MQTT-4.5.0-2")
async def acknowledges_wanted_messages_only(probe: ClientProbe) -> None:
    """A message that the Client has not subscribed to is acknowledged like any other."""
    visit = await probe.talk()
    for qos in (0, 1, 2):
        await visit.deliver(visit.message(b"unasked", qos, topic=probe.name()))
    _no_acks(await probe.fence(visit))


def _no_acks(found: list[Packet]) -> None:
    for packet in found:
        if isinstance(packet, _ACKS):
            raise Failed(f"{type(packet).__name__.upper()} with identifier {packet.packet_id} answers nothing")


@client_check(v5="MQTT-4.6.0-2", v311="MQTT-4.6.0-2")
async def sends_pubacks_out_of_order(probe: ClientProbe) -> None:
    """PUBACKs go out in the order in which the messages have come."""
    visit = await probe.talk()
    ids = await _burst(visit, (1, 0, 1, 1, 1)) + await _burst(visit, (1, 1, 0, 1))
    _same_order("PUBACK", ids, [(await visit.expect(PubAck)).packet_id for _ in ids])


@client_check(v5="MQTT-4.6.0-3", v311="MQTT-4.6.0-3")
async def sends_pubrecs_out_of_order(probe: ClientProbe) -> None:
    """PUBRECs go out in the order in which the messages have come."""
    visit = await probe.talk()
    ids = await _burst(visit, (2, 1, 2, 2, 0, 2))
    wanted = [ids[0], *ids[2:]]
    found = [(await visit.expect(PubRec, aside=(PubAck,))).packet_id for _ in wanted]
    _same_order("PUBREC", wanted, found)
    await visit.send(*map(PubRel, wanted))


async def _burst(visit: Visit, qualities: tuple[int, ...]) -> list[int]:
    """Messages in one piece; the identifiers of those that have one."""
    messages = [visit.message(str(number).encode(), qos) for number, qos in enumerate(qualities)]
    await visit.send(*messages)
    return [one.packet_id for one in messages if one.packet_id is not None]


def _same_order(what: str, wanted: list[int], found: list[int]) -> None:
    if found != wanted:
        raise Failed(f"messages with identifiers {wanted} are answered by {what}s with {found}")


# -- again -------------------------------------------------------------------------------------------------------------


@client_check(v5="MQTT-4.3.2-5", v311="MQTT-4.3.2-2")
async def drops_a_new_message_with_dup(probe: ClientProbe) -> None:
    """Behind its PUBACK a further PUBLISH with the same identifier is a new message, whatever its DUP says."""
    visit = await probe.talk()
    first = visit.message(b"first", 1)
    await visit.deliver(first)
    for dup in (True, False):
        await visit.deliver(visit.message(b"next", 1, packet_id=first.packet_id, dup=dup))
    await _arrived(probe, visit, [b"first", b"next", b"next"])


@client_check(v5="MQTT-4.3.3-12", v311="MQTT-4.3.3-2")
async def drops_a_new_message_behind_pubcomp(probe: ClientProbe) -> None:
    """Behind its PUBCOMP a further PUBLISH with the same identifier is a new message."""
    visit = await probe.talk()
    for payload in (b"first", b"next", b"next"):
        await visit.deliver(visit.message(payload, 2, packet_id=7))
    await _arrived(probe, visit, [b"first", b"next", b"next"])


@client_check(v5="MQTT-4.3.3-10", v311="MQTT-4.3.3-2")
async def delivers_twice(probe: ClientProbe) -> None:
    """A PUBLISH at QoS 2 that comes again before PUBREL is answered by PUBREC again, and delivered once."""
    visit = await probe.talk()
    message = visit.message(b"once", 2)
    await visit.send(message)
    await visit.expect(PubRec)
    for _ in range(2):
        await visit.send(visit.message(b"once", 2, packet_id=message.packet_id, dup=True))
        try:
            again = await visit.expect(PubRec)
        except Ended:
            if probe.is_v5:  # which has nothing sent again but on a new connection [MQTT-4.4.0-1]
                raise NotTested("it takes a copy on the same connection for an error, which is its right") from None
            raise
        if again.packet_id != message.packet_id:
            raise Failed(f"PUBREC has identifier {again.packet_id}, not {message.packet_id}")
    await visit.send(PubRel(message.packet_id or 0))
    await visit.expect(PubComp)
    await _arrived(probe, visit, [b"once"])


@client_check(v5="MQTT-4.3.3-11", v311="MQTT-4.3.3-2")
async def mixes_up_qos_2_messages(probe: ClientProbe) -> None:
    """Several messages at QoS 2 under way, some released while others still come, arrive once each."""
    visit = await probe.talk()
    first, *others = [visit.message(payload, 2) for payload in (b"a", b"b", b"c", b"d")]
    await visit.send(first, *others[:2])
    received = [(await visit.expect(PubRec)).packet_id for _ in range(3)]
    await _release(visit, received.pop(0))
    await visit.send(others[2])
    received.append((await visit.expect(PubRec)).packet_id)
    for packet_id in received:  # a Server, too, has to keep this order [MQTT-4.6.0-6 in 3.1.1]
        await _release(visit, packet_id)
    await _arrived(probe, visit, [b"a", b"b", b"c", b"d"], in_order=False)


async def _release(visit: Visit, packet_id: int) -> None:
    await visit.send(PubRel(packet_id))
    done = await visit.expect(PubComp)
    if done.packet_id != packet_id:
        raise Failed(f"PUBREL with {packet_id} is answered by PUBCOMP with {done.packet_id}")


@client_check(v5="MQTT-4.3.3-13")
async def gives_up_what_expires_under_way(probe: ClientProbe) -> None:
    """A message that expires between PUBREC and PUBREL is carried to the end all the same."""
    visit = await probe.talk()
    message = visit.message(b"late", 2, message_expiry_interval=1)
    await visit.send(message)
    await visit.expect(PubRec)
    await trio.sleep(1.5)
    await visit.send(PubRel(message.packet_id or 0))
    done = await visit.expect(PubComp)
    if done.reason_code != 0:
        raise Failed(f"PUBCOMP says 0x{done.reason_code:02X} of a message that is under way")


async def _arrived(probe: ClientProbe, visit: Visit, payloads: list[bytes], *, in_order: bool = True) -> None:
    """These messages have been handed to the application, and no other ones."""
    if not await probe.tells():
        raise NotTested("what reaches the application only a program can tell that is started by the kit")
    found = [message.payload for message in await probe.messages(visit)]
    if not in_order:
        found.sort()
    if found != payloads:
        raise Failed(f"the application got {found}, not {payloads}")


# -- Topic Aliases of the Server ---------------------------------------------------------------------------------------


async def _aliased(probe: ClientProbe) -> Visit:
    """A Client that takes Topic Aliases."""
    visit = await probe.talk(topic_alias_maximum=5)
    if visit.connect.properties.get("topic_alias_maximum", 0) < 5:
        raise NotApplicable("the Client does not take Topic Aliases")
    return visit


@client_check(v5="MQTT-3.3.2-10")
async def refuses_its_own_topic_aliases(probe: ClientProbe) -> None:
    """Every Topic Alias from 1 up to the Client's own Topic Alias Maximum stands for the topic that it was given."""
    visit = await _aliased(probe)
    for alias in (1, 5):
        await _announce(probe, visit, visit.topic, alias)
    await probe.subscribe(visit)  # the visit's topic is another one from now on
    await _announce(probe, visit, visit.topic, 1)
    await _announce(probe, visit, "", 1, stands_for=visit.topic)


async def _announce(probe: ClientProbe, visit: Visit, topic: str, alias: int, *, stands_for: str = "") -> None:
    publish = visit.message(probe.name().encode(), 1, topic=topic, topic_alias=alias)
    await visit.send(publish)
    wanted: Any = Publish(stands_for or topic, publish.payload, publish.qos, packet_id=publish.packet_id)
    await probe.arrives(visit, wanted)


@client_check(v5="MQTT-3.3.2-7")
async def keeps_the_servers_topic_aliases(probe: ClientProbe) -> None:
    """A Topic Alias of an earlier connection stands for nothing on the next one."""
    visit = await _aliased(probe)
    name, topic = visit.connect.client_id, visit.topic
    await _announce(probe, visit, topic, 1)
    await visit.close()
    await probe.gone()
    visit = await probe.connect(name, topic_alias_maximum=5)
    await probe.subscribe(visit, topic)  # so that it would be handed to the application
    await visit.send(visit.message(b"whose?", 0, topic="", topic_alias=1))
    goes_on = await probe.goes_on(visit, "behind a Topic Alias that stands for nothing")
    if not goes_on:
        return
    if await probe.tells():
        found = await probe.event(Message)
        if found.payload == b"whose?" and found.topic == topic:
            raise Failed("it takes a Topic Alias for what it stood for on an earlier connection")
    raise NotStrict(goes_on)


@client_check(v5="MQTT 5.0, 3.3.2.3.4")
async def takes_topic_aliases_above_its_maximum(probe: ClientProbe) -> None:
    """A Topic Alias above the Client's Topic Alias Maximum ends the connection."""
    visit = await probe.talk()
    maximum = visit.connect.properties.get("topic_alias_maximum", 0)
    if maximum == 0xFFFF:
        raise NotApplicable("the Client takes every Topic Alias that there is")
    await visit.send(visit.message(b"x", 0, topic_alias=maximum + 1))
    await probe.ends(visit, f"behind Topic Alias {maximum + 1}, with a maximum of {maximum}")


@client_check(v5="MQTT 5.0, 3.3.4")
async def takes_more_than_its_receive_maximum(probe: ClientProbe) -> None:
    """More messages under way than the Client's own Receive Maximum end the connection."""
    visit = await probe.talk(receive_maximum=2)
    maximum = visit.connect.properties.get("receive_maximum", 0xFFFF)
    if maximum != 2:
        raise NotApplicable("the Client does not bound what is under way as it is told")
    await visit.send(*(visit.message(b"x", 2) for _ in range(maximum + 1)))
    await probe.ends(visit, "with more messages under way than its Receive Maximum")
