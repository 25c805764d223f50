"""mqttium's asyncio client over WebSocket."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from typing import Any

from benchmarks.clients import REPORT, WARM, WINDOW, Job, Stopwatch, say
from benchmarks.peers import load
from benchmarks.workloads import MESSAGE_TOPIC, payload_of

_AsyncClient = load("mqttium.api").AsyncClient
_Version = load("mqttium.enums").MQTTProtocolVersion


def run(job: Job) -> None:
    """Do a job."""
    asyncio.run({"publish": publish, "receive": receive, "idle": idle}[job.kind](job))


async def _connect(job: Job, number: int = 0) -> Any:
    version = _Version.MQTTv5 if job.version == 5 else _Version.MQTTv311
    client = _AsyncClient(f"mqttium{number}x{job.kind}", protocol=version, max_outbound_inflight=WINDOW)
    await client.connect_ws(job.url)
    return client


async def publish(job: Job) -> None:
    """As ours: the same window, and one message of QoS 1 behind those of QoS 0."""
    client, payload, watch = await _connect(job), payload_of(job.size), Stopwatch(job.messages)
    watch.start()
    if not job.qos:
        for _ in range(job.messages):
            await client.publish(MESSAGE_TOPIC, payload, qos=0)
        await (await client.publish(MESSAGE_TOPIC, b"", qos=1)).wait()
    else:
        under_way: deque[Any] = deque()
        for _ in range(job.messages):
            if len(under_way) == WINDOW:
                await under_way.popleft().wait()
            under_way.append(await client.publish(MESSAGE_TOPIC, payload, qos=job.qos))
        while under_way:
            await under_way.popleft().wait()
    watch.stop()
    await client.disconnect()


async def receive(job: Job) -> None:
    """Messages through the iterator, one by one."""
    client, watch, count = await _connect(job), Stopwatch(job.messages - 1), 0
    await client.subscribe(MESSAGE_TOPIC, qos=job.qos)
    say({"ready": True})
    async for message in client.messages():
        assert len(message.payload) == job.size
        count += 1
        if count == 1:
            watch.start()
        if count % REPORT == 0:
            say({"received": count})
        if count == job.messages:
            watch.stop()
            break
    await client.disconnect()


async def idle(job: Job) -> None:
    """Connections that do nothing until standard input ends."""
    clients = []
    for number in range(1, 1 + job.messages):
        clients.append(await _connect(job, number))
        if number in (WARM, job.messages):
            say({"clients": number})
            await asyncio.to_thread(sys.stdin.buffer.readline)
    for client in clients:
        await client.disconnect()
