"""What an application subscribes to, and what else it receives."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from mqttws.client.inbox import Acknowledge, Messages, Overflow
from mqttws.client.lifetime import Lifetime
from mqttws.client.options import MIB
from mqttws.codec import Subscription
from mqttws.codec.properties import SubscribeProperties
from mqttws.topics import check_filter, is_shared, shared_filter
from mqttws.vocabulary import QOS, RetainHandling

__all__ = ["Subscribing"]


class Subscribing:
    """The half of a :class:`~mqttws.client.client.Client` that receives."""

    def __init__(self, life: Lifetime) -> None:
        self._life = life

    @asynccontextmanager
    async def subscribe(
        self,
        *topic_filters: str,
        qos: int = 1,
        buffer: int = 1_000,
        buffer_bytes: int = 16 * MIB,
        overflow: Overflow = "drop_newest",
        acknowledge: Acknowledge = "consumed",
        keep: bool = False,
        no_local: bool = False,
        retain_as_published: bool = False,
        retain_handling: int = RetainHandling.SEND,
        properties: SubscribeProperties | None = None,
    ) -> AsyncIterator[Messages]:
        """Subscribe, and iterate over what comes; the block is entered when SUBACK has come.

        A filter that the Server refuses raises :class:`~mqttws.errors.SubscribeRefused`, and none of them is kept.
        ``buffer`` and ``buffer_bytes`` bound the QoS 0 messages that wait here; ``overflow`` says which to drop when
        they are reached, ``messages.dropped`` how many were. At QoS 1 and 2 nothing is dropped; ``acknowledge`` says
        when the Server hears that a message has arrived:

        ``"consumed"``
            When the next message is asked for, or the block is left without an exception. Acknowledgements leave in
            order of arrival, so whoever holds a message back holds back those behind it, and once
            ``receive_maximum`` messages wait the Server sends no other to any stream; ``client.window`` tells who has
            them. A process that is killed gets what it had not consumed again.
        ``"received"``
            At once. This stream holds nobody up, and has a bound of its own: when more than ``buffer`` messages or
            ``buffer_bytes`` wait here it ends with :class:`~mqttws.errors.StreamOverflow`, after what had come. A
            process that is killed loses what waited here.
        ``"manual"``
            When ``messages.acknowledge(message)`` is called, in any order, which may also refuse it.

        The stream stays open while the client reconnects. Where the Server has lost the Session the filters are
        subscribed anew; a refusal then ends the stream with :class:`~mqttws.errors.SubscribeRefused`. In 5.0
        filters that overlap get Subscription Identifiers, where the Server has them and ``properties`` give none: so
        each stream gets the copies that are meant for it.

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
            filters,
            self._life.dispatcher.consumed,
            buffer=buffer,
            buffer_bytes=buffer_bytes,
            overflow=overflow,
            acknowledge=acknowledge,
            subscribed=True,
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
        acknowledge: Acknowledge = "consumed",
    ) -> AsyncIterator[Messages]:
        """Iterate over what comes without a SUBSCRIBE: of a resumed Session, of a token's groups, of the Server itself.

        Without a filter the stream takes whatever no other stream wants, with filters all that matches them. QoS 1 and
        2 messages that no open stream wanted have waited unacknowledged and come first; at QoS 0 such messages were
        dropped and counted. Otherwise as :meth:`subscribe`; what was not handed out waits on when the block is left.
        """
        for topic_filter in topic_filters:
            _check_filter(topic_filter)
        stream = Messages(
            topic_filters,
            self._life.dispatcher.consumed,
            buffer=buffer,
            buffer_bytes=buffer_bytes,
            overflow=overflow,
            acknowledge=acknowledge,
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
