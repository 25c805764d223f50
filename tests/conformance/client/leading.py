"""A scripted Server for one Client, and the ready subjects led by tasks: as programs, or in a thread here."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import pytest
import trio

from mqttws.conformance.client.convention import Event, Task, read_event
from mqttws.conformance.client.program import started
from mqttws.conformance.client.subjects import command_of, environment_of
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import answer, read_head
from mqttws.conformance.wire.peer import Peer
from mqttws.trace import Recorder
from mqttws.vocabulary import Role
from tests.interop import counterparts

PATIENCE = 10.0
E = TypeVar("E", bound=Event)


class Led(Protocol):
    """What a script needs of a subject."""

    async def do(self, task: str, /, **values: Any) -> None: ...

    async def expect(self, *kinds: type[E]) -> E: ...


class Host:
    """Where a Client is to come to."""

    def __init__(self, listener: trio.SocketListener) -> None:
        self._listener = listener
        self.url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/mqtt?access_token=abc"
        self.watch = Watch()
        self._streams: list[trio.SocketStream] = []

    async def accept(self) -> Peer:
        """The next connection, with its WebSocket open."""
        stream = await self._listener.accept()
        self._streams.append(stream)
        head = await read_head(stream, PATIENCE)
        assert head is not None
        assert head.target == "/mqtt?access_token=abc"
        await stream.send_all(answer(head))
        return Peer(
            stream,
            Role.SERVER,
            None,
            patience=PATIENCE,
            watch=self.watch,
            recorder=Recorder(last=10_000),
            rest=head.rest,
        )

    async def close(self) -> None:
        """End whatever is open."""
        for stream in self._streams:
            await trio.aclose_forcefully(stream)


@asynccontextmanager
async def hosting() -> AsyncIterator[Host]:
    """A Server that a script plays; no rule was broken by what the Client has sent."""
    with trio.fail_after(2 * PATIENCE):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            host = Host(listener)
            try:
                yield host
            finally:
                await host.close()
        assert [(one.rule, one.message) for one in host.watch.sightings] == []


class InThread:
    """A subject's ``main`` in a thread: what a program would read and print goes through queues."""

    def __init__(self, main: Callable[[], object]) -> None:
        self._main = main
        self._tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._events, self._came = trio.open_memory_channel[Event](1000)
        self._token = trio.lowlevel.current_trio_token()
        self._aside: list[Event] = []

    def __iter__(self) -> Iterator[str]:  # standard input
        while (line := self._tasks.get()) != "exit":
            yield line

    def write(self, text: str) -> None:  # standard output
        event = read_event(text.encode())
        assert event is not None
        self._token.run_sync_soon(self._events.send_nowait, event)

    def flush(self) -> None:
        """All is written already."""

    async def run(self) -> None:
        """Until it is told to end."""
        await trio.to_thread.run_sync(self._main)

    async def do(self, task: str, /, **values: Any) -> None:
        self._tasks.put(str(Task(task, values)))

    async def expect(self, *kinds: type[E]) -> E:
        for place, event in enumerate(self._aside):
            if isinstance(event, kinds):
                del self._aside[place]
                return event
        while not isinstance(event := await self._came.receive(), kinds):
            self._aside.append(event)
        return event


@asynccontextmanager
async def in_thread(main: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[InThread]:
    """A subject that runs until the block is left."""
    subject = InThread(main)
    monkeypatch.setattr(sys, "stdin", subject)
    monkeypatch.setattr(sys, "stdout", subject)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(subject.run)
        try:
            yield subject
        finally:
            await subject.do("exit")
    monkeypatch.undo()


@asynccontextmanager
async def as_program(name: str, url: str) -> AsyncIterator[Led]:
    """A ready subject as the kit starts it; its test is skipped where the library is not installed."""
    environment = environment_of()
    if name == "MQTT.js":
        counterparts.need("mqttjs")
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("NODE_PATH", str(counterparts.find_node_packages() / "node_modules"))
            environment["NODE_PATH"] = os.environ["NODE_PATH"]
            command = command_of(name)
    else:
        pytest.importorskip({"paho-mqtt": "paho", "aiomqtt": "aiomqtt", "mqttws": "mqttws"}[name])
        command = command_of(name)
    async with started(command, url, environment=environment, patience=PATIENCE) as subject:
        yield subject
