"""Chapter 3.2: what a Client does with CONNACK, and what CONNACK tells it not to do."""

from __future__ import annotations

from mqttws.codec import ConnAck
from mqttws.conformance.client.probe import ClientProbe, client_check

__all__: list[str] = []


@client_check(v5="MQTT-3.2.2-4")
async def keeps_a_session_it_does_not_have(probe: ClientProbe) -> None:
    """A Client without a Session that is told Session Present 1 closes the connection."""
    visit = await probe.open()
    await visit.send(ConnAck(True))
    await probe.ends(visit, "told of a Session that it does not have", must=True)
