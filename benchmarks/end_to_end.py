"""How many messages a second go from a Client to a Server and back, and what does each cost the Client?"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, Final

from benchmarks.brokers import Broker, find_brokers, stub
from benchmarks.clients import WINDOW, Job
from benchmarks.processes import PATIENCE, Child
from benchmarks.timing import Metric, Sample, Settings, Table
from benchmarks.wire import Wire
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws.codec import Publish
from mqttws.vocabulary import QOS

__all__ = ["CLIENTS", "run"]

#: Name, adapter and package of the client libraries.
CLIENTS: Final = {"mqttws": ("mqttws", "mqttws"), "paho-mqtt": ("paho", "paho"), "mqttium": ("mqttium", "mqttium")}

METRICS: Final = (
    Metric("rate", "messages/s", more_is_better=True),
    Metric("cpu", "us of the client per message", 1e6),
    Metric("peak", "MiB peak", 1 / 1024),
)
#: How far the feeder may be ahead of the receiver: less than any queue on the way holds.
AHEAD: Final = 500


def run(settings: Settings) -> list[Table]:
    """Messages of 128 bytes, published and received at each QoS; a broker process each, a client process each time."""
    skipped = [
        f"skipped: {name} is not installed"
        for name, (_, package) in CLIENTS.items()
        if importlib.util.find_spec(package) is None
    ]
    clients = {name: adapter for name, (adapter, package) in CLIENTS.items() if importlib.util.find_spec(package)}
    ours = {"mqttws": clients["mqttws"]}
    tables = [_saturated(ours if settings.quick else clients, settings)]
    brokers, absent = find_brokers(settings, ("mqttws endpoint", "mosquitto"))
    skipped += absent
    for start in list(brokers.values())[: settings.count(len(brokers), 1)]:
        with start() as broker:
            tables.append(_through(broker, clients, settings))
    for table in tables:
        table.notes += skipped
    return tables


def _saturated(clients: dict[str, str], settings: Settings) -> Table:
    """What a Client can take when its Server sends as fast as it reads."""
    table = Table("end to end: from a server that sends without end", "mqttws", METRICS)
    with stub() as broker:
        job = Job("receive", broker.url, settings.count(50_000, 300))
        table.measure("receive QoS 0", {name: _alone(each, job) for name, each in clients.items()}, settings)
    return table


def _through(broker: Broker, clients: dict[str, str], settings: Settings) -> Table:
    table = Table(f"end to end: {broker.name}", "mqttws", METRICS)
    levels = (1,) if settings.quick else (0, 1, 2)
    for qos in levels:
        job = Job("publish", broker.url, settings.count((40_000, 10_000, 6_000)[qos], 300), qos)
        table.measure(f"publish QoS {qos}", {name: _alone(each, job) for name, each in clients.items()}, settings)
    for qos in levels:
        job = Job("receive", broker.url, settings.count((40_000, 10_000, 6_000)[qos], 300), qos)
        table.measure(f"receive QoS {qos}", {name: _fed(each, job) for name, each in clients.items()}, settings)
    return table


def _alone(client: str, job: Job) -> Callable[[], Sample]:
    """A client that needs nobody to feed it."""

    def measure() -> Sample:
        with Child.python("clients", client, job.as_argument()) as child:
            return _result(child)

    return measure


def _fed(client: str, job: Job) -> Callable[[], Sample]:
    """A client that receives what we publish meanwhile, never further ahead of it than any queue takes."""

    def measure() -> Sample:
        with Child.python("clients", client, job.as_argument()) as child, Wire(job.url, "feeder0001") as wire:
            assert child.line() == {"ready": True}
            return _feed(wire, child, job)

    return measure


def _feed(wire: Wire, child: Child, job: Job) -> Sample:
    payload, qos = payload_of(job.size), QOS[job.qos]
    published = received = 0
    while True:
        room = min(AHEAD - (published - received), job.messages - published)
        if qos:
            room = min(room, wire.connection.send_quota, WINDOW)
        if room > 0:
            wire.send(*(Publish(MESSAGE_TOPIC, payload, qos) for _ in range(room)))
            published += room
        ready = wire.readable([child.output], PATIENCE)
        assert ready, f"nothing has happened for {PATIENCE} s after {published} messages"
        if wire.socket.fileno() in ready:
            wire.receive()
        if child.output in ready:
            said = child.line()
            if "wall" in said:
                return said
            received = said["received"]


def _result(child: Child) -> dict[str, Any]:
    while "wall" not in (said := child.line()):
        pass
    return said
