"""Several subjects side by side on one HTML page that needs nothing else: chapter by chapter, a click to the bytes.

Its own style and script are all that may run there: a Content-Security-Policy names them by their hashes and forbids
everything else, so that nothing of what a subject has sent can act, whatever it looks like.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Final

from mqttws import __version__
from mqttws.conformance import statements
from mqttws.conformance.chapters import chapter_key, chapter_title, version_name
from mqttws.conformance.check import Kind
from mqttws.conformance.report.details import Details, escape
from mqttws.conformance.report.file import Report
from mqttws.conformance.verdict import Result, Verdict
from mqttws.vocabulary import ProtocolVersion

__all__ = ["html_page"]

#: Each verdict's look, sign and meaning. Nobody has to see the colour.
_LOOKS: Final = {
    Verdict.PASSED: ("passed", "✓", "it keeps the rule, in what was tried"),
    Verdict.NOT_STRICT: ("strict", "~", "what it does is allowed, but unwise"),
    Verdict.FAILED: ("failed", "✗", "it breaks the rule"),
    Verdict.NOT_APPLICABLE: ("none", "-", "the rule speaks of what it does not offer"),
    Verdict.NOT_TESTED: ("none", "·", "there was no occasion to see it"),
    Verdict.INCONCLUSIVE: ("open", "?", "what was seen proves neither"),
}
_NOTED: Final = frozenset((Verdict.FAILED, Verdict.NOT_STRICT, Verdict.INCONCLUSIVE))
_HEADINGS: Final = {Kind.SERVER: "Servers", Kind.CLIENT: "Clients", Kind.CODEC: "Codecs"}


def html_page(reports: Sequence[Report], *, title: str = "MQTT conformance") -> str:
    """The page. Subjects stand in the order given, one table for each kind and protocol version."""
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    details = Details()
    tables = "".join(part for kind in Kind for part in _kind(kind, reports, details))
    return "".join(
        (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            f"<title>{escape(title)}</title>\n<style>{style}</style></head>\n<body>",
            f"<h1>{escape(title)}</h1>\n",
            *_introduction(),
            tables,
            "<dialog><header><h2></h2><button autofocus>Close</button></header><main></main></dialog>\n",
            *details.templates(),
            f"<script>{script}</script></body></html>\n",
        )
    )


def _resource(name: str) -> str:
    return resources.files("mqttws.conformance.report").joinpath(name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _introduction() -> Iterator[str]:
    yield "<p>What each program does about each numbered rule of MQTT 3.1.1 and 5.0, as far as it was tried. "
    yield "Choose a cell for the rule in our words and, where it is not simply kept, for the bytes that passed. "
    yield f"<small>Made by mqttws {escape(__version__)}.</small></p>\n<p>"
    for verdict, (look, sign, meaning) in _LOOKS.items():
        yield f'<span class="verdict {look}">{sign} {verdict.value}</span> {meaning}. '
    yield "</p>\n<fieldset><legend>Show</legend>"
    for value, label, checked in (
        ("all", "all checks", " checked"),
        ("noted", "what somebody fails, does unwisely, or leaves open", ""),
        ("failed", "what somebody fails", ""),
    ):
        yield f'<label><input type="radio" name="show" value="{value}"{checked}> {label}</label>'
    yield '<output aria-live="polite"></output></fieldset>\n'
    yield "<noscript><p>Without scripts the tables are there, the rules and bytes behind them are not.</p></noscript>"


def _kind(kind: Kind, reports: Sequence[Report], details: Details) -> Iterator[str]:
    chosen = [(number, report) for number, report in enumerate(reports) if report.kind is kind]
    if not chosen:
        return
    yield f"<section><h2>{_HEADINGS[kind]}</h2>\n"
    if kind is Kind.CODEC:
        yield "<p>Only the decoder was asked. A layer above it may still refuse what it lets pass.</p>\n"
    yield from _subjects([report for _, report in chosen])
    for version in sorted({version for _, report in chosen for version in report.versions}, reverse=True):
        speaking = [(number, report) for number, report in chosen if report.speaks(version)]
        if speaking:
            yield f"<h3>MQTT {version_name(version)}</h3>\n"
            yield from _grid(version, speaking, details)
    yield "</section>\n"


def _subjects(reports: Sequence[Report]) -> Iterator[str]:
    """Who they are, and the figures of each."""
    versions = sorted({version for report in reports for version in report.versions}, reverse=True)
    yield '<table class="subjects"><thead><tr><th scope="col">subject</th>'
    yield from (f'<th scope="col">{verdict.value}</th>' for verdict in Verdict)
    yield from (f'<th scope="col">statements of {version_name(version)} decided</th>' for version in versions)
    yield '<th scope="col">tested</th><th scope="col">seed</th></tr></thead><tbody>\n'
    for report in reports:
        counts: Counter[Verdict] = report.counts()
        yield f'<tr><th scope="row">{escape(report.title)}</th>'
        yield from (f"<td>{counts[verdict]}</td>" for verdict in Verdict)
        for version in versions:
            known = {statement["id"] for statement in statements(ProtocolVersion(version))}
            yield f"<td>{len(report.decided(version) & known)} of {len(known)}</td>"
        date = escape(report.date)
        yield f'<td><time datetime="{date}">{escape(report.date[:10])}</time></td><td>{report.seed}</td></tr>\n'
    yield "</tbody></table>\n"


def _grid(version: int, reports: Sequence[tuple[int, Report]], details: Details) -> Iterator[str]:
    """A row for each check that any of them has had, a column for each of them."""
    found = [{result.check: result for result in report.results if result.version == version} for _, report in reports]
    firsts: dict[str, Result] = {}
    for results in found:
        for check, result in results.items():
            firsts.setdefault(check, result)
    chapters: dict[str, dict[str, Result]] = {}
    for check, result in firsts.items():
        chapters.setdefault(result.chapter, {})[check] = result
    heads = "".join(f'<th scope="col">{escape(report.title)}</th>' for _, report in reports)
    yield f'<table class="grid"><thead><tr><th scope="col">check</th>{heads}</tr></thead>\n'
    for chapter in sorted(chapters, key=chapter_key):
        rows = []
        looks: set[str] = set()
        for check, first in chapters[chapter].items():
            verdicts = {results[check].verdict for results in found if check in results}
            look = ["noted"] * bool(verdicts & _NOTED) + ["broken"] * (Verdict.FAILED in verdicts)
            looks.update(look)
            cells = (
                _cell(f"{number}-{check}", results.get(check), details)
                for (number, _), results in zip(reports, found, strict=True)
            )
            rows.append(_row(first, " ".join(look), details) + "".join(cells) + "</tr>\n")
        yield f'<tbody class="{" ".join(sorted(looks))}"><tr class="chapter">'
        yield f'<th scope="rowgroup">{escape(chapter_title(chapter, version))}</th>'
        for results in found:
            yield _sum([results[check].verdict for check in chapters[chapter] if check in results])
        yield "</tr>\n"
        yield from rows
        yield "</tbody>\n"
    yield "</table>\n"


def _sum(verdicts: Sequence[Verdict]) -> str:
    """A chapter in a few words."""
    tried: list[Verdict] = [verdict for verdict in verdicts if verdict is not Verdict.NOT_APPLICABLE]
    if not tried:
        return f"<td>{Verdict.NOT_APPLICABLE.value if verdicts else ''}</td>"
    verdict = Verdict.FAILED if Verdict.FAILED in tried else Verdict.PASSED
    return f"<td>{tried.count(verdict)} of {len(tried)} {verdict.value}</td>"


def _row(result: Result, look: str, details: Details) -> str:
    return (
        f'<tr class="{look}" data-rule="{details.rule(result)}"><th scope="row"><span class="title">'
        f'{escape(result.title)}</span> <span class="id">{escape(" ".join(result.statements))}</span></th>'
    )


def _cell(place: str, result: Result | None, details: Details) -> str:
    if result is None:
        return "<td></td>"
    look, sign, _ = _LOOKS[result.verdict]
    detail = details.detail(result)
    more = f' data-detail="{detail}"' if detail else ""
    return f'<td class="{look}"><button id="{escape(place)}"{more}>{sign} {result.verdict.value}</button></td>'
