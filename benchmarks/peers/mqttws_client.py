"""Our own client, used as the README says."""

from __future__ import annotations

import sys
from collections import deque
from contextlib import AsyncExitStack

import trio

from benchmarks.clients import REPORT, WARM, WINDOW, Job, Stopwatch, say
from benchmarks.workloads import MESSAGE_TOPIC, payload_of
from mqttws import Receipt, open_client

#: As the others, who announce no Receive Maximum. mosquitto 2.0.11 exceeds a smaller one under load (seen).
_RECEIVE_MAXIMUM = 65_535


def run(job: Job) -> None:
    """Do a job."""
    trio.run({"publish": publish, "receive": receive, "idle": idle}[job.kind], job)


async def publish(job: Job) -> None:
    """QoS 0 waits for the send buffer only, so one message of QoS 1 at the end says that all have arrived."""
    payload, watch = payload_of(job.size), Stopwatch(job.messages)
    async with open_client(job.url, version=job.version, reconnect=None) as client:
        watch.start()
        if not job.qos:
            for _ in range(job.messages):
                await client.publish(MESSAGE_TOPIC, payload, 0)
            await client.publish(MESSAGE_TOPIC, b"", 1)
        else:
            under_way: deque[Receipt] = deque()
            for _ in range(job.messages):
                if len(under_way) == WINDOW:
                    await under_way.popleft().wait()
                under_way.append(client.publish_soon(MESSAGE_TOPIC, payload, job.qos))
            while under_way:
                await under_way.popleft().wait()
        watch.stop()


async def receive(job: Job) -> None:
    """Messages through the iterator, one by one."""
    watch, count = Stopwatch(job.messages - 1), 0
    async with (
        open_client(job.url, version=job.version, reconnect=None, receive_maximum=_RECEIVE_MAXIMUM) as client,
        client.subscribe(MESSAGE_TOPIC, qos=job.qos) as messages,
    ):
        say({"ready": True})
        async for message in messages:
            assert len(message.payload) == job.size
            count += 1
            if count == 1:
                watch.start()
            if count % REPORT == 0:
                say({"received": count})
            if count == job.messages:
                watch.stop()
                return


async def idle(job: Job) -> None:
    """Connections that do nothing until standard input ends."""
    async with AsyncExitStack() as stack:
        for number in range(1, 1 + job.messages):
            await stack.enter_async_context(open_client(job.url, version=job.version, reconnect=None, keep_alive=60))
            if number in (WARM, job.messages):
                say({"clients": number})
                await trio.to_thread.run_sync(sys.stdin.buffer.readline)
