"""Two good clients beside the attacks: what one publishes at QoS 1 has to reach the other, every time and in time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import trio

from mqttws.codec import ConnAck, Connect, Publish, SubAck, Subscribe, Subscription
from mqttws.conformance.wire.target import Target
from mqttws.errors import MqttError
from mqttws.link import Link
from mqttws.session import Closed, Connection, Delivered
from mqttws.transport import Pump
from mqttws.vocabulary import QOS, ProtocolVersion, Role

__all__ = ["GoodClient", "Pair", "Trouble"]

_KEEP_ALIVE: Final = 30


class Trouble(Exception):
    """A good client was not served. ``lost`` if a message is missing, else it is the connection or the time."""

    def __init__(self, text: str, *, lost: bool = False) -> None:
        super().__init__(text)
        self.lost = lost


class GoodClient:
    """One client of a Server, on the core and nothing else."""

    def __init__(self, target: Target, version: int, patience: float) -> None:
        self._target = target
        self._version = ProtocolVersion(version)
        self._patience = patience
        self._changed = trio.Event()
        self._scope = trio.CancelScope()
        self.connack: ConnAck | None = None
        self.ended: str | None = None
        self.granted: int | None = None
        self.delivered: list[Delivered] = []
        self.messages: list[Publish] = []

    async def open(self, nursery: trio.Nursery, client_id: str) -> ConnAck:
        """Connect; what CONNACK says. Raises :class:`Trouble` if there is none that welcomes us."""
        deadline = trio.current_time() + self._patience
        try:
            with trio.fail_at(deadline):
                stream = await self._target.open()
        except (MqttError, trio.TooSlowError) as error:
            raise Trouble(f"a good client cannot connect: {str(error) or 'no connection in time'}") from None
        connection = Connection(Role.CLIENT, connect_timeout=self._patience)
        url = self._target.url
        link = Link.client(connection, host=url.authority, target=url.target, headers=self._target.headers)
        self._pump = Pump(stream, link)
        link.start(trio.current_time())
        link.send(Connect(self._version, client_id, keep_alive=_KEEP_ALIVE), trio.current_time())
        nursery.start_soon(self._run)
        await self.until(lambda: self.connack is not None, "a good client gets no CONNACK")
        assert self.connack is not None
        return self.connack

    async def _run(self) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump.write)
                while events := await self._pump.receive():
                    for event in events:
                        self._take(event)
                    self._pump.flush()
                    self._changed.set()
                    self._changed = trio.Event()
                nursery.cancel_scope.cancel()

    def _take(self, event: object) -> None:
        match event:
            case ConnAck(reason_code=0):
                self.connack = event
            case SubAck():
                self.granted = event.reason_codes[0]
            case Delivered():
                self.delivered.append(event)
            case Publish():
                self.messages.append(event)
                self._pump.link.acknowledge(event)
            case Closed():
                self.ended = str(event.error or "closed")

    async def until(self, done: Callable[[], bool], failure: str, *, lost: bool = False) -> None:
        """Wait for something; :class:`Trouble` if it does not come in time, or the connection ends before."""
        with trio.move_on_after(self._patience):
            while not done() and self.ended is None:
                await self._changed.wait()
        if done():
            return
        if self.ended is not None:
            raise Trouble(f"a good client was disconnected: {self.ended}")
        raise Trouble(f"{failure} within {self._patience:g} s", lost=lost)

    async def subscribe(self, topic: str) -> None:
        """Subscribe at QoS 1."""
        self.send(Subscribe(0, [Subscription(topic, QOS[1])]))
        await self.until(lambda: self.granted is not None, "a good client gets no SUBACK")
        if self.granted != 1:
            raise Trouble(f"a good SUBSCRIBE at QoS 1 got 0x{self.granted:02X}")

    def send(self, packet: Publish | Subscribe) -> None:
        """Send a packet soon."""
        self._pump.link.send(packet, trio.current_time())
        self._pump.flush()

    @property
    def may_publish(self) -> bool:
        """Whether the Server takes one more message at QoS 1 now."""
        return self._pump.link.connection.send_quota > 0

    async def close(self) -> None:
        """Say goodbye, and be gone."""
        if self.ended is None:
            self._pump.link.close(trio.current_time())
            self._pump.flush()
            with trio.move_on_after(0.2):
                while self.ended is None:
                    await self._changed.wait()
        self._scope.cancel()


class Pair:
    """A speaker and a listener, in these versions of MQTT."""

    def __init__(self, target: Target, speaks: int, hears: int, topic: str, patience: float) -> None:
        self._target = target
        self._topic = topic
        self._patience = patience
        self._run = os.urandom(4).hex()
        self._number = 0
        self._unconfirmed: set[bytes] = set()
        self._speaker = GoodClient(target, speaks, patience)
        self._listener = GoodClient(target, hears, patience)
        #: The longest that a round trip has taken, in seconds.
        self.slowest = 0.0

    async def open(self, nursery: trio.Nursery) -> None:
        """Connect both and subscribe. Raises :class:`Trouble`."""
        await self._speaker.open(nursery, f"mqttwsspeaker{self._run}")
        await self._listener.open(nursery, f"mqttwslistener{self._run}")
        await self._listener.subscribe(self._topic)

    async def publish(self) -> bytes:
        """One more message; it is on its way while the next attack runs. Raises :class:`Trouble`."""
        speaker = self._speaker
        await speaker.until(lambda: speaker.may_publish, "a good PUBLISH gets no PUBACK")
        payload = f"{self._run} {self._number}".encode()
        self._number += 1
        speaker.send(Publish(self._topic, payload, QOS[1]))
        self._unconfirmed.add(payload)
        return payload

    async def check(self) -> float:
        """One more message, and all of them have to have arrived; the seconds that took. Raises :class:`Trouble`."""
        started = trio.current_time()
        last = await self.publish()
        speaker, listener = self._speaker, self._listener
        wanted = len(self._unconfirmed)
        await speaker.until(lambda: len(speaker.delivered) >= wanted, "a good PUBLISH gets no PUBACK")
        refused = next((each for each in speaker.delivered if each.reason_code), None)
        if refused is not None:
            raise Trouble(f"a good PUBLISH got 0x{refused.reason_code:02X}", lost=True)
        missing = "a message of a good client, acknowledged, does not arrive"
        await listener.until(lambda: any(each.payload == last for each in listener.messages), missing, lost=True)
        lost = self._unconfirmed - {each.payload for each in listener.messages}
        if lost:  # they come in order, so behind the last one they will not
            raise Trouble(
                f"{len(lost)} of {wanted} messages of a good client, acknowledged, have not arrived", lost=True
            )
        speaker.delivered.clear()
        listener.messages.clear()
        self._unconfirmed.clear()
        elapsed = trio.current_time() - started
        self.slowest = max(self.slowest, elapsed)
        return elapsed

    async def close(self) -> None:
        """Both go."""
        for client in (self._speaker, self._listener):
            await client.close()
