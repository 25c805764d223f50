"""MQTT.js in a process of its own, led by lines of JSON (``node/mqttjs.mjs``)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import trio

from tests.interop import counterparts
from tests.interop.peers import ENDED_BEFORE, Greeting, Options, Peer, Received
from tests.interop.processes import JsonLines, node, running


class MqttJsError(Exception):
    """MQTT.js refused a command, or the server did; then ``reason_code`` is there."""

    def __init__(self, message: str, reason_code: int | str | None = None) -> None:
        super().__init__(message)
        self.reason_code = reason_code


class MqttJsPeer(Peer):
    """One MQTT.js client."""

    def __init__(self, options: Options, process: trio.Process) -> None:
        super().__init__(options)
        self._lines = JsonLines(process)
        self._ids = count(1)
        self._waiting: dict[int, trio.MemorySendChannel[dict[str, Any]]] = {}
        self._was_connected = False

    async def read(self) -> None:
        """Hand each line of the process to whom it belongs."""
        while True:
            line = await self._lines.receive()
            if "closed" in line:
                self._lost.set()
            elif "message" in line:
                line = line["message"]
                payload = base64.b64decode(line["payload"])
                self._arrived.send_nowait(Received(line["topic"], payload, line["qos"], line["retain"]))
            else:
                self._waiting.pop(line["id"]).send_nowait(line)

    async def _ask(self, command: str, **arguments: Any) -> Any:
        number = next(self._ids)
        self._waiting[number], answer = trio.open_memory_channel[dict[str, Any]](1)
        await self._lines.send({"id": number, "do": command, **arguments})
        line = await answer.receive()
        if "error" in line:
            raise MqttJsError(f"{command}: {line['error']['message']}", line["error"]["reason_code"])
        return line["result"]

    async def connect(self) -> Greeting:
        self._lost = trio.Event()
        if self._was_connected:
            return Greeting(**await self._ask("reconnect"))
        self._was_connected = True
        return Greeting(**await self._ask("connect", url=self.options.url, options=self._settings()))

    def _settings(self) -> dict[str, Any]:
        """The options of ``mqtt.connect``."""
        options = self.options
        persistent = options.session_expiry_interval > 0
        settings: dict[str, Any] = {
            "protocolVersion": options.version,
            "keepalive": options.keep_alive,
            "clean": options.clean_start if options.version == 5 else not persistent,
        }
        if options.client_id is not None:
            settings["clientId"] = options.client_id
        if options.version == 5:
            settings["properties"] = {"sessionExpiryInterval": options.session_expiry_interval}
        if options.will is not None:
            will = options.will
            payload = base64.b64encode(will.payload).decode()
            settings["will"] = {"topic": will.topic, "payload": payload, "qos": will.qos, "retain": will.retain}
        return settings

    async def subscribe(self, topic: str, qos: int) -> int:
        granted = await self._ask("subscribe", topic=topic, qos=qos)
        return int(granted[0])

    async def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        text = base64.b64encode(payload).decode()
        try:
            await self._ask("publish", topic=topic, payload=text, qos=qos, retain=retain)
        except MqttJsError as error:
            if error.reason_code != ENDED_BEFORE:
                raise

    async def disconnect(self) -> None:
        await self._ask("disconnect")


@asynccontextmanager
async def open_mqttjs(options: Options) -> AsyncIterator[MqttJsPeer]:
    """A client that is not yet connected."""
    counterparts.need("mqttjs")
    async with running(**node("mqttjs.mjs")) as process, trio.open_nursery() as nursery:
        peer = MqttJsPeer(options, process)
        nursery.start_soon(peer.read)
        yield peer
        nursery.cancel_scope.cancel()
