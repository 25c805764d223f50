"""Through an HTTP proxy: what it is asked, what it may answer, and which proxy the environment means."""

from __future__ import annotations

import ssl
from contextlib import suppress

import pytest
import trio
import trustme
from hypothesis import example, given
from hypothesis import strategies as st
from trio.testing import MockClock, trio_test

from mqttws.errors import ConnectionLost, LocalProtocolError, MqttError, ProxyRefused, RemoteProtocolError
from mqttws.http import Response, header
from mqttws.transport import Dial, Proxy, dial, dial_through
from mqttws.transport.proxy import open_tunnel, proxy_from_environment
from tests.transport.proxies import ConnectProxy, Handler, Scripted, answer, echo, listening, next_request, served
from tests.transport.test_dial import refused_port


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine's own environment says."""
    for scheme in ("ws", "wss", "http", "https", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper()):
            monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def proving(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def hello(dialled: Dial, host: str, port: int, ssl_context: ssl.SSLContext | None = None) -> bytes:
    """What comes back of a few bytes."""
    async with await dialled(host, port, secure=ssl_context is not None, ssl_context=ssl_context) as stream:
        await stream.send_all(b"hello")
        return bytes(await stream.receive_some())


# -- tunnels over sockets ----------------------------------------------------------------------------------------------


@trio_test
async def test_a_tunnel_carries_bytes_and_the_proxy_is_told_where_to() -> None:
    proxy = ConnectProxy()
    async with listening(echo) as port, listening(proxy) as proxy_port:
        assert await hello(dial_through(f"http://127.0.0.1:{proxy_port}"), "server.example", port) == b"hello"
    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", f"server.example:{port}")
    assert request.headers == (("host", f"server.example:{port}"),)


@trio_test
async def test_name_and_password_of_the_url_are_sent_decoded() -> None:
    proxy = ConnectProxy("Basic dXNlckBob21lOnA6L8Op")  # user@home:p:/é
    async with listening(echo) as port, listening(proxy) as proxy_port:
        way = dial_through(f"user%40home:p%3A%2F%C3%A9@127.0.0.1:{proxy_port}")
        assert await hello(way, "::1", port) == b"hello"
    assert proxy.requests[0].target == f"[::1]:{port}"


@trio_test
async def test_tls_goes_through_the_tunnel_and_verifies_the_server_and_not_the_proxy(authority: trustme.CA) -> None:
    async with (
        listening(echo, proving(authority, "server.example")) as port,
        listening(ConnectProxy()) as proxy_port,
    ):
        way = dial_through(f"http://127.0.0.1:{proxy_port}")
        assert await hello(way, "server.example", port, trusting(authority)) == b"hello"
        with pytest.raises(ConnectionLost, match=r"^no TLS connection to other\.example:\d+: the certificate is not"):
            await hello(way, "other.example", port, trusting(authority))


@trio_test
async def test_the_proxy_itself_may_want_tls_with_a_context_of_its_own(authority: trustme.CA) -> None:
    theirs = trustme.CA()
    async with (
        listening(echo, proving(authority, "server.example")) as port,
        listening(ConnectProxy(), proving(theirs, "localhost")) as proxy_port,
    ):
        url = f"https://localhost:{proxy_port}"
        way = dial_through(Proxy(url, ssl_context=trusting(theirs)))
        assert await hello(way, "server.example", port, trusting(authority)) == b"hello"
        assert await hello(dial_through(Proxy(url, ssl_context=trusting(theirs))), "::1", port) == b""  # no TLS inside
        with pytest.raises(ConnectionLost, match=r"^no connection to the proxy https://localhost:\d+: no TLS connec"):
            await hello(dial_through(url), "server.example", port, trusting(authority))


@trio_test
async def test_a_proxy_that_is_not_there_is_named() -> None:
    port = refused_port()
    with pytest.raises(ConnectionLost) as caught:
        await hello(dial_through(f"http://user:canary@127.0.0.1:{port}"), "server.example", 80)
    assert str(caught.value) == (
        f"no connection to the proxy http://127.0.0.1:{port}: cannot connect to 127.0.0.1:{port}: Connection refused"
    )


# -- what a proxy may answer -------------------------------------------------------------------------------------------

URL = "http://user:canary-canary@proxy:3128"
SECRETS = ("canary", "dXNlcjpjYW5hcnktY2FuYXJ5")


async def refused(handler: Handler, url: str = URL) -> MqttError:
    """What a proxy's behaviour raises; the stream to it is closed, and nobody shows the credentials."""
    ended = trio.Event()

    async def whole(stream: trio.abc.Stream) -> None:
        await handler(stream)
        try:
            while await stream.receive_some():
                pass
        except trio.ClosedResourceError:
            pass  # the handler itself has hung up
        ended.set()

    async with trio.open_nursery() as nursery:
        way = dial_through(url, dial=Scripted(nursery, whole))
        with pytest.raises(MqttError) as caught:
            await way("server.example", 80, secure=False, ssl_context=None)
        await ended.wait()
    error = caught.value
    shown = f"{error} {error!r} {vars(error)} {error.__cause__} {error.__context__!r}"
    assert not [secret for secret in SECRETS if secret in shown]
    return error


@trio_test
async def test_a_refusal_has_status_words_and_a_hint(autojump_clock: MockClock) -> None:
    async def wants_credentials(stream: trio.abc.Stream) -> None:
        request = await next_request(stream)
        said = header(request.headers, "proxy-authorization")
        assert said == f"Basic {SECRETS[1]}"
        headers = (("Proxy-Authenticate", "Basic realm=x"), ("X-Echo", f"{said} canary-canary"))
        await stream.send_all(answer(Response(407, headers, f"not {said}, nor canary-canary".encode())))

    error = await refused(wants_credentials)
    assert isinstance(error, ProxyRefused)
    assert error.status == 407
    assert ("proxy-authenticate", "Basic realm=x") in error.headers
    assert str(error) == (
        "the proxy refused the tunnel with HTTP 407: http://proxy:3128 to server.example:80 (user name and password "
        "stand in the proxy's URL): not [redacted], nor [redacted]"
    )


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "HTTP 403: http://proxy:3128 to server.example:80 (Forbidden)"),
        (502, "HTTP 502: http://proxy:3128 to server.example:80 (Bad Gateway)"),
        (599, "HTTP 599: http://proxy:3128 to server.example:80"),
    ],
)
@trio_test
async def test_other_refusals_say_why_the_proxy_says_so(status: int, words: str, autojump_clock: MockClock) -> None:
    error = await refused(served(answer(Response(status))))
    assert isinstance(error, ProxyRefused)
    assert str(error) == f"the proxy refused the tunnel with {words}"


