"""What does one more subscriber of a hub cost, and what does it save to encode a QoS 0 message once for all?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.brokers import Start, find_brokers
from benchmarks.crowd import VERSION, Crowd
from benchmarks.processes import UNREADABLE, cpu_seconds, descriptors, others_can_be_read
from benchmarks.timing import Metric, Sample, Settings, Table, alternate
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws.codec import Connect, Publish, SubAck, Subscribe, Subscription, encode
from mqttws.endpoint import Admission, Hub
from mqttws.endpoint.messages import Message
from mqttws.endpoint.subscriber import Subscriber
from mqttws.session import Connection
from mqttws.vocabulary import QOS, ProtocolVersion, QoS, Role

__all__ = ["run"]

BASELINE: Final = "mqttws"
METRICS: Final = (Metric("time", "us per delivery", 1e6),)
PROPERTIES: Final[dict[str, Any]] = {"content_type": "text/plain", "user_property": [("a", "b"), ("c", "d")]}


OVER_SOCKETS: Final = (
    Metric("rate", "deliveries/s", more_is_better=True),
    Metric("cpu", "us of the server per delivery", 1e6),
)
#: Messages that the publisher sends in one write.
BURST: Final = 20


def run(settings: Settings) -> list[Table]:
    """A message of 128 bytes to 1, 50 and 500 subscribers: in a hub without sockets, and through whole brokers."""
    return [_in_a_hub(settings), _through_brokers(settings.at_most(3))]


def _in_a_hub(settings: Settings) -> Table:
    table = Table("fanout: from a hub to its subscribers, QoS 0", BASELINE, METRICS)
    for subscribers in (1, 5) if settings.quick else (1, 50, 500):
        for label, properties in (("", {}), (", properties", PROPERTIES)):
            jobs = {
                BASELINE: _measure(subscribers, properties, settings, _together),
                "encoded for each": _measure(subscribers, properties, settings, _one_by_one),
            }
            table.add(f"to {subscribers}{label}", alternate(jobs, settings))
    return table


def _measure(
    subscribers: int, properties: dict[str, Any], settings: Settings, give: Callable[[Hub, Message], None]
) -> Callable[[], Sample]:
    rounds = settings.count(max(20, 10_000 // subscribers), 1)

    def measure() -> Sample:
        hub, connections = _hub(subscribers)
        given: Any = properties
        message = Message(MESSAGE_TOPIC, payload_of(128), QoS.AT_MOST_ONCE, False, given)
        spent = 0.0
        for _ in range(rounds):
            began = time.perf_counter()
            give(hub, message)
            spent += time.perf_counter() - began
            sent = [connection.data_to_send(0.0) for connection in connections]
            assert len(set(sent)) == 1
            assert sent[0]
        return {"time": spent / rounds / subscribers}

    return measure


def _hub(subscribers: int) -> tuple[Hub, list[Connection]]:
    """A hub whose members are all subscribed, with the server's ends of their connections."""
    hub = Hub("bench")
    connections = []
    for number in range(subscribers):
        client, server = Connection(Role.CLIENT), Connection(Role.SERVER)
        peer = hub.join(server, Admission("bench"))
        client.send(Connect(ProtocolVersion.V5, f"c{number}", keep_alive=60), 0.0)
        server.receive_data(client.data_to_send(0.0), 0.0)
        for event in server.events():
            hub.handle(peer, event, 0.0)
        server.data_to_send(0.0)
        connections.append(server)
    for member in hub.members():
        hub.add_to_group(member, MESSAGE_TOPIC)
    return hub, connections


def _together(hub: Hub, message: Message) -> None:
    hub.publish(message, 0.0)


def _one_by_one(hub: Hub, message: Message) -> None:
    subscriber = Subscriber(QOS[0])
    for member in hub.members():
        member.offer(message, subscriber, 0.0)
        message.delivered()


def _through_brokers(settings: Settings) -> Table:
    """A publisher sends one message, or a burst, and goes on when every subscriber has all of it."""
    table = Table("fanout: from a publisher to subscribers over sockets, QoS 0", "mqttws endpoint", OVER_SOCKETS)
    if not others_can_be_read():
        table.notes.append(UNREADABLE)
        return table
    brokers, skipped = find_brokers(settings)
    with descriptors(501) as (allowed, notes):
        table.notes += skipped + notes
        for subscribers in (5,) if settings.quick else (1, 50, min(500, allowed - 1)):
            for label, burst in (("", 1), (f", bursts of {BURST}", BURST))[settings.quick :]:
                rounds = settings.count(max(3, 2_000 // (subscribers * burst)), 1)
                jobs = {name: _deliver(start, subscribers, burst, rounds) for name, start in brokers.items()}
                table.measure(f"to {subscribers}{label}", jobs, settings)
    return table


def _deliver(start: Start, subscribers: int, burst: int, rounds: int) -> Callable[[], Sample]:
    message = Publish(MESSAGE_TOPIC, payload_of(128))
    expected = encode(message, VERSION) * burst

    def measure() -> Sample:
        with start() as broker, Crowd(broker.url, "sub") as everybody, Crowd(broker.url, "pub") as publisher:
            publisher.connect(1, 1)
            everybody.connect(subscribers, 50)
            everybody.send(Subscribe(1, [Subscription(MESSAGE_TOPIC)]))
            everybody.receive(encode(SubAck(1, [QoS.AT_MOST_ONCE]), VERSION))
            publisher.send(message, burst)  # the first time is for warming up
            everybody.receive(expected)
            wall, cpu = time.perf_counter(), cpu_seconds(broker.pid)
            for _ in range(rounds):
                publisher.send(message, burst)
                everybody.receive(expected)
            wall, cpu = time.perf_counter() - wall, cpu_seconds(broker.pid) - cpu
            deliveries = rounds * burst * subscribers
            return {"rate": deliveries / wall, "cpu": cpu / deliveries}

    return measure
