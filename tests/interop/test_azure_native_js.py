"""The official JavaScript client of Web PubSub's own JSON protocols at the endpoint, beside MQTT clients (row 81)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import trio_test

import mqttws
from mqttws import Message
from mqttws.endpoint import Endpoint, EventAnswer, EventHandler, UserEvent, open_endpoint
from mqttws.webpubsub import Roles
from tests.endpoint.natives import target_of
from tests.endpoint.rest import call
from tests.interop.counterparts import need
from tests.interop.processes import JsonLines, node, running

BOTH = pytest.mark.parametrize("kind", ["reliable", "plain"])


class NativeJs:
    """The client, in a process of its own."""

    def __init__(self, lines: JsonLines) -> None:
        self._lines = lines
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []

    async def _read(self) -> None:
        line = await self._lines.receive()
        if "event" in line:
            self._events.append(line)
        else:
            self._answers[line["id"]] = line

    async def __call__(self, command: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command: a result or an error."""
        self._number += 1
        number = self._number
        with trio.fail_after(30):
            await self._lines.send({"id": number, "do": command, **arguments})
            while number not in self._answers:
                await self._read()
        answer = self._answers.pop(number)
        del answer["id"]
        return answer

    async def next(self) -> dict[str, Any]:
        """What happens next at the client."""
        with trio.fail_after(30):
            while not self._events:
                await self._read()
        return self._events.pop(0)

    async def message(self) -> tuple[str | None, str, Any]:
        """The next message: group, data type and data."""
        event = await self.next()
        assert event["event"] == "message", event
        return event["group"], event["type"], event["data"]


@asynccontextmanager
async def native_client(endpoint: Endpoint, kind: str, **options: Any) -> AsyncIterator[NativeJs]:
    """A client that has started."""
    script = node("native.mjs")
    url = endpoint.address.replace("http", "ws", 1) + target_of(endpoint, user_id="ann", **options)
    script["command"] += [url, kind]
    async with running(**script) as process:
        client = NativeJs(JsonLines(process))
        assert "result" in await client("start")
        started = await client.next()
        assert (started["event"], started["user"]) == ("connected", "ann")
        yield client


def octets(data: bytes) -> str:
    return base64.b64encode(data).decode()


PAYLOADS = [
    ("json", {"a": [1, None, "ö"]}, "application/json", '{"a":[1,null,"ö"]}'.encode()),
    ("text", "hällo", "text/plain", "hällo".encode()),
    ("binary", octets(b"\xff\0"), "application/octet-stream", b"\xff\0"),
    ("protobuf", octets(b"\x08\x01"), "application/x-protobuf", b"\x08\x01"),
]


@trio_test
@BOTH
async def test_row_81_messages_go_both_ways(kind: str) -> None:
    need("mqttjs")
    async with (
        open_endpoint() as endpoint,
        native_client(endpoint, kind) as native,
        mqttws.open_client(endpoint.client_access_url("chat", roles=Roles.everything())) as client,
        client.subscribe("g") as messages,
    ):
        assert (await native("join", group="g"))["result"]["isDuplicated"] is False
        for data_type, data, content_type, payload in PAYLOADS:
            sent = await native("send", group="g", type=data_type, data=data, options={"noEcho": True})
            assert "result" in sent
            message: Message = await anext(messages)
            assert (message.payload, message.qos) == (payload, 1)
            assert message.properties == {"content_type": content_type}
            await client.publish("g", payload, properties={"content_type": content_type})
            await anext(messages)
            assert await native.message() == ("g", data_type, data)
        await client.publish("g", b"?")
        assert await native.message() == ("g", "binary", octets(b"?"))
        assert "result" in await native("leave", group="g")


@trio_test
@BOTH
async def test_row_81_requests_without_a_role_are_refused_by_name(kind: str) -> None:
    need("mqttjs")
    async with open_endpoint() as endpoint, native_client(endpoint, kind, roles=()) as native:
        assert await native("join", group="g") == {"error": "Forbidden"}
        assert await native("send", group="g", type="text", data="x") == {"error": "Forbidden"}


@trio_test
@BOTH
async def test_row_81_events_are_answered(kind: str) -> None:
    async def answer(event: object) -> EventAnswer:
        await trio.lowlevel.checkpoint()
        assert isinstance(event, UserEvent)
        if event.publish.payload == b"fail":
            return EventAnswer(500)
        return EventAnswer(200, event.publish.payload, event.publish.properties.get("content_type"))

    need("mqttjs")
    handlers = {"chat": [EventHandler(answer, user_events="echo")]}
    async with open_endpoint(handlers=handlers) as endpoint, native_client(endpoint, kind) as native:
        for data_type, data, _, _ in PAYLOADS:
            assert "result" in await native("event", name="echo", type=data_type, data=data)
            assert await native.message() == (None, data_type, data)
        assert await native("event", name="echo", type="text", data="fail") == {"error": "InternalServerError"}
        assert await native("event", name="nobody", type="text", data="x") == {"error": "InternalServerError"}


@trio_test
async def test_row_81_a_reliable_client_misses_nothing_while_its_connection_is_cut() -> None:
    need("mqttjs")
    async with (
        open_endpoint() as endpoint,
        native_client(endpoint, "reliable") as native,
        mqttws.open_client(endpoint.client_access_url("chat", roles=Roles.everything())) as client,
    ):
        await native("join", group="g")
        text: Any = {"content_type": "text/plain"}
        count = 0
        for _ in range(3):
            for _ in range(20):
                await client.publish("g", str(count).encode(), properties=text)
                count += 1
            await native("cut")
            for _ in range(20):
                await client.publish("g", str(count).encode(), properties=text)
                count += 1
        got = [(await native.message())[2] for _ in range(count)]
        assert got == [str(number) for number in range(count)]
        assert endpoint.connections.sessions_started == 2
        assert endpoint.connections.sessions_resumed >= 1


@trio_test
@BOTH
async def test_row_81_rest_reaches_them_and_ends_them(kind: str) -> None:
    need("mqttjs")
    async with open_endpoint() as endpoint, native_client(endpoint, kind) as native:
        await call(endpoint, "POST", "users/ann/:send", b"hi", ("content-type", "text/plain"))
        assert await native.message() == (None, "text", "hi")
        await call(endpoint, "PUT", "users/ann/groups/g")
        await call(endpoint, "POST", "groups/g/:send", b"[1]", ("content-type", "application/json"))
        assert await native.message() == ("g", "json", [1])
        await call(endpoint, "POST", "users/ann/:closeConnections?reason=enough")
        ended = await native.next()
        assert (ended["event"], ended["reason"]) == ("disconnected", "enough")
        again = await native.next()  # it connects anew by itself
        assert (again["event"], again["user"]) == ("connected", "ann")


@trio_test
async def test_row_81_a_client_that_stops_is_gone_at_once() -> None:
    need("mqttjs")
    async with open_endpoint() as endpoint, native_client(endpoint, "reliable") as native:
        await native("stop")
        with trio.fail_after(10):
            while endpoint.connections.sessions_ended < 1:  # noqa: ASYNC110 - the endpoint has no event for it
                await trio.sleep(0.01)
        assert [(await native.next())["event"] for _ in range(2)] == ["disconnected", "stopped"]
