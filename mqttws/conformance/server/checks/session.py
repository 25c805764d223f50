"""4.1 Session State and 4.5 Receipt of messages: how long a Session lasts, and what it collects meanwhile."""

from __future__ import annotations

from typing import Final

import trio

from mqttws.conformance.server.deliveries import (
    absent,
    come_back,
    connect_without_session,
    lasting,
    publishes,
    resume,
    subscriber,
)
from mqttws.conformance.server.hostile import leave
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict

#: Seconds behind a Session Expiry Interval at which a Session should be gone, and at which it has to be.
_SOON, _LATE = 1.5, 10.0
#: A Session Expiry Interval in seconds that a check can wait for.
_SHORT: Final = 1


@server_check(
    v5=("MQTT-4.5.0-1", "MQTT-4.1.0-1", "MQTT-3.1.2-23"),
    v311=("MQTT-4.5.0-1", "MQTT-3.1.2-5", "MQTT-3.1.2-4", "MQTT-4.1.0-1"),
    needs=("qos1", "session_expiry"),
)
async def message_not_kept(probe: ServerProbe) -> None:
    """Messages of QoS 1 and 2 wait for a Client that is away and has a Session."""
    topic, publisher = probe.topic(), await probe.connect()
    levels = (1, 2) if "qos2" in probe.capabilities else (1,)
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, levels[-1])
        await leave(peer)
        for qos in levels:
            await probe.publish(publisher, topic, f"{qos}".encode(), qos)
        peer = await come_back(probe, client_id)
        came = {(await probe.message(peer, topic)).payload for _ in levels}
        if came != {f"{qos}".encode() for qos in levels}:
            raise Failed(f"messages of QoS {levels} waited, and {sorted(came)} came")


@server_check(v5="MQTT-4.5.0-1", v311="MQTT-4.5.0-1", needs=("qos1", "session_expiry"))
async def subscriber_left_out(probe: ServerProbe) -> None:
    """A message comes to each Client with a subscription that matches, here or away."""
    topic, publisher = probe.topic(), await probe.connect()
    here = [await subscriber(probe, topic) for _ in range(3)]
    async with lasting(probe) as client_id:
        away = await resume(probe, client_id)
        await probe.subscribe(away, topic)
        await away.drop()
        await probe.publish(publisher, topic, b"for all")
        for peer in (*here, await come_back(probe, client_id)):
            if (await probe.message(peer, topic)).payload != b"for all":
                raise Failed("another message came")


@server_check(v5="MQTT-4.5.0-1", v311="MQTT-4.5.0-1", needs=("wildcard", "qos1"))
async def matching_filter_left_out(probe: ServerProbe) -> None:
    """A message comes to each subscriber whose filter matches: by the name itself, by + and by #, the parent's too."""
    topic, publisher = probe.topic("one", "two"), await probe.connect()
    head = topic.removesuffix("/one/two")
    for topic_filter in (topic, f"{head}/#", f"{head}/one/+", f"{head}/+/two", f"{head}/+/#", f"{topic}/#"):
        peer = await subscriber(probe, topic_filter)
        await probe.publish(publisher, topic, topic_filter.encode())
        if (await probe.message(peer, topic)).payload != topic_filter.encode():
            raise Failed("another message came")


@server_check(v5="MQTT-4.1.0-1", v311=("MQTT-4.1.0-1", "MQTT-3.1.2-4"), needs=("qos1", "session_expiry"))
async def subscription_forgotten(probe: ServerProbe) -> None:
    """Subscriptions are part of the Session: a Client that comes back need not subscribe again."""
    topics, publisher = [probe.topic() for _ in range(3)], await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        for topic in topics:
            await probe.subscribe(peer, topic)
        await peer.drop()
        peer = await come_back(probe, client_id)
        for topic in topics:
            await probe.fresh_message(peer, topic, publisher)


@server_check(v5="MQTT-4.1.0-1", v311=("MQTT-4.1.0-2", "MQTT-4.1.0-1"), needs="qos1")
async def ended_while_connected(probe: ServerProbe) -> None:
    """A Session lasts as long as its connection, be its Session Expiry Interval shorter or 0."""
    publisher, subscribed = await probe.connect(), []
    for interval in (_SHORT, None) if probe.is_v5 else (None,):
        topic, peer = probe.topic(), await probe.connect(session_expiry_interval=interval)
        await probe.subscribe(peer, topic)
        subscribed.append((topic, peer))
    await trio.sleep(_SHORT + _SOON)
    for topic, peer in subscribed:
        await peer.fence()
        await probe.fresh_message(peer, topic, publisher)


@server_check(v5="MQTT-4.1.0-2", needs=("qos1", "session_expiry"))
async def session_not_ended(probe: ServerProbe) -> None:
    """A Session is gone when its Session Expiry Interval is over: none is present, and nothing of it comes."""
    topic, publisher = probe.topic(), await probe.connect()
    early, late = probe.name(), probe.name()
    for client_id in (early, late):
        peer = await probe.connect(client_id, session_expiry_interval=_SHORT)
        agreed = peer.connack.properties.get("session_expiry_interval", _SHORT)
        if agreed > _SHORT:
            raise NotApplicable(f"it keeps a Session for {agreed} s, though {_SHORT} s was asked for")
        await probe.subscribe(peer, topic)
        await leave(peer)
    await probe.publish(publisher, topic, b"for nobody")
    await trio.sleep(_SHORT + _SOON)
    peer = await probe.connect(early, clean_start=False)
    if not peer.connack.session_present:
        await absent(peer, "a message of the Session that has ended comes", topic)
        return
    await trio.sleep(_LATE - _SOON)
    peer = await probe.connect(late, clean_start=False)
    if peer.connack.session_present:
        raise Failed(f"it is there still {_LATE:g} s behind its end")
    raise NotStrict(f"it is there still {_SOON:g} s behind its end, but not {_LATE:g} s behind it")


@server_check(v5=("MQTT-4.1.0-2", "MQTT-3.2.2-3"), v311="MQTT-3.1.2-6")
async def session_outlives_connection(probe: ServerProbe) -> None:
    """A Session that is to last no longer than its connection is gone with it: no subscription, no message."""
    qos = 1 if "qos1" in probe.capabilities else 0
    topic, publisher = probe.topic(), await probe.connect()
    async with lasting(probe) as client_id:
        peer = await connect_without_session(probe, client_id)
        await probe.subscribe(peer, topic)
        await probe.fresh_message(peer, topic, publisher, qos)
        await leave(peer)
        await probe.publish(publisher, topic, b"for nobody", qos)
        peer = await resume(probe, client_id)
        if peer.connack.session_present:
            raise Failed("CONNACK says that there is a Session")
        mark = probe.topic()
        await probe.subscribe(peer, mark)
        await probe.publish(publisher, topic, b"for nobody", qos)
        await probe.fresh_message(peer, mark, publisher, qos)
        if publishes(await peer.fence(), topic):
            raise Failed("a message comes by a subscription of the Session that has ended")
