"""Kill publishers and consumers with SIGKILL, at every step they take, and see what becomes of their messages.

``python -m tests.client.crashes --kills 300`` does so against our endpoint and, where it is installed, mosquitto; it
prints what was killed and found, and exits with 1 if a promise was broken. The suite runs a slice of it.

What is promised to a process with a :class:`~mqttws.SQLiteStore`:

- what the store took is not lost, nothing is sent that it did not take, and at QoS 2 nothing arrives twice;
- who was told that a message is completed has it completed: the next process does not send it again;
- acknowledged when consumed, no message is lost; one may be handed over again, marked as a duplicate, if it was not
  acknowledged at the death: never more than the window;
- acknowledged on receipt, none is handed over twice at QoS 2; what waited in the process is lost, never more than the
  window's worth.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import trio

from mqttws import Client, SQLiteStore, open_client, open_endpoint
from mqttws.webpubsub import Roles
from tests.client.crashing import LAST, Job
from tests.interop.counterparts import CounterpartMissing, find_mosquitto
from tests.interop.processes import JsonLines, running
from tests.interop.servers import mosquitto

TOPIC = "crashes"
#: Messages that a process publishes, or is sent, before it dies or ends.
BATCH = 6
#: Steps that a process takes in its life, about: it is killed at each of them in turn.
LIFE = {"publish at QoS 1": 26, "publish at QoS 2": 42, "consume": 60}
#: A process that is killed by the clock lives at most so many seconds.
LONGEST = 0.12
#: What is on its way has arrived after so many seconds, or never does.
PATIENCE = 30.0


class ProcessFailed(Exception):
    """A process ended by an error of its own."""


@dataclass(slots=True)
class Report:
    """What was done to one kind of process, and what was found; the figures for the log."""

    what: str
    kills: int = 0
    ended_well: int = 0
    messages: int = 0
    received: int = 0
    #: Messages that arrived, or were handed over, more than once.
    again: int = 0
    lost: int = 0
    #: The most of either that one death has cost.
    worst: int = 0
    #: Promises that were not kept.
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            f"{self.what}: {self.kills} kills ({self.ended_well} ended before), {self.messages} messages,"
            f" {self.received} received, {self.lost} lost, {self.again} again, at most {self.worst} for one kill"
            + "".join(f"\n  BROKEN: {finding}" for finding in self.broken)
        )


@dataclass(slots=True)
class Life:
    """The lines that one process has left in the ledger."""

    lines: list[list[str]]

    def numbers(self, word: str) -> list[int]:
        """The messages that a word is said of, in order."""
        return [int(line[1]) for line in self.lines if line[0] == word]

    def has(self, word: str) -> bool:
        """Whether it has come to that."""
        return any(line[0] == word for line in self.lines)

    def handed_over(self) -> list[tuple[int, bool]]:
        """The messages that a consumer got, in order, and whether they were marked as duplicates."""
        return [(int(line[1]), line[2] == "1") for line in self.lines if line[0] == "got" and line[1] != LAST.decode()]


class Crashes:
    """A server, the processes that are killed, and what they share."""

    def __init__(self, url: str, nursery: JsonLines, folder: Path, version: int, window: int) -> None:
        self.url = url
        self.window = window
        self.folder = folder
        self.version = version
        self._nursery = nursery

    def job(self, role: str, **options: object) -> Job:
        """A job with files of its own for each kind of process."""
        name = "".join(map(str, (role, self.version, *options.values())))
        found = Job(
            role=role,
            url=self.url,
            store=str(self.folder / f"{name}.db"),
            ledger=str(self.folder / f"{name}.ledger"),
            topic=f"{TOPIC}/{name}",
            client_id=f"crashing{name}",
            version=self.version,
            window=self.window,
        )
        return replace(found, **options)  # type: ignore[arg-type]

    async def run(self, job: Job, report: Report | None = None) -> None:
        """Let one process live and die."""
        with trio.fail_after(PATIENCE):
            await self._nursery.send(asdict(job))
            code = (await self._nursery.receive())["code"]
        if code not in (0, -9):
            raise ProcessFailed(f"exit code {code}; its traceback is on standard error")
        if report is not None:
            report.kills += code == -9
            report.ended_well += code == 0

    def lives(self, job: Job) -> list[Life]:
        """The ledger, process by process."""
        found: list[Life] = []
        for line in Path(job.ledger).read_text(encoding="utf-8").splitlines():
            if line == "born":
                found.append(Life([]))
            else:
                found[-1].lines.append(line.split())
        return found


def deaths(life: str, kills: int, seed: int) -> Iterator[dict[str, object]]:
    """When to kill: three times at a step, each step in its turn, then once by the clock."""
    chance = random.Random(seed)
    steps = list(range(1, LIFE[life] + 1))
    chance.shuffle(steps)
    for number in range(kills):
        if number % 4 == 3:
            yield {"kill_after": chance.uniform(0.005, LONGEST)}
        else:
            yield {"kill_at": steps[(number - number // 4) % len(steps)]}


class Arrivals:
    """What a subscriber that nobody kills has received."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self._last = trio.Event()

    async def listen(self, client: Client, job: Job, task_status: trio.TaskStatus[None]) -> None:
        """Note everything until the last message."""
        async with client.subscribe(job.topic, qos=2) as messages:
            task_status.started()
            async for message in messages:
                if message.payload == LAST:
                    self._last.set()
                    return
                self.numbers.append(int(message.payload))

    async def complete(self) -> None:
        """Wait for the last message; whatever was sent before it has arrived then."""
        with trio.fail_after(PATIENCE):
            await self._last.wait()


