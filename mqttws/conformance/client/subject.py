"""A Client under test: how it is led, where it comes to, and what is known of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol, TypeVar

import trio

from mqttws.conformance.client.convention import Event, Task
from mqttws.conformance.client.program import ClientProgram
from mqttws.conformance.verdict import NotTested
from mqttws.conformance.watch import Watch
from mqttws.vocabulary import ProtocolVersion

__all__ = ["ClientSubject", "Driver", "Lane", "Operator", "open_operated", "open_subject"]

_Event = TypeVar("_Event", bound=Event)

#: Seconds that whatever is owed may take as long as nothing is known of the Client.
FIRST_PATIENCE: Final = 10.0
#: Seconds that a program may take to start and to connect for the first time.
STARTING: Final = 30.0
#: Seconds that a person may take to do a task.
OPERATING: Final = 120.0


class Driver(Protocol):
    """Who makes the Client do things: a program of the convention, or a person."""

    @property
    def tells(self) -> bool:
        """Whether it tells events."""

    async def do(self, task: str, /, **values: Any) -> None:
        """Give it a task."""

    async def expect(self, *kinds: type[_Event], within: float | None = None) -> _Event:
        """The next event of one of these kinds."""

    async def crash(self) -> str:
        """How it has crashed, ``""`` if it has not."""


class Operator:
    """Whoever runs the Client is told what to do with it, and tells nothing back."""

    tells = False

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say

    async def do(self, task: str, /, **values: Any) -> None:
        """Say what is to be done."""
        self._say(str(Task(task, values)))
        await trio.lowlevel.checkpoint()

    async def expect(self, *kinds: type[_Event], within: float | None = None) -> _Event:  # noqa: ARG002 - as a program
        """Nobody tells."""
        raise NotTested(f"only a program that is started by the kit tells that it is {kinds[0].name}")

    async def crash(self) -> str:
        """Nobody knows."""
        return ""


class Lane:
    """A place where a Client comes to, and who leads it there. One check uses it at a time."""

    def __init__(
        self, listener: trio.SocketListener, make: Callable[[str], ClientProgram] | None, operator: Operator
    ) -> None:
        self.listener = listener
        host, port = listener.socket.getsockname()[:2]
        #: Where the Client has to connect.
        self.url = f"ws://[{host}]:{port}/mqtt" if ":" in host else f"ws://{host}:{port}/mqtt"
        #: Seconds that its next connection may take.
        self.coming = STARTING
        self._make = make
        self._program: ClientProgram | None = None
        self._operator = operator

    @property
    def driver(self) -> Driver:
        """Who leads the Client."""
        return self._operator if self._program is None else self._program

    async def begin(self, nursery: trio.Nursery) -> None:
        """Have a program that runs, knows nothing of an earlier check, and nobody in front of the door."""
        if self._make is None:
            self.coming = OPERATING
            return
        if self._program is not None and not await self._program.settle():
            await self.give_up()
        if self._program is None:
            self.coming = STARTING
            self._program = self._make(self.url)
            await self._program.start(nursery)
        with trio.move_on_after(0):
            while True:
                await trio.aclose_forcefully(await self.listener.accept())

    def hurry(self) -> None:
        """It has failed to connect before: a program has less time than to start for the first time."""
        if self._make is not None:
            self.coming = FIRST_PATIENCE

    async def give_up(self) -> None:
        """End the program: nobody knows what it is about."""
        if self._program is not None:
            program, self._program = self._program, None
            await program.stop()


class ClientSubject:
    """A Client, and what was found out about it before the checks. Made by :func:`open_subject`.

    ``patience`` are the seconds that something owed may take, ``versions`` those that it speaks.
    """

    def __init__(self, nursery: trio.Nursery, make: Callable[[str], ClientProgram] | None, operator: Operator) -> None:
        self.patience = FIRST_PATIENCE
        self.versions: set[ProtocolVersion] = set(ProtocolVersion)
        self.watch = Watch()
        self.seed = 0
        self._nursery = nursery
        self._make = make
        self._operator = operator
        self._lanes: list[Lane] = []
        self._idle: list[Lane] = []

    async def add(self, host: str, port: int) -> Lane:
        """Listen at one more place. Raises :class:`OSError`."""
        listener, *others = await trio.open_tcp_listeners(port, host=host)
        for other in others:
            await other.aclose()
        lane = Lane(listener, self._make, self._operator)
        self._lanes.append(lane)
        return lane

    async def take(self) -> Lane:
        """A lane that nobody uses. Raises :class:`OSError` if the program cannot be started."""
        lane = self._idle.pop() if self._idle else await self.add("127.0.0.1", 0)
        await lane.begin(self._nursery)
        return lane

    def give_back(self, lane: Lane) -> None:
        """It is free again."""
        self._idle.append(lane)

    async def close(self) -> None:
        """Listen no more."""
        for lane in self._lanes:
            await lane.listener.aclose()


@asynccontextmanager
async def open_subject(
    command: Sequence[str], *, seed: int = 0, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ClientSubject]:
    """A Client under test that is a program: words of a command, with ``{url}``.

    The programs run in the block and are gone when it is left.
    """

    def make(url: str) -> ClientProgram:
        return ClientProgram(command, url, environment=environment, patience=FIRST_PATIENCE)

    async with _opened(make, Operator(str)) as subject:
        subject.seed = seed
        yield subject


@asynccontextmanager
async def open_operated(
    host: str, port: int, say: Callable[[str], object], *, seed: int = 0
) -> AsyncIterator[tuple[ClientSubject, str]]:
    """A Client under test that somebody runs who is told each task, and the URL where it has to connect.

    Raises :class:`OSError` if nobody can listen there.
    """
    async with _opened(None, Operator(say)) as subject:
        subject.seed = seed
        lane = await subject.add(host, port)
        subject.give_back(lane)
        yield subject, lane.url


@asynccontextmanager
async def _opened(make: Callable[[str], ClientProgram] | None, operator: Operator) -> AsyncIterator[ClientSubject]:
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        subject = ClientSubject(nursery, make, operator)
        try:
            yield subject
        except Exception as error:  # noqa: BLE001 - it goes on outside of the nursery, which would put it into a group
            problem = error
        await subject.close()
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem
