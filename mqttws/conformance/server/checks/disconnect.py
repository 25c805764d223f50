"""3.14 DISCONNECT, from either end, and what is wrong in one."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from mqttws.codec import ConnAck, Disconnect, PingReq, Will, encode
from mqttws.conformance.server.deliveries import connect_without_session, lasting, resume, subscriber
from mqttws.conformance.server.hostile import connect_bytes
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable, NotTested
from mqttws.conformance.wire.peer import Missing
from mqttws.vocabulary import QOS


async def _is_no_farewell(probe: ServerProbe, wrong: bytes, name: str) -> None:
    """A DISCONNECT that is malformed is none: the connection ends, and the will speaks."""
    topic = probe.topic()
    watcher = await subscriber(probe, topic)
    peer = await probe.connect(will=Will(topic, b"will", QOS[0]))
    await peer.send(wrong)
    await peer.must_end(f"behind {name}")
    try:
        await probe.message(watcher, topic)
    except Missing:
        raise Failed(f"{name} is taken for a good one: the will is not published") from None


@server_check(v5=("MQTT-3.14.1-1", "MQTT-2.1.3-1"), v311=("MQTT-3.14.1-1", "MQTT-2.2.2-2"), needs="will")
async def flags_of_disconnect_unchecked(probe: ServerProbe) -> None:
    """A DISCONNECT with reserved bits set is an error, behind which the will is published."""
    await _is_no_farewell(probe, b"\xe2\0", "DISCONNECT with reserved bits set")


@server_check(v5=("MQTT-3.14.2-1", "MQTT-4.13.1-1"), needs="will")
async def unknown_code_in_disconnect(probe: ServerProbe) -> None:
    """A DISCONNECT with a code that it cannot have is an error, behind which the will is published."""
    for code in (0x05, 0x18, 0xFF):
        await _is_no_farewell(probe, bytes((0xE0, 1, code)), f"DISCONNECT with 0x{code:02X}")


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 3.14.2.2.2"))
async def session_prolonged_by_disconnect(probe: ServerProbe) -> None:
    """A DISCONNECT cannot give a Session to a Client that wanted none."""
    async with lasting(probe) as client_id:
        peer = await connect_without_session(probe, client_id)
        await peer.send(Disconnect(properties={"session_expiry_interval": 60}))
        await peer.end()
        await peer.close()
        if (await resume(probe, client_id)).connack.session_present:
            raise Failed("a DISCONNECT has made a Session of 60 s out of one that was to end with its connection")


@server_check(v5="MQTT-3.14.0-1")
async def disconnect_before_connack(probe: ServerProbe) -> None:
    """No DISCONNECT comes on a connection that was not accepted."""
    method = probe.connect_packet(authentication_method="mqttws-no-such-method")
    wrong = (connect_bytes(probe, flip=0x01), connect_bytes(probe, properties=b"\2\x7f\0"), b"\xc0\0", encode(method))
    for packet in wrong:
        peer = await probe.open()
        await peer.send(packet)
        await peer.end()
        accepted = any(isinstance(one, ConnAck) and one.reason_code < 0x80 for one in peer.arrived)
        if peer.disconnect is not None and not accepted:
            raise Failed("it sends DISCONNECT on a connection that it has not accepted")


async def _told(probe: ServerProbe, **properties: Any) -> tuple[Connected, Disconnect]:
    """A connection on which the Server has sent DISCONNECT. Raises :class:`NotTested` if it sends none."""
    client_id = probe.name()
    for wrong in (probe.connect_packet(), b"\0\0", None):
        peer = await probe.connect(client_id, **properties)
        if wrong is None:
            await probe.connect(client_id)
        else:
            await peer.send(wrong, PingReq())
        await peer.end()
        if peer.disconnect is not None:
            return peer, peer.disconnect
    raise NotTested("it sends no DISCONNECT, whatever is wrong")


@server_check(v5=("MQTT-3.14.4-1", "MQTT-3.14.4-2", "MQTT-4.13.2-1"))
async def goes_on_behind_its_disconnect(probe: ServerProbe) -> None:
    """A DISCONNECT of the Server is the last that it sends, and it ends the connection."""
    peer, disconnect = await _told(probe)
    if peer.arrived[-1] is not disconnect:
        raise Failed(f"{type(peer.arrived[-1]).__name__.upper()} comes behind a DISCONNECT")
    await peer.must_end("behind its own DISCONNECT")


@server_check(v5=("MQTT-3.14.2-3", "MQTT-3.14.2-4", "MQTT-3.1.2-24"))
async def disconnect_too_large(probe: ServerProbe) -> None:
    """A DISCONNECT goes without Reason String and User Property where they make it too large for the Client."""
    peer, disconnect = await _told(probe)
    if not {"reason_string", "user_property"} & set(disconnect.properties):
        raise NotApplicable("its DISCONNECT has neither a Reason String nor a User Property")
    least = len(encode(peer.connack))
    size = len(encode(disconnect)) - 1
    if size < least:
        raise NotApplicable(f"its DISCONNECT of {size + 1} bytes is smaller than its CONNACK")
    with suppress(NotTested):  # it may as well go without
        _, smaller = await _told(probe, maximum_packet_size=size)
        if len(encode(smaller)) > size:
            raise Failed(f"a DISCONNECT of {len(encode(smaller))} bytes goes to a Client that takes {size}")
