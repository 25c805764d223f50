"""Who sees to it that a client has a connection: the first, and each one after another has ended."""

from __future__ import annotations

import time

import trio

from mqttws.client.access import AccessSource
from mqttws.client.failure import Failure
from mqttws.client.lifetime import Lifetime
from mqttws.client.policy import Verdict, retry_after, verdict
from mqttws.client.reconnect import Backoff
from mqttws.client.state import Disconnected
from mqttws.client.wire import dial_wire, wipe

__all__ = ["Supervisor"]


class Supervisor:
    """Connects, and connects again as long as the policy says that there is hope."""

    def __init__(self, life: Lifetime, access: AccessSource) -> None:
        self._life = life
        self._access = access
        settings = life.options.reconnect
        self._backoff = None if settings is None else Backoff(settings)
        self._first = settings is not None and settings.first
        self._asked_again = False
        self._wiped = False

    async def open(self, nursery: trio.Nursery) -> None:
        """Connect, and return when CONNACK has accepted us; raises what prevented it."""
        self._life.nursery = nursery
        if self._first:
            await self._connect(None)
        else:
            await self._attempt()
        if self._backoff is not None:
            self._life.supervise(self._supervise)

    async def _supervise(self) -> None:
        """Replace each connection that ends, until the client does."""
        life = self._life
        while True:
            await life.wire.ended.wait()
            if life.ended:
                return
            try:
                await self._connect(life.wire.error)
            except Exception as error:  # noqa: BLE001 - whatever it is, every call of the application raises it
                life.end(Failure(error))
                return

    async def _connect(self, error: Exception | None) -> None:
        """Attempt after attempt, as far as the policy goes; ``error`` is what the last one has failed with."""
        while True:
            if error is not None:
                await trio.sleep(self._delay(error))
            try:
                await self._attempt()
            except Exception as failure:  # noqa: BLE001 - the policy decides, and raises what it gives up
                error = failure
            else:
                return

    def _delay(self, error: Exception) -> float:
        """How long to wait after a failure; raises it when nothing more is to be tried."""
        assert self._backoff is not None
        now, wire = trio.current_time(), self._life.has_connected and self._life.wire
        if wire and wire.error is error and wire.opened_at is not None:
            self._backoff.ended(wire.opened_at, now)
        match verdict(error):
            case Verdict.RETRY:
                delay = self._backoff.delay(now, retry_after(error, time.time()))
                if delay is None:
                    error.add_note(f"the client has given up after {self._backoff.attempts} attempts to reconnect")
                    raise error
            case Verdict.NEW_ACCESS if self._access.renewable and not self._asked_again:
                self._asked_again = True
                delay = 0.0
            case _:
                raise error
        self._life.watch.tell(Disconnected(error, self._backoff.attempts, delay))
        return delay

    async def _attempt(self) -> None:
        """One connection, from asking where to until CONNACK; raises what it failed with."""
        life = self._life
        ticket = await self._access.ticket()
        profile = life.choose_profile(ticket.address.hub)
        connect = life.options.connect_packet(profile, resuming=life.has_connected)
        if life.options.needs_wiping and not self._wiped:
            await wipe(life.options, ticket, life.options.connect_packet(profile, wiping=True))
            self._wiped = True
        wire = await dial_wire(life.options, ticket, life.session, life.committer)
        life.start(wire)
        wire.connect(connect)
        await wire.settled.wait()
        if wire.error is not None:
            # Nobody else may use the Session before this connection has let go of it.
            await wire.ended.wait()
            raise wire.error
        self._asked_again = False
