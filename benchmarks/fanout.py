"""What does one more subscriber of a hub cost, and what does it save to encode a QoS 0 message once for all?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from benchmarks.timing import Metric, Sample, Settings, Table, alternate
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws.codec import Connect
from mqttws.endpoint import Admission, Hub
from mqttws.endpoint.messages import Message
from mqttws.endpoint.subscriber import Subscriber
from mqttws.session import Connection
from mqttws.vocabulary import QOS, ProtocolVersion, QoS, Role

__all__ = ["run"]

BASELINE: Final = "mqttws"
METRICS: Final = (Metric("time", "us per delivery", 1e6),)
PROPERTIES: Final[dict[str, Any]] = {"content_type": "text/plain", "user_property": [("a", "b"), ("c", "d")]}


def run(settings: Settings) -> list[Table]:
    """A message of 128 bytes to 1, 50 and 500 subscribers, in a hub without sockets."""
    table = Table("fanout: from a hub to its subscribers, QoS 0", BASELINE, METRICS)
    for subscribers in (1, 50, 500):
        for label, properties in (("", {}), (", properties", PROPERTIES)):
            jobs = {
                BASELINE: _measure(subscribers, properties, settings, _together),
                "encoded for each": _measure(subscribers, properties, settings, _one_by_one),
            }
            table.add(f"to {subscribers}{label}", alternate(jobs, settings))
    return [table]


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
