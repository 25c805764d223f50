"""The chapters of both standards, by number and name."""

from __future__ import annotations

import pytest

from mqttws.conformance.chapters import chapter_key, chapter_title, version_name
from mqttws.conformance.check import numbered
from mqttws.vocabulary import ProtocolVersion


@pytest.mark.parametrize("version", list(ProtocolVersion))
def test_each_chapter_with_a_statement_that_a_program_can_break_has_a_name(version: ProtocolVersion) -> None:
    titles = {chapter: chapter_title(chapter, version) for chapter in numbered(version).values() if chapter != "7.1"}
    assert [chapter for chapter, title in titles.items() if title == chapter] == []
    assert titles["3.1"] == "3.1 CONNECT"
    assert titles["3.14"] == "3.14 DISCONNECT"


def test_the_same_number_may_be_another_chapter() -> None:
    assert (chapter_title("4.8", 4), chapter_title("4.8", 5)) == ("4.8 Handling of errors", "4.8 Subscriptions")
    assert chapter_title("9.9", 5) == "9.9"


def test_chapters_are_sorted_as_numbers() -> None:
    assert sorted(("3.10", "3.9", "6", "1.5"), key=chapter_key) == ["1.5", "3.9", "3.10", "6"]
    with pytest.raises(ValueError, match="'three' is no number of a chapter"):
        chapter_key("three")


def test_versions_have_names() -> None:
    assert (version_name(4), version_name(5)) == ("3.1.1", "5.0")
    with pytest.raises(ValueError, match="3 is not a valid"):
        version_name(3)