async def kill_publishers(crashes: Crashes, kills: int, seed: int, qos: int = 2) -> Report:
    """Publishers die; a subscriber that does not sees what arrives."""
    report = Report(f"publishing at QoS {qos} in {crashes.version}")
    job = crashes.job("publish", qos=qos)
    arrivals, held = Arrivals(), set[int]()
    async with open_client(crashes.url, version=5) as client, trio.open_nursery() as nursery:
        await nursery.start(arrivals.listen, client, job)
        first = 0
        for death in deaths(f"publish at QoS {qos}", kills, seed):
            await crashes.run(replace(job, first=first, count=BATCH, **death), report)  # type: ignore[arg-type]
            held |= stored(job)
            first += BATCH
        await crashes.run(replace(job, first=first, count=0))
        if left := stored(job):
            report.broken.append(f"the store still holds {sorted(left)}")
        await client.publish(job.topic, LAST, qos=2)
        await arrivals.complete()
    judge_published(report, arrivals.numbers, held, crashes.lives(job), qos)
    return report


def stored(job: Job) -> set[int]:
    """The messages in a dead process's store."""
    with SQLiteStore(job.store) as store:
        state = store.load()
    if state is None:
        return set()
    return {
        int(publish.payload) for publish in (*(sent for sent, _ in state.outgoing.values()), *state.waiting.values())
    }


def judge_published(report: Report, arrived: list[int], held: set[int], lives: list[Life], qos: int) -> None:
    """Hold what has arrived against what the store took."""
    counts = Counter(arrived)
    taken = held.union(*(life.numbers("stored") for life in lives))
    report.messages, report.received = len(taken), len(counts)
    report.again, report.worst = sum(counts.values()) - len(counts), max(counts.values(), default=1) - 1
    report.lost = len(taken - counts.keys())
    if taken - counts.keys():
        report.broken.append(f"the store took {sorted(taken - counts.keys())}, which never arrived")
    if counts.keys() - taken:
        report.broken.append(f"{sorted(counts.keys() - taken)} arrived and were never stored")
    if qos == 2 and report.again:
        report.broken.append(f"{[number for number, count in counts.items() if count > 1]} arrived twice")
    for life in lives:
        ended: set[int] = set()
        for word, *values in life.lines:
            if word == "ended":
                ended.add(int(values[0]))
            elif word == "done" and int(values[0]) not in ended:
                report.broken.append(f"{values[0]} was completed before its end was stored")


async def kill_consumers(
    crashes: Crashes, kills: int, seed: int, acknowledge: str = "consumed", qos: int = 2
) -> Report:
    """Consumers die while a publisher that does not goes on; each takes up what the last has left."""
    report = Report(f"consuming at QoS {qos} in {crashes.version}, acknowledged when {acknowledge}")
    job = crashes.job("consume", acknowledge=acknowledge, qos=qos)
    number = 0
    await crashes.run(replace(job, role="subscribe"))
    async with open_client(crashes.url, version=5) as client:
        for death in deaths("consume", kills, seed):
            receipts = [client.publish_soon(job.topic, str(number + index), qos=qos) for index in range(BATCH)]
            number += BATCH
            # It waits for ever for messages that do not come, if it does not die before.
            await crashes.run(replace(job, **{"kill_after": 4 * LONGEST, **death}), report)  # type: ignore[arg-type]
            for receipt in receipts:
                await receipt.wait()
        await client.publish(job.topic, LAST, qos=qos)
        await crashes.run(job)
    report.messages = number
    judge_consumed(report, crashes.lives(job), job)
    return report


