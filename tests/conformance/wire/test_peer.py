"""One connection to a subject, as either end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from trio.testing import MemoryReceiveStream, MemorySendStream, memory_stream_pair

from mqttws.codec import (
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    Publish,
    RawPacket,
    SubAck,
    encode,
)
from mqttws.conformance.verdict import Broken, Failed
from mqttws.conformance.watch import UNNUMBERED, Watch
from mqttws.conformance.wire.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameReader, close, frame
from mqttws.conformance.wire.peer import Ended, Ending, Missing, Peer
from mqttws.trace import Recorder
from mqttws.transport.tap import tap
from mqttws.vocabulary import QOS, ProtocolVersion, Role

V5 = ProtocolVersion.V5
Far = trio.StapledStream[MemorySendStream, MemoryReceiveStream]


def in_time(main: Callable[[], Awaitable[None]]) -> None:
    """Run it on a clock that jumps."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def a_peer(role: Role = Role.CLIENT, version: ProtocolVersion | None = V5) -> tuple[Peer, Far, Watch]:
    """A peer of that role, the subject's end of its stream, and what watches."""
    ours, its = memory_stream_pair()
    watch = Watch()
    peer = Peer(ours, role, version, patience=2.0, watch=watch, recorder=Recorder(last=4096))
    return peer, its, watch


def sent(*packets: Packet | RawPacket, masked: bool = False) -> bytes:
    """Packets of a subject in one binary frame."""
    return frame(b"".join(encode(packet) for packet in packets), masked=masked)


async def came(its: Far) -> list[tuple[int, bytes]]:
    """What the subject has got up to now."""
    return [(found.opcode, found.payload) for found in FrameReader().receive(bytes(await its.receive_some()))]


def test_packets_go_out_in_one_message_or_each_in_its_own_masked_as_the_role_is() -> None:
    async def main() -> None:
        for role, masked in ((Role.CLIENT, True), (Role.SERVER, False)):
            peer, its, _ = a_peer(role)
            await peer.send(PingReq(), RawPacket(0xF0, b"\x01"), b"\xe0\x00")
            assert await came(its) == [(BINARY, b"\xc0\x00\xf0\x01\x01\xe0\x00")]
            await peer.send_each(PingReq(), PingReq())
            assert await came(its) == [(BINARY, b"\xc0\x00")] * 2
            await peer.send_frame(b"x", TEXT, fin=False)
            (found,) = FrameReader().receive(bytes(await its.receive_some()))
            assert (found.opcode, found.fin, found.masked) == (TEXT, False, masked)
            await peer.drop()
            assert await its.receive_some() == b""
            await peer.send(PingReq())  # what nobody takes is no fault of anybody

    in_time(main)


def test_packets_come_in_order_whatever_frames_they_are_in() -> None:
    async def main() -> None:
        peer, its, watch = a_peer()
        data = encode(ConnAck()) + encode(Publish("a", b"x"))
        await its.send_all(
            frame(data[:3], fin=False, masked=False) + frame(data[3:], CONTINUATION, masked=False) + sent(PingResp())
        )
        assert await peer.receive() == ConnAck()
        assert await peer.expect(PingResp) == PingResp()
        assert peer.aside == [Publish("a", b"x")]
        assert [type(packet) for packet in peer.arrived] == [ConnAck, Publish, PingResp]
        assert watch.traits[V5, "frame"] == 3
        assert watch.sightings == []

    in_time(main)


def test_another_packet_than_the_one_that_is_owed_is_a_failure() -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        await its.send_all(sent(PubAck(1), PubAck(2), ConnAck()))
        assert await peer.expect(PubAck, where=lambda found: found.packet_id == 1) == PubAck(1)
        with pytest.raises(Failed, match="CONNACK came where PUBACK was owed"):
            await peer.expect(PubAck, where=lambda found: found.packet_id == 3, aside=(PubAck,))
        assert peer.aside == [PubAck(2)]

    in_time(main)


def test_what_does_not_come_in_time_is_missing() -> None:
    async def main() -> None:
        peer, _, _ = a_peer()
        with pytest.raises(Missing, match="SUBACK has not come within 2 s"):
            await peer.expect(SubAck)
        with pytest.raises(Missing, match=r"a packet has not come within 0\.5 s"):
            await peer.receive(within=0.5)
        assert trio.current_time() == pytest.approx(2.5, abs=0.01)
        assert peer.ending is None

    in_time(main)


