"""A Client that is led: its program, the connections that it opens, and how it is sent away again."""

from __future__ import annotations

import random
import string
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import trio

from mqttws.codec import Packet, RawPacket
from mqttws.conformance.client.convention import (
    TASKS,
    Connected,
    Disconnected,
    Error,
    Event,
    Unsupported,
)
from mqttws.conformance.client.program import ProgramFailed, TaskUnsupported
from mqttws.conformance.client.subject import ClientSubject, Lane
from mqttws.conformance.client.visit import SLOW, Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotTested
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import Head, answer, read_head
from mqttws.conformance.wire.peer import Missing
from mqttws.trace import Recorder
from mqttws.transport.tap import tap
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["KEEP_ALIVE", "Leading"]

#: Seconds of Keep Alive that do not matter.
KEEP_ALIVE: Final = 60
#: Bytes of transcript that are kept of one check.
_TRANSCRIPT: Final = 256 * 1024
_ALPHABET: Final = string.ascii_lowercase + string.digits
_Event = TypeVar("_Event", bound=Event)
_P = TypeVar("_P", bound=Packet)
#: Seconds that a program that runs may take to connect, however impatient one is otherwise.
_COMING: Final = 5.0
#: Settings of a task that 3.1.1 has no words for.
_ONLY_V5: Final = ("session_expiry", "receive_maximum", "maximum_packet_size", "topic_alias_maximum")


