"""Every call of the official JavaScript SDK for servers, against the endpoint's REST data plane."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import trio_test

import mqttws
from mqttws import Client
from mqttws.endpoint import open_endpoint
from mqttws.errors import ServerDisconnected
from mqttws.webpubsub import Roles
from tests.interop.counterparts import need
from tests.interop.processes import JsonLines, node, running


class Sdk:
    """The SDK's client for one hub, in a process of its own."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines

    async def __call__(self, method: str, *arguments: Any, group: str | None = None) -> Any:
        """The result of a method, of the hub's client or of a group's."""
        line: dict[str, Any] = {"do": method, "arguments": arguments}
        with trio.fail_after(30):
            await self._lines.send(line if group is None else line | {"group": group})
            answer = await self._lines.receive()
        assert "error" not in answer, answer
        return answer["result"]


@asynccontextmanager
async def sdk_and_client(**options: Any) -> AsyncIterator[tuple[Sdk, Client]]:
    """The SDK, and an MQTT client of a user, at one endpoint."""
    need("mqttjs")
    script = node("service.mjs")
    async with open_endpoint() as endpoint:
        script["command"] += [endpoint.connection_string, "chat"]
        url = endpoint.client_access_url("chat", user_id="anna", roles=Roles.everything(), **options)
        async with running(**script) as process, mqttws.open_client(url, client_id="c1", reconnect=None) as client:
            yield Sdk(JsonLines(process)), client


@trio_test
async def test_messages_reach_mqtt_clients_with_their_content_type() -> None:
    async with sdk_and_client(groups=["g"]) as (sdk, client), client.messages() as messages:
        octets = {"base64": base64.b64encode(b"\xff\0").decode()}
        for message, options, payload, content_type in [
            ({"x": 1}, {}, b'{"x":1}', "application/json"),
            ("hällo", {"contentType": "text/plain"}, "hällo".encode(), "text/plain"),
            (octets, {}, b"\xff\0", "application/octet-stream"),
        ]:
            await sdk("sendToAll", message, options)
            await sdk("sendToUser", "anna", message, options)
            await sdk("sendToConnection", "c1", message, options)
            await sdk("sendToAll", message, options, group="g")
            for topic in ("$webpubsub/server/messages",) * 3 + ("g",):
                received = await anext(messages)
                assert (received.topic, received.payload) == (topic, payload)
                assert received.properties["content_type"] == content_type


@trio_test
async def test_a_message_that_may_wait_has_an_expiry() -> None:
    async with sdk_and_client() as (sdk, client), client.messages() as messages:
        text = {"contentType": "text/plain"}
        await sdk("sendToAll", "no", text | {"filter": "userId eq 'bob'"})
        await sdk("sendToAll", "no", text | {"excludedConnections": ["c1"]})
        await sdk("sendToAll", "yes", text | {"messageTtlSeconds": 60})
        received = await anext(messages)
        assert received.payload == b"yes"
        assert 58 <= received.properties["message_expiry_interval"] <= 60


@trio_test
async def test_groups() -> None:
    async with sdk_and_client() as (sdk, _):
        everybody = "userId eq 'anna'"
        for join, leave in [
            (("addConnection", "c1", "g"), ("removeConnection", "c1", "g")),
            (("addUser", "anna", "g"), ("removeUser", "anna", "g")),
            (("addConnection", "c1", "g"), ("removeConnectionFromAllGroups", "c1", None)),
            (("addUser", "anna", "g"), ("removeUserFromAllGroups", "anna", None)),
        ]:
            await sdk(join[0], join[1], group=join[2])
            assert await sdk("groupExists", "g") is True
            listed = await sdk("listConnections", group="g")
            assert [(each["connectionId"], each["userId"]) for each in listed] == [("c1", "anna")]
            await sdk(leave[0], leave[1], group=leave[2])
            assert await sdk("groupExists", "g") is False
        await sdk("addConnectionsToGroups", ["g", "h"], everybody)
        assert await sdk("groupExists", "h") is True
        await sdk("removeConnectionsFromGroups", ["g", "h"], everybody)
        assert await sdk("groupExists", "g") is False


@trio_test
async def test_who_is_here_and_what_they_may() -> None:
    async with sdk_and_client() as (sdk, _):
        assert await sdk("connectionExists", "c1") is True
        assert await sdk("userExists", "anna") is True
        assert await sdk("connectionExists", "c2") is False
        assert await sdk("userExists", "bob") is False
        target = {"targetName": "g"}
        await sdk("revokePermission", "c1", "sendToGroup")
        assert await sdk("hasPermission", "c1", "sendToGroup", target) is False
        await sdk("grantPermission", "c1", "sendToGroup", target)
        assert await sdk("hasPermission", "c1", "sendToGroup", target) is True


@pytest.mark.parametrize(
    ("method", "arguments", "group"),
    [
        ("closeConnection", ["c1"], None),
        ("closeUserConnections", ["anna"], None),
        ("closeAllConnections", [], "g"),
        ("closeAllConnections", [], None),
    ],
)
@trio_test
async def test_the_end(method: str, arguments: list[str], group: str | None) -> None:
    async with sdk_and_client(groups=["g"]) as (sdk, client), client.messages() as messages:
        await sdk(method, *arguments, {"reason": "enough"}, group=group)
        with trio.fail_after(10), pytest.raises(ServerDisconnected) as caught:
            await anext(messages)
        assert caught.value.properties["reason_string"] == "enough"


@trio_test
async def test_its_tokens_open_our_door() -> None:
    async with sdk_and_client() as (sdk, _):
        made = await sdk("getClientAccessToken", {"userId": "bob", "clientProtocol": "mqtt"})
        assert "/clients/mqtt/hubs/chat?access_token=" in made["url"]
        async with mqttws.open_client(made["url"], client_id="c2", reconnect=None):
            assert await sdk("userExists", "bob") is True
