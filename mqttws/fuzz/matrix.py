"""A matrix of decoders as text, or as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from mqttws.conformance.codec.cases import judge
from mqttws.fuzz.differential import LETTERS, Column, Matrix, Row

__all__ = ["html_page", "text_lines"]

#: Rows that are printed as text; the page has all.
_MOST_LINES: Final = 40
_WIDEST_NAME: Final = 60
_VERSIONS: Final = {4: "3.1.1", 5: "5.0"}
#: Heading, the counter of what was asked, and that of what was wrong.
_SUMMARY: Final = (
    ("wrong accepts, client side", "invalid from server", "wrong-accept from server"),
    ("wrong accepts, server side", "invalid from client", "wrong-accept from client"),
    ("wrong rejects", "valid", "wrong-reject"),
)


def _failures(column: Column) -> str:
    return f"{column.wrong['crash']} / {column.wrong['hang']}"


def _share(column: Column, asked: str, wrong: str) -> str:
    return f"{column.wrong[wrong]} of {column.asked[asked]}" if column.asked[asked] else "-"


def text_lines(matrix: Matrix) -> Iterator[str]:
    """The figures of each decoder, and the first rows on which something is wrong."""
    heads = ["decoder", *(heading for heading, _, _ in _SUMMARY), "crashes / hangs"]
    lines = [
        [column.name, *(_share(column, asked, wrong) for _, asked, wrong in _SUMMARY), _failures(column)]
        for column in matrix.columns
        if column.asked
    ]
    widths = [max(map(len, cells)) for cells in zip(heads, *lines, strict=True)]
    for cells in (heads, *lines):
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    for name, why in matrix.absent.items():
        yield f"skipped: {name}: {why}"
    yield ""
    yield f"{matrix.cases:,} cases, {len(matrix.rows):,} with a wrong answer or none that all agree on"
    if matrix.rows:
        yield "A accepted, r refused, X crashed, H hung, - does not read such packets; * wrong"
        for index, column in enumerate(matrix.columns):
            yield f"  {'   ' * index}{column.name}"
    for row in matrix.rows[:_MOST_LINES]:
        yield _line(row)
    if len(matrix.rows) > _MOST_LINES:
        yield f"… and {len(matrix.rows) - _MOST_LINES:,} more (--json or --html has all)"


def _line(row: Row) -> str:
    marks = "".join(f" {LETTERS[answer.taken]}{'*' if judge(row.case, answer) else ' '}" for answer in row.answers)
    case = row.case
    name = case.name if len(case.name) <= _WIDEST_NAME else f"{case.name[: _WIDEST_NAME - 1]}…"
    return f" {marks}  {_VERSIONS[case.version]:5} {'valid  ' if case.valid else 'invalid'} {name}"


_STYLE: Final = """\
body{font:14px/1.4 system-ui,sans-serif;margin:2em;color:#222;background:#fff}
table{border-collapse:collapse;margin:1em 0}
th,td{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}
th{background:#f3f3f3;position:sticky;top:0}
code{font-size:12px;word-break:break-all}
.good{background:#e3f4e3}.bad{background:#f9d6d5}.crash{background:#f3c0f0}.none{color:#999}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th{background:#2a2a2a}th,td{border-color:#444}
.good{background:#1e3a1e}.bad{background:#5a2020}.crash{background:#552055}}
"""


def html_page(matrix: Matrix) -> str:
    """The whole matrix as one page, without scripts and without anything from elsewhere."""
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>MQTT decoders compared</title>',
            f"<style>{_STYLE}</style></head><body><h1>MQTT decoders compared</h1>",
            f"<p>{matrix.cases:,} packets: the byte vectors of MQTT 3.1.1 and 5.0, and packets from a seed. Only the ",
            "decoder is asked; a layer above it may still refuse what it lets pass.</p>",
            *_summary_table(matrix),
            *(f"<p>Skipped: {escape(name)}: {escape(why)}</p>" for name, why in matrix.absent.items()),
            f"<h2>Disagreements ({len(matrix.rows):,})</h2>",
            *_rows_table(matrix),
            "</body></html>\n",
        )
    )


def _summary_table(matrix: Matrix) -> Iterator[str]:
    heads = "".join(f"<th>{heading}</th>" for heading, _, _ in _SUMMARY)
    yield f"<table><tr><th>decoder</th>{heads}<th>crashes / hangs</th></tr>"
    for column in matrix.columns:
        if column.asked:
            cells = "".join(f"<td>{_share(column, asked, wrong)}</td>" for _, asked, wrong in _SUMMARY)
            yield f"<tr><td>{escape(column.name)}</td>{cells}<td>{_failures(column)}</td></tr>"
    yield "</table>"


def _rows_table(matrix: Matrix) -> Iterator[str]:
    names = "".join(f"<th>{escape(column.name)}</th>" for column in matrix.columns)
    yield f"<table><tr><th>packet</th><th>version</th><th>from</th><th>due</th>{names}<th>rule</th><th>bytes</th></tr>"
    for row in matrix.rows:
        case = row.case
        yield (
            f"<tr><td>{escape(case.name)}</td><td>{_VERSIONS[case.version]}</td><td>{case.sender.value}</td>"
            f"<td>{'accept' if case.valid else 'refuse'}</td>"
        )
        for answer in row.answers:
            kind = judge(case, answer)
            look = "none" if answer.taken.value == "unsupported" else "good" if kind is None else "bad"
            look = "crash" if kind in ("crash", "hang") else look
            yield f'<td class="{look}" title="{escape(answer.text[:200])}">{answer.taken.value}</td>'
        statement = f" [{case.statement}]" if case.statement and not case.valid else ""
        yield f"<td>{escape(case.rule)}{statement}</td><td><code>{case.data[:64].hex(' ')}"
        yield f"{' …' if len(case.data) > 64 else ''}</code></td></tr>"
    yield "</table>"
