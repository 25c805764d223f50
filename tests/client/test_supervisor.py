"""How a client gets from one connection to the next, and what goes on meanwhile."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import (
    Client,
    ClientState,
    Connected,
    Disconnected,
    Ended,
    Reconnect,
    open_client,
)
from mqttws.codec import ConnAck, Connect, Disconnect, Publish, Subscribe, Unsubscribe
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    DialFailed,
    HandshakeRefused,
    MqttError,
    PeerSilent,
    RemoteProtocolError,
    ServerDisconnected,
    WireEnded,
)
from mqttws.link import LinkEvent, Upgrade
from mqttws.session import Closed, MemoryStore, Session
from mqttws.vocabulary import ConnectReturnCode, ReasonCode
from tests.client.scenes import Scene, Script, declines, disconnects, goes, holds, refuses, stays
from tests.client.scripted import URL, Peer

# -- what goes on across connections -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [5, 4])
@trio_test
async def test_a_connection_that_was_cut_is_replaced_and_its_exchanges_go_on(
    version: int, autojump_clock: MockClock
) -> None:
    connects: list[Connect] = []

    async def first(peer: Peer) -> None:
        connects.append(await peer.greet())
        await peer.expect(Publish)
        await peer.vanish()

    async def second(peer: Peer) -> None:
        connects.append(await peer.greet(ConnAck(True), Session()))
        again = await peer.expect(Publish)
        assert (again.payload, again.dup) == (b"x", True)
        await peer.acknowledge(again)
        await peer.finish()

    scene = Scene(first, second)
    async with scene.client(version=version) as client:
        await client.publish("a", b"x", qos=1)
        assert client.session_present
        assert client.state is ClientState.OPEN
    assert [connect.clean_start for connect in connects] == ([True, False] if version == 5 else [False, False])
    assert len({connect.client_id for connect in connects}) == 1
    if version == 5:
        assert [connect.properties["session_expiry_interval"] for connect in connects] == [30, 30]
    assert scene.times == [0, 1]


@trio_test
async def test_a_stream_stays_open_and_a_lost_session_is_subscribed_anew(autojump_clock: MockClock) -> None:
    subscribed = []

    async def first(peer: Peer) -> None:
        await peer.greet()
        subscribed.append(await peer.grant())
        await peer.send(Publish("a", b"1"))
        await peer.vanish()

    async def second(peer: Peer) -> None:
        await peer.greet(ConnAck(False))
        subscribed.append(await peer.grant())
        await peer.send(Publish("a", b"2"))
        await peer.finish()

    async with Scene(first, second).client() as client, client.subscribe("a") as messages:
        assert [(await anext(messages)).payload for _ in range(2)] == [b"1", b"2"]
    assert [[s.topic_filter for s in packet.subscriptions] for packet in subscribed] == [["a"], ["a"]]


async def takes_connect_and_vanishes(peer: Peer) -> None:
    """Takes CONNECT and vanishes: it may have begun a Session."""
    await peer.open_websocket()
    await peer.expect(Connect)
    await peer.vanish()


async def hangs_up(peer: Peer) -> None:
    """Vanishes before CONNECT has been sent."""
    await peer.expect(Upgrade)
    await peer.vanish()


@pytest.mark.parametrize(
    ("between", "again"),
    [(takes_connect_and_vanishes, True), (hangs_up, False), (partial(declines, code=ReasonCode.SERVER_BUSY), False)],
)
@trio_test
async def test_a_session_that_may_be_another_one_is_subscribed_anew(
    between: Script, again: bool, autojump_clock: MockClock
) -> None:
    """Had the Server lost ours before a CONNECT whose answer got lost, Session Present would hide it for ever."""
    heard: list[LinkEvent] = []

    async def first(peer: Peer) -> None:
        await peer.greet()
        await peer.grant()
        await peer.vanish()

    async def third(peer: Peer) -> None:
        await peer.greet(ConnAck(True))
        await peer.send(Publish("a", b"1"))
        heard.append(await peer.next())
        heard.extend(await peer.finish())

    async with Scene(first, between, third).client() as client, client.subscribe("a") as messages:
        assert (await anext(messages)).payload == b"1"
        assert client.session_present
        await trio.sleep(1)
    assert [type(event) for event in heard[:2]] == ([Subscribe, Unsubscribe] if again else [Unsubscribe, Disconnect])


@trio_test
async def test_a_connect_of_ours_that_comes_late_may_take_over_once(autojump_clock: MockClock) -> None:
    """Nobody else has come: it is the one that had got no answer. A second takeover is somebody else's."""
    taken_over = partial(disconnects, code=0x8E)
    scene = Scene(takes_connect_and_vanishes, taken_over, taken_over)
    async with scene.client(reconnect=Reconnect(first=True)) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(ServerDisconnected, match="0x8E Session taken over"):
            await client.publish("a")
    assert len(scene.times) == 3


