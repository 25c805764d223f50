"""The processes that ``tests.client.crashes`` has killed: a nursery of them that forks one for each job.

It reads jobs from standard input, one JSON object a line, and answers each with a line that says how the process ended.
The imports are done once, so that a job costs milliseconds. What a process has done stands in a ledger, a file to which
it appends a line at a time: that much survives SIGKILL.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import trio

from mqttws import Client, SQLiteStore, open_client, transport
from mqttws.session import Change, IncomingStored, OutgoingEnded, OutgoingStored, WaitingEnded, WaitingStored

#: A consumer that gets this payload has had everything, and ends by itself.
LAST = b"last"
#: How often the nursery looks whether a process that is to be killed after a while has ended by itself; in seconds.
GLANCE = 0.001
#: A publisher that only finishes what its store has gives up after so many seconds.
PATIENCE = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one process is to do, and when it is to die.

    ``kill_at`` counts its steps (reads, writes, commits, outcomes): at that one it kills itself. ``kill_after`` is in
    seconds from its start. Without either it ends by itself.
    """

    role: str
    url: str
    store: str
    ledger: str
    topic: str
    client_id: str
    version: int = 5
    qos: int = 2
    first: int = 0
    count: int = 0
    acknowledge: str = "consumed"
    window: int = 4
    buffer: int = 50
    kill_at: int | None = None
    kill_after: float | None = None


class Mortal:
    """One process: its ledger, and the step at which it dies."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.steps = 0
        self._ledger = os.open(job.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, word: str, *values: object) -> None:
        """One line of the ledger."""
        os.write(self._ledger, " ".join(map(str, (word, *values))).encode() + b"\n")

    def step(self) -> None:
        """Die here, if it is time."""
        self.steps += 1
        if self.steps == self.job.kill_at:
            self.note("killed")
            os.kill(os.getpid(), signal.SIGKILL)

    async def dial(self, host: str, port: int, *, secure: bool, ssl_context: ssl.SSLContext | None) -> MortalStream:
        """As :func:`mqttws.transport.dial`, but each read and write is a step."""
        return MortalStream(self, await transport.dial(host, port, secure=secure, ssl_context=ssl_context))


class MortalStream(trio.abc.Stream):
    """A stream on which a process may die before, in the middle of and after each write, and after each read."""

    def __init__(self, mortal: Mortal, stream: trio.abc.Stream) -> None:
        self._mortal = mortal
        self._stream = stream

    async def send_all(self, data: Any) -> None:
        self._mortal.step()
        await self._stream.send_all(data[: len(data) // 2])
        self._mortal.step()
        await self._stream.send_all(data[len(data) // 2 :])
        self._mortal.step()

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = bytes(await self._stream.receive_some(max_bytes))
        self._mortal.step()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class MortalStore(SQLiteStore):
    """A store with which a process may die before and after each commit; the ledger has what it took."""

    def __init__(self, mortal: Mortal) -> None:
        super().__init__(mortal.job.store)
        self._mortal = mortal
        #: What is under way, by Packet Identifier, and what waits, by number.
        self.unfinished: dict[tuple[str, int], bytes] = {}
        if (state := self.load()) is not None:
            self.unfinished |= {("sent", key): publish.payload for key, (publish, _) in state.outgoing.items()}
            self.unfinished |= {("waits", number): publish.payload for number, publish in state.waiting.items()}

    def commit(self, changes: Sequence[Change]) -> None:
        self._mortal.step()
        super().commit(changes)
        for change in changes:
            self._note(change)
        self._mortal.step()

    def _note(self, change: Change) -> None:
        if isinstance(change, OutgoingStored | WaitingStored):
            publish = change.publish
            key = ("waits", change.number) if isinstance(change, WaitingStored) else ("sent", publish.packet_id or 0)
            self.unfinished[key] = publish.payload
            self._mortal.note("stored", publish.payload.decode())
        elif isinstance(change, OutgoingEnded):
            self._mortal.note("ended", self.unfinished.pop(("sent", change.packet_id)).decode())
        elif isinstance(change, WaitingEnded):
            del self.unfinished["waits", change.number]
        elif isinstance(change, IncomingStored):
            self._mortal.note("taken", change.packet_id)


async def publish(mortal: Mortal, client: Client, store: MortalStore) -> None:
    """Publish numbers, all at once, and note which were completed; then finish what the store still has."""
    job = mortal.job
    receipts = {}
    for number in range(job.first, job.first + job.count):
        mortal.note("try", number)
        receipts[number] = client.publish_soon(job.topic, str(number), qos=job.qos)
    for number, receipt in receipts.items():
        await receipt.wait()
        mortal.step()
        mortal.note("done", number)
        mortal.step()
    with trio.fail_after(PATIENCE):
        while store.unfinished:  # noqa: ASYNC110 - exchanges of earlier processes have no receipt to wait for
            await trio.sleep(0.005)


async def subscribe(mortal: Mortal, client: Client, store: MortalStore) -> None:
    """Leave a Session behind that is subscribed."""
    async with client.subscribe(mortal.job.topic, qos=mortal.job.qos, keep=True):
        assert not store.unfinished


async def consume(mortal: Mortal, client: Client, store: MortalStore) -> None:
    """Consume until the last message, and note each as soon as it is handed over."""
    job = mortal.job
    assert not store.unfinished
    acknowledge: Any = job.acknowledge
    async with client.subscribe(
        job.topic, qos=job.qos, keep=True, acknowledge=acknowledge, buffer=job.buffer
    ) as messages:
        async for message in messages:
            mortal.step()
            mortal.note("got", message.payload.decode(), int(message.dup))
            mortal.step()
            if message.payload == LAST:
                return


ROLES = {"publish": publish, "subscribe": subscribe, "consume": consume}


async def live(job: Job) -> None:
    """What a forked process does."""
    mortal = Mortal(job)
    mortal.note("born")
    with MortalStore(mortal) as store:
        async with open_client(
            job.url,
            version=job.version,
            client_id=job.client_id,
            store=store,
            dial=mortal.dial,
            reconnect=None,
            receive_maximum=job.window,
        ) as client:
            await ROLES[job.role](mortal, client, store)
    mortal.note("ended-well", mortal.steps)


def bear(job: Job) -> int:
    """Fork, let it live, and return how it ended: 0, or the negative number of the signal that killed it."""
    born = time.monotonic()
    child = os.fork()
    if not child:
        try:
            trio.run(live, job)
        except BaseException as error:  # noqa: BLE001 - this process knows no better way to say it
            sys.excepthook(type(error), error, error.__traceback__)
            os._exit(1)
        os._exit(0)
    while True:
        # Nobody else can have its number before it was waited for, so the signal reaches it or nobody.
        ended, status = os.waitpid(child, os.WNOHANG if job.kill_after is not None else 0)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if job.kill_after is not None and time.monotonic() - born >= job.kill_after:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(GLANCE)


def main() -> None:
    """Serve jobs until standard input ends."""
    for line in sys.stdin:
        code = bear(Job(**json.loads(line)))
        print(json.dumps({"code": code}), flush=True)


if __name__ == "__main__":
    main()