def judge_consumed(report: Report, lives: list[Life], job: Job) -> None:
    """Hold what each process was handed against what those before it were."""
    last_seen: dict[int, int] = {}
    cost: Counter[int] = Counter()
    lost = set(range(report.messages))
    for index, life in enumerate(lives):
        for message, dup in life.handed_over():
            lost.discard(message)
            if message in last_seen:
                cost[last_seen[message]] += 1
                if not dup:
                    report.broken.append(f"{message} was handed over again and is not marked as a duplicate")
            last_seen[message] = index
    taken = losses(lives)
    report.received, report.again, report.lost = len(last_seen), cost.total(), len(lost)
    report.worst = max((*cost.values(), *taken), default=0)
    for index, again in cost.items():
        if again > (bound := unacknowledged(lives[index], job)):
            report.broken.append(f"{again} messages were handed over again after one death, and not at most {bound}")
    if lost and job.acknowledge == "consumed":
        report.broken.append(f"{sorted(lost)} were lost")
    if max(taken, default=0) > job.buffer:
        report.broken.append(f"{max(taken)} messages were lost by one death")
    # Killed by the clock, a process may have taken over what it had no time to note.
    unnoted = job.buffer * sum(not life.has("killed") and not life.has("ended-well") for life in lives)
    if job.acknowledge == "received" and len(lost) > sum(taken) + unnoted:
        report.broken.append(f"{len(lost)} messages were lost, and no death accounts for more than {sum(taken)}")


def unacknowledged(life: Life, job: Job) -> int:
    """How many messages a process can have had without the Server knowing: those before whose end it has died.

    In 5.0 the window bounds them, in 3.1.1 nothing does. At QoS 2 the ledger has those that were taken over for good.
    """
    handed = len(life.handed_over())
    if job.qos == 2 and job.acknowledge == "consumed":
        handed -= len(life.numbers("taken"))
    return min(handed, job.window) if job.version == 5 else handed


def losses(lives: list[Life]) -> list[int]:
    """How many messages each death has cost for good: those that were taken over and not handed over.

    Both are counted in order of arrival, so the difference of the counts is what waited in the process.
    """
    return [
        max(0, len(life.numbers("taken")) - len(life.handed_over())) for life in lives if not life.has("ended-well")
    ]


@asynccontextmanager
async def open_crashes(server: str, version: int, folder: Path) -> AsyncIterator[Crashes]:
    """A server (``endpoint`` or ``mosquitto``) and a nursery of processes."""
    window = 4
    async with AsyncExitStack() as stack:
        if server == "endpoint":
            # Its window is smaller than a batch, so that some messages have to wait.
            endpoint = await stack.enter_async_context(open_endpoint(receive_maximum=4))
            url = endpoint.client_access_url("crashes", roles=Roles.everything())
        else:
            url = (await stack.enter_async_context(mosquitto(folder))).url
            # 2.0.11 forgets the window when it resumes a Session in the middle of QoS 2 exchanges, and is told 0x93.
            window = 100
        here = {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")))}
        command = [sys.executable, "-m", "tests.client.crashing"]
        process = await stack.enter_async_context(running(command, environment=here))
        yield Crashes(url, JsonLines(process), folder, version, window)


async def everything(server: str, kills: int, seed: int) -> list[Report]:
    """All kinds of deaths, about ``kills`` of them, against one server."""
    reports = []
    for version in (5, 4):
        with tempfile.TemporaryDirectory(prefix="mqttws-crashes-") as name:
            async with open_crashes(server, version, Path(name)) as crashes:
                share = max(1, kills // 12)
                reports += [
                    await kill_publishers(crashes, 2 * share, seed),
                    await kill_publishers(crashes, share, seed + 1, qos=1),
                    await kill_consumers(crashes, share, seed + 2),
                    await kill_consumers(crashes, share, seed + 3, qos=1),
                    await kill_consumers(crashes, share, seed + 4, "received"),
                ]
    return reports


def main() -> None:
    """The command; see the top of the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.client.crashes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kills", type=int, default=300, help="how many for each server, about (300)")
    parser.add_argument("--seed", type=int, default=1, help="which steps and moments (1)")
    parser.add_argument("--server", choices=("endpoint", "mosquitto"), action="append", help="only this one")
    options = parser.parse_args()
    broken = 0
    for server in options.server or ("endpoint", "mosquitto"):
        try:
            if server == "mosquitto":
                find_mosquitto()
        except CounterpartMissing as missing:
            print(f"{server}: skipped, {missing}")
            continue
        for report in trio.run(everything, server, options.kills, options.seed):
            print(f"{server}: {report}", flush=True)
            broken += len(report.broken)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
