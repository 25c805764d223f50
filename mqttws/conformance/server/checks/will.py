"""Will Messages: when they are published, as what, and when not."""

from __future__ import annotations

from typing import Any, Final

import trio

from mqttws.codec import Publish, Will
from mqttws.conformance.server.deliveries import lasting, nothing_but, resume, subscriber
from mqttws.conformance.server.hostile import leave
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, Inconclusive
from mqttws.conformance.wire.peer import Missing
from mqttws.vocabulary import QOS

_PAYLOAD: Final = b"the will"
#: Seconds of a Session that outlasts the check.
_LONG: Final = 60
#: The longest one whose end a check waits for.
_SHORT: Final = 5


def _will(topic: str, qos: int = 0, *, retain: bool = False, payload: bytes = _PAYLOAD, **properties: Any) -> Will:
    said: Any = properties
    return Will(topic, payload, QOS[qos], retain, said)


async def _comes(probe: ServerProbe, watcher: Connected, topic: str, *, later: float = 0.0) -> Publish:
    """The will has to come, at most so many seconds later than what is owed at once."""
    watcher.patience = probe.patience + later
    try:
        return await probe.message(watcher, topic)
    except Missing:
        raise Failed("the will is not published") from None
    finally:
        watcher.patience = probe.patience


async def _gone(probe: ServerProbe, client_id: str) -> None:
    """The Server is through with an earlier connection of this Client: it has let it in again."""
    await leave(await probe.connect(client_id))


@server_check(v5=("MQTT-3.1.2-8", "MQTT-3.1.2-7"), v311="MQTT-3.1.2-8", needs="will")
async def will_not_published(probe: ServerProbe) -> None:
    """The will is published when its Client's connection ends without DISCONNECT, with the payload it was given."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    for how in ("eof", "reset", "close"):
        payload = f"the will behind {how}".encode()
        peer = await probe.connect(will=_will(topic, payload=payload))
        await {"eof": peer.drop, "reset": peer.reset, "close": peer.close}[how]()
        found = await _comes(probe, watcher, topic)
        if found.payload != payload:
            raise Failed(f"{bytes(found.payload)!r} came where the will {payload!r} was owed")


@server_check(v5=("MQTT-3.1.2-8", "MQTT-3.1.2-7"), v311="MQTT-3.1.2-8", needs="will")
async def will_not_published_behind_an_error(probe: ServerProbe) -> None:
    """The will is published when the Server ends the connection because of a protocol error."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    peer = await probe.connect(will=_will(topic))
    await peer.send(probe.connect_packet())
    if await peer.end() is None:
        raise Inconclusive("the connection is still open behind a second CONNECT, which another check judges")
    await _comes(probe, watcher, topic)


@server_check(v5=("MQTT-3.1.2-8", "MQTT-3.1.2-7"), v311="MQTT-3.1.2-8", needs=("will", "qos1"))
async def will_at_another_qos(probe: ServerProbe) -> None:
    """The will is published at the QoS that its Client has asked for."""
    most = 2 if "qos2" in probe.capabilities else 1
    for qos in range(most + 1):
        topic = probe.topic()
        watcher = await subscriber(probe, topic, most)
        await (await probe.connect(will=_will(topic, qos))).drop()
        if (found := await _comes(probe, watcher, topic)).qos != qos:
            raise Failed(f"a will of QoS {qos} comes at QoS {found.qos}")


@server_check(v5=("MQTT-3.14.4-3", "MQTT-3.1.2-10"), v311=("MQTT-3.14.4-3", "MQTT-3.1.2-10"), needs="will")
async def will_published_behind_disconnect(probe: ServerProbe) -> None:
    """A DISCONNECT with 0x00 takes the will away."""
    topic, client_id = probe.topic(), probe.name()
    watcher, publisher = await subscriber(probe, topic, 1), await probe.connect()
    await leave(await probe.connect(client_id, will=_will(topic)))
    await _gone(probe, client_id)
    await nothing_but(probe, watcher, topic, publisher, "the will is published though DISCONNECT took it away", qos=0)


@server_check(v5="MQTT-3.1.2-10", v311="MQTT-3.1.2-10", needs="will")
async def will_published_twice(probe: ServerProbe) -> None:
    """A will that was published is gone: the Client's next connection ends without it."""
    topic, client_id = probe.topic(), probe.name()
    watcher, publisher = await subscriber(probe, topic, 1), await probe.connect()
    await (await probe.connect(client_id, will=_will(topic))).drop()
    await _comes(probe, watcher, topic)
    await (await probe.connect(client_id)).drop()
    await _gone(probe, client_id)
    await nothing_but(probe, watcher, topic, publisher, "the will is published once more", qos=0)


@server_check(v311="MQTT-3.1.2-12", needs="will")
async def will_without_its_flag_published(probe: ServerProbe) -> None:
    """A connection without a will ends without one, though the Client had one on an earlier connection."""
    topic, client_id = probe.topic(), probe.name()
    watcher, publisher = await subscriber(probe, topic, 1), await probe.connect()
    await leave(await probe.connect(client_id, will=_will(topic)))
    without = await probe.connect(client_id)
    if await probe.fresh_message(watcher, topic, publisher, qos=0):
        raise Inconclusive("the earlier will is published behind DISCONNECT, which another check judges")
    await without.drop()
    await _gone(probe, client_id)
    await nothing_but(probe, watcher, topic, publisher, "a will is published of a connection without one", qos=0)


