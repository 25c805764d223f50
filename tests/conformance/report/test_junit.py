"""JUnit XML, as an XML parser reads it."""

from __future__ import annotations

from xml.etree import ElementTree

from mqttws.conformance.report import junit_xml
from mqttws.conformance.verdict import Verdict
from tests.conformance.report.samples import HOSTILE, report, result


def test_suites_are_chapters_and_cases_are_checks() -> None:
    root = ElementTree.fromstring(junit_xml([report(), report(subject="other")]))
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == [
        f"{name} 1.2.3: MQTT {chapter}"
        for name in ("brokerware", "other")
        for chapter in ("5.0, 3.1 CONNECT", "3.1.1, 4.7 Topics and filters")
    ]
    first = suites[0]
    assert {name: first.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "6", "failures": "1", "errors": "0", "skipped": "3", "time": "1.500",
    }  # fmt: skip
    assert first.findall("testcase")[0].get("classname") == "brokerware.server.5.0.3.1"
    assert first.findall("testcase")[0].get("name") == "check_0"


def test_each_verdict_has_its_place() -> None:
    cases = ElementTree.fromstring(junit_xml([report()]))[0].findall("testcase")
    inside = {verdict: [child.tag for child in case] for verdict, case in zip(Verdict, cases, strict=True)}
    assert inside[Verdict.PASSED] == []
    assert inside[Verdict.FAILED] == ["failure"]
    assert inside[Verdict.NOT_STRICT] == ["system-out"]
    for verdict in (Verdict.NOT_APPLICABLE, Verdict.NOT_TESTED, Verdict.INCONCLUSIVE):
        assert inside[verdict] == ["skipped"]


def test_a_failure_holds_the_rule_and_the_packets() -> None:
    failure = ElementTree.fromstring(junit_xml([report(result(Verdict.FAILED))])).find(".//failure")
    assert failure is not None
    assert failure.get("type") == "MQTT-3.1.0-2"
    assert failure.get("message") == "what was seen is failed"
    assert "MQTT-3.1.0-2: " in (failure.text or "")
    assert "client → server  CONNECT" in (failure.text or "")


def test_what_a_subject_says_stays_text_and_what_xml_cannot_hold_is_replaced() -> None:
    made = report(result(Verdict.FAILED, reason=HOSTILE + "\0\ud800\uffff", title=HOSTILE), subject=HOSTILE)
    root = ElementTree.fromstring(junit_xml([made]).encode())
    failure = root.find(".//failure")
    assert failure is not None
    assert "<script>alert(1)</script>" in failure.get("message", "")
    assert "\x1b" not in failure.get("message", "")
    assert [element.tag for element in root.iter()] == ["testsuites", "testsuite", "testcase", "failure"]
