"""Moving to a new connection before the access expires."""

from __future__ import annotations

import time
from functools import partial

import pytest
import trio
import trio.testing
from trio.testing import MockClock, trio_test

from mqttws.client import Access, ClientState, Connected, Disconnected, RenewalFailed
from mqttws.codec import ConnAck, Connect, Disconnect, Publish
from mqttws.errors import AccessFailed, HandshakeRefused, ServerDisconnected, WireEnded
from mqttws.link import LinkEvent, Upgrade
from mqttws.session import Closed, MemoryStore, Session
from mqttws.vocabulary import QoS
from tests.client.scenes import Scene, disconnects, goes, refuses, stays
from tests.client.scripted import Peer


class Tokens:
    """A provider whose URLs live for ``lifetime`` seconds."""

    def __init__(self, lifetime: float = 100) -> None:
        self.lifetime = lifetime
        self.asked: list[float] = []

    async def __call__(self) -> Access:
        self.asked.append(trio.current_time())
        return Access(f"ws://server/{len(self.asked)}", expires_at=time.time() + self.lifetime)


def about(*times: float) -> object:
    return pytest.approx(times, abs=0.2)


@trio_test
async def test_the_new_websocket_is_open_before_the_old_connection_ends_and_connect_comes_after(
    autojump_clock: MockClock,
) -> None:
    order: list[str] = []

    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(look, peer)

    async def look(peer: Peer) -> None:
        event = await peer.next()
        order.append(f"old {type(event).__name__}")
        assert event == Disconnect()  # nothing about the Session, which stays
        await peer.finish()
        order.append("old closed")

    async def new(peer: Peer) -> None:
        await peer.expect(Upgrade)
        await trio.sleep(3)
        order.append("new open")
        peer.link.accept(trio.current_time())
        await peer.flush()
        await peer.next()
        connect = await peer.expect(Connect)
        order.append("new Connect")
        assert not connect.clean_start
        peer.connection.attach(Session())
        await peer.send(ConnAck(True))
        await peer.finish()

    scene, tokens = Scene(old, new), Tokens()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30) as c:
        await trio.sleep(80)
        assert c.state is ClientState.OPEN
        assert c.session_present
    assert order == ["new open", "old Disconnect", "old closed", "new Connect"]
    assert tokens.asked == about(0, 70)
    assert [type(event) for event in scene.events][:3] == [Connected, Disconnected, Connected]
    assert scene.failures == [None]


@pytest.mark.parametrize("version", [5, 4])
@trio_test
async def test_what_is_under_way_goes_on(version: int, autojump_clock: MockClock) -> None:
    """An unanswered PUBLISH goes out again, a consumer keeps its stream and acknowledges on the new connection."""

    async def old(peer: Peer) -> None:
        await peer.greet()
        await peer.grant()
        await peer.send(Publish("a", b"1", QoS.AT_LEAST_ONCE))
        await peer.expect(Publish)
        nursery.start_soon(peer.finish)

    async def new(peer: Peer) -> None:
        session = Session()
        await peer.greet(ConnAck(True), session)
        again = await peer.expect(Publish)
        assert (again.payload, again.dup) == (b"mine", True)
        await peer.acknowledge(again)
        await peer.send(Publish("a", b"2", QoS.AT_LEAST_ONCE))
        await peer.finish()

    store = MemoryStore()
    options = {"renew_before": 30, "version": version, "store": store, "client_id": "me"}
    async with (
        trio.open_nursery() as nursery,
        Scene(old, new).client(Tokens(), **options) as client,
        client.subscribe("a") as messages,
    ):
        receipt = client.publish_soon("b", b"mine", qos=1)
        assert (await anext(messages)).payload == b"1"
        assert (await receipt.wait()).reason_code == 0
        assert 69 <= trio.current_time() <= 75
        assert (await anext(messages)).payload == b"2"
    state = store.load()
    assert state is not None
    assert state.outgoing == {}


