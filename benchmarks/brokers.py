"""Servers in processes of their own on 127.0.0.1, ours and others', gone when their block is left.

A peer that is not on this machine is skipped by name: mosquitto is a program, amqtt a package of this interpreter, and
aedes is in the folder of npm packages that the user names (``--node-packages``, or ``MQTTWS_NODE_PACKAGES``).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.processes import PATIENCE, Child
from benchmarks.timing import ContenderFailed, Settings

__all__ = ["Broker", "Start", "endpoint", "find_brokers", "stub"]

AEDES: Final = Path(__file__).parent / "peers" / "aedes_server.mjs"


@dataclass(frozen=True)
class Broker:
    """A Server and where its WebSocket listens; ``pid`` is the process that serves."""

    name: str
    url: str
    pid: int


#: Starts a broker for a block.
Start: TypeAlias = Callable[[], AbstractContextManager[Broker]]


def find_brokers(settings: Settings, wanted: Sequence[str] | None = None) -> tuple[dict[str, Start], list[str]]:
    """The brokers that are here, ours first, and a line about each one that is not."""
    program, packages = _find_mosquitto(), settings.node_packages
    node = shutil.which("node")
    has_aedes = node is not None and packages is not None and (packages / "node_modules" / "aedes").is_dir()
    all_brokers: dict[str, Start | None] = {
        "mqttws endpoint": endpoint,
        "mosquitto": partial(_mosquitto, program) if program is not None else None,
        "amqtt": _amqtt if importlib.util.find_spec("amqtt") is not None else None,
        "aedes": partial(_aedes, node or "", packages or Path()) if has_aedes else None,
    }
    found, skipped = {}, []
    for name in wanted or all_brokers:
        if (start := all_brokers[name]) is not None:
            found[name] = start
        elif name == "aedes":
            skipped.append("skipped: aedes is not in a folder given by --node-packages, or there is no Node.js")
        else:
            skipped.append(f"skipped: {name} is not installed")
    return found, skipped


@contextmanager
def endpoint() -> Iterator[Broker]:
    """The local endpoint of mqttws."""
    with Child.python("servers", "endpoint") as child:
        yield Broker("mqttws endpoint", child.line()["url"], child.process.pid)


@contextmanager
def stub() -> Iterator[Broker]:
    """A Server that sends messages without end as soon as somebody subscribes: the Client is the only limit."""
    with Child.python("servers", "stub") as child:
        yield Broker("saturating stub", child.line()["url"], child.process.pid)


@contextmanager
def _amqtt() -> Iterator[Broker]:
    """The broker of amqtt, which speaks MQTT 3.1.1 only."""
    (port,) = _free_ports(1)
    with Child.python("peers.amqtt_server", str(port)) as child:
        yield Broker("amqtt", child.line()["url"], child.process.pid)


@contextmanager
def _aedes(node: str, packages: Path) -> Iterator[Broker]:
    """aedes, which speaks MQTT 3.1.1 only."""
    with Child([node, str(AEDES)], {"MQTTWS_NODE_PACKAGES": str(packages.resolve())}) as child:
        yield Broker("aedes", child.line()["url"], child.process.pid)


def _find_mosquitto() -> str | None:
    """The mosquitto server; Debian keeps it outside an ordinary user's PATH."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))


@contextmanager
def _mosquitto(program: str) -> Iterator[Broker]:
    """Eclipse Mosquitto with a WebSocket listener, and a plain one beside it without which 2.0.11 does not start."""
    plain, port = _free_ports(2)
    lines = (
        "allow_anonymous true", "persistence false", "max_inflight_messages 100", "max_queued_messages 0",
        f"listener {plain} 127.0.0.1", f"listener {port} 127.0.0.1", "socket_domain ipv4", "protocol websockets",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "mosquitto.conf"
        configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
        process = subprocess.Popen([program, "-c", str(configuration)], stderr=subprocess.DEVNULL)
        stop = threading.Event()
        awake = threading.Thread(target=_keep_awake, args=(plain, stop))
        try:
            _wait_until_it_listens(process, port)
            awake.start()
            yield Broker("mosquitto", f"ws://127.0.0.1:{port}/mqtt", process.pid)
        finally:
            stop.set()
            process.terminate()
            process.wait(PATIENCE)
            if awake.ident is not None:
                awake.join()


def _keep_awake(port: int, stop: threading.Event) -> None:
    """Ping mosquitto on its plain listener: else 2.0.11 looks after its WebSockets every 100 ms only (seen)."""
    connect = bytes.fromhex("10 12 0004 4d515454 04 02 0000 0006 6177616b6572")
    try:
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(connect)
            plain.recv(4)
            while not stop.wait(0.0005):
                plain.sendall(b"\xc0\x00")
                plain.recv(2)
    except OSError:
        return  # it is being ended


def _free_ports(count: int) -> Sequence[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > give_up:
                raise ContenderFailed("the server does not listen") from None
            time.sleep(0.02)
        else:
            return
