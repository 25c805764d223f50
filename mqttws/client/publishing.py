"""What an application publishes."""

from __future__ import annotations

from typing import Final, TypeAlias

import trio

from mqttws.client.lifetime import Lifetime
from mqttws.client.receipts import TAKEN, PublishResult, Receipt, size_of
from mqttws.codec import Publish
from mqttws.codec.properties import PublishProperties
from mqttws.errors import QueueFull
from mqttws.vocabulary import QOS

__all__ = ["Payload", "Publishing"]

#: What a payload may be given as; text is sent as UTF-8.
Payload: TypeAlias = bytes | bytearray | memoryview | str

#: A publisher at QoS 0 that never has to wait lets other tasks run after so many messages or bytes.
FAIR_SHARE: Final = 32
FAIR_SHARE_BYTES: Final = 65_536


class Publishing:
    """The half of a :class:`~mqttws.client.client.Client` that sends."""

    def __init__(self, life: Lifetime) -> None:
        self._life = life
        self._turns = 0
        self._turn_bytes = 0

    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        qos: int | None = None,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> PublishResult:
        """Publish a message and wait until its QoS is fulfilled.

        At QoS 0 that is when the send buffer of a connection took it, at QoS 1 when PUBACK has come, at QoS 2 PUBCOMP.
        ``qos`` None is 1 in the Web PubSub profile, else 0. Without a connection the message waits for one in the send
        queue, whatever its QoS, and for no longer than its Message Expiry Interval. Cancelled while it waits for room
        there (``when_full``), nothing was sent; later the message stays in the queue and its exchange goes on.

        Raises :class:`~mqttws.errors.PublishRefused` with the Server's Reason Code (5.0),
        :class:`~mqttws.errors.LocalProtocolError` for what the Server or MQTT does not allow,
        :class:`~mqttws.errors.MessageExpired`, :class:`~mqttws.errors.SessionLost` at QoS 2 where the Server has lost
        the Session meanwhile, :class:`~mqttws.errors.QueueFull` where ``when_full`` says so, and what ended the client.
        """
        message = self._message(topic, payload, qos, retain, properties)
        if not message.qos:
            self._turns += 1
            self._turn_bytes += len(message.payload)
            if self._turns < FAIR_SHARE and self._turn_bytes < FAIR_SHARE_BYTES:
                await trio.lowlevel.checkpoint_if_cancelled()
            else:
                await self._let_others_run()
                self._life.check_open()
            if self._send(message):
                return TAKEN
        size = size_of(message)
        await self._life.outgoing.wait_for_room(size)
        return await self._begin(message, size).wait()

    def publish_soon(
        self,
        topic: str,
        payload: Payload = b"",
        qos: int | None = None,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> Receipt:
        """Queue a message without waiting; its receipt tells what becomes of it.

        Raises :class:`~mqttws.errors.QueueFull`, and queues nothing, when the send queue (QoS 0 with a connection: the
        send buffer) is full; else as :meth:`publish`. The failure of a message whose receipt nobody has waited for is
        raised when the client's block is left.
        """
        message = self._message(topic, payload, qos, retain, properties)
        outgoing = self._life.outgoing
        if not message.qos and outgoing.may_pass(self._life.connection):
            if self._life.pump.congested:
                raise self._congestion()
            self._send(message)
            return Receipt(message, 0, TAKEN)
        size = size_of(message)
        if not outgoing.reserve(size):
            raise outgoing.full()
        return self._begin(message, size)

    def _message(
        self, topic: str, payload: Payload, qos: int | None, retain: bool, properties: PublishProperties | None
    ) -> Publish:
        self._life.check_open()
        if qos is None:
            level = self._life.profile.default_qos
        elif qos in (0, 1, 2):
            level = QOS[qos]
        else:
            raise ValueError(f"qos is 0, 1 or 2, not {qos!r}")
        if not isinstance(payload, bytes):
            payload = payload.encode() if isinstance(payload, str) else bytes(payload)
        message = Publish(topic, payload, level, retain, False, None, properties.copy() if properties else {})
        self._life.profile.check_publish(message, self._life.options.version)
        return message

    def _send(self, message: Publish) -> bool:
        """Send a QoS 0 message, if it may go before all that waits."""
        life = self._life
        wire = life.wire
        if not life.outgoing.may_pass(wire.connection):
            return False
        wire.connection.send(message, trio.current_time())
        wire.pump.flush()
        return True

    async def _let_others_run(self) -> None:
        """A full checkpoint, and more than that while the send buffer is full."""
        self._turns = self._turn_bytes = 0
        if not (self._life.pump.congested and self._life.connection.is_open):
            await trio.lowlevel.checkpoint()
        elif self._life.outgoing.fails_when_full:
            raise self._congestion()
        else:
            await self._life.pump.drained()

    def _congestion(self) -> QueueFull:
        return QueueFull(f"{self._life.pump.link.bytes_pending:,} bytes wait to be sent")

    def _begin(self, message: Publish, size: int) -> Receipt:
        """Send or queue a message for which room was taken; gives the room back if that cannot be done."""
        life = self._life
        try:
            life.check_open()
            receipt = life.outgoing.begin(message, size, life.wire.connection, trio.current_time())
        except BaseException:
            life.outgoing.release(size)
            raise
        life.wire.pump.flush()
        return receipt
