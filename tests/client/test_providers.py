"""Ready-made providers: what they give, how long it lasts, and that nothing of it is shown."""

from __future__ import annotations

import functools
import json
import threading
import time
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.client import Access
from mqttws.client.providers import Provider, from_callable, from_connection_string, from_negotiate
from mqttws.errors import ConnectionLost, MqttError, NegotiateRefused, PeerSilent, RemoteProtocolError
from mqttws.http import Response, header
from mqttws.webpubsub import ConnectionString, Roles, claimed_expiry, client_access_url, read_token
from tests.transport.proxies import ConnectProxy, Handler, Scripted, answer, listening, next_request, served

KEY = "0123456789abcdef0123456789abcdef"
STRING = f"Endpoint=https://demo.example;AccessKey={KEY};Version=1.0;"
PLAIN = "wss://server.example/mqtt"
URL = client_access_url(STRING, "chat", now=1_900_000_000, lifetime=60)
EXPIRY = 1_900_000_060.0


def token_of(access: Access) -> str:
    return access.url.partition("access_token=")[2]


# -- from a connection string ------------------------------------------------------------------------------------------


@trio_test
async def test_a_connection_string_gives_a_new_token_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    roles = (role for role in Roles.everything())
    provide = from_connection_string(STRING, "chat", user_id="ann", roles=roles, groups=["room"], lifetime=90)
    urls = []
    for now in (1_900_000_000.0, 1_900_000_100.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        access = await provide()
        assert access.url.startswith("wss://demo.example/clients/mqtt/hubs/chat?access_token=")
        assert access.expires_at == now + 90
        claims = read_token(token_of(access), [KEY], [ConnectionString.parse(STRING).audience("chat")], now)
        assert (claims.user_id, claims.groups) == ("ann", ("room",))
        assert claims.roles == tuple(Roles.everything())
        urls.append(access.url)
    assert urls[0] != urls[1]
    assert "eyJ" not in repr(access)


@pytest.mark.parametrize(
    ("string", "hub", "options"),
    [
        ("Endpoint=https://demo.example", "chat", {}),
        (STRING, "1chat", {}),
        (ConnectionString.parse(STRING), "chat", {"lifetime": 0}),
        (STRING, "chat", {"roles": "webpubsub.sendToGroup"}),
        (STRING, "chat", {"groups": [" "]}),
    ],
)
def test_what_is_wrong_with_a_connection_string_is_said_before_any_connection(
    string: Any, hub: str, options: Any
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each has words of its own, tested where they are made
        from_connection_string(string, hub, **options)
    assert KEY not in str(caught.value)


# -- from a callable ---------------------------------------------------------------------------------------------------


def in_a_thread() -> str:
    assert threading.current_thread() is not threading.main_thread()
    return URL


async def in_trio() -> str:
    assert threading.current_thread() is threading.main_thread()
    await trio.lowlevel.checkpoint()
    return URL


class WithState:
    async def __call__(self) -> str:
        return await in_trio()


@pytest.mark.parametrize(
    "function",
    [in_a_thread, in_trio, functools.partial(in_trio), WithState(), lambda: in_trio(), lambda: Access(URL)],  # noqa: PLW0108 - what people write
)
@trio_test
async def test_a_function_may_be_async_or_not(function: Any) -> None:
    access = await from_callable(function)()
    assert access == Access(URL, (), EXPIRY)


@pytest.mark.parametrize(
    ("given", "expires_at"),
    [
        (Access(URL, [("X", "y")], 5.0), 5.0),
        (Access(URL, [("X", "y")]), EXPIRY),
        (Access(PLAIN, [("X", "y")]), None),
        (Access(f"{PLAIN}?access_token=opaque", [("X", "y")]), None),
    ],
)
@trio_test
async def test_what_a_function_says_about_expiry_counts_and_else_what_the_token_says(
    given: Access, expires_at: float | None
) -> None:
    access = await from_callable(lambda: given)()
    assert access == Access(given.url, [("X", "y")], expires_at)


@trio_test
async def test_what_is_neither_url_nor_access_is_the_functions_fault() -> None:
    with pytest.raises(TypeError, match="a URL or an Access was expected, not bytes"):
        await from_callable(URL.encode)()


@trio_test
async def test_a_function_that_blocks_is_not_waited_for_when_nobody_waits_any_more() -> None:
    over = threading.Event()
    with trio.move_on_after(0.05) as scope:
        await from_callable(lambda: over.wait(10))()
    over.set()
    assert scope.cancelled_caught


# -- from a negotiate endpoint -----------------------------------------------------------------------------------------

NEGOTIATE = "https://app.example/negotiate?code=canary-canary"
HEADERS = (("Authorization", "Bearer canary-canary"), ("X-User", "ann"))


async def negotiated(handler: Handler, url: str = "http://app.example/negotiate?id=1", **options: Any) -> Access:
    """The access that a scripted endpoint leads to; an error comes out alone."""
    error: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            return await from_negotiate(url, dial=Scripted(nursery, handler), **options)()
        except Exception as raised:  # noqa: BLE001 - raised again below
            error = raised
        finally:
            nursery.cancel_scope.cancel()
    assert error is not None
    raise error


def says(body: str | bytes, *headers: tuple[str, str], status: int = 200) -> Handler:
    body = body.encode() if isinstance(body, str) else body
    return served(answer(Response(status, headers, body)))


@pytest.mark.parametrize(
    ("body", "options"),
    [
        (URL, {}),
        (f"\ufeff {URL}\r\n", {}),
        (json.dumps(URL), {}),
        (json.dumps({"url": URL, "hub": "chat"}), {}),
        (json.dumps({"wss": URL, "url": 7}), {"key": "wss"}),
    ],
)
@trio_test
async def test_the_answer_is_a_url_as_text_or_in_json(body: str, options: Any, autojump_clock: MockClock) -> None:
    assert await negotiated(says(body), **options) == Access(URL, (), EXPIRY)


@trio_test
async def test_the_endpoint_is_asked_by_get_with_the_callers_headers(autojump_clock: MockClock) -> None:
    seen = []

    async def endpoint(stream: trio.abc.Stream) -> None:
        seen.append(await next_request(stream))
        await stream.send_all(answer(Response(200, (), PLAIN.encode())))

    assert await negotiated(endpoint, headers=HEADERS) == Access(PLAIN, (), None)
    (request,) = seen
    assert (request.method, request.target) == ("GET", "/negotiate?id=1")
    assert header(request.headers, "host") == "app.example"
    assert header(request.headers, "authorization") == "Bearer canary-canary"
    assert header(request.headers, "accept") == "application/json, text/plain;q=0.9"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no URL in the body, neither as text nor under 'url' of a JSON object"),
        (b"{}", "no URL in the body"),
        (b'{"URL": "ws://a"}', "no URL in the body"),
        (b'{"url": 7}', "no URL in the body"),
        (b"[1]", "no URL in the body"),
        (b"{", "the body is neither a URL nor JSON"),
        (b"\xff", "the body is neither a URL nor JSON"),
        (b"[" * 20_000, "the body is neither a URL nor JSON"),
        (b"https://canary", "MQTT over WebSocket needs a URL that starts with ws:// or wss://"),
        (b"<html>canary</html>", "MQTT over WebSocket needs a URL"),
        (b"ws://canary host/", "the URL holds a space"),
        (b"w" * 40_000, "the body is too long, or was cut"),
    ],
)
@trio_test
async def test_an_answer_without_a_url_is_refused(body: bytes, words: str, autojump_clock: MockClock) -> None:
    with pytest.raises(NegotiateRefused) as caught:
        await negotiated(says(body))
    shown = str(caught.value)
    assert shown.startswith(
        "the negotiate endpoint answered with HTTP 200: GET http://app.example/negotiate?[redacted]"
    )
    assert words in shown
    assert caught.value.body == b""
    assert "canary" not in shown


