"""What a check of a Client works with: connections that it opens, tasks that it is given, and what it tells."""

from __future__ import annotations

import random
import string
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import trio

from mqttws.codec import ConnAck, Connect, Packet, PubAck, Publish, RawPacket, SubAck, Subscribe
from mqttws.conformance.check import Kind, checker
from mqttws.conformance.client.convention import (
    Connected,
    Disconnected,
    Error,
    Event,
    Message,
    Subscribed,
    Unsupported,
)
from mqttws.conformance.client.program import ProgramFailed, TaskUnsupported
from mqttws.conformance.client.subject import ClientSubject, Lane
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict, NotTested
from mqttws.conformance.watch import Watch
from mqttws.conformance.wire.opening import Head, answer, read_head
from mqttws.conformance.wire.peer import Ended, Missing
from mqttws.trace import Recorder
from mqttws.transport.tap import tap
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["ClientProbe", "client_check"]

#: Registers a check of Clients; it takes a :class:`ClientProbe`.
client_check = checker(Kind.CLIENT)

#: Bytes of transcript that are kept of one check.
_TRANSCRIPT: Final = 256 * 1024
_ALPHABET: Final = string.ascii_lowercase + string.digits
_Event = TypeVar("_Event", bound=Event)
_P = TypeVar("_P", bound=Packet)
#: Settings of a task that 3.1.1 has no words for.
_ONLY_V5: Final = ("session_expiry", "receive_maximum", "maximum_packet_size", "topic_alias_maximum")