@trio_test
async def test_the_identifier_that_the_server_has_assigned_is_kept(autojump_clock: MockClock) -> None:
    asked = []

    async def first(peer: Peer) -> None:
        asked.append(await peer.greet(ConnAck(False, 0, {"assigned_client_identifier": "yours"})))
        await peer.vanish()

    async def second(peer: Peer) -> None:
        asked.append(await peer.greet(ConnAck(True), Session()))
        await peer.finish()

    async with Scene(first, second).client(client_id="") as client:
        await client.wait_for(ClientState.RECONNECTING)
        await client.wait_for(ClientState.OPEN)
        assert client.client_id == "yours"
    assert [connect.client_id for connect in asked] == ["", "yours"]


@trio_test
async def test_states_and_events_tell_the_story(autojump_clock: MockClock) -> None:
    brief = partial(holds, seconds=1)
    scene = Scene(brief, brief, stays)
    states = []

    async def watch(client: Client) -> None:
        states.extend([state async for state in client.state_changes()])

    async with trio.open_nursery() as nursery, scene.client() as client:
        nursery.start_soon(watch, client)
        await trio.sleep(10)
        assert client.state is ClientState.OPEN
    assert states == [ClientState.OPEN, *[ClientState.RECONNECTING, ClientState.OPEN] * 2, ClientState.CLOSED]
    lost = WireEnded("the connection ended without a Close frame")
    story = [(type(event), getattr(event, "attempt", None), getattr(event, "delay", None)) for event in scene.events]
    assert story == [
        (Connected, None, None),
        (Disconnected, 1, 1.0),
        (Connected, None, None),
        (Disconnected, 2, 2.0),
        (Connected, None, None),
        (Ended, None, None),
    ]
    assert [(type(error), str(error)) for error in scene.failures] == [(WireEnded, str(lost))] * 2
    assert scene.events[-1] == Ended(None)


@trio_test
async def test_a_session_kept_for_reconnecting_alone_ends_with_the_block(autojump_clock: MockClock) -> None:
    farewells = []

    async def stay(peer: Peer) -> None:
        await peer.greet()
        farewells.append((await peer.finish())[-2:])

    for options in ({}, {"client_id": "me"}, {"session_expiry_interval": 60}):
        async with Scene(stay).client(**options):
            pass
    plain = Disconnect(ReasonCode.NORMAL_DISCONNECTION)
    ends = Disconnect(ReasonCode.NORMAL_DISCONNECTION, {"session_expiry_interval": 0})
    assert farewells == [[ends, Closed(None)], [plain, Closed(None)], [plain, Closed(None)]]


@trio_test
async def test_in_3_1_1_an_old_session_is_wiped_once_and_not_again(autojump_clock: MockClock) -> None:
    asked = []

    async def let_in(peer: Peer, *, stay: bool) -> None:
        asked.append(await peer.greet())
        if stay:
            await peer.finish()
        else:
            await peer.vanish()

    wipes, first, second = (partial(let_in, stay=stay) for stay in (True, False, True))
    async with Scene(wipes, first, second).client(version=4, client_id="me"):
        await trio.sleep(5)
    assert [connect.clean_start for connect in asked] == [True, False, False]


# -- the first connection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [partial(refuses, status=503), partial(declines, code=0x88)])
@trio_test
async def test_the_first_connection_is_tried_once(script: Script, autojump_clock: MockClock) -> None:
    scene = Scene(script)
    with pytest.RaisesGroup(pytest.RaisesExc((HandshakeRefused, ConnectRefused))):
        async with scene.client():
            raise AssertionError("not reached")
    assert scene.failures == []
    assert trio.current_time() <= 1


@trio_test
async def test_unless_it_is_to_be_tried_like_any_other(autojump_clock: MockClock) -> None:
    scene = Scene(partial(refuses, status=503), partial(declines, code=0x89), stays)
    patient = Reconnect(initial=1, maximum=8, first=True, random=lambda: 1.0)
    async with scene.client(reconnect=patient) as client:
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [HandshakeRefused, ConnectRefused]
    assert scene.times == pytest.approx([0, 1, 3], abs=0.1)


