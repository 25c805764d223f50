"""Room: how much may wait, and who gets what becomes free."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client.room import Room


@trio_test
async def test_room_that_comes_in_the_moment_of_cancelling_is_given_on(autojump_clock: MockClock) -> None:
    room = Room(1, 100)
    assert room.reserve(1)
    taken: list[str] = []

    async def waiter(scope: trio.CancelScope, name: str) -> None:
        with scope:
            await room.wait(1)
            taken.append(name)

    async with trio.open_nursery() as nursery:
        scopes = [trio.CancelScope(), trio.CancelScope()]
        nursery.start_soon(waiter, scopes[0], "cancelled")
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(waiter, scopes[1], "next")
        await trio.testing.wait_all_tasks_blocked()
        scopes[0].cancel()  # delivered only after the room has been given to it
        room.release(1)
    assert taken == ["next"]
    assert room.count == 1


def test_bytes_bound_the_queue_and_one_large_message_always_fits() -> None:
    room = Room(10, 100)
    assert room.reserve(1_000)
    assert not room.reserve(1)
    room.release(1_000)
    assert room.reserve(60)
    assert not room.reserve(41)
    assert room.reserve(40)


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0)])
def test_a_queue_that_holds_nothing_is_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least one message"):
        Room(*bounds)


def test_what_is_there_already_takes_room_whether_there_is_any_or_not() -> None:
    room = Room(1, 10)
    room.occupy(8)
    room.occupy(8)
    assert (room.count, room.size) == (2, 16)
    room.release(8)
    assert not room.reserve(1)
    room.release(8)
    assert room.reserve(1)


@pytest.mark.parametrize(("without", "without_bytes", "fits"), [(0, 0, False), (1, 9, False), (1, 10, True)])
def test_what_would_fit_if_others_were_gone(without: int, without_bytes: int, fits: bool) -> None:
    room = Room(2, 20)
    for size in (10, 10):
        room.occupy(size)
    assert room.would_fit(10, without=without, without_bytes=without_bytes) is fits
    assert room.would_fit(100, without=2, without_bytes=20)


@trio_test
async def test_emptied_waits_until_the_last_has_left(autojump_clock: MockClock) -> None:
    room = Room(2, 10)
    await room.emptied()
    for _ in range(2):
        assert room.reserve(1)
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def leave() -> None:
            for _ in range(2):
                await trio.sleep(1)
                room.release(1)

        await room.emptied()
        assert trio.current_time() == 2
