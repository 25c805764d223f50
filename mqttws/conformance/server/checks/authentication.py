"""3.15 AUTH and 4.12, as far as no method has to be known."""

from __future__ import annotations

from typing import Any

from mqttws.codec import Auth, ConnAck
from mqttws.conformance.server.hostile import ends_behind_each, shown
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable
from mqttws.conformance.wire.peer import Ended
from mqttws.vocabulary import ReasonCode

#: Methods that a Server may know, each with the first that its Client says.
_METHODS = (
    ("SCRAM-SHA-1", b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL"),
    ("SCRAM-SHA-256", b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"),
    ("PLAIN", b"\0user\0pencil"),
    ("GS2-KRB5", b"\x60\0"),
    ("K8S-SAT", b"token"),
)


@server_check(v5=("MQTT-4.12.0-1", "MQTT-4.12.0-4", "MQTT-4.13.2-1"))
async def unknown_method_accepted(probe: ServerProbe) -> None:
    """A CONNECT with an Authentication Method that the Server does not know is refused, and the connection ends."""
    for said in ({}, {"authentication_data": b"data"}):
        properties: Any = said
        peer = await probe.open()
        await peer.send(probe.connect_packet(authentication_method="mqttws-no-such-method", **properties))
        await peer.must_end("behind a CONNECT with an unknown Authentication Method")
        if any(isinstance(one, ConnAck) and not one.reason_code for one in peer.arrived):
            raise Failed("it accepts a CONNECT with an unknown Authentication Method")


@server_check(v5=("MQTT-4.12.0-5", "MQTT-4.12.0-4", "MQTT-4.12.0-2"))
async def another_method_in_auth(probe: ServerProbe) -> None:
    """AUTH and CONNACK of a Server name the method of the Client's CONNECT; a wrong answer ends the connection."""
    known = False
    for method, data in _METHODS:
        peer = await probe.open()
        await peer.send(probe.connect_packet(authentication_method=method, authentication_data=data))
        try:
            answer = await peer.receive("AUTH or CONNACK")
        except Ended:
            continue
        if isinstance(answer, ConnAck) and answer.reason_code:
            continue
        known = True
        if not isinstance(answer, Auth | ConnAck):
            raise Failed(f"{type(answer).__name__.upper()} is the answer to a CONNECT with the method {method}")
        said = answer.properties.get("authentication_method")
        if said != method:
            raise Failed(f"{type(answer).__name__.upper()} names the method {said!r}, CONNECT has named {method!r}")
        if isinstance(answer, Auth):
            if answer.reason_code != ReasonCode.CONTINUE_AUTHENTICATION:
                raise Failed(f"AUTH that asks for more has the code 0x{answer.reason_code:02X}")
            wrong = {"authentication_method": method, "authentication_data": b"\xff no answer"}
            properties: Any = wrong
            await peer.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, properties))
            await peer.must_end("behind Authentication Data that cannot be right")
    if not known:
        raise NotApplicable("it knows none of the methods that were tried")


@server_check(v5="MQTT-4.12.0-6")
async def auth_without_a_method(probe: ServerProbe) -> None:
    """A Client that has named no method sees no AUTH, and none in CONNACK."""
    peer = await probe.connect()
    if "authentication_method" in peer.connack.properties:
        raise Failed("CONNACK has an Authentication Method, CONNECT had none")
    await peer.fence()
    if any(isinstance(one, Auth) for one in peer.arrived):
        raise Failed("AUTH comes to a Client that has named no method")


@server_check(v5=("MQTT-4.12.0-7", "MQTT-4.13.1-1"))
async def auth_taken_without_a_method(probe: ServerProbe) -> None:
    """An AUTH from a Client that has named no method ends the connection."""
    wrong = {
        f"AUTH 0x{code:02X} where no method was agreed": Auth(code, {"authentication_method": "PLAIN"})
        for code in (ReasonCode.CONTINUE_AUTHENTICATION, ReasonCode.RE_AUTHENTICATE)
    }
    await ends_behind_each(probe, wrong)


@server_check(v5=("MQTT-3.15.1-1", "MQTT-2.1.3-1"))
async def flags_of_auth_unchecked(probe: ServerProbe) -> None:
    """An AUTH with reserved bits set ends the connection."""
    await ends_behind_each(probe, shown(probe, "auth_flags_0010"))


@server_check(v5=("MQTT-3.15.2-1", "MQTT-4.13.1-1"))
async def unknown_code_in_auth(probe: ServerProbe) -> None:
    """An AUTH with a code that a Client cannot send ends the connection."""
    await ends_behind_each(probe, shown(probe, "auth_reason_code_not_allowed_01", "auth_reason_code_not_allowed_80"))
