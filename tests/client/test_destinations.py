"""Where a client connects to: a provider's answers, and a Server that sends it elsewhere."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.client import Access, ClientState, Reconnect
from mqttws.errors import (
    AccessFailed,
    ConnectRefused,
    HandshakeRefused,
    ServerDisconnected,
    WireEnded,
)
from tests.client.scenes import STEADY, Scene, declines, disconnects, goes, refuses, stays

# -- access ------------------------------------------------------------------------------------------------------------


class Provider:
    """Counts how often it was asked; a list of what to do instead of giving a URL."""

    def __init__(self, *instead: Exception | None, lifetime: float | None = None) -> None:
        self.instead = list(instead)
        self.asked: list[float] = []

    async def __call__(self) -> str | Access:
        self.asked.append(trio.current_time())
        await trio.lowlevel.checkpoint()
        if self.instead and (error := self.instead.pop(0)) is not None:
            raise error
        return f"ws://server/{len(self.asked)}"


@trio_test
async def test_the_provider_is_asked_at_each_attempt(autojump_clock: MockClock) -> None:
    scene, provider = Scene(goes, goes, stays), Provider()
    async with scene.client(provider):
        await trio.sleep(10)
    assert provider.asked == [0, 1, 3]
    assert scene.paths == ["/1", "/2", "/3"]


@pytest.mark.parametrize("status", [401, 403])
@trio_test
async def test_a_refused_token_is_replaced_once(status: int, autojump_clock: MockClock) -> None:
    scene, provider = Scene(goes, partial(refuses, status=status), stays), Provider()
    async with scene.client(provider) as client:
        await trio.sleep(5)
        assert client.state is ClientState.OPEN
    assert provider.asked == pytest.approx([0, 1, 1], abs=0.1)


@trio_test
async def test_and_not_twice(autojump_clock: MockClock) -> None:
    no = partial(refuses, status=401, body=b"token has expired")
    scene, provider = Scene(goes, no, no), Provider()
    async with scene.client(provider) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(HandshakeRefused, match="HTTP 401: token has expired"):
            await client.publish("a")
    assert len(provider.asked) == 3


@trio_test
async def test_but_once_more_after_a_connection(autojump_clock: MockClock) -> None:
    no = partial(refuses, status=401)
    scene, provider = Scene(goes, no, goes, no, stays), Provider()
    async with scene.client(provider) as client:
        await trio.sleep(20)
        assert client.state is ClientState.OPEN
    assert len(provider.asked) == 5


@trio_test
async def test_a_provider_that_fails_is_asked_again(autojump_clock: MockClock) -> None:
    scene, provider = Scene(goes, stays), Provider(None, OSError("no network"), HandshakeRefused(503))
    async with scene.client(provider) as client:
        await trio.sleep(20)
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [WireEnded, AccessFailed, HandshakeRefused]


@trio_test
async def test_the_first_failure_of_a_provider_is_raised(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(AccessFailed):
        async with Scene().client(Provider(OSError("no network"))):
            raise AssertionError("not reached")


# -- redirects ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reconnect", [STEADY, None])
@trio_test
async def test_a_redirect_of_the_first_connection_is_followed_if_wanted(
    reconnect: Reconnect | None, autojump_clock: MockClock
) -> None:
    scene = Scene(partial(declines, code=0x9C, server_reference="other:81"), stays)
    async with scene.client(follow_redirects=True, reconnect=reconnect) as client:
        assert client.state is ClientState.OPEN
    assert scene.hosts == ["server", "other:81"]


@pytest.mark.parametrize(("code", "third"), [(0x9C, "server"), (0x9D, "other")])
@trio_test
async def test_use_another_server_is_for_now_and_server_moved_for_good(
    code: int, third: str, autojump_clock: MockClock
) -> None:
    scene = Scene(partial(disconnects, code=code, server_reference="other"), goes, stays)
    async with scene.client(follow_redirects=True):
        await trio.sleep(10)
    assert scene.hosts == ["server", "other", third]


@pytest.mark.parametrize("properties", [{}, {"server_reference": "no/where"}])
@trio_test
async def test_a_redirect_to_nowhere_is_given_up(properties: Any, autojump_clock: MockClock) -> None:
    async with Scene(partial(disconnects, code=0x9C, **properties)).client(follow_redirects=True) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(ServerDisconnected, match="0x9C"):
            await client.publish("a")


@trio_test
async def test_servers_that_send_a_client_round_in_a_circle_are_left(autojump_clock: MockClock) -> None:
    scene = Scene(goes, *(partial(declines, code=0x9D, server_reference="other"),) * 6)
    async with scene.client(follow_redirects=True) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(ConnectRefused, match="0x9D"):
            await client.publish("a")
    assert len(scene.times) == 7
