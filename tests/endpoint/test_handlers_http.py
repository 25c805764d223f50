"""Abuse protection (row 80): each URL is asked once, by all that need it, and again only after a no."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, trio_test

from mqttws.endpoint import EventHandler
from mqttws.endpoint.handlers_cloudevents import Notice
from mqttws.endpoint.handlers_http import HandlerFailed, WebHooks
from mqttws.http import Request, Response, header
from mqttws.transport import open_http_pool
from tests.endpoint.webhooks import URL, WebHook
from tests.transport.proxies import Scripted

NOTICE = Notice((("ce-type", "azure.webpubsub.user.x"),), b"body")
ORIGIN = "localhost:8080"


@asynccontextmanager
async def hooked() -> AsyncIterator[tuple[WebHooks, WebHook]]:
    """A sender of events, and the server that gets them."""
    webhook = WebHook()
    async with trio.open_nursery() as nursery:
        async with open_http_pool(dial=Scripted(nursery, webhook), proxy=None, timeout=5) as pool:
            yield WebHooks(pool, ORIGIN), webhook
        nursery.cancel_scope.cancel()


def allowing(*origins: str, status: int = 200) -> Response:
    return Response(status, tuple(("WebHook-Allowed-Origin", origin) for origin in origins))


@trio_test
async def test_row_80_each_url_is_validated_once_before_its_first_event(autojump_clock: MockClock) -> None:
    async with hooked() as (webhooks, webhook):
        by_event, by_hub = EventHandler(f"{URL}/{{event}}?code=1"), EventHandler(f"{URL}/{{hub}}")
        for handler, hub, event in [
            (by_event, "chat", "a"),
            (by_event, "news", "b"),
            (by_hub, "chat", "a"),
            (by_hub, "chat", "b"),
            (by_hub, "news", "a"),
        ]:
            assert (await webhooks.post(handler, hub, event, NOTICE)).status == 204
    assert [method.replace("/eventhandler", "") for method in webhook.methods] == [
        "OPTIONS /validate?code=1",
        "POST /a?code=1",
        "POST /b?code=1",
        "OPTIONS /chat",
        "POST /chat",
        "POST /chat",
        "OPTIONS /news",
        "POST /news",
    ]
    question, posted = webhook.requests[:2]
    assert header(question.headers, "webhook-request-origin") == ORIGIN
    assert header(question.headers, "ce-awpsversion") == "1.0"
    assert question.body == b""
    assert (posted.body, header(posted.headers, "ce-type")) == (b"body", "azure.webpubsub.user.x")


@pytest.mark.parametrize("origins", [("*",), (ORIGIN,), ("LOCALHOST:8080",), ("other, localhost:8080",), ("a", "*")])
@trio_test
async def test_row_80_a_url_allows_this_host_or_any(origins: tuple[str, ...], autojump_clock: MockClock) -> None:
    async with hooked() as (webhooks, webhook):
        webhook.validation = allowing(*origins, status=204)
        assert (await webhooks.post(EventHandler(URL), "chat", "a", NOTICE)).status == 204


@pytest.mark.parametrize(
    ("validation", "event"),
    [
        (Response(200), "AbuseProtectionResponseMissingAllowedOrigin"),
        (allowing(""), "AbuseProtectionResponseMissingAllowedOrigin"),
        (allowing("localhost"), "AbuseProtectionResponseMissingAllowedOrigin"),
        (allowing("localhost:80801", "https://localhost:8080"), "AbuseProtectionResponseMissingAllowedOrigin"),
        (allowing("*", status=404), "AbuseProtectionResponseInvalidStatusCode"),
        (allowing("*", status=301), "AbuseProtectionResponseInvalidStatusCode"),
    ],
)
@trio_test
async def test_row_80_nothing_is_posted_to_a_url_that_does_not_want_it(
    validation: Response, event: str, autojump_clock: MockClock
) -> None:
    async with hooked() as (webhooks, webhook):
        webhook.validation = validation
        for _ in range(2):
            with pytest.raises(HandlerFailed) as caught:
                await webhooks.post(EventHandler(f"{URL}?code=secret"), "chat", "a", NOTICE)
            assert caught.value.event == event
            assert "secret" not in caught.value.text
        assert len(webhook.requests) == 2  # and asked again each time, since it may have changed its mind
        assert webhook.events == []
        webhook.validation = allowing("*")
        assert (await webhooks.post(EventHandler(f"{URL}?code=secret"), "chat", "a", NOTICE)).status == 204


async def hang_up(request: Request) -> Response:
    raise trio.BrokenResourceError


@pytest.mark.parametrize("good", [True, False])
@trio_test
async def test_row_80_calls_at_the_same_time_share_one_question(good: bool, autojump_clock: MockClock) -> None:
    outcomes: list[str] = []
    async with hooked() as (webhooks, webhook), trio.open_nursery() as nursery:
        webhook.validation = allowing("*") if good else Response(500)

        async def post() -> None:
            try:
                await webhooks.post(EventHandler(URL), "chat", "a", NOTICE)
            except HandlerFailed as failed:
                outcomes.append(failed.event)
            else:
                outcomes.append("well")

        for _ in range(20):
            nursery.start_soon(post)
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(1)
        assert outcomes == ["well" if good else "AbuseProtectionResponseInvalidStatusCode"] * 20
        assert webhook.methods.count("OPTIONS /eventhandler") == 1


@trio_test
async def test_a_question_that_was_given_up_is_asked_by_the_next(autojump_clock: MockClock) -> None:
    async with hooked() as (webhooks, webhook), trio.open_nursery() as nursery:
        answers: list[int] = []

        async def post(patience: float) -> None:
            with trio.move_on_after(patience):
                answers.append((await webhooks.post(EventHandler(URL), "chat", "a", NOTICE)).status)

        nursery.start_soon(post, 0)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(post, 0)
        nursery.start_soon(post, 5)
        await trio.sleep(1)
        assert answers == [204]
        assert webhook.methods[-1] == "POST /eventhandler"


@trio_test
async def test_a_server_that_is_silent_or_leaves_has_failed(autojump_clock: MockClock) -> None:
    async def silence(request: Request) -> Response:
        await trio.sleep_forever()

    async with hooked() as (webhooks, webhook):
        for answer, status in ((hang_up, 502), (silence, 504)):
            webhook.answer = answer
            with pytest.raises(HandlerFailed, match=f"^POST {URL}: ") as caught:
                await webhooks.post(EventHandler(URL), "chat", "a", NOTICE)
            assert (caught.value.status, caught.value.event) == (status, "EventHandlerFailed")


@trio_test
async def test_a_server_that_there_is_not_has_failed_at_its_validation() -> None:
    with trio.fail_after(10):
        async with open_http_pool(proxy=None) as pool:
            port = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
            url = f"http://127.0.0.1:{port.socket.getsockname()[1]}/"
            await port.aclose()
            with pytest.raises(HandlerFailed, match=f"^OPTIONS {url}: ") as caught:
                await WebHooks(pool, ORIGIN).post(EventHandler(url), "chat", "a", NOTICE)
    assert (caught.value.status, caught.value.event) == (502, "AbuseProtectionResponseFailed")


@trio_test
async def test_what_is_remembered_is_bounded(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.endpoint.handlers_http._REMEMBERED", 2)
    async with hooked() as (webhooks, webhook):
        for hub in ("a", "b", "a", "c", "a"):
            await webhooks.post(EventHandler(f"{URL}/{{hub}}"), hub, "x", NOTICE)
        assert [method for method in webhook.methods if method.startswith("OPTIONS")] == [
            f"OPTIONS /eventhandler/{hub}" for hub in ("a", "b", "c", "a")
        ]
