"""A small Client that follows both standards, in process: led by the convention's tasks, it tells the same events.

Built on the core alone, so it shares no line with this package's client.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, Callable
from dataclasses import replace
from typing import Any, Final

import trio

from mqttws.codec import Auth, ConnAck, Connect, Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will
from mqttws.conformance.client.convention import (
    Authenticated,
    Connected,
    Disconnected,
    Error,
    Event,
    Message,
    Published,
    Subscribed,
    Task,
    Unsubscribed,
    Unsupported,
)
from mqttws.errors import LocalProtocolError, ServerDisconnected
from mqttws.link import Link, LinkEvent
from mqttws.session import Closed, Connection, Delivered, Session
from mqttws.transport import Pump
from mqttws.vocabulary import QOS, ProtocolVersion, ReasonCode, RetainHandling, Role

__all__ = ["ReferenceClient"]

#: Settings of ``connect`` and ``publish``, and the properties that they are.
_CONNECT: Final = {
    "session_expiry": "session_expiry_interval", "receive_maximum": "receive_maximum",
    "maximum_packet_size": "maximum_packet_size", "topic_alias_maximum": "topic_alias_maximum",
    "auth_method": "authentication_method", "auth_data": "authentication_data",
}  # fmt: skip
_PUBLISH: Final = {
    "topic_alias": "topic_alias", "message_expiry": "message_expiry_interval", "content_type": "content_type",
    "response_topic": "response_topic", "correlation_data": "correlation_data",
}  # fmt: skip
#: Seconds between two attempts of a Client that is to connect again, and how many there are.
_AGAIN_AFTER: Final = 0.1
_ATTEMPTS: Final = 5


class ReferenceClient:
    """One Client. ``dial`` gives it a stream to the Server, ``say`` is told what happens.

    A wrong one does not do a task that it is given, but what ``understand`` makes of it.
    """

    def __init__(
        self,
        dial: Callable[[], trio.abc.Stream],
        say: Callable[[Event], object],
        understand: Callable[[Task], Task] | None = None,
    ) -> None:
        self._understand = understand
        self._dial = dial
        self._say = say
        self._visit: _Visit | None = None
        self._sessions: dict[tuple[int, str], tuple[Session, float]] = {}

    async def run(self, lines: AsyncIterable[str]) -> None:
        """Do the tasks until ``exit`` or the end."""
        async with trio.open_nursery() as nursery:
            async for line in lines:
                try:
                    task = Task.parse(line)
                except ValueError as error:
                    self._say(Unsupported(line.split()[0], str(error)))
                    continue
                if task.name == "exit":
                    break
                await self._do(task if self._understand is None else self._understand(task), nursery)
            nursery.cancel_scope.cancel()

    async def _do(self, task: Task, nursery: trio.Nursery) -> None:
        if task.name == "connect":
            tried = trio.Event()
            nursery.start_soon(self._connect, task, tried)
            await tried.wait()
            return
        visit = self._visit
        if visit is None or not visit.connection.is_open:
            self._say(Error("not connected", task.name))
            return
        try:
            visit.do(task)
        except LocalProtocolError as error:
            self._say(Error(str(error), task.name))

    async def _connect(self, task: Task, tried: trio.Event) -> None:
        for attempt in range(_ATTEMPTS if task.get("reconnect") else 1):
            if attempt:
                await trio.sleep(_AGAIN_AFTER)
                task = Task("connect", {**task.values, "clean_start": False})
            if not await self._once(task, tried):
                return

    async def _once(self, task: Task, tried: trio.Event) -> bool:
        """One connection to its end; whether it was lost, and another one makes sense."""
        packet = _connect_packet(task)
        try:
            visit = _Visit(self._dial, packet, self._held(packet), self._say, tried)
            self._visit = visit
            lost = await visit.stay()
        except LocalProtocolError as error:
            self._say(Error(str(error), "connect"))
            return False
        finally:
            tried.set()
        if visit.was_open:
            connection = visit.connection
            key = (int(packet.version), packet.client_id or connection.client_id)
            expiry = connection.session_expiry_interval
            self._sessions.pop(key, None)
            if expiry:
                self._sessions[key] = (connection.session, trio.current_time() + expiry)
        if visit.last_words is not None:  # only now: the next connection may begin
            self._say(visit.last_words)
        return lost

    def _held(self, packet: Connect) -> Session | None:
        """The Session that goes on, if there is one."""
        session, until = self._sessions.get((int(packet.version), packet.client_id), (None, 0.0))
        return session if not packet.clean_start and until > trio.current_time() else None


def _connect_packet(task: Task) -> Connect:
    said: Any = {name: task[key] for key, name in _CONNECT.items() if key in task.values}
    will = None
    if "will_topic" in task.values:
        qos, retain = QOS[task.get("will_qos", 0)], task.get("will_retain", False)
        will = Will(task["will_topic"], task.get("will_payload", b""), qos, retain)
    return Connect(
        ProtocolVersion(task["version"]),
        task.get("client_id", ""),
        task.get("clean_start", True),
        task.get("keep_alive", 60),
        task.get("username"),
        task.get("password"),
        will,
        said,
    )


class _Visit:
    """One connection to a Server. For a CONNECT that may not be: :class:`LocalProtocolError`, and nobody is dialled."""

    def __init__(
        self,
        dial: Callable[[], trio.abc.Stream],
        packet: Connect,
        session: Session | None,
        say: Callable[[Event], object],
        tried: trio.Event,
    ) -> None:
        self.connection = Connection(Role.CLIENT, session=session)
        self.was_open = False
        #: What is to be told of its end.
        self.last_words: Event | None = None
        self._packet = packet
        self._say = say
        self._tried = tried
        self._link = Link.client(self.connection, host="localhost", target="/mqtt")
        self._waiting: deque[Publish] = deque()
        self._is_lost = False
        now = trio.current_time()
        self._link.start(now)
        self._link.send(packet, now)
        self._pump = Pump(dial(), self._link)

    async def stay(self) -> bool:
        """Up to the end; whether the connection was lost."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump.write)
            while events := await self._pump.receive():
                for event in events:
                    self._handle(event)
                self._send_waiting()
        return self._is_lost

    def _handle(self, event: LinkEvent) -> None:
        match event:
            case ConnAck():
                self.was_open = not event.reason_code
                self._say(Connected(event.session_present, event.reason_code))
                self._tried.set()
            case Publish():
                self._say(Message(event.topic, event.payload, event.qos, event.retain))
                self._link.acknowledge(event)
            case SubAck():
                self._say(Subscribed(tuple(map(int, event.reason_codes))))
            case UnsubAck():
                self._say(Unsubscribed(tuple(map(int, event.reason_codes))))
            case Delivered():
                self._say(Published(event.reason_code))
            case Auth(reason_code=ReasonCode.CONTINUE_AUTHENTICATION):
                self._prove(event.reason_code)
            case Auth():
                self._say(Authenticated())
            case Closed():
                self._end(event)

    def _prove(self, code: int) -> None:
        """Say the same as before: in answer to an AUTH that asks for more, or to authenticate again."""
        said = self._packet.properties
        properties: Any = {name: said[name] for name in _AUTH if name in said}
        self._link.send(Auth(code, properties), trio.current_time())

    def _end(self, event: Closed) -> None:
        error = event.error
        self._is_lost = error is not None and self.was_open
        if self.connection.connack is None:
            self.last_words = Error(str(error or "the connection has ended before CONNACK"), "connect")
            return
        code = error.reason_code if isinstance(error, ServerDisconnected) else None
        self.last_words = Disconnected("" if error is None else str(error), code)

    # -- tasks ------------------------------------------------------------------------------------------------------

    def do(self, task: Task) -> None:
        """Do a task on an open connection. Raises :class:`LocalProtocolError` for what is forbidden."""
        now = trio.current_time()
        match task.name:
            case "subscribe":
                self._link.send(_subscribe_packet(task), now)
            case "unsubscribe":
                self._link.send(Unsubscribe(0, [task["topic_filter"]]), now)
            case "publish":
                self._publish(task)
            case "reauthenticate":
                self._prove(ReasonCode.RE_AUTHENTICATE)
            case _:
                self._disconnect(task)
        self._pump.flush()

    def _publish(self, task: Task) -> None:
        said: Any = {name: task[key] for key, name in _PUBLISH.items() if key in task.values}
        publish = Publish(task["topic"], task["payload"], QOS[task["qos"]], task.get("retain", False), properties=said)
        self.connection.limits.check_publish(publish, Role.CLIENT, self.connection.version)
        if publish.qos:
            self._waiting.append(publish)
            self._send_waiting()
        else:
            self._link.send(publish, trio.current_time())
            self._say(Published())

    def _send_waiting(self) -> None:
        """Send messages as the Server's Receive Maximum allows it."""
        while self._waiting and self.connection.send_quota:
            publish = self._waiting.popleft()
            try:
                self._link.send(publish, trio.current_time())
            except LocalProtocolError as error:
                self._say(Error(str(error), "publish"))
        self._pump.flush()

    def _disconnect(self, task: Task) -> None:
        code = task.get("reason_code", 0)
        if code and self._packet.version == ProtocolVersion.V3_1_1:
            self._say(Unsupported("disconnect", "3.1.1 has no reason codes"))
        else:
            self._link.close(trio.current_time(), code)


_AUTH: Final = ("authentication_method", "authentication_data")


def _subscribe_packet(task: Task) -> Subscribe:
    options = Subscription(task["topic_filter"], QOS[task["qos"]])
    for name in ("no_local", "retain_as_published"):
        options = replace(options, **{name: task.get(name, False)})
    options = replace(options, retain_handling=RetainHandling(task.get("retain_handling", 0)))
    identifier = task.get("subscription_identifier")
    return Subscribe(0, [options], {} if identifier is None else {"subscription_identifier": identifier})
