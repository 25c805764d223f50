"""Where to connect: asked for at each attempt, never used beyond its time."""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.client.access import Access, AccessSource, UrlSource
from mqttws.errors import AccessExpired, AccessFailed, HandshakeRefused
from mqttws.webpubsub import client_access_url

URL = "wss://server/mqtt?access_token=canary"


def source(url: UrlSource) -> AccessSource:
    return AccessSource(url, 30)


@pytest.mark.parametrize("url", [URL, Access(URL)])
@trio_test
async def test_a_fixed_url_is_always_the_same(url: UrlSource, autojump_clock: MockClock) -> None:
    fixed = source(url)
    assert not fixed.renewable
    tickets = [await fixed.ticket() for _ in range(2)]
    assert tickets[0] == tickets[1]
    assert tickets[0].address.url == URL
    assert (tickets[0].headers, tickets[0].expires) == ((), math.inf)


@trio_test
async def test_a_function_is_asked_each_time(autojump_clock: MockClock) -> None:
    asked = []

    async def provider() -> str | Access:
        asked.append(trio.current_time())
        await trio.sleep(1)
        return Access(f"ws://server/{len(asked)}", [("X", "y")]) if len(asked) > 1 else "ws://server/1"

    made = source(provider)
    assert made.renewable
    tickets = [await made.ticket() for _ in range(2)]
    assert [ticket.address.target for ticket in tickets] == ["/1", "/2"]
    assert [ticket.headers for ticket in tickets] == [(), (("X", "y"),)]
    assert asked == [0, 1]


@trio_test
async def test_the_expiry_is_told_on_trios_clock(autojump_clock: MockClock) -> None:
    await trio.sleep(5)
    ticket = await source(Access(URL, expires_at=time.time() + 100)).ticket()
    assert ticket.expires == pytest.approx(105, abs=1)


@trio_test
async def test_what_has_expired_is_not_used(autojump_clock: MockClock) -> None:
    with pytest.raises(AccessExpired, match=r"^the access to wss://server/mqtt\?\[redacted\] has expired$"):
        await source(Access(URL, expires_at=time.time() - 1)).ticket()


@trio_test
async def test_a_url_used_before_is_not_used_again_when_its_time_is_over(autojump_clock: MockClock) -> None:
    """The calendar may stand still while trio's clock runs, in a simulation, or run while that stands, in a suspend."""
    fixed = source(Access(URL, expires_at=time.time() + 100))
    await fixed.ticket()
    await trio.sleep(101)
    with pytest.raises(AccessExpired):
        await fixed.ticket()


@trio_test
async def test_a_token_in_the_url_tells_its_expiry_by_itself(autojump_clock: MockClock) -> None:
    url = client_access_url("Endpoint=https://s;AccessKey=" + "k" * 32, "chat", lifetime=600)
    ticket = await source(url).ticket()
    assert ticket.expires == pytest.approx(600, abs=2)


@pytest.mark.parametrize(("scheme", "known"), [("Bearer", True), ("bearer", True), ("Basic", False)])
@trio_test
async def test_so_does_one_in_a_header(scheme: str, known: bool, autojump_clock: MockClock) -> None:
    headers = [("X", "y"), ("authorization", f"{scheme} {token({'exp': time.time() + 600})}")]
    ticket = await source(Access("ws://server", headers)).ticket()
    assert (ticket.expires == pytest.approx(600, abs=2)) is known


