"""4.8.2 Shared subscriptions (5.0 only)."""

from __future__ import annotations

import trio

from mqttws.codec import PubAck, Publish, PubRec
from mqttws.conformance.server.deliveries import (
    absent,
    come_back,
    lasting,
    publishes,
    refused_filter,
    resume,
    subscriber,
)
from mqttws.conformance.server.hostile import ends_behind_each, leave, shown
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotTested
from mqttws.vocabulary import ReasonCode


def _share(probe: ServerProbe) -> tuple[str, str]:
    """A topic, and a filter that shares it under a new name."""
    topic = probe.topic()
    return topic, f"$share/{probe.name()}/{topic}"


async def _picked(probe: ServerProbe, peer: Connected, topic: str, publisher: Connected, qos: int) -> Publish:
    """A message that a Client is given, who is alone in its group so far; it is not answered."""
    await probe.publish(publisher, topic, b"picked", qos)
    found = await probe.message(peer, topic, acknowledge=False)
    if found.packet_id is None:
        raise NotTested(f"it comes at QoS {found.qos:d}")
    return found


@server_check(v5="MQTT 5.0, 4.8.2", needs=("shared", "qos1"))
async def shared_copied(probe: ServerProbe) -> None:
    """Each message goes to one Client of the group, to whoever has subscribed by itself as well."""
    topic, share = _share(probe)
    publisher, alone = await probe.connect(), await subscriber(probe, topic)
    group = [await subscriber(probe, share) for _ in range(3)]
    sent = [f"{number}".encode() for number in range(12)]
    for payload in sent:
        await probe.publish(publisher, topic, payload)
    await probe.fresh_message(alone, topic, publisher)
    came: list[bytes] = []
    with trio.move_on_after(probe.patience):
        while len(came) <= len(sent):  # the message behind them is shared, too
            for peer in group:
                for found in publishes(await peer.fence(), topic):
                    await probe.acknowledge(peer, found)
                    came.append(found.payload)
    if twice := sorted({payload for payload in came if came.count(payload) > 1}):
        raise Failed(f"message {twice[0]!r} went to several Clients of one group")
    if lost := [payload for payload in sent if payload not in came]:
        raise Failed(f"message {lost[0]!r} went to no Client of the group")


@server_check(v5=("MQTT-4.8.2-3", "MQTT-3.8.4-8"), needs=("shared", "qos1"))
async def shared_above_granted(probe: ServerProbe) -> None:
    """A Client of a group gets messages at the QoS that it was granted, at most."""
    publisher = await probe.connect()
    for asked in (0, 1, 2):
        topic, share = _share(probe)
        peer = await probe.connect()
        granted = int((await probe.subscribe(peer, share, asked)).reason_codes[0])
        for qos in (0, 1, 2) if "qos2" in probe.capabilities else (0, 1):
            await probe.publish(publisher, topic, b"x", qos)
            if (found := await probe.message(peer, topic)).qos != min(qos, granted):
                raise Failed(f"QoS {granted} was granted, a message of QoS {qos} comes at QoS {found.qos:d}")


@server_check(v5=("MQTT-4.8.2-4", "MQTT-4.4.0-1"), needs=("shared", "qos2", "session_expiry"))
async def broken_off_given_away(probe: ServerProbe) -> None:
    """A QoS 2 delivery that a lost connection has broken off is brought to an end with the same Client."""
    (topic, share), publisher = _share(probe), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, share, 2)
        begun = await _picked(probe, peer, topic, publisher, 2)
        other = await subscriber(probe, share, qos=2)
        await peer.drop()
        await other.fence()
        peer = await come_back(probe, client_id)
        if (found := await probe.message(peer, topic)).packet_id != begun.packet_id:
            raise Failed(f"its identifier was {begun.packet_id} and is {found.packet_id}")
        if any(found.payload == b"picked" for found in publishes([*other.arrived, *await other.fence()])):
            raise Failed("another Client of the group got it, too")


@server_check(v5="MQTT-4.8.2-5", needs=("shared", "qos2"))
async def message_of_ended_session(probe: ServerProbe) -> None:
    """A QoS 2 message whose Client does not come back, because its Session ends, goes to nobody else."""
    (topic, share), publisher = _share(probe), await probe.connect()
    peer = await subscriber(probe, share, qos=2)
    await _picked(probe, peer, topic, publisher, 2)
    other = await subscriber(probe, share, qos=2)
    await leave(peer)
    await _not_handed_on(probe, other, topic, publisher, 2)


@server_check(v5="MQTT-4.8.2-6", needs=("shared", "qos1"))
async def refused_handed_on(probe: ServerProbe) -> None:
    """A message that the Client refuses by PUBACK or PUBREC goes to nobody else of its group."""
    for qos, kind in ((1, PubAck), (2, PubRec)) if "qos2" in probe.capabilities else ((1, PubAck),):
        (topic, share), publisher = _share(probe), await probe.connect()
        peer = await subscriber(probe, share, qos=qos)
        found = await _picked(probe, peer, topic, publisher, qos)
        other = await subscriber(probe, share, qos=qos)
        await peer.send(kind(found.packet_id or 0, ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR))
        await peer.fence()
        await leave(peer)
        await _not_handed_on(probe, other, topic, publisher, qos)


async def _not_handed_on(probe: ServerProbe, other: Connected, topic: str, publisher: Connected, qos: int) -> None:
    """The Client that is left in a group gets the next message, and not the one that somebody else had."""
    before = publishes(await probe.fresh_message(other, topic, publisher, qos))
    if before:
        raise Failed("another Client of the group gets it")
    await absent(other, "another Client of the group gets it", topic)


@server_check(v5=("MQTT-3.8.3-4", "MQTT-4.13.1-1"), needs="shared")
async def no_local_on_shared(probe: ServerProbe) -> None:
    """No Local with a shared subscription ends the connection."""
    await ends_behind_each(probe, shown(probe, "subscribe_no_local_on_shared"))


@server_check(v5="MQTT-4.8.2-1", needs="shared")
async def share_without_name(probe: ServerProbe) -> None:
    """A shared subscription without a name of at least one character is no valid filter."""
    topic = probe.topic()
    await refused_filter(probe, f"$share//{topic}", topic)


@server_check(v5="MQTT-4.8.2-2", needs="shared")
async def share_of_bad_name(probe: ServerProbe) -> None:
    """A shared subscription with a wildcard in its name, or with no filter behind it, is no valid filter."""
    topic = probe.topic()
    for name in ("a+", "+", "a#"):
        await refused_filter(probe, f"$share/{name}/{topic}", topic)
    await refused_filter(probe, f"$share/{probe.name()}", topic)
    await refused_filter(probe, f"$share/{probe.name()}/", topic)
