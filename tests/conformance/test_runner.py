"""Running checks: each gets a verdict, whatever it raises, in the order that was asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trio
import trio.testing

from mqttws.conformance.check import Check, Kind, Run
from mqttws.conformance.runner import Plan, Runner, failed_in, faults, run_checks, select
from mqttws.conformance.verdict import (
    Broken,
    Failed,
    Inconclusive,
    NotApplicable,
    NotStrict,
    NotTested,
    Outcome,
    Result,
    Verdict,
)
from mqttws.vocabulary import ProtocolVersion


@dataclass
class Probe:
    """A probe with nothing behind it."""

    capabilities: frozenset[str] = frozenset(("retain",))
    transcript: tuple[str, ...] = ("a line",)
    log: list[str] = field(default_factory=list)


def check_of(run: Run, name: str = "one", **fields: Any) -> Check:
    members: dict[str, Any] = {
        "kind": Kind.SERVER,
        "version": ProtocolVersion.V5,
        "name": name,
        "title": "A title.",
        "statements": ("MQTT-3.1.0-1",),
        "chapter": "3.1",
        "needs": frozenset(),
        "alone": False,
    }
    return Check(run=run, **(members | fields))


@asynccontextmanager
async def plain_probe(_check: Check) -> AsyncIterator[Probe]:
    yield Probe()


def run(*checks: Check, factory: Any = plain_probe, plan: Plan | None = None, progress: Any = None) -> list[Result]:
    async def main() -> list[Result]:
        return await run_checks(checks, factory, plan, progress)

    return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def raising(problem: Exception) -> Run:
    async def run_it(_probe: Any) -> None:
        raise problem

    return run_it


async def passing(_probe: Any) -> None:
    """Does nothing, and that is enough."""


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Failed("so"), Verdict.FAILED),
        (Broken("so", "MQTT-3.1.0-1"), Verdict.FAILED),
        (Broken("so", "MQTT-3.3.1-4"), Verdict.INCONCLUSIVE),
        (Broken("so", None), Verdict.INCONCLUSIVE),
        (NotStrict("so"), Verdict.NOT_STRICT),
        (NotApplicable("so"), Verdict.NOT_APPLICABLE),
        (NotTested("so"), Verdict.NOT_TESTED),
        (Inconclusive("so"), Verdict.INCONCLUSIVE),
        (ExceptionGroup("two", [NotStrict("not so"), ExceptionGroup("", [Failed("so")])]), Verdict.FAILED),
    ],
)
def test_an_outcome_is_the_verdict(outcome: Exception, verdict: Verdict) -> None:
    (result,) = run(check_of(raising(outcome)))
    assert (result.verdict, result.reason, result.check) == (verdict, "so", "server/5.0/one")
    assert result.statements == ("MQTT-3.1.0-1",)
    assert faults([result]) == []


def test_a_check_that_returns_has_passed_and_its_transcript_is_kept_if_all_are() -> None:
    (result,) = run(check_of(passing))
    assert (result.verdict, result.reason, result.transcript) == (Verdict.PASSED, "", ())
    (result,) = run(check_of(passing), plan=Plan(keep_all=True))
    assert result.transcript == ("a line",)


def test_a_failure_has_the_transcript_of_its_check_or_one_of_its_own() -> None:
    other = Failed("elsewhere")
    other.transcript = ("another line",)
    first, second = run(check_of(raising(Failed("here"))), check_of(raising(other), "two"))
    assert first.transcript == ("a line",)
    assert second.transcript == ("another line",)


def test_a_check_that_is_wrong_itself_proves_nothing_and_is_told_apart() -> None:
    wrong = check_of(raising(KeyError("what")))
    both = check_of(raising(ExceptionGroup("two", [Failed("so"), ValueError("that")])), "two")
    results = run(wrong, both)
    assert [result.verdict for result in results] == [Verdict.INCONCLUSIVE] * 2
    assert results[0].reason.startswith("the check itself is wrong: KeyError: 'what' (line ")
    assert "ValueError: that" in results[1].reason
    assert faults(results) == results


def test_what_is_needed_and_not_offered_is_not_applicable_and_named() -> None:
    (result,) = run(check_of(raising(Failed("never run")), needs=frozenset(("retain", "will", "qos2"))))
    assert result.verdict is Verdict.NOT_APPLICABLE
    assert result.reason.endswith("qos2, will")


def test_a_factory_may_give_the_verdict_itself() -> None:
    @asynccontextmanager
    async def none(check: Check) -> AsyncIterator[Probe]:
        if check.version == ProtocolVersion.V5:
            raise NotApplicable("no such version")
        yield Probe()

    (result,) = run(check_of(passing), factory=none, plan=Plan(keep_all=True))
    assert (result.verdict, result.reason, result.transcript) == (Verdict.NOT_APPLICABLE, "no such version", ())


def test_a_check_without_an_end_is_inconclusive_after_its_time() -> None:
    async def endless(_probe: Any) -> None:
        await trio.sleep_forever()

    (result,) = run(check_of(endless), plan=Plan(check_seconds=7))
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, "it was not over after 7 s")
    assert result.seconds == 7


def test_what_the_run_does_not_reach_is_not_tested_and_passive_checks_still_judge() -> None:
    async def long(_probe: Any) -> None:
        await trio.sleep(10)

    checks = [check_of(long, str(number)) for number in range(4)]
    passive = check_of(passing, "passive", passive=True)
    results = run(*checks, passive, plan=Plan(at_once=2, seconds=15))
    assert [result.verdict for result in results] == [Verdict.PASSED] * 2 + [Verdict.NOT_TESTED] * 2 + [Verdict.PASSED]
    assert results[2].reason == "the run was over before"


def test_checks_go_on_side_by_side_but_for_those_that_want_to_be_alone_and_passive_ones_come_last() -> None:
    going: set[str] = set()
    beside: dict[str, int] = {}
    order: list[str] = []

    def counting(name: str) -> Run:
        async def run_it(_probe: Any) -> None:
            going.add(name)
            await trio.sleep(1)
            beside[name] = len(going)
            await trio.sleep(1)
            going.discard(name)
            order.append(name)

        return run_it

    named = {"last": {"passive": True}, "lonely": {"alone": True}, **{str(number): {} for number in range(6)}}
    checks = [check_of(counting(name), name, **fields) for name, fields in named.items()]
    results = run(*checks, plan=Plan(at_once=3))
    assert [result.check for result in results] == [check.id for check in checks]
    assert order[-2:] == ["lonely", "last"]
    assert beside["lonely"] == beside["last"] == 1
    assert max(beside.values()) == 3


def test_a_seed_gives_an_order_that_repeats() -> None:
    def order(seed: int) -> list[str]:
        seen: list[str] = []
        checks = [check_of(passing, str(number)) for number in range(12)]
        run(*checks, plan=Plan(at_once=1, seed=seed), progress=lambda result, *_: seen.append(result.check))
        return seen

    plain = order(0)
    assert plain == sorted(plain, key=lambda one: int(one.rpartition("/")[2]))
    assert order(3) == order(3) != plain
    assert sorted(order(3)) == sorted(plain)


def test_progress_is_told_after_each_check() -> None:
    told: list[tuple[str, int, int]] = []
    run(
        check_of(passing, "a"),
        check_of(passing, "b"),
        progress=lambda result, done, total: told.append((result.check, done, total)),
    )
    assert [count for _, *count in told] == [[1, 2], [2, 2]]


def test_a_cancelled_run_has_the_results_so_far() -> None:
    async def main() -> list[Result]:
        async def endless(_probe: Any) -> None:
            await trio.sleep_forever()

        runner = Runner([check_of(passing, "a"), check_of(endless, "b")], plain_probe, Plan(check_seconds=100))
        with trio.move_on_after(5):
            await runner.run()
        return runner.results

    results = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert [result.verdict for result in results] == [Verdict.PASSED, Verdict.NOT_TESTED]


class Slow(Probe):
    """A probe with patience."""

    patience = 3.0


@asynccontextmanager
async def patient_probe(_check: Check) -> AsyncIterator[Slow]:
    yield Slow()


def failing_until(patience: float, seconds: float) -> Run:
    """Fails after so long, unless it has that patience."""

    async def run_it(probe: Any) -> None:
        await trio.sleep(seconds)
        if probe.patience < patience:
            raise Failed("too slow")

    return run_it


def test_a_failure_that_may_be_one_of_time_counts_if_it_comes_again() -> None:
    (result,) = run(check_of(failing_until(100, 3)), factory=patient_probe)
    assert (result.verdict, result.reason) == (Verdict.FAILED, "too slow")


def test_a_failure_that_does_not_come_again_with_more_time_proves_nothing() -> None:
    (result,) = run(check_of(failing_until(6, 3)), factory=patient_probe)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.reason == "it failed at first (too slow), but not when it was tried again (passed)"
    assert result.transcript == ("a line",)

    async def whatever(probe: Any) -> None:
        await trio.sleep(2)
        raise Failed("late") if probe.patience == 3 else NotTested("gone")

    (result,) = run(check_of(whatever), factory=patient_probe)
    assert result.reason.endswith("(not tested: gone)")


def test_who_wants_to_be_alone_is_alone_when_tried_again() -> None:
    going: list[str] = []
    beside: list[int] = []

    def failing(name: str) -> Run:
        async def run_it(_probe: Any) -> None:
            going.append(name)
            await trio.sleep(3)
            if name == "lonely":
                beside.append(len(going))
            going.remove(name)
            raise Failed("so it is")

        return run_it

    checks = [check_of(failing("lonely"), "lonely", alone=True), *(check_of(failing(n), n) for n in "abc")]
    results = run(*checks, factory=patient_probe)
    assert {result.verdict for result in results} == {Verdict.FAILED}
    assert beside == [1, 1]


@pytest.mark.parametrize(("seconds", "plan"), [(0.1, Plan()), (3, Plan(confirm=False))])
def test_other_failures_are_not_tried_again(seconds: float, plan: Plan) -> None:
    (result,) = run(check_of(failing_until(6, seconds)), factory=patient_probe, plan=plan)
    assert (result.verdict, result.seconds) == (Verdict.FAILED, seconds)


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ([], ["a_one", "b_two", "a_one"]),
        (["a_*"], ["a_one", "a_one"]),
        (["server/5.0/*"], ["a_one", "b_two"]),
        (["5.0"], ["a_one", "b_two"]),
        (["3.1.1"], ["a_one"]),
        (["3.1"], ["a_one"]),
        (["5.0/3.*"], ["a_one", "b_two"]),
        (["MQTT-3.3.1-*"], ["b_two"]),
        (["3.1.1/MQTT-3.1.0-1", "5.0/3.3"], ["b_two", "a_one"]),
        (["nothing"], []),
    ],
)
def test_patterns_choose_by_id_name_statement_chapter_and_version(patterns: list[str], names: list[str]) -> None:
    checks = [
        check_of(passing, "a_one"),
        check_of(passing, "b_two", statements=("MQTT-3.3.1-4",), chapter="3.3"),
        check_of(passing, "a_one", version=ProtocolVersion.V3_1_1, chapter="3.2"),
    ]
    assert [check.name for check in select(checks, patterns)] == names


def test_what_an_earlier_run_has_not_settled_can_be_run_again() -> None:
    outcomes: dict[str, Outcome] = {
        "a": Failed("so"),
        "b": Inconclusive("so"),
        "c": NotTested("so"),
        "d": NotStrict(""),
    }
    checks = [check_of(raising(outcome), name) for name, outcome in outcomes.items()]
    failed = failed_in(run(*checks, check_of(passing, "e")))
    assert failed == {"server/5.0/a", "server/5.0/b"}
    assert [check.name for check in select(checks, ["5.0"], failed=failed)] == ["a", "b"]


def test_a_failure_that_there_is_no_time_to_try_again_proves_nothing() -> None:
    told: list[Result] = []

    async def main() -> Runner:
        checks = [check_of(failing_until(100, 3))]
        runner = Runner(checks, patient_probe, Plan(seconds=5), lambda result, *_: told.append(result))
        await runner.run()
        return runner

    runner = trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    (result,) = runner.results
    assert (result.verdict, runner.left) == (Verdict.INCONCLUSIVE, 1)
    assert result.reason == "it failed (too slow); the run was over before it was tried again"
    assert result.transcript == ("a line",)
    assert told == []
