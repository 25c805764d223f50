"""A hostile Server against a Client that is good, and ones that are wrong in one way each: exactly that is found."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import trio_test

from mqttws.codec import Connect, Disconnect, Publish, encode
from mqttws.conformance.wire.frames import frame
from mqttws.fuzz.live.beside import Trouble
from mqttws.fuzz.live.client_run import ClientRun
from mqttws.fuzz.live.hostile import receive_visit
from mqttws.fuzz.live.plan import Plan
from mqttws.fuzz.live.script import Layer, Moment, Script, Step
from mqttws.fuzz.live.verdict import Finding, Findings, Symptom, Verdict, load
from mqttws.fuzz.live.watch import Sample
from tests.fuzz.clients import Client

DEADLINE = 100.0
COUNT = 25
IDLE = 0.03
SILENCE = Script("handshake: silence", 5, [Step("silence", b"", Layer.HTTP, spoiled=True)], Moment.HANDSHAKE)
PLAN = Plan(count=COUNT, patience=1.0, rate=10_000, tries=2, seed=2)


@asynccontextmanager
async def hostile(plan: Plan = PLAN, findings: Findings | None = None, **options: Any) -> AsyncIterator[ClientRun]:
    """A hostile Server on a free port, and nobody there yet."""
    with trio.fail_after(DEADLINE):
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with listener:
            url = f"ws://127.0.0.1:{listener.socket.getsockname()[1]}/mqtt"
            yield ClientRun(listener, url, plan, Findings() if findings is None else findings, idle=IDLE, **options)


async def run(way: str, plan: Plan = PLAN, version: int = 5, **options: Any) -> ClientRun:
    """A whole run against a Client in this process."""
    async with hostile(plan, **options) as attack, trio.open_nursery() as nursery:
        nursery.start_soon(Client(attack.url, way, version).run)
        await attack.run()
        nursery.cancel_scope.cancel()
    return attack


def command(way: str) -> list[str]:
    return [sys.executable, "-m", "tests.fuzz.clients", way, "{url}"]


def verdicts(findings: Iterable[Finding]) -> set[Verdict]:
    return {finding.symptom.verdict for finding in findings}


@pytest.mark.parametrize("version", [4, 5])
@trio_test
async def test_a_good_client_gives_no_finding(version: int) -> None:
    progress: list[int] = []
    attack = await run(
        "good", replace(PLAN, patience=20), version, on_progress=lambda so_far: progress.append(so_far.attacks)
    )
    summary = attack.summary()
    assert summary["findings"] == []
    assert (summary["attacks"], summary["versions"], summary["gone"]) == (COUNT, [version], False)
    assert summary["connections"] == 2 * COUNT + 1
    assert summary["moments"] == sorted(moment.value for moment in Moment)
    assert progress == list(range(1, COUNT + 1))


@pytest.mark.parametrize(
    ("way", "verdict"),
    [
        ("hangs", Verdict.TOLERATED),  # of a 5.0 Client the standard does not demand more
        ("tolerates", Verdict.TOLERATED),
        ("goes-deaf", Verdict.STOPPED),
        pytest.param("talks-nonsense", Verdict.NONSENSE, marks=pytest.mark.whole),
    ],
)
@trio_test
async def test_what_is_wrong_with_a_client_is_found_and_nothing_else(way: str, verdict: Verdict) -> None:
    attack = await run(way, replace(PLAN, tries=0, most_findings=1), wait=5)
    assert verdicts(attack.findings) == {verdict}
    for finding in attack.findings:
        assert finding.url == attack.url
        assert finding.scripts


@trio_test
async def test_a_client_that_does_not_come_back_ends_the_run() -> None:
    attack = await run("never-returns", replace(PLAN, patience=20), wait=0.5)
    (finding,) = attack.findings
    assert finding.symptom.verdict is Verdict.STOPPED
    assert "neither leaves nor comes back" in finding.symptom.text
    assert attack.gone


@trio_test
async def test_a_client_that_says_nothing_on_its_next_connection_has_stopped() -> None:
    async with hostile(replace(PLAN, most_findings=1, tries=0, patience=0.5)) as attack, trio.open_nursery() as nursery:
        client = Client(attack.url)
        nursery.start_soon(client.run)

        async def spoil() -> None:
            while client.connections < 4:  # noqa: ASYNC110 - the Client has no event for it
                await trio.sleep(0.001)
            client.way = "says-nothing"

        nursery.start_soon(spoil)
        await attack.run()
        nursery.cancel_scope.cancel()
    (finding,) = attack.findings
    assert finding.symptom.key.startswith("no CONNECT after")


@trio_test
async def test_a_client_that_falls_is_started_again_and_the_misdeed_found(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    plan = replace(PLAN, patience=20, most_findings=1, tries=1)
    async with hostile(plan, findings, command=command("falls")) as attack:
        await attack.run()
    (finding,) = findings
    assert (finding.symptom.verdict, finding.symptom.key, finding.reproduced) == (Verdict.DIED, "KeyError: 7", True)
    assert attack.starts >= 2
    path = findings.path_of(finding)
    assert path is not None
    again = load(path)
    async with hostile(plan, command=command("falls")) as attack:
        seen = await attack.replay(again)
        assert seen is not None
        assert seen.verdict is Verdict.DIED
    async with hostile(plan) as attack, trio.open_nursery() as nursery:
        nursery.start_soon(Client(attack.url).run)
        assert await attack.replay(again) is None
        assert attack.log
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_client_that_a_signal_ends_has_crashed() -> None:
    async with hostile(replace(PLAN, patience=20, most_findings=1, tries=0), command=command("crashes")) as attack:
        await attack.run()
    (finding,) = attack.findings
    assert finding.symptom.key == "ended by SIGSEGV"


@trio_test
async def test_a_client_that_leaves_is_started_again() -> None:
    async with hostile(replace(PLAN, count=4, patience=20), command=command("leaves")) as attack:
        await attack.run()
    assert len(attack.findings) == 0
    assert attack.starts >= 4


@pytest.mark.whole
@trio_test
async def test_a_client_that_hangs_is_stopped_and_started_again() -> None:
    plan = replace(PLAN, patience=20, most_findings=1, tries=0)
    async with hostile(plan, command=command("never-returns"), wait=5) as attack:
        await attack.run()
    (finding,) = attack.findings
    assert finding.symptom.verdict is Verdict.HUNG
    assert not attack.gone


@trio_test
async def test_without_a_client_there_is_nothing_to_try() -> None:
    async with hostile(wait=0.2) as attack:
        with pytest.raises(Trouble, match=r"no connection within 0\.2 s"):
            await attack.run()
    async with hostile(wait=5, command=[sys.executable, "-c", "print('bad option')"]) as attack:
        with pytest.raises(Trouble, match="it has said: bad option"):
            await attack.run()
    async with hostile(command=["/no/such/program"]) as attack:
        with pytest.raises(OSError, match="program"):
            await attack.run()
    async with hostile(wait=0.2) as attack:
        with pytest.raises(Trouble, match="no connection"):
            await attack.replay(Finding(Symptom(Verdict.HUNG, "it hung", "key"), "client", [SILENCE], 0, 0))
    async with hostile(replace(PLAN, patience=0.3)) as attack, trio.open_nursery() as nursery:
        nursery.start_soon(Client(attack.url, "says-nothing").run)
        with pytest.raises(Trouble, match="no CONNECT"):
            await attack.run()
        nursery.cancel_scope.cancel()


@trio_test
async def test_a_run_is_bounded_by_time_and_only_one_version_is_tried_if_that_is_asked_for() -> None:
    attack = await run("good", replace(PLAN, count=None, seconds=0.5, patience=20), versions=[4])
    assert 0 < attack.attacks < 1_000
    assert len(attack.findings) == 0


@trio_test
async def test_what_a_lenient_run_tolerates_is_no_finding() -> None:
    attack = await run("tolerates", replace(PLAN, lenient=True))
    assert len(attack.findings) == 0


@trio_test
async def test_a_client_that_grows_is_found() -> None:
    async with hostile(replace(PLAN, count=1, patience=20)) as attack, trio.open_nursery() as nursery:
        nursery.start_soon(Client(attack.url).run)
        attack.watch.samples = [Sample(10 * number, number << 20, 5) for number in range(20)]
        await attack.run()
        nursery.cancel_scope.cancel()
    (finding,) = attack.findings
    assert finding.symptom.verdict is Verdict.GREW
    assert attack.summary()["memory_bytes"] == [0, 19 << 20]


@trio_test
async def test_what_stands_behind_a_request_is_taken_whole() -> None:
    head = b"GET /mqtt HTTP/1.1\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    packets = encode(Connect(client_id="c")) + encode(Publish("a", bytes(65_536))) + encode(Disconnect())
    ours, theirs = trio.testing.memory_stream_pair()
    with trio.fail_after(DEADLINE):
        async with trio.open_nursery() as nursery:

            async def client() -> None:
                await theirs.send_all(head[:-2])
                await trio.testing.wait_all_tasks_blocked()
                await theirs.send_all(head[-2:] + frame(packets))

            nursery.start_soon(client)
            visit = await receive_visit(ours, None, patience=20.0, idle=IDLE)
    assert (visit.nonsense, visit.closed) == ("", "DISCONNECT 0x00")
