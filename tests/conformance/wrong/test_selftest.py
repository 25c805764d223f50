"""The selftest: what it finds in a slice of the catalogue, how it counts, and what it tells of accidents."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mqttws.codec import ConnAck
from mqttws.conformance.check import Kind
from mqttws.conformance.client.convention import Task
from mqttws.conformance.verdict import Result, Verdict
from mqttws.conformance.wrong.catalogue import catalogue
from mqttws.conformance.wrong.entry import Wrong, wrong_client, wrong_server
from mqttws.conformance.wrong.selftest import Selftest, Trial, all_checks, run_selftest, try_reference, try_wrong
from mqttws.conformance.wrong.wire_faults import editing
from mqttws.vocabulary import ProtocolVersion


@pytest.fixture(scope="module")
def slice_of_all() -> Selftest:
    """Each tenth check on the correct subjects, and each fortieth wrong one."""
    return run_selftest(every=40)


def test_correct_subjects_fail_nothing(slice_of_all: Selftest) -> None:
    assert set(slice_of_all.references) == {
        "server full", "server limited", "server qos 0 only", "server one at a time", "server accounts",
        "client reference", "codec core",
    }  # fmt: skip
    assert slice_of_all.accused == []


def test_wrong_subjects_are_caught(slice_of_all: Selftest) -> None:
    assert slice_of_all.trials
    assert [trial.name for trial in slice_of_all.survivors] == []
    assert slice_of_all.kill_rate == 1.0


def test_the_members_of_its_json_say_the_same(slice_of_all: Selftest) -> None:
    members = json.loads(json.dumps(slice_of_all.to_json()))
    assert members["wrong"] == members["caught"] == len(slice_of_all.trials)
    assert members["accused"] == {}
    assert members["statements"]["5.0"] == sorted(slice_of_all.proven(ProtocolVersion.V5))


def trial(name: str, *failed: str, others: tuple[str, ...] = (), accidents: tuple[str, ...] = ()) -> Trial:
    proven = ((5, "MQTT-3.1.0-2"), (5, "RFC 6455, 5.1")) if failed else ()
    return Trial(name, Kind.CODEC, "It is wrong.", ("some", "checks"), failed, others, proven, accidents, 0.1)


def test_a_subject_that_no_check_about_it_catches_survives() -> None:
    found = Selftest(trials=[trial("one", "a"), trial("two"), trial("three", others=("b",)), trial("four", "a")])
    assert [one.name for one in found.survivors] == ["two", "three"]
    assert [one.name for one in found.others] == ["three"]
    assert found.kill_rate == 0.5


def test_who_fails_because_of_an_accident_is_not_caught() -> None:
    found = Selftest(trials=[trial("one", "a", accidents=("Error: oh",))])
    assert [one.name for one in found.survivors] == ["one"]
    assert found.proven(ProtocolVersion.V5) == set()


def test_nothing_tried_is_nothing_missed() -> None:
    assert Selftest().kill_rate == 1.0
    assert Selftest().unfailed() == []


def test_statements_count_once_and_by_version() -> None:
    found = Selftest(trials=[trial("one", "a"), trial("two", "b")])
    assert found.proven(ProtocolVersion.V5) == {"MQTT-3.1.0-2"}
    assert found.proven(ProtocolVersion.V3_1_1) == set()


def test_checks_that_nobody_fails_are_listed() -> None:
    ids = [check.id for check in all_checks(Kind.CODEC)]
    found = Selftest(trials=[trial("one", *ids[1:])])
    assert [check.id for check in found.unfailed()] == ids[:1]


def test_a_correct_subject_is_accused_by_what_does_not_pass() -> None:
    result = try_reference(Kind.CODEC, "core", every=50)[0]
    bad: list[Result] = [replace(result, verdict=verdict) for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)]
    assert Selftest(references={"one": [result, *bad]}).accused == [("one", bad[0]), ("one", bad[1])]


def test_a_pattern_names_subjects_or_statements() -> None:
    by_name = run_selftest([Kind.CODEC], only=["5.0_refuses_publish"])
    assert [one.name for one in by_name.trials] == ["5.0_refuses_publish"]
    assert by_name.references == {}
    by_rule = run_selftest([Kind.CODEC], only=["MQTT-3.3.1-4"])
    assert {one.name for one in by_rule.trials} == {"5.0_accepts_3.3.1-4", "3.1.1_accepts_3.3.1-4"}


def test_several_processes_find_the_same() -> None:
    progress: list[tuple[int, int]] = []
    only = ["5.0_refuses_p*"]
    found = run_selftest([Kind.CODEC], only=only, jobs=2, progress=lambda done, total: progress.append((done, total)))
    alone = run_selftest([Kind.CODEC], only=only)
    assert [(one.name, one.failed) for one in found.trials] == [(one.name, one.failed) for one in alone.trials]
    assert progress == [(done, len(found.trials)) for done in range(1, len(found.trials) + 1)]


def named(kind: Kind, name: str) -> Wrong:
    return next(one for one in catalogue(kind) if one.name == name)


def test_before_all_checks_others_may_fail() -> None:
    wrong = named(Kind.CODEC, "5.0_accepts_broken_auth")
    assert try_wrong(wrong).others == ()
    thorough = try_wrong(wrong, thorough=True)
    assert thorough.failed == try_wrong(wrong).failed
    assert all(one.startswith("codec/5.0/") for one in thorough.others)


def test_what_a_wrong_subject_falls_over_is_told() -> None:
    wrong = wrong_server(
        "falls_over", "Its proxy makes what cannot be written.", v5="MQTT-3.2.2-8",
        wire={"from_subject": editing(ConnAck, reason_code=0x1FF)},
    )  # fmt: skip
    found = try_wrong(wrong)
    assert found.accidents
    assert "Error" in found.accidents[0]
    assert not found.is_caught


def test_what_a_wrong_client_crashes_by_is_told() -> None:
    def understand(task: Task) -> Task:
        raise RuntimeError(f"no {task.name}")

    wrong = wrong_client("crashes", "It crashes.", v5="MQTT-3.1.2-4", task=understand)
    found = try_wrong(wrong, quick=True)
    assert found.accidents == ("RuntimeError: no connect",)
    assert not found.is_caught
