"""The file of a report: written, read again, and told from anything else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mqttws.conformance.report import FORMAT, BadReport, Report
from mqttws.conformance.verdict import Verdict
from tests.conformance.report.samples import report, result


def test_what_is_written_is_read_again() -> None:
    made = report()
    assert Report.loads(made.dumps()) == made
    assert json.loads(made.dumps())["format"] == FORMAT == "mqttws-conform-1"
    assert json.loads(made.dumps())["verdicts"]["failed"] == 2


def test_figures_are_those_of_one_version_or_of_both() -> None:
    made = report()
    assert made.failed
    assert made.versions == [5, 4]
    assert made.counts()[Verdict.FAILED] == 2
    assert made.counts(4) == {Verdict.FAILED: 1}
    assert made.title == "brokerware 1.2.3"
    assert report(release="").title == "brokerware"


def test_a_statement_is_decided_only_where_a_verdict_says_so() -> None:
    open_ones = [result(verdict) for verdict in (Verdict.NOT_TESTED, Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE)]
    assert report(*open_ones).decided(5) == set()
    assert report(result()).decided(5) == {"MQTT-3.1.0-2"}
    assert report(result()).decided(4) == set()
    assert not report(*open_ones).failed


def test_chapters_come_in_the_standards_order() -> None:
    made = report(*(result(name=chapter, chapter=chapter) for chapter in ("4.13", "3.10", "3.2", "6", "3.10")))
    assert [chapter for chapter, _ in made.by_chapter(5)] == ["3.2", "3.10", "4.13", "6"]
    assert [len(results) for _, results in made.by_chapter(5)] == [1, 2, 1, 1]


def changed(**members: Any) -> str:
    return json.dumps(json.loads(report(result()).dumps()) | members)


def with_result(**members: Any) -> str:
    return changed(results=[result().to_json() | members])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        ("[" * 200_000, "nested too deep"),
        ("[]", "no report"),
        ("3", "no report"),
        ("{}", "no report"),
        ('{"format": "mqttws-finding-1"}', "'mqttws-finding-1', not 'mqttws-conform-1'"),
        (f'{{"format": "{FORMAT}"}}', "says nothing of 'subject'"),
        (changed(kind="toaster"), "broken: 'toaster'"),
        (changed(seed="many"), "broken"),
        (changed(seed=float("inf")), "broken"),
        (changed(results=3), "broken"),
        (changed(results=[3]), "broken"),
        (changed(results={"a": 1}), "broken"),
        (changed(results=[{}]), "broken"),
        (with_result(version=3), "broken"),
        (with_result(version=float("inf")), "broken"),
        (with_result(chapter="three"), "broken: 'three' is no number of a chapter"),
        (with_result(chapter="3\x1c.1"), "broken"),
        (with_result(chapter="9" * 5_000), "broken"),
        (with_result(seconds=float("nan")), "broken: a check took nan seconds"),
        (with_result(seconds=float("inf")), "broken"),
        (with_result(verdict="splendid"), "broken"),
        (with_result(transcript=None), "broken"),
    ],
)
def test_anything_else_is_told_in_one_line(text: str | bytes, why: str) -> None:
    with pytest.raises(BadReport, match=why) as caught:
        Report.loads(text)
    assert "\n" not in str(caught.value)
