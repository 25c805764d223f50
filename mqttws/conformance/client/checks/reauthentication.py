"""Chapter 4.12.1: a Client that authenticates again on an open connection."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import Auth, ConnAck
from mqttws.conformance.client.convention import Authenticated
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, NotApplicable

__all__: list[str] = []

_METHOD: Final = "mqttws-echo"
_OTHER: Final = "mqttws-other"


async def _begun(probe: ClientProbe) -> tuple[Visit, Auth]:
    """A Client that is connected, and its first AUTH of a new authentication."""
    visit = await probe.open(auth_method=_METHOD, auth_data=b"first")
    if visit.connect.properties.get("authentication_method") != _METHOD:
        raise NotApplicable("the Client does not name an Authentication Method")
    await visit.send(ConnAck(properties=_said(_METHOD)))
    await probe.greeted()
    await probe.task("reauthenticate")
    return visit, await probe.sent(visit, Auth, "reauthenticate")


def _said(method: str) -> Any:
    return {"authentication_method": method, "authentication_data": b"and?"}


@client_check(v5=("MQTT-4.12.1-1", "MQTT-4.12.0-5"))
async def reauthenticates_otherwise(probe: ClientProbe) -> None:
    """A Client that authenticates again sends AUTH with 0x19 and the method of its CONNECT, and goes on meanwhile."""
    visit, auth = await _begun(probe)
    if auth.reason_code != 0x19:
        raise Failed(f"its AUTH has 0x{auth.reason_code:02X}, not 0x19")
    _same_method(auth)
    await visit.send(Auth(0x18, _said(_METHOD)))
    answer = await visit.expect(Auth)
    if answer.reason_code != 0x18:
        raise Failed(f"the answer has 0x{answer.reason_code:02X}, not 0x18")
    _same_method(answer)
    await probe.fence(visit)
    await visit.send(Auth(0, _said(_METHOD)))
    if await probe.tells():
        await probe.event(Authenticated)
    await probe.fence(visit)


def _same_method(auth: Auth) -> None:
    if (found := auth.properties.get("authentication_method")) != _METHOD:
        raise Failed(f"AUTH has the method {found!r}, not {_METHOD!r}")


@client_check(v5="MQTT-4.12.1-2")
async def goes_on_though_reauthentication_has_failed(probe: ClientProbe) -> None:
    """An answer with another method is no authentication: the Client had better end the connection."""
    visit, _ = await _begun(probe)
    await visit.send(Auth(0x18, _said(_OTHER)))
    # It has to if the authentication has failed; no sentence says that it has to look at the method.
    await probe.ends(visit, "behind AUTH with another method", must=False)
