"""The Server under attack as a whole: its address, its process, and the good clients that depend on it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import trio

from mqttws.conformance.wire.program import Program
from mqttws.conformance.wire.target import Target
from mqttws.errors import MqttError
from mqttws.fuzz.live.beside import GoodClient, Pair, Trouble
from mqttws.fuzz.live.verdict import Verdict
from mqttws.fuzz.live.watch import Watch

__all__ = ["Subject"]

#: Seconds for a program that was started to listen.
_READY_SECONDS: Final = 20.0
#: Seconds for a process that is about to end.
_DYING_SECONDS: Final = 0.5


class Subject:
    """A Server. ``pid`` is its process, or ``command`` starts it here, and again whenever it has to recover.

    ``versions`` None finds out what it speaks. ``patience`` are the seconds for what it owes a good client.
    """

    def __init__(
        self,
        target: Target,
        *,
        patience: float,
        pid: int | None = None,
        command: Sequence[str] | None = None,
        versions: Sequence[int] | None = None,
        topic: str = "mqttwsfuzzpair",
    ) -> None:
        self.target = target
        self.patience = patience
        self.versions: Sequence[int] = versions or ()
        self.maximum_qos = 2
        self.restarts = 0
        #: The longest round trip of the good clients, in seconds.
        self.slowest = 0.0
        self.watch = Watch(pid)
        self._command = command
        self._topic = topic
        self._program: Program | None = None
        self._pair: Pair | None = None
        self._nursery: trio.Nursery

    async def open(self, nursery: trio.Nursery) -> None:
        """Start it, find out what it speaks, connect the good clients. Raises :class:`Trouble` or :class:`OSError`."""
        self._nursery = nursery
        if self._command is not None:
            await self._start(self._command)
        await self._find_versions()
        await self._open_pair()

    async def _start(self, command: Sequence[str]) -> None:
        self._program = Program(command)
        await self._program.start(self._nursery)
        self.watch = Watch(self._program.pid)
        with trio.move_on_after(_READY_SECONDS):
            while self._program.returncode is None:
                if await self._listens():
                    return
                await trio.sleep(0.05)
        raise Trouble(f"the command does not listen at the URL: {(await self._program.last_words())[-500:]}")

    async def _listens(self) -> bool:
        try:
            await trio.aclose_forcefully(await self.target.open())
        except MqttError:
            return False
        return True

    async def _find_versions(self) -> None:
        """Which versions welcome a good client; at least one has to."""
        welcome = []
        trouble = Trouble("there is no version to try")
        for version in self.versions or (5, 4):
            client = GoodClient(self.target, version, self.patience)
            try:
                connack = await client.open(self._nursery, "mqttwsfuzzprobe")
            except Trouble as error:
                trouble = error
                continue
            welcome.append(version)
            self.maximum_qos = min(self.maximum_qos, connack.properties.get("maximum_qos", 2))
            await client.close()
        if not welcome:
            raise trouble
        self.versions = welcome

    async def _open_pair(self) -> None:
        pair = Pair(self.target, self.versions[0], self.versions[-1], self._topic, self.patience)
        await pair.open(self._nursery)
        self._pair = pair

    @property
    def alive(self) -> bool:
        """Whether its process lives, as far as that can be seen."""
        return self.watch.alive and (self._program is None or self._program.returncode is None)

    @property
    def serves(self) -> bool:
        """Whether the good clients are connected, as far as they know."""
        return self._pair is not None

    async def publish(self) -> None:
        """One more message of the good clients. Raises :class:`Trouble`."""
        if self._pair is None:
            raise Trouble("the good clients are not connected")
        await self._pair.publish()

    async def check(self, attacks: int) -> None:
        """Are the good clients served in time, and is nothing lost? Raises :class:`Trouble`."""
        if self._pair is None:
            raise Trouble("the good clients are not connected")
        await self._pair.check()
        if not self.alive:
            raise Trouble("the process has ended")
        self.slowest = max(self.slowest, self._pair.slowest)
        self.watch.sample(attacks)

    async def recover(self) -> bool:
        """Whether good clients are served again, after a new start if that is ours to do."""
        await self.close()
        if self._command is not None and self._program is not None:
            await self._program.stop()
            self.restarts += 1
            with suppress(Trouble, OSError):
                await self._start(self._command)
        try:
            await self._open_pair()
        except Trouble:
            return False
        return True

    async def close(self) -> None:
        """The good clients go."""
        pair, self._pair = self._pair, None
        if pair is not None:
            await pair.close()

    async def diagnose(self, trouble: Trouble) -> tuple[Verdict, str, str]:
        """Verdict, words, and what tells this cause from others, if anything does."""
        with trio.move_on_after(_DYING_SECONDS):
            while self.alive:  # noqa: ASYNC110 - /proc has no event
                await trio.sleep(0.02)
        program = self._program
        if program is not None and program.returncode is not None:
            crash = await program.crash() or f"exit status {program.returncode}"
            return Verdict.DIED, f"the process has ended: {crash}", crash
        if not self.watch.alive:
            return Verdict.DIED, "the process has ended", ""
        if trouble.lost:
            return Verdict.LOST, str(trouble), ""
        if not self.watch.sees and not await self._listens():
            return Verdict.DIED, "nobody listens any more", ""
        return Verdict.STOPPED, str(trouble), ""