class Leading:
    """One check's hold on a Client, in one version of MQTT. The Client is sent away when the check is over."""

    def __init__(self, subject: ClientSubject, version: ProtocolVersion, *, check: str = "") -> None:
        self.subject = subject
        self.version = version
        #: Seconds that something owed may take.
        self.patience = subject.patience
        #: Nothing is known of a Client before it is asked; what it cannot do it says itself.
        self.capabilities: frozenset[str] = frozenset()
        self._recorder = Recorder(last=_TRANSCRIPT)
        self._visits: list[Visit] = []
        self._streams: list[trio.abc.Stream] = []
        #: Whether it has connected at all.
        self.has_come = False
        self._lane: Lane | None = None
        self._counts: Counter[str] = Counter()  # how often it was told to connect, and was disconnected
        self._random = random.Random(f"{subject.seed}/{check}")  # noqa: S311 - no secret; it repeats with the seed

    @property
    def watch(self) -> Watch:
        """What was seen of the Client on all connections so far."""
        return self.subject.watch

    @property
    def is_v5(self) -> bool:
        """Whether MQTT 5.0 is spoken."""
        return self.version == ProtocolVersion.V5

    @property
    def transcript(self) -> tuple[str, ...]:
        """What has passed on all connections of this check, as lines of a trace without secrets."""
        return tuple(self._recorder.lines)

    def name(self, length: int = 12) -> str:
        """A new name of letters and digits."""
        return "c" + "".join(self._random.choices(_ALPHABET, k=length))

    # -- the program ------------------------------------------------------------------------------------------------

    async def lane(self) -> Lane:
        """Where the Client comes to, and who leads it."""
        if self._lane is None:
            self._lane = await self.subject.take()
        return self._lane

    async def task(self, name: str, /, **values: Any) -> None:
        """Give a task. What this version has no words for is left out.

        Raises :class:`NotTested` if it is much to ask of a person.
        """
        if name == "connect":
            values = {"version": int(self.version), **values}
            self._counts["connect"] += 1
            if not self.is_v5:
                values = {key: value for key, value in values.items() if key not in _ONLY_V5}
        lane = await self.lane()
        values = {key: value for key, value in values.items() if value is not None}
        if not lane.driver.tells and not _is_simple(name, values):
            await self.needs_program()
        with _told():
            await lane.driver.do(name, **values)

    async def event(self, *kinds: type[_Event], within: float | None = None) -> _Event:
        """The next event of one of these kinds.

        Raises :class:`Inconclusive` if it does not come, :class:`NotApplicable` if the Client cannot do this, and
        :class:`NotTested` where nobody tells of events.
        """
        lane = await self.lane()
        with _told():
            found = await lane.driver.expect(*kinds, within=SLOW * self.patience if within is None else within)
        if isinstance(found, Connected | Disconnected):
            self._counts[found.name] += 1
        return found

    async def tells(self) -> bool:
        """Whether events come at all."""
        return (await self.lane()).driver.tells

    async def needs_program(self) -> None:
        """Raises :class:`NotTested` unless the Client is a program, which does exactly what it is told."""
        if not await self.tells():
            raise NotTested(
                "it takes a program that does as it is told and tells of it, one that is started by the kit"
            )

    # -- connections ------------------------------------------------------------------------------------------------

    async def stream(self) -> tuple[trio.abc.Stream, Head]:
        """The next connection of the Client, which was told to connect, and its request for a WebSocket.

        Raises :class:`Inconclusive` if it does not come, :class:`Failed` if it asks for no WebSocket.
        """
        lane = await self.lane()
        limit = lane.coming
        if lane.driver.tells:
            lane.coming = max(self.patience, _COMING)
        stream = await self._coming(lane, limit)
        self.has_come = True
        self._streams.append(stream)
        stream = tap(stream, self._recorder, Role.SERVER)
        head = await read_head(stream, self.patience)
        if head is None:
            raise Failed("it ends the connection before it has asked for a WebSocket")
        return stream, head

    async def _coming(self, lane: Lane, limit: float) -> trio.abc.Stream:
        """The next connection, unless the program says that it cannot connect."""
        found: list[trio.abc.Stream] = []
        said: list[ProgramFailed] = []
        async with trio.open_nursery() as nursery:

            async def hear() -> None:
                try:
                    await lane.driver.expect(Connected, within=limit)
                except ProgramFailed as problem:
                    said.append(problem)
                nursery.cancel_scope.cancel()

            if lane.driver.tells:
                nursery.start_soon(hear)
            with trio.move_on_after(limit):
                found.append(await lane.listener.accept())
            nursery.cancel_scope.cancel()
        if found:
            return found[0]
        with _told():
            if said:
                raise said[0]
        raise Inconclusive(f"it does not connect within {limit:g} s")

    def visit(self, stream: trio.abc.Stream, head: Head) -> Visit:
        """A connection whose request is to be answered."""
        visit = Visit(
            stream,
            Role.SERVER,
            None,
            patience=self.patience,
            watch=self.watch,
            recorder=self._recorder,
            rest=head.rest,
        )
        visit.head = head
        self._visits.append(visit)
        return visit

    async def welcome(self, stream: trio.abc.Stream, head: Head, make: Callable[[Head], bytes] = answer) -> Visit:
        """Answer a request; the connection."""
        visit = self.visit(stream, head)
        await visit.send_wire(make(head))
        return visit

    async def gone(self) -> None:
        """Wait until the Client has told that its connection has ended, so that it can connect again."""
        if await self.tells():
            await self.event(Disconnected)

    async def sent(self, visit: Visit, kind: type[_P], task: str) -> _P:
        """The packet of a task that was given.

        Raises :class:`Inconclusive` if the Client does not do it, and so :class:`Broken` for one that breaks a rule.
        """
        for index, packet in enumerate(visit.aside):
            if isinstance(packet, kind):
                del visit.aside[index]
                return packet
        if not await self.tells():
            try:
                return await visit.expect(kind, within=(await self.lane()).coming)
            except Failed as problem:  # whoever was told to do it is no part of the Client
                raise Inconclusive(f"nobody was seen to {task}: {problem}") from None
        found = await self._first(visit, task)
        while not isinstance(found, kind):
            if isinstance(found, RawPacket):
                raise visit.broken_by(found, f"the packet of {task}")
            if not isinstance(found, Packet):
                raise Inconclusive(f"it does not {task} as it should: {found}")
            visit.aside.append(found)
            found = await self._first(visit, task)
        return found

    async def _first(self, visit: Visit, task: str) -> Any:
        """The Client's next packet, or that the task has gone wrong, whichever comes first."""
        found: list[Any] = []
        problem: list[Exception] = []
        driver = (await self.lane()).driver

        async def hear() -> None:
            while not found:
                said: Any = await driver.expect(Error, Unsupported, within=self.patience * 2)
                if said.task in ("", task):
                    found.append(said)

        async def read() -> None:
            try:
                found.append(await visit.anything(f"what {task} asks for"))
            except Missing as missing:
                raise Inconclusive(f"{missing}; nor does it say that it cannot do it") from None

        async def first_of(function: Callable[[], Awaitable[None]], nursery: trio.Nursery) -> None:
            try:
                await function()
            except Exception as error:  # noqa: BLE001 - raised below, outside of the nursery
                problem.append(error)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(first_of, hear, nursery)
            nursery.start_soon(first_of, read, nursery)
        if found:
            if isinstance(found[0], Unsupported):
                raise NotApplicable(f"the Client cannot {task}: {found[0].why}")
            return found[0]
        with _told():
            raise problem[0]

    async def crash(self) -> str:
        """How the program has crashed, ``""`` if it has not."""
        crash = await (await self.lane()).driver.crash()
        return f"the program has crashed: {crash}" if crash else ""

    # -- the end ------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Send the Client away; a program that has crashed, or does not tell that it is gone, is ended."""
        crashed = self._lane is not None and bool(await self._lane.driver.crash())
        try:
            async with trio.open_nursery() as nursery:
                for visit in self._visits if not crashed else ():
                    nursery.start_soon(_leave, visit)
        finally:
            for stream in self._streams:
                await trio.aclose_forcefully(stream)
            self._visits.clear()
            self._streams.clear()
            lane, self._lane = self._lane, None
            if lane is not None:
                if lane.driver.tells and (crashed or not await self._is_away(lane)):
                    await lane.give_up()
                self._counts.clear()
                self.subject.give_back(lane)

    async def _is_away(self, lane: Lane) -> bool:
        """Whether each connection has ended, or come to nothing, and the program is well."""
        left = self._counts["connect"] - self._counts["disconnected"]
        # One that has never been let in may wait for that a long time, and is started again at little cost.
        within = min(self.patience, 3.0) if self._counts["connected"] else 0.5
        with suppress(ProgramFailed):
            while left > 0:
                said: Any = await lane.driver.expect(Disconnected, Error, within=within)
                left -= isinstance(said, Disconnected) or said.task == "connect"
            return not await lane.driver.crash()
        return False


def _is_simple(name: str, values: Mapping[str, Any]) -> bool:
    """Whether a person can do a task with any Client: connect, subscribe, publish, disconnect, and no more to it."""
    extra = (
        values.keys()
        - {"version", "client_id", *TASKS[name]}
        - ({"clean_start", "keep_alive"} if name == "connect" else set())
    )
    plain = values.get("clean_start", True) and values.get("keep_alive", KEEP_ALIVE) == KEEP_ALIVE
    return name != "unsubscribe" and not extra and plain


async def _leave(visit: Visit) -> None:
    with suppress(Inconclusive):
        await visit.close()


@contextmanager
def _told() -> Iterator[None]:
    """What a program does not do, as a verdict."""
    try:
        yield
    except TaskUnsupported as problem:
        raise NotApplicable(str(problem)) from None
    except ProgramFailed as problem:
        raise Inconclusive(str(problem)) from None
