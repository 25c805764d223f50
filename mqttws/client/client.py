"""What an application does with an open connection: publish, subscribe, iterate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import trio

from mqttws.client.dispatch import Counters
from mqttws.client.inbox import Messages, Overflow
from mqttws.client.lifetime import Lifetime
from mqttws.client.options import MIB
from mqttws.client.outgoing import TAKEN, PublishResult, Receipt
from mqttws.client.state import ClientState, StateChanges
from mqttws.codec import ConnAck, Publish, Subscription, encode
from mqttws.codec.properties import PublishProperties, SubscribeProperties
from mqttws.errors import QueueFull
from mqttws.session import Limits
from mqttws.topics import check_filter, is_shared, shared_filter
from mqttws.vocabulary import QOS, ProtocolVersion, RetainHandling, Role

__all__ = ["Client"]

#: What a payload may be given as; text is sent as UTF-8.
Payload: TypeAlias = bytes | bytearray | memoryview | str

#: A publisher at QoS 0 that never has to wait lets other tasks run after so many messages or bytes.
FAIR_SHARE: Final = 32
FAIR_SHARE_BYTES: Final = 65_536


class Client:
    """An open connection to a Server; made by :func:`open_client`.

    All its calls may be cancelled at any point: what was sent stays sent, its exchange goes on by itself.
    """

    def __init__(self, life: Lifetime) -> None:
        self._life = life
        self._turns = 0
        self._turn_bytes = 0

    # -- what the application reads -----------------------------------------------------------------------------------

    @property
    def state(self) -> ClientState:
        """Where the client is; inside the block OPEN, or RECONNECTING while there is no connection."""
        return self._life.state

    async def wait_for(self, *states: ClientState) -> ClientState:
        """Wait until the client is in one of ``states`` and return it; CLOSED as well, since nothing follows it."""
        return await self._life.watch.wait_for(*states)

    def state_changes(self) -> StateChanges:
        """Iterate over the present state and each new one: ``async for state in client.state_changes()``.

        Ends after CLOSED. Whoever is slow gets the newest state and misses those between.
        """
        return StateChanges(self._life.watch)

    @property
    def client_id(self) -> str:
        """The Client Identifier, also where the Server has assigned it."""
        return self._life.connection.client_id

    @property
    def version(self) -> ProtocolVersion:
        """The protocol version spoken."""
        return self._life.options.version

    @property
    def session_present(self) -> bool:
        """Whether the Server resumed a Session: what was subscribed in it still is."""
        return self.connack.session_present

    @property
    def connack(self) -> ConnAck:
        """The Server's answer to CONNECT, with its properties."""
        connack = self._life.connection.connack
        assert connack is not None  # the block is entered after it
        return connack

    @property
    def limits(self) -> Limits:
        """What the Server takes; beyond it calls raise :class:`~mqttws.errors.LocalProtocolError` and send nothing."""
        return self._life.connection.limits

    @property
    def lost(self) -> tuple[Publish, ...]:
        """Messages of the ``store`` whose exchange cannot go on because the Server no longer had the Session.

        Whether it took them before cannot be learned.
        """
        return self._life.lost

    @property
    def counters(self) -> Counters:
        """Received messages that are held back or were dropped."""
        return self._life.dispatcher.counters

    @property
    def unfinished(self) -> int:
        """Published QoS 1 and 2 messages whose exchange has not ended."""
        return len(self._life.outgoing)

    def __repr__(self) -> str:
        return f"<Client {self.client_id!r} {self.state.value}>"

    # -- publishing ---------------------------------------------------------------------------------------------------

    async def publish(
        self,
        topic: str,
        payload: Payload = b"",
        qos: int | None = None,
        retain: bool = False,
        properties: PublishProperties | None = None,
    ) -> PublishResult:
        """Publish a message and wait until its QoS is fulfilled.

        At QoS 0 that is when the send buffer took it, at QoS 1 when PUBACK has come, at QoS 2 PUBCOMP. ``qos`` None
        is 1 in the Web PubSub profile, else 0. Raises :class:`~mqttws.errors.PublishRefused` with the Server's Reason
        Code (5.0), :class:`~mqttws.errors.LocalProtocolError` for what the Server or MQTT does not allow, and what
        ended the connection. Cancelled while it waits for room in the queue, nothing was sent; later
        the exchange goes on.
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
            self._send(message)
            return TAKEN
        size = len(message.payload) + len(topic)
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

        Raises :class:`~mqttws.errors.QueueFull`, and queues nothing, when the send queue (QoS 0: the send buffer) is
        full; else as :meth:`publish`. A failure that no ``receipt.wait()`` has seen is raised when the client's block
        is left.
        """
        message = self._message(topic, payload, qos, retain, properties)
        if not message.qos:
            if self._life.pump.congested:
                raise QueueFull(f"{self._life.pump.link.bytes_pending:,} bytes wait to be sent")
            self._send(message)
            return Receipt(message, 0, TAKEN)
        size = len(message.payload) + len(topic)
        if not self._life.outgoing.reserve(size):
            raise QueueFull(f"{len(self._life.outgoing):,} QoS 1 and 2 messages have not been completed")
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
        self._life.profile.check_publish(message, self.version)
        return message

    def _send(self, message: Publish) -> None:
        self._life.connection.send(message, trio.current_time())
        self._life.pump.flush()

    async def _let_others_run(self) -> None:
        """A full checkpoint, and more than that while the send buffer is full."""
        self._turns = self._turn_bytes = 0
        if self._life.pump.congested:
            await self._life.pump.drained()
        else:
            await trio.lowlevel.checkpoint()

    def _begin(self, message: Publish, size: int) -> Receipt:
        """Send or queue a message for which room was taken; gives the room back if that cannot be done."""
        try:
            self._life.check_open()
            if not self._life.connection.send_quota:
                self._check_limits(message)
            receipt = self._life.outgoing.begin(message, size, self._life.connection, trio.current_time())
        except BaseException:
            self._life.outgoing.release(size)
            raise
        self._life.pump.flush()
        return receipt

    def _check_limits(self, message: Publish) -> None:
        """What ``send`` would check, for a message that has to wait first."""
        limits = self._life.connection.limits
        limits.check_publish(message, Role.CLIENT, self.version)
        numbered = Publish(message.topic, message.payload, message.qos, message.retain, False, 1, message.properties)
        limits.check_size(len(encode(numbered, self.version)), "PUBLISH", Role.CLIENT)

    # -- subscribing --------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def subscribe(
        self,
        *topic_filters: str,
        qos: int = 1,
        buffer: int = 1_000,
        buffer_bytes: int = 16 * MIB,
        overflow: Overflow = "drop_newest",
        keep: bool = False,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: int = RetainHandling.SEND,
        properties: SubscribeProperties | None = None,
    ) -> AsyncIterator[Messages]:
        """Subscribe, and iterate over what comes; the block is entered when SUBACK has come.

        A filter that the Server refuses raises :class:`~mqttws.errors.SubscribeRefused`, and none of them is kept.
        ``buffer`` and ``buffer_bytes`` bound the QoS 0 messages that wait here; ``overflow`` says which to drop when
        they are reached, ``messages.dropped`` how many were. At QoS 1 and 2 nothing is dropped: what was handed out
        is acknowledged when the next message is asked for, or when the block is left without an exception.

        A filter that is subscribed already is not subscribed again, unless at a higher QoS; both streams get its
        messages. Leaving the block sends UNSUBSCRIBE with the last one out, unless ``keep`` leaves the subscription in
        the Session. Messages that had come and were not handed out are then acknowledged and counted as discarded; left
        by an exception, or with ``keep``, they wait for another stream.
        """
        filters = tuple(dict.fromkeys(topic_filters))
        if not filters:
            raise ValueError("subscribe needs at least one Topic Filter")
        if qos not in (0, 1, 2):
            raise ValueError(f"qos is 0, 1 or 2, not {qos!r}")
        for topic_filter in filters:
            _check_filter(topic_filter)
            self._life.profile.check_filter(topic_filter)
        handling = RetainHandling(retain_handling)
        wanted = [Subscription(name, QOS[qos], no_local, retain_as_published, handling) for name in filters]
        stream = Messages(
            filters, self._life.dispatcher.consumed, buffer=buffer, buffer_bytes=buffer_bytes, overflow=overflow
        )
        self._life.check_open()
        requests = self._life.subscriptions.enter(
            stream, wanted, properties, self._life.connection, trio.current_time(), keep=keep
        )
        self._life.dispatcher.open(stream)
        self._life.pump.flush()
        try:
            await self._life.subscriptions.granted(stream, requests)
            yield stream
        except BaseException:
            self._leave_stream(stream, failed=True)
            raise
        self._leave_stream(stream, failed=False)
        await trio.lowlevel.checkpoint()

    def _leave_stream(self, stream: Messages, *, failed: bool) -> None:
        given_up = self._life.subscriptions.leave(stream, self._life.connection, trio.current_time())
        self._life.dispatcher.close(stream, failed=failed, given_up=given_up)
        self._life.pump.flush()

    @asynccontextmanager
    async def messages(
        self,
        *topic_filters: str,
        buffer: int = 1_000,
        buffer_bytes: int = 16 * MIB,
        overflow: Overflow = "drop_newest",
    ) -> AsyncIterator[Messages]:
        """Iterate over what comes without a SUBSCRIBE: of a resumed Session, of a token's groups, of the Server itself.

        Without a filter the stream takes whatever no other stream wants, with filters all that matches them. QoS 1 and
        2 messages that no open stream wanted have waited unacknowledged and come first; at QoS 0 such messages were
        dropped and counted. Otherwise as :meth:`subscribe`; what was not handed out waits on when the block is left.
        """
        for topic_filter in topic_filters:
            _check_filter(topic_filter)
        stream = Messages(
            topic_filters, self._life.dispatcher.consumed, buffer=buffer, buffer_bytes=buffer_bytes, overflow=overflow
        )
        await trio.lowlevel.checkpoint()
        self._life.check_open()
        self._life.dispatcher.open(stream)
        try:
            yield stream
        except BaseException:
            self._life.dispatcher.close(stream, failed=True)
            raise
        self._life.dispatcher.close(stream, failed=False)
        await trio.lowlevel.checkpoint()


def _check_filter(topic_filter: str) -> None:
    check_filter(topic_filter)
    if is_shared(topic_filter):
        shared_filter(topic_filter)
