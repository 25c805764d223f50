"""Brokers and clients in processes of their own on 127.0.0.1, gone when their block is left."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

__all__ = [
    "BROKERS",
    "Broker",
    "Child",
    "ChildEnded",
    "endpoint",
    "find_mosquitto",
    "mosquitto",
    "resident_kib",
    "stub",
]

PATIENCE: Final = 30.0
REPOSITORY: Final = Path(__file__).parents[1]


@dataclass(frozen=True)
class Broker:
    """A Server and where its WebSocket listens; ``pid`` is the process that serves."""

    name: str
    url: str
    pid: int


class ChildEnded(Exception):
    """A process has ended before its work was done; what it had to say is on standard error."""


class Child:
    """A Python module of ours as a process: it answers in lines of JSON and ends when its standard input does."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._arguments = arguments
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    @property
    def output(self) -> int:
        """The file descriptor of what it says, for ``select``."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def line(self) -> dict[str, Any]:
        """Its next line; :class:`ChildEnded` when it has ended instead."""
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            raise ChildEnded(" ".join(self._arguments))
        said: dict[str, Any] = json.loads(text)
        return said

    def go_on(self) -> None:
        """Send it the line that it waits for."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def end(self) -> None:
        """Close its standard input and wait; a process that does not listen is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE / 3)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()


@contextmanager
def endpoint() -> Iterator[Broker]:
    """The local endpoint of mqttws."""
    with Child("servers", "endpoint") as child:
        yield Broker("mqttws endpoint", child.line()["url"], child.process.pid)


@contextmanager
def stub() -> Iterator[Broker]:
    """A Server that sends messages without end as soon as somebody subscribes: the Client is the only limit."""
    with Child("servers", "stub") as child:
        yield Broker("saturating stub", child.line()["url"], child.process.pid)


def find_mosquitto() -> str | None:
    """The mosquitto server; Debian keeps it outside an ordinary user's PATH."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin")))


@contextmanager
def mosquitto() -> Iterator[Broker]:
    """Eclipse Mosquitto with a WebSocket listener, and a plain one beside it without which 2.0.11 does not start."""
    program = find_mosquitto()
    assert program is not None
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


BROKERS: Final[dict[str, Callable[[], Any]]] = {"mqttws endpoint": endpoint, "mosquitto": mosquitto}


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
                raise RuntimeError("the server does not listen") from None
            time.sleep(0.02)
        else:
            return


def resident_kib(pid: int) -> int:
    """The memory of a process that is in RAM, in KiB; Linux only."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
