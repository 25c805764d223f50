"""The official event handler for JavaScript, @azure/web-pubsub-express, gets the events of the endpoint's clients."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import trio_test

import mqttws
from mqttws.endpoint import Endpoint, EventHandler, open_endpoint
from mqttws.errors import ConnectRefused, PublishRefused
from tests.endpoint.natives import JSON, RELIABLE_JSON, open_native, refusal_of
from tests.endpoint.natives import target_of as native_target_of
from tests.interop.counterparts import need
from tests.interop.processes import JsonLines, node, running
from tests.interop.servers import free_ports

EVENTS = "$webpubsub/server/events/"


class Bed:
    """An endpoint whose events go to the package, what the package was told, and the endpoint's log."""

    def __init__(self, endpoint: Endpoint, told: JsonLines, lines: list[str]) -> None:
        self.endpoint = endpoint
        self.lines = lines
        self._told = told

    async def told(self, event: str) -> dict[str, Any]:
        """The next event, which has to be this one, as the package has read it."""
        with trio.fail_after(20):
            line = await self._told.receive()
        assert line["event"] == event
        request: dict[str, Any] = line["request"]
        return request

    def client(self, username: str, version: int = 5, **options: Any) -> Any:
        """A client without roles of its own."""
        url = self.endpoint.client_access_url("chat", user_id="token") + "&k=v"
        return mqttws.open_client(
            url, client_id="c1", version=version, username=username, password="pässword", reconnect=None, **options
        )


@asynccontextmanager
async def handled(*, allows: str | None = None) -> AsyncIterator[Bed]:
    """The package as the only event handler of the hub ``chat``.

    ``allows`` is the endpoint that it takes events of, in which ``PORT`` is ours; None: any.
    """
    need("mqttjs")
    (port,) = free_ports(1)
    script = node("handler.mjs")
    script["command"] += ["chat", *([] if allows is None else [allows.replace("PORT", str(port))])]
    lines: list[str] = []
    async with running(**script) as process:
        told = JsonLines(process)
        with trio.fail_after(20):
            hello = await told.receive()
        url = f"http://127.0.0.1:{hello['port']}/api/webpubsub/hubs/{{hub}}/"
        handler = EventHandler(url, "*", ["connect", "connected", "disconnected"])
        async with open_endpoint(port=port, log=lines.append, handlers={"chat": [handler]}) as endpoint:
            yield Bed(endpoint, told, lines)


@trio_test
@pytest.mark.parametrize("version", [4, 5])
async def test_row_32_connect_arrives_as_one_of_mqtt_and_its_answer_counts(version: int) -> None:
    options: Any = {"properties": {"user_property": [("a", "b")]}} if version == 5 else {}
    async with handled() as bed:
        async with bed.client("anna", version, **options) as client:
            request = await bed.told("connect")
            context = request["context"]
            connected = (await bed.told("connected"))["context"]
            await client.publish("out", b"x")
            async with client.subscribe("in"):
                hub = bed.endpoint.hub("chat")
                assert hub is not None
                assert [member.user_id for member in hub.members_of_group("welcome")] == ["user of anna"]
            if version == 5:
                assert client.connack.properties["user_property"] == [("greeting", "hello")]
                with pytest.raises(PublishRefused):
                    await client.publish("in", b"x")
        gone = await bed.told("disconnected")
    assert request["mqtt"] == {
        "protocolVersion": version,
        "cleanStart": True,
        "username": "anna",
        "password": base64.b64encode("pässword".encode()).decode(),
        "userProperties": [{"name": "a", "value": "b"}] if version == 5 else None,
    }
    assert (context["hub"], context["clientProtocol"], context["connectionId"]) == ("chat", "mqtt", "c1")
    assert context["origin"] == bed.endpoint.address.removeprefix("http://")
    assert (context["userId"], context["states"]) == ("token", {})
    assert (request["queries"], request["subprotocols"]) == ({"k": ["v"]}, ["mqtt"])
    assert request["claims"]["sub"] == ["token"]
    assert "sessionId" not in context["mqtt"]
    assert (connected["userId"], connected["states"]) == ("user of anna", {"events": 0})
    assert connected["mqtt"]["physicalConnectionId"] == context["mqtt"]["physicalConnectionId"]
    assert gone["context"]["mqtt"] == connected["mqtt"]
    assert gone["mqtt"] == {
        "initiatedByClient": True,
        "disconnectPacket": {"code": 0, "userProperties": None},
    }


@trio_test
async def test_row_32_a_success_without_a_body_lets_in() -> None:
    async with handled() as bed:
        for version in (4, 5):
            async with bed.client("nobody", version):
                await bed.told("connect")
                assert (await bed.told("connected"))["context"]["userId"] == "token"
            await bed.told("disconnected")