@pytest.mark.parametrize(
    ("wire", "ending", "words"),
    [
        (b"", Ending("eof"), "the end of the stream came where PUBACK was owed"),
        (close(1002, masked=False), Ending("close", 1002), "a Close frame with 1002 came"),
        (close(None, masked=False), Ending("close", None), "a Close frame came where"),
        (sent(Disconnect(0x82)), Ending("eof"), "the end of the stream behind DISCONNECT 0x82 came"),
    ],
)
def test_the_end_of_a_connection_is_told_as_it_was(wire: bytes, ending: Ending, words: str) -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        await its.send_all(wire or b"\x82\x00")
        await its.send_stream.aclose()
        with pytest.raises(Ended, match=words) as problem:
            await peer.expect(PubAck, aside=(Disconnect,))
        assert problem.value.ending == peer.ending == ending
        assert (peer.disconnect is not None) is ("DISCONNECT" in words)
        assert await peer.must_end("behind something") == ending

    in_time(main)


def test_a_reset_is_one() -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        peer._stream = trio.testing.memory_stream_pair()[0]
        await peer.drop()
        assert str(await peer.end()) == "a reset"
        await its.aclose()

    in_time(main)


def test_a_connection_can_be_reset_through_whatever_lies_around_its_socket() -> None:
    async def main() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            port = listener.socket.getsockname()[1]
            recorder = Recorder(last=4096)
            ours = tap(await trio.open_tcp_stream("127.0.0.1", port), recorder, Role.CLIENT)
            peer = Peer(ours, Role.CLIENT, V5, patience=2.0, watch=Watch(), recorder=recorder)
            with trio.fail_after(20):
                async with await listener.accept() as its:
                    await peer.reset()
                    with pytest.raises(trio.BrokenResourceError):
                        await its.receive_some()
        peer, its_end, _ = a_peer()
        await peer.reset()
        assert await its_end.receive_some() == b""

    trio.run(main)


def test_a_fence_gives_what_came_before_it() -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        await its.send_all(sent(Publish("a"), PubAck(1), PingResp(), Publish("late")))
        assert await peer.fence() == [Publish("a"), PubAck(1)]
        assert await came(its) == [(BINARY, b"\xc0\x00")]
        assert await peer.expect(Publish) == Publish("late")

    in_time(main)


def test_pings_and_close_are_answered_once_unless_they_are_not_to_be() -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        await its.send_all(frame(b"p", PING, masked=False) + close(1001, b"bye", masked=False))
        assert await peer.end() == Ending("close", 1001)
        assert await came(its) == [(PONG, b"p"), (CLOSE, b"\x03\xe9bye")]
        assert [found.opcode for found in peer.control] == [PING]
        await peer.close()
        assert await its.receive_some() == b""

        peer, its, _ = a_peer()
        peer.answers = False
        await its.send_all(frame(b"p", PING, masked=False) + close(1001, masked=False))
        await peer.end()
        await peer.drop()
        assert await its.receive_some() == b""

        peer, its, _ = a_peer()
        await its.send_all(close(1000, masked=False))
        await peer.close(1008)
        assert await came(its) == [(CLOSE, b"\x03\xf0")]
        assert await its.receive_some() == b""

    in_time(main)


def test_a_packet_that_breaks_a_rule_is_held_against_it_and_what_follows_is_read() -> None:
    async def main() -> None:
        peer, its, watch = a_peer()
        await its.send_all(sent(RawPacket(0x36, b"\x00\x01a\x00"), RawPacket(0x00, b""), PingResp()))
        with pytest.raises(Broken, match="it sent PUBLISH that breaks a rule by itself, where PINGRESP") as problem:
            await peer.expect(PingResp)
        assert problem.value.rule == "MQTT-3.3.1-4"
        with pytest.raises(Broken, match="a packet of reserved type"):
            await peer.receive()
        assert await peer.receive() == PingResp()
        assert len(peer.broken) == 2
        assert {sighting.rule for sighting in watch.sightings} >= {"MQTT-3.3.1-4"}
        assert watch.broken(V5, "MQTT-3.3.1-4") is not None

    in_time(main)


