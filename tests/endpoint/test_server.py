"""The endpoint on sockets of this machine: starting, talking, accepting, leaving."""

from __future__ import annotations

import errno
import ssl
from typing import Any

import pytest
import trio
import trustme
from trio.testing import trio_test

from mqttws.codec import Publish, SubAck, Subscribe, Subscription
from mqttws.endpoint import Service, open_endpoint
from mqttws.endpoint.server import _address_of
from mqttws.errors import HandshakeRefused, ServerDisconnected
from mqttws.session import Delivered
from mqttws.vocabulary import ReasonCode
from mqttws.webpubsub import ConnectionString, Roles, client_access_url
from tests.endpoint.bench import Q1, Q2
from tests.endpoint.wires import Wire, connected, open_stream, open_wire, read_all, request, target_of, until_empty


async def says_hello(wire: Wire) -> None:
    """Connect, subscribe, publish, receive."""
    await connected(wire)
    await hears_itself(wire)


async def hears_itself(wire: Wire) -> None:
    """Subscribe, publish, receive."""
    wire.send(Subscribe(0, [Subscription("group1", Q1)]))
    assert (await wire.next(SubAck)).reason_codes == [1]
    wire.send(Publish("group1", b"Hello World!", Q1))
    message = await wire.next(Publish)
    assert message.payload == b"Hello World!"
    wire.link.acknowledge(message)


@trio_test
@pytest.mark.parametrize("version", [4, 5])
async def test_the_main_job_works_over_a_socket(version: int) -> None:
    async with open_endpoint() as endpoint, open_wire(endpoint, version=version) as wire:
        await says_hello(wire)
        assert endpoint.connections.open == 1
        assert endpoint.connections.published == 1
        assert endpoint.hub("chat") is not None
        assert repr(endpoint) == f"<Endpoint http://127.0.0.1:{endpoint.port}, 1 connections>"


@trio_test
async def test_the_main_job_works_over_tls() -> None:
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with open_endpoint(ssl_context=server_context) as endpoint:
        assert endpoint.address == f"https://127.0.0.1:{endpoint.port}"
        assert endpoint.client_access_url("chat").startswith("wss://")
        tls = trio.SSLStream(
            await open_stream(endpoint), client_context, server_hostname="127.0.0.1", https_compatible=True
        )
        async with open_wire(endpoint, stream=tls) as wire:
            await says_hello(wire)


@trio_test
async def test_a_connection_that_speaks_no_tls_is_dropped_alone() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with open_endpoint(ssl_context=context) as endpoint:
        stream = await open_stream(endpoint)
        await stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
        await read_all(stream)
        assert endpoint.connections.open == 0


@trio_test
async def test_hubs_are_isolated() -> None:
    async with (
        open_endpoint() as endpoint,
        open_wire(endpoint, hub="one") as one,
        open_wire(endpoint, hub="two") as two,
    ):
        await connected(one)
        await connected(two)  # the same client id, and no takeover
        for wire in (one, two):
            wire.send(Subscribe(0, [Subscription("a", Q1)]))
            await wire.next(SubAck)
        one.send(Publish("a", b"1", Q1))
        await one.next(Publish)
        two.send(Publish("a", b"2", Q1))
        assert (await two.next(Publish)).payload == b"2"
        hub = endpoint.hub("one")
        assert hub is not None
        assert hub.name == "one"


@trio_test
async def test_a_hub_without_clients_is_forgotten() -> None:
    async with open_endpoint() as endpoint:
        async with open_wire(endpoint) as wire:
            await connected(wire)
        await until_empty(endpoint)
        assert endpoint.hub("chat") is None


@trio_test
async def test_the_connection_string_makes_tokens_that_count() -> None:
    async with open_endpoint(access_key="k" * 44, hubs=["chat"]) as endpoint:
        assert (
            endpoint.connection_string == f"Endpoint=http://127.0.0.1:{endpoint.port};AccessKey={'k' * 44};Version=1.0;"
        )
        url = client_access_url(endpoint.connection_string, "chat", roles=Roles.everything())
        target = "/" + url.split("/", 3)[3]
        async with open_wire(endpoint, target=target) as wire:
            await says_hello(wire)
            assert endpoint.connections.accepted == 1


@trio_test
async def test_row_6_the_secondary_key_counts_over_a_socket() -> None:
    async with open_endpoint(secondary_key="s" * 44) as endpoint:
        other = ConnectionString(endpoint.address, "s" * 44)
        url = client_access_url(other, "chat", roles=Roles.everything())
        async with open_wire(endpoint, target="/" + url.split("/", 3)[3]) as wire:
            await says_hello(wire)
            assert endpoint.connections.accepted == 1


@trio_test
async def test_each_start_has_a_key_of_its_own_of_32_bytes_or_more() -> None:
    async with open_endpoint() as one, open_endpoint() as two:
        keys = {ConnectionString.parse(endpoint.connection_string).access_key for endpoint in (one, two)}
        assert len(keys) == 2
        assert all(len(key) >= 32 for key in keys)