@trio_test
async def test_cancelled_meanwhile_it_gives_up(autojump_clock: MockClock) -> None:
    async def nowhere(*_: Any, **__: Any) -> trio.abc.Stream:
        raise DialFailed("nobody listens")

    with trio.move_on_after(60) as scope:
        async with open_client(URL, dial=nowhere, reconnect=Reconnect(first=True)):
            raise AssertionError("not reached")
    assert scope.cancelled_caught
    assert trio.current_time() == 60


# -- what is tried again, and what is not ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (partial(refuses, status=500), HandshakeRefused),
        (partial(refuses, status=429), HandshakeRefused),
        *((partial(declines, code=code), ConnectRefused) for code in (0x88, 0x89, 0x97, 0x9F)),
        *((partial(disconnects, code=code), ServerDisconnected) for code in (0x89, 0x8B, 0x8D)),
    ],
)
@trio_test
async def test_a_server_in_trouble_is_asked_again(
    script: Script, kind: type[MqttError], autojump_clock: MockClock
) -> None:
    scene = Scene(goes, script, stays)
    async with scene.client() as client:
        await trio.sleep(10)
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [WireEnded, kind]


@trio_test
async def test_in_3_1_1_server_unavailable_is(autojump_clock: MockClock) -> None:
    scene = Scene(goes, partial(declines, code=ConnectReturnCode.SERVER_UNAVAILABLE), stays)
    async with scene.client(version=4) as client:
        await trio.sleep(10)
        assert client.state is ClientState.OPEN


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (partial(refuses, status=404), HandshakeRefused, "HTTP 404: no"),
        (partial(refuses, status=403, body=b"not for you"), HandshakeRefused, "HTTP 403: not for you"),
        (partial(declines, code=0x86), ConnectRefused, "0x86 Bad user name or password"),
        (partial(declines, code=0x84), ConnectRefused, "0x84"),
        (partial(declines, code=0x8A, reason_string="go away"), ConnectRefused, "0x8A Banned: go away"),
        (partial(declines, code=0x9C, server_reference="other"), ConnectRefused, "0x9C"),
        (partial(disconnects, code=0x8E), ServerDisconnected, "0x8E Session taken over"),
        (partial(disconnects, code=0x9D, server_reference="other"), ServerDisconnected, "0x9D"),
    ],
)
@trio_test
async def test_what_is_refused_for_good_ends_the_client_with_the_servers_words(
    script: Script, kind: type[MqttError], words: str, autojump_clock: MockClock
) -> None:
    scene = Scene(goes, script)
    async with scene.client() as client:
        assert await client.wait_for(ClientState.CLOSED) is ClientState.CLOSED
        with pytest.raises(kind, match=words):
            await client.publish("a")
        with pytest.raises(kind, match=words):
            async with client.messages():
                raise AssertionError("not reached")
        await trio.sleep(100)
    assert len(scene.times) == 2  # and nobody dials any more
    last = scene.events[-1]
    assert isinstance(last, Ended)
    assert isinstance(last.error, kind)


@trio_test
async def test_a_url_that_is_none_any_more_ends_the_client(autojump_clock: MockClock) -> None:
    urls = iter([URL, "http://server"])

    async def provider() -> str:
        return next(urls)

    async with Scene(goes).client(provider) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(ValueError, match="ws://"):
            await client.publish("a")


@trio_test
async def test_a_silent_server_is_left_and_dialled_again(autojump_clock: MockClock) -> None:
    async def falls_silent(peer: Peer) -> None:
        await peer.greet()
        await trio.sleep(20)

    scene = Scene(falls_silent, stays)
    async with scene.client(keep_alive=10) as client:
        await client.wait_for(ClientState.RECONNECTING)
        await client.wait_for(ClientState.OPEN)
    (error,) = scene.failures
    assert isinstance(error, PeerSilent)
    assert "no PINGRESP" in str(error)


@trio_test
async def test_nonsense_costs_a_connection_and_not_the_client(autojump_clock: MockClock) -> None:
    async def talks_nonsense(peer: Peer) -> None:
        await peer.greet()
        await peer.send_raw(b"\x00\x00")
        await peer.finish()

    scene = Scene(talks_nonsense, stays)
    async with scene.client() as client:
        await trio.sleep(10)
        assert client.state is ClientState.OPEN
    assert isinstance(scene.failures[0], RemoteProtocolError)


