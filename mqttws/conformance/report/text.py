"""A report for a terminal: counts chapter by chapter, then all that is not as it should be, with its bytes."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from mqttws.conformance import statements
from mqttws.conformance.chapters import chapter_title, version_name
from mqttws.conformance.report.file import Report
from mqttws.conformance.report.transcript import brief_transcript, harmless, rules_of
from mqttws.conformance.verdict import Result, Verdict
from mqttws.notes import Paint, plain
from mqttws.vocabulary import ProtocolVersion

__all__ = ["result_lines", "text_lines"]

#: What is told in full, in this order, and how it is painted.
_TOLD: Final = {Verdict.FAILED: "bad", Verdict.INCONCLUSIVE: "open", Verdict.NOT_STRICT: "open"}
_WIDTH: Final = 118
#: Lines of a transcript; the file has all.
_TRANSCRIPT: Final = 40


def text_lines(report: Report, *, paint: Paint = plain, transcripts: bool = True) -> Iterator[str]:
    """Lines without their ends."""
    yield paint("title", harmless(f"{report.title}: {report.kind.value}, {report.date}, seed {report.seed}"))
    for version in report.versions:
        yield ""
        yield from _table(report, version, paint)
    for verdict in _TOLD:
        for result in report.results:
            if result.verdict is verdict:
                yield ""
                yield from result_lines(
                    result, paint=paint, transcript=transcripts and verdict is not Verdict.NOT_STRICT
                )
    yield ""
    counts = report.counts()
    said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict])
    yield paint("bad" if report.failed else "good", f"{len(report.results)} checks: {said or 'none was made'}")


def _table(report: Report, version: int, paint: Paint) -> Iterator[str]:
    counts = report.counts(version)
    used = [verdict for verdict in Verdict if counts[verdict]]
    chapters = [
        (chapter_title(chapter, version), Counter(result.verdict for result in results))
        for chapter, results in report.by_chapter(version)
    ]
    first = max(len(name) for name, _ in [*chapters, ("MQTT 3.1.1", counts)])
    heads = "  ".join(verdict.value for verdict in used)
    yield paint("title", f"{'MQTT ' + version_name(version):{first}}  {heads}")
    for name, row in chapters:
        yield _row(name, row, used, first)
    yield _row("all", counts, used, first)
    of = len(statements(ProtocolVersion(version)))
    decided = len({one for one in report.decided(version) if one.startswith("MQTT-")})
    yield f"{decided} of {of} statements of MQTT {version_name(version)} decided"


def _row(name: str, counts: Counter[Verdict], used: Sequence[Verdict], first: int) -> str:
    cells = (f"{counts[verdict] or '.':>{len(verdict.value)}}" for verdict in used)
    return f"{name:{first}}  {'  '.join(cells)}"


def result_lines(result: Result, *, paint: Paint = plain, transcript: bool = True) -> Iterator[str]:
    """One result in full: what was asked for, what was seen, and the packets that passed."""
    kind = _TOLD.get(result.verdict, "good")
    yield f"{paint(kind, result.verdict.value.upper())} {harmless(f'{result.check}: {result.title}')}"
    for statement, rule in rules_of(result):
        yield from _wrapped(f"{statement}: {rule}" if rule else statement, "the rule: ")
    first, *others = result.reason.splitlines() or [""]
    yield from _wrapped(first, "what was seen: ")
    yield from (f"    {harmless(line)}".rstrip() for line in others)
    if transcript:
        for line in brief_transcript(result, _TRANSCRIPT):
            yield f"  | {harmless(line)}"


def _wrapped(text: str, before: str) -> Iterator[str]:
    return iter(textwrap.wrap(harmless(text), _WIDTH, initial_indent=f"  {before}", subsequent_indent="    "))
