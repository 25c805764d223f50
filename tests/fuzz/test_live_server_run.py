"""Runs against a Server that is good, and against ones that are wrong in one way each: exactly that is found."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import Connect, Publish
from mqttws.conformance.wire.target import Target
from mqttws.fuzz.live.attack import play
from mqttws.fuzz.live.beside import Trouble
from mqttws.fuzz.live.conversation import TOPIC, handshake, packet_step
from mqttws.fuzz.live.growth import grows_by
from mqttws.fuzz.live.plan import Plan
from mqttws.fuzz.live.scenarios import scenario
from mqttws.fuzz.live.script import Script, Step
from mqttws.fuzz.live.server_run import ServerRun
from mqttws.fuzz.live.subject import Subject
from mqttws.fuzz.live.verdict import Finding, Findings, Symptom, Verdict, load
from mqttws.fuzz.live.watch import Growth, Watch
from mqttws.vocabulary import QOS, PacketType
from tests.fuzz.subjects import serving

#: Seconds after which a test has failed.
DEADLINE = 100.0
#: Seconds for what a Server owes; only a wrong one makes us wait for them.
PATIENCE = 1.0
COUNT = 36
PLAN = Plan(count=COUNT, patience=PATIENCE, every=9, rate=10_000, tries=2)


def process(way: str) -> tuple[str, list[str]]:
    """URL and command of a Server in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return f"ws://127.0.0.1:{port}/mqtt", [sys.executable, "-m", "tests.fuzz.subjects", way, str(port)]


async def run(
    url: str, plan: Plan = PLAN, *, command: list[str] | None = None, findings: Findings | None = None
) -> ServerRun:
    """A whole run."""
    subject = Subject(await Target.find(url), patience=plan.patience, command=command)
    attack = ServerRun(subject, plan, Findings() if findings is None else findings)
    with trio.fail_after(DEADLINE):
        await attack.run()
    return attack


def verdicts(findings: Iterable[Finding]) -> set[Verdict]:
    return {finding.symptom.verdict for finding in findings}


@trio_test
async def test_a_good_server_gives_no_finding() -> None:
    progress: list[int] = []
    async with serving() as url:
        subject = Subject(await Target.find(url), patience=20)
        attack = ServerRun(
            subject, replace(PLAN, patience=20), Findings(), lambda so_far: progress.append(so_far.attacks)
        )
        await attack.run()
    summary = attack.summary()
    assert summary["findings"] == []
    assert (summary["attacks"], summary["versions"], summary["gone"]) == (COUNT, [5, 4], False)
    assert sum(summary["outcomes"].values()) == COUNT
    assert 0 < summary["slowest_round_trip_seconds"] < 20
    assert progress == list(range(1, COUNT + 1))


@pytest.mark.parametrize(
    ("way", "verdict"),
    [
        pytest.param("hangs", Verdict.HUNG, marks=pytest.mark.whole),
        ("tolerates", Verdict.TOLERATED),
        ("loses", Verdict.LOST),
        pytest.param("refuses", Verdict.LOST, marks=pytest.mark.whole),
        pytest.param("drops-others", Verdict.STOPPED, marks=pytest.mark.whole),
        ("talks-nonsense", Verdict.NONSENSE),
    ],
)
@trio_test
async def test_what_is_wrong_with_a_server_is_found_and_nothing_else(way: str, verdict: Verdict) -> None:
    async with serving(way) as url:
        # a replay that shows that nothing comes takes all our patience
        attack = await run(url, replace(PLAN, tries=1 if verdict is Verdict.HUNG else 12))
    assert verdicts(attack.findings) == {verdict}
    assert not attack.gone
    for finding in attack.findings:
        assert finding.scripts
        assert finding.url == url
        assert finding.reproduced
        if verdict in (Verdict.LOST, Verdict.STOPPED):
            assert "publish" in finding.symptom.key.lower()
            assert len(finding.scripts) == 1


