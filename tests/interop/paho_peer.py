"""paho-mqtt in its own thread; its callbacks are carried over to trio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import trio

from tests.interop import counterparts
from tests.interop.peers import ENDED_BEFORE, Greeting, Options, Peer, Received

CONNECT_SECONDS = 10.0
RECONNECT_SECONDS = 0.1


class PahoError(Exception):
    """paho-mqtt said no to a call, or the server did."""


class PahoPeer(Peer):
    """One paho client. Its thread calls back at any time; what it brings is looked at in trio's thread only."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._token = trio.lowlevel.current_trio_token()
        self._greeted, self._greetings = trio.open_memory_channel[Greeting | None](100)
        self._waiting: dict[int, trio.MemorySendChannel[list[int]]] = {}
        self._was_connected = False
        self._client = self._make_client()

    def _make_client(self) -> Any:
        from paho.mqtt import client as paho
        from paho.mqtt import enums

        options = self.options
        arguments: dict[str, Any] = {}
        if options.version == 4:
            arguments["clean_session"] = options.session_expiry_interval == 0
        client: Any = paho.Client(
            enums.CallbackAPIVersion.VERSION2,
            client_id=options.client_id,
            protocol=enums.MQTTProtocolVersion(options.version),
            transport="websockets",
            reconnect_on_failure=options.session_expiry_interval > 0,
            **arguments,
        )
        client.connect_timeout = CONNECT_SECONDS
        client.reconnect_delay_set(RECONNECT_SECONDS, RECONNECT_SECONDS)
        where = urlsplit(options.url)
        client.ws_set_options(path=f"{where.path}?{where.query}" if where.query else where.path)
        if (will := options.will) is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._in_trio(self._on_connect)
        client.on_disconnect = self._in_trio(self._on_disconnect)
        client.on_message = self._in_trio(self._on_message)
        client.on_publish = self._in_trio(lambda _c, _u, mid, code, _p: self._answer(mid, [code]))
        client.on_subscribe = self._in_trio(lambda _c, _u, mid, codes, _p: self._answer(mid, codes))
        return client

    def _in_trio(self, function: Callable[..., None]) -> Callable[..., None]:
        return lambda *arguments: self._token.run_sync_soon(function, *arguments)

    def _on_connect(self, _client: Any, _data: Any, flags: Any, code: Any, properties: Any) -> None:
        reason = getattr(properties, "ReasonString", None)
        self._greeted.send_nowait(Greeting(flags.session_present, code.value, reason))

    def _on_disconnect(self, *_arguments: Any) -> None:
        self._lost.set()
        self._greeted.send_nowait(None)  # read by a connect() that waits; a later one drops it

    def _on_message(self, _client: Any, _data: Any, message: Any) -> None:
        self._arrived.send_nowait(Received(message.topic, message.payload, message.qos, message.retain))

    def _answer(self, mid: int, codes: list[Any]) -> None:
        if mid in self._waiting:
            self._waiting.pop(mid).send_nowait([getattr(code, "value", code) for code in codes])

    async def connect(self) -> Greeting:
        if self._was_connected:  # its thread is knocking already, if the options have a Session to come back to
            self._lost = trio.Event()
            while (greeting := await self._greetings.receive()) is None:
                pass
            return greeting
        self._was_connected = True
        await trio.to_thread.run_sync(self._dial, abandon_on_cancel=True)
        greeting = await self._greetings.receive()
        if greeting is None:
            raise PahoError("disconnected before CONNACK")
        return greeting

    def _dial(self) -> None:
        """TCP and the WebSocket handshake, which paho does on the spot, and its thread for the rest."""
        options = self.options
        self._client.connect("127.0.0.1", urlsplit(options.url).port, options.keep_alive, **_start(options))
        self._client.loop_start()

    def stop(self) -> None:
        """End the thread, and the socket if it is still there."""
        self._client.disconnect()
        self._client.loop_stop()

    async def subscribe(self, topic: str, qos: int) -> int:
        result, mid = self._client.subscribe(topic, qos)
        return (await self._answered(result, mid))[0]

    async def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> None:
        info = self._client.publish(topic, payload, qos, retain)
        codes = await self._answered(info.rc, info.mid)
        if codes[0] >= 0x80 and codes[0] != ENDED_BEFORE:
            raise PahoError(f"publish: reason code 0x{codes[0]:02X}")

    async def _answered(self, result: int, mid: int) -> list[int]:
        """Wait for the acknowledgement of a call; the callback cannot run before this does, trio's thread is ours."""
        if result != 0:
            raise PahoError(f"paho-mqtt error {result}")
        self._waiting[mid], answer = trio.open_memory_channel[list[int]](1)
        return await answer.receive()

    async def disconnect(self) -> None:
        self._client.disconnect()
        await self._lost.wait()


def _start(options: Options) -> dict[str, Any]:
    """What CONNECT says about the Session in 5.0; paho keeps it for the reconnects."""
    if options.version == 4:
        return {}
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    make: Any = Properties  # not annotated by paho
    properties = make(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = options.session_expiry_interval
    return {"clean_start": options.clean_start, "properties": properties}


@asynccontextmanager
async def open_paho(options: Options) -> AsyncIterator[PahoPeer]:
    """A client that is not yet connected."""
    counterparts.need("paho")
    peer = PahoPeer(options)
    try:
        yield peer
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(peer.stop)
