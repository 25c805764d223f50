"""The two clients of a run: one that publishes as planned, and one that writes down what arrives."""

from __future__ import annotations

from collections import Counter

import trio

from mqttws.client import Client, Messages, Receipt
from mqttws.codec.properties import PublishProperties
from mqttws.errors import MessageExpired, QueueFull, SessionLost
from mqttws.simulation.ledger import Delivery, Entry, Ledger, Outcome, number_of, payload_of
from mqttws.simulation.schedule import SUBSCRIBER, Planned, Schedule
from mqttws.simulation.server import SimulatedServer

__all__ = ["Publisher", "Subscriber"]


class Publisher:
    """Publishes, and writes down how each publish ends."""

    def __init__(self, client: Client, server: SimulatedServer, ledger: Ledger) -> None:
        self._client = client
        self._server = server
        self._ledger = ledger

    async def publish_all(self, schedule: Schedule) -> None:
        """Every planned message at its time; returns when each has its outcome."""
        async with trio.open_nursery() as nursery:
            for planned in schedule.messages:
                await trio.sleep_until(planned.at)
                entry = self._entry(planned)
                if planned.waits:
                    nursery.start_soon(self._publish, planned, entry)
                elif (receipt := self._publish_soon(planned, entry)) is not None:
                    nursery.start_soon(self._wait, receipt, entry)

    async def publish_one(self, topic: str, qos: int) -> Entry:
        """One message now; returns when it has its outcome."""
        planned = Planned(0, topic, qos, waits=True)
        entry = self._entry(planned)
        await self._publish(planned, entry)
        return entry

    def _entry(self, planned: Planned) -> Entry:
        session = self._server.subscribed(SUBSCRIBER, planned.topic)
        return self._ledger.publish(planned.topic, planned.qos, expires=planned.expiry is not None, session=session)

    async def _publish(self, planned: Planned, entry: Entry) -> None:
        with trio.move_on_after(planned.cancel_after if planned.cancel_after is not None else float("inf")) as scope:
            try:
                await self._client.publish(
                    planned.topic,
                    payload_of(entry.number, planned.size),
                    planned.qos,
                    properties=_properties(planned),
                )
            except Exception as error:  # noqa: BLE001 - how a publish may end is what is examined here
                self._ledger.end(entry, _outcome(entry, error), error)
            else:
                self._ledger.end(entry, Outcome.COMPLETED)
        if scope.cancelled_caught:
            self._ledger.end(entry, Outcome.CANCELLED)

    def _publish_soon(self, planned: Planned, entry: Entry) -> Receipt | None:
        try:
            receipt = self._client.publish_soon(
                planned.topic, payload_of(entry.number, planned.size), planned.qos, properties=_properties(planned)
            )
        except Exception as error:  # noqa: BLE001 - as above
            self._ledger.end(entry, _outcome(entry, error), error)
            return None
        entry.accepted = self._ledger.tell(f"{entry.number} accepted")
        return receipt

    async def _wait(self, receipt: Receipt, entry: Entry) -> None:
        try:
            await receipt.wait()
        except Exception as error:  # noqa: BLE001 - as above
            self._ledger.end(entry, _outcome(entry, error), error)
        else:
            self._ledger.end(entry, Outcome.COMPLETED)


def _properties(planned: Planned) -> PublishProperties:
    return {} if planned.expiry is None else {"message_expiry_interval": planned.expiry}


def _outcome(entry: Entry, error: Exception) -> Outcome:
    match error:
        case SessionLost() if any(number_of(message.payload) == entry.number for message in error.messages):
            return Outcome.LOST
        case MessageExpired():
            return Outcome.EXPIRED
        case QueueFull():
            return Outcome.FULL
        case _:
            return Outcome.FAILED


class Subscriber:
    """Takes what comes, and writes it down; ``pause`` is how long it needs for each message."""

    def __init__(self, ledger: Ledger, pause: float) -> None:
        self.listening = trio.CancelScope()
        self._ledger = ledger
        self._pause = pause
        self._seen: Counter[int | None] = Counter()
        self._arrived = trio.Event()

    async def listen(self, messages: Messages) -> None:
        """Consume until ``listening`` is cancelled."""
        with self.listening:
            async for message in messages:
                number = number_of(message.payload)
                self._ledger.deliver(Delivery(number, message.topic, int(message.qos), message.dup))
                self._seen[number] += 1
                self._arrived.set()
                if self._pause:
                    await trio.sleep(self._pause)

    async def has_seen(self, number: int) -> None:
        """Wait until a message has come."""
        while not self._seen[number]:
            self._arrived = trio.Event()
            await self._arrived.wait()
