"""The client and the local endpoint over real sockets: the main job, in both versions."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trustme
from trio.testing import trio_test

from mqttws.client import open_client
from mqttws.codec import Will
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.errors import ConnectRefused, HandshakeRefused, PublishRefused, ServerDisconnected, SubscribeRefused
from mqttws.session import MemoryStore
from mqttws.vocabulary import ConnectReturnCode, QoS, ReasonCode
from mqttws.webpubsub import Roles

VERSIONS = pytest.mark.parametrize("version", [4, 5])


@asynccontextmanager
async def endpoint_and_url() -> AsyncIterator[tuple[Endpoint, str]]:
    """An endpoint, and a URL that may do everything; all has to be over within 20 seconds."""
    with trio.fail_after(20):
        async with open_endpoint() as endpoint:
            yield endpoint, endpoint.client_access_url("chat", roles=Roles.everything())


@VERSIONS
@trio_test
async def test_hello_world_at_every_qos(version: int) -> None:
    async with (
        endpoint_and_url() as (_, url),
        open_client(url, version=version) as one,
        one.subscribe("group1", qos=2) as messages,
        open_client(url, version=version) as two,
    ):
        for qos in QoS:
            await two.publish("group1", f"Hello World {qos:d}!", qos=qos)
            message = await anext(messages)
            assert (message.payload, message.qos) == (f"Hello World {qos:d}!".encode(), qos)


@VERSIONS
@trio_test
async def test_a_million_bytes_go_through(version: int) -> None:
    payload = bytes(range(250)) * 4_000
    async with (
        endpoint_and_url() as (_, url),
        open_client(url, version=version) as client,
        client.subscribe("big") as messages,
    ):
        await client.publish("big", payload, qos=1)
        assert (await anext(messages)).payload == payload


@VERSIONS
@trio_test
async def test_a_slow_consumer_gets_everything_in_order(version: int) -> None:
    count = 60
    async with (
        endpoint_and_url() as (_, url),
        open_client(url, version=version, receive_maximum=10) as client,
        client.subscribe("a", qos=1) as messages,
    ):
        receipts = [client.publish_soon("a", b"%d" % number, qos=1) for number in range(count)]
        for receipt in receipts:
            await receipt.wait()
        assert client.counters.held <= (10 if version == 5 else count)
        assert [(await anext(messages)).payload for _ in range(count)] == [b"%d" % n for n in range(count)]


@VERSIONS
@trio_test
async def test_a_session_is_resumed_with_what_was_missed(version: int) -> None:
    store = MemoryStore()
    async with endpoint_and_url() as (_, url), open_client(url, version=version) as other:
        async with (
            open_client(url, version=version, client_id="me", store=store, clean_start=True) as client,
            client.subscribe("a", qos=2, keep=True),
        ):
            assert not client.session_present
        await other.publish("a", b"missed", qos=2)
        async with open_client(url, version=version, client_id="me", store=store) as client:
            assert client.session_present
            async with client.messages() as messages:
                assert (await anext(messages)).payload == b"missed"


@VERSIONS
@trio_test
async def test_the_will_speaks_when_the_block_is_left_by_an_exception(version: int) -> None:
    async with (
        endpoint_and_url() as (_, url),
        open_client(url, version=version) as watcher,
        watcher.subscribe("wills") as messages,
    ):
        with pytest.raises(ZeroDivisionError):
            await leave_by_an_exception(url, version)
        assert (await anext(messages)).payload == b"gone"


async def leave_by_an_exception(url: str, version: int) -> None:
    will = Will("wills", b"gone", QoS.AT_LEAST_ONCE)
    async with open_client(url, version=version, will=will):
        raise ZeroDivisionError


@trio_test
async def test_what_the_token_does_not_allow_is_refused_call_by_call() -> None:
    async with endpoint_and_url() as (endpoint, _):
        url = endpoint.client_access_url("chat", roles=[*Roles().publish("out")])
        async with open_client(url) as client:
            with pytest.raises(PublishRefused) as publish:
                await client.publish("in", b"x")
            assert publish.value.reason_code == ReasonCode.NOT_AUTHORIZED
            with pytest.raises(SubscribeRefused) as subscribe:
                async with client.subscribe("in"):
                    raise AssertionError("not reached")
            assert subscribe.value.reason_codes == (ReasonCode.NOT_AUTHORIZED,)
            await client.publish("out", b"x")
            with pytest.raises(ServerDisconnected) as end:
                await refused_at_qos_0(client.publish)
            assert end.value.reason_code == ReasonCode.NOT_AUTHORIZED


async def refused_at_qos_0(publish: object) -> None:
    """At QoS 0 the service has no other way to say no than to close."""
    assert callable(publish)
    while True:
        await publish("in", b"x", 0)
        await trio.sleep(0.01)


@trio_test
async def test_a_bad_token_and_a_bad_client_id_are_refused_in_words() -> None:
    async with endpoint_and_url() as (_, url):
        with pytest.raises(HandshakeRefused) as handshake:
            async with open_client(url[:-4] + "AAAA"):
                raise AssertionError("not reached")
        assert handshake.value.status == 401
        assert url.partition("access_token=")[2] not in str(handshake.value)
        with pytest.raises(ConnectRefused) as connect:
            async with open_client(url, client_id="under_score", profile="mqtt"):
                raise AssertionError("not reached")
        assert connect.value.reason_code == ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
        with pytest.raises(ConnectRefused) as connect:
            async with open_client(url, version=4, client_id="under_score", profile="mqtt"):
                raise AssertionError("not reached")
        assert connect.value.reason_code == ConnectReturnCode.IDENTIFIER_REJECTED


@trio_test
async def test_taken_over_the_first_client_is_told() -> None:
    async with (
        endpoint_and_url() as (_, url),
        open_client(url, client_id="me") as first,
        first.messages() as messages,
        open_client(url, client_id="me"),
    ):
        with pytest.raises(ServerDisconnected) as end:
            await anext(messages)
        assert end.value.reason_code == ReasonCode.SESSION_TAKEN_OVER


@trio_test
async def test_over_tls() -> None:
    authority = trustme.CA()
    ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.configure_trust(ours)
    authority.issue_cert("127.0.0.1").configure_cert(theirs)
    with trio.fail_after(20):
        async with open_endpoint(ssl_context=theirs) as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            assert url.startswith("wss://")
            async with open_client(url, ssl_context=ours) as client, client.subscribe("a") as messages:
                await client.publish("a", bytes(300_000))
                assert len((await anext(messages)).payload) == 300_000


@trio_test
async def test_a_request_goes_to_another_client_and_its_response_comes_back() -> None:
    async with endpoint_and_url() as (_, url), open_client(url) as service, open_client(url) as client:

        async def respond() -> None:
            async with service.subscribe("service") as messages:
                ready.set()
                async for message in messages:
                    said: Any = {"correlation_data": message.properties["correlation_data"]}
                    await service.publish(message.properties["response_topic"], message.payload[::-1], properties=said)

        async with trio.open_nursery() as nursery:
            ready = trio.Event()
            nursery.start_soon(respond)
            await ready.wait()
            for word in ("stressed", "drawer"):
                assert (await client.request("service", word)).payload == word[::-1].encode()
            nursery.cancel_scope.cancel()
