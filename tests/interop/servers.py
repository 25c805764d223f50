"""Other people's servers on free ports of 127.0.0.1, ready when the block is entered and gone when it is left."""

from __future__ import annotations

import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import trio

from tests.interop import counterparts
from tests.interop.processes import JsonLines, node, running

READY_SECONDS = 10.0


class ServerFailed(Exception):
    """A server ended, or never listened; the text has what it printed."""


@dataclass(slots=True, frozen=True)
class Server:
    """Where a server listens, and the path and query of its WebSocket."""

    port: int
    target: str = "/mqtt"

    @property
    def url(self) -> str:
        """What a client is given."""
        return f"ws://127.0.0.1:{self.port}{self.target}"


@asynccontextmanager
async def mosquitto(folder: Path, *, inflight: int = 0) -> AsyncIterator[Server]:
    """Eclipse Mosquitto with a WebSocket listener; configuration and log go to ``folder``.

    ``inflight`` messages may be on their way to or from a client, 0 is any number.

    The WebSocket listener does not count as one: without a plain one beside it the server ends at once with "Unable to
    start any listening sockets". And it listens on every address, unless told to use IPv4 (seen with 2.0.11).
    """
    counterparts.need("mosquitto")
    plain, port = free_ports(2)
    configuration, log = folder / "mosquitto.conf", folder / "mosquitto.log"
    lines = (
        "allow_anonymous true",
        "persistence false",
        f"max_inflight_messages {inflight}",
        f"listener {plain} 127.0.0.1",
        f"listener {port} 127.0.0.1",
        "socket_domain ipv4",
        "protocol websockets",
    )
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    async with running([str(counterparts.find_mosquitto()), "-c", str(configuration)], log=log) as process:
        if not await _listens(process, port):
            raise ServerFailed(f"mosquitto does not listen: {log.read_text(encoding='utf-8', errors='replace')}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_keep_awake, plain)
            yield Server(port)
            nursery.cancel_scope.cancel()


async def _keep_awake(port: int) -> None:
    """Ping mosquitto on its plain listener, so that its WebSocket listener hurries up.

    Its main loop sleeps for 100 ms unless a plain socket stirs, and looks after WebSockets once per turn, 4096 bytes
    each: a payload of a million bytes would take it 25 seconds (seen with 2.0.11).
    """
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(bytes.fromhex("10 12 0004 4d515454 04 02 0000 0006 6177616b6572"))
        connack = b""
        while len(connack) < 4:
            connack += await stream.receive_some(4 - len(connack))
        while True:
            await stream.send_all(b"\xc0\x00")
            await stream.receive_some(2)
            await trio.sleep(0.001)


@asynccontextmanager
async def aedes() -> AsyncIterator[Server]:
    """aedes, which speaks MQTT 3.1.1 only."""
    counterparts.need("aedes")
    async with running(**node("aedes.mjs")) as process:
        with trio.fail_after(READY_SECONDS):
            hello = await JsonLines(process).receive()
        yield Server(hello["port"])


@asynccontextmanager
async def amqtt(folder: Path) -> AsyncIterator[Server]:
    """amqtt, which speaks MQTT 3.1.1 only; its log goes to ``folder``."""
    counterparts.need("amqtt")
    (port,) = free_ports(1)
    log = folder / "amqtt.log"
    async with running([sys.executable, "-m", "tests.interop.amqtt_broker", str(port)], log=log) as process:
        if not await _listens(process, port):
            raise ServerFailed(f"amqtt does not listen: {log.read_text(encoding='utf-8', errors='replace')}")
        yield Server(port)


@asynccontextmanager
async def tinyproxy(folder: Path, *lines: str) -> AsyncIterator[int]:
    """Tinyproxy, the HTTP proxy, on a port of its own; ``lines`` are added to its configuration."""
    counterparts.need("tinyproxy")
    (port,) = free_ports(1)
    configuration, log = folder / "tinyproxy.conf", folder / "tinyproxy.log"
    lines = (f"Port {port}", "Listen 127.0.0.1", "Timeout 60", "MaxClients 20", "Allow 127.0.0.1", *lines)
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [str(counterparts.find_tinyproxy()), "-d", "-c", str(configuration)]
    async with running(command, log=log) as process:
        if not await _listens(process, port):
            raise ServerFailed(f"tinyproxy does not listen: {log.read_text(encoding='utf-8', errors='replace')}")
        yield port


#: Below those that the system gives out by itself (from 32768 on), which may go to somebody else meanwhile.
_PORTS = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different, for servers that cannot choose one themselves."""
    chosen: list[int] = []
    while len(chosen) < count:
        port = secrets.choice(_PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            if port not in chosen:
                chosen.append(port)
    return chosen


async def _listens(process: trio.Process, port: int) -> bool:
    """Whether a connection could be made in time; a connection is the one sign of readiness that every server gives."""
    with trio.move_on_after(READY_SECONDS):
        while process.poll() is None:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", port)
            except OSError:
                await trio.sleep(0.02)
            else:
                await stream.aclose()
                return True
    return False
