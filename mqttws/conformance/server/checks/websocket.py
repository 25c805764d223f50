"""Chapter 6 and RFC 6455, chapters 5 to 8: packets in frames, and frames that break a rule."""

from __future__ import annotations

from mqttws.codec import ConnAck, PingReq, PingResp, Publish
from mqttws.conformance.server.deliveries import subscriber
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, Inconclusive, NotStrict
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close, frame
from mqttws.conformance.wire.peer import Missing

_PINGREQ = b"\xc0\0"


@server_check(v5="MQTT-6.0.0-1", v311="MQTT-6.0.0-1")
async def text_frame_taken(probe: ServerProbe) -> None:
    """A text frame ends the connection, whatever is in it."""
    publish = b"0\x04\0\x01a\0" if probe.is_v5 else b"0\x03\0\x01a"
    for payload in (publish, b"", b"plain text"):
        peer = await probe.connect()
        await peer.send_frame(payload, TEXT)
        await peer.must_end(f"behind a text frame of {len(payload)} bytes")


@server_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def several_packets_in_a_frame(probe: ServerProbe) -> None:
    """Several packets in one frame are all taken, CONNECT among them."""
    topic = probe.topic()
    watcher, peer = await subscriber(probe, topic, 0), await probe.open()
    publishes = [Publish(topic, str(number).encode()) for number in range(3)]
    await peer.send(probe.connect_packet(), *publishes, PingReq(), PingReq())
    await peer.expect(ConnAck)
    await peer.expect(PingResp)
    await peer.expect(PingResp)
    for publish in publishes:
        if (found := await probe.message(watcher, topic)).payload != publish.payload:
            raise Failed(f"{bytes(found.payload)!r} came where {publish.payload!r} was owed")


@server_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def packet_over_several_messages(probe: ServerProbe) -> None:
    """A packet that is split over WebSocket messages is put together again, byte by byte too."""
    topic, payload = probe.topic(), b"a message in pieces"
    watcher = await subscriber(probe, topic, 0)
    peer = await probe.open()
    for byte in peer.bytes_of(probe.connect_packet()):
        await peer.send_frame(bytes((byte,)))
    await peer.expect(ConnAck)
    whole = peer.bytes_of(Publish(topic, payload))
    for cut in (1, 2, 5, len(whole) - 1):
        await peer.send_frame(whole[:cut])
        await peer.send_frame(whole[cut:])
        if (found := await probe.message(watcher, topic)).payload != payload:
            raise Failed(f"a packet cut behind byte {cut} comes with the payload {bytes(found.payload)!r}")
    await peer.fence()


@server_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def frame_with_the_end_and_the_beginning_of_packets(probe: ServerProbe) -> None:
    """A frame may end one packet and begin the next."""
    peer = await probe.connect()
    await peer.send_frame(_PINGREQ + _PINGREQ[:1])
    await peer.send_frame(_PINGREQ[1:] + _PINGREQ + _PINGREQ[:1])
    await peer.send_frame(_PINGREQ[1:])
    for _ in range(4):
        await peer.expect(PingResp)


@server_check(v5=("MQTT-6.0.0-2", "RFC 6455, 5.4"), v311=("MQTT-6.0.0-2", "RFC 6455, 5.4"))
async def fragmented_message(probe: ServerProbe) -> None:
    """A message in fragments is put together, empty ones and control frames between them included."""
    topic, payload = probe.topic(), b"fragments"
    watcher, peer = await subscriber(probe, topic, 0), await probe.connect()
    whole = peer.bytes_of(Publish(topic, payload))
    await peer.send_frame(whole[:1], BINARY, fin=False)
    await peer.send_frame(b"", CONTINUATION, fin=False)
    await peer.send_frame(b"in between", PING)
    await peer.send_frame(whole[1:6], CONTINUATION, fin=False)
    await peer.send_frame(b"nobody asked", PONG)
    await peer.send_frame(whole[6:], CONTINUATION)
    if (found := await probe.message(watcher, topic)).payload != payload:
        raise Failed(f"a fragmented packet comes with the payload {bytes(found.payload)!r}")
    await _pong(peer, b"in between")


@server_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def empty_message(probe: ServerProbe) -> None:
    """An empty binary message is no packet, and does no harm."""
    peer = await probe.connect()
    await peer.send_frame(b"")
    await peer.send_frame(_PINGREQ[:1])
    await peer.send_frame(b"")
    await peer.send_frame(_PINGREQ[1:])
    await peer.expect(PingResp)


@server_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def large_message(probe: ServerProbe) -> None:
    """Frames with lengths of each kind are taken: 7, 16 and 64 bits."""
    topic = probe.topic()
    watcher, peer = await subscriber(probe, topic, 0), await probe.connect()
    for size in (10, 125, 126, 300, 65_530, 70_000):
        if size > probe.limits.get("maximum_packet_size", 100_000) - 256:
            break
        await probe.publish(peer, topic, bytes(size), 0)
        try:
            found = await probe.message(watcher, topic)
        except Missing:
            if size > 300 and await peer.end() is not None:
                raise Inconclusive(
                    f"it ends the connection behind a message of {size} bytes, its largest perhaps"
                ) from None
            raise
        if len(found.payload) != size:
            raise Failed(f"a message of {size} bytes arrives with another length")


