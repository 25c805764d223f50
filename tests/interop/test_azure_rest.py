"""Every call of the official Python SDK for servers, against the endpoint's REST data plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import pytest
import trio
from trio.testing import trio_test

import mqttws
from mqttws import Client
from mqttws.endpoint import Endpoint, open_endpoint
from mqttws.errors import ServerDisconnected
from mqttws.webpubsub import Roles
from tests.interop.test_azure_sdk import sdk_client

T = TypeVar("T")


async def ask(function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """A call of the SDK, which blocks, in a thread."""
    with trio.fail_after(20):
        return await trio.to_thread.run_sync(lambda: function(*arguments, **options))


@asynccontextmanager
async def service_and_client(**options: Any) -> AsyncIterator[tuple[Any, Client, Endpoint]]:
    """An endpoint, the SDK's client for its hub, and an MQTT client of a user."""
    async with open_endpoint() as endpoint:
        sdk = sdk_client(endpoint.connection_string, "chat")
        url = endpoint.client_access_url("chat", user_id="anna", roles=Roles.everything(), **options)
        async with mqttws.open_client(url, client_id="c1", reconnect=None) as client:
            yield sdk, client, endpoint


@trio_test
async def test_messages() -> None:
    async with service_and_client(groups=["g"]) as (sdk, client, _), client.messages() as messages:
        for send, topic in [
            (sdk.send_to_all, "$webpubsub/server/messages"),
            (partial(sdk.send_to_user, "anna"), "$webpubsub/server/messages"),
            (partial(sdk.send_to_connection, "c1"), "$webpubsub/server/messages"),
            (partial(sdk.send_to_group, "g"), "g"),
        ]:
            for message, content_type, payload in [
                ("hällo", "text/plain", "hällo".encode()),
                ({"x": 1}, "application/json", b'{"x": 1}'),
                (b"\xff\0", "application/octet-stream", b"\xff\0"),
            ]:
                await ask(send, message=message, content_type=content_type)
                received = await anext(messages)
                assert (received.topic, received.payload) == (topic, payload)
                assert received.properties["content_type"] == content_type


@trio_test
async def test_filters_and_exclusions() -> None:
    async with service_and_client() as (sdk, client, _), client.messages() as messages:
        await ask(sdk.send_to_all, "no", content_type="text/plain", excluded=["c1"])
        await ask(sdk.send_to_all, "no", content_type="text/plain", filter="userId eq 'bob'")
        await ask(sdk.send_to_all, "yes", content_type="text/plain", filter="userId eq 'anna'")
        assert (await anext(messages)).payload == b"yes"


@trio_test
async def test_groups() -> None:
    async with service_and_client() as (sdk, client, _), client.messages() as messages:
        for join, leave in [
            (lambda: sdk.add_connection_to_group("g", "c1"), lambda: sdk.remove_connection_from_group("g", "c1")),
            (lambda: sdk.add_user_to_group("g", "anna"), lambda: sdk.remove_user_from_group("g", "anna")),
            (lambda: sdk.add_connection_to_group("g", "c1"), lambda: sdk.remove_connection_from_all_groups("c1")),
            (lambda: sdk.add_user_to_group("g", "anna"), lambda: sdk.remove_user_from_all_groups("anna")),
        ]:
            await ask(join)
            assert await ask(sdk.group_exists, "g")
            members = await ask(lambda: list(sdk.list_connections(group="g")))
            assert [(member.connection_id, member.user_id) for member in members] == [("c1", "anna")]
            await ask(sdk.send_to_group, "g", "hello", content_type="text/plain")
            assert (await anext(messages)).topic == "g"
            await ask(leave)
            assert not await ask(sdk.group_exists, "g")


@trio_test
async def test_who_is_here() -> None:
    async with service_and_client() as (sdk, _, _):
        assert await ask(sdk.connection_exists, "c1")
        assert await ask(sdk.user_exists, "anna")
        assert not await ask(sdk.connection_exists, "c2")
        assert not await ask(sdk.user_exists, "bob")


@trio_test
async def test_permissions() -> None:
    async with service_and_client() as (sdk, client, _):
        for permission in ("sendToGroup", "joinLeaveGroup"):
            await ask(sdk.revoke_permission, permission, "c1")
            assert not await ask(sdk.has_permission, permission, "c1", target_name="g")
        with pytest.raises(mqttws.PublishRefused):
            await client.publish("g", b"x")
        await ask(sdk.grant_permission, "sendToGroup", "c1", target_name="g")
        assert await ask(sdk.has_permission, "sendToGroup", "c1", target_name="g")
        await client.publish("g", b"x")


@pytest.mark.parametrize("how", ["connection", "user", "group", "all"])
@trio_test
async def test_the_end(how: str) -> None:
    async with open_endpoint() as endpoint:
        sdk = sdk_client(endpoint.connection_string, "chat")
        close = {
            "connection": partial(sdk.close_connection, "c1"),
            "user": partial(sdk.close_user_connections, "anna"),
            "group": partial(sdk.close_group_connections, "g"),
            "all": sdk.close_all_connections,
        }[how]
        url = endpoint.client_access_url("chat", user_id="anna", roles=Roles.everything(), groups=["g"])
        async with mqttws.open_client(url, client_id="c1", reconnect=None) as client, client.messages() as messages:
            await ask(close, reason="enough")
            with trio.fail_after(10), pytest.raises(ServerDisconnected) as caught:
                await anext(messages)
        assert caught.value.properties["reason_string"] == "enough"
