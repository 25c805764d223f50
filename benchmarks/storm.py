"""How long does it take until all are back when 2,000 Clients connect at the same moment?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from benchmarks.brokers import Start, find_brokers
from benchmarks.clients import WARM
from benchmarks.crowd import Crowd
from benchmarks.processes import UNREADABLE, cpu_seconds, descriptors, others_can_be_read
from benchmarks.timing import Metric, Sample, Settings, Table

__all__ = ["run"]

CONNECTIONS: Final = 2_000
METRICS: Final = (
    Metric("all connected", "s"),
    Metric("slowest CONNACK", "s"),
    Metric("cpu", "us of the server per connection", 1e6),
)


def run(settings: Settings) -> list[Table]:
    """Everybody begins at once; handshake, CONNECT and CONNACK, to a server that has just been warmed up."""
    table = Table("storm: 2,000 clients connect at once", "mqttws endpoint", METRICS)
    if not others_can_be_read():
        table.notes.append(UNREADABLE)
        return [table]
    brokers, skipped = find_brokers(settings)
    with descriptors(WARM + settings.count(CONNECTIONS, 20)) as (allowed, notes):
        table.notes += skipped + notes
        count = allowed - WARM
        again = dict.fromkeys(brokers, 0)
        jobs = {name: _measure(name, start, count, again) for name, start in brokers.items()}
        table.measure(f"{count} connections", jobs, settings.at_most(3))
    table.notes += [f"{name} turned clients away, who then tried again: {n} times" for name, n in again.items() if n]
    table.notes.append("CONNACK counts from CONNECT on, 'all connected' from the first SYN")
    table.notes.append("a listening socket that overflows lets TCP wait a second before it tries again")
    return [table]


def _measure(name: str, start: Start, count: int, again: dict[str, int]) -> Callable[[], Sample]:
    def measure() -> Sample:
        with start() as broker, Crowd(broker.url) as crowd:
            crowd.connect(WARM, WARM)
            wall, cpu = time.perf_counter(), cpu_seconds(broker.pid)
            waits = crowd.connect(count, count)
            wall, cpu = time.perf_counter() - wall, cpu_seconds(broker.pid) - cpu
            again[name] += crowd.again
            return {"all connected": wall, "slowest CONNACK": max(waits), "cpu": cpu / count}

    return measure
