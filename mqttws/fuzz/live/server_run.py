"""A run of attacks on one Server, with good clients beside it and an eye on its process."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import trio

from mqttws.fuzz.live.attack import Trace, play, sent_by
from mqttws.fuzz.live.beside import Trouble
from mqttws.fuzz.live.growth import grows_by, rise
from mqttws.fuzz.live.minimise import Budget, minimise
from mqttws.fuzz.live.plan import Plan
from mqttws.fuzz.live.scenarios import scenario
from mqttws.fuzz.live.script import Script
from mqttws.fuzz.live.subject import Subject
from mqttws.fuzz.live.verdict import Finding, Findings, Symptom, Verdict, judge

__all__ = ["ServerRun"]


class ServerRun:
    """Attacks a Server until the plan is carried out, or the Server is gone for good (``gone``)."""

    def __init__(
        self,
        subject: Subject,
        plan: Plan,
        findings: Findings,
        on_progress: Callable[[ServerRun], None] = lambda _: None,
    ) -> None:
        self.subject = subject
        self.plan = plan
        self.findings = findings
        self.attacks = 0
        self.gone = False
        self.outcomes: Counter[str] = Counter()
        #: What happened in the last replay.
        self.log: list[str] = []
        self._on_progress = on_progress
        self._suspects: list[tuple[int, Script]] = []
        self._kinds: dict[str, Script] = {}

    async def run(self) -> None:
        """Attack. Raises :class:`Trouble` or :class:`OSError` if no good client is served to begin with."""
        trouble: Trouble | OSError | None = None
        async with trio.open_nursery() as nursery:
            try:
                await self.subject.open(nursery)
            except (Trouble, OSError) as error:
                trouble = error
            else:
                await self._attack()
                if not self.gone:
                    await self._check()
                if not self.gone:
                    await self._look_for_growth()
                await self.subject.close()
            nursery.cancel_scope.cancel()
        if trouble is not None:
            raise trouble
        self.findings.finish()

    async def replay(self, finding: Finding) -> Symptom | None:
        """Play a finding's scripts once more; what they show now. Raises as :meth:`run` does."""
        trouble: Trouble | OSError | None = None
        seen: Symptom | None = None
        async with trio.open_nursery() as nursery:
            try:
                await self.subject.open(nursery)
                seen = await self._play_again(finding)
            except (Trouble, OSError) as error:
                trouble = error
            await self.subject.close()
            nursery.cancel_scope.cancel()
        if trouble is not None:
            raise trouble
        return seen

    async def _play_again(self, finding: Finding) -> Symptom | None:
        subject = self.subject
        before = subject.watch.look()
        try:
            for script in finding.scripts:
                for _ in range(script.repeat):
                    await subject.publish()
                    trace = await play(script, subject.target, patience=self.plan.patience)
                    self.attacks += 1
                    self.log = trace.log
                    if trace.refused:
                        raise Trouble(trace.refused)
                    if (symptom := judge(script, trace)) is not None:
                        return symptom
            await subject.check(self.attacks)
        except Trouble as trouble:
            verdict, text, cause = await subject.diagnose(trouble)
            return Symptom(verdict, text, cause)
        after = subject.watch.look()
        if finding.symptom.verdict is Verdict.GREW and before is not None and after is not None:
            return rise(before, after)
        return None

    async def _attack(self) -> None:
        plan = self.plan
        deadline = math.inf if plan.seconds is None else trio.current_time() + plan.seconds
        count = math.inf if plan.count is None else plan.count
        while self.attacks < count and trio.current_time() < deadline and not self.gone:
            next_start = trio.current_time() + 1 / plan.rate
            await self._attack_once(self.attacks)
            self.attacks += 1
            if self.attacks % plan.every == 0 and not self.gone:
                await self._check()
            self._on_progress(self)
            if len(self.findings) >= plan.most_findings:
                return
            await trio.sleep_until(next_start)

    async def _attack_once(self, number: int) -> None:
        subject = self.subject
        script = scenario(self.plan.seed, number, subject.versions, maximum_qos=subject.maximum_qos)
        self._suspects.append((number, script))
        self._kinds.setdefault(script.kind, script)
        try:
            await subject.publish()
            trace = await play(script, subject.target, patience=self.plan.patience)
            if trace.refused:
                raise Trouble(f"nobody takes a connection: {trace.refused}")
            if not subject.alive:
                raise Trouble("the process has ended")
            symptom = judge(script, trace)
            if symptom is not None and symptom.verdict is Verdict.HUNG:
                await subject.check(self.attacks)  # this one only, or everybody?
        except Trouble as trouble:
            self.outcomes["trouble"] += 1
            await self._trouble(trouble)
            return
        self.outcomes[_outcome(trace)] += 1
        if symptom is not None and not (self.plan.lenient and symptom.verdict is Verdict.TOLERATED):
            await self._found(symptom, script, number, trace)

    async def _check(self) -> None:
        try:
            await self.subject.check(self.attacks)
        except Trouble as trouble:
            await self._trouble(trouble)
        else:
            self._suspects.clear()

    # -- a good client is not served, or the Server is gone -----------------------------------------------------------

    async def _trouble(self, trouble: Trouble) -> None:
        """By which of the attacks since all was well?"""
        verdict, text, cause = await self.subject.diagnose(trouble)
        suspects, self._suspects = self._suspects, []
        number = suspects[-1][0] if suspects else self.attacks
        scripts = [script for _, script in suspects]
        recovered = await self.subject.recover()
        known = self._same_kind(verdict, scripts)
        if known is not None:
            known.seen += 1
        else:
            reproduced = None
            if recovered and self.plan.tries:
                scripts, reproduced = await self._blame(scripts, verdict)
            kind = scripts[-1].kind if reproduced else "nobody knows by what"
            symptom = Symptom(verdict, text, cause or kind)
            if self.findings.known(symptom) is None:
                self._add(symptom, scripts, number, reproduced=reproduced)
        self.gone = not recovered and not await self.subject.recover()

    def _same_kind(self, verdict: Verdict, scripts: Sequence[Script]) -> Finding | None:
        """A finding that one of these attacks is known to lead to."""
        kinds = {script.kind for script in scripts}
        return next(
            (
                finding
                for finding in self.findings
                if finding.symptom.verdict is verdict and finding.reproduced and finding.scripts[-1].kind in kinds
            ),
            None,
        )

    async def _blame(self, scripts: list[Script], verdict: Verdict) -> tuple[list[Script], bool]:
        """The one attack that does it, as small as it gets; all of them if none does it alone."""
        budget = Budget(self.plan.tries, 10 * self.plan.patience + 20)
        for script in reversed(scripts):
            if not budget.take():
                break
            if await self._shows([script], verdict):
                return [await minimise(script, lambda smaller: self._shows([smaller], verdict), budget)], True
        return scripts, budget.take() and await self._shows(scripts, verdict)

    async def _shows(self, scripts: Sequence[Script], verdict: Verdict) -> bool:
        """Whether these attacks bring the Server from a good state into the same trouble; it is recovered then."""
        subject = self.subject
        if not subject.serves and not await subject.recover():
            return False
        try:
            for script in scripts:
                await subject.publish()
                trace = await play(script, subject.target, patience=self.plan.patience)
                if trace.refused:
                    raise Trouble(trace.refused)
            await subject.check(self.attacks)
        except Trouble as trouble:
            same = (await subject.diagnose(trouble))[0] is verdict
            await subject.recover()
            return same
        return False

    # -- what one attack shows by itself ------------------------------------------------------------------------------

    async def _found(self, symptom: Symptom, script: Script, number: int, trace: Trace) -> None:
        if self.findings.known(symptom) is not None:
            return
        if not self.plan.tries:
            self._add(symptom, [script], number, trace=trace)
            return
        shown = trace

        async def shows(smaller: Script) -> bool:
            nonlocal shown
            again = await play(smaller, self.subject.target, patience=self.plan.patience)
            seen = judge(smaller, again)
            if seen is None or (seen.verdict, seen.key) != (symptom.verdict, symptom.key):
                return False
            shown = again
            return True

        reproduced = await shows(script)
        if reproduced:
            script = await minimise(script, shows, Budget(self.plan.tries, 4 * self.plan.patience + 10))
        self._add(symptom, [script], number, trace=shown, reproduced=reproduced)

    def _add(
        self,
        symptom: Symptom,
        scripts: list[Script],
        number: int,
        *,
        trace: Trace | None = None,
        reproduced: bool | None = None,
    ) -> None:
        finding = Finding(symptom, "server", scripts, number, self.plan.seed, str(self.subject.target.url))
        finding.reproduced = reproduced
        if trace is not None:
            finding.log, finding.sent = trace.log, bytes(trace.sent)
        elif scripts:
            finding.sent = sent_by(scripts[-1], self.subject.target)
        self.findings.add(finding)

    async def _look_for_growth(self) -> None:
        for growth in self.subject.watch.growth():
            guilty = None
            if self.plan.tries:
                guilty = await grows_by(growth, self._kinds.values(), self.subject.target, self.subject.watch)
            kind = "no single kind of attack" if guilty is None else guilty.kind
            symptom = Symptom(Verdict.GREW, str(growth), f"{growth.what} by {kind}")
            reproduced = None if guilty is None else True
            self._add(symptom, [] if guilty is None else [guilty], self.attacks, reproduced=reproduced)

    # -- what is said about it ----------------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """The run in figures, as members of a JSON object."""
        subject, samples = self.subject, self.subject.watch.samples
        return {
            "subject": "server",
            "url": str(subject.target.url),
            "seed": self.plan.seed,
            "versions": list(subject.versions),
            "attacks": self.attacks,
            "outcomes": dict(self.outcomes),
            "restarts": subject.restarts,
            "gone": self.gone,
            "slowest_round_trip_seconds": round(subject.slowest, 4),
            "memory_bytes": [samples[0].memory, samples[-1].memory] if samples else None,
            "open_files": [samples[0].files, samples[-1].files] if samples else None,
            "findings": [finding.to_json() for finding in self.findings],
        }


def _outcome(trace: Trace) -> str:
    """How an attack was taken, for the statistics."""
    if trace.answered:
        return "went on"
    if trace.closed.startswith("HTTP"):
        return "refused by HTTP"
    return "closed" if trace.closed else "nothing owed"
