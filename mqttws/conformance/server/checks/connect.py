"""3.1: who is let in, and what a Server does with packets before and behind a CONNECT."""

from __future__ import annotations

import string
from contextlib import suppress

from mqttws.codec import ConnAck, PingReq, Publish, Subscribe, Subscription, encode
from mqttws.conformance.server.deliveries import lasting, nothing_but, resume, subscriber
from mqttws.conformance.server.hostile import connect_bytes, leave
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.server.subject import CLIENT_IDS
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotTested
from mqttws.conformance.wire.peer import Ended
from mqttws.vocabulary import QOS


@server_check(v5=("MQTT-3.1.0-2", "MQTT-4.13.1-1"), v311=("MQTT-3.1.0-2", "MQTT-4.8.0-1"))
async def second_connect(probe: ServerProbe) -> None:
    """A second CONNECT on a connection ends it."""
    peer = await probe.connect()
    await peer.send(probe.connect_packet())
    await peer.must_end("behind a second CONNECT")


@server_check(v5=("MQTT-3.1.0-1", "MQTT-4.13.1-1"), v311=("MQTT-3.1.0-1", "MQTT-4.8.0-1"))
async def other_packet_before_connect(probe: ServerProbe) -> None:
    """A connection that begins with another packet than CONNECT is ended, and that packet has no effect."""
    topic = probe.topic()
    watcher, publisher = await subscriber(probe, topic), await probe.connect()
    for first in (Publish(topic, b"before CONNECT"), Subscribe(1, [Subscription(topic, QOS[0])]), PingReq()):
        peer = await probe.open()
        await peer.send(first)
        await peer.must_end(f"behind {first.packet_type.name} as the first packet")
    await nothing_but(probe, watcher, topic, publisher, "a message that was published before CONNECT has come", qos=0)


@server_check(v5="MQTT-3.1.3-5", v311="MQTT-3.1.3-5")
async def good_client_identifier_refused(probe: ServerProbe) -> None:
    """Client Identifiers of 1 to 23 letters and digits are accepted."""
    if probe.subject.client_ids != CLIENT_IDS:
        raise NotApplicable(f"Client Identifiers are to begin with {probe.subject.client_ids!r} here")
    longest = probe.name(22)
    single = "Q" if probe.is_v5 else "q"  # both versions may be tried at the same time
    numbers = "".join(str(ord(one) % 10) for one in probe.name(10))
    for client_id in (single, numbers, longest, probe.name(11).upper(), string.ascii_uppercase[:11] + probe.name(11)):
        peer = await _try(probe, client_id)
        if peer.connack.reason_code:
            raise Failed(f"the Client Identifier {client_id} is refused with 0x{peer.connack.reason_code:02X}")


async def _try(probe: ServerProbe, client_id: str) -> Connected:
    """Connect with an identifier that may be refused."""
    peer = await probe.open()
    await peer.send(probe.connect_packet(client_id))
    peer.connack = await peer.expect(ConnAck)
    return peer


@server_check(v5=("MQTT-3.1.3-6", "MQTT-3.1.3-7", "MQTT-3.2.2-16"), v311="MQTT-3.1.3-6", needs="empty_client_id")
async def assigned_identifier_not_unique(probe: ServerProbe) -> None:
    """Clients with an empty Client Identifier each get one of their own; 5.0 tells them which."""
    first, second = await probe.connect(""), await probe.connect("")
    await first.fence()
    await second.fence()
    if not probe.is_v5:
        return
    names = [one.connack.properties.get("assigned_client_identifier", "") for one in (first, second)]
    if not all(names):
        raise Failed("CONNACK for an empty Client Identifier has no Assigned Client Identifier")
    if names[0] == names[1]:
        raise Failed(f"two Clients are both given the identifier {names[0]}")


@server_check(v5="MQTT-3.1.3-7", needs=("empty_client_id", "session_expiry"))
async def assigned_identifier_not_kept(probe: ServerProbe) -> None:
    """A Session begun with an empty Client Identifier goes on under the one that was assigned."""
    peer = await probe.connect("", clean_start=False, session_expiry_interval=30)
    client_id = peer.connack.properties.get("assigned_client_identifier")
    if not client_id:
        raise Failed("CONNACK for an empty Client Identifier has no Assigned Client Identifier")
    await leave(peer)
    again = await resume(probe, client_id)
    if not again.connack.session_present:
        raise Failed("there is no Session under the Assigned Client Identifier")
    await probe.connect(client_id)


