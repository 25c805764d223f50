"""aiomqtt as a Client under test: ``python -m mqttws.conformance.client.subjects.aiomqtt_subject {url}``."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

from aiomqtt import Client, MqttError, ProtocolVersion, Will
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.subscribeoptions import SubscribeOptions

from mqttws.conformance.client.convention import (
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
from mqttws.conformance.client.subjects.paho_properties import properties_of, refusal


class Subject:
    """One Client, made for the first connection and kept for all others that ask for the like.

    Each Client has an event loop of its own, for what one that was cut off leaves in there gets in the way of the next.
    """

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._client: Client
        self._made_for: object = None
        self._version = 5
        self._connection = AsyncExitStack()
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def do(self, task: Task) -> None:
        """Do a task, or say why not; only ``connect`` is waited for."""
        why = refusal(task)
        if task.get("reconnect"):
            why = "it leaves connecting again to the application"
        elif "reason_code" in task.values:
            why = "it has no other code for DISCONNECT than 0x00"
        if why:
            say(Unsupported(task.name, why))
            return
        if task.name == "connect" and task.values != self._made_for:
            self.leave()
            self._connection = AsyncExitStack()
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_run, args=(self._loop,)).start()
        if self._loop is None:
            say(Error("not connected", task.name))
            return
        done = asyncio.run_coroutine_threadsafe(self._told(getattr(self, f"_{task.name}"), task), self._loop)
        if task.name == "connect":
            done.result()

    def leave(self) -> None:
        """End what goes on, at once."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(_end, self._loop)
            self._loop = None

    async def _told(self, function: Callable[[Task], Awaitable[None]], task: Task) -> None:
        try:
            await function(task)
        except Exception as error:  # noqa: BLE001 - whatever the library raises is told
            say(Error(f"{type(error).__name__}: {error}", task.name))

    def _begin(self, work: Any) -> None:
        running = asyncio.create_task(work)
        self._running.add(running)  # asyncio itself does not hold it
        running.add_done_callback(self._running.discard)

    async def _connect(self, task: Task) -> None:
        if task.values != self._made_for:
            self._client = self._make(task)
            self._made_for = task.values
        try:
            await self._connection.enter_async_context(self._client)
        except MqttConnectError as refused:
            code = refused.rc
            say(Connected(None, code if isinstance(code, int) else getattr(code, "value", 0xFF)))
            say(Disconnected(str(refused)))
            return
        say(Connected(None))  # it keeps Session Present to itself
        self._begin(self._listen(self._client, self._connection))

    def _make(self, task: Task) -> Client:
        self._version = task["version"]
        clean = task.get("clean_start", True)
        settings: dict[str, Any] = {"clean_session": clean}
        if self._version == 5:
            settings = {"clean_start": clean, "properties": properties_of(task)}
        if "will_topic" in task.values:
            values = (task.get("will_payload"), task.get("will_qos", 0), task.get("will_retain", False))
            settings["will"] = Will(task["will_topic"], *values)
        return Client(
            self._url.hostname or "",
            self._url.port or 80,
            username=task.get("username"),
            password=task.get("password"),
            identifier=task.get("client_id"),
            protocol=ProtocolVersion(self._version),
            transport="websockets",
            keepalive=task.get("keep_alive", 60),
            websocket_path=self._url.path + (f"?{self._url.query}" if self._url.query else ""),
            **settings,
        )

    async def _listen(self, client: Client, connection: AsyncExitStack) -> None:
        """Tell what comes, and the end."""
        try:
            async for message in client.messages:
                say(Message(str(message.topic), bytes(message.payload), message.qos, message.retain))
        except MqttError as error:
            reason = str(error.__cause__ or "")
        await connection.aclose()  # a Client can be entered again once it was left
        say(Disconnected(reason))

    async def _subscribe(self, task: Task) -> None:
        if self._version == 5:
            options = SubscribeOptions(
                task["qos"],
                noLocal=task.get("no_local", False),
                retainAsPublished=task.get("retain_as_published", False),
                retainHandling=task.get("retain_handling", 0),
            )
            codes = await self._client.subscribe(
                task["topic_filter"], options=options, properties=properties_of(task), timeout=3600
            )
        else:
            codes = await self._client.subscribe(task["topic_filter"], task["qos"], timeout=3600)
        say(Subscribed(tuple(code if isinstance(code, int) else code.value for code in codes)))

    async def _unsubscribe(self, task: Task) -> None:
        await self._client.unsubscribe(task["topic_filter"], timeout=3600)
        say(Unsubscribed())

    async def _publish(self, task: Task) -> None:
        properties = properties_of(task) if self._version == 5 else None
        await self._client.publish(
            task["topic"], task["payload"], task["qos"], task.get("retain", False), properties, timeout=3600
        )
        say(Published())

    async def _disconnect(self, _task: Task) -> None:
        await self._connection.aclose()  # _listen tells of it


def _run(loop: asyncio.AbstractEventLoop) -> None:
    loop.run_forever()
    loop.close()


def _end(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.call_soon(loop.stop)


def main(url: str) -> None:
    """Do the tasks until the input ends."""
    subject = Subject(url)
    for task in tasks():
        subject.do(task)
    subject.leave()


if __name__ == "__main__":
    main(sys.argv[1])
