"""Chapter 6 and RFC 6455, 5: packets in any frames, and frames that are none."""

from __future__ import annotations

from typing import Any, Final

from mqttws.codec import PingResp
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.conformance.wire.frames import BINARY, CONTINUATION, PING, PONG, TEXT, close, frame

__all__: list[str] = []

#: A reserved opcode for data, and one for control.
_RESERVED: Final = (3, 11)
#: What a Ping says.
_PING: Final = b"are you there"


@client_check(v5="MQTT-6.0.0-1", v311="MQTT-6.0.0-1")
async def takes_a_text_frame(probe: ClientProbe) -> None:
    """Control Packets in a text frame end the connection."""
    visit = await probe.talk()
    # every byte of it is UTF-8, so that nothing else is wrong with the frame
    await visit.send_frame(visit.bytes_of(visit.message(b"text", 1, packet_id=7)), TEXT)
    await probe.ends(visit, "behind a text frame", must=True)


@client_check(v5="MQTT-6.0.0-1", v311="MQTT-6.0.0-1")
async def takes_connack_in_a_text_frame(probe: ClientProbe) -> None:
    """CONNACK in a text frame ends the connection."""
    visit = await probe.open()
    await visit.send_frame(b"\x20\x03\x00\x00\x00" if probe.is_v5 else b"\x20\x02\x00\x00", TEXT)
    await probe.ends(visit, "behind CONNACK in a text frame", must=True)


@client_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def loses_a_packet_over_many_messages(probe: ClientProbe) -> None:
    """A packet whose every byte comes in a message of its own is a packet."""
    visit = await probe.talk()
    publish = visit.message(b"in many messages", 1)
    data = visit.bytes_of(publish)
    await visit.send_wire(b"".join(frame(data[at : at + 1], masked=False) for at in range(len(data))))
    await probe.arrives(visit, publish)


@client_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def loses_connack_over_two_messages(probe: ClientProbe) -> None:
    """A CONNACK that is cut in two messages is a CONNACK."""
    visit = await probe.open()
    await visit.send_frame(b"\x20")
    await visit.send_frame(b"\x03\x00\x00\x00" if probe.is_v5 else b"\x02\x00\x00")
    await probe.greeted()
    await probe.subscribe(visit)
    await probe.fence(visit)


@client_check(v5="MQTT-6.0.0-2", v311="MQTT-6.0.0-2")
async def loses_packets_in_one_message(probe: ClientProbe) -> None:
    """Several packets in a message, and the beginning of another, are all packets."""
    visit = await probe.talk()
    messages = [visit.message(f"{number} of many".encode(), 1) for number in range(1, 4)]
    data = visit.bytes_of(*messages)
    await visit.send_wire(frame(data[:-5], masked=False) + frame(data[-5:], masked=False))
    for publish in messages:
        await probe.arrives(visit, publish)


@client_check(v5="RFC 6455, 5.4", v311="RFC 6455, 5.4")
async def loses_a_fragmented_message(probe: ClientProbe) -> None:
    """A message in several frames, with a Ping between them, is one message."""
    visit = await probe.talk()
    publish = visit.message(b"in fragments", 1)
    data = visit.bytes_of(publish)
    await visit.send_wire(
        frame(data[:3], BINARY, fin=False, masked=False)
        + frame(b"", CONTINUATION, fin=False, masked=False)
        + frame(b"between", PING, masked=False)
        + frame(data[3:], CONTINUATION, masked=False)
    )
    await probe.arrives(visit, publish)


