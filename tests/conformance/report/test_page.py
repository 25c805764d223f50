"""The page without a browser: that it needs nothing else, that all text is text, and that it stays small.

What clicks and keys do is tried in tests/interop/test_conformance_page.py.
"""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from mqttws.conformance.check import Kind
from mqttws.conformance.report import html_page
from mqttws.conformance.verdict import Verdict
from tests.conformance.report.samples import HOSTILE, report, result, transcript

VOID = {"meta", "input", "br", "img"}


class Parsed(HTMLParser):
    """Elements with their attributes; checks that what is opened is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] == ["button"]:
            self.cells.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_nothing_is_asked_of_anybody_and_only_its_own_script_may_run() -> None:
    page = html_page([report(), report(subject=HOSTILE)])
    parsed = Parsed(page)
    for _, attributes in parsed.elements:
        assert not {"src", "href", "srcset", "action", "style", "onclick", "onload"} & attributes.keys()
    assert len(parsed.all("script")) == len(parsed.all("style")) == 1
    policy = next(each["content"] for each in parsed.all("meta") if each.get("http-equiv")) or ""
    assert policy.startswith("default-src 'none'")
    for element in ("script", "style"):
        content = re.findall(f"<{element}>(.*?)</{element}>", page, re.DOTALL)[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


def test_each_cell_says_its_verdict_in_words() -> None:
    cells = [cell.strip() for cell in Parsed(html_page([report()])).cells]
    assert [cell.partition(" ")[2] for cell in cells if cell != "Close"] == [
        *(verdict.value for verdict in Verdict),
        "failed",
    ]


def test_subjects_stand_side_by_side_and_each_kind_by_itself() -> None:
    codec = report(result(name="x"), kind=Kind.CODEC, subject="coder")
    page = html_page([report(), codec, report(result(name="mine"), subject="second")], title="Two & one")
    assert page.index("<h2>Servers</h2>") < page.index("<h2>Codecs</h2>")
    assert "<h1>Two &amp; one</h1>" in page
    assert page.count("Only the decoder was asked") == 1
    assert '<time datetime="2026-01-31T12:00:00+00:00">2026-01-31</time>' in page
    places = [each.get("id") or "" for each in Parsed(page).all("button") if each.get("id")]
    assert len(places) == len(set(places)) == 9
    assert "0-server/3.1.1/older" in places
    assert "2-server/5.0/mine" in places
    assert page.count("<td></td>") == 7  # neither has the other's checks; in 3.1.1 there is one subject only


def test_a_chapter_is_summed_up_for_each_subject() -> None:
    fine = report(result(name="check_0"), result(Verdict.NOT_APPLICABLE, "other", chapter="4.7"), subject="fine")
    page = html_page([report(), fine])
    sums = re.findall(r'<tr class="chapter"><th scope="rowgroup">(.*?)</th>(.*?)</tr>', page)
    assert sums[0] == ("3.1 CONNECT", "<td>1 of 5 failed</td><td>1 of 1 passed</td>")
    assert sums[1] == ("4.7 Topics and filters", "<td></td><td>not applicable</td>")
    assert sums[2] == ("4.7 Topics and filters", "<td>1 of 1 failed</td>")


def test_a_check_that_has_moved_has_one_row() -> None:
    moved = report(result(name="check_0", chapter="3.2"), subject="older")
    assert html_page([report(), moved]).count('id="0-server/5.0/check_0"') == 1


def test_who_does_not_speak_a_version_has_no_column_there() -> None:
    other = report(result(), result(Verdict.NOT_APPLICABLE, "older", version=4), subject="modern")
    page = html_page([report(), other])
    before, _, older = page.partition("<h3>MQTT 3.1.1</h3>")
    assert '<th scope="col">modern 1.2.3</th>' in before
    assert '<th scope="col">modern 1.2.3</th>' not in older
    assert "3.1.1</h3>" not in html_page([other])


def test_what_a_subject_says_stays_text() -> None:
    wild = result(Verdict.FAILED, reason=HOSTILE, title=HOSTILE, transcript=transcript(topic="<b>\x02mark\x03"))
    page = html_page([report(wild, subject=HOSTILE, release="<u>", date="<s>")])
    tags = {tag for tag, _ in Parsed(page).elements}
    assert not tags & {"img", "u", "s"}
    assert "\x02" not in page.replace(HOSTILE, "").split("<template")[-1]
    assert "<script>alert" not in page


def test_the_bytes_of_what_is_kept_are_left_out_and_what_is_alike_is_there_once() -> None:
    kept = result(Verdict.PASSED, transcript=transcript())
    assert "client → server" not in html_page([report(kept)])
    twice = html_page([report(result(Verdict.FAILED, "a"), result(Verdict.FAILED, "b"))])
    assert twice.count("opened, we are the client") == 1


def test_a_handshake_that_is_alike_in_many_checks_is_there_once() -> None:
    others = transcript(topic="other")
    page = html_page([report(result(Verdict.FAILED, "a"), result(Verdict.FAILED, "b", transcript=others))])
    assert page.count("HTTP request from the client") == 1
    assert page.count("other") == 1
    assert page.count("opened, we are the client") == 2


def test_a_transcript_that_never_ends_is_cut_off() -> None:
    long = result(Verdict.FAILED, transcript=transcript() * 100)
    page = html_page([report(long)])
    assert "The report's file has the rest." in page
    assert len(page) < 200_000


def test_a_transcript_that_is_none_is_told() -> None:
    page = html_page([report(result(Verdict.FAILED, transcript=("<b>nonsense",)))])
    assert "The transcript cannot be read: line 1" in page


@pytest.mark.parametrize("statements", [(), ("RFC 6455, 5.1",), ("MQTT-3.1.0-2", "MQTT-3.1.0-1")])
def test_a_rule_without_a_number_is_cited_as_it_is(statements: tuple[str, ...]) -> None:
    page = html_page([report(result(statements=statements))])
    assert page.count("<dt>") == len(statements)
    assert all(statement in page for statement in statements)


def test_four_hundred_checks_of_eight_subjects_fit_in_a_megabyte() -> None:
    many = [result(Verdict.FAILED if number % 10 == 0 else Verdict.PASSED, f"check_{number}") for number in range(400)]
    page = html_page([report(*many, subject=f"broker{number}") for number in range(8)])
    assert len(page) < 1_000_000
    assert len(Parsed(page).cells) == 3201
