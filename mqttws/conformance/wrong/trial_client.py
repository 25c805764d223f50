"""Clients of this process on trial: the correct one, and wrong ones, before the checks of Clients."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, cast

import trio
import trio.testing

from mqttws.codec import Auth
from mqttws.conformance.check import Check, Kind
from mqttws.conformance.client.convention import Event
from mqttws.conformance.client.probe import ClientProbe
from mqttws.conformance.client.program import ClientProgram
from mqttws.conformance.client.run import probes_of
from mqttws.conformance.client.subject import ClientSubject, Lane, Operator
from mqttws.conformance.runner import Plan, run_checks
from mqttws.conformance.verdict import Outcome, Result
from mqttws.conformance.wire.program import Hear, Program
from mqttws.conformance.wrong.entry import Wrong
from mqttws.conformance.wrong.in_process import Accidents
from mqttws.conformance.wrong.proxy import Proxy
from mqttws.conformance.wrong.reference_client import ReferenceClient
from mqttws.vocabulary import Role

__all__ = ["traffic", "try_client"]

#: Seconds of a clock that jumps: waiting costs nothing.
_PATIENCE: Final = 2.0
_PLAN: Final = Plan(check_seconds=600.0, seconds=100_000.0, at_once=4, confirm=False)


class Door(trio.abc.Listener[trio.abc.Stream]):
    """Where Clients of this process come to."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._coming, self._come = trio.open_memory_channel[trio.abc.Stream](math.inf)

    def dial(self) -> trio.abc.Stream:
        """Come; the Client's end of a connection."""
        ours, its = trio.testing.memory_stream_pair()
        self._coming.send_nowait(its)
        return ours

    async def accept(self) -> trio.abc.Stream:
        """The next connection."""
        return await self._come.receive()

    async def aclose(self) -> None:
        """Nobody comes any more."""
        await self._come.aclose()

    @property
    def socket(self) -> Door:
        """As if there were one."""
        return self

    def getsockname(self) -> tuple[str, int]:
        """A name of its own."""
        return "127.0.0.1", self._number


class _Task(Program):
    """A Client in this process where others are programs."""

    def __init__(self, hear: Hear, run: Callable[[Callable[[Event], object], Any], Any], accidents: Accidents) -> None:
        super().__init__((), hear=hear)
        self._accidents = accidents
        self._told = hear
        self._run = run
        self._scope = trio.CancelScope()
        self._lines, self._read = trio.open_memory_channel[str](math.inf)
        self._crash = ""

    async def start(self, nursery: trio.Nursery) -> None:
        """Let it run."""
        await trio.lowlevel.checkpoint()
        nursery.start_soon(self._work)

    async def _work(self) -> None:
        with self._scope:
            try:
                await self._run(lambda event: self._told(f"{event}\n".encode()), self._read)
            except Exception as error:  # noqa: BLE001 - whatever it is, it ends this Client and nothing else
                self._crash = "".join(traceback.format_exception_only(error)).strip()
                self._accidents.note(error)
        self.ended.set()

    @property
    def returncode(self) -> int | None:
        """Whether it has ended, and well."""
        return None if not self.ended.is_set() else 1 if self._crash else 0

    async def write(self, data: bytes) -> None:
        """Give it tasks."""
        for line in data.decode().splitlines():
            await self._lines.send(line)

    async def stop(self) -> None:
        """End it."""
        self._scope.cancel()
        await trio.lowlevel.checkpoint()

    async def last_words(self) -> str:
        """How it has crashed."""
        await trio.lowlevel.checkpoint()
        return self._crash

    async def crash(self) -> str:
        """The same in one line."""
        return (await self.last_words()).partition("\n")[0]

    def forget(self) -> None:
        """It has no log."""


