"""This package's own client as a Client under test: it takes tasks from its input and tells what happens, line by line.

What the lines say is described in mqttws.conformance.client.convention.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import trio

from mqttws.client import Client, Messages, Reconnect, open_client
from mqttws.client import state as states
from mqttws.codec import Will
from mqttws.codec.properties import AuthProperties, PublishProperties, SubscribeProperties
from mqttws.conformance.client.convention import (
    Authenticated,
    Connected,
    Disconnected,
    Error,
    Message,
    Published,
    Subscribed,
    Task,
    Unsubscribed,
    Unsupported,
    say,
    tasks,
)
from mqttws.errors import (
    ConnectRefused,
    MqttError,
    PublishRefused,
    ServerDisconnected,
    SubscribeRefused,
)
from mqttws.session import MemoryStore
from mqttws.vocabulary import QOS, ReasonCode

__all__ = ["EXAMPLES", "add_arguments", "run"]

EXAMPLES: Final = """\
examples:
  mqttws conform client --command 'mqttws conform subject {url}'
  echo 'connect version=5' | mqttws conform subject ws://127.0.0.1:9001/mqtt
"""

#: Settings of a task, and the properties that they are.
_PROPERTIES: Final = {
    "topic_alias": "topic_alias",
    "message_expiry": "message_expiry_interval",
    "content_type": "content_type",
    "response_topic": "response_topic",
    "correlation_data": "correlation_data",
}


def add_arguments(parser: ArgumentParser) -> None:
    """The argument of ``mqttws conform subject``."""
    parser.add_argument("url", metavar="URL", help="where to connect to")


def run(args: Namespace) -> int:
    """Do the tasks until the input ends."""
    trio.run(_run, args.url)
    return 0


async def _run(url: str) -> None:
    source = tasks()
    async with trio.open_nursery() as nursery:
        subject = _Subject(url, nursery)
        while (task := await trio.to_thread.run_sync(next, source, None)) is not None:
            await subject.do(task)
        nursery.cancel_scope.cancel()


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


class _Leave(Exception):
    """Leaves the client's block by an exception, which is told to the Server."""


