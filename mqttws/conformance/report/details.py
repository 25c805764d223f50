"""What lies behind a cell of the page: the rule, what was seen, and the bytes both ways. What is alike is kept once."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from mqttws.conformance import rule_of
from mqttws.conformance.report.transcript import harmless, moments_of, rules_of
from mqttws.conformance.verdict import Result, Verdict
from mqttws.trace import BadTrace
from mqttws.trace.showing import Moment, full_lines

__all__ = ["Details", "escape"]

#: Lines of one transcript that the page shows; the report's file has all.
_MOST_LINES: Final = 800
#: Verdicts whose bytes are shown: of what is kept there is nothing to prove.
_SHOWN: Final = frozenset((Verdict.FAILED, Verdict.NOT_STRICT, Verdict.INCONCLUSIVE))
#: What is painted: marked by characters that no annotated line holds, which become elements when all is escaped.
_PAINTED: Final = {"bytes": "i", "bad": "b", "mark": "b"}
_MARKS: Final = re.compile("\x02([ib])\x03([^\x02\x03\x04]*)\x04")
_LEFT: Final = {2: None, 3: None, 4: None}


def escape(text: str) -> str:
    """Text as HTML, in an element or in an attribute with double quotes."""
    return html.escape(harmless(text, "\n"))


class Details:
    """Collects them while the tables are written; :meth:`templates` has them all."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def rule(self, result: Result) -> str:
        """The element that holds what a check asks for."""
        rules = "".join(
            f"<dt><code>{escape(statement)}</code></dt><dd>{escape(rule)}</dd>" for statement, rule in rules_of(result)
        )
        listed = f"<dl>{rules}</dl>" if rules else ""
        return self._keep(f'{listed}<p class="id">check <code>{escape(result.check)}</code></p>')

    def detail(self, result: Result) -> str:
        """The element that holds what was seen, ``""`` if there is nothing to say."""
        element = "pre" if "\n" in result.reason else "p"  # of a codec it holds the bytes in columns
        parts = [f'<{element} class="why">{escape(result.reason)}</{element}>'] if result.reason else []
        if result.verdict in _SHOWN:
            parts += self._transcript(result)
        return self._keep("".join(parts)) if parts else ""

    def _keep(self, content: str) -> str:
        return self._known.setdefault(content, f"d{len(self._known)}")

    def _transcript(self, result: Result) -> Iterator[str]:
        """Moment by moment; the annotated bytes by reference: handshakes and the like are alike in many checks."""
        try:
            moments = moments_of(result)
        except BadTrace as error:
            yield f"<p>The transcript cannot be read: {escape(str(error))}</p>"
            return
        room = _MOST_LINES
        for moment in moments:
            caption, *lines = list(_lines(moment))[:room]
            room -= 1 + len(lines)
            sender = "" if moment.sender is None else moment.sender.value
            part = self._keep(f'<pre class="{sender}">' + "\n".join(lines) + "</pre>") if lines else ""
            reference = f' data-part="{part}"' if part else ""
            yield f"<figure{reference}><figcaption>{caption}</figcaption></figure>"
            if room <= 0:
                yield "<p>The report's file has the rest.</p>"
                return

    def templates(self) -> Iterator[str]:
        """All of them, inert until they are asked for."""
        for content, name in self._known.items():
            yield f'<template id="{name}">{content}</template>\n'


def _lines(moment: Moment) -> Iterator[str]:
    """A moment's lines as HTML, without empty ones around."""
    lines = [_as_html(line) for line in full_lines(moment, paint=_paint, rule=rule_of)]
    yield lines[0]
    yield from "\n".join(lines[1:]).strip("\n").splitlines()


def _paint(kind: str, text: str) -> str:
    return f"\x02{_PAINTED[kind]}\x03{text}\x04" if kind in _PAINTED else text


def _as_html(line: str) -> str:
    return _MARKS.sub(r"<\1>\2</\1>", html.escape(line)).translate(_LEFT)
