"""What does a store cost whoever publishes at QoS 1?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import trio

from benchmarks.brokers import endpoint
from benchmarks.timing import Metric, Sample, Settings, Table, alternate
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws import MemoryStore, Receipt, SQLiteStore, open_client
from mqttws.session import Store

__all__ = ["run"]

BASELINE: Final = "mqttws, no store"
METRICS: Final = (Metric("rate", "messages/s", more_is_better=True), Metric("cpu", "us per message", 1e6))

#: What makes the store of a contender in a folder of its own.
STORES: Final[dict[str, Callable[[Path], Store | None]]] = {
    BASELINE: lambda _: None,
    "MemoryStore": lambda _: MemoryStore(),
    "SQLiteStore, normal": lambda folder: SQLiteStore(folder / "session.db", synchronous="normal"),
    "SQLiteStore, full": lambda folder: SQLiteStore(folder / "session.db"),
}


def run(settings: Settings) -> list[Table]:
    """Messages of 128 bytes to our endpoint in a process of its own: many at once, and one after the other."""
    table = Table("store: publish at QoS 1", BASELINE, METRICS)
    table.notes.append(
        "full: every commit waits for the disk; many at once share commits, one after the other takes two"
    )
    with endpoint() as broker:
        for label, ahead, messages in (("up to 1000 at once", 1_000, 10_000), ("one after the other", 1, 500)):
            count = settings.count(messages, 20)
            jobs = {name: _measure(broker.url, make, count, ahead) for name, make in STORES.items()}
            table.add(label, alternate(jobs, settings))
    return [table]


def _measure(url: str, make: Callable[[Path], Store | None], count: int, ahead: int) -> Callable[[], Sample]:
    def measure() -> Sample:
        with tempfile.TemporaryDirectory(prefix="mqttws-") as folder, ExitStack() as stack:
            store: Any = make(Path(folder))
            if isinstance(store, SQLiteStore):
                stack.enter_context(store)
            return trio.run(_publish, url, store, count, ahead)

    return measure


async def _publish(url: str, store: Store | None, count: int, ahead: int) -> Sample:
    payload = payload_of(128)
    async with open_client(url, client_id="bench0001", store=store, send_queue=ahead) as client:
        wall, cpu = time.perf_counter(), time.process_time()
        receipts: list[Receipt] = []
        for _ in range(count):
            if client.unfinished >= ahead:
                await receipts[-ahead].wait()
            receipts.append(client.publish_soon(MESSAGE_TOPIC, payload, qos=1))
        for receipt in receipts[-ahead:]:
            await receipt.wait()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"rate": count / wall, "cpu": cpu / count}
