"""3.15 AUTH and 4.12: without a method, with one that no Server knows, and with SCRAM where a Server has it."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import Auth, ConnAck, Disconnect, encode
from mqttws.conformance.server.hostile import ends_behind_each, shown
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.server.scram import METHODS, Scram
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable
from mqttws.conformance.wire.peer import Ended
from mqttws.vocabulary import ReasonCode

_CONTINUE: Final = ReasonCode.CONTINUE_AUTHENTICATION
_UNKNOWN: Final = "mqttws-no-such-method"
_NO_PROOF: Final = b"c=biws,r=wrong,p=d3Jvbmc="
#: Methods beside SCRAM that a Server may know, each with the first that its Client says.
_OTHERS: Final = {"PLAIN": b"\0user\0pencil", "GS2-KRB5": b"\x60\0", "K8S-SAT": b"token"}


@server_check(v5=("MQTT-4.12.0-1", "MQTT-4.12.0-4", "MQTT-4.13.2-1"))
async def unknown_method_accepted(probe: ServerProbe) -> None:
    """A CONNECT with an Authentication Method that the Server does not know is refused, and the connection ends."""
    for said in ({}, {"authentication_data": b"data"}):
        properties: Any = said
        peer = await probe.open()
        await peer.send(probe.connect_packet(authentication_method=_UNKNOWN, **properties))
        await peer.must_end("behind a CONNECT with an unknown Authentication Method")
        if any(isinstance(one, ConnAck) and not one.reason_code for one in peer.arrived):
            raise Failed("it accepts a CONNECT with an unknown Authentication Method")


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
        for code in (_CONTINUE, ReasonCode.RE_AUTHENTICATE)
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


# -- with a method -----------------------------------------------------------------------------------------------------


async def _begin(probe: ServerProbe, method: str, data: bytes, **said: Any) -> tuple[Connected, Auth | ConnAck] | None:
    """Connect by a method: what the Server says first; None if it refuses."""
    peer = await probe.open()
    await peer.send(probe.connect_packet(authentication_method=method, authentication_data=data, **said))
    try:
        answer = await peer.receive("AUTH or CONNACK")
    except Ended:
        return None
    if not isinstance(answer, Auth | ConnAck):
        raise Inconclusive(f"{type(answer).__name__.upper()} came before CONNACK, which another check judges")
    if isinstance(answer, ConnAck) and answer.reason_code:
        return None
    return peer, answer


def _names(method: str, packet: Auth | ConnAck) -> None:
    said = packet.properties.get("authentication_method")
    if said != method:
        raise Failed(f"{type(packet).__name__.upper()} names the method {said!r}, CONNECT has named {method!r}")


def _proof(method: str, data: bytes, code: ReasonCode = _CONTINUE) -> Auth:
    return Auth(code, {"authentication_method": method, "authentication_data": data})


def _scram(probe: ServerProbe, method: str) -> Scram:
    who = probe.subject.account
    return Scram(method, who.username or "user", who.password or b"pencil", probe.name(20))


@server_check(v5=("MQTT-4.12.0-5", "MQTT-4.12.0-4", "MQTT-4.12.0-2"))
async def wrong_proof_accepted(probe: ServerProbe) -> None:
    """AUTH asks for more by 0x18 and the Client's own method; a proof that is wrong ends the connection."""
    known = False
    for method, data in {method: _scram(probe, method).first for method in METHODS}.items() | _OTHERS.items():
        begun = await _begin(probe, method, data)
        if begun is None:
            continue
        peer, answer = begun
        known = True
        _names(method, answer)
        if isinstance(answer, Auth):
            if answer.reason_code != _CONTINUE:
                raise Failed(f"AUTH that asks for more has the code 0x{answer.reason_code:02X}")
            await peer.send(_proof(method, _NO_PROOF))
            await peer.must_end("behind a proof that is wrong")
            if any(isinstance(one, ConnAck) and not one.reason_code for one in peer.arrived):
                raise Failed(f"a wrong proof by {method} is accepted")
    if not known:
        raise NotApplicable("it knows none of the methods that were tried")


async def _prove(probe: ServerProbe, **said: Any) -> tuple[Connected, str]:
    """A connection to which SCRAM has led, and its method. Raises :class:`NotApplicable` where there is none."""
    for method in METHODS:
        scram = _scram(probe, method)
        begun = await _begin(probe, method, scram.first, **said)
        if begun is None or isinstance(begun[1], ConnAck):
            continue
        peer, challenge = begun
        await peer.send(_proof(method, scram.final(challenge.properties.get("authentication_data", b""))))
        peer.connack = await peer.expect(ConnAck)
        if peer.connack.reason_code:
            raise Inconclusive("it takes our name and password, but not the proof by SCRAM that we know them")
        return peer, method
    raise NotApplicable("it knows no SCRAM")


@server_check(v5="MQTT-4.12.0-5")
async def method_missing_in_connack(probe: ServerProbe) -> None:
    """The CONNACK that ends an authentication names the Client's method."""
    peer, method = await _prove(probe)
    _names(method, peer.connack)
    await peer.fence()


@server_check(v5=("MQTT-4.12.1-2", "MQTT-4.13.2-1"))
async def open_behind_a_failed_authentication(probe: ServerProbe) -> None:
    """A Client that authenticates again, and fails, is disconnected."""
    peer, method = await _prove(probe)
    await peer.send(_proof(method, _scram(probe, method).first, ReasonCode.RE_AUTHENTICATE))
    try:
        await peer.expect(Auth, aside=(Disconnect,))
    except Ended:
        return  # it does not let Clients authenticate again, and ends the connection of who tries
    await peer.send(_proof(method, _NO_PROOF))
    await peer.must_end("behind a wrong proof of a Client that authenticates again")


@server_check(v5=("MQTT-3.15.2-2", "MQTT-3.15.2-3", "MQTT-3.1.2-24"))
async def auth_too_large(probe: ServerProbe) -> None:
    """AUTH goes without Reason String and User Property where they make it too large for the Client."""
    for method in METHODS:
        begun = await _begin(probe, method, _scram(probe, method).first)
        if begun is None or isinstance(begun[1], ConnAck):
            continue
        if not {"reason_string", "user_property"} & set(begun[1].properties):
            raise NotApplicable("its AUTH has neither a Reason String nor a User Property")
        size = len(encode(begun[1])) - 1
        again = await _begin(probe, method, _scram(probe, method).first, maximum_packet_size=size)
        if again is not None and len(encode(again[1])) > size:
            raise Failed(f"an AUTH of {len(encode(again[1]))} bytes goes to a Client that takes {size}")
        return
    raise NotApplicable("it knows no SCRAM")
