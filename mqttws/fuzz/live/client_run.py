"""A run of a hostile Server against one Client: each misdeed is followed by a good connection."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final

import trio

from mqttws.conformance.wire.program import Program
from mqttws.fuzz.live.beside import Trouble
from mqttws.fuzz.live.hostile import IDLE, Visit, receive_visit
from mqttws.fuzz.live.minimise import Budget, minimise
from mqttws.fuzz.live.misdeeds import misdeed
from mqttws.fuzz.live.plan import Plan
from mqttws.fuzz.live.script import Moment, Script
from mqttws.fuzz.live.verdict import Finding, Findings, Symptom, Verdict, judge_client
from mqttws.fuzz.live.watch import Watch

__all__ = ["ClientRun"]

#: Connections in which we get to know the Client.
_NEW: Final = 5
#: Good connections without any CONNECT, after which the Client is given up.
_GIVE_UP: Final = 3


class ClientRun:
    """Waits for a Client on ``listener`` and does to it what the plan says.

    ``command`` starts the Client, again whenever it has left; words of it that hold ``{url}`` get our URL. Without one
    somebody else starts it, and it has to come back by itself. ``wait`` are the seconds for either, ``idle`` those
    for what it may do on its first connections. ``pid`` is its process, if that is known.
    """

    def __init__(
        self,
        listener: trio.SocketListener,
        url: str,
        plan: Plan,
        findings: Findings,
        *,
        command: Sequence[str] | None = None,
        wait: float = 30.0,
        idle: float = IDLE,
        pid: int | None = None,
        versions: Sequence[int] | None = None,
        on_progress: Callable[[ClientRun], None] = lambda _: None,
    ) -> None:
        self.url = url
        self.plan = plan
        self.findings = findings
        self.attacks = 0
        self.visits = 0
        self.starts = 0
        self.gone = False
        self.outcomes: Counter[str] = Counter()
        #: What happened in the last replay.
        self.log: list[str] = []
        self.watch = Watch(pid)
        self.versions: set[int] = set()
        self._listener = listener
        self._command = command
        self._wait = wait
        self._idle = idle
        self._only = set(versions or (4, 5))
        self._on_progress = on_progress
        self._program: Program | None = None
        self._next: trio.SocketStream | None = None
        self._offers: set[Moment] = set()
        self._nursery: trio.Nursery

    # -- the run ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Be hostile. Raises :class:`Trouble` or :class:`OSError` if no Client comes to begin with."""
        trouble: Trouble | OSError | None = None
        async with trio.open_nursery() as self._nursery:
            try:
                symptom = await self._be_good(None)
                if not self.versions:
                    raise Trouble("no Client comes" if symptom is None else symptom.text)
                await self._attack()
            except (Trouble, OSError) as error:
                trouble = error
            self._nursery.cancel_scope.cancel()
        if trouble is not None:
            raise trouble
        self._look_for_growth()
        self.findings.finish()

    async def replay(self, finding: Finding) -> Symptom | None:
        """Do a finding's misdeeds once more; what they show now. Raises as :meth:`run` does."""
        trouble: Trouble | OSError | None = None
        seen: Symptom | None = None
        async with trio.open_nursery() as self._nursery:
            try:
                for script in finding.scripts:
                    seen, visit = await self._misbehave(script)
                    self.log = visit.log
                    if seen is None and self._is_to_be_proved:
                        seen = await self._be_good(script)
                    self.attacks += 1
                if not self.visits and seen is not None:
                    raise Trouble(seen.text)
            except (Trouble, OSError) as error:
                trouble = error
            self._nursery.cancel_scope.cancel()
        if trouble is not None:
            raise trouble
        return seen

    async def _attack(self) -> None:
        plan = self.plan
        deadline = math.inf if plan.seconds is None else trio.current_time() + plan.seconds
        count = math.inf if plan.count is None else plan.count
        while self.attacks < count and trio.current_time() < deadline and not self.gone:
            next_start = trio.current_time() + 1 / plan.rate
            number, version = self.attacks, min(self.versions & self._only or self.versions)
            script = misdeed(plan.seed, number, version, self._offers)
            self.attacks += 1
            symptom, visit = await self._misbehave(script)
            if symptom is None and self._is_to_be_proved:
                symptom = await self._be_good(script)
            if symptom is not None and not (plan.lenient and symptom.verdict is Verdict.TOLERATED):
                await self._found(symptom, script, number, visit)
            self._on_progress(self)
            if len(self.findings) >= plan.most_findings:
                return
            await trio.sleep_until(next_start)

    @property
    def _is_to_be_proved(self) -> bool:
        """Whether a good connection says anything: that of a new process does not."""
        return not self.gone and (self._command is None or self._next is not None)

    async def _misbehave(self, script: Script) -> tuple[Symptom | None, Visit]:
        """One misdeed; what it has led to by itself, or to the Client's not coming back."""
        stream, symptom = await self._connection()
        if stream is None:
            return symptom, Visit()
        visit = await receive_visit(stream, script, patience=self.plan.patience)
        self._learn(visit)
        if not visit.played:
            self.outcomes["no occasion"] += 1
            return None, visit
        self.outcomes["left" if visit.closed else "stayed"] += 1
        symptom = judge_client(script, visit)
        if symptom is None:
            symptom = await self._come_back(script)
        return symptom, visit

    async def _be_good(self, after: Script | None) -> Symptom | None:
        """A good connection, which the Client has to make use of."""
        stream, symptom = await self._connection()
        if stream is None:
            return symptom
        visit = await receive_visit(
            stream, None, patience=self.plan.patience, idle=self._idle, known=self._offers if self.visits > _NEW else ()
        )
        self._learn(visit)
        self.watch.sample(self.attacks)
        kind = "a good connection" if after is None else after.kind
        if visit.nonsense:
            return Symptom(Verdict.NONSENSE, f"what it has sent is wrong: {visit.nonsense}", f"nonsense after {kind}")
        if visit.version is None and self._ended:
            return await self._crash()
        if visit.version is None:
            return Symptom(Verdict.STOPPED, "its next connection has no CONNECT", f"no CONNECT after {kind}")
        if visit.served is False:
            text = "on its next connection it does not subscribe, or not acknowledge the message that then comes"
            return Symptom(Verdict.STOPPED, text, f"no PUBACK after {kind}")
        return None

    def _learn(self, visit: Visit) -> None:
        self.visits += 1
        self._offers |= visit.offers
        if visit.version is not None:
            self.versions.add(visit.version)

    # -- the Client and its connections -----------------------------------------------------------------------------

    async def _connection(self) -> tuple[trio.SocketStream | None, Symptom | None]:
        """The Client's next connection; if it makes none, what that means."""
        waiting, self._next = self._next, None
        if waiting is not None and not self._ended:
            return waiting, None
        for _ in range(_GIVE_UP):
            if self._command is not None and (self._program is None or self._ended):
                await self._start(self._command)
            stream = await self._accept_or_end()
            if stream is not None:
                return stream, None
            if not self._ended:
                break
        self.gone = True
        said = "" if self._program is None else (await self._program.last_words()).strip()[-300:]
        text = f"no connection within {self._wait:g} s" + (f"; it has said: {said}" if said else "")
        return None, Symptom(Verdict.STOPPED, text, "no connection")

    @property
    def _ended(self) -> bool:
        """Whether the program that we have started has ended."""
        return self._program is not None and self._program.returncode is not None

    async def _start(self, command: Sequence[str]) -> None:
        with trio.move_on_after(0.01):
            while True:  # what the last one has left behind
                await trio.aclose_forcefully(await self._listener.accept())
        words = [word.replace("{url}", self.url) for word in command]
        self._program = Program(words, {"MQTTWS_URL": self.url})
        await self._program.start(self._nursery)
        self.starts += 1
        self.watch = Watch(self._program.pid)

    async def _accept_or_end(self) -> trio.SocketStream | None:
        """A connection, or None when the program has ended or the time is over."""
        accepted: list[trio.SocketStream] = []
        with trio.move_on_after(self._wait):
            async with trio.open_nursery() as nursery:

                async def accept() -> None:
                    accepted.append(await self._listener.accept())
                    nursery.cancel_scope.cancel()

                nursery.start_soon(accept)
                if self._program is not None:
                    await self._program.ended.wait()
                    nursery.cancel_scope.cancel()
        return accepted[0] if accepted else None

    async def _come_back(self, script: Script) -> Symptom | None:
        """After a misdeed the Client connects again, or leaves in an orderly way."""
        self._next = await self._accept_or_end()
        crash = await self._crash()
        if crash is not None or self._next is not None or self._ended:
            return crash
        text = f"it neither leaves nor comes back within {self._wait:g} s after its connection has ended"
        if self._program is None:
            self.gone = True
            return Symptom(Verdict.STOPPED, text, script.kind)
        await self._program.stop()
        return Symptom(Verdict.HUNG, text, script.kind)

    async def _crash(self) -> Symptom | None:
        """Whether the program has fallen over something, even if it still runs."""
        crash = "" if self._program is None else await self._program.crash()
        if not crash or self._program is None:
            return None
        self._program.forget()
        return Symptom(Verdict.DIED, f"the Client has crashed: {crash}", crash)

    # -- findings -----------------------------------------------------------------------------------------------------

    async def _found(self, symptom: Symptom, script: Script, number: int, visit: Visit) -> None:
        if self.findings.known(symptom) is not None:
            return
        shown = visit
        reproduced = None

        async def shows(smaller: Script) -> bool:
            nonlocal shown
            if self.gone:
                return False
            seen, again = await self._misbehave(smaller)
            if seen is None and self._is_to_be_proved:
                seen = await self._be_good(smaller)
            if seen is None or (seen.verdict, seen.key) != (symptom.verdict, symptom.key):
                return False
            shown = again
            return True

        if self.plan.tries and not self.gone:
            reproduced = await shows(script)
            if reproduced:
                script = await minimise(script, shows, Budget(self.plan.tries, 4 * self.plan.patience + 20))
        finding = Finding(symptom, "client", [script], number, self.plan.seed, self.url, shown.log, bytes(shown.sent))
        finding.reproduced = reproduced
        self.findings.add(finding)

    def _look_for_growth(self) -> None:
        for growth in self.watch.growth():
            symptom = Symptom(Verdict.GREW, str(growth), growth.what)
            self.findings.add(Finding(symptom, "client", [], self.attacks, self.plan.seed, self.url))

    # -- what is said about it ----------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """The run in figures, as members of a JSON object."""
        samples = self.watch.samples
        return {
            "subject": "client",
            "url": self.url,
            "seed": self.plan.seed,
            "versions": sorted(self.versions),
            "moments": sorted(moment.value for moment in self._offers),
            "attacks": self.attacks,
            "connections": self.visits,
            "starts": self.starts,
            "outcomes": dict(self.outcomes),
            "gone": self.gone,
            "memory_bytes": [samples[0].memory, samples[-1].memory] if samples else None,
            "open_files": [samples[0].files, samples[-1].files] if samples else None,
            "findings": [finding.to_json() for finding in self.findings],
        }
