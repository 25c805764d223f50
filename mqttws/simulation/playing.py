"""A schedule, played: both clients, the server and the faults in one run, and what came of it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from random import Random
from typing import Final

import trio

from mqttws.client import Client, ClientEvent, Connected, Reconnect, open_client
from mqttws.endpoint import Service
from mqttws.simulation.invariants import Facts, Finding, findings_of
from mqttws.simulation.ledger import Entry, Ledger, Outcome
from mqttws.simulation.network import Network
from mqttws.simulation.people import Publisher, Subscriber
from mqttws.simulation.running import run_repeatably
from mqttws.simulation.schedule import PUBLISHER, SUBSCRIBER, Restart, Schedule, Strike
from mqttws.simulation.server import SimulatedServer

__all__ = ["Result", "play"]

#: Simulated seconds in which a run without faults has to come to its end, whatever went wrong before.
PATIENCE: Final = 3_600.0
#: Simulated seconds in which a message has to arrive once its publish has completed and nothing goes wrong any more.
DELIVERY: Final = 300.0
#: How often a last message is tried whose Session is lost.
ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Result:
    """What one run has shown. ``digest`` names the course of events: runs with the same one were the same."""

    schedule: Schedule
    findings: tuple[Finding, ...]
    facts: Facts
    ledger: Ledger = field(repr=False)
    #: The wires of the run; none of them should outlive it.
    network: Network = field(repr=False)

    @property
    def digest(self) -> str:
        """A name for exactly this course of events."""
        return self.ledger.digest


def play(schedule: Schedule) -> Result:
    """Run a schedule, in its own time, and judge it. Raises nothing for what goes wrong in it."""
    return run_repeatably(_Play(schedule).run, schedule.seed)


class _Play:
    """One run."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._ledger = Ledger()
        self._facts = Facts()
        self._chance = Random(schedule.seed)  # noqa: S311 - the jitter of a simulated backoff
        self._known: dict[str, int] = {}

    async def run(self) -> Result:
        """Play it to the end, or until our patience is over."""
        self._server = SimulatedServer(self._service(), self._note)
        self._network = Network(self._server, self._schedule.wires)
        before = trio.lowlevel.current_statistics().tasks_living
        with trio.move_on_at(self._schedule.last_event + PATIENCE) as patience:
            try:
                await self._scene()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
                self._facts.crash = error
        self._facts.stuck = patience.cancelled_caught
        self._facts.seconds = trio.current_time()
        self._facts.tasks_left = trio.lowlevel.current_statistics().tasks_living - before
        findings = findings_of(self._ledger, self._facts)
        return Result(self._schedule, tuple(findings), self._facts, self._ledger, self._network)

    def _note(self, line: str) -> None:
        self._ledger.tell(line)

    def _service(self) -> Service:
        return Service(
            session_expiry_maximum=self._schedule.expiry,
            receive_maximum=self._schedule.server_window,
            shutdown_timeout=1.0,
        )

    async def _scene(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._server.run)
            troubles = trio.Event()
            nursery.start_soon(self._make_trouble, troubles)
            subscriber = Subscriber(self._ledger, self._schedule.pause)
            gone = trio.Event()
            await nursery.start(self._subscribe, subscriber, gone)
            async with self._client(PUBLISHER) as client:
                publisher = Publisher(client, self._server, self._ledger)
                await publisher.publish_all(self._schedule)
                await troubles.wait()
                self._network.calm()
                await self._say_last_words(publisher, subscriber)
                self._facts.unfinished = client.unfinished
            subscriber.listening.cancel()
            await gone.wait()
            self._facts.subscribers_last_session = self._server.sessions_begun(SUBSCRIBER)
            # Until the server has noticed that they are gone, and their Sessions have expired.
            await trio.sleep(2 * self._schedule.keep_alive + self._schedule.expiry + 60)
            self._facts.server_empty = self._server.is_empty
            nursery.cancel_scope.cancel()

    def _client(self, name: str) -> AbstractAsyncContextManager[Client]:
        schedule = self._schedule
        backoff = Reconnect(initial=0.2, maximum=4.0, first=True, random=self._chance.random)

        def told(event: ClientEvent) -> None:
            self._ledger.tell(f"{name}: {event}")
            if isinstance(event, Connected):
                self._connected(name, resumed=event.session_present)

        return open_client(
            self._server.url,
            version=schedule.version,
            client_id=name,
            # 3.1.1 says with one flag that the Session starts clean and that it is not to be kept.
            clean_start=None if schedule.version == 5 else False,
            session_expiry_interval=schedule.expiry,
            keep_alive=schedule.keep_alive,
            dial=self._network.line(name).dial,
            reconnect=backoff,
            on_event=told,
            receive_maximum=schedule.client_window,
            send_queue=schedule.queue,
        )

    def _connected(self, name: str, *, resumed: bool) -> None:
        """Compare what a client is told about its Session with what is so."""
        now, known = self._server.sessions_begun(name), self._known.get(name)
        self._known[name] = now
        self._facts.connections += 1
        if known is None or now == known:
            return
        if resumed:
            self._facts.masked[name] += 1
        else:
            self._facts.lost[name] += 1

    async def _subscribe(
        self, subscriber: Subscriber, gone: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            async with self._client(SUBSCRIBER) as client:
                async with client.subscribe(*self._schedule.topics, qos=2) as messages:
                    task_status.started()
                    await subscriber.listen(messages)
                self._facts.held = client.counters.held
        finally:
            gone.set()

    async def _make_trouble(self, over: trio.Event) -> None:
        """Let go wrong what is to go wrong at a certain time."""
        troubles: list[Strike | Restart] = [*self._schedule.strikes, *self._schedule.restarts]
        for trouble in sorted(troubles, key=lambda each: each.at):
            await trio.sleep_until(trouble.at)
            if isinstance(trouble, Strike):
                if self._network.line(trouble.client).strike(trouble.fault):
                    self._ledger.tell(f"{trouble.kind} of the {trouble.client}'s wire, {trouble.direction}")
            else:
                self._ledger.tell(f"server down ({trouble.ending}), {'keeps' if trouble.keeps else 'loses'} Sessions")
                await self._server.restart(trouble.ending, down=trouble.down, keeps=trouble.keeps)
                self._ledger.tell("server up")
        over.set()

    async def _say_last_words(self, publisher: Publisher, subscriber: Subscriber) -> None:
        """One more message for each topic and QoS. What is before it in the order has arrived when it does."""
        for topic in self._schedule.topics:
            for qos in (1, 2):
                for _ in range(ROUNDS):
                    entry = await publisher.publish_one(topic, qos)
                    with trio.move_on_after(DELIVERY):
                        await subscriber.has_seen(entry.number)
                        break
                    if entry.outcome is Outcome.COMPLETED and self._is_subscribed_since(entry):
                        self._facts.unheard.append(entry)
                        break
                else:
                    self._facts.unheard.append(entry)

    def _is_subscribed_since(self, entry: Entry) -> bool:
        """Whether the subscriber's Session of now was there when a message was published, so that it has to arrive."""
        return entry.session is not None and entry.session == self._server.subscribed(SUBSCRIBER, entry.topic)
