"""Chapters 3.15 and 4.12: enhanced authentication, where the Client has begun it and where it has not."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import Auth, ConnAck
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict, NotTested
from mqttws.conformance.wire.peer import Ended, Missing

__all__: list[str] = []

_METHOD: Final = "mqttws-echo"
_OTHER: Final = "mqttws-other"


async def _begun(probe: ClientProbe) -> Visit:
    """A Client that has begun to authenticate itself."""
    visit = await probe.open(auth_method=_METHOD, auth_data=b"first")
    if visit.connect.properties.get("authentication_method") != _METHOD:
        raise NotApplicable("the Client does not name an Authentication Method")
    return visit


def _challenge(method: str = _METHOD, code: int = 0x18) -> Auth:
    properties: Any = {"authentication_method": method, "authentication_data": b"and?"}
    return Auth(code, properties)


async def _answer(visit: Visit) -> Auth:
    """Its AUTH, and no other packet before; instead it may leave, or think about it."""
    try:
        return await visit.expect(Auth, aside=())
    except Ended as ended:
        raise NotTested(f"it gives up, which is its right: {ended}") from None
    except Missing as missing:
        raise Inconclusive(str(missing)) from None


@client_check(v5=("MQTT-4.12.0-3", "MQTT-4.12.0-5"))
async def answers_auth_otherwise(probe: ClientProbe) -> None:
    """An AUTH that asks for more is answered by AUTH with 0x18 and the same method."""
    visit = await _begun(probe)
    for _ in range(2):
        await visit.send(_challenge())
        auth = await _answer(visit)
        if auth.reason_code != 0x18:
            raise Failed(f"the answer has 0x{auth.reason_code:02X}, not 0x18")
        if (found := auth.properties.get("authentication_method")) != _METHOD:
            raise Failed(f"the answer has the method {found!r}, not {_METHOD!r}")


@client_check(v5="MQTT-3.1.2-30")
async def speaks_before_it_is_let_in(probe: ClientProbe) -> None:
    """A Client that authenticates itself sends AUTH and DISCONNECT only until CONNACK comes."""
    visit = await _begun(probe)
    if await probe.tells():
        await probe.task("publish", topic=probe.name(), payload=b"early", qos=0)
    for _ in range(2):
        await visit.send(_challenge())
        await _answer(visit)


@client_check(v5="MQTT 5.0, 4.12")
async def takes_auth_of_another_method(probe: ClientProbe) -> None:
    """An AUTH with another method than that of CONNECT ends the connection."""
    visit = await _begun(probe)
    await visit.send(_challenge(_OTHER))
    try:  # a message would end the connection by itself before CONNACK
        await visit.must_end("behind AUTH with another method", probe=_challenge(), sign=Auth, within=probe.patience)
    except Failed as problem:
        raise NotStrict(str(problem)) from None


@client_check(v5="MQTT 5.0, 4.12")
async def takes_connack_of_another_method(probe: ClientProbe) -> None:
    """A CONNACK with another method than that of CONNECT ends the connection."""
    visit = await _begun(probe)
    properties: Any = {"authentication_method": _OTHER}
    await visit.send(ConnAck(properties=properties))
    await probe.ends(visit, "behind CONNACK with another method")


@client_check(v5="MQTT-4.12.0-7")
async def answers_auth_unasked(probe: ClientProbe) -> None:
    """A Client that has named no Authentication Method sends no AUTH, even if it is asked for one."""
    visit = await probe.talk()
    await visit.send(_challenge())
    goes_on = await probe.goes_on(visit, "behind AUTH that it has not asked for")
    if any(isinstance(packet, Auth) for packet in visit.arrived):
        raise Failed("it answers AUTH, and has named no Authentication Method")
    if goes_on:
        raise NotStrict(goes_on)


@client_check(v5="MQTT-3.15.1-1")
async def takes_auth_with_flags(probe: ClientProbe) -> None:
    """An AUTH whose reserved flags are set ends the connection."""
    visit = await _begun(probe)
    data = visit.bytes_of(_challenge())
    await visit.send(bytes((data[0] | 0x02,)) + data[1:])
    # A message would end the connection by itself before CONNACK; a further AUTH shows whether it goes on.
    await visit.must_end("behind AUTH with reserved flags", probe=_challenge(), sign=Auth)
