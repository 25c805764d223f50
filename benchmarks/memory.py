"""How much memory does a connection take that does nothing?"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Final

from benchmarks.brokers import Start, endpoint, find_brokers
from benchmarks.clients import WARM, Job
from benchmarks.crowd import Crowd
from benchmarks.end_to_end import CLIENTS
from benchmarks.processes import UNREADABLE, Child, descriptors, others_can_be_read, resident_kib
from benchmarks.timing import Metric, Sample, Settings, Table

__all__ = ["run"]

METRICS: Final = (Metric("memory", "KiB per connection"),)
CONNECTIONS: Final = 5_000
#: How many connect at the same time: fewer than any server has ready to accept.
AT_ONCE: Final = 50


def run(settings: Settings) -> list[Table]:
    """RSS of a server process before and after 5,000 connections, and of a client process with 100 clients."""
    if not others_can_be_read():
        return [Table("memory: of mqttws, per idle connection", "mqttws", METRICS, notes=[UNREADABLE])]
    few = settings.at_most(3)
    return [_servers(few), _clients(few)]


def _servers(settings: Settings) -> Table:
    table = Table("memory: server, per idle connection", "mqttws endpoint", METRICS)
    brokers, skipped = find_brokers(settings)
    with descriptors(WARM + settings.count(CONNECTIONS, 20)) as (allowed, notes):
        table.notes += skipped + notes
        count = allowed - WARM
        asked = list(brokers.items())[: settings.count(len(brokers), 2)]
        jobs = {name: _server(start, count) for name, start in asked}
        table.measure(f"{count} connections", jobs, settings)
    return table


def _clients(settings: Settings) -> Table:
    table = Table("memory: client, per idle connection", "mqttws", METRICS)
    count = settings.count(100, 4)
    with endpoint() as broker:
        contenders = {}
        for name, (adapter, package) in CLIENTS.items():
            if importlib.util.find_spec(package) is None:
                table.notes.append(f"skipped: {name} is not installed")
            else:
                contenders[name] = _client(adapter, broker.url, count)
        table.measure(f"{count} clients", contenders, settings)
    return table


def _server(start: Start, count: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with start() as broker, Crowd(broker.url) as crowd:
            crowd.connect(WARM, AT_ONCE)
            before = _settled(broker.pid)
            crowd.connect(count, AT_ONCE)
            return {"memory": max(_settled(broker.pid) - before, 0.001) / count}

    return measure


def _client(adapter: str, url: str, count: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with Child.python("clients", adapter, Job("idle", url, WARM + count).as_argument()) as child:
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
