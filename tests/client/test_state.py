"""Where a client is: waiting for it, iterating over it, and being told."""

from __future__ import annotations

import logging

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client.state import (
    ClientEvent,
    ClientState,
    Connected,
    Disconnected,
    Ended,
    RenewalFailed,
    StateChanges,
    Watch,
)
from mqttws.errors import ConnectionLost

S = ClientState


@trio_test
async def test_tasks_wait_for_a_state(autojump_clock: MockClock) -> None:
    watch = Watch()
    seen = []

    async def wait() -> None:
        seen.append(await watch.wait_for(S.RECONNECTING))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        for state in (S.OPEN, S.RECONNECTING):
            await trio.testing.wait_all_tasks_blocked()
            assert seen == []
            watch.move(state)
    assert seen == [S.RECONNECTING] * 2


@trio_test
async def test_it_waits_no_longer_than_the_client_lives(autojump_clock: MockClock) -> None:
    watch = Watch()
    watch.move(S.CLOSED)
    assert await watch.wait_for(S.OPEN) is S.CLOSED


@trio_test
async def test_nothing_comes_after_closed(autojump_clock: MockClock) -> None:
    watch = Watch()
    watch.move(S.CLOSED)
    watch.move(S.OPEN)
    assert watch.state is S.CLOSED
    assert watch.serial == 1


@trio_test
async def test_an_iteration_gives_the_present_state_and_each_new_one_once(autojump_clock: MockClock) -> None:
    watch = Watch()
    seen = []

    async def look() -> None:
        seen.extend([state async for state in StateChanges(watch)])

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        for state in (S.OPEN, S.OPEN, S.RECONNECTING, S.OPEN, S.CLOSING, S.CLOSED):
            await trio.testing.wait_all_tasks_blocked()
            watch.move(state)
    assert seen == [S.CONNECTING, S.OPEN, S.RECONNECTING, S.OPEN, S.CLOSING, S.CLOSED]


@trio_test
async def test_a_slow_one_gets_the_newest(autojump_clock: MockClock) -> None:
    watch = Watch()
    changes = StateChanges(watch)
    assert await anext(changes) is S.CONNECTING
    for state in (S.OPEN, S.RECONNECTING, S.CLOSED):
        watch.move(state)
    assert [state async for state in changes] == [S.CLOSED]


EVENTS: list[tuple[ClientEvent, str]] = [
    (Connected(session_present=True), "connected, the Session goes on"),
    (Connected(session_present=False), "connected, with a new Session"),
    (Disconnected(ConnectionLost("cut"), 2, 1.25), "disconnected: cut; attempt 2 in 1.2 s"),
    (Disconnected(None, 0, 0.0), "moving to a new connection"),
    (RenewalFailed(ConnectionLost("cut"), 3.0), "the access was not renewed: cut; again in 3.0 s"),
    (Ended(ConnectionLost("cut")), "given up: cut"),
    (Ended(ZeroDivisionError()), "given up: ZeroDivisionError"),
    (Ended(None), "the client was left"),
]


@pytest.mark.parametrize(("event", "line"), EVENTS)
def test_an_event_is_a_line_for_a_log(event: ClientEvent, line: str) -> None:
    told: list[ClientEvent] = []
    Watch(told.append).tell(event)
    assert told == [event]
    assert str(event) == line


def test_bad_news_are_logged_by_themselves(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watch = Watch()
    for event, _ in EVENTS:
        watch.tell(event)
    assert caplog.messages == [line for event, line in EVENTS if getattr(event, "error", None) is not None]


def test_a_hook_that_raises_is_logged_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def hook(event: ClientEvent) -> None:
        raise ZeroDivisionError

    watch = Watch(hook)
    watch.tell(Connected(session_present=True))
    watch.tell(Connected(session_present=True))
    assert caplog.messages == ["on_event has raised an error at Connected"] * 2