@trio_test
async def test_a_refusal_carries_status_headers_and_words_without_what_we_sent(autojump_clock: MockClock) -> None:
    async def refuses(stream: trio.abc.Stream) -> None:
        request = await next_request(stream)
        said = header(request.headers, "authorization") or ""
        headers = (("X-Said", said), ("Retry-After", "7"))
        await stream.send_all(answer(Response(503, headers, f"{said}: not now".encode())))

    with pytest.raises(NegotiateRefused) as caught:
        await negotiated(refuses, headers=HEADERS)
    error = caught.value
    assert error.status == 503
    assert ("retry-after", "7") in error.headers
    assert str(error).endswith("HTTP 503: GET http://app.example/negotiate?[redacted]: [redacted]: not now")
    assert "canary" not in f"{error!r} {vars(error)}"


class Redirects:
    """Sends callers from one location to the next, and remembers what was asked for."""

    def __init__(self, *locations: str) -> None:
        self.locations = list(locations)
        self.asked: list[str] = []

    async def __call__(self, stream: trio.abc.Stream) -> None:
        self.asked.append((await next_request(stream)).target)
        response = Response(200, (), PLAIN.encode())
        if self.locations:
            response = Response(307, (("Location", self.locations.pop(0)),))
        await stream.send_all(answer(response))


