"""Who sees to it that a client has a connection: the first, and each one after another has ended."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import trio

from mqttws.client.access import AccessSource, Ticket
from mqttws.client.failure import Failure
from mqttws.client.lifetime import Lifetime
from mqttws.client.policy import Verdict, retry_after
from mqttws.client.reconnect import Backoff, Reconnect
from mqttws.client.state import Disconnected, RenewalFailed
from mqttws.client.wire import Wire, dial_wire, wipe
from mqttws.codec.properties import AuthProperties
from mqttws.errors import AuthenticationFailed, ConnectRefused
from mqttws.vocabulary import ReasonCode

__all__ = ["Supervisor"]

#: So many redirects are followed before a connection has to hold: Servers might send a client round in a circle.
MOST_REDIRECTS = 5
#: The least seconds from one connection to the renewal of its access, however short that lives.
LEAST_LIFE = 1.0


class Supervisor:
    """Connects, and connects again as long as the policy says that there is hope."""

    def __init__(self, life: Lifetime, access: AccessSource) -> None:
        if life.options.renew_before is not None and not access.renewable:
            raise ValueError("renew_before needs a function as url: a fixed one cannot be renewed")
        self._life = life
        self._access = access
        settings = life.options.reconnect
        self._reconnects = settings is not None
        self._first = settings is not None and settings.first
        self._settings = settings or Reconnect()
        self._backoff = Backoff(self._settings)
        self._asked_again = False
        self._redirects = 0
        self._wiped = False
        #: When the access of the present connection is to be renewed, on trio's clock; again after it failed.
        self._renew_at = math.inf
        self._renewals = Backoff(self._settings)

    async def open(self, nursery: trio.Nursery) -> None:
        """Connect, and return when CONNACK has accepted us; raises what prevented it."""
        self._life.nursery = nursery
        await self._connect(None, patient=self._first)
        if self._reconnects or self._life.options.renew_before is not None:
            self._life.supervise(self._supervise)

    async def _supervise(self) -> None:
        """Replace each connection that ends, or whose access is about to expire, until the client ends."""
        life = self._life
        try:
            while True:
                wire = life.wire
                with trio.move_on_at(self._renew_at):
                    await wire.ended.wait()
                if life.ended:
                    return
                if wire.ended.is_set():
                    await self._connect(wire.error, patient=self._reconnects)
                elif (successor := await self._successor(wire)) is not None:
                    await self._hand_over(wire, *successor)
        except Exception as error:  # noqa: BLE001 - whatever it is, every call of the application raises it
            life.end(Failure(error))

    # -- one after the other ------------------------------------------------------------------------------------------

    async def _connect(self, error: Exception | None, *, patient: bool) -> None:
        """Attempt after attempt, as far as the policy goes; ``error`` is what the last one has failed with.

        Without ``patience`` only redirects lead to another attempt.
        """
        while True:
            if error is not None:
                await trio.sleep(self._delay(error, patient))
            try:
                ticket = await self._access.ticket()
                await self._greet(await self._dial(ticket), ticket)
            except Exception as failure:  # noqa: BLE001 - the policy decides, and raises what it gives up
                error = failure
            else:
                return

    def _delay(self, error: Exception, patient: bool) -> float:
        """How long to wait after a failure; raises it when nothing more is to be tried."""
        now, verdict = trio.current_time(), self._life.verdict(error)
        self._look_back(error, now)
        self._access.failed()
        if verdict is Verdict.REDIRECT and self._redirect(error):
            delay = 0.0
        elif verdict is Verdict.NEW_ACCESS and patient and self._access.renewable and not self._asked_again:
            self._asked_again = True
            delay = 0.0
        elif verdict is Verdict.RETRY and patient:
            wait = self._backoff.delay(now, retry_after(error, time.time()))
            if wait is None:
                error.add_note(f"the client has given up after {self._backoff.attempts} attempts to reconnect")
                raise error
            delay = wait
        else:
            raise error
        self._life.watch.tell(Disconnected(error, self._backoff.attempts, delay))
        return delay

    def _look_back(self, error: Exception, now: float) -> None:
        """A connection that held has shown that the Server is well: what went before counts no more."""
        if not self._life.has_connected:
            return
        wire = self._life.wire
        if wire.error is error and wire.opened_at is not None and self._backoff.ended(wire.opened_at, now):
            self._redirects = 0

    def _redirect(self, error: Exception) -> bool:
        self._redirects += 1
        reference = getattr(error, "properties", {}).get("server_reference")
        permanent = getattr(error, "reason_code", 0) == ReasonCode.SERVER_MOVED
        return self._redirects <= MOST_REDIRECTS and self._access.redirect(reference, permanent=permanent)

    # -- one connection -----------------------------------------------------------------------------------------------

    async def _dial(self, ticket: Ticket) -> Wire:
        """A wire whose handshake is on its way; what CONNECT will say is checked before."""
        life, options = self._life, self._life.options
        profile = life.choose_profile(ticket.address.hub)
        options.connect_packet(profile)
        if options.needs_wiping and not self._wiped:
            await wipe(options, ticket, options.connect_packet(profile, wiping=True))
            self._wiped = True
        wire = await dial_wire(options, ticket, life.committer)
        wire.conversation = options.conversation()
        life.start(wire)
        return wire

    async def _greet(self, wire: Wire, ticket: Ticket) -> None:
        """Send CONNECT, and return when CONNACK has accepted us; raises what ended the wire before."""
        life = self._life
        said: AuthProperties = {}
        if wire.conversation is not None:
            try:
                said = await wire.conversation.begin()
            except AuthenticationFailed:
                wire.close()
                raise
        packet = life.options.connect_packet(life.profile, resuming=life.has_connected, authentication=said)
        if not wire.connection.closed:  # it may have ended while it waited for its turn
            wire.connect(packet, life.session)
        await wire.settled.wait()
        if wire.error is not None:
            # Nobody else may use the Session before this connection has let go of it.
            await wire.ended.wait()
            if wire.upgraded and wire.opened_at is None and not isinstance(wire.error, ConnectRefused):
                life.doubtful = life.haunted = True
            raise wire.error
        self._asked_again = False
        self._renew_at = self._time_to_renew(ticket)
        self._renewals = Backoff(replace(self._settings, attempts=None, total=None))

    def _time_to_renew(self, ticket: Ticket) -> float:
        before = self._life.options.renew_before
        if before is None:
            return math.inf
        # An access that lives shorter than the time before its end is renewed half-way.
        now = trio.current_time()
        return max(ticket.expires - before, now + (ticket.expires - now) / 2, now + LEAST_LIFE)

    # -- before the access expires ------------------------------------------------------------------------------------

    async def _successor(self, wire: Wire) -> tuple[Wire, Ticket] | None:
        """A wire whose WebSocket is open, with a new access, while the present connection works on.

        None if there is none: then another attempt follows later, unless the present connection ends before.
        """
        found: Wire | None = None
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_ended, wire, nursery.cancel_scope)
            try:
                ticket = await self._access.ticket()
                found = await self._dial(ticket)
                await found.accepted.wait()
                if found.error is not None:
                    raise found.error
                return found, ticket
            except Exception as error:  # noqa: BLE001 - the present connection is still good
                failure = error
            finally:
                nursery.cancel_scope.cancel()
        if found is not None:
            found.close()
        # Behind the handler: a hook that raises would be logged with this failure and its cause, the provider's words.
        if failure is not None:
            self._put_off(failure)
        return None

    def _put_off(self, error: Exception) -> None:
        delay = self._renewals.delay(trio.current_time(), retry_after(error, time.time()))
        assert delay is not None  # it has no bounds
        self._renew_at = trio.current_time() + delay
        self._life.watch.tell(RenewalFailed(error, delay))

    async def _hand_over(self, wire: Wire, successor: Wire, ticket: Ticket) -> None:
        """DISCONNECT on the old connection, which keeps the Session; then CONNECT on the new one."""
        life = self._life
        if life.ended:  # by what the Server has said meanwhile: no CONNECT may follow, where it was session taken over
            successor.close()
            return
        wire.close()
        life.release(wire, None)
        life.watch.tell(Disconnected(None, 0, 0.0))
        await wire.ended.wait()
        failure: Exception | None = None
        try:
            await self._greet(successor, ticket)
        except Exception as error:  # noqa: BLE001 - the policy decides
            failure = error
        if failure is not None:
            await self._connect(failure, patient=self._reconnects)


async def _cancel_when_ended(wire: Wire, scope: trio.CancelScope) -> None:
    await wire.ended.wait()
    scope.cancel()