def token(claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


@pytest.mark.parametrize(
    "text",
    [
        "opaque",
        "a.b.c",
        "a.\N{SUPERSCRIPT TWO}.c",
        token([]),
        token({}),
        token({"exp": "soon"}),
        token({"exp": True}),
        token({"exp": 1e400}),
        token({"exp": 10**400}),
        token({"exp": 9e99, "x": "y" * 20_000}),
        "a." + base64.urlsafe_b64encode(b"[" * 9_000).decode() + ".c",
    ],
)
@trio_test
async def test_a_token_that_tells_nothing_is_used_as_it_is(text: str, autojump_clock: MockClock) -> None:
    assert (await source(f"ws://server/?access_token={text}").ticket()).expires == math.inf


@trio_test
async def test_a_token_that_says_it_has_expired_is_still_tried(autojump_clock: MockClock) -> None:
    """Whose clock is wrong, ours or the maker's, the Server knows; and its words are better than ours."""
    ticket = await source(f"ws://server/?access_token={token({'exp': 1})}").ticket()
    assert ticket.expires < 0


@trio_test
async def test_a_provider_has_its_time(autojump_clock: MockClock) -> None:
    async def provider() -> str:
        await trio.sleep_forever()
        raise AssertionError("not reached")

    with pytest.raises(AccessFailed, match="the provider gave no URL within 30 seconds"):
        await source(provider).ticket()
    assert trio.current_time() == 30


@trio_test
async def test_what_a_provider_raises_is_the_cause_and_is_not_repeated(autojump_clock: MockClock) -> None:
    async def provider() -> str:
        raise OSError("canary")

    with pytest.raises(AccessFailed, match=r"^the provider gave no URL: OSError$") as caught:
        await source(provider).ticket()
    assert isinstance(caught.value.__cause__, OSError)


@trio_test
async def test_a_provider_that_gives_something_else_is_told_what(autojump_clock: MockClock) -> None:
    async def provider() -> Any:
        return None

    with pytest.raises(AccessFailed, match="the provider gave no URL and no Access but NoneType"):
        await source(provider).ticket()


@trio_test
async def test_our_own_errors_pass_through_a_provider(autojump_clock: MockClock) -> None:
    async def provider() -> str:
        raise HandshakeRefused(403)

    with pytest.raises(HandshakeRefused):
        await source(provider).ticket()


@trio_test
async def test_what_is_no_url_is_refused(autojump_clock: MockClock) -> None:
    with pytest.raises(ValueError, match="ws://"):
        await source("http://server").ticket()


def test_nothing_that_shows_an_access_shows_a_secret() -> None:
    access = Access(URL, [("Authorization", "Bearer canary")], 1.0)
    assert "canary" not in repr(access)
    assert "expires_at=1.0" in repr(access)


# -- redirects ---------------------------------------------------------------------------------------------------------


async def redirected(reference: str | None, url: str = "ws://server:81/mqtt?access_token=t") -> str | None:
    made = source(url)
    first = await made.ticket()
    if not made.redirect(reference, permanent=True):
        assert await made.ticket() == first
        return None
    return (await made.ticket()).address.url


@pytest.mark.parametrize(
    ("reference", "url"),
    [
        ("other", "ws://other:81/mqtt?access_token=t"),
        ("other:82", "ws://other:82/mqtt?access_token=t"),
        ("[fe80::1]:82", "ws://[fe80::1]:82/mqtt?access_token=t"),
        ("[::1]", "ws://[::1]:81/mqtt?access_token=t"),
        ("10.0.0.1:80", "ws://10.0.0.1/mqtt?access_token=t"),
        ("  one:1 two:2", "ws://one:1/mqtt?access_token=t"),
        ("no/host two:2", "ws://two:2/mqtt?access_token=t"),
        ("wss://other", "wss://other/mqtt?access_token=t"),
        ("ws://other:82/", "ws://other:82/mqtt?access_token=t"),
        ("ws://other/elsewhere", "ws://other/elsewhere"),
        ("http://other", None),
        ("user@other", None),
        ("a:b:c", None),
        (":80", None),
        ("other?x=y", None),
        ("other#x", None),
        ("", None),
        (None, None),
    ],
)
@trio_test
async def test_a_server_reference_leads_to_another_server(
    reference: str | None, url: str | None, autojump_clock: MockClock
) -> None:
    assert await redirected(reference) == url


@trio_test
async def test_no_redirect_leads_out_of_tls(autojump_clock: MockClock) -> None:
    assert await redirected("ws://other", "wss://server/mqtt") is None
    assert await redirected("other", "wss://server/mqtt") == "wss://other/mqtt"


@trio_test
async def test_a_server_that_has_moved_is_looked_for_where_it_is_from_now_on(autojump_clock: MockClock) -> None:
    made = source(URL)
    await made.ticket()
    assert made.redirect("other", permanent=True)
    made.failed()
    assert (await made.ticket()).address.host == "other"


@trio_test
async def test_another_server_for_now_is_left_when_it_fails(autojump_clock: MockClock) -> None:
    made = source(URL)
    await made.ticket()
    assert made.redirect("other", permanent=False)
    assert [(await made.ticket()).address.host for _ in range(2)] == ["other", "other"]
    made.failed()
    assert (await made.ticket()).address.host == "server"


@trio_test
async def test_an_expired_url_is_not_used_elsewhere_either(autojump_clock: MockClock) -> None:
    made = source(Access(URL, expires_at=time.time() + 10))
    await made.ticket()
    assert made.redirect("other", permanent=True)
    await trio.sleep(11)
    with pytest.raises(AccessExpired):
        await made.ticket()
