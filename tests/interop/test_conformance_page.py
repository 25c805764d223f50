"""The page of the conformance kit in a real browser: what clicks and keys do, and that it asks nobody for anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from mqttws.conformance.report import html_page
from mqttws.conformance.verdict import Verdict
from tests.conformance.report.samples import HOSTILE, report, result, transcript
from tests.interop.browser import Page, opened
from tests.interop.counterparts import need

OPEN = "document.querySelector('dialog').open"
TEXT = "document.querySelector('dialog').innerText"
FAILED = "td.failed button"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    need("chromium")
    with opened(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def page(browser: Page, tmp_path: Path) -> Page:
    """Two subjects, one of which does what it can to get out of its cells."""
    wild = report(
        *(result(verdict, f"check_{number}", reason=HOSTILE, transcript=transcript(topic="<img src=x>"))
          for number, verdict in enumerate(Verdict)),
        result(name="only_here", title=HOSTILE),
        subject=HOSTILE,
    )  # fmt: skip
    file = tmp_path / "page.html"
    file.write_text(html_page([report(), wild]), encoding="utf-8")
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(file.as_uri())
    return browser


def asked_nobody(page: Page) -> bool:
    """Whether nothing was requested but the page itself, and nothing was complained of."""
    return page.complaints == [] and len(page.requests) == 1 and page.requests[0].startswith("file:///")


def test_a_click_shows_the_rule_and_the_bytes_both_ways(page: Page) -> None:
    assert page.value(OPEN) is False
    page.click(FAILED)
    assert page.value(OPEN) is True
    said = page.value(TEXT)
    assert "MQTT-3.1.0-2" in said
    assert "second CONNECT" in said
    assert "client → server" in said
    assert "server → client" in said
    assert "MALFORMED PACKET" in said
    assert page.value("document.querySelectorAll('dialog pre.client, dialog pre.server').length") == 5
    page.click("dialog header button")
    assert page.value(OPEN) is False
    assert asked_nobody(page)


def test_all_can_be_done_by_keys(page: Page) -> None:
    page.value(f"document.querySelector({FAILED!r}).focus()")
    page.press("Enter", 13, "\r")
    assert page.value(OPEN) is True
    page.press("Escape", 27)
    assert page.value(OPEN) is False
    assert page.value(f"document.activeElement === document.querySelector({FAILED!r})")
    page.press("Tab", 9)
    assert page.value("document.activeElement.closest('.grid') !== null")


def test_a_failure_has_an_address_of_its_own(page: Page) -> None:
    page.click(FAILED)
    address = page.value("location.href")
    assert "#0-server" in address
    page.open("about:blank")
    page.open(address)
    assert page.value(OPEN) is True
    assert "failed" in page.value(TEXT)


def test_what_a_subject_says_stays_text(page: Page) -> None:
    for cell in range(page.value("document.querySelectorAll('.grid button').length")):
        page.value(f"document.querySelectorAll('.grid button')[{cell}].click()")
        assert page.value("document.querySelectorAll('dialog img, dialog script, dialog s').length") == 0
        page.value("document.querySelector('dialog').close()")
    assert "<script>alert(1)</script>" in page.value("document.body.innerText")
    assert asked_nobody(page)


def shown_after(page: Page, value: str) -> set[str]:
    page.click(f"input[value={value}]")
    names = page.value(
        "[...document.querySelectorAll('.grid tbody tr:not(.chapter)')].filter(r => r.checkVisibility())"
        ".map(r => r.querySelector('button').id.split('/').pop())"
    )
    shown = {str(name) for name in names}
    assert page.value("document.querySelector('output').value").startswith(f"{len(names)} of 8 ")
    return shown


def test_the_filter_leaves_what_somebody_fails(page: Page) -> None:
    every = {f"check_{number}" for number in range(6)} | {"older", "only_here"}
    assert shown_after(page, "all") == every
    assert shown_after(page, "noted") == {"check_1", "check_2", "check_5", "older"}
    assert shown_after(page, "failed") == {"check_2", "older"}
    assert shown_after(page, "all") == every


def contrast(one: str, other: str) -> float:
    """As WCAG counts it."""
    lights = []
    for colour in (one, other):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_verdict_can_be_read(page: Page, scheme: str) -> None:
    page.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    colours = page.value(
        "[...document.querySelectorAll('span.verdict, thead th')].map(e => getComputedStyle(e))"
        ".map(s => [s.color, s.backgroundColor])"
    )
    body = page.value("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    page.command("Emulation.setEmulatedMedia", features=[])
    assert len(colours) > 6
    assert all(contrast(*pair) >= 4.5 for pair in chain(colours, [body]))
    assert (contrast(body[1], "rgb(0, 0, 0)") > 10) is (scheme == "light")
