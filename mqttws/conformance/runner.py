"""Running checks: which of them, how many at a time, and what becomes of each."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import trio

from mqttws.conformance.chapters import version_name
from mqttws.conformance.check import Check
from mqttws.conformance.verdict import Broken, NotApplicable, Outcome, Result, Verdict
from mqttws.vocabulary import ProtocolVersion

__all__ = [
    "ConnectedProbe",
    "Plan",
    "Probe",
    "ProbeFactory",
    "Progress",
    "Runner",
    "closed_within",
    "failed_in",
    "faults",
    "probes",
    "run_checks",
    "select",
]

#: How the reason begins where a check has raised what no check may raise.
_FAULT: Final = "the check itself is wrong: "
#: Which one counts if a check has raised several at once.
_WEIGHT: Final = (
    Verdict.FAILED,
    Verdict.INCONCLUSIVE,
    Verdict.NOT_STRICT,
    Verdict.NOT_APPLICABLE,
    Verdict.NOT_TESTED,
)
#: Verdicts whose evidence is kept in any case.
_TELLING: Final = frozenset((Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_STRICT))


class Probe(Protocol):
    """What the runner needs to know of a probe."""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the subject offers."""

    @property
    def transcript(self) -> tuple[str, ...]:
        """What has passed so far."""


class ConnectedProbe(Probe, Protocol):
    """One that holds connections, or a program."""

    async def close(self) -> None:
        """Let go of them, after a farewell."""


_Connected = TypeVar("_Connected", bound=ConnectedProbe)

