"""Chapter 3.1: what a Client says in CONNECT, and that it is heard of from then on."""

from __future__ import annotations

from typing import Final

import trio

from mqttws.codec import Connect, PingReq, PingResp, RawPacket, Will, decode, encode
from mqttws.conformance.client.leading import KEEP_ALIVE
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict, NotTested
from mqttws.conformance.wire.peer import Missing
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import PacketType, ProtocolVersion, QoS, Role

__all__: list[str] = []

#: Seconds of Keep Alive: enough that a Client that looks at its clock once in a second is not too late.
_KEEP_ALIVE: Final = 3
#: Seconds that a PINGREQ may be under way.
_UNDER_WAY: Final = 0.5


@client_check(v5="MQTT-3.1.0-1", v311="MQTT-3.1.0-1")
async def connect_is_not_first(probe: ClientProbe) -> None:
    """CONNECT is the first packet on a connection."""
    await probe.task("connect", client_id=probe.name(), clean_start=True, keep_alive=KEEP_ALIVE)
    visit = await probe.welcome(*await probe.stream())
    found = await visit.anything("CONNECT")
    if found.packet_type is not PacketType.CONNECT:
        raise Failed(f"{'a reserved type' if found.packet_type is None else found.packet_type.name} comes first")


@client_check(v5=("MQTT-3.1.3-3", "MQTT-3.1.3-4"), v311=("MQTT-3.1.3-3", "MQTT-3.1.3-4"))
async def changes_the_client_id(probe: ClientProbe) -> None:
    """The Client Identifier stands in CONNECT as it was asked for."""
    await probe.needs_program()
    wanted = probe.name() + "\N{LATIN SMALL LETTER U WITH DIAERESIS}"
    _same("Client Identifier", wanted, (await probe.open(wanted)).connect.client_id)


@client_check(
    v5=("MQTT-3.1.2-9", "MQTT-3.1.3-1", "MQTT-3.1.3-11"), v311=("MQTT-3.1.2-9", "MQTT-3.1.3-1", "MQTT-3.1.3-10")
)
async def changes_the_will(probe: ClientProbe) -> None:
    """A Will stands in CONNECT as it was asked for, between the Client Identifier and the User Name."""
    will = Will("mqttws/will \N{GREEK SMALL LETTER ALPHA}", bytes((0, 1, 0x7F, 0x80, 0xFF)), QoS.EXACTLY_ONCE, True)
    visit = await probe.open(
        will_topic=will.topic, will_payload=will.payload, will_qos=2, will_retain=True, username="who", password=b"what"
    )
    found = visit.connect.will
    if found is None:
        raise Failed("there is no Will")
    for name in ("topic", "payload", "qos", "retain"):
        _same(f"Will's {name}", getattr(will, name), getattr(found, name))


@client_check(
    v5=("MQTT-3.1.2-17", "MQTT-3.1.2-19", "MQTT-3.1.3-12"), v311=("MQTT-3.1.2-19", "MQTT-3.1.2-21", "MQTT-3.1.3-11")
)
async def changes_the_credentials(probe: ClientProbe) -> None:
    """User Name and Password stand in CONNECT as they were asked for."""
    visit = await probe.open(username="who \N{GREEK SMALL LETTER BETA}", password=b"what else")
    _same("User Name", "who \N{GREEK SMALL LETTER BETA}", visit.connect.username)
    if visit.connect.password != b"what else":
        raise Failed("the Password is another one")


@client_check(
    v5=("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-16", "MQTT-3.1.2-18"),
    v311=("MQTT-3.1.2-11", "MQTT-3.1.2-13", "MQTT-3.1.2-15", "MQTT-3.1.2-18", "MQTT-3.1.2-20"),
)
async def says_more_than_it_was_asked(probe: ClientProbe) -> None:
    """Without a Will and credentials CONNECT has neither them nor their flags.

    It fails by flags that do not agree with what stands there; what a Client adds by itself breaks no rule.
    """
    await probe.needs_program()  # whoever operates another Client may have given it some
    visit = await probe.open()
    for name in ("will", "username", "password"):
        if getattr(visit.connect, name) is not None:
            raise NotStrict(f"CONNECT has a {name} that nobody asked for")


