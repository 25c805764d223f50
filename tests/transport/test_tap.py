"""What a tap tells, and that it never stands in the way."""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import trustme
from trio.testing import MockClock, trio_test

from mqttws.trace import Recorder, read_trace
from mqttws.transport.tap import open_trace, tap
from mqttws.vocabulary import Role

DEADLINE = 10.0


def told(lines: list[str]) -> list[tuple[str, bytes | None]]:
    """What happened, with the bytes if there were any."""
    members = [json.loads(line) for line in lines[1:]]
    return [
        (member.get("event") or member["direction"], bytes.fromhex(member["hex"]) if "hex" in member else None)
        for member in members
    ]


def wire(write: Callable[[str], object]) -> tuple[trio.abc.Stream, Any]:
    """A tapped end, and the other one."""
    near, far = trio.testing.memory_stream_pair()
    return tap(near, Recorder(write), Role.CLIENT), far


@trio_test
async def test_without_a_recorder_a_stream_is_what_it_was() -> None:
    near, _ = trio.testing.memory_stream_pair()
    assert tap(near, None, Role.CLIENT) is near


@trio_test
async def test_everything_that_passes_is_told_with_its_time(autojump_clock: MockClock) -> None:
    lines: list[str] = []
    stream, far = wire(lines.append)
    await stream.wait_send_all_might_not_block()
    await stream.send_all(bytearray(b"\0out"))
    await trio.sleep(1)
    await far.send_all(b"\0in")
    assert await stream.receive_some(100) == b"\0in"
    await far.send_eof()
    assert await stream.receive_some() == b""
    await trio.sleep(1)
    await stream.aclose()
    assert told(lines) == [("open", None), ("out", b"\0out"), ("in", b"\0in"), ("eof", None), ("close", None)]
    assert [json.loads(line)["time"] for line in lines[1:]] == [0, 0, 1, 1, 2]


@trio_test
async def test_a_wire_that_breaks_is_told_and_raises() -> None:
    lines: list[str] = []
    stream, far = wire(lines.append)
    await far.aclose()
    with pytest.raises(trio.BrokenResourceError):
        await stream.send_all(b"\0x")
    assert told(lines) == [("open", None), ("out", b"\0x"), ("reset", None)]


class Resetting(trio.abc.ReceiveStream):
    """A stream whose other end is gone."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        raise trio.BrokenResourceError

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@trio_test
async def test_a_reset_while_reading_is_told_and_raises() -> None:
    lines: list[str] = []
    stream: Any = trio.StapledStream(trio.testing.MemorySendStream(), Resetting())
    with pytest.raises(trio.BrokenResourceError):
        await tap(stream, Recorder(lines.append), Role.SERVER).receive_some()
    assert told(lines) == [("open", None), ("reset", None)]


@trio_test
async def test_a_recorder_that_raises_ends_the_trace_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    lines: list[str] = []

    def full(line: str) -> None:
        lines.append(line)
        if len(lines) > 3:
            raise OSError(28, "No space left on device")

    stream, far = wire(full)
    with caplog.at_level(logging.WARNING, "mqttws.trace"):
        for number in range(5):
            await stream.send_all(b"\0%d" % number)
    assert await far.receive_some() == b"\0000\0001\0002\0003\0004"
    assert [record.getMessage() for record in caplog.records] == [
        "the trace has ended: OSError: [Errno 28] No space left on device"
    ]
    assert len(lines) == 4


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@trio_test
async def test_sockets_have_addresses_inside_tls_too(host: str) -> None:
    lines: list[str] = []
    authority = trustme.CA()
    server_side, client_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert(host).configure_cert(server_side)
    authority.configure_trust(client_side)
    try:
        (listener,) = await trio.open_tcp_listeners(0, host=host)
    except OSError:
        assert host == "::1"  # a machine without IPv6
        return
    port = listener.socket.getsockname()[1]

    streams: list[trio.abc.AsyncResource] = [listener]

    async def say_hello() -> None:
        stream = await trio.open_ssl_over_tcp_stream(host, port, ssl_context=client_side)
        streams.append(stream)
        await stream.send_all(b"\0hello")

    with trio.fail_after(DEADLINE):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say_hello)
            accepted = trio.SSLStream(await listener.accept(), server_side, server_side=True)
            tls = tap(accepted, Recorder(lines.append), Role.SERVER)
            streams.append(tls)
            assert await tls.receive_some() == b"\0hello"
    for stream in streams:
        await trio.aclose_forcefully(stream)
    opened = json.loads(lines[1])
    shown = f"[{host}]" if ":" in host else host
    assert opened["local"] == f"{shown}:{port}"
    assert opened["peer"].startswith(f"{shown}:")
    assert told(lines)[1] == ("in", b"\0hello")


@trio_test
async def test_streams_without_an_address_on_the_internet_have_none(tmp_path: Path) -> None:
    lines: list[str] = []
    pair = [trio.SocketStream(trio.socket.from_stdlib_socket(end)) for end in socket.socketpair()]
    tap(pair[0], Recorder(lines.append), Role.CLIENT)
    await pair[1].aclose()
    await pair[0].aclose()
    tap(pair[0], Recorder(lines.append), Role.CLIENT)
    opened = [json.loads(line) for line in lines if "open" in line]
    assert [set(member) for member in opened] == [{"connection", "time", "event", "role"}] * 2


@trio_test
async def test_a_trace_goes_to_a_file_a_function_or_a_recorder(tmp_path: Path) -> None:
    path = tmp_path / "wire.trace"
    path.write_text("what was there before")
    async with open_trace(path) as recorder:
        assert recorder is not None
        near, _ = trio.testing.memory_stream_pair()
        await tap(near, recorder, Role.CLIENT).send_all(b"\0there")
        assert len(path.read_text().splitlines()) == 3  # a crash now would lose nothing
    (connection,) = read_trace(path.read_text().splitlines())
    assert connection.role is Role.CLIENT
    lines: list[str] = []
    async with open_trace(lines.append) as recorder:
        assert recorder is not None
        tap(near, recorder, Role.SERVER)
    assert [json.loads(line).get("role") for line in lines] == [None, "server"]
    own = Recorder(last=1000)
    async with open_trace(own) as recorder:
        assert recorder is own
    async with open_trace(None) as recorder:
        assert recorder is None


@trio_test
async def test_a_new_file_is_private_and_one_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "wire.trace"
    async with open_trace(str(path)):
        assert stat.S_IMODE(os.stat(path).st_mode) & 0o077 == 0
    with pytest.raises(OSError, match="absent"):
        async with open_trace(tmp_path / "absent" / "wire.trace"):
            raise AssertionError("it was opened")
