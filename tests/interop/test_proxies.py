"""Our client through a proxy that people use, to our endpoint and to mosquitto."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme
from trio.testing import trio_test

from mqttws import Client, HandshakeRefused, ProxyRefused, from_negotiate, open_client
from mqttws.endpoint import open_endpoint
from mqttws.http import Response
from mqttws.webpubsub import Roles
from tests.interop import servers
from tests.interop.scenarios import DEADLINE, QUALITIES, client_id
from tests.transport.proxies import answer, listening, next_request
from tests.transport.test_proxy import proving, trusting


async def greets_itself(client: Client) -> None:
    """A message at each QoS from a client to itself, and one that fills many segments."""
    for qos in QUALITIES:
        async with client.subscribe(f"proxied{qos}", qos=qos) as messages:
            for payload in (b"Hello World!", b"x" * 300_000):
                await client.publish(f"proxied{qos}", payload, qos=qos)
                async for message in messages:
                    assert message.payload == payload
                    break


@trio_test
async def test_a_client_reaches_mosquitto_through_tinyproxy(tmp_path: Path) -> None:
    async with servers.tinyproxy(tmp_path) as port, servers.mosquitto(tmp_path) as server:
        with trio.fail_after(DEADLINE):
            async with open_client(server.url, client_id=client_id(), proxy=f"http://127.0.0.1:{port}") as client:
                await greets_itself(client)
    log = (tmp_path / "tinyproxy.log").read_text(encoding="utf-8")
    assert f"CONNECT 127.0.0.1:{server.port}" in log


@trio_test
async def test_tinyproxy_takes_basic_authentication(tmp_path: Path) -> None:
    async with servers.tinyproxy(tmp_path, "BasicAuth user pa-55-w0rd") as port, open_endpoint() as endpoint:
        url = endpoint.client_access_url("chat", roles=Roles.everything())
        with trio.fail_after(DEADLINE):
            async with open_client(url, proxy=f"http://user:pa-55-w0rd@127.0.0.1:{port}") as client:
                await greets_itself(client)
            for credentials in ("", "user:wrong-55@"):
                with pytest.raises(ProxyRefused) as caught:
                    async with open_client(url, proxy=f"http://{credentials}127.0.0.1:{port}"):
                        raise AssertionError("not reached")
                assert caught.value.status in (401, 407)
                assert "wrong-55" not in f"{caught.value} {vars(caught.value)}"


@trio_test
async def test_tinyproxy_says_what_it_does_not_allow_and_whom_it_does_not_reach(tmp_path: Path) -> None:
    async with servers.tinyproxy(tmp_path, "ConnectPort 443") as port:
        with trio.fail_after(DEADLINE):
            with pytest.raises(ProxyRefused) as forbidden:
                async with open_client("ws://127.0.0.1:1/mqtt", proxy=f"http://127.0.0.1:{port}"):
                    raise AssertionError("not reached")
    assert forbidden.value.status == 403
    (away,) = servers.free_ports(1)
    async with servers.tinyproxy(tmp_path) as port:
        with trio.fail_after(DEADLINE):
            with pytest.raises(ProxyRefused) as unreached:
                async with open_client(f"ws://127.0.0.1:{away}/mqtt", proxy=f"http://127.0.0.1:{port}"):
                    raise AssertionError("not reached")
    assert 500 <= unreached.value.status < 600


@asynccontextmanager
async def behind_tls(context: ssl.SSLContext, port: int) -> AsyncIterator[int]:
    """A TLS front of a plain port."""

    async def relay(stream: trio.abc.Stream) -> None:
        async with await trio.open_tcp_stream("127.0.0.1", port) as plain, trio.open_nursery() as nursery:
            nursery.start_soon(copy, stream, plain, nursery.cancel_scope)
            nursery.start_soon(copy, plain, stream, nursery.cancel_scope)

    async def copy(source: trio.abc.Stream, target: trio.abc.Stream, scope: trio.CancelScope) -> None:
        try:
            while data := await source.receive_some():
                await target.send_all(data)
        except trio.BrokenResourceError:
            pass
        scope.cancel()

    async with listening(relay, context) as front:
        yield front


@trio_test
async def test_wss_goes_through_tinyproxy_and_a_negotiate_endpoint_does(tmp_path: Path) -> None:
    authority = trustme.CA()
    trusted = trusting(authority)
    async with (
        servers.tinyproxy(tmp_path) as port,
        open_endpoint() as endpoint,
        behind_tls(proving(authority, "localhost"), endpoint.port) as front,
    ):
        token = endpoint.client_access_url("chat", roles=Roles.everything()).partition("?")[2]
        url = f"wss://localhost:{front}/clients/mqtt/hubs/chat?{token}"

        async def negotiate(stream: trio.abc.Stream) -> None:
            await next_request(stream)
            await stream.send_all(answer(Response(200, (), url.encode())))

        proxy = f"http://127.0.0.1:{port}"
        async with listening(negotiate, proving(authority, "localhost")) as negotiating:
            provider = from_negotiate(f"https://localhost:{negotiating}/", proxy=proxy, ssl_context=trusted)
            async with open_client(provider, proxy=proxy, ssl_context=trusted) as client:
                await greets_itself(client)
            with pytest.raises(HandshakeRefused) as caught:
                async with open_client(f"wss://localhost:{front}/nowhere", proxy=proxy, ssl_context=trusted):
                    raise AssertionError("not reached")
    assert caught.value.status == 404
    log = (tmp_path / "tinyproxy.log").read_text(encoding="utf-8")
    assert f"CONNECT localhost:{front}" in log
    assert f"CONNECT localhost:{negotiating}" in log