@client_check(v5="RFC 6455, 5.2", v311="RFC 6455, 5.2")
async def loses_a_long_frame(probe: ClientProbe) -> None:
    """Frames with their length in two and in eight more bytes are read."""
    visit = await probe.talk()
    for size in (200, 70_000):
        publish = visit.message(bytes(range(200)) * (size // 200), 1)
        await visit.send(publish)
        await probe.arrives(visit, publish)


@client_check(v5="RFC 6455, 5.5.2", v311="RFC 6455, 5.5.2")
async def leaves_a_ping_unanswered(probe: ClientProbe) -> None:
    """A Ping is answered by a Pong with the same bytes."""
    visit = await probe.talk()
    await visit.send_frame(_PING, PING)
    await probe.fence(visit)
    if _PING not in _pongs(visit):
        await visit.end()  # it owes a Pong, but not before anything else
    if _PING not in (pongs := _pongs(visit)):
        raise Failed(f"the Pong has {pongs[0]!r:.100}" if pongs else "no Pong has come, but a later PUBACK")


def _pongs(visit: Visit) -> list[bytes]:
    return [one.payload for one in visit.control if one.opcode == PONG]


@client_check(v5="RFC 6455, 5.5.3", v311="RFC 6455, 5.5.3")
async def falls_over_a_pong(probe: ClientProbe) -> None:
    """A Pong that nobody asked for is nothing to answer, and nothing to end the connection for."""
    visit = await probe.talk()
    await visit.send_frame(_PING, PONG)
    await probe.fence(visit)
    if _PING in _pongs(visit):  # no rule forbids that, nor Pings and Pongs of its own
        raise NotStrict("it has answered a Pong by a Pong")


@client_check(v5="RFC 6455, 5.5.1", v311="RFC 6455, 5.5.1")
async def leaves_a_close_unanswered(probe: ClientProbe) -> None:
    """A Close frame is answered by a Close frame."""
    visit = await probe.talk()
    visit.answers = False
    await visit.send_wire(close(1000, masked=False))
    ending = await visit.end()
    if ending is None:
        raise Failed("it does not end the connection behind a Close frame")
    if ending.how != "close":
        raise Failed(f"{ending} came where a Close frame was owed")


@client_check(v5="RFC 6455, 5.1", v311="RFC 6455, 5.1")
async def takes_a_masked_frame(probe: ClientProbe) -> None:
    """A masked frame from a Server ends the connection."""
    await _ends_behind(probe, "a masked frame", masked=True)


@client_check(v5="RFC 6455, 5.2", v311="RFC 6455, 5.2")
async def takes_reserved_bits(probe: ClientProbe) -> None:
    """A reserved bit without an extension ends the connection."""
    await _ends_behind(probe, "a frame with a reserved bit", reserved=1)


@client_check(v5="RFC 6455, 5.2", v311="RFC 6455, 5.2")
async def takes_reserved_opcodes(probe: ClientProbe) -> None:
    """A reserved opcode ends the connection."""
    for opcode in _RESERVED:
        await _ends_behind(probe, f"a frame with opcode {opcode}", opcode=opcode)
        await probe.close()


@client_check(v5="RFC 6455, 5.4", v311="RFC 6455, 5.4")
async def takes_a_continuation_of_nothing(probe: ClientProbe) -> None:
    """A continuation frame where no message was begun ends the connection."""
    await _ends_behind(probe, "a continuation of nothing", must=False, opcode=CONTINUATION)


@client_check(v5="RFC 6455, 5.4", v311="RFC 6455, 5.4")
async def takes_a_message_within_a_message(probe: ClientProbe) -> None:
    """A new message before the last one is finished ends the connection."""
    visit = await probe.talk()
    await visit.send_frame(visit.bytes_of(PingResp())[:1], BINARY, fin=False)
    await probe.ends(visit, "behind a message within a message", must=False)


@client_check(v5="RFC 6455, 5.5", v311="RFC 6455, 5.5")
async def takes_a_fragmented_ping(probe: ClientProbe) -> None:
    """A Ping that is not whole ends the connection."""
    await _ends_behind(probe, "a fragmented Ping", must=False, payload=b"half", opcode=PING, fin=False)


@client_check(v5="RFC 6455, 5.5", v311="RFC 6455, 5.5")
async def takes_a_long_ping(probe: ClientProbe) -> None:
    """A Ping of more than 125 bytes ends the connection."""
    await _ends_behind(probe, "a Ping of 126 bytes", must=False, payload=bytes(126), opcode=PING)


async def _ends_behind(
    probe: ClientProbe, what: str, *, must: bool = True, payload: bytes | None = None, **fields: Any
) -> None:
    """The Client has to end the connection behind a frame; without a payload that holds a good message.

    RFC 6455 says so of masks, reserved bits and opcodes only. Of the order of fragments and of control frames it says
    what must not be sent: there ``must`` is False.
    """
    visit = await probe.talk()
    await visit.send_frame(visit.bytes_of(visit.message(b"wrapped wrongly")) if payload is None else payload, **fields)
    await probe.ends(visit, f"behind {what}", must=must)
