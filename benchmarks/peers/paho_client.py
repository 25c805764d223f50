"""paho-mqtt over WebSocket, with its network loop in a thread."""

from __future__ import annotations

import sys
import threading
from typing import Any

from benchmarks.clients import REPORT, WARM, WINDOW, Job, Stopwatch, say
from benchmarks.peers import load
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws.webpubsub import ClientAccessUrl

_paho = load("paho.mqtt.client")


def run(job: Job) -> None:
    """Do a job."""
    {"publish": publish, "receive": receive, "idle": idle}[job.kind](job)


def _connect(job: Job, number: int = 0) -> Any:
    address = ClientAccessUrl.parse(job.url)
    client = _paho.Client(
        _paho.CallbackAPIVersion.VERSION2, f"paho{number}x{job.kind}", transport="websockets", protocol=job.version
    )
    client.ws_set_options(path=address.target)
    client.max_inflight_messages_set(WINDOW)
    client.max_queued_messages_set(0)
    connected = threading.Event()
    client.on_connect = lambda *_: connected.set()
    client.connect(address.host, address.port, 60)
    client.loop_start()
    if not connected.wait(10):
        raise RuntimeError("no CONNACK")
    return client


def publish(job: Job) -> None:
    """All in a row; its queue is unbounded and its window is the same as everybody's."""
    client, payload, watch = _connect(job), payload_of(job.size), Stopwatch(job.messages)
    watch.start()
    infos = [client.publish(MESSAGE_TOPIC, payload, job.qos) for _ in range(job.messages)]
    if not job.qos:
        infos = [client.publish(MESSAGE_TOPIC, b"", 1)]
    for info in infos:
        info.wait_for_publish(60)
    watch.stop()
    client.disconnect()
    client.loop_stop()


def receive(job: Job) -> None:
    """Messages through the callback."""
    client, watch = _connect(job), Stopwatch(job.messages - 1)
    done, subscribed = threading.Event(), threading.Event()
    count = 0

    def on_message(_client: Any, _data: Any, message: Any) -> None:
        nonlocal count
        assert len(message.payload) == job.size
        count += 1
        if count == 1:
            watch.start()
        if count % REPORT == 0 and count <= job.messages:
            say({"received": count})
        if count == job.messages:
            watch.stop()
            done.set()

    client.on_message = on_message
    client.on_subscribe = lambda *_: subscribed.set()
    client.subscribe(MESSAGE_TOPIC, job.qos)
    subscribed.wait(10)
    say({"ready": True})
    done.wait()
    client.disconnect()
    client.loop_stop()


def idle(job: Job) -> None:
    """Connections that do nothing until standard input ends."""
    clients = []
    for number in range(1, 1 + job.messages):
        clients.append(_connect(job, number))
        if number in (WARM, job.messages):
            say({"clients": number})
            sys.stdin.buffer.readline()
    for client in clients:
        client.disconnect()
        client.loop_stop()
