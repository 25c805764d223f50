"""From a URL to an open WebSocket: proxies, redirects, certificates, and answers that are too much or too slow."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trio
import trustme
from trio.testing import MockClock, trio_test

from mqttws.client import Deadlines, Proxy, open_client
from mqttws.errors import (
    ConnectionLost,
    DialFailed,
    HandshakeRefused,
    MqttError,
    ProxyRefused,
    RemoteProtocolError,
)
from mqttws.http import Response
from tests.client.scripted import Peer
from tests.transport.proxies import ConnectProxy, Handler, Scripted, answer, listening, next_request, served
from tests.transport.test_proxy import no_proxies, proving, trusting

__all__ = ["no_proxies"]

URL = "ws://server.example/mqtt?access_token=canary-canary"


async def greets(stream: trio.abc.Stream) -> None:
    """A Server that lets a client in and waits for its farewell."""
    peer = Peer(stream)
    await peer.greet()
    await peer.finish()


async def not_reached(handler: Handler, url: str = URL, **options: Any) -> MqttError:
    """What entering the block raises; the token of the URL is not in it."""
    error: MqttError | None = None
    async with trio.open_nursery() as nursery:
        try:
            async with open_client(url, dial=Scripted(nursery, handler), **options):
                raise AssertionError("not reached")
        except MqttError as raised:
            error = raised
        nursery.cancel_scope.cancel()
    assert error is not None
    assert "canary" not in f"{error} {error!r} {vars(error)}"
    return error


# -- proxies -----------------------------------------------------------------------------------------------------------


@trio_test
async def test_a_client_is_led_through_the_proxy_that_it_is_given() -> None:
    proxy = ConnectProxy()
    async with listening(greets) as port, listening(proxy) as proxy_port:
        for setting in (f"http://127.0.0.1:{proxy_port}", Proxy(f"127.0.0.1:{proxy_port}")):
            async with open_client(f"ws://server.example:{port}/mqtt", proxy=setting) as client:
                assert not client.session_present
    assert [request.target for request in proxy.requests] == [f"server.example:{port}"] * 2


@trio_test
async def test_by_default_a_client_goes_by_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = ConnectProxy()
    async with listening(greets) as port, listening(proxy) as proxy_port:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy_port}")
        async with open_client(f"ws://server.example:{port}/mqtt"):
            pass
        async with open_client(f"ws://127.0.0.1:{port}/mqtt"):  # this very machine
            pass
        with pytest.raises(DialFailed):
            async with open_client(f"ws://server.invalid:{port}/mqtt", proxy=None):
                raise AssertionError("not reached")
    assert [request.target for request in proxy.requests] == [f"server.example:{port}"]


@trio_test
async def test_a_way_of_the_callers_own_leads_through_a_proxy_only_if_one_is_named(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setenv("http_proxy", "http://elsewhere.example")
    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, greets)
        async with open_client(URL, dial=server):
            pass
        forbidding = Scripted(nursery, served(answer(Response(403))))
        with pytest.raises(ProxyRefused):
            async with open_client(URL, dial=forbidding, proxy="http://proxy.example"):
                raise AssertionError("not reached")
    assert server.dialled == [("server.example", 80, False)]
    assert forbidding.dialled == [("proxy.example", 80, False)]


def test_a_proxy_that_is_none_is_refused_before_anything_is_dialled() -> None:
    async def main() -> None:
        async with open_client(URL, proxy="socks5://proxy.example"):
            raise AssertionError("not reached")

    with pytest.raises(ValueError, match="proxy: the URL does not start with http:// or https://"):
        trio.run(main)


@trio_test
async def test_a_proxy_of_another_kind_in_the_environment_stops_a_client_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://user:canary@proxy.example:1080")
    with pytest.raises(ValueError, match="proxy=None connects without") as caught:
        async with open_client("wss://server.invalid/mqtt"):
            raise AssertionError("not reached")
    assert "canary" not in str(caught.value)


async def silent(stream: trio.abc.Stream) -> None:
    await trio.sleep(100)


@trio_test
async def test_a_silent_proxy_is_given_up_when_the_time_for_dialling_is_over(autojump_clock: MockClock) -> None:
    error = await not_reached(silent, proxy="http://proxy.example", deadlines=Deadlines(dial=7))
    assert isinstance(error, DialFailed)
    assert str(error) == "no connection to server.example within 7 seconds"
    assert trio.current_time() == 7


# -- the handshake -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@trio_test
async def test_a_redirect_of_the_handshake_is_reported_and_not_followed(status: int, autojump_clock: MockClock) -> None:
    location = "wss://other.example/mqtt?access_token=canary-canary"
    error = await not_reached(served(answer(Response(status, (("Location", location),)))))
    assert isinstance(error, HandshakeRefused)
    assert (error.status, error.location) == (status, "wss://other.example/mqtt")
    assert str(error) == (
        f"WebSocket handshake refused with HTTP {status}, a redirect to wss://other.example/mqtt, which is not followed"
    )


async def trickling(stream: trio.abc.Stream) -> None:
    await next_request(stream)
    await stream.send_all(b"HTTP/1.1 101 Switching Protocols\r\nX-Trickle: ")
    while True:
        await trio.sleep(1)
        await stream.send_all(b"x")


@trio_test
async def test_an_answer_that_trickles_in_meets_the_deadline(autojump_clock: MockClock) -> None:
    error = await not_reached(trickling, deadlines=Deadlines(handshake=6))
    assert isinstance(error, ConnectionLost)
    assert "within 6 seconds" in str(error)
    assert 6 <= trio.current_time() <= 8


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/1.1 101 Yes\r\n" + b"a: b\r\n" * 101, "more than 100 headers"),
        (b"HTTP/1.1 101 Yes\r\nX: " + b"x" * 9_000, "a header is longer than 8192 bytes"),
        (b"HTTP/1.1 101 Yes\r\n" + (b"X: " + b"x" * 8_000 + b"\r\n") * 3, "the head is longer than 16384 bytes"),
        (b"HTTP/1.1 101 " + b"x" * 9_000, "the first line is longer than 8192 bytes"),
    ],
)
@trio_test
async def test_an_answer_with_too_much_in_its_head_is_no_answer(
    data: bytes, words: str, autojump_clock: MockClock
) -> None:
    error = await not_reached(served(data))
    assert isinstance(error, RemoteProtocolError)
    assert words in str(error)


# -- certificates ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def asking(authority: trustme.CA) -> ssl.SSLContext:
    """A server's context that lets in who has a certificate of the same authority."""
    context = proving(authority, "localhost")
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


@trio_test
async def test_a_client_certificate_opens_the_door_that_is_shut_without(authority: trustme.CA) -> None:
    async with listening(greets, asking(authority)) as port:
        url = f"wss://localhost:{port}/mqtt"
        with_certificate = trusting(authority)
        authority.issue_cert("me.example").configure_cert(with_certificate)
        async with open_client(url, ssl_context=with_certificate) as client:
            assert not client.session_present
        # In TLS 1.3 the handshake is over for us before the Server has looked.
        with pytest.raises(ConnectionLost):
            async with open_client(url, ssl_context=trusting(authority)):
                raise AssertionError("not reached")
