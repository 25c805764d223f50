"""All checks of Clients: the kit's own correct one passes, and what is no Client is said so."""

from __future__ import annotations

import sys

import pytest
import trio
from trio.testing import trio_test

from mqttws.conformance.check import Kind, checks
from mqttws.conformance.client import subject
from mqttws.conformance.client.run import ClientUnreachable, client_checks, discover, probes_of, run_client
from mqttws.conformance.client.subject import open_subject
from mqttws.conformance.runner import Plan, run_checks
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.trial_client import try_client
from tests.conformance.client.trying import V5, V311

OURS = [sys.executable, "-m", "mqttws", "conform", "subject", "{url}"]


def test_the_correct_client_passes_every_check() -> None:
    results = try_client(checks(Kind.CLIENT))
    wrong = {one.check: one.reason for one in results if one.verdict not in (Verdict.PASSED, Verdict.NOT_TESTED)}
    assert not wrong
    assert len([one for one in results if one.verdict is Verdict.PASSED]) > 250


def test_checks_are_chosen_by_pattern_and_version() -> None:
    assert {one.name for one in client_checks(["takes_a_text_frame"])} == {"takes_a_text_frame"}
    assert {one.version for one in client_checks(versions=[V311])} == {V311}


@trio_test
async def test_a_client_that_is_a_program_is_checked() -> None:
    with trio.fail_after(120):
        told: list[str] = []
        results = await run_client(
            OURS, only=["3.14"], versions=[V5], plan=Plan(at_once=2), progress=lambda one, *_: told.append(one.check)
        )
    assert {one.verdict for one in results} == {Verdict.PASSED}
    assert sorted(told) == sorted(one.check for one in results)


@trio_test
async def test_a_program_that_is_no_client_is_unreachable() -> None:
    with trio.fail_after(120):
        with pytest.raises(ClientUnreachable, match=r"MQTT 5\.0: .*MQTT 3.1.1: .*ended with status 1"):
            await run_client([sys.executable, "-c", "raise SystemExit(1)"], only=["3.14"])
        with pytest.raises(OSError, match="No such file"):
            await run_client(["/nowhere/client", "{url}"], only=["3.14"])


@trio_test
async def test_a_program_that_never_connects_is_not_waited_for_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "STARTING", 3.0)
    monkeypatch.setattr(subject, "FIRST_PATIENCE", 1.0)
    with trio.fail_after(60), pytest.raises(ClientUnreachable, match=r"MQTT 5\.0: .* 3 s.*MQTT 3\.1\.1: .* 1 s"):
        await run_client([sys.executable, "-c", "import sys; sys.stdin.read()", "{url}"], only=["3.14"])


@trio_test
async def test_a_version_that_is_not_spoken_is_not_applicable() -> None:
    with trio.fail_after(120):
        async with open_subject(OURS) as subject:
            await discover(subject, [V5])
            assert subject.versions == {V5}
            assert 2.0 <= subject.patience <= 15.0
            (result,) = await run_checks(client_checks(["3.1.1/connect_is_not_first"]), probes_of(subject), Plan())
    assert (result.verdict, result.reason) == (Verdict.NOT_APPLICABLE, "the Client does not speak MQTT 3.1.1")