REFUSALS = [
    ("banned", {4: 5, 5: 0x8A}, {"reason_string": "not today", "user_property": [("until", "tomorrow")]}),
    ("unauthorized", {4: 5, 5: 0x87}, {"reason_string": "who are you?"}),
    ("broken", {4: 3, 5: 0x80}, {}),
]


@trio_test
async def test_row_32_a_refusal_reaches_the_client() -> None:
    async with handled() as bed:
        for username, codes, properties in REFUSALS:
            for version, code in codes.items():
                with pytest.raises(ConnectRefused) as caught:
                    async with bed.client(username, version):
                        pytest.fail("it was let in")
                await bed.told("connect")
                assert caught.value.reason_code == code
                assert caught.value.properties == (properties if version == 5 else {})


@trio_test
async def test_row_60_user_events_are_answered_and_state_is_kept() -> None:
    async with handled() as bed, bed.client("anna") as client, client.messages(f"{EVENTS}+/+") as answers:
        await bed.told("connect")
        await bed.told("connected")
        for number, (content_type, payload, kind, data) in enumerate(
            [
                ("application/json", b'{"x":[1,"\xc3\xa4"]}', "json", {"x": [1, "ä"]}),
                ("text/plain; charset=utf-8", "hällo".encode(), "text", "hällo"),
                (None, b"\xff\0", "binary", {"type": "Buffer", "data": [255, 0]}),
            ]
        ):
            properties: Any = {"correlation_data": b"%d" % number}
            if content_type is not None:
                properties["content_type"] = content_type
            await client.publish(f"{EVENTS}echo", payload, properties=properties)
            request = await bed.told("echo")
            assert (request["dataType"], request["data"]) == (kind, data)
            assert request["context"]["states"] == {"events": number}
            answer = await anext(answers)
            assert (answer.topic, answer.payload) == (f"{EVENTS}echo/succeeded", payload)
            assert answer.properties["correlation_data"] == b"%d" % number
            assert answer.properties["user_property"] == [("azure-status-code", "200")]
        await client.publish(f"{EVENTS}fail", b"")
        await bed.told("fail")
        answer = await anext(answers)
        assert (answer.topic, answer.payload) == (f"{EVENTS}fail/failed", b"you asked for it")
        assert answer.properties["user_property"] == [("azure-status-code", "400")]


@trio_test
async def test_row_80_an_endpoint_that_the_package_allows_is_served() -> None:
    async with handled(allows="http://127.0.0.1:PORT") as bed, bed.client("nobody"):
        await bed.told("connect")
    assert not any(line.startswith("AbuseProtection") for line in bed.lines)


@trio_test
async def test_row_80_another_one_sends_it_nothing() -> None:
    async with handled(allows="https://other.webpubsub.azure.com") as bed:
        with pytest.raises(ConnectRefused):
            async with bed.client("nobody"):
                pytest.fail("it was let in")
    (line,) = [line for line in bed.lines if line.startswith("AbuseProtection")]
    assert line.startswith("AbuseProtectionResponseMissingAllowedOrigin: OPTIONS http://127.0.0.1:")


@trio_test
@pytest.mark.parametrize("subprotocol", [JSON, RELIABLE_JSON])
async def test_row_81_events_of_native_clients_are_no_mqtt(subprotocol: str) -> None:
    async with handled() as bed:
        async with open_native(bed.endpoint, subprotocol, user_id="token") as native:
            assert (await native.next())["userId"] == "a native user"
            context = (await bed.told("connect"))["context"]
            assert (context["clientProtocol"], context["userId"]) == ("default", "token")
            assert context["connectionId"] == native.connection_id
            await bed.told("connected")
            for number, (data_type, data, seen) in enumerate([("json", {"x": 1}, {"x": 1}), ("text", "ö", "ö")]):
                message = await native.ask(type="event", event="echo", dataType=data_type, data=data, ackId=number)
                request = await bed.told("echo")
                assert (request["dataType"], request["data"]) == (data_type, seen)
                assert request["context"]["states"] == {"events": number}
                assert (message["from"], message["dataType"], message["data"]) == ("server", data_type, data)
                assert (await native.next())["success"]
            failed = await native.ask(type="event", event="fail", data=1, ackId=9)
            await bed.told("fail")
            assert failed["error"]["name"] == "InternalServerError"
            native.websocket.close()
            await native.flush()
            assert (await bed.told("disconnected"))["context"]["userId"] == "a native user"
        refused = await refusal_of(bed.endpoint, native_target_of(bed.endpoint) + "&refuse=1", subprotocol)
        assert (refused.status, refused.body) == (401, b"who are you?\n")