@trio_test
async def test_a_week_of_tokens(autojump_clock: MockClock) -> None:
    async def hour(peer: Peer) -> None:
        await peer.greet(ConnAck(len(scene.server.peers) > 1), Session())
        nursery.start_soon(peer.finish)

    scene, tokens = Scene(*(hour,) * 200), Tokens(lifetime=3_600)
    scene.patience = 700_000
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=60, keep_alive=0) as client:
        await trio.sleep(7 * 86_400)
        assert client.state is ClientState.OPEN
        assert client.session_present
    assert len(tokens.asked) == 1 + 7 * 86_400 // 3_540


@trio_test
async def test_one_that_fails_is_put_off_while_the_connection_goes_on(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    scene, tokens = Scene(old, partial(refuses, status=403), partial(refuses, status=503), stays), Tokens()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30) as client:
        await trio.sleep(71.5)
        assert client.state is ClientState.OPEN
        assert len(scene.times) == 3
        await trio.sleep(10)
        assert client.state is ClientState.OPEN
    failed = [event for event in scene.events if isinstance(event, RenewalFailed)]
    assert [(type(event.error), event.delay) for event in failed] == [(HandshakeRefused, 1), (HandshakeRefused, 2)]
    assert tokens.asked == about(0, 70, 71, 73)


async def never_answers(peer: Peer) -> None:
    await trio.sleep(1_000)


@trio_test
async def test_the_old_connection_may_end_meanwhile(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(vanish, peer)

    async def vanish(peer: Peer) -> None:
        await trio.sleep(75)
        await peer.vanish()

    async def stuck(peer: Peer) -> None:
        await peer.expect(Upgrade)
        dropped.extend(await peer.finish())

    dropped: list[LinkEvent] = []
    scene, tokens = Scene(old, stuck, stays), Tokens()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30, keep_alive=0) as client:
        await trio.sleep(90)
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [WireEnded]
    assert scene.times == about(0, 70, 76)
    assert [type(event) for event in dropped] == [Closed]