class _Subject:
    """One client after the other; a Session that is to go on is kept between them."""

    def __init__(self, url: str, nursery: trio.Nursery) -> None:
        self._url = url
        self._nursery = nursery
        self._client: Client | None = None
        self._stores: dict[object, MemoryStore] = {}
        self._connection = trio.Lock()
        self._tried = trio.Event()
        self._leave = trio.Event()
        self._by_exception = False
        self._ends: list[Disconnected] = []
        self._is_connected = False
        self._filters: dict[str, trio.CancelScope] = {}

    async def do(self, task: Task) -> None:
        """Do a task, or say why not; only ``connect`` is waited for."""
        if task.name == "connect":
            self._tried = trio.Event()
            self._nursery.start_soon(self._connect, task)
            await self._tried.wait()
        elif task.name == "disconnect":
            self._disconnect(task)
        elif self._client is None:
            say(Error("not connected", task.name))
        else:
            self._tasks.start_soon(self._told, getattr(self, f"_{task.name}"), task)

    async def _told(self, work: Callable[[Task], Awaitable[None]], task: Task) -> None:
        try:
            await work(task)
        except (MqttError, ValueError, trio.ClosedResourceError) as error:
            say(Error(_words(error), task.name))

    async def _connect(self, task: Task) -> None:
        async with self._connection:  # the last block may be on its way out
            self._leave = trio.Event()
            self._by_exception = False
            self._ends.clear()
            self._is_connected = False
            try:
                async with trio.open_nursery() as self._tasks:
                    await self._visit(task)
                for event in self._ends:  # behind what has become of its tasks
                    say(event)
            finally:
                self._tried.set()

    async def _visit(self, task: Task) -> None:
        """One client."""
        try:
            async with open_client(self._url, **self._settings(task)) as client:
                self._client = client
                await self._stay(client)
                if self._by_exception:
                    raise _Leave
        except _Leave:
            pass
        except ConnectRefused as refused:
            say(Connected(False, refused.reason_code))
            self._ends.append(Disconnected(str(refused)))
        except (MqttError, ValueError) as error:
            say(Error(_words(error), "" if self._is_connected else task.name))
        finally:
            self._client = None

    async def _stay(self, client: Client) -> None:
        """Until the end of the connection or the task to end it."""
        async with client.messages() as rest, trio.open_nursery() as nursery:
            nursery.start_soon(self._print, rest)
            self._tried.set()
            await self._leave.wait()
            nursery.cancel_scope.cancel()

    def _settings(self, task: Task) -> dict[str, Any]:
        """The arguments of ``open_client``."""
        version, clean, name = task["version"], task.get("clean_start"), task.get("client_id")
        settings: dict[str, Any] = {
            key: task[key]
            for key in ("client_id", "clean_start", "username", "password", "receive_maximum", "maximum_packet_size",
                        "topic_alias_maximum")
            if key in task.values
        }  # fmt: skip
        expiry = task.get("session_expiry", 0) if version == 5 else 30 * (clean is False)
        if clean is False and expiry:
            settings["store"] = self._stores.setdefault((version, name), MemoryStore())
        if "will_topic" in task.values:
            topic, payload = task["will_topic"], task.get("will_payload", b"")
            settings["will"] = Will(topic, payload, QOS[task.get("will_qos", 0)], task.get("will_retain", False))
        if "auth_method" in task.values:
            settings["authenticator"] = _SameAgain(task["auth_method"], task.get("auth_data"))
        return settings | {
            "version": version,
            "session_expiry_interval": expiry,
            "keep_alive": task.get("keep_alive", 60),
            "reconnect": Reconnect(initial=0.1, maximum=0.5, first=True) if task.get("reconnect") else None,
            "on_event": self._on_event,
            "profile": "mqtt",
        }

    def _on_event(self, event: states.ClientEvent) -> None:
        match event:
            case states.Connected(session_present=present):
                self._is_connected = True
                say(Connected(present))
            case states.Disconnected(error=error) | states.Ended(error=error):
                code = error.reason_code if isinstance(error, ServerDisconnected) else None
                told = Disconnected("" if error is None else _words(error), code)
                if isinstance(event, states.Ended):
                    self._ends.append(told)
                    self._leave.set()
                else:
                    say(told)

    def _disconnect(self, task: Task) -> None:
        code = task.get("reason_code", ReasonCode.SUCCESS)
        if code not in (ReasonCode.SUCCESS, ReasonCode.DISCONNECT_WITH_WILL_MESSAGE):
            say(Unsupported("disconnect", "its block is left with 0x00 or, by an exception, 0x04"))
            return
        self._by_exception = code != ReasonCode.SUCCESS
        self._leave.set()

    async def _print(self, messages: Messages) -> None:
        """Tell of what comes; the end of the client is told elsewhere."""
        try:
            async for message in messages:
                say(Message(message.topic, message.payload, message.qos, message.retain))
        except (MqttError, trio.ClosedResourceError):
            pass

    async def _subscribe(self, task: Task) -> None:
        assert self._client is not None
        settings: dict[str, Any] = {
            key: task[key] for key in ("no_local", "retain_as_published", "retain_handling") if key in task.values
        }
        if "subscription_identifier" in task.values:
            settings["properties"] = SubscribeProperties(subscription_identifier=task["subscription_identifier"])
        topic_filter = task["topic_filter"]
        try:
            with trio.CancelScope() as scope:
                async with self._client.subscribe(topic_filter, qos=task["qos"], **settings) as messages:
                    self._filters[topic_filter] = scope
                    say(Subscribed(messages.reason_codes))
                    await self._print(messages)
            if scope.cancelled_caught:
                say(Unsubscribed())
        except SubscribeRefused as refused:
            say(Subscribed(refused.reason_codes))
        finally:
            self._filters.pop(topic_filter, None)

    async def _unsubscribe(self, task: Task) -> None:
        scope = self._filters.pop(task["topic_filter"], None)
        if scope is None:
            say(Unsupported("unsubscribe", "its subscriptions are blocks, and this one is not open"))
        else:
            scope.cancel()

    async def _reauthenticate(self, _task: Task) -> None:
        assert self._client is not None
        await self._client.reauthenticate()
        say(Authenticated())

    async def _publish(self, task: Task) -> None:
        assert self._client is not None
        properties = {name: task[key] for key, name in _PROPERTIES.items() if key in task.values}
        try:
            result = await self._client.publish(
                task["topic"],
                task["payload"],
                task["qos"],
                task.get("retain", False),
                cast("PublishProperties", properties),
            )
        except PublishRefused as refused:
            say(Published(refused.reason_code))
        else:
            say(Published(result.reason_code))


class _SameAgain:
    """An Authentication Method whose every answer is the same."""

    def __init__(self, method: str, data: bytes | None) -> None:
        self.method = method
        self._said = AuthProperties() if data is None else AuthProperties(authentication_data=data)

    async def begin(self) -> AuthProperties:
        """What CONNECT says."""
        return self._said

    async def answer(self, said: AuthProperties) -> AuthProperties:  # noqa: ARG002 - whatever the Server has asked
        """The answer to AUTH."""
        return self._said

    async def finish(self, said: AuthProperties) -> None:
        """Whatever the Server says is believed."""