class _Clients(ClientSubject):
    """The correct Client, or a wrong one, as often as checks want it."""

    def __init__(self, nursery: trio.Nursery, wrong: Wrong | None, accidents: Accidents) -> None:
        self._accidents = accidents
        self._doors: dict[str, Door] = {}
        self._make_tamper = None if wrong is None else wrong.tampers()
        self._understand = None if wrong is None else wrong.task
        self._clients = nursery
        super().__init__(nursery, self._make_program, Operator(str))
        self.patience = _PATIENCE

    async def add(self, host: str, port: int) -> Lane:
        """One more door."""
        del host, port
        await trio.lowlevel.checkpoint()
        door = Door(1_000 + len(self._doors))
        lane = Lane(cast("trio.SocketListener", door), self._make_program, self._operator)
        self._doors[lane.url] = door
        self._lanes.append(lane)
        return lane

    def _make_program(self, url: str) -> ClientProgram:
        program = ClientProgram(("reference",), url, patience=_PATIENCE)
        program.program = _Task(program._hear, lambda say, lines: self._client(url, say).run(lines), self._accidents)
        return program

    def _client(self, url: str, say: Callable[[Event], object]) -> ReferenceClient:
        door, make_tamper = self._doors[url], self._make_tamper

        def dial() -> trio.abc.Stream:
            if make_tamper is None:
                return door.dial()
            ours, between = trio.testing.memory_stream_pair()
            its = door.dial()
            self._clients.start_soon(
                self._accidents.survive, Proxy(make_tamper(), Role.CLIENT, its, between).run, its, between
            )
            return ours

        return ReferenceClient(dial, say, self._understand)


def try_client(checks: Sequence[Check], wrong: Wrong | None = None, accidents: Accidents | None = None) -> list[Result]:
    """Put a Client before these checks: the wrong one, or the correct one; in a trio run of its own.

    What a fault falls over is noted as ``accidents``.
    """

    async def main() -> list[Result]:
        async with trio.open_nursery() as nursery:
            subject = _Clients(nursery, wrong, accidents or Accidents())
            before = [] if wrong is None else _traffic_for(checks)
            results = await run_checks([*before, *checks], probes_of(subject), _PLAN)
            nursery.cancel_scope.cancel()
        return results[len(before) :]

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def _traffic_for(checks: Sequence[Check]) -> list[Check]:
    """Something to be seen, for checks that only look on."""
    versions = {check.version for check in checks if check.passive}
    return [
        Check(Kind.CLIENT, version, "traffic", "Everything is used once.", (), "3.1", frozenset(), False, traffic)
        for version in sorted(versions)
    ]


async def traffic(probe: ClientProbe) -> None:
    """Let the Client do everything once, whatever becomes of it."""
    for use in (_plain, _with_will, _with_properties, _authenticated):
        with suppress(Outcome):
            await use(probe)
        await probe.close()


async def _plain(probe: ClientProbe) -> None:
    visit = await probe.talk()
    for qos in (1, 2):
        with suppress(Outcome):
            await visit.deliver(visit.message(qos=qos))
    for qos in (0, 1, 2):
        with suppress(Outcome):
            await visit.accept(await probe.publish(visit, qos=qos))
    await probe.task("unsubscribe", topic_filter=visit.topic)
    await visit.end(within=1.0)
    await probe.task("disconnect")
    await visit.end(within=1.0)


async def _with_will(probe: ClientProbe) -> None:
    name = probe.name()
    visit = await probe.connect(
        will_topic=name, will_payload=b"will", will_qos=1, username="user", password=b"word", receive_maximum=10
    )
    await probe.task("subscribe", topic_filter=f"{name}/+/#", qos=1)
    await visit.end(within=1.0)
    await probe.task("disconnect", reason_code=4 if probe.is_v5 else None)
    await visit.end(within=1.0)


async def _with_properties(probe: ClientProbe) -> None:
    if not probe.is_v5:
        await (await probe.connect("", clean_start=True)).end(within=1.0)
        return
    visit = await probe.connect(properties={"topic_alias_maximum": 5})
    await probe.task("subscribe", topic_filter=f"$share/{probe.name()}/a", qos=1)
    said: Any = {"content_type": "text/plain", "response_topic": "answers", "topic_alias": 1}
    await probe.publish(visit, qos=0, **said)
    await visit.end(within=1.0)


async def _authenticated(probe: ClientProbe) -> None:
    if probe.is_v5:
        visit = await probe.open(auth_method="PLAIN", auth_data=b"data")
        await visit.send(Auth(0x18, {"authentication_method": "PLAIN"}))
        await visit.end(within=1.0)
