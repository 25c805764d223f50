"""A Client under test as a program: started, given tasks, listened to, and ended surely."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import trio

from mqttws.conformance.client.convention import Error, Event, Task, Unsupported, read_event
from mqttws.conformance.wire.program import Program

__all__ = [
    "ClientProgram",
    "ProgramEnded",
    "ProgramFailed",
    "ProgramSilent",
    "TaskFailed",
    "TaskUnsupported",
    "started",
]

#: Bytes of one line; what is longer is no event. A message of 4 MiB has its place.
LONGEST_LINE: Final = 9 * 1024 * 1024
#: Events that may wait to be looked at, and bytes of their lines; a program that tells more has gone wild.
MOST_EVENTS: Final = 10_000
MOST_BYTES: Final = 64 * 1024 * 1024

#: A task that no program knows.
_NO_TASK: Final = "settle"

_Event = TypeVar("_Event", bound=Event)


class ProgramFailed(Exception):
    """The program does not do its part; the text says how, with the end of its log."""


class ProgramSilent(ProgramFailed):
    """An event, or its reading of a task, has not come in time."""


class ProgramEnded(ProgramFailed):
    """It has ended, and the event has not come."""


class TaskFailed(ProgramFailed):
    """It has answered with an error."""


class TaskUnsupported(ProgramFailed):
    """It has answered that the Client cannot do this."""


class ClientProgram:
    """One run of a Client under test that follows the convention.

    ``command`` has ``{url}`` where the URL belongs, which is in its environment as ``MQTTWS_URL`` too. ``patience`` are
    the seconds that it has for whatever it owes.
    """

    #: Events come; nobody tells any where a person leads the Client.
    tells = True

    def __init__(
        self,
        command: Sequence[str],
        url: str,
        *,
        environment: Mapping[str, str] | None = None,
        patience: float = 10.0,
    ) -> None:
        words = [word.replace("{url}", url) for word in command]
        #: The process: its id, how it has ended, its log.
        self.program = Program(words, {"MQTTWS_URL": url} | dict(environment or {}), hear=self._hear)
        self.patience = patience
        self._rest = bytearray()
        self._is_too_long = False
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._is_wild = False
        self._is_over = False
        self._stirred = trio.Event()

    async def start(self, nursery: trio.Nursery) -> None:
        """Start it; it is stopped when the nursery is cancelled. Raises :class:`OSError`."""
        await self.program.start(nursery)
        nursery.start_soon(self._see_it_end)

    async def do(self, task: str, /, **values: Any) -> None:
        """Give it a task, without waiting for the answer: ``do("subscribe", topic_filter="a", qos=1)``.

        Raises :class:`ProgramEnded` if it is not there any more, :class:`ProgramSilent` if it reads nothing.
        """
        line = f"{Task(task, values)}\n".encode()
        try:
            with trio.fail_after(self.patience):
                await self.program.write(line)
        except trio.TooSlowError:
            raise ProgramSilent(await self._told(f"the program does not read {task!r} from its input")) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            raise ProgramEnded(await self._told(f"the program was gone before {task!r}")) from None

    async def expect(self, *kinds: type[_Event], within: float | None = None) -> _Event:
        """The next event of one of these kinds; the others wait for somebody else, in their order.

        ``within`` are seconds, else its patience. Raises :class:`TaskFailed` and :class:`TaskUnsupported` for such an
        answer to a task that these kinds would answer, :class:`ProgramSilent`, and :class:`ProgramEnded`.
        """
        wanted = " or ".join(kind.name for kind in kinds)
        seconds = self.patience if within is None else within
        with trio.move_on_after(seconds):
            while True:
                event = self._take(kinds)
                if event is not None:
                    return event
                if self._is_wild:
                    raise ProgramFailed(await self._told(f"more than {MOST_EVENTS:,} events that nobody asked for"))
                if self._is_over:
                    raise ProgramEnded(await self._told(f"no event {wanted}"))
                await self._stirred.wait()
        came = ", ".join(event.name for event in self.events[:20]) or "nothing"
        raise ProgramSilent(await self._told(f"no event {wanted} within {seconds:g} s, but {came}"))

    @property
    def events(self) -> list[Event]:
        """What it has told and nobody has taken yet."""
        return [event for event, _ in self._events]

    async def how_it_ended(self) -> str:
        """In words, with the last of its log; also whether it runs on."""
        code = self.program.returncode
        if code is None:
            state = "the program runs on"
        elif crash := await self.program.crash():
            state = f"the program has crashed: {crash}"
        else:
            state = f"the program has ended with status {code}"
        words = (await self.program.last_words()).strip()
        return f"{state}; its log ends: {words[-1000:]}" if words else f"{state}; it has logged nothing"

    async def crash(self) -> str:
        """In one line: how it has crashed, ``""`` if it has not, as far as its end and its log tell."""
        return await self.program.crash()

    async def settle(self) -> bool:
        """Let it finish what it was about: whether it is there, and reads. What it has told and logged is forgotten.

        It is given a task that does not exist, which it has to answer like any other that it cannot do.
        """
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(self.patience):
            await self.program.write(f"{_NO_TASK}\n".encode())
            while not self._is_over:
                if any(isinstance(event, Unsupported) and event.task == _NO_TASK for event in self.events):
                    self._events.clear()
                    self._bytes = 0
                    self.program.forget()
                    return True
                await self._stirred.wait()
        return False

    async def stop(self) -> None:
        """End it, by force if it does not go in time."""
        await self.program.stop()

    async def _told(self, what: str) -> str:
        return f"{what}; {await self.how_it_ended()}"

    async def _see_it_end(self) -> None:
        await self.program.ended.wait()
        await self.program.last_words()  # it may have told something at the very end
        self._is_over = True
        self._stir()

    def _stir(self) -> None:
        self._stirred.set()
        self._stirred = trio.Event()

    def _hear(self, chunk: bytes) -> bytes:
        """Take the events out of what it prints; the rest is its log."""
        self._rest += chunk
        *lines, rest = self._rest.split(b"\n") if b"\n" in chunk else [self._rest]
        log = bytearray()
        for line in lines:
            log += line + b"\n" if self._is_too_long else self._line(bytes(line))
            self._is_too_long = False
        if self._is_too_long or len(rest) > LONGEST_LINE:
            log += rest
            self._is_too_long = True
            rest = bytearray()
        self._rest = rest
        return bytes(log)

    def _line(self, line: bytes) -> bytes:
        try:
            event = read_event(line)
        except ValueError as error:
            return b"[no event of the convention: %b] %b\n" % (str(error).encode(), line)
        if event is None:
            return line + b"\n"
        if len(self._events) < MOST_EVENTS and self._bytes + len(line) <= MOST_BYTES:
            self._events.append((event, len(line)))
            self._bytes += len(line)
        else:
            self._is_wild = True
        self._stir()
        return b""

    def _take(self, kinds: tuple[type[_Event], ...]) -> _Event | None:
        tasks = {kind.answers for kind in kinds}
        for place, (event, size) in enumerate(self._events):
            if isinstance(event, kinds):
                self._drop(place, size)
                return event
            if isinstance(event, Error | Unsupported) and event.task in tasks:
                self._drop(place, size)
                if isinstance(event, Error):
                    raise TaskFailed(f"{event.task}: {event.message}")
                raise TaskUnsupported(f"the Client cannot {event.task}: {event.why}")
        return None

    def _drop(self, place: int, size: int) -> None:
        del self._events[place]
        self._bytes -= size


@asynccontextmanager
async def started(
    command: Sequence[str], url: str, *, environment: Mapping[str, str] | None = None, patience: float = 10.0
) -> AsyncIterator[ClientProgram]:
    """A program that runs in the block and is gone when it is left. Raises :class:`OSError` if it cannot be started."""
    client = ClientProgram(command, url, environment=environment, patience=patience)
    problem: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            await client.start(nursery)
            yield client
        except Exception as error:  # noqa: BLE001 - it goes on outside of the nursery, which would put it into a group
            problem = error
        nursery.cancel_scope.cancel()
    if problem is not None:
        raise problem
