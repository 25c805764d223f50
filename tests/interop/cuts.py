"""Messages through a network that cuts connections: what arrives, how often and in which order.

``python -m tests.interop.cuts --server mosquitto --server endpoint --messages 2000 --cuts 100`` takes both QoS and both
versions through at least 100 cuts each, prints a line of JSON for each run, and exits with 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import trio

from mqttws.client import Connected, Messages, Reconnect, open_client
from mqttws.client.client import Client
from mqttws.endpoint import open_endpoint
from mqttws.simulation import Fault, Kind
from mqttws.webpubsub import Roles
from tests.interop import servers
from tests.interop.faulty_proxy import ENDINGS, FaultyProxy, draw_faults, proxy_to
from tests.interop.scenarios import client_id
from tests.interop.servers import Server

#: How far the publisher may be ahead of the subscriber. mosquitto keeps 1,000 messages for one that is away.
LEAD = 200
#: What the clients let the server have under way. mosquitto 2.0.11 without a bound of its own (max_inflight_messages 0)
#: forgets at a reconnect what is under way already and exceeds the Receive Maximum, which our client answers with 0x93,
#: again and again. So its window is one that the publisher's lead cannot fill.
WINDOWS = {"mosquitto": 2 * LEAD, "endpoint": 20}
#: Bytes of each payload beyond its number.
PADDING = 100
#: Each connection ends within so many bytes.
REACH = 5_000


@dataclass(slots=True)
class Outcome:
    """What came of one run."""

    server: str
    version: int
    qos: int
    messages: int
    seed: int
    cuts: int = 0
    connections: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    unresumed: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.out_of_order or (self.qos == 2 and self.duplicated))


@asynccontextmanager
async def server_of(kind: str, folder: Path) -> AsyncIterator[Server]:
    """A server of that kind, ready."""
    if kind == "mosquitto":
        async with servers.mosquitto(folder) as server:
            yield server
    else:
        async with open_endpoint() as endpoint:
            url = endpoint.client_access_url("chat", roles=Roles.everything())
            yield Server(endpoint.port, url[url.index("/clients/") :])


async def through_cuts(
    kind: str,
    folder: Path,
    *,
    version: int,
    qos: int,
    messages: int,
    cuts: int,
    seed: int,
    endings: Mapping[Kind, int] = ENDINGS,
) -> Outcome:
    """Publish ``messages`` messages, and more until there were ``cuts`` cuts, and account for every one."""
    chance = Random(seed)
    outcome = Outcome(kind, version, qos, messages, seed)
    calm = False

    def plan() -> Sequence[Fault]:
        return () if calm else draw_faults(chance, REACH, endings)

    began = time.monotonic()
    async with server_of(kind, folder) as server, proxy_to(server.port, plan) as proxy:
        url = f"ws://127.0.0.1:{proxy.port}{server.target}"
        run = _Run(outcome, proxy, cuts)
        async with (
            run.client(url, chance) as subscriber,
            subscriber.subscribe("cuts", qos=2) as stream,
            run.client(url, chance) as publisher,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(run.listen, stream)
            await run.publish(publisher)
            calm = True
            outcome.cuts, outcome.faults = proxy.cuts, {str(kind): count for kind, count in proxy.faults.items()}
            await run.catch_up()
            nursery.cancel_scope.cancel()
    run.judge()
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


class _Run:
    """One publisher, one subscriber, and what the latter has got."""

    def __init__(self, outcome: Outcome, proxy: FaultyProxy, cuts: int) -> None:
        self._outcome = outcome
        self._proxy = proxy
        self._cuts = cuts
        self._sent = 0
        self._arrived: dict[int, int] = {}
        self._came = trio.Event()

    def client(self, url: str, chance: Random) -> Any:
        """A client that finds out quickly when nobody answers, and comes back at once."""
        version = self._outcome.version
        first = True

        def told(event: object) -> None:
            nonlocal first
            if isinstance(event, Connected):
                self._outcome.connections += 1
                self._outcome.unresumed += not first and not event.session_present
                first = False

        return open_client(
            url,
            version=version,
            client_id=client_id(),
            clean_start=None if version == 5 else False,
            session_expiry_interval=30,
            keep_alive=1,
            reconnect=Reconnect(initial=0.01, maximum=0.1, first=True, random=chance.random),
            on_event=told,
            receive_maximum=WINDOWS[self._outcome.server],
            send_queue=50,
        )

    async def listen(self, stream: Messages) -> None:
        """Take everything, and count how often each came."""
        async for message in stream:
            number = int(message.payload.split(b":")[0])
            if number not in self._arrived and self._arrived and number < max(self._arrived):
                self._outcome.out_of_order += 1
            self._arrived[number] = self._arrived.get(number, 0) + 1
            self._came.set()

    async def publish(self, client: Client) -> None:
        """Publish in a row; returns when all has been completed. More messages than asked for, if cuts are missing."""
        async with trio.open_nursery() as nursery:
            slots = trio.CapacityLimiter(50)

            async def one(number: int, task_status: trio.TaskStatus[None]) -> None:
                async with slots:
                    payload = b"%d:" % number + bytes(PADDING)
                    task_status.started()
                    await client.publish("cuts", payload, self._outcome.qos)

            while self._sent < self._outcome.messages or self._proxy.cuts < self._cuts:
                while self._sent - len(self._arrived) > LEAD:
                    self._came = trio.Event()
                    await self._came.wait()
                await nursery.start(one, self._sent)
                self._sent += 1

    async def catch_up(self) -> None:
        """Wait until everything has come, or nothing new comes for ten seconds: what is missing then is lost."""
        while len(self._arrived) < self._sent:
            self._came = trio.Event()
            with trio.move_on_after(10) as waiting:
                await self._came.wait()
            if waiting.cancelled_caught:
                return

    def judge(self) -> None:
        """Every message is accounted for."""
        self._outcome.messages = self._sent
        self._outcome.lost = self._sent - len(self._arrived)
        self._outcome.duplicated = sum(1 for times in self._arrived.values() if times > 1)


def main() -> int:
    """The long run."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.cuts", description=__doc__)
    parser.add_argument("--server", action="append", choices=("mosquitto", "endpoint"))
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    totals: Counter[bool] = Counter()
    for kind in args.server or ("mosquitto", "endpoint"):
        for version in (5, 4):
            for qos in (1, 2):
                with tempfile.TemporaryDirectory() as folder:
                    outcome = trio.run(_one, kind, Path(folder), version, qos, args)
                print(json.dumps(asdict(outcome) | {"kept": outcome.kept}), flush=True)
                totals[outcome.kept] += 1
    return 1 if totals[False] else 0


async def _one(kind: str, folder: Path, version: int, qos: int, args: argparse.Namespace) -> Outcome:
    return await through_cuts(
        kind, folder, version=version, qos=qos, messages=args.messages, cuts=args.cuts, seed=args.seed
    )


if __name__ == "__main__":
    sys.exit(main())