@trio_test
async def test_the_log_begins_with_what_is_imitated_and_what_is_guessed() -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append, access_key="short") as endpoint:
        assert "imitates what is documented" in lines[0]
        assert f"address=http://127.0.0.1:{endpoint.port}" in lines[0]
        assert "short" not in lines[0]
        assert lines[1].startswith("Warning: the access key has 5 bytes")
        assert lines[2].startswith("UnprovenSettings: ")
        assert "wildcard_answer=suback" in lines[2]
        assert len(lines) == 3


@trio_test
async def test_no_token_is_ever_logged() -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append, close_timeout=0.05) as endpoint:
        target = target_of(endpoint)
        token = target.split("access_token=")[1]
        async with open_wire(endpoint, target=target) as wire:
            await says_hello(wire)
        for bad in (target[:-3], target.replace("hubs/chat", "hubs/other"), target.replace("hubs/chat", "hubs/1")):
            async with open_wire(endpoint, target=bad) as wire:
                await wire.end()
        stream = await open_stream(endpoint)
        await stream.send_all(f"GET {target} HTTP/1.1\r\nbroken header\r\n\r\n".encode())
        await read_all(stream)
    assert len(lines) > 6
    assert not [line for line in lines if token[:20] in line or "access_token=" in line]


@trio_test
async def test_a_refused_handshake_says_why_to_the_client_and_to_the_log() -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint:
        async with open_wire(endpoint, target="/clients/mqtt/hubs/chat") as wire:
            error = (await wire.end()).error
        assert isinstance(error, HandshakeRefused)
        assert error.status == 401
        assert b"no access token was given" in error.body
        assert any(line.startswith("HandshakeRefused: no access token") and "status=401" in line for line in lines)
        assert endpoint.connections.refused == 1
        async with open_wire(endpoint) as wire:
            await says_hello(wire)


@trio_test
async def test_row_16_beyond_the_limit_429_and_when_one_leaves_the_next_may_come() -> None:
    async with open_endpoint(connection_limit=1) as endpoint:
        async with open_wire(endpoint, "a") as first:
            await connected(first)
            async with open_wire(endpoint, "b") as second:
                error = (await second.end()).error
                assert isinstance(error, HandshakeRefused)
                assert error.status == 429
        await until_empty(endpoint)
        async with open_wire(endpoint, "b") as second:
            await says_hello(second)


@trio_test
async def test_sockets_far_beyond_the_limit_are_closed_unread() -> None:
    lines: list[str] = []
    async with open_endpoint(connection_limit=1, unfinished_limit=1, log=lines.append) as endpoint:
        streams = [await open_stream(endpoint) for _ in range(3)]
        assert await read_all(streams[-1]) == b""
        assert any("closed unread" in line for line in lines)
        for stream in streams:
            await stream.aclose()


@trio_test
async def test_leaving_says_goodbye_with_0x8b_and_takes_no_time_for_half_handshakes() -> None:
    async with trio.open_nursery() as nursery:
        async with open_endpoint() as endpoint:
            stream = await open_stream(endpoint)
            await stream.send_all(b"GET / HT")
            ends: list[Any] = []

            async def client(client_id: str, version: int, *, task_status: trio.TaskStatus[None]) -> None:
                async with open_wire(endpoint, client_id, version=version) as wire:
                    await connected(wire)
                    task_status.started()
                    ends.append((version, (await wire.end()).error))

            await nursery.start(client, "a", 5)
            await nursery.start(client, "b", 4)
            began = trio.current_time()
        assert trio.current_time() - began < 1.5
        await read_all(stream)
    by_version = dict(ends)
    assert isinstance(by_version[5], ServerDisconnected)
    assert by_version[5].reason_code == ReasonCode.SERVER_SHUTTING_DOWN
    assert by_version[4] is not None


@trio_test
async def test_leaving_does_not_wait_for_a_client_that_never_reads() -> None:
    async with open_endpoint(shutdown_timeout=0.2) as endpoint:
        stream = await open_stream(endpoint)
        await stream.send_all(request(target_of(endpoint)))
        await stream.receive_some()
        began = trio.current_time()
    assert trio.current_time() - began < 1.0
    await stream.aclose()


@trio_test
async def test_an_exception_of_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_endpoint():
            raise KeyError("mine")


@trio_test
async def test_cancelling_the_block_ends_it_in_bounded_time() -> None:
    with trio.fail_after(5), trio.move_on_after(0.1) as scope:
        async with open_endpoint() as endpoint, open_wire(endpoint) as wire:
            await connected(wire)
            await trio.sleep_forever()
    assert scope.cancelled_caught


@trio_test
async def test_the_port_is_free_again_afterwards() -> None:
    async with open_endpoint() as endpoint:
        port = endpoint.port
    async with open_endpoint(port=port) as endpoint:
        assert endpoint.port == port
        with pytest.raises(OSError, match="in use"):
            async with open_endpoint(port=port):
                pass


