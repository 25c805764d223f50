"""What only 5.0 has, against a real server: topic aliases and requests, on mosquitto and on our own endpoint."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws import Client, open_client
from mqttws.endpoint import open_endpoint
from mqttws.webpubsub import Roles
from tests.interop import servers
from tests.interop.scenarios import DEADLINE

each_server = pytest.mark.parametrize("kind", ["mosquitto", "endpoint"])


@asynccontextmanager
async def url_of(kind: str, folder: Path) -> AsyncIterator[str]:
    """Where a server of that kind listens."""
    if kind == "mosquitto":
        async with servers.mosquitto(folder) as server:
            yield server.url
    else:
        async with open_endpoint() as endpoint:
            yield endpoint.client_access_url("chat", roles=Roles.everything())


@trio_test
async def test_mosquitto_understands_our_aliases(tmp_path: Path) -> None:
    """More topics than the ten aliases that it takes: names come and go."""
    sent = [(f"building/{number % 13}/temperature", b"%d" % number) for number in range(130)]
    async with servers.mosquitto(tmp_path) as server:
        with trio.fail_after(DEADLINE):
            async with (
                open_client(server.url, topic_aliases=True, topic_alias_maximum=10) as client,
                client.subscribe("building/#", qos=2) as messages,
            ):
                assert client.limits.topic_alias_maximum == 10
                for number, (topic, payload) in enumerate(sent):
                    await client.publish(topic, payload, qos=number % 3)
                received = [await anext(messages) for _ in sent]
    assert sorted((message.topic, message.payload) for message in received) == sorted(sent)


async def reverse(client: Client, topic: str, ready: trio.Event) -> None:
    """A service that says everything backwards."""
    async with client.subscribe(topic) as requests:
        ready.set()
        async for request in requests:
            said: Any = {"correlation_data": request.properties["correlation_data"]}
            await client.publish(request.properties["response_topic"], request.payload[::-1], properties=said)


@each_server
@trio_test
async def test_many_requests_at_a_time_get_their_responses(kind: str, tmp_path: Path) -> None:
    answers: dict[bytes, bytes] = {}
    async with url_of(kind, tmp_path) as url:
        with trio.fail_after(DEADLINE):
            async with open_client(url) as service, open_client(url) as client, trio.open_nursery() as nursery:
                ready = trio.Event()
                nursery.start_soon(reverse, service, "service", ready)
                await ready.wait()

                async def ask(word: bytes) -> None:
                    answers[word] = (await client.request("service", word)).payload

                async with trio.open_nursery() as asking:
                    for number in range(200):
                        asking.start_soon(ask, b"word %d" % number)
                nursery.cancel_scope.cancel()
    assert answers == {word: word[::-1] for word in (b"word %d" % number for number in range(200))}
