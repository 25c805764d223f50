"""paho-mqtt and MQTT.js on the local endpoint, with the URL that the endpoint makes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from trio.testing import trio_test

from mqttws.endpoint import open_endpoint
from mqttws.vocabulary import ConnectReturnCode, ReasonCode
from mqttws.webpubsub import Roles
from tests.interop.mqttjs_peer import MqttJsError
from tests.interop.paho_peer import PahoError
from tests.interop.peers import Options, open_peer
from tests.interop.scenarios import DEADLINE, SCENARIOS, Scenario, client_id
from tests.interop.servers import Server

each_library = pytest.mark.parametrize("library", ["paho", "mqttjs"])
each_version = pytest.mark.parametrize("version", [4, 5], ids=["3.1.1", "5.0"])


@asynccontextmanager
async def endpoint(roles: Iterable[str] | None = None, **settings: Any) -> AsyncIterator[tuple[Server, list[str]]]:
    """The local endpoint as a server like any other, and the lines it logs; without ``roles`` all is allowed."""
    log: list[str] = []
    async with open_endpoint(log=log.append, **settings) as running:
        url = urlsplit(running.client_access_url("chat", roles=Roles.everything() if roles is None else roles))
        assert url.scheme == "ws"
        yield Server(running.port, f"{url.path}?{url.query}"), log
    token = url.query.partition("=")[2]
    assert not [line for line in log if token in line or token.rpartition(".")[2] in line]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
@each_version
@each_library
@trio_test
async def test_other_clients_pass_on_the_endpoint(library: str, version: int, scenario: Scenario) -> None:
    async with endpoint() as (server, log):
        await scenario(library, version, server)
    assert refusals(log) == []


def refusals(log: list[str]) -> list[str]:
    """The lines that tell of a CONNECT the endpoint said no to."""
    return [line for line in log if line.startswith("ConnectRefused")]


@trio_test
async def test_ids_that_mqttjs_makes_are_refused_and_the_switch_is_named() -> None:
    async with endpoint() as (server, log):
        with trio.fail_after(DEADLINE):
            async with open_peer("mqttjs", Options(server.url, 5)) as peer:
                greeting = await peer.connect()
        assert greeting.reason_code == ReasonCode.CLIENT_IDENTIFIER_NOT_VALID
        (line,) = refusals(log)
        for text in (greeting.reason_string, line):
            assert text is not None
            assert "mqttjs_" in text
            assert "[0-9A-Za-z]{1,128}" in text
            assert "allow_underscore" in text


@trio_test
async def test_ids_that_mqttjs_makes_are_refused_in_3_1_1_and_the_log_tells_why() -> None:
    async with endpoint() as (server, log):
        with trio.fail_after(DEADLINE):
            async with open_peer("mqttjs", Options(server.url, 4)) as peer:
                greeting = await peer.connect()
        assert greeting.reason_code == ConnectReturnCode.IDENTIFIER_REJECTED
        (line,) = refusals(log)
        assert "mqttjs_" in line
        assert "[0-9A-Za-z]{1,128}" in line
        assert "allow_underscore" in line


@each_version
@trio_test
async def test_ids_that_mqttjs_makes_pass_with_the_switch(version: int) -> None:
    async with endpoint(allow_underscore=True) as (server, _):
        with trio.fail_after(DEADLINE):
            async with open_peer("mqttjs", Options(server.url, version)) as peer:
                assert (await peer.connect()).reason_code == 0


@trio_test
async def test_an_empty_id_as_paho_sends_it_is_assigned_in_5_0() -> None:
    async with endpoint() as (server, _):
        with trio.fail_after(DEADLINE):
            async with open_peer("paho", Options(server.url, 5)) as peer:
                assert (await peer.connect()).reason_code == 0
                assert await peer.subscribe("mine", 1) == 1
                await peer.publish("mine", b"echo", 1)
                assert (await peer.message()).payload == b"echo"


@trio_test
async def test_an_empty_id_as_paho_sends_it_is_rejected_in_3_1_1() -> None:
    async with endpoint() as (server, log):
        with trio.fail_after(DEADLINE):
            async with open_peer("paho", Options(server.url, 4)) as peer:
                with pytest.raises(
                    PahoError
                ):  # which keeps the code to itself: it would try again with an id of its own
                    await peer.connect()
        assert "[0-9A-Za-z]{1,128}" in refusals(log)[0]


@each_version
@trio_test
async def test_what_the_token_has_no_role_for_is_refused_and_the_connection_stays(version: int) -> None:
    async with endpoint((*Roles.publish("mine"), *Roles.subscribe("mine"))) as (server, _):
        with trio.fail_after(DEADLINE):
            async with open_peer("paho", Options(server.url, version, client_id())) as peer:
                assert (await peer.connect()).reason_code == 0
                assert await peer.subscribe("yours", 1) == (ReasonCode.NOT_AUTHORIZED if version == 5 else 0x80)
                assert await peer.subscribe("mine", 1) == 1
                if version == 5:
                    with pytest.raises(PahoError, match="0x87"):
                        await peer.publish("yours", b"refused", 1)
                else:
                    await peer.publish("yours", b"acknowledged and dropped", 1)
                await peer.publish("mine", b"still here", 1)
                assert (await peer.message()).payload == b"still here"


@trio_test
async def test_a_token_for_another_hub_is_no_entry() -> None:
    """MQTT.js does not say why, our log does; paho-mqtt would leave its socket open after a failed handshake."""
    async with endpoint() as (server, log):
        with trio.fail_after(DEADLINE):
            stranger = replace(server, target=server.target.replace("/chat?", "/other?"))
            async with open_peer("mqttjs", Options(stranger.url, 5, client_id())) as peer:
                with pytest.raises(MqttJsError, match="closed before CONNACK"):
                    await peer.connect()
        (line,) = [line for line in log if line.startswith("HandshakeRefused")]
        assert "audience" in line.lower()
        assert "status=401" in line