@trio_test
async def test_retry_after_is_waited_for(autojump_clock: MockClock) -> None:
    scene = Scene(goes, partial(refuses, status=503, headers=(("Retry-After", "120"),)), stays)
    async with scene.client() as client:
        await client.wait_for(ClientState.RECONNECTING)
        await client.wait_for(ClientState.OPEN)
    assert scene.times == pytest.approx([0, 1, 123], abs=0.1)


@trio_test
async def test_without_reconnect_the_end_of_the_connection_is_that_of_the_client(autojump_clock: MockClock) -> None:
    scene = Scene(goes)
    async with scene.client(reconnect=None) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(WireEnded):
            await client.publish("a")
    assert scene.failures == []


# -- the backoff -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [5, 4])
@trio_test
async def test_a_connection_that_did_not_hold_leaves_the_backoff_as_it_is(
    version: int, autojump_clock: MockClock
) -> None:
    """In 3.1.1 a takeover is only a close: two clients of one identifier have to slow down."""
    scene = Scene(*(partial(holds, seconds=3),) * 5, stays)
    async with scene.client(version=version):
        await trio.sleep(60)
    waits = [event.delay for event in scene.events if isinstance(event, Disconnected)]
    assert waits == [1, 2, 4, 8, 8]


@trio_test
async def test_one_that_held_sets_it_back(autojump_clock: MockClock) -> None:
    scene = Scene(goes, goes, partial(holds, seconds=10), goes, stays)
    async with scene.client():
        await trio.sleep(60)
    waits = [event.delay for event in scene.events if isinstance(event, Disconnected)]
    assert waits == [1, 2, 1, 2]


@trio_test
async def test_after_so_many_attempts_the_last_failure_is_the_end(autojump_clock: MockClock) -> None:
    dialled = []

    class Failing(Scene):
        async def dial(self, *args: Any, **options: Any) -> trio.abc.Stream:
            dialled.append(trio.current_time())
            if len(dialled) > 1:
                raise DialFailed("nobody listens")
            return await self.server.dial(*args, **options)

    scene = Failing(goes)
    bounded = Reconnect(initial=1, maximum=8, attempts=3, random=lambda: 1.0)
    async with scene.client(reconnect=bounded, dial=scene.dial) as client:
        receipt = client.publish_soon("a", b"x", qos=1)
        with pytest.raises(DialFailed, match="nobody listens") as caught:
            await receipt.wait()
        assert caught.value.__notes__ == ["the client has given up after 3 attempts to reconnect"]
    assert dialled == [0, 1, 3, 7]


async def says_nothing(peer: Peer) -> None:
    await trio.sleep(1_000)


# -- leaving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", [None, says_nothing, Peer.open_websocket])
@trio_test
async def test_left_while_it_reconnects_the_client_is_gone_at_once(
    script: Script | None, autojump_clock: MockClock
) -> None:
    scene = Scene(goes, *([script] if script is not None else []))
    async with scene.client() as client:
        await client.wait_for(ClientState.RECONNECTING)
        await trio.sleep(1.5 if script is not None else 0.5)
        left = trio.current_time()
    assert trio.current_time() - left <= 2
    assert client.state is ClientState.CLOSED


@trio_test
async def test_exchanges_may_end_on_a_new_connection_while_the_block_is_left(autojump_clock: MockClock) -> None:
    async def takes(peer: Peer) -> None:
        await peer.greet(ConnAck(True), Session())
        await peer.acknowledge(await peer.expect(Publish))
        await peer.finish()

    async with Scene(goes, takes).client() as client:
        await client.wait_for(ClientState.RECONNECTING)
        receipt = client.publish_soon("a", b"x", qos=1)
    assert (await receipt.wait()).reason_code == 0


@trio_test
async def test_a_store_goes_on_across_connections(autojump_clock: MockClock) -> None:
    store, session = MemoryStore(), Session()

    async def first(peer: Peer) -> None:
        await peer.greet(session=session)
        await peer.acknowledge(await peer.expect(Publish))
        await peer.vanish()

    async def second(peer: Peer) -> None:
        await peer.greet(ConnAck(True), session)
        await peer.finish()

    async with Scene(first, second).client(store=store, client_id="me", clean_start=True) as client:
        await client.publish("a", b"x", qos=2)
    state = store.load()
    assert state is not None
    assert state.outgoing == {}


def test_an_error_that_ends_a_connection_is_a_lost_connection() -> None:
    assert issubclass(WireEnded, ConnectionLost)