@trio_test
async def test_a_redirect_is_reported_and_not_followed(autojump_clock: MockClock) -> None:
    error = await refused(served(answer(Response(302, (("Location", "http://login.example/?t=canary-canary"),)))))
    assert isinstance(error, ProxyRefused)
    assert error.location == "http://login.example/"


@trio_test
async def test_a_refusal_whose_body_never_ends_is_cut(autojump_clock: MockClock) -> None:
    async def endless(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        await stream.send_all(b"HTTP/1.1 503 Busy\r\n\r\n")
        with suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(b"x" * 1000)

    error = await refused(endless)
    assert isinstance(error, ProxyRefused)
    assert len(error.body) == 4096


@trio_test
async def test_a_refusal_whose_body_never_comes_is_not_waited_for(autojump_clock: MockClock) -> None:
    error = await refused(served(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nlat"))
    assert isinstance(error, ProxyRefused)
    assert error.body == b"lat"
    assert trio.current_time() == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x00\x02\x02\x28", "byte 0x16 begins no HTTP message"),
        (b"SSH-2.0-canary-canary\r\n\r\n", "illegal status line"),
        (b"HTTP/1.1 200 " + b"a" * 10_000, "the first line is longer than 8192 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101, "there are more than 100 headers"),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: " + b"a" * 10_000, "a header is longer than 8192 bytes"),
        (b"HTTP/1.1 101 Switching\r\n\r\n", ""),
    ],
)
@trio_test
async def test_what_is_no_answer_is_the_proxys_fault(data: bytes, words: str, autojump_clock: MockClock) -> None:
    error = await refused(served(data))
    assert isinstance(error, RemoteProtocolError)
    assert str(error).startswith(f"the proxy http://proxy:3128 did not answer in HTTP: {words}")


@trio_test
async def test_bytes_behind_the_answer_are_nobodys(autojump_clock: MockClock) -> None:
    error = await refused(served(b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Evil\r\n\r\n"))
    assert isinstance(error, RemoteProtocolError)
    assert str(error) == "the proxy http://proxy:3128 sent 21 bytes behind its answer"


@trio_test
async def test_a_length_in_the_answer_to_connect_means_nothing(autojump_clock: MockClock) -> None:
    async def odd(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        await stream.send_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 OK\r\nContent-Length: 5\r\n\r\n")
        await echo(stream)

    async with trio.open_nursery() as nursery:
        assert await hello(dial_through(URL, dial=Scripted(nursery, odd)), "server.example", 80) == b"hello"


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nA: b"])
@trio_test
async def test_a_proxy_that_hangs_up_is_a_lost_connection(said: bytes, autojump_clock: MockClock) -> None:
    async def rude(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        if said:
            await stream.send_all(said)
        await stream.aclose()

    error = await refused(rude)
    assert isinstance(error, ConnectionLost)
    assert str(error) == "the proxy http://proxy:3128 has cut the connection without an answer"


@trio_test
async def test_a_proxy_that_hangs_up_at_once_is_a_lost_connection(autojump_clock: MockClock) -> None:
    async def leaves(stream: trio.abc.Stream) -> None:
        await stream.aclose()

    error = await refused(leaves)
    assert isinstance(error, ConnectionLost)


@trio_test
async def test_the_callers_deadline_ends_the_wait_for_a_silent_proxy(autojump_clock: MockClock) -> None:
    closed = trio.Event()

    async def silent(stream: trio.abc.Stream) -> None:
        while await stream.receive_some():
            pass
        closed.set()

    async with trio.open_nursery() as nursery:
        way = dial_through(URL, dial=Scripted(nursery, silent))
        with trio.move_on_after(7) as scope:
            await way("server.example", 80, secure=True, ssl_context=None)
        assert scope.cancelled_caught
        await closed.wait()
    assert trio.current_time() == 7


@trio_test
async def test_a_host_that_http_cannot_name_is_not_asked_for(autojump_clock: MockClock) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with pytest.raises(LocalProtocolError):
        await open_tunnel(ours, Proxy(URL), "a b\r\nX: y", 80)
    assert await theirs.receive_some() == b""


def answered(*chunks: bytes) -> str:
    """What a proxy's bytes, and then its end, come to."""

    async def handler(stream: trio.abc.Stream) -> None:
        await next_request(stream)
        for chunk in chunks:
            await stream.send_all(chunk)
            await trio.sleep(0.01)

    async def main() -> str:
        async with trio.open_nursery() as nursery:
            try:
                stream = await dial_through(URL, dial=Scripted(nursery, handler))(
                    "server.example", 80, secure=False, ssl_context=None
                )
            except MqttError as error:
                return f"{type(error).__name__}: {error}"
            await stream.aclose()
            return "a tunnel"
        raise AssertionError("not reached")

    return trio.run(main, clock=MockClock(autojump_threshold=0))


@given(
    st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 407 No\r\n", b"HTTP/1.0 2"]),
    st.binary(max_size=60),
    st.integers(1, 20),
)
@example(b"HTTP/1.1 200 OK\r\n", b"\r\n", 5)
def test_any_bytes_of_a_proxy_give_a_tunnel_or_a_typed_error_in_any_portions(
    start: bytes, rest: bytes, size: int
) -> None:
    data = start + rest
    outcome = answered(data)
    assert outcome == "a tunnel" or outcome.split(":")[0] in ("ProxyRefused", "ConnectionLost", "RemoteProtocolError")
    in_pieces = answered(*(data[begin : begin + size] for begin in range(0, len(data), size)))
    assert in_pieces == outcome or "bytes behind its answer" in outcome  # which may still be on their way


# -- which proxy -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://proxy", "http://proxy:80"),
        ("proxy:3128", "http://proxy:3128"),
        (" https://user:canary@[::1]/ ", "https://[::1]:443"),
    ],
)
def test_a_proxy_shows_no_credentials(url: str, shown: str) -> None:
    assert str(Proxy(url)) == shown
    assert repr(Proxy(url)) == f"Proxy('{shown}')"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("socks5://proxy:canary@host", "does not start with http:// or https://"),
        ("http://", "names no host"),
        ("http://proxy:canary", "host and port read"),
        ("http://proxy/canary", "has neither path nor query"),
        ("http://a%3Ab:canary@proxy", "user name with a colon"),
        ("http://proxy canary", "space or a control character"),
    ],
)
def test_what_is_no_proxy_is_refused_at_once_without_being_shown(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^proxy: .*{words}") as caught:
        dial_through(url)
    assert "canary" not in str(caught.value)


def test_without_a_proxy_dialling_is_as_before() -> None:
    assert dial_through(None) is dial


@pytest.mark.parametrize(
    ("environment", "scheme", "host", "expected"),
    [
        ({}, "wss", "a.example", None),
        ({"HTTPS_PROXY": "p:1"}, "wss", "a.example", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "https", "a.example", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "ws", "a.example", None),
        ({"http_proxy": "http://p:1"}, "ws", "a.example", "http://p:1"),
        ({"http_proxy": "http://p:1", "ws_proxy": "http://q:2"}, "ws", "a.example", "http://q:2"),
        ({"http_proxy": "http://p:1", "ws_proxy": "http://q:2"}, "http", "a.example", "http://p:1"),
        ({"all_proxy": "http://p:1"}, "wss", "a.example", "http://p:1"),
        ({"all_proxy": "http://p:1", "wss_proxy": "http://q:2"}, "wss", "a.example", "http://q:2"),
        ({"https_proxy": "p:1", "no_proxy": "b.example, .a.example"}, "wss", "x.a.example", None),
        ({"https_proxy": "p:1", "NO_PROXY": "a.example:443"}, "wss", "a.example", None),
        ({"https_proxy": "p:1", "no_proxy": "a.example:444"}, "wss", "a.example", "http://p:1"),
        ({"https_proxy": "p:1", "no_proxy": "2001:db8::1"}, "wss", "2001:db8::1", None),
        ({"https_proxy": "p:1", "no_proxy": "*"}, "wss", "a.example", None),
        ({"https_proxy": "p:1"}, "wss", "127.0.0.1", None),
        ({"https_proxy": "p:1"}, "wss", "::1", None),
        ({"https_proxy": "p:1"}, "wss", "LocalHost.", None),
        ({"https_proxy": "p:1"}, "wss", "hub.localhost", None),
        ({"https_proxy": "p:1"}, "wss", "127.0.0.1.example", "http://p:1"),
    ],
)
def test_the_environment_names_the_proxy(
    environment: dict[str, str], scheme: str, host: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_from_environment(scheme, host, 443)
    assert (proxy and str(proxy)) == expected


def test_a_proxy_of_another_kind_is_not_gone_around_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5h://user:canary@proxy:1080")
    with pytest.raises(ValueError, match=r"from the environment; proxy=None connects without") as caught:
        proxy_from_environment("wss", "a.example", 443)
    assert "canary" not in str(caught.value)


@trio_test
async def test_by_default_the_environment_is_asked_at_each_connection(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, echo)
        way = dial_through(dial=server)
        assert await hello(way, "server.example", 80) == b"hello"
        monkeypatch.setenv("http_proxy", "http://proxy:3128")
        monkeypatch.setenv("https_proxy", "https://other")
        for secure in (False, True):
            with pytest.raises(RemoteProtocolError):  # an echo is no answer
                await way("server.example", 80, secure=secure, ssl_context=None)
    assert server.dialled == [("server.example", 80, False), ("proxy", 3128, False), ("other", 443, True)]
