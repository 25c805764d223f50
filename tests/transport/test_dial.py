"""dial: TCP and TLS on 127.0.0.1, and one clear line for whatever goes wrong."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
import trustme
from trio.testing import trio_test

from mqttws.errors import CertificateRefused, DialFailed, HostNotFound
from mqttws.transport import dial
from mqttws.transport.dial import encrypt

Handler = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """A TCP server on a free port, as long as the block lasts; it has to be over within ten seconds."""
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            listeners: list[trio.SocketListener] = await nursery.start(
                partial(trio.serve_tcp, handler, 0, host="127.0.0.1")
            )
            yield listeners[0].socket.getsockname()[1]
            nursery.cancel_scope.cancel()


async def echo(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.send_all(await stream.receive_some())


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def tls_echo(authority: trustme.CA, name: str) -> Handler:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)

    async def handler(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await tls.send_all(await tls.receive_some())
        except trio.BrokenResourceError:
            pass  # the client did not like our certificate
        finally:
            await trio.aclose_forcefully(tls)

    return handler


def refused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port


async def round_trip(stream: trio.abc.Stream) -> bytes:
    async with stream:
        await stream.send_all(b"hello")
        return bytes(await stream.receive_some())


@trio_test
async def test_a_plain_stream_carries_bytes_both_ways() -> None:
    async with listening(echo) as port:
        assert await round_trip(await dial("127.0.0.1", port)) == b"hello"


@trio_test
async def test_nobody_listening_is_one_clear_line_with_its_cause() -> None:
    port = refused_port()
    with pytest.raises(DialFailed) as caught:
        await dial("127.0.0.1", port)
    assert str(caught.value) == f"cannot connect to 127.0.0.1:{port}: Connection refused"
    assert isinstance(caught.value.__cause__, OSError)


@trio_test
async def test_an_ipv6_address_stands_in_brackets() -> None:
    with pytest.raises(DialFailed, match=r"^cannot connect to \[::1\]:\d+: "):
        await dial("::1", refused_port())


class NoNames(trio.abc.HostnameResolver):
    """A resolver that knows no name."""

    async def getaddrinfo(self, *_: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *_: Any) -> Any:
        raise AssertionError("nobody asks for names")


@trio_test
async def test_an_unknown_host_is_named() -> None:
    trio.socket.set_custom_hostname_resolver(NoNames())
    with pytest.raises(HostNotFound, match=r"^cannot find the host nowhere\.example: Name or service not known$"):
        await dial("nowhere.example", 80)


@trio_test
async def test_a_name_that_cannot_be_one_is_an_unknown_host() -> None:
    with pytest.raises(HostNotFound, match=r"^cannot find the host a{64}\.example: "):
        await dial("a" * 64 + ".example", 80)


@pytest.mark.parametrize(
    ("host", "context", "expected"),
    [
        (".example", None, r"^cannot find the host \.example: "),
        ("server", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "client socket"),
    ],
    ids=["a name that none can be", "a context for servers"],
)
@trio_test
async def test_where_tls_cannot_even_begin_the_stream_is_closed(
    host: str, context: ssl.SSLContext | None, expected: str
) -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    with pytest.raises(HostNotFound if context is None else ssl.SSLError, match=expected):
        await encrypt(ours, host, 443, context)
    assert await theirs.receive_some() == b""


@trio_test
async def test_a_callers_context_decides_whom_to_trust(authority: trustme.CA) -> None:
    async with listening(tls_echo(authority, "localhost")) as port:
        stream = await dial("localhost", port, secure=True, ssl_context=trusting(authority))
        assert await round_trip(stream) == b"hello"


@trio_test
async def test_without_a_context_an_unknown_authority_is_refused(authority: trustme.CA) -> None:
    async with listening(tls_echo(authority, "localhost")) as port:
        with pytest.raises(
            CertificateRefused, match=f"^no TLS connection to localhost:{port}: the certificate is not trus"
        ):
            await dial("localhost", port, secure=True)


@trio_test
async def test_a_certificate_for_another_name_is_refused(authority: trustme.CA) -> None:
    async with listening(tls_echo(authority, "other.example")) as port:
        with pytest.raises(CertificateRefused, match="the certificate is not trusted: Hostname mismatch"):
            await dial("localhost", port, secure=True, ssl_context=trusting(authority))


@trio_test
async def test_tls_to_a_server_that_speaks_none_says_so() -> None:
    async def plain(stream: trio.SocketStream) -> None:
        async with stream:
            await stream.receive_some()
            await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(plain) as port:
        with pytest.raises(DialFailed, match=f"^no TLS connection to 127.0.0.1:{port}: wrong version number$"):
            await dial("127.0.0.1", port, secure=True)


@trio_test
async def test_a_server_that_hangs_up_during_the_tls_handshake_is_a_lost_connection() -> None:
    async def rude(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with listening(rude) as port:
        with pytest.raises(DialFailed, match=r"^no TLS connection to 127\.0\.0\.1"):
            await dial("127.0.0.1", port, secure=True)


@trio_test
async def test_a_server_that_resets_during_the_tls_handshake_is_a_lost_connection() -> None:
    async def ruder(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await stream.aclose()

    async with listening(ruder) as port:
        with pytest.raises(DialFailed, match=r"the Server has cut the connection$"):
            await dial("127.0.0.1", port, secure=True)


@trio_test
async def test_what_the_system_has_no_number_for_is_said_in_other_words() -> None:
    class Nothing(NoNames):
        async def getaddrinfo(self, *_: Any) -> Any:
            raise OSError("the resolver is on fire")

    trio.socket.set_custom_hostname_resolver(Nothing())
    with pytest.raises(DialFailed, match=r"^cannot connect to some\.example:80: the resolver is on fire$"):
        await dial("some.example", 80)


@trio_test
async def test_cancelled_in_the_tls_handshake_the_stream_is_closed() -> None:
    closed = trio.Event()
    begun = trio.Event()

    async def silent(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        begun.set()
        while await stream.receive_some():
            pass
        closed.set()

    async with listening(silent) as port, trio.open_nursery() as nursery:

        async def impatient() -> None:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_later, scope)
                await dial("127.0.0.1", port, secure=True)

        async def cancel_later(scope: trio.CancelScope) -> None:
            await begun.wait()
            scope.cancel()

        nursery.start_soon(impatient)
        await closed.wait()
    assert closed.is_set()


# -- several addresses -------------------------------------------------------------------------------------------------


class Addresses(NoNames):
    """A resolver that has these addresses for any name, in this order."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def getaddrinfo(self, host: Any, port: Any, *_: Any) -> Any:
        kinds = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in self.addresses]
        return [(kind, socket.SOCK_STREAM, 0, "", (address, port)) for kind, address in kinds]


