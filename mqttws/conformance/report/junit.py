"""Reports as JUnit XML, which every CI service shows: a suite for each chapter, a case for each check."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from mqttws.conformance.chapters import chapter_title, version_name
from mqttws.conformance.report.file import Report
from mqttws.conformance.report.transcript import brief_transcript, rules_of
from mqttws.conformance.verdict import Result, Verdict

__all__ = ["junit_xml"]

#: Characters that XML 1.0 cannot hold, not even escaped.
_NO_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SKIPPED: Final = frozenset((Verdict.NOT_APPLICABLE, Verdict.NOT_TESTED, Verdict.INCONCLUSIVE))
#: Lines of a transcript.
_TRANSCRIPT: Final = 100


def junit_xml(reports: Sequence[Report]) -> str:
    """One file for all. What is neither kept nor broken counts as skipped; what is not strict, as passed, with a word.

    A failure's type is the statement that was broken.
    """
    root = Element("testsuites", name="mqttws conform")
    for report in reports:
        for version in report.versions:
            for chapter, results in report.by_chapter(version):
                root.append(_suite(report, version, chapter, results))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(report: Report, version: int, chapter: str, results: Sequence[Result]) -> Element:
    name = f"{report.title}: MQTT {version_name(version)}, {chapter_title(chapter, version)}"
    verdicts = [result.verdict for result in results]
    suite = Element(
        "testsuite",
        name=_clean(name),
        tests=str(len(results)),
        failures=str(verdicts.count(Verdict.FAILED)),
        errors="0",
        skipped=str(sum(verdict in _SKIPPED for verdict in verdicts)),
        time=f"{sum(result.seconds for result in results):.3f}",
        timestamp=_clean(report.date),
    )
    for result in results:
        suite.append(_case(report, result))
    return suite


def _case(report: Report, result: Result) -> Element:
    place = f"{report.subject}.{report.kind.value}.{version_name(result.version)}.{result.chapter}"
    name = result.check.rpartition("/")[2]
    case = Element("testcase", classname=_clean(place), name=_clean(name), time=f"{result.seconds:.3f}")
    said = f"{result.verdict.value}: {result.reason}" if result.reason else result.verdict.value
    if result.verdict is Verdict.FAILED:
        failure = SubElement(
            case, "failure", message=_clean(result.reason or result.title), type=_clean(" ".join(result.statements))
        )
        failure.text = _clean("\n".join(_told(result)))
    elif result.verdict in _SKIPPED:
        SubElement(case, "skipped", message=_clean(said))
    elif result.verdict is Verdict.NOT_STRICT:
        SubElement(case, "system-out").text = _clean(said)
    return case


def _told(result: Result) -> Iterator[str]:
    yield result.title
    for statement, rule in rules_of(result):
        yield f"{statement}: {rule}"
    yield result.reason
    yield from brief_transcript(result, _TRANSCRIPT)


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
