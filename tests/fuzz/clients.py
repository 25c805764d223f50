"""A small Client on the core that connects again and again, or is wrong in exactly one way.

``python -m tests.fuzz.clients WAY URL`` does so until it is ended.
"""

from __future__ import annotations

import math
import os
import signal
import sys
from contextlib import suppress

import trio

from mqttws.codec import ConnAck, Connect, Publish, SubAck, Subscribe, Subscription, Unsubscribe
from mqttws.conformance.wire.frames import frame
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.link import Link, LinkEvent
from mqttws.session import Closed, Connection
from mqttws.vocabulary import QOS, ProtocolVersion, Role
from mqttws.webpubsub import ClientAccessUrl

#: What a Client can do on seeing that a rule is broken, once it has its CONNACK; in the second line always.
WAYS = (
    "good", "falls", "crashes", "hangs", "tolerates", "goes-deaf", "never-returns",
    "leaves", "ignores-messages", "talks-nonsense", "stays-away", "says-nothing",
)  # fmt: skip


def triggered(event: LinkEvent, link: Link) -> bool:
    """Whether this is what the wrong ways wait for."""
    fault = isinstance(event, Closed) and isinstance(event.error, RemoteProtocolError)
    return fault and link.connection.connack is not None


class Client:
    """One Client; ``count`` connections, one after the other."""

    def __init__(self, url: str, way: str = "good", version: int = 5) -> None:
        assert way in WAYS
        self._url = ClientAccessUrl.parse(url)
        self._version = ProtocolVersion(version)
        self.way = way
        self.connections = 0

    async def run(self) -> None:
        """Connect again and again."""
        while True:
            with suppress(OSError):
                await self._connect()
            if self.way == "leaves":
                sys.exit(1)
            if self.way == "stays-away" and self.connections == 3:
                await trio.sleep_forever()
            await trio.sleep(0.001)

    async def _connect(self) -> None:
        stream = await trio.open_tcp_stream(self._url.host, self._url.port)
        self.connections += 1
        link = Link.client(Connection(Role.CLIENT), host=self._url.authority, target=self._url.target)
        link.start(trio.current_time())
        link.send(Connect(self._version, "wrong", keep_alive=60), trio.current_time())
        async with stream:
            try:
                if self.way != "says-nothing":
                    await stream.send_all(link.data_to_send(trio.current_time()))
                    await self._serve(stream, link)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass

    async def _serve(self, stream: trio.SocketStream, link: Link) -> None:
        while not link.closed:
            data = b""
            with trio.move_on_at(link.next_deadline()) as timer:
                data = await stream.receive_some()
                if not data:
                    return
            if timer.cancelled_caught:
                link.handle_deadline(trio.current_time())
            link.receive_data(bytes(data), trio.current_time())
            for event in link.events():
                if triggered(event, link):
                    await self._go_wrong(stream)
                with suppress(LocalProtocolError):
                    self._answer(event, link)
            await stream.send_all(link.data_to_send(trio.current_time()))
            if self.way == "talks-nonsense" and link.connection.connack is not None:
                await stream.send_all(frame(b"\0\0"))

    def _answer(self, event: LinkEvent, link: Link) -> None:
        now = trio.current_time()
        match event:
            case ConnAck():
                link.send(Subscribe(0, [Subscription("$share/g/a/+/#", QOS[1]), Subscription("a", QOS[2])]), now)
            case SubAck():
                link.send(Publish("b", b"x", QOS[1]), now)
                link.send(Publish("b", b"x", QOS[2]), now)
                link.send(Unsubscribe(0, ["nothing"]), now)
            case Publish() if self.way != "ignores-messages":
                link.acknowledge(event)

    async def _go_wrong(self, stream: trio.SocketStream) -> None:
        match self.way:
            case "falls":
                raise KeyError(7)
            case "crashes":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "hangs":
                await trio.sleep(math.inf)
            case "tolerates":
                while await stream.receive_some():
                    await stream.send_all(frame(bytes.fromhex("4002 fb41")))
            case "goes-deaf":
                self.way = "ignores-messages"
            case "never-returns":
                await stream.aclose()
                await trio.sleep(math.inf)


if __name__ == "__main__":
    trio.run(Client(sys.argv[2], sys.argv[1]).run)