@pytest.mark.whole
@trio_test
async def test_a_server_that_dies_is_started_again_and_the_attack_found(tmp_path: Path) -> None:
    url, command = process("falls")
    findings = Findings(tmp_path)
    attack = await run(url, replace(PLAN, patience=20), command=command, findings=findings)
    (finding,) = findings
    assert (finding.symptom.verdict, finding.symptom.key, finding.reproduced) == (Verdict.DIED, "KeyError: 7", True)
    assert "publish" in finding.scripts[0].kind.lower()
    assert attack.subject.restarts >= 2
    path = findings.path_of(finding)
    assert path is not None
    async with serving() as url:
        again = ServerRun(Subject(await Target.find(url), patience=20), PLAN, Findings())
        assert await again.replay(load(path)) is None
        assert again.log
    async with serving("hangs") as url:
        again = ServerRun(Subject(await Target.find(url), patience=20), replace(PLAN, patience=0.3), Findings())
        seen = await again.replay(load(path))
        assert seen is not None
        assert seen.verdict is Verdict.HUNG


@trio_test
async def test_a_death_can_be_replayed_too() -> None:
    greeting = packet_step(Connect(client_id="c", keep_alive=60), 5, PacketType.CONNACK)
    both_qos_bits = Step("PUBLISH", bytes.fromhex("3606 0001 61 0001 00"), spoiled=True)
    fatal = Script("both QoS bits", 5, [handshake(), greeting, both_qos_bits])
    finding = Finding(Symptom(Verdict.DIED, "it died", "key"), "server", [fatal, fatal], 0, 0)
    url, command = process("falls")
    again = ServerRun(Subject(await Target.find(url), patience=20, command=command), PLAN, Findings())
    seen = await again.replay(finding)
    assert seen is not None
    assert (seen.verdict, seen.key) == (Verdict.DIED, "KeyError: 7")
    with pytest.raises(Trouble, match="cannot connect"):
        await ServerRun(Subject(await Target.find(url), patience=20), PLAN, Findings()).replay(finding)


@trio_test
async def test_a_signal_that_ends_a_server_is_named() -> None:
    url, command = process("crashes")
    attack = await run(url, replace(PLAN, patience=20, tries=0, most_findings=1), command=command)
    (finding,) = attack.findings
    assert finding.symptom.text == "the process has ended: ended by SIGSEGV"
    assert len(finding.scripts) <= PLAN.every


@trio_test
async def test_what_a_server_owes_to_a_good_step_is_missed() -> None:
    script = next(script for number in range(99) if (script := scenario(0, number)).kind == "nothing wrong")
    exchange = [step for step in script.steps if step.awaits in ("101", "CONNACK")]
    exchange.append(packet_step(Publish(TOPIC, b"", QOS[1], packet_id=1), script.version, PacketType.PUBACK))
    async with serving("never-acknowledges") as url:
        trace = await play(script.with_steps(exchange), await Target.find(url), patience=0.3)
        assert trace.unanswered == "PUBACK"
    async with serving("talks-nonsense") as url:
        trace = await play(script.with_steps(exchange), await Target.find(url), patience=20)
        assert trace.nonsense


@trio_test
async def test_a_server_that_serves_nobody_any_more_is_found() -> None:
    url, command = process("stops")
    attack = await run(url, replace(PLAN, tries=0, most_findings=1), command=command)
    assert verdicts(attack.findings) == {Verdict.STOPPED}


@trio_test
async def test_a_server_that_dies_for_good_ends_the_run() -> None:
    url, command = process("falls")
    async with trio.open_nursery() as nursery:
        server = await nursery.start(start_process, command)
        while True:
            try:
                attack = await run(url)
            except Trouble:  # it does not listen yet
                await trio.sleep(0.05)
            else:
                break
        nursery.cancel_scope.cancel()
    (finding,) = attack.findings
    assert finding.symptom.verdict is Verdict.DIED
    assert finding.symptom.text == "nobody listens any more"
    assert (attack.gone, finding.reproduced) == (True, None)
    assert len(finding.scripts) <= PLAN.every
    assert attack.attacks < COUNT
    assert server.returncode == 1


