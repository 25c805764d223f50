"""What happens behind a Client's back: connecting, reading, and saying goodbye."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Any, Final

import trio

from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.options import Access, Options, UrlSource
from mqttws.client.outgoing import Outgoing
from mqttws.client.profiles import Profile, choose
from mqttws.client.subscriptions import Subscriptions
from mqttws.client.wire import connect_wire, wipe
from mqttws.codec import ConnAck, Publish, SubAck, UnsubAck
from mqttws.errors import ConnectionLost
from mqttws.session import Closed, Connection, Delivered, SessionStarted
from mqttws.transport import Pump
from mqttws.vocabulary import ProtocolVersion, ReasonCode
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["ClientState", "Lifetime"]

#: WebSocket close code of an end without DISCONNECT: "going away" (RFC 6455, 7.4.1).
GOING_AWAY: Final = 1001


class ClientState(Enum):
    """Where a client is between entering its block and having left it."""

    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"


class Lifetime:
    """From the first dialling to the farewell; what a Client's calls work on in between.

    :meth:`open` comes first and :meth:`leave` last, in every case. The connection's end, whoever brings it about, is a
    :class:`Failure` that every waiting and every later call raises.
    """

    pump: Pump
    connection: Connection

    def __init__(self, url: UrlSource, options: Options, profile: str, outgoing: Outgoing) -> None:
        self.options = options
        self.outgoing = outgoing
        self.subscriptions = Subscriptions()
        self.dispatcher = Dispatcher(self._acknowledge)
        self.profile: Profile = choose(profile, None)
        self.state = ClientState.CONNECTING
        self.lost: tuple[Publish, ...] = ()
        self._url = url
        self._profile_name = profile
        self._window_bytes = options.receive_maximum * options.maximum_packet_size
        self._failure: Failure | None = None
        self._dialled = False
        self._shelters: list[trio.CancelScope] = []
        self._connected = trio.Event()
        self._finished = trio.Event()

    # -- the connection -----------------------------------------------------------------------------------------------

    async def open(self, nursery: trio.Nursery) -> None:
        """Connect, and return when CONNACK has accepted us; raises what prevented it."""
        access = self._url if isinstance(self._url, str) else await self._url()
        if isinstance(access, str):
            access = Access(access)
        address = ClientAccessUrl.parse(access.url)
        self.profile = choose(self._profile_name, address.hub)
        connect = self.options.connect_packet(self.profile)
        headers = (*self.options.headers, *access.headers)
        if self.options.needs_wiping:
            await wipe(self.options, address, headers, self.options.connect_packet(self.profile, wiping=True))
        self.pump = await connect_wire(self.options, address, headers, connect, self.options.held_session())
        self.connection = self.pump.link.connection
        self._dialled = True
        nursery.start_soon(self._sheltered, self.pump.write)
        nursery.start_soon(self._sheltered, self._read)
        await self._connected.wait()
        self.check_open()
        self.state = ClientState.OPEN

    async def _sheltered(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task that ends only when the wire does, or when :meth:`leave` ends it.

        The caller's cancellation does not reach it: somebody has to send the farewell.
        """
        with trio.CancelScope(shield=True) as scope:
            self._shelters.append(scope)
            await task()

    async def _read(self) -> None:
        """Handle all that a chunk holds before anybody else runs: a task switch costs more than a packet.

        Except for consumers that would lose QoS 0 messages although they take them as fast as they can: a chunk may
        hold thousands, and their turns are short.
        """
        pump, dispatcher = self.pump, self.dispatcher
        deliver = dispatcher.deliver
        while events := await pump.receive():
            for event in events:
                if type(event) is Publish:
                    deliver(event)
                    if dispatcher.crowded:
                        await self._let_consumers_catch_up()
                elif (handler := _HANDLERS.get(type(event))) is not None:
                    handler(self, event)
            self.outgoing.send_more(self.connection, trio.current_time())
            self._regulate()
            pump.flush()
        self._finished.set()

    async def _let_consumers_catch_up(self) -> None:
        while self.dispatcher.crowded:
            # The order of tasks changes from turn to turn; within two turns all that can run have run at least once.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            self.dispatcher.catch_up()

    def _on_connack(self, event: ConnAck) -> None:
        if event.reason_code == 0:
            self._connected.set()

    def _on_delivered(self, event: Delivered) -> None:
        self.outgoing.delivered(event, self.options.version)

    def _on_session_started(self, event: SessionStarted) -> None:
        self.lost = event.lost

    def _on_suback(self, event: SubAck) -> None:
        self.subscriptions.on_suback(event)

    def _on_unsuback(self, event: UnsubAck) -> None:
        self.subscriptions.on_unsuback(event)

    def _on_closed(self, event: Closed) -> None:
        if event.error is not None:
            failure = Failure(event.error)
            self._end(failure, failure)

    def _end(self, failure: Failure, outcome: Failure) -> None:
        """The connection is over, and the first reason counts.

        Every call that waits, and every later one, raises ``failure``; exchanges under way end with ``outcome``.
        """
        if self._failure is not None:
            return
        self.state = ClientState.CLOSED
        self._failure = failure
        self.outgoing.fail(outcome)
        self.subscriptions.fail(failure)
        self.dispatcher.fail(failure)
        self._connected.set()

    def check_open(self) -> None:
        """Raise what has ended the connection, if anything has."""
        if self._failure is not None:
            raise self._failure.fresh()

    # -- leaving ------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """The block was left without an exception: let exchanges under way come to their end."""
        if self.state is ClientState.OPEN:
            self.state = ClientState.CLOSING
        with trio.move_on_after(self.options.deadlines.linger):
            await self.outgoing.finished()

    async def leave(self, *, failed: bool) -> None:
        """Say goodbye, as far as there is anybody to say it to; ``failed`` so that the Will is published."""
        if not self._dialled:
            return
        link, now = self.pump.link, trio.current_time()
        if failed and self.connection.is_open and self.options.version == ProtocolVersion.V3_1_1:
            link.abort(now, GOING_AWAY)
        else:
            link.close(now, ReasonCode.DISCONNECT_WITH_WILL_MESSAGE if failed else ReasonCode.NORMAL_DISCONNECTION)
        self.pump.flush()
        self._end(
            Failure(trio.ClosedResourceError("the client's block was left")),
            Failure(ConnectionLost("the client was left before the exchange had ended")),
        )
        with trio.CancelScope(deadline=now + self.options.deadlines.linger, shield=True):
            await self._finished.wait()
        for shelter in self._shelters:
            shelter.cancel()
        # Messages may have been consumed after the last write.
        self.pump.commit()

    def raise_unseen_failure(self) -> None:
        """Raise the failure of a message whose receipt nobody has waited for."""
        error = self.outgoing.unseen_failure()
        if error is not None:
            raise error

    def _acknowledge(self, publish: Publish) -> None:
        self.connection.acknowledge(publish)
        self.pump.flush()
        self._regulate()

    def _regulate(self) -> None:
        """3.1.1 has no Receive Maximum: a consumer that is too slow is met by not reading on."""
        if self.dispatcher.counters.held_bytes >= self._window_bytes:
            self.pump.pause()
        else:
            self.pump.resume()


_HANDLERS: Final[Mapping[type, Callable[[Lifetime, Any], None]]] = {
    ConnAck: Lifetime._on_connack,
    Delivered: Lifetime._on_delivered,
    SessionStarted: Lifetime._on_session_started,
    SubAck: Lifetime._on_suback,
    UnsubAck: Lifetime._on_unsuback,
    Closed: Lifetime._on_closed,
}