class ClientProbe:
    """One check's view of a Client, in one version of MQTT. The Client is sent away when the check is over."""

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
        """Give a task. What this version has no words for is left out."""
        if name == "connect":
            values = {"version": int(self.version), **values}
            self._counts["connect"] += 1
            if not self.is_v5:
                values = {key: value for key, value in values.items() if key not in _ONLY_V5}
        lane = await self.lane()
        with _told():
            await lane.driver.do(name, **{key: value for key, value in values.items() if value is not None})

    async def event(self, *kinds: type[_Event], within: float | None = None) -> _Event:
        """The next event of one of these kinds.

        Raises :class:`Inconclusive` if it does not come, :class:`NotApplicable` if the Client cannot do this, and
        :class:`NotTested` where nobody tells of events.
        """
        lane = await self.lane()
        with _told():
            found = await lane.driver.expect(*kinds, within=self.patience if within is None else within)
        if isinstance(found, Disconnected):
            self._counts["disconnected"] += 1
        return found

    async def tells(self) -> bool:
        """Whether events come at all."""
        return (await self.lane()).driver.tells

    # -- connections ------------------------------------------------------------------------------------------------

    async def stream(self) -> tuple[trio.abc.Stream, Head]:
        """The next connection of the Client, which was told to connect, and its request for a WebSocket.

        Raises :class:`Inconclusive` if it does not come, :class:`Failed` if it asks for no WebSocket.
        """
        lane = await self.lane()
        limit = lane.coming
        if lane.driver.tells:
            lane.coming = max(self.patience, FIRST)
        stream = await self._coming(lane, limit)
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

    async def open(self, client_id: str | None = None, *, clean_start: bool = True, **settings: Any) -> Visit:
        """Tell the Client to connect, and let it in up to its CONNECT, which waits for an answer.

        ``settings`` are those of the task, and ``head`` a function that makes the answer to its request.
        """
        make: Callable[[Head], bytes] = settings.pop("head", answer)
        values: dict[str, Any] = {"client_id": self.name() if client_id is None else client_id}
        values |= {"clean_start": clean_start, "keep_alive": 60} | settings
        await self.task("connect", **values)
        stream, head = await self.stream()
        visit = await self.welcome(stream, head, make)
        visit.connect = await visit.expect(Connect)
        if visit.connect.version != self.version:
            raise NotApplicable(f"the Client comes with version {int(visit.connect.version)}")
        return visit

    async def connect(
        self,
        client_id: str | None = None,
        *,
        clean_start: bool = True,
        session_present: bool = False,
        properties: Any = None,
        **settings: Any,
    ) -> Visit:
        """Let the Client in; ``properties`` are those of CONNACK. Raises :class:`Failed` if it does not take it."""
        visit = await self.open(client_id, clean_start=clean_start, **settings)
        said: Any = properties if self.is_v5 and properties else {}
        await visit.send(ConnAck(session_present, properties=said))
        await self.greeted()
        return visit

    async def greeted(self) -> None:
        """The Client has taken a good CONNACK. Raises :class:`Failed` if it has not."""
        if await self.tells():
            await self._owed("CONNACK", Connected)

    async def subscribe(self, visit: Visit, topic_filter: str | None = None, qos: int = 2, **options: Any) -> Subscribe:
        """Let the Client subscribe, which is granted; its filter is the visit's topic from then on."""
        wanted = self.name() if topic_filter is None else topic_filter
        await self.task("subscribe", topic_filter=wanted, qos=qos, **options)
        subscribe = await self.sent(visit, Subscribe, "subscribe")
        await visit.send(SubAck(subscribe.packet_id, [one.qos for one in subscribe.subscriptions]))
        if await self.tells():
            await self._owed("SUBACK", Subscribed)
        visit.topic = subscribe.subscriptions[0].topic_filter
        return subscribe

    async def talk(self, client_id: str | None = None, **settings: Any) -> Visit:
        """A good conversation: connected, and subscribed to the visit's topic at QoS 2."""
        visit = await self.connect(client_id, **settings)
        await self.subscribe(visit)
        return visit

    async def publish(self, visit: Visit, payload: bytes = b"x", qos: int = 1, **said: Any) -> Publish:
        """Let the Client publish; the PUBLISH, which waits for its acknowledgement."""
        await self.task("publish", topic=said.pop("topic", None) or self.name(), payload=payload, qos=qos, **said)
        return await self.sent(visit, Publish, "publish")

    async def sent(self, visit: Visit, kind: type[_P], task: str) -> _P:
        """The packet of a task that was given. Raises :class:`Inconclusive` if the Client does not do it."""
        for index, packet in enumerate(visit.aside):
            if isinstance(packet, kind):
                del visit.aside[index]
                return packet
        if not await self.tells():
            return await visit.expect(kind, within=(await self.lane()).coming)
        found = await self._first(visit, task)
        while not isinstance(found, kind):
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

    async def _owed(self, what: str, kind: type[Event]) -> None:
        try:
            found = await self.event(kind)
        except Inconclusive as problem:
            raise Failed(f"it does not take a good {what}: {problem}") from None
        if isinstance(found, Connected) and found.reason_code:
            raise Failed(f"it does not take a good CONNACK: it tells of 0x{found.reason_code:02X}")

    # -- what does not happen -----------------------------------------------------------------------------------------

    async def fence(self, visit: Visit) -> list[Packet]:
        """What has come before the acknowledgement of a message, and with it everything that was caused before.

        A Client takes packets in order; what it has not sent when it acknowledges this one, it has not sent because
        of what stood before. Packets aside are given out, too. Raises :class:`Failed` if it does not acknowledge.
        """
        message = visit.message(self.name().encode(), 1)
        await visit.send(message)
        before, visit.aside = visit.aside, []
        while True:
            found = await visit.receive("PUBACK")
            if isinstance(found, PubAck) and found.packet_id == message.packet_id:
                return before
            before.append(found)

    async def messages(self, visit: Visit) -> list[Message]:
        """The messages that were handed to the application up to now: those before one that is sent for this."""
        last = self.name().encode()
        await visit.deliver(visit.message(last, 1))
        found: list[Message] = []
        while True:
            try:
                message = await self.event(Message)
            except Inconclusive as problem:
                raise Failed(f"a good message does not reach the application: {problem}") from None
            if message.payload == last:
                return found
            found.append(message)

    async def attempt(self, visit: Visit, task: str, **values: Any) -> list[Packet | RawPacket]:
        """What the Client sends for a task that it had better refuse: the packets before those of a good task.

        Nothing, if it ends the connection instead. Without events this cannot be seen: :class:`NotTested`.
        """
        if not await self.tells():
            raise NotTested("whether a task is refused only a program can tell that is started by the kit")
        await self.task(task, **values)
        found: Any = None  # if it is dropped in silence, or waits
        with suppress(Inconclusive):
            found = await self._unless_ended(visit, task)
        if isinstance(found, Packet | RawPacket):
            return [found]
        return await self.before(visit)

    async def before(self, visit: Visit) -> list[Packet | RawPacket]:
        """What comes before the packet of a task that is given now; the other fence, for tasks."""
        last = self.name()
        await self.task("publish", topic=last, payload=b"x", qos=0)
        before: list[Packet | RawPacket] = [*visit.aside]
        visit.aside.clear()
        while (packet := await self._unless_ended(visit, "publish")) is not None:
            if isinstance(packet, Event):
                raise Inconclusive(f"it does not publish a good message behind that: {packet}")
            if isinstance(packet, Publish) and packet.topic == last:
                break
            before.append(packet)
        return before

    async def _unless_ended(self, visit: Visit, task: str) -> Any:
        """As :meth:`_first`, None if the Client has ended the connection."""
        try:
            return await self._first(visit, task)
        except Ended:
            return None

    async def ends(self, visit: Visit, why: str, *, must: bool | None = None) -> None:
        """The Client has to end the connection, ``why`` ("behind ...").

        ``must`` None: 3.1.1 demands it [MQTT-4.8.0-1], 5.0 only recommends it (4.13.1), so one that goes on is not
        strict there. One that ends it by crashing is not strict either.
        """
        goes_on = await self.goes_on(visit, why)
        crash = await self.crash()
        if goes_on:
            said = f"{goes_on}; {crash}" if crash else goes_on
            raise (Failed if must or (must is None and not self.is_v5) else NotStrict)(said)
        if crash:
            raise NotStrict(f"it ends the connection {why}, but {crash}")

    async def goes_on(self, visit: Visit, why: str) -> str:
        """How the Client goes on where it should end the connection; ``""`` if it ends it."""
        try:
            await visit.must_end(why, probe=visit.message(self.name().encode(), 1), sign=PubAck)
        except Failed as problem:
            return str(problem)
        return ""

    async def arrives(self, visit: Visit, publish: Publish) -> None:
        """A message that was sent is acknowledged as it should be, and reaches the application as it was."""
        await visit.finish(publish)
        if not await self.tells():
            return
        try:
            message = await self.event(Message)
        except Inconclusive as problem:
            raise Failed(f"the message does not reach the application: {problem}") from None
        for name in ("topic", "payload", "qos"):
            if (found := getattr(message, name)) != (wanted := getattr(publish, name)):
                raise Failed(f"the {name} reaches the application as {found!r:.200}, not {wanted!r:.200}")

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
        with suppress(ProgramFailed):
            while left > 0:
                said: Any = await lane.driver.expect(Disconnected, Error, within=min(self.patience, 3.0))
                left -= isinstance(said, Disconnected) or said.task == "connect"
            return not await lane.driver.crash()
        return False


#: Seconds that a program that runs may take to connect, however impatient one is otherwise.
FIRST: Final = 5.0


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