@trio_test
async def test_an_address_that_refuses_makes_room_for_the_next() -> None:
    async with listening(echo) as port:
        trio.socket.set_custom_hostname_resolver(Addresses("::1", "127.0.0.1"))
        assert await round_trip(await dial("both.example", port)) == b"hello"


@trio_test
async def test_an_address_that_never_answers_is_overtaken_by_the_next() -> None:
    """The kernel drops what does not fit into a full backlog, so a connection to that address only hangs."""
    with socket.socket() as full, socket.socket() as waiting:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting.connect(("127.0.0.2", port))
        with trio.fail_after(10):
            listeners = await trio.open_tcp_listeners(port, host="127.0.0.1")
            trio.socket.set_custom_hostname_resolver(Addresses("127.0.0.2", "127.0.0.1"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.serve_listeners, echo, listeners)
                begun = trio.current_time()
                assert await round_trip(await dial("both.example", port)) == b"hello"
                assert trio.current_time() - begun > 0.2  # it was tried, and not waited for
                nursery.cancel_scope.cancel()


# -- certificates ------------------------------------------------------------------------------------------------------


def wanting_certificates(authority: trustme.CA) -> Handler:
    """A TLS server that echoes the name in the client's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    # In TLS 1.3 a client learns only later that its certificate was refused.
    context.maximum_version = ssl.TLSVersion.TLSv1_2

    async def handler(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        try:
            await tls.receive_some()
            names = tls.getpeercert()["subjectAltName"]
            await tls.send_all(str(names).encode())
        except trio.BrokenResourceError:
            pass  # no certificate
        finally:
            await trio.aclose_forcefully(tls)

    return handler


@trio_test
async def test_a_callers_context_may_hold_a_client_certificate(authority: trustme.CA) -> None:
    async with listening(wanting_certificates(authority)) as port:
        context = trusting(authority)
        authority.issue_cert("me.example").configure_cert(context)
        stream = await dial("localhost", port, secure=True, ssl_context=context)
        assert b"me.example" in await round_trip(stream)
        with pytest.raises(DialFailed, match=f"^no TLS connection to localhost:{port}: "):
            await dial("localhost", port, secure=True, ssl_context=trusting(authority))


@trio_test
async def test_the_name_is_sent_along(authority: trustme.CA) -> None:
    names = []
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    context.sni_callback = lambda _, name, __: names.append(name)

    async def handler(stream: trio.SocketStream) -> None:
        tls = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        async with tls:
            await tls.send_all(await tls.receive_some())

    async with listening(handler) as port:
        stream = await dial("localhost", port, secure=True, ssl_context=trusting(authority))
        assert await round_trip(stream) == b"hello"
    assert names == ["localhost"]
