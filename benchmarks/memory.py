"""How much memory does a connection take that does nothing?"""

from __future__ import annotations

import importlib.util
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.clients import WARM, Job
from benchmarks.end_to_end import CLIENTS
from benchmarks.processes import BROKERS, Child, endpoint, find_mosquitto, resident_kib
from benchmarks.timing import Metric, Sample, Settings, Table, alternate
from benchmarks.wire import Wire

__all__ = ["run"]

METRICS: Final = (Metric("memory", "KiB per connection"),)


def run(settings: Settings) -> list[Table]:
    """RSS of a server process before and after many connections, and of a client process with many clients."""
    servers = Table("memory: server, per idle connection", "mqttws endpoint", METRICS)
    clients = Table("memory: client, per idle connection", "mqttws", METRICS)
    if not Path("/proc/self/status").exists():
        servers.notes.append("skipped: this system has no /proc to read memory from")
        return [servers]
    count = settings.count(1_000, 20)
    _allow_descriptors(2 * count + 100)
    contenders: dict[str, Callable[[], Sample]] = {}
    for name, start in BROKERS.items():
        if name == "mosquitto" and find_mosquitto() is None:
            servers.notes.append("skipped: mosquitto is not installed")
        else:
            contenders[name] = _server(start, count)
    few = Settings(min(settings.rounds, 3), settings.quick)
    servers.add(f"{count} connections", alternate(contenders, few))
    count = settings.count(100, 4)
    with endpoint() as broker:
        contenders = {}
        for name, (adapter, package) in CLIENTS.items():
            if importlib.util.find_spec(package) is None:
                clients.notes.append(f"skipped: {name} is not installed")
            else:
                contenders[name] = _client(adapter, broker.url, count)
        clients.add(f"{count} clients", alternate(contenders, few))
    return [servers, clients]


def _server(start: Callable[[], Any], count: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with start() as broker:
            wires = [Wire(broker.url, f"idle{number}", keep_alive=180) for number in range(WARM)]
            before = _settled(broker.pid)
            wires += [Wire(broker.url, f"idle{number}", keep_alive=180) for number in range(WARM, WARM + count)]
            after = _settled(broker.pid)
            for wire in wires:
                wire.close()
            return {"memory": max(after - before, 0.001) / count}

    return measure


def _client(adapter: str, url: str, count: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with Child("clients", adapter, Job("idle", url, WARM + count).as_argument()) as child:
            assert child.line() == {"clients": WARM}
            before = _settled(child.process.pid)
            child.go_on()
            assert child.line() == {"clients": WARM + count}
            return {"memory": max(_settled(child.process.pid) - before, 0.001) / count}

    return measure


def _settled(pid: int) -> float:
    """Memory when it has stopped growing: what was begun is done then."""
    size = resident_kib(pid)
    while True:
        time.sleep(0.2)
        now = resident_kib(pid)
        if now <= size:
            return now
        size = now


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