async def start_process(command: list[str], task_status: trio.TaskStatus[trio.Process]) -> None:
    process = await trio.lowlevel.open_process(command, stderr=-3)
    task_status.started(process)
    try:
        await process.wait()
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()


@pytest.mark.parametrize(("way", "what"), [("leaks", "memory"), ("leaks-files", "files")])
@trio_test
async def test_a_server_that_leaks_grows(way: str, what: str) -> None:
    url, command = process(way)
    attack = await run(url, replace(PLAN, count=90, every=5, tries=0, patience=20), command=command)
    (finding,) = attack.findings
    assert finding.symptom.verdict is Verdict.GREW
    assert finding.symptom.key.startswith(what)
    before, after = attack.summary()["memory_bytes" if what == "memory" else "open_files"]
    assert before < after


@trio_test
async def test_the_kind_of_attack_that_leaks_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mqttws.fuzz.live.growth._ROUNDS", 10)
    monkeypatch.setattr("mqttws.fuzz.live.growth._GUILTY", {"files": 5})
    url, command = process("leaks-files")
    made = [scenario(0, number) for number in range(40)]
    good = next(script for script in made if script.kind == "nothing wrong")
    bad = next(script for script in made if script.kind.startswith("mutation"))
    with trio.fail_after(DEADLINE):
        async with trio.open_nursery() as nursery:
            subject = Subject(await Target.find(url), patience=20, command=command)
            await subject.open(nursery)
            growth = Growth("files", 100, 1)

            async def blamed(*scripts: Script) -> Script | None:
                return await grows_by(growth, scripts, subject.target, subject.watch)

            assert await blamed(good, bad, good) is bad
            assert bad.repeat == 10
            assert await blamed(good) is None
            assert await blamed(bad, bad, bad) is None
            assert await grows_by(growth, [good], subject.target, Watch(None)) is None
            finding = Finding(Symptom(Verdict.GREW, "it grew", "files"), "server", [bad], 0, 0)
            nursery.cancel_scope.cancel()
    url, command = process("leaks-files")
    again = ServerRun(Subject(await Target.find(url), patience=20, command=command), PLAN, Findings())
    seen = await again.replay(finding)
    assert seen is not None
    assert (seen.verdict, seen.key) == (Verdict.GREW, "files")


@trio_test
async def test_a_run_is_bounded_by_time_and_by_findings() -> None:
    async with serving("talks-nonsense") as url:
        attack = await run(url, replace(PLAN, most_findings=1, tries=0))
        assert len(attack.findings) == 1
        assert next(iter(attack.findings)).reproduced is None
        assert attack.attacks < COUNT
    async with serving() as url:
        attack = await run(url, replace(PLAN, count=None, seconds=0.5, patience=20))
        assert 0 < attack.attacks < 2_000


@trio_test
async def test_what_a_lenient_run_tolerates_is_no_finding() -> None:
    async with serving("tolerates") as url:
        attack = await run(url, replace(PLAN, lenient=True))
    assert verdicts(attack.findings) == set()


@trio_test
async def test_a_server_that_serves_nobody_to_begin_with_is_no_subject() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(Trouble, match=r"CONNACK|disconnected"):
            await run(f"ws://127.0.0.1:{port}/", replace(PLAN, patience=0.2))
    with pytest.raises(Trouble, match="cannot connect"):
        await run(f"ws://127.0.0.1:{port}/")
    with pytest.raises(Trouble, match="does not listen at the URL"):
        await run(f"ws://127.0.0.1:{port}/", command=[sys.executable, "-c", "print('bad option')"])
    with pytest.raises(OSError, match="program"):
        await run(f"ws://127.0.0.1:{port}/", command=["/no/such/program"])


@trio_test
async def test_an_attack_on_nobody_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    trace = await play(scenario(0, 0), await Target.find(f"ws://127.0.0.1:{port}/"))
    assert "cannot connect" in trace.refused
