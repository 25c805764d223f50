"""What happens behind a Client's back, from the first connection to the farewell after the last."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import trio

from mqttws.client.backlog import Backlog
from mqttws.client.dispatch import Dispatcher
from mqttws.client.failure import Failure
from mqttws.client.options import Options
from mqttws.client.outgoing import Outgoing
from mqttws.client.policy import Verdict
from mqttws.client.profiles import Profile, choose
from mqttws.client.reading import Reading
from mqttws.client.state import ClientState, Connected, Ended, Watch
from mqttws.client.subscriptions import Subscriptions
from mqttws.client.wire import Wire
from mqttws.codec import Publish
from mqttws.codec.properties import DisconnectProperties
from mqttws.errors import ConnectionLost, ServerDisconnected, StoreFailed
from mqttws.session import Connection
from mqttws.transport import Committer, Pump
from mqttws.vocabulary import ProtocolVersion, ReasonCode

__all__ = ["Lifetime"]

#: WebSocket close code of an end without DISCONNECT: "going away" (RFC 6455, 7.4.1).
GOING_AWAY: Final = 1001


class Lifetime:
    """From the first dialling to the farewell; what a Client's calls work on in between.

    One Session lives as long as the client; each connection works on it in its turn. ``wire`` is the present one, or
    the last one while there is none. Who brings another is the :class:`~mqttws.client.supervisor.Supervisor`. The
    client's end, whoever brings it about, is a :class:`Failure` that every waiting and every later call raises;
    :meth:`leave` comes last, in every case.
    """

    wire: Wire
    #: Where the tasks of the connections run; set before there are any.
    nursery: trio.Nursery

    def __init__(self, options: Options, profile: str, outgoing: Outgoing, watch: Watch) -> None:
        self.options = options
        self.outgoing = outgoing
        self.watch = watch
        self.dispatcher = Dispatcher(self._acknowledge)
        self.subscriptions = Subscriptions(self.dispatcher)
        self.profile: Profile = choose(profile, None)
        #: What DISCONNECT says besides its Reason Code.
        self.farewell: DisconnectProperties = {}
        self.session = options.held_session()
        self.committer = None if options.store is None else Committer(self.session, options.store)
        if self.committer is not None:
            outgoing.when_stored = self.committer.when_stored
            outgoing.restore(Backlog(self.session, self.committer.soon), trio.current_time())
        #: Whether any connection has been open: from then on CONNECT resumes.
        self.has_connected = False
        #: Whether a CONNECT has got no answer since the last CONNACK. The Server may have lost our Session and begun
        #: another for that CONNECT; then it resumes that one, and Session Present hides the loss.
        self.doubtful = False
        #: Whether a CONNECT has got no answer, ever: it may arrive late, and take over from the connection after it.
        self.haunted = False
        self._forgiven: Exception | None = None
        self._profile_name = profile
        self.window_bytes = options.receive_maximum * options.maximum_packet_size
        self._failure: Failure | None = None
        self._unstored: StoreFailed | None = None
        self._wires: set[Wire] = set()
        self._supervising = trio.CancelScope(shield=True)
        self._timekeeping = trio.CancelScope(shield=True)
        self._storing = trio.CancelScope(shield=True)
        self._resting = False

    @property
    def state(self) -> ClientState:
        """Where the client is."""
        return self.watch.state

    @property
    def connection(self) -> Connection:
        """The present connection, or the last one: ask it whether it ``is_open``."""
        return self.wire.connection

    @property
    def pump(self) -> Pump:
        """What moves the bytes of :attr:`connection`."""
        return self.wire.pump

    @property
    def ended(self) -> bool:
        """Whether the client has ended for good."""
        return self._failure is not None

    def check_open(self) -> None:
        """Raise what has ended the client, if anything has. Without a connection it may still be open."""
        if self._failure is not None:
            raise self._failure.fresh()

    def choose_profile(self, hub: str | None) -> Profile:
        """The profile for the Server that is about to be dialled."""
        self.profile = choose(self._profile_name, hub)
        return self.profile

    # -- a connection -------------------------------------------------------------------------------------------------

    def supervise(self, task: Callable[[], Awaitable[None]]) -> None:
        """Start the task that brings new connections; :meth:`leave` ends it."""
        self.nursery.start_soon(self._sheltered, self._supervising, task)

    @staticmethod
    async def _sheltered(scope: trio.CancelScope, task: Callable[[], Awaitable[None]]) -> None:
        with scope:
            await task()

    def start(self, wire: Wire) -> None:
        """Let a wire's bytes flow. Once CONNACK is there it is the present one.

        One that was dialled when the client ended is closed at once: :meth:`leave` may not have seen it.
        """
        if self.ended:
            wire.close()
        self._wires.add(wire)
        self.nursery.start_soon(self._run, wire)

    async def _run(self, wire: Wire) -> None:
        try:
            with wire.scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(wire.pump.write)
                    nursery.start_soon(Reading(self, wire).run)
        finally:
            self._wires.discard(wire)
            wire.fail(None)
            wire.ended.set()

    def present(self, wire: Wire) -> None:
        """CONNACK has let us in: from now on calls work on this connection."""
        wire.opened_at = trio.current_time()
        self.wire = wire
        self.options.client_id = wire.connection.client_id  # a Server that assigns one is asked for it again

    def connected(self, wire: Wire, *, resumed: bool, lost: tuple[Publish, ...] = ()) -> None:
        """The Session goes on, or another has begun and ``lost`` were under way: everybody hears of it."""
        if self.ended:
            wire.close()  # nobody has any more use for it
            return
        now = trio.current_time()
        if not self.has_connected:
            self.nursery.start_soon(self._sheltered, self._timekeeping, self.outgoing.keep_time)
            if self.committer is not None:
                self.nursery.start_soon(self._sheltered, self._storing, partial(self._keep_stored, self.committer))
        self.has_connected = True
        self._resting = False
        if self.state is not ClientState.CLOSING:
            self.watch.move(ClientState.OPEN)
        self.subscriptions.connected(wire.connection, now, resumed=resumed, doubtful=self.doubtful)
        self.doubtful = False
        self.outgoing.connected(wire.connection, now, lost=lost)
        self.dispatcher.connected(resumed=resumed)
        self.watch.tell(Connected(session_present=resumed))
        wire.settled.set()

    async def _keep_stored(self, committer: Committer) -> None:
        """Store what no write waits for: messages that wait, and acknowledgements while there is no connection."""
        try:
            await committer.run()
        except StoreFailed as error:
            self.end(Failure(error))
            self.pump.flush()  # which finds the same, and ends the connection

    def release(self, wire: Wire, error: Exception | None) -> None:
        """A connection that was open is over; whether there will be another follows from what ended it.

        None: by ourselves, in favour of the next one.
        """
        if wire.released:
            return
        wire.released = True
        if error is not None and (self.options.reconnect is None or self.verdict(error) is Verdict.GIVE_UP):
            self.end(Failure(error))
        elif not self.ended:
            if self.state is ClientState.OPEN:
                self.watch.move(ClientState.RECONNECTING)
            self.subscriptions.disconnected()

    def verdict(self, error: Exception) -> Verdict:
        """What the policy says about a failure.

        Session taken over is the end, or two programs would chase each other for ever; but once for a CONNECT of our
        own that had no answer, it may be that one who has come late, and not somebody else.
        """
        taken_over = isinstance(error, ServerDisconnected) and error.reason_code == ReasonCode.SESSION_TAKEN_OVER
        if self.haunted and taken_over:
            self.haunted, self._forgiven = False, error
        return Verdict.RETRY if error is self._forgiven else self.options.verdict(error)

    def end(self, failure: Failure, outcome: Failure | None = None) -> None:
        """The client is over, and the first reason counts.

        Every call that waits, and every later one, raises ``failure``; exchanges under way end with ``outcome``, by
        default the same.
        """
        if self._failure is not None:
            return
        self._failure = failure
        self.watch.move(ClientState.CLOSED)
        self.outgoing.fail(outcome or failure)
        self.subscriptions.fail(failure)
        self.dispatcher.fail(failure)
        self.watch.tell(Ended(None if outcome is not None else failure.error))

    # -- leaving ------------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """The block was left without an exception: let exchanges under way come to their end."""
        self.watch.move(ClientState.CLOSING)
        with trio.move_on_after(self.options.deadlines.linger):
            await self.outgoing.finished()

    async def leave(self, *, failed: bool) -> None:
        """Say goodbye, as far as there is anybody to say it to; ``failed`` so that the Will is published."""
        self._supervising.cancel()
        self._timekeeping.cancel()
        self._storing.cancel()
        for wire in self._wires:
            if failed and wire.connection.is_open and self.options.version == ProtocolVersion.V3_1_1:
                wire.link.abort(trio.current_time(), GOING_AWAY)
                wire.pump.flush()
            else:
                wire.close(*self._farewell(failed))
        self.end(
            Failure(trio.ClosedResourceError("the client's block was left")),
            Failure(ConnectionLost("the client was left before the exchange had ended")),
        )
        with trio.CancelScope(deadline=trio.current_time() + self.options.deadlines.linger, shield=True):
            for wire in tuple(self._wires):
                await wire.ended.wait()
        for wire in self._wires:
            wire.scope.cancel()
        if self.committer is not None:
            try:
                await self.committer.commit()  # messages may have been consumed after the last write
            except StoreFailed as failure:
                self._unstored = failure

    def _farewell(self, failed: bool) -> tuple[int, DisconnectProperties]:
        if failed:
            return ReasonCode.DISCONNECT_WITH_WILL_MESSAGE, self.farewell
        # A Session that was kept for reconnecting only, under an identifier that nobody else knows, ends with us.
        said: DisconnectProperties = {"session_expiry_interval": 0} if self.options.forgets_session else {}
        return ReasonCode.NORMAL_DISCONNECTION, said | self.farewell

    def raise_unseen_failure(self) -> None:
        """Raise that of the store, or of a message whose receipt nobody has waited for."""
        error = self._unstored or self.outgoing.unseen_failure()
        if error is not None:
            raise error

    def _acknowledge(self, publish: Publish, reason_code: int = 0, properties: Mapping[str, Any] | None = None) -> None:
        self.connection.acknowledge(publish, reason_code, properties)
        self.pump.flush()
        if self.committer is not None and not self.connection.is_open:
            self.committer.soon()
        self.regulate()

    def regulate(self) -> None:
        """3.1.1 has no Receive Maximum: a consumer that is too slow is met by not reading on.

        The Keep Alive rests meanwhile: PINGRESP may be there, only nobody looks.
        """
        full = self.dispatcher.counters.held_bytes >= self.window_bytes
        if full is self._resting:
            return
        if not full:
            self._resting = False
            self.connection.resume(trio.current_time())
            self.pump.resume()
        elif self.connection.is_open:
            self._resting = True
            self.connection.rest()
            self.pump.pause()
            self.pump.flush()  # the next ping may be nearer than the PINGRESP that was awaited
