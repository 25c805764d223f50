"""Chapter 4.1, and what CONNECT and CONNACK say of Sessions: what a Client keeps, and what it has to forget."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import PingReq, PubComp, Publish, PubRec, PubRel, Subscribe
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed

__all__: list[str] = []

#: Seconds that a Session may last.
_EXPIRY: Final = 300
_OLD: Final = b"from the old session"
_NEW: Final = b"from the new session"
#: The identifier of a message that was received and not released.
_HALF: Final = 1_500
#: What a Client may send when it has come back to its Session.
_RESUMED: Final = (Publish, PubRel, Subscribe, PingReq)


async def _interrupt(probe: ClientProbe, visit: Visit) -> None:
    """A message at QoS 2 is half received, and one half sent."""
    await probe.subscribe(visit, "mqttws/kept")
    await visit.send(visit.message(_OLD, 2, packet_id=_HALF))
    await visit.expect(PubRec)
    publish = await probe.publish(visit, b"half sent", 2, topic="mqttws/out")
    packet_id: Any = publish.packet_id
    await visit.send(PubRec(packet_id))
    await visit.expect(PubRel)


@client_check(
    v5=("MQTT-4.1.0-1", "MQTT-3.1.2-23", "MQTT-3.1.3-2"),
    v311=("MQTT-4.1.0-1", "MQTT-4.1.0-2", "MQTT-3.1.2-4", "MQTT-3.1.3-2"),
)
async def forgets_its_session(probe: ClientProbe) -> None:
    """A Session outlives its connection: what was received and not released is not delivered twice."""
    visit = await probe.connect_to_stay()
    await _interrupt(probe, visit)
    visit = await probe.come_back(visit)
    await visit.send(visit.message(_OLD, 2, packet_id=_HALF, dup=True))
    await visit.expect(PubRec, aside=_RESUMED)
    await visit.send(PubRel(_HALF))
    await visit.expect(PubComp, aside=_RESUMED)
    await probe.fence(visit)  # what it sends again has come by now
    times = [message.payload for message in await probe.messages(visit)].count(_OLD)
    if times != 1:
        raise Failed(f"a message at QoS 2 whose identifier the Session holds was delivered {times} times")


@client_check(v5="MQTT-3.1.2-4", v311="MQTT-3.1.2-6")
async def keeps_its_session_in_a_clean_start(probe: ClientProbe) -> None:
    """A clean start begins a new Session: identifiers of the old one mean nothing, and nothing of it is resent."""
    visit = await probe.connect(session_expiry=_EXPIRY)
    await _interrupt(probe, visit)
    await visit.drop()
    await probe.gone()
    await _is_new(probe, await probe.connect(visit.connect.client_id, session_expiry=_EXPIRY))


@client_check(v5="MQTT-3.2.2-5")
async def keeps_a_session_that_was_lost(probe: ClientProbe) -> None:
    """A Client that is told Session Present 0 drops the Session that it has held."""
    visit = await probe.connect_to_stay()
    await _interrupt(probe, visit)
    await _is_new(probe, await probe.come_back(visit, session_present=False))


async def _is_new(probe: ClientProbe, visit: Visit) -> None:
    """Nothing of an interrupted Session goes on, in either direction."""
    for packet in await probe.fence(visit):
        if isinstance(packet, PubRel) or (isinstance(packet, Publish) and packet.dup):
            raise Failed(f"it sends {type(packet).__name__.upper()} of a Session that is over")
    await probe.subscribe(visit, "mqttws/fresh")
    message = visit.message(_NEW, 2, packet_id=_HALF)
    await visit.send(message)
    await visit.finish(message)
    if await probe.tells():
        found = [message.payload for message in await probe.messages(visit)]
        if _NEW not in found:
            raise Failed("a new message is taken for a repetition of one from a Session that is over")
