"""A small Server on the core that is good, or wrong in exactly one way; in this process, or as one of its own.

``python -m tests.fuzz.subjects WAY PORT`` serves on 127.0.0.1 until it is ended.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio

from mqttws.codec import ConnAck, Connect, PingResp, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe, encode
from mqttws.conformance.wire.frames import frame
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.fuzz.live.conversation import TOPIC
from mqttws.link import Link, LinkEvent, Upgrade
from mqttws.session import Closed, Connection, Session
from mqttws.topics import matches
from mqttws.vocabulary import QOS, ProtocolVersion, Role

#: What a Server can do on seeing a PUBLISH that breaks a rule; in the second line at each broken rule, or always.
WAYS = (
    "good", "falls", "crashes", "stops", "loses", "refuses", "hangs", "tolerates",
    "drops-others", "leaks", "leaks-files", "talks-nonsense", "never-acknowledges",
)  # fmt: skip
#: Where the good clients meet.
PAIR = "mqttwsfuzzpair"
LEAK = 96 * 1024


def triggered(event: LinkEvent) -> bool:
    """Whether this is what the wrong ways wait for: a PUBLISH that breaks a rule of chapter 3.3."""
    error = event.error if isinstance(event, Closed) else None
    return isinstance(error, RemoteProtocolError) and (error.statement or "").startswith("MQTT-3.3.")


class Wire:
    """One connection; it has no timers, since nobody here is slow."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.link = Link.server(Connection(Role.SERVER))
        self.filters: list[str] = []
        self._sending = trio.Lock()

    async def flush(self) -> None:
        """Send what is due."""
        async with self._sending:
            if data := self.link.data_to_send(trio.current_time()):
                await self.send(data)

    async def send(self, data: bytes) -> None:
        """Send any bytes; a peer that has left does not get them."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await self.stream.send_all(data)


class Subject:
    """The Server; it routes messages at QoS 0 and 1, which is all that good clients need of it."""

    def __init__(self, way: str = "good") -> None:
        assert way in WAYS
        self.way = way
        self._wires: set[Wire] = set()
        self._leaked: list[Any] = []
        self._lose = False

    async def serve(self, stream: trio.SocketStream) -> None:
        """One connection."""
        wire = Wire(stream)
        link = wire.link
        link.start(trio.current_time())
        self._wires.add(wire)
        async with stream:
            try:
                while not link.closed and (data := await stream.receive_some()):
                    link.receive_data(bytes(data), trio.current_time())
                    for event in link.events():
                        if triggered(event):
                            await self._go_wrong(wire)
                        elif isinstance(event, Closed) and isinstance(event.error, RemoteProtocolError):
                            self._leak()
                        with suppress(LocalProtocolError):  # a later packet of the same chunk has ended it
                            await self._answer(event, wire)
                    await wire.flush()
            except trio.BrokenResourceError:
                pass
            finally:
                self._wires.discard(wire)

    async def _go_wrong(self, wire: Wire) -> None:
        match self.way:
            case "falls":
                sys.stderr.write('Traceback (most recent call last):\n  File "x"\nKeyError: 7\n')
                sys.stderr.flush()
                os._exit(1)
            case "crashes":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "stops":
                signal.pause()
            case "loses" | "refuses":
                self._lose = True
            case "hangs":
                await trio.sleep_forever()
            case "tolerates":
                pong = frame(encode(PingResp()), masked=False)
                await wire.send(pong)  # to what has come with it
                while await wire.stream.receive_some():
                    await wire.send(pong)
            case "drops-others":
                for other in [each for each in self._wires if each.filters]:
                    other.link.abort(trio.current_time())
                    await other.flush()

    def _leak(self) -> None:
        if self.way == "leaks":
            self._leaked.append(os.urandom(LEAK))
        if self.way == "leaks-files":
            self._leaked.append(os.open(os.devnull, os.O_RDONLY))

    async def _answer(self, event: LinkEvent, wire: Wire) -> None:
        now, link = trio.current_time(), wire.link
        match event:
            case Upgrade():
                link.accept(now)
            case Connect():
                link.connection.attach(Session())
                named = {} if event.client_id else {"assigned_client_identifier": "made"}
                properties: Any = named if event.version == ProtocolVersion.V5 else {}
                link.send(ConnAck(False, 0, properties), now)
            case Subscribe():
                wire.filters += [each.topic_filter for each in event.subscriptions]
                link.send(SubAck(event.packet_id, [min(1, each.qos) for each in event.subscriptions]), now)
            case Unsubscribe():
                codes = [0] * len(event.topic_filters) if link.connection.version == ProtocolVersion.V5 else []
                link.send(UnsubAck(event.packet_id, codes), now)
            case Publish():
                await self._publish(event, wire)

    async def _publish(self, event: Publish, wire: Wire) -> None:
        if event.topic == TOPIC and self.way == "talks-nonsense":
            await wire.send(frame(b"\0\0", masked=False))
        if event.topic == TOPIC and self.way == "never-acknowledges":
            return
        lose = self._lose and event.topic == PAIR
        wire.link.acknowledge(event, 0x97 if lose and self.way == "refuses" else 0)
        if lose:
            self._lose = False
            return
        message = Publish(event.topic, event.payload, QOS[min(1, event.qos)])
        for to in list(self._wires):
            connection = to.link.connection
            if to.link.is_open and connection.send_quota and any(matches(each, event.topic) for each in to.filters):
                to.link.send(message, trio.current_time())
                await to.flush()


@asynccontextmanager
async def serving(way: str = "good") -> AsyncIterator[str]:
    """Its URL, while it serves in this process."""
    subject = Subject(way)
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, subject.serve, 0)
        yield f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}/mqtt"
        nursery.cancel_scope.cancel()


async def main(way: str, port: int) -> None:
    """Serve for ever."""
    await trio.serve_tcp(Subject(way).serve, port, host="127.0.0.1")


if __name__ == "__main__":
    trio.run(main, sys.argv[1], int(sys.argv[2]))
