"""3.1.2.4 and 3.2.2.1: Sessions that are begun, continued, thrown away and taken over."""

from __future__ import annotations

import trio

from mqttws.conformance.server.deliveries import lasting, resume
from mqttws.conformance.server.hostile import leave
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict


@server_check(
    v5=("MQTT-3.1.2-5", "MQTT-3.1.2-23", "MQTT-3.2.2-3", "MQTT-3.1.4-4"),
    v311=("MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.4-3"),
    needs="session_expiry",
)
async def session_lost(probe: ServerProbe) -> None:
    """A Client that comes back to its Session is told so, and still has its subscription."""
    topic = probe.topic()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, 1)
        await leave(peer)
        again = await resume(probe, client_id)
        if not again.connack.session_present:
            raise Failed("the Client comes back to its Session, and Session Present is 0")
        await probe.fresh_message(again, topic, again, 0)


@server_check(v5=("MQTT-3.1.2-6", "MQTT-3.2.2-3"), v311=("MQTT-3.1.2-4", "MQTT-3.2.2-3"))
async def session_present_for_a_new_client(probe: ServerProbe) -> None:
    """A Client of which the Server holds nothing gets a new Session, and Session Present 0."""
    async with lasting(probe) as client_id:
        peer = await probe.connect(client_id, clean_start=False, session_expiry_interval=1)
        if peer.connack.session_present:
            raise Failed("Session Present is 1 for a Client Identifier that was never used")
        topic = probe.topic()
        await probe.subscribe(peer, topic, 1)
        await probe.fresh_message(peer, topic, peer, 0)


@server_check(
    v5=("MQTT-3.1.2-4", "MQTT-3.2.2-2", "MQTT-3.1.4-4"),
    v311=("MQTT-3.1.2-6", "MQTT-3.2.2-1", "MQTT-3.1.4-3"),
    needs="session_expiry",
)
async def session_not_thrown_away(probe: ServerProbe) -> None:
    """A clean start ends an earlier Session: Session Present is 0, and its subscription is gone."""
    topic, other = probe.topic(), probe.topic()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, 1)
        await leave(peer)
        again = await probe.connect(client_id, clean_start=True)
        if again.connack.session_present:
            raise Failed("Session Present is 1 behind a clean start")
        await probe.subscribe(again, other, 1)
        await probe.publish(again, topic, b"for the subscription of the old Session", 0)
        await probe.fresh_message(again, other, again, 0)
        if any(getattr(one, "topic", "") == topic for one in (*again.aside, *await again.fence())):
            raise Failed("a subscription of the Session that was thrown away still counts")


@server_check(v5="MQTT-3.2.2-3", needs="session_expiry")
async def session_end_in_disconnect_ignored(probe: ServerProbe) -> None:
    """A DISCONNECT with a Session Expiry Interval of 0 ends a Session that was to last."""
    async with lasting(probe) as client_id:
        await leave(await resume(probe, client_id), session_expiry_interval=0)
        again = await resume(probe, client_id)
        if again.connack.session_present:
            raise Failed("DISCONNECT has ended the Session, and yet Session Present is 1")


@server_check(v5=("MQTT-3.1.3-2", "MQTT-3.2.2-3"), v311="MQTT-3.1.3-2", needs="session_expiry")
async def session_of_another_client(probe: ServerProbe) -> None:
    """Sessions belong to Client Identifiers: one that differs in the case of a letter has another Session."""
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, probe.topic(), 1)
        await leave(peer)
        first = len(probe.subject.client_ids)
        for other in (client_id[:first] + client_id[first:].upper(), client_id[:-1]):
            peer = await probe.connect(other, clean_start=False, session_expiry_interval=0)
            if peer.connack.session_present:
                raise Failed(f"the Session of {client_id} was given to {other}")
            await probe.connect(other)
        if not (await resume(probe, client_id)).connack.session_present:
            raise Failed(f"the Session of {client_id} is gone after others have come")


@server_check(v5=("MQTT-3.1.4-3", "MQTT-3.1.3-2"), v311=("MQTT-3.1.4-2", "MQTT-3.1.3-2"))
async def older_connection_goes_on(probe: ServerProbe) -> None:
    """A Client Identifier that connects again ends the older connection; 5.0 says why."""
    client_id = probe.name()
    older = await probe.connect(client_id)
    newer = await probe.connect(client_id)
    await older.must_end("after its Client Identifier has connected again")
    await newer.fence()
    if probe.is_v5 and (older.disconnect is None or older.disconnect.reason_code != 0x8E):
        raise NotStrict("the older connection is ended without DISCONNECT 0x8E, Session taken over")


@server_check(v5="MQTT-3.1.4-3", v311="MQTT-3.1.4-2", needs="session_expiry")
async def session_lost_at_takeover(probe: ServerProbe) -> None:
    """A Session that goes on from an older connection to a newer one keeps its subscription."""
    topic = probe.topic()
    async with lasting(probe) as client_id:
        older = await resume(probe, client_id)
        await probe.subscribe(older, topic, 1)
        newer = await resume(probe, client_id)
        if not newer.connack.session_present:
            raise Failed("the Session of the older connection was not continued")
        await older.must_end("after its Client Identifier has connected again")
        await probe.fresh_message(newer, topic, newer, 0)


@server_check(v5=("MQTT-3.2.2-3", "MQTT-3.1.2-23"), v311="MQTT-3.2.2-2", needs="session_expiry")
async def session_without_subscriptions_not_kept(probe: ServerProbe) -> None:
    """A Session in which nothing was done is kept like others: that there is one is part of its state."""
    async with lasting(probe) as client_id:
        await leave(await resume(probe, client_id))
        if not (await resume(probe, client_id)).connack.session_present:
            raise Failed("the Client comes back to a Session without subscriptions, and Session Present is 0")


@server_check(v5="MQTT-3.1.2-23", needs="session_expiry")
async def session_expires_too_early(probe: ServerProbe) -> None:
    """A Session lasts as many seconds beyond its connection as were agreed."""
    async with lasting(probe) as client_id:
        peer = await probe.connect(client_id, clean_start=False, session_expiry_interval=8)
        agreed = peer.connack.properties.get("session_expiry_interval", 8)
        await leave(peer)
        await trio.sleep(min(3.0, agreed / 2))
        if not (await resume(probe, client_id)).connack.session_present:
            raise Failed(f"a Session that was to last {agreed} s is gone after {min(3.0, agreed / 2):g} s")
