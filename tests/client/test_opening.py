"""open_client: what goes out first, and every way of not getting in."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
import trustme
from trio.testing import MockClock, trio_test

from mqttws.client import Access, Deadlines, open_client
from mqttws.codec import ConnAck, Connect, Will
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    HandshakeRefused,
    LocalProtocolError,
    MqttError,
    RemoteProtocolError,
    ServerDisconnected,
)
from mqttws.link import Upgrade
from mqttws.session import Session
from mqttws.vocabulary import ConnectReturnCode, ProtocolVersion, QoS, ReasonCode
from tests.client.scripted import URL, Peer, Server, open_pair

Script = Callable[[Peer], Awaitable[Any]]


async def not_let_in(script: Script, url: Any = URL, **options: Any) -> MqttError:
    """The error that entering the block raises, alone and not in a group, while a server follows its script."""
    server = Server()

    async def serve() -> None:
        peer = await server.accept()
        await script(peer)
        await peer.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with pytest.raises(MqttError) as caught:
            async with open_client(url, dial=server.dial, **options):
                raise AssertionError("not reached")
    return caught.value


@trio_test
async def test_connect_says_what_was_asked(autojump_clock: MockClock) -> None:
    will = Will("w", b"gone", QoS.AT_LEAST_ONCE, False, {"will_delay_interval": 5})
    server = Server()
    connects = []

    async def serve() -> None:
        peer = await server.accept()
        connects.append(await peer.greet())
        await peer.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_client(
            URL, dial=server.dial, client_id="me", username="u", password="p", will=will, keep_alive=9
        ):
            pass
    (connect,) = connects
    assert (connect.client_id, connect.username, connect.password) == ("me", "u", b"p")
    assert connect.will == will
    assert connect.keep_alive == 9
    assert connect.clean_start is True


@trio_test
async def test_the_request_has_target_host_subprotocol_and_headers(autojump_clock: MockClock) -> None:
    async def provider() -> Access:
        await trio.sleep(1)
        return Access("ws://server:81/mqtt?access_token=t", [("Authorization", "Bearer t")])

    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await (await server.accept()).greet()

        async with open_client(provider, dial=server.dial, headers=[("X-Trace", "1")]):
            upgrade = server.peers[0].upgrade
            nursery.start_soon(server.peers[0].finish)
    assert isinstance(upgrade, Upgrade)
    assert (upgrade.path, upgrade.query) == ("/mqtt", "access_token=t")
    assert upgrade.subprotocols == ("mqtt",)
    headers = dict(upgrade.headers)
    assert headers["host"] == "server:81"
    assert (headers["authorization"], headers["x-trace"]) == ("Bearer t", "1")


@trio_test
async def test_a_provider_may_return_a_plain_url(autojump_clock: MockClock) -> None:
    async def provider() -> str:
        return "ws://server/other"

    async def refuse(peer: Peer) -> None:
        assert (await peer.expect(Upgrade)).path == "/other"
        peer.link.reject(trio.current_time(), 404)
        await peer.flush()

    assert isinstance(await not_let_in(refuse, provider), HandshakeRefused)


@trio_test
async def test_a_refused_handshake_carries_status_and_body(autojump_clock: MockClock) -> None:
    async def refuse(peer: Peer) -> None:
        await peer.expect(Upgrade)
        peer.link.reject(trio.current_time(), 401, [("WWW-Authenticate", "Bearer")], b"token has expired")
        await peer.flush()

    error = await not_let_in(refuse)
    assert isinstance(error, HandshakeRefused)
    assert error.status == 401
    assert ("www-authenticate", "Bearer") in error.headers
    assert str(error) == "WebSocket handshake refused with HTTP 401: token has expired"


@trio_test
async def test_a_refused_connect_carries_reason_code_and_properties(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, ReasonCode.NOT_AUTHORIZED, {"reason_string": "no such user"})
    error = await not_let_in(partial(Peer.greet, connack=connack))
    assert isinstance(error, ConnectRefused)
    assert error.reason_code == ReasonCode.NOT_AUTHORIZED
    assert str(error) == "the Server refused the connection: 0x87 Not authorized: no such user"


@trio_test
async def test_in_3_1_1_it_carries_the_return_code(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, ConnectReturnCode.IDENTIFIER_REJECTED)
    error = await not_let_in(partial(Peer.greet, connack=connack), version=4)
    assert isinstance(error, ConnectRefused)
    assert error.reason_code == ConnectReturnCode.IDENTIFIER_REJECTED


async def nothing(peer: Peer) -> None:
    """Take bytes and answer none."""
    await trio.sleep(100)


async def silent_after_the_handshake(peer: Peer) -> None:
    await peer.open_websocket()
    await trio.sleep(100)


@pytest.mark.parametrize(
    ("script", "deadlines", "words", "after"),
    [
        (nothing, Deadlines(), "the WebSocket handshake was not answered within 10 seconds", 10),
        (nothing, Deadlines(handshake=3), "within 3 seconds", 3),
        (silent_after_the_handshake, Deadlines(), "no CONNACK within 10 seconds", 10),
        (silent_after_the_handshake, Deadlines(connack=4), "no CONNACK within 4 seconds", 4),
    ],
)
@trio_test
async def test_a_server_that_never_answers_is_given_up(
    script: Script, deadlines: Deadlines, words: str, after: float, autojump_clock: MockClock
) -> None:
    async def timed(peer: Peer) -> None:
        with trio.move_on_after(after + 1):
            await script(peer)

    error = await not_let_in(timed, deadlines=deadlines)
    assert isinstance(error, ConnectionLost)
    assert words in str(error)
    assert after <= trio.current_time() <= after + 2


@trio_test
async def test_dialling_has_a_deadline(autojump_clock: MockClock) -> None:
    async def nowhere(*_: Any, **__: Any) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError("not reached")

    with pytest.raises(ConnectionLost, match="no connection to server within 7 seconds"):
        async with open_client(URL, dial=nowhere, deadlines=Deadlines(dial=7)):
            raise AssertionError("not reached")
    assert trio.current_time() == 7


async def vanish_before_connack(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.expect(Connect)
    await peer.vanish()


async def half_a_connack(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.send_raw(b"\x20\x09\x00")
    await peer.vanish()


async def text(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.stream.send_all(b"\x81\x02hi")


async def malformed(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.send_raw(b"\x20\x03\x02\x00\x00")


async def wrong_packet(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.expect(Connect)
    await peer.send_raw(b"\xd0\x00")


async def claims_a_session(peer: Peer) -> None:
    await peer.open_websocket()
    await peer.expect(Connect)
    await peer.send_raw(b"\x20\x03\x01\x00\x00")


async def shuts_down(peer: Peer) -> None:
    await peer.greet()
    await peer.send_raw(b"\xe0\x01\x8b")


@pytest.mark.parametrize(
    ("script", "kind", "words"),
    [
        (vanish_before_connack, ConnectionLost, "the wire ended without a WebSocket Close frame|ended without"),
        (half_a_connack, ConnectionLost, ""),
        (text, RemoteProtocolError, "MQTT-6.0.0-1"),
        (malformed, RemoteProtocolError, "MQTT-3.2.2-1"),
        (wrong_packet, RemoteProtocolError, "PINGRESP"),
        (claims_a_session, RemoteProtocolError, "Session Present"),
    ],
)
@trio_test
async def test_a_server_that_breaks_the_rules_is_a_typed_error(
    script: Script, kind: type[MqttError], words: str, autojump_clock: MockClock
) -> None:
    error = await not_let_in(script)
    assert type(error) is kind or isinstance(error, kind)
    assert any(word in str(error) for word in words.split("|"))


@trio_test
async def test_a_server_that_leaves_right_after_connack_lets_nobody_in(autojump_clock: MockClock) -> None:
    async def accept_and_leave(peer: Peer) -> None:
        await peer.open_websocket()
        await peer.expect(Connect)
        await peer.send_raw(b"\x20\x03\x00\x00\x00\xe0\x01\x8b")  # CONNACK and DISCONNECT in one message

    error = await not_let_in(accept_and_leave)
    assert isinstance(error, ServerDisconnected)
    assert error.reason_code == ReasonCode.SERVER_SHUTTING_DOWN


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("http://server/?access_token=canary", ValueError, "starts with ws:// or wss://"),
        ("ws://server/clients/mqtt/hubs/chat?access_token=canary", LocalProtocolError, "a client id is 1 to 128"),
    ],
)
@trio_test
async def test_what_cannot_be_right_is_not_even_dialled(
    url: str, error: type[Exception], words: str, autojump_clock: MockClock
) -> None:
    server = Server()
    with pytest.raises(error, match=words) as caught:
        async with open_client(url, dial=server.dial, client_id="not_conforming"):
            raise AssertionError("not reached")
    assert server.peers == []
    assert "canary" not in str(caught.value)


@trio_test
async def test_a_header_that_http_forbids_is_not_sent(autojump_clock: MockClock) -> None:
    server = Server()
    with pytest.raises(LocalProtocolError):
        async with open_client(URL, dial=server.dial, headers=[("X", "a\r\nY: canary")]):
            raise AssertionError("not reached")
    assert server.peers == []


@trio_test
async def test_a_hub_in_the_url_brings_the_web_pubsub_profile(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            await (await server.accept()).greet()

        async with open_client("ws://server/clients/mqtt/hubs/chat", dial=server.dial) as client:
            with pytest.raises(LocalProtocolError, match="no wildcard subscriptions"):
                async with client.subscribe("#"):
                    raise AssertionError("not reached")
            with pytest.raises(LocalProtocolError, match="no retained messages"):
                await client.publish("a", retain=True)
            receipt = client.publish_soon("a")
            assert receipt.publish.qos == QoS.AT_LEAST_ONCE
            nursery.start_soon(acknowledge_and_finish, server.peers[0])


async def acknowledge_and_finish(peer: Peer) -> None:
    event: Any = await peer.next()
    await peer.acknowledge(event)
    await peer.finish()


@trio_test
async def test_cancelled_while_connecting_the_wire_is_closed(autojump_clock: MockClock) -> None:
    server = Server()
    async with trio.open_nursery() as nursery:

        @nursery.start_soon
        async def serve() -> None:
            peer = await server.accept()
            await peer.open_websocket()
            await peer.expect(Connect)
            await peer.finish()

        with trio.move_on_after(1) as scope:
            async with open_client(URL, dial=server.dial):
                raise AssertionError("not reached")
        assert scope.cancelled_caught
    assert trio.current_time() <= 3


# -- 3.1.1: a clean start with a Session that is kept ------------------------------------------------------------------


@trio_test
async def test_in_3_1_1_the_old_session_is_wiped_by_a_connection_of_its_own(autojump_clock: MockClock) -> None:
    server = Server()
    connects = []

    async def serve() -> None:
        for _ in range(2):
            peer = await server.accept()
            connects.append(await peer.greet())
            await peer.finish()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        async with open_client(URL, dial=server.dial, version=4, client_id="me", session_expiry_interval=30):
            assert len(connects) == 2
    assert [(connect.client_id, connect.clean_start) for connect in connects] == [("me", True), ("me", False)]


@trio_test
async def test_what_refuses_the_first_connection_is_raised(autojump_clock: MockClock) -> None:
    connack = ConnAck(False, ConnectReturnCode.NOT_AUTHORIZED)
    error = await not_let_in(partial(Peer.greet, connack=connack), version=4, session_expiry_interval=30)
    assert isinstance(error, ConnectRefused)


@trio_test
async def test_cancelled_while_wiping_nothing_is_left(autojump_clock: MockClock) -> None:
    server = Server()
    with trio.move_on_after(1) as scope:
        async with open_client(URL, dial=server.dial, version=4, session_expiry_interval=30):
            raise AssertionError("not reached")
    assert scope.cancelled_caught


@trio_test
async def test_in_3_1_1_a_session_may_be_resumed(autojump_clock: MockClock) -> None:
    async with open_pair(ConnAck(True), Session(), version=4, clean_start=False, client_id="me") as (client, _):
        assert client.session_present
        assert client.version is ProtocolVersion.V3_1_1


# -- real sockets ------------------------------------------------------------------------------------------------------


@trio_test
async def test_wss_with_a_callers_context() -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert("localhost").configure_cert(theirs)
    connects = []

    async def serve(stream: trio.SocketStream) -> None:
        peer = Peer(trio.SSLStream(stream, theirs, server_side=True, https_compatible=True))
        connects.append(await peer.greet())
        await peer.finish()

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
            port = listeners[0].socket.getsockname()[1]
            async with open_client(f"wss://localhost:{port}/mqtt", ssl_context=ours, client_id="me"):
                pass
            with pytest.raises(ConnectionLost, match="the certificate is not trusted"):
                async with open_client(f"wss://localhost:{port}/mqtt"):
                    raise AssertionError("not reached")
            nursery.cancel_scope.cancel()
    assert [connect.client_id for connect in connects] == ["me"]
