"""What a check of a Client works with: connections that it opens, tasks that it is given, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from mqttws.codec import ConnAck, Connect, Packet, PubAck, Publish, RawPacket, SubAck, Subscribe
from mqttws.conformance.check import Kind, checker
from mqttws.conformance.client.convention import (
    Connected,
    Event,
    Message,
    Subscribed,
)
from mqttws.conformance.client.leading import KEEP_ALIVE, Leading
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict
from mqttws.conformance.wire.opening import Head, answer
from mqttws.conformance.wire.peer import Ended

__all__ = ["ClientProbe", "client_check"]

#: Seconds that a Session may last.
_EXPIRY: Final = 600
#: Registers a check of Clients; it takes a :class:`ClientProbe`.
client_check = checker(Kind.CLIENT)


class ClientProbe(Leading):
    """One check's view of a Client: a good conversation with it, and what shows that something does not happen."""

    async def open(self, client_id: str | None = None, *, clean_start: bool = True, **settings: Any) -> Visit:
        """Tell the Client to connect, and let it in up to its CONNECT, which waits for an answer.

        ``settings`` are those of the task, and ``head`` a function that makes the answer to its request.
        """
        make: Callable[[Head], bytes] = settings.pop("head", answer)
        values: dict[str, Any] = {"client_id": self.name() if client_id is None else client_id}
        values |= {"clean_start": clean_start, "keep_alive": KEEP_ALIVE} | settings
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

    async def _owed(self, what: str, kind: type[Event]) -> None:
        try:
            found = await self.event(kind)
        except Inconclusive as problem:
            raise Failed(f"it does not take a good {what}: {problem}") from None
        if isinstance(found, Connected) and found.reason_code:
            raise Failed(f"it does not take a good CONNACK: it tells of 0x{found.reason_code:02X}")

    # -- Sessions -----------------------------------------------------------------------------------------------------

    async def connect_to_stay(self, client_id: str | None = None) -> Visit:
        """Let the Client in with a Session that outlives the connection.

        Raises :class:`NotApplicable` if it asks for none.
        """
        visit = await self.connect(client_id, clean_start=False, session_expiry=_EXPIRY)
        connect = visit.connect
        if not (connect.properties.get("session_expiry_interval") if self.is_v5 else not connect.clean_start):
            raise NotApplicable("the Client has no Session that outlives its connection")
        return visit

    async def come_back(self, visit: Visit, *, session_present: bool = True, properties: Any = None) -> Visit:
        """The connection is lost, and the Client comes back to its Session; ``properties`` are those of CONNACK.

        Raises :class:`NotApplicable` if it asks for a new one, :class:`Inconclusive` if it does not take the answer,
        for it need not go on without what it has expected.
        """
        await visit.drop()
        await self.gone()
        again = await self.open(visit.connect.client_id, clean_start=False, session_expiry=_EXPIRY)
        if again.connect.clean_start:
            raise NotApplicable("the Client asks for a new Session when it comes back")
        said: Any = properties or {}
        await again.send(ConnAck(session_present, properties=said))
        if await self.tells():
            await self.event(Connected)
        again.topic = visit.topic
        return again

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
        await self.needs_program()
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
                if await visit.end(within=self.patience / 4) is not None:
                    break
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
        must = not self.is_v5 if must is None else must
        goes_on = await self.goes_on(visit, why, accusing=must)
        crash = await self.crash()
        if goes_on:
            said = f"{goes_on}; {crash}" if crash else goes_on
            raise (Failed if must else NotStrict)(said)
        if crash:
            raise NotStrict(f"it ends the connection {why}, but {crash}")

    async def goes_on(self, visit: Visit, why: str, *, accusing: bool = False) -> str:
        """How the Client goes on where it should end the connection; ``""`` if it ends it.

        A silent one has more time before it is accused.
        """
        within = None if accusing else self.patience
        try:
            await visit.must_end(why, probe=visit.message(self.name().encode(), 1), sign=PubAck, within=within)
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
