"""What comes in on one connection, handed to those whom it concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

from mqttws.client.authentication import Conversation
from mqttws.client.wire import Wire
from mqttws.codec import Auth, ConnAck, Publish, SubAck, UnsubAck
from mqttws.errors import AuthenticationFailed
from mqttws.link import LinkEvent, Opened
from mqttws.session import Closed, Delivered, SessionResumed, SessionStarted
from mqttws.vocabulary import ReasonCode

if TYPE_CHECKING:
    from mqttws.client.lifetime import Lifetime

__all__ = ["Reading"]


class Reading:
    """The task that reads a wire, from its handshake to its end; whatever it is, it tells the :class:`Lifetime`."""

    def __init__(self, life: Lifetime, wire: Wire) -> None:
        self._life = life
        self._wire = wire

    async def run(self) -> None:
        """Read until nothing more comes, and authenticate beside that where CONNECT has named a method."""
        conversation = self._wire.conversation
        if conversation is None:
            await self._read()
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._converse, conversation)
            await self._read()

    async def _read(self) -> None:
        """Handle all that a chunk holds before anybody else runs: a task switch costs more than a packet.

        Except for consumers that would lose QoS 0 messages although they take them as fast as they can: a chunk may
        hold thousands, and their turns are short.
        """
        life, wire = self._life, self._wire
        pump, dispatcher = wire.pump, life.dispatcher
        deliver = dispatcher.deliver
        while events := await pump.receive():
            for event in events:
                if type(event) is Publish:
                    deliver(event)
                    if dispatcher.crowded:
                        await self._let_consumers_catch_up()
                elif (handler := _HANDLERS.get(type(event))) is not None:
                    if type(event) is ConnAck and not await self._trusts(event):
                        self._keep_lost(events)
                        break
                    handler(self, event)
            if wire.opened_at is not None:
                life.outgoing.send_more(wire.connection, trio.current_time())
                life.regulate()
            pump.flush()

    async def _let_consumers_catch_up(self) -> None:
        dispatcher = self._life.dispatcher
        while dispatcher.crowded:
            # The order of tasks changes from turn to turn; within two turns all that can run have run at least once.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            dispatcher.catch_up()

    # -- authentication -----------------------------------------------------------------------------------------------

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await conversation.run(self._wire.connection, self._wire.pump.flush)
        except AuthenticationFailed as error:
            self._turn_away(error)

    async def _trusts(self, packet: ConnAck) -> bool:
        """Whether our authenticator accepts the Server that accepts us, before anybody else hears of it."""
        conversation = self._wire.conversation
        if conversation is None or packet.reason_code != 0:
            return True
        try:
            await conversation.finish(packet)
        except AuthenticationFailed as error:
            self._turn_away(error)
            return False
        return True

    def _keep_lost(self, events: Sequence[LinkEvent]) -> None:
        """Whoever is not trusted has begun a new Session with us: what was under way waits, in the store as well."""
        lost = next((event.lost for event in events if isinstance(event, SessionStarted)), ())
        self._life.outgoing.connected(self._wire.connection, trio.current_time(), lost=lost)

    def _turn_away(self, error: AuthenticationFailed) -> None:
        """Authentication has failed on our side [MQTT-4.12.1-2]."""
        wire = self._wire
        wire.fail(error)
        wire.close(ReasonCode.UNSPECIFIED_ERROR)
        if wire.opened_at is not None:
            self._life.release(wire, error)

    # -- event by event -----------------------------------------------------------------------------------------------

    def _on_opened(self, event: Opened) -> None:  # noqa: ARG002 - a handler's signature
        self._wire.upgraded = True
        self._wire.accepted.set()

    def _on_auth(self, event: Auth) -> None:
        assert self._wire.conversation is not None  # CONNECT has named a method
        self._wire.conversation.hear(event)

    def _on_connack(self, event: ConnAck) -> None:
        if event.reason_code == 0:  # a refusal comes as Closed
            self._life.present(self._wire)

    def _on_session_started(self, event: SessionStarted) -> None:
        self._life.connected(self._wire, resumed=False, lost=event.lost)

    def _on_session_resumed(self, event: SessionResumed) -> None:  # noqa: ARG002 - a handler's signature
        self._life.connected(self._wire, resumed=True)

    def _on_delivered(self, event: Delivered) -> None:
        self._life.outgoing.delivered(event, self._life.options.version)

    def _on_suback(self, event: SubAck) -> None:
        self._life.subscriptions.on_suback(event)

    def _on_unsuback(self, event: UnsubAck) -> None:
        self._life.subscriptions.on_unsuback(event)

    def _on_closed(self, event: Closed) -> None:
        wire = self._wire
        wire.fail(event.error)
        if wire.opened_at is not None and event.error is not None:
            self._life.release(wire, event.error)


_HANDLERS: Final[Mapping[type, Callable[[Reading, Any], None]]] = {
    Opened: Reading._on_opened,
    Auth: Reading._on_auth,
    ConnAck: Reading._on_connack,
    Delivered: Reading._on_delivered,
    SessionStarted: Reading._on_session_started,
    SessionResumed: Reading._on_session_resumed,
    SubAck: Reading._on_suback,
    UnsubAck: Reading._on_unsuback,
    Closed: Reading._on_closed,
}