@trio_test
async def test_or_end_for_good(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(say_goodbye, peer)

    async def say_goodbye(peer: Peer) -> None:
        await trio.sleep(75)
        await peer.send(Disconnect(0x8E))
        await peer.finish()

    options = {"renew_before": 30, "keep_alive": 0}
    async with trio.open_nursery() as nursery, Scene(old, never_answers).client(Tokens(), **options) as client:
        await client.wait_for(ClientState.CLOSED)
        assert trio.current_time() == 75
        with pytest.raises(ServerDisconnected, match="0x8E"):
            await client.publish("a")


@trio_test
async def test_who_was_taken_over_meanwhile_does_not_connect_again(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        peers.append(peer)

    async def new(peer: Peer) -> None:
        await peer.expect(Upgrade)
        await peers[0].send(Disconnect(0x8E))  # and the Server takes its time to close
        await trio.testing.wait_all_tasks_blocked()
        peer.link.accept(trio.current_time())
        await peer.flush()
        await peer.next()
        rest.extend(await peer.finish())

    peers: list[Peer] = []
    rest: list[LinkEvent] = []
    async with Scene(old, new).client(Tokens(), renew_before=30) as client:
        await client.wait_for(ClientState.CLOSED)
        await trio.sleep(20)
    assert [type(event) for event in rest] == [Closed]  # no CONNECT


@trio_test
async def test_a_new_connection_that_is_not_let_in_is_followed_by_another(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    scene, tokens = Scene(old, partial(disconnects, code=0x8B), goes, stays), Tokens()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30) as client:
        await trio.sleep(90)
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [type(None), ServerDisconnected, WireEnded]


@trio_test
async def test_one_that_ends_before_its_turn_is_followed_by_another(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(read_nothing, peer)

    async def read_nothing(peer: Peer) -> None:
        await vanished.wait()
        await trio.sleep(0.5)
        await peer.vanish()

    async def impatient(peer: Peer) -> None:
        await peer.expect(Upgrade)
        peer.link.accept(trio.current_time())
        await peer.flush()
        await peer.vanish()
        vanished.set()

    vanished = trio.Event()
    scene, tokens = Scene(old, impatient, stays), Tokens()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30, keep_alive=0) as client:
        await trio.sleep(90)
        assert client.state is ClientState.OPEN
    assert [type(error) for error in scene.failures] == [type(None), WireEnded]


@trio_test
async def test_a_provider_that_fails_is_asked_again_later(autojump_clock: MockClock) -> None:
    class Failing(Tokens):
        async def __call__(self) -> Access:
            access = await super().__call__()
            if len(self.asked) == 2:
                raise OSError("no network")
            return access

    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    scene, tokens = Scene(old, stays), Failing()
    async with trio.open_nursery() as nursery, scene.client(tokens, renew_before=30) as client:
        await trio.sleep(80)
        assert client.state is ClientState.OPEN
    assert tokens.asked == about(0, 70, 71)
    assert isinstance(next(event for event in scene.events if isinstance(event, RenewalFailed)).error, AccessFailed)


@trio_test
async def test_a_hook_that_raises_does_not_bring_the_providers_words_into_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Tokens):
        async def __call__(self) -> Access:
            access = await super().__call__()
            if len(self.asked) == 2:
                raise OSError("canary")
            return access

    def hook(event: object) -> None:
        if isinstance(event, RenewalFailed):
            raise ZeroDivisionError

    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    scene = Scene(old, stays)
    async with trio.open_nursery() as nursery, scene.client(Failing(), renew_before=30, on_event=hook):
        await trio.sleep(80)
    assert "ZeroDivisionError" in caplog.text
    assert "canary" not in caplog.text


@trio_test
async def test_without_reconnect_that_ends_the_client(autojump_clock: MockClock) -> None:
    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    async def vanishes(peer: Peer) -> None:
        await peer.open_websocket()
        await peer.expect(Connect)
        await peer.vanish()

    options = {"renew_before": 30, "reconnect": None, "session_expiry_interval": 30}
    async with trio.open_nursery() as nursery, Scene(old, vanishes).client(Tokens(), **options) as client:
        await client.wait_for(ClientState.CLOSED)
        with pytest.raises(WireEnded):
            await client.publish("a")


@trio_test
async def test_an_access_that_hardly_lives_is_renewed_half_way_and_not_all_the_time(autojump_clock: MockClock) -> None:
    async def brief(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(peer.finish)

    tokens = Tokens(lifetime=20)
    async with trio.open_nursery() as nursery, Scene(*(brief,) * 4).client(tokens, renew_before=60):
        await trio.sleep(35)
    assert tokens.asked == about(0, 10, 20, 30)
    tokens = Tokens(lifetime=0.5)
    async with trio.open_nursery() as nursery, Scene(*(brief,) * 4).client(tokens, renew_before=60):
        await trio.sleep(3.5)
    assert len(tokens.asked) == 4


@trio_test
async def test_an_access_without_an_expiry_is_not_renewed(autojump_clock: MockClock) -> None:
    async def provider() -> str:
        return "ws://server/"

    scene = Scene(stays)
    async with scene.client(provider, renew_before=60):
        await trio.sleep(3_000)
    assert len(scene.times) == 1


@trio_test
async def test_a_fixed_url_cannot_be_renewed(autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="renew_before needs a function as url")):
        async with Scene().client(renew_before=60):
            raise AssertionError("not reached")


@pytest.mark.parametrize("options", [{"renew_before": 0}, {"renew_before": 5, "session_expiry_interval": 0}])
@trio_test
async def test_nor_can_what_would_lose_its_session(options: dict[str, int], autojump_clock: MockClock) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="needs a session_expiry_interval")):
        async with Scene().client(Tokens(), **options):
            raise AssertionError("not reached")


@trio_test
async def test_left_in_the_middle_of_it_both_connections_are_closed(autojump_clock: MockClock) -> None:
    rests: list[list[LinkEvent]] = []

    async def collect(peer: Peer) -> None:
        rests.append(await peer.finish())

    async def old(peer: Peer) -> None:
        await peer.greet()
        nursery.start_soon(collect, peer)

    async def stuck(peer: Peer) -> None:
        await peer.expect(Upgrade)
        nursery.start_soon(collect, peer)

    async with trio.open_nursery() as nursery, Scene(old, stuck).client(Tokens(), renew_before=30, keep_alive=0):
        await trio.sleep(72)
    assert sorted(([type(event) for event in rest] for rest in rests), key=len) == [[Closed], [Disconnect, Closed]]
    assert trio.current_time() <= 74