@client_check(v311="MQTT-3.1.2-22")
async def password_without_user_name(probe: ClientProbe) -> None:
    """3.1.1 knows no Password without a User Name."""
    connect = await _asked_for(probe, password=b"alone")
    if isinstance(connect, Connect):
        is_wrong = connect.username is None and connect.password is not None
    else:
        is_wrong = _breaks(connect, "MQTT-3.1.2-22")
    if is_wrong:
        raise Failed("it sends a CONNECT with a Password and no User Name")


@client_check(v311="MQTT-3.1.3-7")
async def no_name_and_a_session(probe: ClientProbe) -> None:
    """An empty Client Identifier goes with CleanSession 1 only."""
    connect = await _asked_for(probe, client_id="", clean_start=False)
    if isinstance(connect, Connect):
        is_wrong = not connect.client_id and not connect.clean_start
    else:
        is_wrong = _breaks(connect, "MQTT-3.1.3-8")
    if is_wrong:
        raise Failed("it sends a CONNECT with an empty Client Identifier and CleanSession 0")
    await probe.close()
    if _breaks(await _asked_for(probe, client_id=""), "MQTT-3.1.3-8"):
        raise Failed("it sends a broken CONNECT if it is asked for an empty Client Identifier and CleanSession 1")


def _breaks(connect: Connect | RawPacket | None, statement: str) -> bool:
    """Whether a CONNECT of 3.1.1 breaks just that by itself; other faults are judged elsewhere."""
    if not isinstance(connect, RawPacket):
        return False
    try:
        decode(encode(connect), ProtocolVersion.V3_1_1, sender=Role.CLIENT)
    except RemoteProtocolError as error:
        return error.statement == statement
    return False


async def _asked_for(probe: ClientProbe, **settings: object) -> Connect | RawPacket | None:
    """The CONNECT that a Client sends if it is asked for something wrong; None if it refuses."""
    values = {"client_id": probe.name(), "clean_start": True, "keep_alive": KEEP_ALIVE} | settings
    await probe.task("connect", **values)
    try:
        stream, head = await probe.stream()
    except (Inconclusive, Failed):
        return None
    visit = await probe.welcome(stream, head)
    try:
        found = await visit.anything("CONNECT")
    except Failed:
        return None
    return found if isinstance(found, Connect | RawPacket) else None


@client_check(v5="MQTT-3.1.2-20", v311="MQTT-3.1.2-23")
async def falls_silent(probe: ClientProbe) -> None:
    """A Client that has nothing to say sends PINGREQ within its Keep Alive."""
    visit = await probe.connect(keep_alive=_KEEP_ALIVE)
    if not visit.connect.keep_alive:
        raise NotApplicable("the Client has turned its Keep Alive off")
    await _pings(visit, visit.connect.keep_alive)


@client_check(v5=("MQTT-3.1.2-21", "MQTT-3.2.2-21"))
async def keeps_its_own_keep_alive(probe: ClientProbe) -> None:
    """A Server Keep Alive takes the place of the Client's own."""
    visit = await probe.connect(keep_alive=600, properties={"server_keep_alive": _KEEP_ALIVE})
    await _pings(visit, _KEEP_ALIVE)


async def _pings(visit: Visit, keep_alive: int) -> None:
    began = trio.current_time()
    try:
        await visit.expect(PingReq, within=1.5 * keep_alive + _UNDER_WAY)
    except Missing:
        raise Failed(f"no PINGREQ within one and a half times {keep_alive} s") from None
    took = trio.current_time() - began
    await visit.send(PingResp())
    if took > keep_alive + _UNDER_WAY:
        raise NotStrict(f"PINGREQ comes {took:.1f} s after the last packet, with a Keep Alive of {keep_alive} s")


@client_check(v5="MQTT 5.0, 3.1.2.10", v311="MQTT 3.1.1, 3.1.2.10")
async def waits_for_pingresp_for_ever(probe: ClientProbe) -> None:
    """A Client whose PINGREQ is not answered should close the connection within a reasonable time."""
    visit = await probe.connect(keep_alive=1)
    try:
        await visit.expect(PingReq)
    except Failed as problem:  # which is a matter of its Keep Alive
        raise NotTested(str(problem)) from None
    limit = max(5.0, probe.patience)
    if await visit.end(within=limit) is None:
        raise NotStrict(f"it waits for PINGRESP for more than {limit:g} s, with a Keep Alive of 1 s")


def _same(what: str, wanted: object, found: object) -> None:
    if found != wanted:
        raise Failed(f"the {what} is {found!r}, not {wanted!r}")