# -- RFC 6455 ----------------------------------------------------------------------------------------------------------


@server_check(v5="RFC 6455, 5.1", v311="RFC 6455, 5.1")
async def unmasked_frame_taken(probe: ServerProbe) -> None:
    """A frame from a Client that is not masked ends the connection."""
    peer = await probe.connect()
    await peer.send_wire(frame(_PINGREQ, masked=False))
    await peer.must_end("behind a frame that is not masked")


@server_check(v5="RFC 6455, 5.2", v311="RFC 6455, 5.2")
async def reserved_bit_taken(probe: ServerProbe) -> None:
    """A frame with a reserved bit set, for which no extension was agreed, ends the connection."""
    for bits in (0b100, 0b010, 0b001):
        peer = await probe.connect()
        await peer.send_frame(_PINGREQ, reserved=bits)
        await peer.must_end(f"behind a frame with the reserved bits {bits:03b}")


@server_check(v5="RFC 6455, 5.2", v311="RFC 6455, 5.2")
async def reserved_opcode_taken(probe: ServerProbe) -> None:
    """A frame with an opcode that means nothing ends the connection."""
    for opcode in (3, 7, 11, 15):
        peer = await probe.connect()
        await peer.send_frame(b"", opcode)
        await peer.must_end(f"behind a frame with the opcode {opcode}")


async def _unwise(probe: ServerProbe, name: str, *frames: bytes) -> None:
    """What a Client must not send, but no sentence tells a Server to refuse."""
    peer = await probe.connect()
    await peer.send_wire(b"".join(frames))
    try:
        await peer.must_end(f"behind {name}")
    except Failed as failed:
        raise NotStrict(str(failed)) from None


@server_check(v5="RFC 6455, 5.5", v311="RFC 6455, 5.5")
async def control_frame_too_long(probe: ServerProbe) -> None:
    """A control frame of more than 125 bytes ends the connection."""
    await _unwise(probe, "a Ping of 126 bytes", frame(bytes(126), PING))


@server_check(v5="RFC 6455, 5.5", v311="RFC 6455, 5.5")
async def control_frame_in_fragments(probe: ServerProbe) -> None:
    """A control frame in fragments ends the connection."""
    await _unwise(probe, "a Ping in fragments", frame(b"a", PING, fin=False), frame(b"b", CONTINUATION))


@server_check(v5="RFC 6455, 5.4", v311="RFC 6455, 5.4")
async def continuation_of_nothing(probe: ServerProbe) -> None:
    """A fragment that continues no message ends the connection."""
    await _unwise(probe, "a fragment that continues nothing", frame(_PINGREQ, CONTINUATION))


@server_check(v5="RFC 6455, 5.4", v311="RFC 6455, 5.4")
async def message_within_a_message(probe: ServerProbe) -> None:
    """A message that begins before the one before is finished ends the connection."""
    await _unwise(probe, "a message within another", frame(_PINGREQ[:1], fin=False), frame(_PINGREQ))


@server_check(v5="RFC 6455, 5.5.2", v311="RFC 6455, 5.5.2")
async def ping_unanswered(probe: ServerProbe) -> None:
    """A Ping is answered by a Pong with the same payload."""
    peer = await probe.connect()
    for payload in (b"", b"ping", bytes(range(125))):
        await peer.send_frame(payload, PING)
        await _pong(peer, payload)


async def _pong(peer: Connected, payload: bytes) -> None:
    """A Pong has to come; it may be a little slower than PINGRESP."""
    for _ in range(2):
        await peer.fence()
        if any(one.opcode == PONG and one.payload == payload for one in peer.control):
            return
    raise Failed(f"a Ping of {len(payload)} bytes is not answered by a Pong with the same payload")


@server_check(v5="RFC 6455, 5.5.1", v311="RFC 6455, 5.5.1")
async def close_unanswered(probe: ServerProbe) -> None:
    """A Close frame is answered by one, and the connection ends."""
    for code in (1000, 1001, 3000, None):
        peer = await probe.connect()
        peer.answers = False
        await peer.send_wire(close(code))
        ending = await peer.end()
        if ending is None:
            raise Failed(f"a Close frame with {code} is not answered, and the connection stays open")
        if ending.how != "close":
            raise Failed(f"a Close frame with {code} is answered by {ending}")


@server_check(v5="RFC 6455, 7.4.1", v311="RFC 6455, 7.4.1")
async def forbidden_close_code_sent(probe: ServerProbe) -> None:
    """What a Server says when a Close frame is wrong is a code that may be sent."""
    wrong = {
        "a Close frame of one byte": frame(b"\x03", CLOSE),
        "a Close frame with 1005": close(1005),
        "a Close frame with 999": close(999),
        "a Close frame whose reason is no UTF-8": close(1000, b"\xff\xfe"),
        "a frame that is not masked": frame(b"", PING, masked=False),
    }
    for name, data in wrong.items():
        peer = await probe.connect()
        peer.answers = False
        await peer.send_wire(data)
        ending = await peer.end()
        code = None if ending is None else ending.code  # whether it has to end is what other checks judge
        if code is not None and (code < 1000 or code in (1004, 1005, 1006, 1015) or 1016 <= code < 3000):
            raise Failed(f"its Close frame behind {name} has the code {code}, which may not be sent")
