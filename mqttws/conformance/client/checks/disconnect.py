"""Chapter 3.14: how a Client leaves, and how it is sent away."""

from __future__ import annotations

from contextlib import suppress

from mqttws.codec import Disconnect
from mqttws.conformance.client.convention import Disconnected
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotStrict, NotTested
from mqttws.conformance.wire.peer import Ended
from mqttws.vocabulary import ReasonCode

__all__: list[str] = []


async def _leaving(probe: ClientProbe) -> Visit:
    """A Client that was told to leave, and has sent DISCONNECT, which nothing demands of it."""
    visit = await probe.talk()
    await probe.task("disconnect")
    try:
        await probe.sent(visit, Disconnect, "disconnect")
    except Ended as ended:
        raise NotTested(f"it leaves without DISCONNECT: {ended}") from None
    visit.aside.clear()  # what came before
    return visit


@client_check(v5="MQTT-3.14.4-1", v311="MQTT-3.14.4-2")
async def speaks_behind_its_disconnect(probe: ClientProbe) -> None:
    """Behind its DISCONNECT a Client sends nothing more, whatever it is sent and told."""
    visit = await _leaving(probe)
    await visit.send(visit.message(b"acknowledge this", 1))
    if await probe.tells():
        await probe.task("publish", topic=probe.name(), payload=b"late", qos=1)
    if await visit.end() is None:
        raise Inconclusive("it does not close the connection, so that more may come at any time")
    if visit.aside:
        raise Failed(f"{type(visit.aside[0]).__name__.upper()} comes behind DISCONNECT")


@client_check(v5="MQTT-3.14.4-2", v311="MQTT-3.14.4-1")
async def stays_behind_its_disconnect(probe: ClientProbe) -> None:
    """Behind its DISCONNECT a Client closes the connection."""
    visit = await _leaving(probe)
    if await visit.end() is None:
        raise Failed(f"it does not close the connection within {probe.patience:g} s behind DISCONNECT")


@client_check(v5="MQTT-3.14.2-1")
async def says_another_reason(probe: ClientProbe) -> None:
    """A DISCONNECT that shall let the Will speak says so."""
    visit = await probe.talk(will_topic="mqttws/will", will_payload=b"gone")
    await probe.task("disconnect", reason_code=int(ReasonCode.DISCONNECT_WITH_WILL_MESSAGE))
    disconnect = await probe.sent(visit, Disconnect, "disconnect")
    if disconnect.reason_code != ReasonCode.DISCONNECT_WITH_WILL_MESSAGE:  # but one that DISCONNECT may have
        raise NotStrict(f"DISCONNECT has 0x{disconnect.reason_code:02X}, not the 0x04 that it was asked for")


@client_check(v5=("MQTT 5.0, 3.14.4", "MQTT-4.13.2-1"))
async def stays_though_sent_away(probe: ClientProbe) -> None:
    """A Client that receives DISCONNECT should close the connection, and sends nothing more."""
    visit = await probe.talk()
    await visit.send(Disconnect(0x8B))
    if await probe.tells():
        with suppress(Inconclusive):  # if it does not notice, what follows shows it
            await probe.event(Disconnected)
    await probe.ends(visit, "behind DISCONNECT from the Server")


@client_check(v5="MQTT-3.14.1-1")
async def ignores_a_disconnect_with_flags(probe: ClientProbe) -> None:
    """A DISCONNECT whose reserved flags are set ends the connection like any other malformed packet."""
    visit = await probe.talk()
    await visit.send(b"\xe2\x00")
    await probe.ends(visit, "behind DISCONNECT with reserved flags", must=True)


@client_check(v311="MQTT-4.8.0-1")
async def ignores_a_disconnect_of_the_server(probe: ClientProbe) -> None:
    """In 3.1.1 a Server does not send DISCONNECT; one that does is left."""
    visit = await probe.talk()
    await visit.send(b"\xe0\x00")
    await probe.ends(visit, "behind DISCONNECT from the Server")
