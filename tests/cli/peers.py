"""What the commands talk to: a Server that agrees to everything and remembers it, and commands as processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import trio

from mqttws.codec import ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe
from mqttws.link import Link, LinkEvent, Upgrade
from mqttws.session import Closed, Connection, Session
from mqttws.transport import Pump
from mqttws.vocabulary import QOS, Role

#: Seconds after which a test has failed; on a good day nothing here takes a tenth of it.
PATIENCE = 20.0


@dataclass
class Manners:
    """How the Server answers; the defaults are those of one that agrees."""

    handshake_status: int = 101
    connack_code: int | None = 0
    """None: no CONNACK at all."""
    session_present: bool = False
    """What CONNACK says to who does not ask for a clean start."""
    suback_code: int | None = None
    """None: the QoS that was asked for."""
    puback_codes: Callable[[Publish], int | None] = field(default=lambda _: 0)
    """None: no acknowledgement."""
    on_publish: Callable[[Publish], Sequence[Publish]] = field(default=lambda _: ())
    """Messages for the publisher."""
    on_subscribe: Sequence[Publish] = ()
    """Messages for every subscriber."""
    close_after_subscribe: bool = False
    closings: int = 0
    """So many connections are closed after their first PUBLISH or SUBSCRIBE."""


class RecordingServer:
    """A Server in a thread, on a real socket; every event of every connection is in ``events``."""

    def __init__(self, manners: Manners | None = None, port: int = 0) -> None:
        self.manners = manners or Manners()
        self.port = port
        self.events: list[LinkEvent] = []
        self._changed = threading.Condition()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: trio.run(self._run))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        trio.from_thread.run_sync(self._scope.cancel, trio_token=self._token)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/mqtt"

    def all(self, kind: type[Any]) -> list[Any]:
        """The events of one kind so far."""
        return [event for event in self.events if type(event) is kind]

    def wait_for(self, kind: type[Any], count: int = 1) -> list[Any]:
        """The events of one kind as soon as there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.all(kind)) >= count, PATIENCE), self.events
        return self.all(kind)

    async def _run(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        (listener,) = await trio.open_tcp_listeners(self.port, host="127.0.0.1")
        self.port = listener.socket.getsockname()[1]
        with trio.CancelScope() as self._scope:
            self._started.set()
            await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, stream: trio.SocketStream) -> None:
        link = Link.server(Connection(Role.SERVER))
        pump = Pump(stream, link)
        link.start(trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.write)
            while events := await pump.receive():
                for event in events:
                    self._answer(event, link)
                    self._remember(event)
                pump.flush()

    def _remember(self, event: LinkEvent) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def _answer(self, event: LinkEvent, link: Link) -> None:
        manners, now = self.manners, trio.current_time()
        match event:
            case Upgrade():
                if manners.handshake_status == 101:
                    link.accept(now)
                else:
                    link.reject(now, manners.handshake_status, body=b"not today")
            case Connect() if manners.connack_code is not None:
                link.connection.attach(Session())
                link.send(ConnAck(manners.session_present and not event.clean_start, manners.connack_code), now)
            case Subscribe():
                codes = [
                    int(subscription.qos) if manners.suback_code is None else manners.suback_code
                    for subscription in event.subscriptions
                ]
                link.send(SubAck(event.packet_id, codes), now)
                for message in manners.on_subscribe:
                    link.send(message, now)
                if manners.close_after_subscribe:
                    link.abort(now)
                self._close_if_asked(link, now)
            case Publish() if manners.closings:
                self._close_if_asked(link, now)
            case Publish() if (code := manners.puback_codes(event)) is not None:
                link.acknowledge(event, code)
                for message in manners.on_publish(event):
                    link.send(message, now)

    def _close_if_asked(self, link: Link, now: float) -> None:
        if self.manners.closings:
            self.manners.closings -= 1
            link.abort(now)


def message(topic: str, payload: bytes, qos: int = 0, **properties: Any) -> Publish:
    """A message from the Server."""
    held: Any = properties
    return Publish(topic, payload, QOS[qos], properties=held)


def farewell(server: RecordingServer) -> int | None:
    """The Reason Code of the client's DISCONNECT, None if it went without one."""
    server.wait_for(Closed)
    codes = [int(packet.reason_code) for packet in server.all(Disconnect)]
    assert len(codes) <= 1
    return codes[0] if codes else None


class Command:
    """``python -m mqttws …`` as a process; leaving the block ends it, if it has not ended by itself."""

    def __init__(self, *arguments: str, stdin: int = subprocess.DEVNULL, env: dict[str, str] | None = None) -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:  # what a shell starts in the background ignores Ctrl-C, and so would its children
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mqttws", *arguments],
                stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env,
            )  # fmt: skip
        finally:
            signal.signal(signal.SIGINT, before)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.process.kill()
        self.process.communicate()

    def line(self) -> str:
        """The next line of its output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> tuple[int, str, str]:
        """Exit code and the rest of both outputs, which are short; standard input stays open."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        code = self.process.wait(PATIENCE)
        return code, self.process.stdout.read(), self.process.stderr.read()


@contextmanager
def serving(*options: str) -> Iterator[tuple[Command, str, str]]:
    """``mqttws serve`` on a free port, with its connection string and its first URL."""
    with Command("serve", "--port", "0", *options) as command:
        connection_string = command.line().removeprefix("connection-string: ")
        url = command.line().removeprefix("url: ")
        yield command, connection_string, url