#: Makes the probe of one check, closed when the block is left. It may raise an :class:`Outcome` in its place.
ProbeFactory: TypeAlias = Callable[[Check], AbstractAsyncContextManager[Any]]
#: Told after each check: its result, how many are done, and how many there are.
Progress: TypeAlias = Callable[[Result, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How to run.

    ``at_once`` checks go on side by side, ``check_seconds`` are for one, ``seconds`` for all of them. A ``seed`` other
    than 0 changes their order. ``keep_all`` keeps the transcripts of checks that have passed, too. ``confirm``: a
    failure that may be one of time, on either side, counts only if it comes again at the end, when twice the time is
    given.
    """

    at_once: int = 8
    check_seconds: float = 30.0
    seconds: float = 180.0
    seed: int = 0
    keep_all: bool = False
    confirm: bool = True


@asynccontextmanager
async def closed_within(probe: _Connected, seconds: float) -> AsyncIterator[_Connected]:
    """A probe that says its farewells when the block is left, however that is, within so many seconds."""
    try:
        yield probe
    finally:
        with trio.move_on_after(seconds, shield=True):
            await probe.close()


def probes(
    make: Callable[[Check], ConnectedProbe], speaks: Callable[[ProtocolVersion], bool], *, farewell: float
) -> ProbeFactory:
    """For the runner: a probe for each check of a version that the subject ``speaks``, with seconds for farewells."""

    @asynccontextmanager
    async def probe_of(check: Check) -> AsyncIterator[ConnectedProbe]:
        if not speaks(check.version):
            who = check.kind.value.capitalize()
            raise NotApplicable(f"the {who} does not speak MQTT {version_name(check.version)}")
        async with closed_within(make(check), farewell) as probe:
            yield probe

    return probe_of


def select(
    checks: Iterable[Check],
    only: Sequence[str] = (),
    *,
    failed: Collection[str] | None = None,
    versions: Iterable[ProtocolVersion] = ProtocolVersion,
) -> Iterator[Check]:
    """The checks of some versions that any of the patterns fits; all, if there is none.

    ``failed`` are ids, of which it has to be one.

    A pattern stands for an id (``server/5.0/second_*``), its name, a statement, a chapter, a version, or one of the
    latter behind a version (``5.0/MQTT-3.3.1-4``, ``3.1.1/3.8``).
    """
    spoken = frozenset(versions)
    for check in checks:
        if check.version not in spoken or (failed is not None and check.id not in failed):
            continue
        version = version_name(check.version)
        parts = (check.name, check.chapter, *check.statements)
        words = (check.id, version, *parts, *(f"{version}/{part}" for part in parts))
        if not only or any(fnmatchcase(word, pattern) for word in words for pattern in only):
            yield check


def failed_in(results: Iterable[Result]) -> set[str]:
    """Ids of the checks that an earlier run has not settled: failed, inconclusive."""
    return {result.check for result in results if result.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)}


def faults(results: Iterable[Result]) -> list[Result]:
    """The results of checks that are wrong themselves; they say nothing about the subject."""
    return [result for result in results if result.reason.startswith(_FAULT)]


async def run_checks(
    checks: Sequence[Check], factory: ProbeFactory, plan: Plan | None = None, progress: Progress | None = None
) -> list[Result]:
    """Run checks, and give their results in the same order; see :class:`Runner`."""
    runner = Runner(checks, factory, plan, progress)
    await runner.run()
    return runner.results


class Runner:
    """One run of checks. Its :attr:`results` can be had at any time, also when it was cancelled."""

    def __init__(
        self,
        checks: Sequence[Check],
        factory: ProbeFactory,
        plan: Plan | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.checks = checks
        self.plan = plan or Plan()
        self._factory = factory
        self._progress = progress
        self._results: dict[str, Result] = {}
        self._doubtful: dict[str, Result] = {}  # failures that have to come again

    @property
    def results(self) -> list[Result]:
        """One for each check, in their order; what was not reached is not tested.

        A failure that may be one of time, and was to come again, is inconclusive if the run was over before.
        """
        return [self._results.get(check.id) or self._unsettled(check) for check in self.checks]

    @property
    def left(self) -> int:
        """How many checks the run has not brought to an end."""
        return sum(check.id not in self._results for check in self.checks)

    def _unsettled(self, check: Check) -> Result:
        over = "the run was over before"
        first = self._doubtful.get(check.id)
        if first is None:
            return _result(check, Verdict.NOT_TESTED, over)
        return replace(
            first, verdict=Verdict.INCONCLUSIVE, reason=f"it failed ({first.reason}); {over} it was tried again"
        )

    async def run(self) -> None:
        """First those that may go on side by side, then those that want to be alone, then the passive ones.

        What has failed for want of time, perhaps, is tried again before the latter.
        """
        order = list(self.checks)
        if self.plan.seed:
            random.Random(self.plan.seed).shuffle(order)  # noqa: S311 - an order that repeats with the seed
        active = [check for check in order if not check.passive]
        with trio.move_on_after(self.plan.seconds):
            await self._side_by_side([check for check in active if not check.alone], self.plan.at_once)
            for check in active:
                if check.alone:
                    await self._one(check)
            doubtful = [check for check in active if check.id in self._doubtful]
            again = [check for check in doubtful if not check.alone]
            await self._side_by_side(again, self.plan.at_once, again=True)
            await self._side_by_side([check for check in doubtful if check.alone], 1, again=True)
        for check in order:
            if check.passive:  # takes no time
                await self._one(check)

    async def _side_by_side(self, checks: Sequence[Check], at_once: int, *, again: bool = False) -> None:
        """Run them, so many at a time, begun in their order."""
        waiting = iter(checks)

        async def work() -> None:
            for check in waiting:  # shared: each worker takes the next one
                await (self._again(check) if again else self._one(check))

        async with trio.open_nursery() as nursery:
            for _ in range(min(at_once, len(checks))):
                nursery.start_soon(work)

    async def _one(self, check: Check) -> None:
        """Run one check, whatever becomes of it."""
        result, patience = await self._carry_out(check)
        # Where no wait can have run out, time was not the matter; the shortest one is for who ends a connection late.
        is_slow = patience is not None and result.seconds >= patience / 4
        if self.plan.confirm and is_slow and result.verdict is Verdict.FAILED:
            self._doubtful[check.id] = result
        else:
            self._note(result)

    async def _again(self, check: Check) -> None:
        """Try once more what has failed."""
        first = self._doubtful[check.id]
        result, _ = await self._carry_out(check, patient=True)
        if result.verdict is not Verdict.FAILED:
            then = f"{result.verdict.value}: {result.reason}" if result.reason else result.verdict.value
            reason = f"it failed at first ({first.reason}), but not when it was tried again ({then})"
            result = replace(first, verdict=Verdict.INCONCLUSIVE, reason=reason)
        self._note(result)

    def _note(self, result: Result) -> None:
        """Keep a result, and tell of it."""
        self._results[result.check] = result
        if self._progress is not None:
            self._progress(result, len(self._results), len(self.checks))

    async def _carry_out(self, check: Check, *, patient: bool = False) -> tuple[Result, float | None]:
        """The result, and the patience that the check had; ``patient``: with twice as much."""
        began = trio.current_time()
        limit = self.plan.check_seconds * (2 if patient else 1)
        patience: float | None = None
        probe: Probe | None = None
        problem: Exception | None = None
        with trio.move_on_after(limit) as scope:
            try:
                async with self._factory(check) as probe:
                    _require(check, probe)
                    patience = _patience_of(probe, patient)
                    await check.run(probe)
            except Exception as error:  # noqa: BLE001 - whatever it is, it says something about check or subject
                problem = error
        seen = () if probe is None else probe.transcript
        verdict, reason = Verdict.PASSED, ""
        if problem is not None:
            verdict, reason, seen = _judge(check, problem, seen)
        elif scope.cancelled_caught:
            verdict, reason = Verdict.INCONCLUSIVE, f"it was not over after {limit:g} s"
        kept = seen if self.plan.keep_all or verdict in _TELLING else ()
        return _result(check, verdict, reason, kept, trio.current_time() - began), patience


def _patience_of(probe: Any, patient: bool) -> float | None:
    """Seconds that the subject has for what it owes, if the probe knows such a thing; twice as many if need be."""
    patience: float | None = getattr(probe, "patience", None)
    if patience is not None and patient:
        patience = probe.patience = 2 * patience
    return patience


def _result(
    check: Check, verdict: Verdict, reason: str, transcript: tuple[str, ...] = (), seconds: float = 0.0
) -> Result:
    return Result(
        check.id,
        int(check.version),
        check.statements,
        check.chapter,
        check.title,
        verdict,
        reason,
        transcript,
        seconds,
    )


def _require(check: Check, probe: Probe) -> None:
    """What a check needs has to be there."""
    missing = sorted(check.needs - probe.capabilities)
    if missing:
        raise NotApplicable(f"it needs what the subject does not offer: {', '.join(missing)}")


def _judge(check: Check, problem: Exception, seen: tuple[str, ...]) -> tuple[Verdict, str, tuple[str, ...]]:
    leaves = list(_leaves(problem))
    outcomes = [leaf for leaf in leaves if isinstance(leaf, Outcome)]
    if len(outcomes) < len(leaves):
        other = next(leaf for leaf in leaves if not isinstance(leaf, Outcome))
        return Verdict.INCONCLUSIVE, f"{_FAULT}{type(other).__name__}: {other}{_place(other)}", seen
    verdict, outcome = min(((_verdict(check, one), one) for one in outcomes), key=lambda pair: _WEIGHT.index(pair[0]))
    return verdict, str(outcome), seen if outcome.transcript is None else outcome.transcript


def _verdict(check: Check, outcome: Outcome) -> Verdict:
    """A packet that breaks a rule by itself is held against the checks that are about this rule, and no others."""
    if isinstance(outcome, Broken) and outcome.rule in check.statements:
        return Verdict.FAILED
    return outcome.verdict


def _place(error: BaseException) -> str:
    """Where it was raised: the innermost place."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "" if at is None else f" (line {at.tb_lineno} of {at.tb_frame.f_code.co_name})"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
