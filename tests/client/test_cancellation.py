"""Cancelled at each step: whatever the client was doing, it ends in order and the Server has nothing to complain of."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from trio.abc import Instrument
from trio.testing import MockClock

from mqttws.client import open_client
from mqttws.codec import ConnAck, Connect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe
from mqttws.errors import ConnectionLost
from mqttws.link import Upgrade
from mqttws.session import Closed
from mqttws.transport import Pump
from tests.client.scripted import URL, Peer, Server


class CancelAt(Instrument):
    """Cancels a scope before the n-th step that any task takes: the Server's count, since they are other moments."""

    def __init__(self, step: int) -> None:
        self.left = step
        self.scope = trio.CancelScope()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.left -= 1
        if not self.left:
            self.scope.cancel()


class Broker(Server):
    """A server that does all that is asked, sends every message back, and remembers how its connections have ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Exception | None] = []
        self.streams: list[trio.abc.Stream] = []

    async def dial(self, *args: Any, **options: Any) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        stream = await super().dial(*args, **options)
        self.streams.append(stream)
        return stream

    async def serve(self) -> None:
        while True:
            await self.serve_one(await self.accept())

    async def serve_one(self, peer: Peer) -> None:
        pump = Pump(peer.stream, peer.link)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.write)
            while events := await pump.receive():
                for event in events:
                    self.handle(peer, event)
                pump.flush()

    def handle(self, peer: Peer, event: object) -> None:
        link, now = peer.link, trio.current_time()
        if isinstance(event, Closed):
            self.ends.append(event.error)
        elif link.connection.closed:
            pass
        elif isinstance(event, Upgrade):
            link.accept(now)
        elif isinstance(event, Connect):
            link.send(ConnAck(properties={"receive_maximum": 1} if event.version == 5 else {}), now)
        elif isinstance(event, Subscribe):
            link.send(SubAck(event.packet_id, [int(each.qos) for each in event.subscriptions]), now)
        elif isinstance(event, Unsubscribe):
            codes = [0] * len(event.topic_filters) if link.connection.version == 5 else []
            link.send(UnsubAck(event.packet_id, codes), now)
        elif isinstance(event, Publish):
            link.acknowledge(event)
            link.send(Publish(event.topic, event.payload, event.qos), now)


async def everything(server: Broker, version: int) -> None:
    """Every call that waits, once."""
    async with open_client(URL, dial=server.dial, version=version, send_queue=2) as client:
        async with client.subscribe("a", "b", qos=2) as messages:
            for qos in (0, 1, 2):
                await client.publish("a", b"%d" % qos, qos=qos)
            soon = [client.publish_soon("b", b"s", qos=2) for _ in range(2)]
            await client.publish("b", b"waits for room", qos=1)
            async for message in messages:
                if message.payload == b"waits for room":
                    break
            for receipt in soon:
                await receipt.wait()
        async with client.messages() as messages:
            client.publish_soon("c", qos=1)
            await messages.receive_many(5)
        client.publish_soon("d", qos=1)


async def run_with_a_cancel(step: int, version: int) -> bool:
    """Whether the whole of it was over before that step."""
    instrument = CancelAt(step)
    server = Broker()
    trio.lowlevel.add_instrument(instrument)
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.serve)
            with instrument.scope:
                await everything(server, version)
            await trio.sleep(5)
            nursery.cancel_scope.cancel()
    for stream in server.streams:
        with pytest.raises(trio.ClosedResourceError):
            await stream.send_all(b"x")
    # Nothing that the client has sent breaks a rule; it leaves in order, or, in 3.1.1, by closing.
    assert all(error is None or isinstance(error, ConnectionLost) for error in server.ends)
    assert len(server.ends) == len(server.streams)
    return not instrument.scope.cancelled_caught


@pytest.mark.parametrize(("version", "stride"), [(5, 1), (4, 3)])
def test_cancelled_at_any_step_the_client_leaves_the_wire_in_order(version: int, stride: int) -> None:
    step = 1
    while not trio.run(run_with_a_cancel, step, version, clock=MockClock(autojump_threshold=0)):
        step += stride
    assert step > 50