@server_check(v311=("MQTT-3.1.3-8", "MQTT-3.1.3-7", "MQTT-3.1.3-9"))
async def empty_identifier_with_a_session(probe: ServerProbe) -> None:
    """An empty Client Identifier without CleanSession is answered by 0x02, and the connection ends."""
    peer = await probe.open()
    await peer.send(connect_bytes(probe, flip=0x02, client_id=b""))
    connack = await peer.expect(ConnAck)
    if connack.reason_code != 0x02:
        raise Failed(f"it is answered by 0x{connack.reason_code:02X}")
    await peer.must_end("behind CONNACK with 0x02")


@server_check(v5="MQTT-3.1.3-8", v311="MQTT-3.1.3-9")
async def open_behind_a_refused_identifier(probe: ServerProbe) -> None:
    """A Server that does not take a Client Identifier ends the connection."""
    codes = set()
    for client_id in ("$with spaces / and \u00e4\u4e2d", "x" * 4_000, ""):
        try:
            peer = await _try(probe, client_id)
        except Ended:  # it says nothing, and is gone
            continue
        if code := peer.connack.reason_code:
            codes.add(int(code))
            await peer.must_end(f"behind CONNACK with 0x{code:02X}")
    if not codes:
        raise NotApplicable("it takes every Client Identifier that was tried, or says nothing")
    if not probe.is_v5 and 0x02 not in codes:  # but perhaps that was not because of the identifier
        raise Inconclusive(f"it refuses Client Identifiers with {', '.join(map(hex, codes))}, never with 0x02")


@server_check(v5=("MQTT-3.1.4-2", "MQTT-3.2.2-7"), v311="MQTT-3.2.2-5")
async def open_behind_refused_credentials(probe: ServerProbe) -> None:
    """A Server that does not know a Client's name and password ends the connection."""
    peer = await probe.open()
    packet = probe.connect_packet()
    packet.username, packet.password = probe.name(), b"not the password"
    await peer.send(packet)
    try:
        connack = await peer.expect(ConnAck)
    except Failed:
        await peer.must_end("behind credentials that it does not answer")
        return
    if not connack.reason_code:
        raise NotApplicable("it lets everybody in, whatever the name and the password")
    await peer.must_end(f"behind CONNACK with 0x{connack.reason_code:02X}")


@server_check(v5="MQTT-3.1.4-5", v311="MQTT-3.1.4-4")
async def good_connect_refused(probe: ServerProbe) -> None:
    """A good CONNECT is answered by CONNACK with 0x00, with whatever properties it comes."""
    await probe.connect()
    await probe.connect(
        session_expiry_interval=0,
        receive_maximum=10,
        maximum_packet_size=65_536,
        topic_alias_maximum=5,
        request_response_information=1,
        request_problem_information=0,
        user_property=[("a", "b"), ("a", "c")],
    )


@server_check(v5="MQTT-3.1.4-6", v311="MQTT-3.1.4-5")
async def packets_behind_a_refused_connect(probe: ServerProbe) -> None:
    """What stands behind a CONNECT that is refused has no effect."""
    publisher = await probe.connect()
    refusals = [connect_bytes(probe, level=0x7F), connect_bytes(probe, flip=0x01)]
    if probe.is_v5:
        refusals.append(encode(probe.connect_packet(authentication_method="mqttws-no-such-method")))
    else:
        refusals.append(connect_bytes(probe, flip=0x02, client_id=b""))
    for wrong in refusals:
        topic = probe.topic()
        watcher, peer = await subscriber(probe, topic), await probe.open()
        peer.judges = False  # it may answer in either version, where it does not know the level
        await peer.send(wrong, Publish(topic, b"behind a refused CONNECT"))
        with suppress(Inconclusive):
            await peer.end()
        if any(isinstance(one, ConnAck) and not one.reason_code for one in peer.arrived):
            continue  # it is accepted, which other checks judge
        await nothing_but(probe, watcher, topic, publisher, "a message behind a refused CONNECT was published", qos=0)