@trio_test
async def test_redirects_on_the_same_server_are_followed(autojump_clock: MockClock) -> None:
    endpoint = Redirects("/a", "b?c=d", "http://app.example:80/e")
    assert (await negotiated(endpoint)).url == PLAIN
    assert endpoint.asked == ["/negotiate?id=1", "/a", "/b?c=d", "/e"]


@pytest.mark.parametrize(
    ("locations", "shown", "asked"),
    [
        (["http://evil.example/?t=canary"], "http://evil.example/", 1),
        (["//evil.example"], "//evil.example", 1),
        (["https://app.example/"], "https://app.example/", 1),
        (["http://app.example:8080/"], "http://app.example:8080/", 1),
        (["http://[canary"], None, 1),
        (["/"] * 9, "/", 4),
    ],
)
@trio_test
async def test_redirects_to_others_or_without_end_are_reported(
    locations: list[str], shown: str | None, asked: int, autojump_clock: MockClock
) -> None:
    endpoint = Redirects(*locations)
    with pytest.raises(NegotiateRefused) as caught:
        await negotiated(endpoint, headers=HEADERS)
    assert len(endpoint.asked) == asked
    if shown is not None:
        assert caught.value.location == shown
        assert f"a redirect to {shown}, which is not followed" in str(caught.value)
        assert "canary" not in str(caught.value)


async def silent(stream: trio.abc.Stream) -> None:
    await trio.sleep(100)


async def leaves(stream: trio.abc.Stream) -> None:
    await next_request(stream)


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (silent, PeerSilent),
        (leaves, ConnectionLost),
        (served(b"\x16\x03\x01"), RemoteProtocolError),
        (served(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101), RemoteProtocolError),
        (says("no", ("Location", "/"), status=401), NegotiateRefused),
        (says("no", status=302), NegotiateRefused),
    ],
)
@trio_test
async def test_every_way_to_fail_is_typed(handler: Handler, kind: type[MqttError], autojump_clock: MockClock) -> None:
    with pytest.raises(kind):
        await negotiated(handler, timeout=3)
    assert trio.current_time() <= 3


@pytest.mark.parametrize("url", ["ws://app.example/", "app.example", "http://user:canary@app.example/"])
def test_a_url_that_cannot_be_asked_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="the URL") as caught:
        from_negotiate(url)
    assert "canary" not in str(caught.value)


@trio_test
async def test_a_proxy_leads_to_the_endpoint_too() -> None:
    proxy = ConnectProxy()
    async with listening(says(URL)) as port, listening(proxy) as proxy_port:
        provide: Provider = from_negotiate(f"http://app.example:{port}/", proxy=f"http://127.0.0.1:{proxy_port}")
        access = await provide()
    assert access.expires_at == claimed_expiry(token_of(access)) == EXPIRY
    assert [request.target for request in proxy.requests] == [f"app.example:{port}"]