def test_behind_bytes_that_have_no_length_nothing_can_be_read() -> None:
    async def main() -> None:
        peer, its, watch = a_peer()
        await its.send_all(sent(PingResp()) + frame(b"\xd0\xff\xff\xff\xff\x7f", masked=False))
        assert await peer.receive() == PingResp()
        for _ in range(2):
            with pytest.raises(Broken, match="can no longer be read"):
                await peer.receive()
        assert [sighting.rule for sighting in watch.sightings] == [UNNUMBERED]

    in_time(main)


def test_the_first_packet_of_a_client_tells_the_version_or_is_held_against_it() -> None:
    async def main() -> None:
        peer, its, _ = a_peer(Role.SERVER, None)
        assert peer.version == V5
        await its.send_all(sent(Connect(ProtocolVersion.V3_1_1, "c"), masked=True))
        assert isinstance(await peer.receive(), Connect)
        assert peer.version == ProtocolVersion.V3_1_1

        peer, its, watch = a_peer(Role.SERVER, None)
        await its.send_all(sent(PingReq(), masked=True))
        with pytest.raises(Broken):
            await peer.receive()
        assert {(one.version, one.rule) for one in watch.sightings} == {
            (version, "MQTT-3.1.0-1") for version in ProtocolVersion
        }

    in_time(main)


@pytest.mark.parametrize(
    ("wire", "rule"),
    [
        (frame(b"", 3, masked=False), "RFC 6455, 5.2"),
        (frame(b"", reserved=2, masked=False), "RFC 6455, 5.2"),
        (frame(b""), "RFC 6455, 5.1"),
        (frame(b"", PONG, fin=False, masked=False), "RFC 6455, 5.5"),
        (frame(b"", TEXT, masked=False), "MQTT-6.0.0-1"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_held_against_it(wire: bytes, rule: str) -> None:
    async def main() -> None:
        peer, its, watch = a_peer()
        await its.send_all(wire)
        await its.send_stream.aclose()
        await peer.end()
        assert [sighting.rule for sighting in watch.sightings] == [rule]

    in_time(main)


@pytest.mark.parametrize("wire", [frame(opcode=PONG, masked=False), sent(PingResp()), frame(b"\xf0\x00", masked=False)])
def test_who_sends_without_end_is_read_no_further(wire: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        for limit in ("_MOST_PACKETS", "_MOST_BYTES"):
            with monkeypatch.context() as limits:
                limits.setattr(f"mqttws.conformance.wire.peer.{limit}", 1_000)
                peer, its, _ = a_peer()
                await its.send_all(wire * 100_000)
                assert await peer.end() is None
                assert 1_000 < len(peer.arrived) + len(peer.broken) + len(peer.control) <= 65_536 / len(wire)

    in_time(main)


def answers(its: Far, *steps: Any) -> Callable[[], Awaitable[None]]:
    """A subject that sends bytes, and waits seconds, by turns."""

    async def run() -> None:
        for step in steps:
            if isinstance(step, bytes):
                await its.send_all(step)
            else:
                await trio.sleep(step)
        await its.send_stream.aclose()

    return run


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ((0.1,), None),
        ((sent(PingResp()), 0.3), None),  # it works on several packets at a time
        ((7.0,), None),  # it is slow, and has given no sign of going on
        ((sent(PingResp()), 60), "it goes on behind a fault: PINGRESP was answered, and the connection stays open"),
        ((sent(Publish("a")), 60), "it does not end the connection behind a fault"),
    ],
)
def test_who_has_to_end_a_connection_is_asked_for_a_sign_of_life(steps: tuple[Any, ...], words: str | None) -> None:
    async def main() -> None:
        peer, its, _ = a_peer()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers(its, *steps))
            if words is None:
                assert await peer.must_end("behind a fault") == Ending("eof")
            else:
                with pytest.raises(Failed, match=f"^{words}$"):
                    await peer.must_end("behind a fault")
            nursery.cancel_scope.cancel()

    in_time(main)


def test_a_server_asks_a_client_by_a_packet_of_its_own() -> None:
    async def main() -> None:
        peer, its, _ = a_peer(Role.SERVER)
        await its.send_all(sent(PubAck(7), masked=True))
        with pytest.raises(Failed, match="PUBACK was answered"):
            await peer.must_end("behind a fault", probe=Publish("a", b"", QOS[1], packet_id=7), sign=PubAck)
        with pytest.raises(Failed, match="does not end"):
            await peer.must_end("behind a fault", within=0.5)

    in_time(main)