@server_check(v5="MQTT-3.2.0-1", v311="MQTT-3.2.0-1")
async def packet_before_connack(probe: ServerProbe) -> None:
    """CONNACK comes before the answers to packets that stand directly behind CONNECT."""
    peer = await probe.open()
    subscribe = Subscribe(1, [Subscription(probe.topic(), QOS[0])])
    await peer.send(probe.connect_packet(), subscribe, PingReq())
    await peer.expect(ConnAck, aside=())
    await peer.fence()


@server_check(v5="MQTT-3.2.0-1", v311="MQTT-3.2.0-1", needs=("session_expiry", "qos1"))
async def message_before_connack(probe: ServerProbe) -> None:
    """CONNACK comes before the messages that have waited for a Session."""
    topic = probe.topic()
    publisher = await probe.connect()
    async with lasting(probe) as client_id:
        peer = await resume(probe, client_id)
        await probe.subscribe(peer, topic, 1)
        await leave(peer)
        await probe.publish(publisher, topic, b"waits", 1)
        again = await probe.open()
        await again.send(probe.connect_packet(client_id, clean_start=False, session_expiry_interval=30))
        await again.expect(ConnAck, aside=())


@server_check(v5="MQTT-3.2.0-2")
async def second_connack(probe: ServerProbe) -> None:
    """No second CONNACK comes, not even for a second CONNECT."""
    peer = await probe.connect()
    await peer.fence()
    await peer.send(probe.connect_packet())
    if await peer.end() is None:
        raise Inconclusive("the connection is still open behind a second CONNECT, which another check judges")
    if sum(isinstance(one, ConnAck) for one in peer.arrived) > 1:
        raise Failed("it has sent two CONNACKs on one connection")


@server_check(v5=("MQTT-3.2.2-7", "MQTT-4.13.2-1"), v311="MQTT-3.2.2-5")
async def open_behind_a_refusing_connack(probe: ServerProbe) -> None:
    """A connection ends behind a CONNACK that refuses it."""
    packets = [connect_bytes(probe, level=0x7F), connect_bytes(probe, flip=0x01)]
    if probe.is_v5:
        packets.append(encode(probe.connect_packet(authentication_method="mqttws-no-such-method")))
    else:
        packets.append(connect_bytes(probe, flip=0x02, client_id=b""))
    told = False
    for packet in packets:
        peer = await probe.open()
        peer.judges = False  # it may answer in either version, where it does not know the level
        await peer.send(packet)
        with suppress(Failed, Inconclusive):
            if not (await peer.expect(ConnAck)).reason_code:
                continue  # it is accepted, which other checks judge
        if peer.arrived or peer.broken:
            told = True
            await peer.must_end("behind a CONNACK that refuses")
    if not told:
        raise NotTested("it refuses by the end of the connection alone, without a CONNACK")


@server_check(v5="MQTT-3.2.2-6", v311="MQTT-3.2.2-4", needs="session_expiry")
async def session_present_in_a_refusal(probe: ServerProbe) -> None:
    """A CONNACK that refuses has Session Present 0, also where the Client has a Session."""
    async with lasting(probe) as client_id:
        await leave(await resume(probe, client_id))
        known = client_id.encode()
        packets = [connect_bytes(probe, level=0x7F, flags=0, client_id=known, credentials=b"")]
        if probe.is_v5:
            method = b"\x15\0\6no-one"
            properties = bytes((len(method),)) + method
            packets.append(connect_bytes(probe, flip=0x02, client_id=known, properties=properties))
        seen = 0
        for packet in packets:
            peer = await probe.open()
            peer.judges = False
            await peer.send(packet)
            await peer.end()
            seen += sum(isinstance(one, ConnAck) and one.reason_code > 0 for one in peer.arrived)
            for raw in peer.broken:
                if raw.first_byte == 0x20 and raw.body[:1] == b"\1" and raw.body[1:2] > b"\0":
                    raise Failed(f"CONNACK with 0x{raw.body[1]:02X} has Session Present 1")
        if not seen:
            raise NotTested("it refuses by the end of the connection alone, without a CONNACK")