@trio_test
async def test_a_public_address_stands_in_urls_and_audiences() -> None:
    async with open_endpoint(public_address="https://Example.org:8443/") as endpoint:
        assert endpoint.address == "https://example.org:8443"
        assert endpoint.client_access_url("chat").startswith("wss://example.org:8443/clients/mqtt/hubs/chat?")
        async with open_wire(endpoint) as wire:
            await says_hello(wire)


@trio_test
@pytest.mark.parametrize("host", ["0.0.0.0", ""])
async def test_listening_everywhere_is_reached_at_the_loopback_address(host: str) -> None:
    async with open_endpoint(host) as endpoint:
        assert endpoint.address == f"http://127.0.0.1:{endpoint.port}"


@trio_test
async def test_an_ipv6_host_stands_in_brackets() -> None:
    try:
        async with open_endpoint("::1") as endpoint:
            assert endpoint.address == f"http://[::1]:{endpoint.port}"
            stream = await trio.open_tcp_stream("::1", endpoint.port)
            async with open_wire(endpoint, stream=stream) as wire:
                await says_hello(wire)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")


@trio_test
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"hubs": ["1"]}, ValueError, "no hub name"),
        ({"access_key": ""}, ValueError, "key is empty"),
        ({"access_key": "a;b"}, ValueError, "semicolon"),
        ({"secondary_key": " a"}, ValueError, "white space"),
        ({"public_address": "ftp://x"}, ValueError, "Endpoint"),
        ({"allow_underscor": True}, TypeError, "allow_underscore"),
        ({"keep_alive_maximum": 0}, ValueError, "keep_alive_maximum"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_listens(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        async with open_endpoint(**arguments):
            pass


@trio_test
async def test_settings_may_come_as_one_object_and_keywords_win() -> None:
    service = Service(allow_underscore=True, queue_messages=7)
    async with open_endpoint(service=service, queue_messages=8) as endpoint:
        assert endpoint.service.queue_messages == 8
        async with open_wire(endpoint, "mqttjs_12") as wire:
            await says_hello(wire)


@trio_test
async def test_a_shortage_of_descriptors_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    accept = trio.SocketListener.accept
    failures = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENFILE, "Too many open files")]

    async def scarce(self: trio.SocketListener) -> trio.SocketStream:
        if failures:
            await trio.lowlevel.checkpoint()
            raise failures.pop()
        return await accept(self)

    monkeypatch.setattr(trio.SocketListener, "accept", scarce)
    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint, open_wire(endpoint) as wire:
        await says_hello(wire)
    assert not failures
    assert len([line for line in lines if line.startswith("AcceptFailed: Too many open files")]) == 1


@trio_test
async def test_another_failure_of_accept_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(self: trio.SocketListener) -> trio.SocketStream:
        await trio.lowlevel.checkpoint()
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(trio.SocketListener, "accept", broken)
    with pytest.RaisesGroup(OSError):
        async with open_endpoint():
            await trio.sleep(10)


@trio_test
async def test_a_bug_that_one_client_finds_ends_its_connection_only(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    async with open_endpoint(log=lines.append) as endpoint, open_wire(endpoint, "good") as good:
        await connected(good)
        hub = endpoint.hub("chat")
        assert hub is not None
        handle = hub.handle

        def buggy(peer: Any, event: Any, now: float) -> None:
            handle(peer, event, now)
            if isinstance(event, Publish) and event.topic == "bug":
                raise ZeroDivisionError("access_token=s3cret by zero")

        monkeypatch.setattr(hub, "handle", buggy)
        async with open_wire(endpoint, "bad") as bad:
            await connected(bad)
            bad.send(Publish("bug", b"", Q1))
            assert (await bad.end()).error is not None
        await hears_itself(good)
    assert any(line.startswith("ConnectionAborted: internal error: ") and "ZeroDivisionError" in line for line in lines)
    assert not any("s3cret" in line for line in lines)


@trio_test
async def test_a_client_that_is_gone_before_it_was_looked_at_has_no_address() -> None:
    async with open_endpoint() as endpoint:
        stream = await open_stream(endpoint)
        assert _address_of(stream) == f"127.0.0.1:{endpoint.port}"
        stream.socket.close()
        assert _address_of(stream) == "unknown"


@trio_test
async def test_deliveries_reach_a_quiet_client_at_once() -> None:
    async with open_endpoint() as endpoint, open_wire(endpoint, "a") as quiet, open_wire(endpoint, "b") as loud:
        await connected(quiet)
        await connected(loud)
        quiet.send(Subscribe(0, [Subscription("t", Q2)]))
        await quiet.next(SubAck)
        loud.send(*(Publish("t", bytes([n]), Q2) for n in range(10)))
        for n in range(10):
            message = await quiet.next(Publish)
            assert message.payload == bytes([n])
            quiet.link.acknowledge(message)
            quiet.pump.flush()
        for _ in range(10):
            assert (await loud.next(Delivered)).reason_code == 0
