"""The wire in memory: a good stream without faults, and each fault at its byte."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import trio_test

from mqttws.simulation import Direction, Fault, FaultyStream, Kind, Wire, WirePlan

UP, DOWN = Direction.UP, Direction.DOWN


def wire_with(*faults: Fault, latency: float = 0.0, chunk: int = 65_536, capacity: int = 65_536) -> Wire:
    return Wire(WirePlan(latency=latency, chunk=chunk, capacity=capacity, faults=faults))


@pytest.mark.parametrize(("latency", "chunk"), [(0.0, 65_536), (0.25, 65_536), (0.0, 5_000)])
@trio_test
async def test_without_faults_it_is_a_stream_by_trios_own_rules(
    latency: float, chunk: int, autojump_clock: trio.testing.MockClock
) -> None:
    checked = []

    async def ends(capacity: int = 65_536) -> tuple[FaultyStream, FaultyStream]:
        wire = wire_with(latency=latency, chunk=chunk, capacity=capacity)
        checked.append(wire)
        return wire.client, wire.server

    async def clogged() -> tuple[FaultyStream, FaultyStream]:
        one, two = await ends(capacity=10)
        await one.send_all(bytes(10))
        await two.send_all(bytes(10))
        return one, two

    await trio.testing.check_two_way_stream(ends, clogged)
    assert checked


@trio_test
async def test_latency_delays_every_byte_and_keeps_their_order(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with(latency=2.0)
    await wire.client.send_all(b"a")
    await trio.sleep(1)
    await wire.client.send_all(b"b")
    assert await wire.server.receive_some() == b"a"
    assert trio.current_time() == 2
    assert await wire.server.receive_some() == b"b"
    assert trio.current_time() == 3


@trio_test
async def test_a_read_returns_no_more_than_a_chunk() -> None:
    wire = wire_with(chunk=3)
    await wire.client.send_all(b"abcd")
    assert await wire.server.receive_some(2) == b"ab"
    await wire.client.send_all(b"efg")
    assert await wire.server.receive_some() == b"cde"
    assert await wire.server.receive_some() == b"fg"


@trio_test
async def test_a_reset_loses_what_was_on_its_way_at_both_ends() -> None:
    wire = wire_with(Fault(Kind.RESET, UP, 3))
    await wire.server.send_all(b"unread")
    with pytest.raises(trio.BrokenResourceError):
        await wire.client.send_all(b"abcdef")
    for end in (wire.client, wire.server):
        with pytest.raises(trio.BrokenResourceError):
            await end.receive_some()
    assert wire.over


@trio_test
async def test_a_fault_happens_with_its_byte_though_no_other_follows() -> None:
    wire = wire_with(Fault(Kind.RESET, UP, 3))
    with pytest.raises(trio.BrokenResourceError):
        await wire.client.send_all(b"abc")
    with pytest.raises(trio.BrokenResourceError):
        await wire.server.receive_some()


@trio_test
async def test_a_truncation_lets_exactly_so_many_bytes_through() -> None:
    wire = wire_with(Fault(Kind.TRUNCATE, DOWN, 4))
    with pytest.raises(trio.BrokenResourceError):
        await wire.server.send_all(b"abcdef")
    assert await wire.client.receive_some() == b"abcd"
    assert await wire.client.receive_some() == b""
    with pytest.raises(trio.BrokenResourceError):
        await wire.client.send_all(b"x")


@trio_test
async def test_a_stall_holds_back_what_is_on_its_way_and_what_comes(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with(Fault(Kind.STALL, UP, 2, seconds=5.0), latency=1.0)
    await wire.client.send_all(b"abcd")
    await wire.server.send_all(b"other way")
    assert await wire.client.receive_some() == b"other way"
    assert trio.current_time() == 1
    received = b""
    while len(received) < 4:
        received += await wire.server.receive_some()
    assert received == b"abcd"
    assert trio.current_time() == 5


@trio_test
async def test_slowness_begins_at_its_byte(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with(Fault(Kind.SLOW, UP, 1, seconds=3.0))
    await wire.client.send_all(b"ab")
    assert await wire.server.receive_some() == b"a"
    assert trio.current_time() == 0
    assert await wire.server.receive_some() == b"b"
    assert trio.current_time() == 3


@trio_test
async def test_silence_swallows_one_direction_and_tells_nobody(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with(Fault(Kind.SILENCE, UP, 1), capacity=10)
    await wire.client.send_all(b"abc")
    with trio.move_on_after(60) as waiting:
        await wire.server.receive_some()
    assert waiting.cancelled_caught
    await wire.server.send_all(b"still here")
    assert await wire.client.receive_some() == b"still here"
    await wire.client.aclose()
    with trio.move_on_after(60) as waiting:
        await wire.server.receive_some()  # the end does not arrive either
    assert waiting.cancelled_caught


@trio_test
async def test_a_vanished_wire_blocks_writers_once_its_buffer_is_full(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with(Fault(Kind.VANISH, UP, 0), capacity=10)
    before = wire.over
    await wire.client.send_all(bytes(10))
    assert (before, wire.over) == (False, True)
    for end in (wire.client, wire.server):
        with trio.move_on_after(60) as waiting:
            await end.send_all(bytes(11))
        assert waiting.cancelled_caught
    wire.strike(Fault(Kind.RESET, UP, 0), trio.current_time())
    with trio.move_on_after(60) as waiting:
        await wire.client.receive_some()  # nor does a reset
    assert waiting.cancelled_caught


@trio_test
async def test_a_fault_can_strike_a_wire_that_stands_idle(autojump_clock: trio.testing.MockClock) -> None:
    wire = wire_with()

    async def strike_later() -> None:
        await trio.sleep(4)
        wire.strike(Fault(Kind.TRUNCATE, UP, 0), trio.current_time())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(strike_later)
        assert await wire.server.receive_some() == b""
        assert trio.current_time() == 4
