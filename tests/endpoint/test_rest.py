"""The REST data plane: who may, what there is, and how it refuses."""

from __future__ import annotations

import time

import pytest
from trio.testing import trio_test

from mqttws.endpoint import open_endpoint
from mqttws.endpoint.service import Service
from mqttws.http import Request
from mqttws.webpubsub import make_token
from tests.endpoint.rest import call, error_of, signed


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@trio_test
async def test_health_needs_no_token(method: str) -> None:
    async with open_endpoint() as endpoint:
        answer = await endpoint.http(Request(method, "/api/health"), "test")
        assert (answer.status, answer.body) == (200, b"")


@trio_test
async def test_row_77_the_audience_is_the_request_url_with_or_without_its_query() -> None:
    async with open_endpoint() as endpoint:
        target = "/api/hubs/chat/users/a%20b?api-version=2024-12-01"
        for audience in (target, target.partition("?")[0]):
            token = signed(endpoint, audience)
            assert (await call(endpoint, "HEAD", target, token=token)).status == 404
        for audience in (f"{target}&x=1", "/api/hubs/chat/users/a b", "/api/hubs/chat", "/clients/mqtt/hubs/chat", ""):
            refused = await call(endpoint, "HEAD", target, token=signed(endpoint, audience))
            assert error_of(refused)[:2] == (401, "Unauthorized")
            assert dict(refused.headers)["www-authenticate"] == "Bearer"


@trio_test
async def test_row_77_either_key_signs_with_hs256_until_the_token_expires() -> None:
    keys = "k" * 40, "s" * 40
    async with open_endpoint(access_key=keys[0], secondary_key=keys[1]) as endpoint:
        target = "/api/hubs/chat/users/u"
        for key in keys:
            assert (await call(endpoint, "HEAD", target, token=signed(endpoint, target, key))).status == 404
        for token, reason in [
            (signed(endpoint, target, "x" * 40), "was not signed with this service's access key"),
            (make_token(keys[0], endpoint.address + target, now=time.time() - 7200, lifetime=60), "expired"),
            ("nonsense", "no JSON Web Token"),
            ("", "no access token was given"),
        ]:
            assert reason in error_of(await call(endpoint, "HEAD", target, token=token))[2]
    strict = Service(secondary_key=False)
    async with open_endpoint(access_key=keys[0], secondary_key=keys[1], service=strict) as endpoint:
        refused = await call(endpoint, "HEAD", target, token=signed(endpoint, target, keys[1]))
        assert error_of(refused)[0] == 401


@trio_test
async def test_other_schemes_are_no_token() -> None:
    async with open_endpoint() as endpoint:
        target = "/api/hubs/chat/users/u"
        for headers in ((), (("authorization", "Basic eDp5"),)):
            refused = await endpoint.http(Request("HEAD", target, headers), "test")
            assert error_of(refused) == (401, "Unauthorized", "no access token was given")


@pytest.mark.parametrize("local", ["localhost", "127.0.0.1"])
@trio_test
async def test_local_names_of_the_endpoint_are_one_audience_as_far_as_the_setting_says(local: str) -> None:
    for lenient, status in ((True, 404), (False, 401)):
        async with open_endpoint(public_address="http://127.0.0.2:8080", lenient_audience=lenient) as endpoint:
            token = make_token(endpoint.keys[0], f"http://{local}:8080/api/hubs/chat/users/u", now=time.time())
            assert (await call(endpoint, "HEAD", "users/u", token=token)).status == status


@trio_test
async def test_row_78_what_there_is_not_is_told_in_a_structured_answer() -> None:
    async with open_endpoint() as endpoint:
        for method, target in [
            ("GET", "/api/nothing"),
            ("POST", "/api/health"),
            ("POST", "/api/hubs/chat/:dance"),
            ("GET", "/api/hubs/chat"),
            ("HEAD", "/api/hubs/chat/connections/"),
            ("HEAD", "/api/hubs/chat" + "/x" * 50),
        ]:
            status, code, message = error_of(await call(endpoint, method, target))
            assert (status, code) == (501, "NotImplemented")
            assert message.startswith(f"there is no operation {method} /api/")


@trio_test
async def test_another_method_is_told_which_there_are() -> None:
    async with open_endpoint() as endpoint:
        refused = await call(endpoint, "GET", "connections/c1")
        assert error_of(refused) == (405, "MethodNotAllowed", "HEAD, DELETE is expected here")
        assert dict(refused.headers)["allow"] == "HEAD, DELETE"


@trio_test
async def test_hubs_are_checked_and_refusals_logged_without_the_token() -> None:
    lines: list[str] = []
    async with open_endpoint(hubs=["chat"], log=lines.append) as endpoint:
        assert error_of(await call(endpoint, "HEAD", "/api/hubs/9x/users/u"))[:2] == (400, "InvalidHub")
        assert error_of(await call(endpoint, "HEAD", "/api/hubs/other/users/u"))[:2] == (404, "HubNotFound")
        assert (await call(endpoint, "HEAD", "/api/hubs/chat/users/u")).status == 404
    refusals = [line for line in lines if "RestRefused" in line]
    assert len(refusals) == 2
    assert "/api/hubs/other/users/u" in refusals[1]
    assert not any("eyJ" in line for line in lines)


@trio_test
async def test_what_is_not_below_api_stays_what_it_was() -> None:
    async with open_endpoint() as endpoint:
        answer = await endpoint.http(Request("GET", "/clients/mqtt/hubs/chat"), "test")
        assert (answer.status, answer.body[:9]) == (400, b"this port")