@server_check(v5=("MQTT-3.1.4-3", "MQTT-3.1.2-8"), v311=("MQTT-3.1.2-8", "MQTT-3.1.4-2"), needs="will")
async def will_lost_at_takeover(probe: ServerProbe) -> None:
    """The will of a connection is published when a clean start of the same Client ends it."""
    topic, client_id = probe.topic(), probe.name()
    watcher = await subscriber(probe, topic, 1)
    older = await probe.connect(client_id, will=_will(topic))
    await probe.connect(client_id, clean_start=True)
    if await older.end() is None:
        raise Inconclusive("the older connection is still open, which another check judges")
    await _comes(probe, watcher, topic)


@server_check(v5="MQTT-3.1.2-14", v311="MQTT-3.1.2-16", needs="will")
async def will_retained_unasked(probe: ServerProbe) -> None:
    """A will with Will Retain 0 is no retained message: who subscribes later does not get it."""
    topic = probe.topic()
    watcher, publisher = await subscriber(probe, topic, 1), await probe.connect()
    await (await probe.connect(will=_will(topic))).drop()
    if (await _comes(probe, watcher, topic)).retain:
        raise Failed("a will with Will Retain 0 comes with RETAIN 1")
    late = await subscriber(probe, topic, 1)
    await nothing_but(probe, late, topic, publisher, "a will with Will Retain 0 was retained", qos=0)


@server_check(v5="MQTT-3.1.2-15", v311="MQTT-3.1.2-17", needs=("will", "retain"))
async def will_not_retained(probe: ServerProbe) -> None:
    """A will with Will Retain 1 is a retained message: who subscribes later gets it."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    await (await probe.connect(will=_will(topic, retain=True))).drop()
    await _comes(probe, watcher, topic)
    late = await subscriber(probe, topic, 1)
    try:
        if not (await probe.message(late, topic)).retain:
            raise Failed("a retained will comes to a new subscriber with RETAIN 0")
    finally:
        await probe.publish(watcher, topic, b"", 0, retain=True)


@server_check(v5="MQTT-3.1.2-8", needs="will")
async def will_lost_at_disconnect_with_will(probe: ServerProbe) -> None:
    """A DISCONNECT with 0x04 asks for the will."""
    await _comes_behind(probe, 0x04)


@server_check(v5="MQTT-3.1.2-8", needs="will")
async def will_lost_at_disconnect_with_an_error(probe: ServerProbe) -> None:
    """A DISCONNECT that tells of an error does not take the will away; only one with 0x00 does."""
    for code in (0x80, 0x98):
        await _comes_behind(probe, code)


async def _comes_behind(probe: ServerProbe, code: int) -> None:
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    await leave(await probe.connect(will=_will(topic)), code)
    await _comes(probe, watcher, topic)


@server_check(v5="MQTT-3.1.3-10", needs="will")
async def user_properties_of_a_will_changed(probe: ServerProbe) -> None:
    """The User Properties of a will are published with it, all of them, in their order."""
    topic = probe.topic()
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", "3"), ("c", "")]
    watcher = await subscriber(probe, topic, 1)
    await (await probe.connect(will=_will(topic, user_property=pairs))).drop()
    found = [tuple(pair) for pair in (await _comes(probe, watcher, topic)).properties.get("user_property", ())]
    if found != pairs:
        raise Failed(f"User Properties {pairs} come as {found}")


# -- Will Delay Interval ----------------------------------------------------------------------------------------------


@server_check(v5="MQTT-3.1.2-8", needs=("will", "session_expiry"))
async def will_delay_ignored(probe: ServerProbe) -> None:
    """A will waits as long as its Will Delay Interval says, and is published then."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    async with lasting(probe) as client_id:
        will = _will(topic, will_delay_interval=3)
        peer = await resume(probe, client_id, session_expiry_interval=_LONG, will=will)
        began = trio.current_time()
        await peer.drop()
        await _comes(probe, watcher, topic, later=3.0)
        waited = trio.current_time() - began
        if waited < 2.5:
            raise Failed(f"a will that has to wait for 3 s came within {waited:.1f} s")


@server_check(v5="MQTT-3.1.3-9", needs=("will", "session_expiry"))
async def will_published_though_the_client_is_back(probe: ServerProbe) -> None:
    """A will whose Client is back on its Session before the Will Delay Interval is over is not published."""
    topic = probe.topic()
    watcher, publisher = await subscriber(probe, topic, 1), await probe.connect()
    async with lasting(probe) as client_id:
        will = _will(topic, will_delay_interval=1)
        await (await resume(probe, client_id, session_expiry_interval=_LONG, will=will)).drop()
        await resume(probe, client_id, session_expiry_interval=_LONG)
        await trio.sleep(2.0)
        await nothing_but(probe, watcher, topic, publisher, "the will is published though its Client is back", qos=0)


@server_check(v5="MQTT-3.1.2-8", needs=("will", "session_expiry"))
async def will_outlives_its_session(probe: ServerProbe) -> None:
    """A will whose Session ends before its Will Delay Interval does is published at the end of the Session."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic, 1)
    will = _will(topic, will_delay_interval=_LONG)
    for asked in (0, 1):
        peer = await probe.connect(session_expiry_interval=asked, will=will)
        agreed = peer.connack.properties.get("session_expiry_interval", asked)
        await peer.drop()
        if agreed <= _SHORT:  # else it is due at the end of a Session that the Server has made longer
            await _comes(probe, watcher, topic, later=2.0 * agreed)
