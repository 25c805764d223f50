"""How rows become text: columns, shortened bytes, marks under the right byte, nothing that moves a cursor."""

from __future__ import annotations

import re

import pytest

from mqttws.notes import Fault, Note, Section, render, shown


def lines(*notes: Note, fault: Fault | None = None, **more: object) -> list[str]:
    section = Section(title="T", offset=0, size=9, notes=list(notes), fault=fault)
    for name, value in more.items():
        setattr(section, name, value)
    return list(render([section]))[1:]


def fault(offset: int, field: str, **more: object) -> Fault:
    values: dict[str, object] = {"offset": offset, "field": field, "kind": "malformed packet", "message": "it is bad"}
    return Fault(**(values | more))  # type: ignore[arg-type]  # a few of its fields, by name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (7, "7"),
        (True, "1"),
        ("a'b", '"a\'b"'),
        ("\x1b[31m\u202e", r"'\x1b[31m\u202e'"),
        ("x" * 61, "'" + "x" * 60 + "'…"),
        (b"hi", "'hi'"),
        (b"\xff", r"b'\xff'"),
        (b"\xff" * 31, "b'" + r"\xff" * 30 + "'…"),
        (("k", "v"), "'k' = 'v'"),
    ],
)
def test_a_value_is_shown_short_and_harmless(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("note", "bytes_"),
    [
        (Note(0, 0, b"", "f"), ""),
        (Note(0, 8, bytes(8), "f"), "00 00 00 00 00 00 00 00"),
        (Note(0, 9, bytes(9), "f"), "00 00 00 00 00 00 00 …"),
        (Note(0, 4, b"\0\2", "f", secret=True), "00 02 ** **"),
        (Note(0, 9, b"\0\7", "f", secret=True), "00 07 ** ** ** ** ** …"),
        (Note(0, 20, bytes(12), "f", secret=True), "00 00 00 00 00 00 00 …"),
        (Note(0, 3, b"", "f"), "…"),
        (Note(0, 1, b"\xc2", "f", mask=0xC0), "11.. ...."),
        (Note(0, 1, b"\xc2", "f", mask=0x03), ".... ..10"),
    ],
)
def test_bytes_fit_their_column(note: Note, bytes_: str) -> None:
    (line,) = lines(note)
    assert line[7:32].rstrip() == bytes_


def test_columns_stay_where_they_are_whatever_stands_in_them() -> None:
    rows = lines(
        Note(0, 1, b"a", "field", text="1", meaning="one"),
        Note(1, 1, b"b", "field", text="'日本'", meaning="wide"),
        Note(2, 1, b"c", "field", text="'e\u0301'", meaning="combined"),
        Note(3, 1, b"d", "field", text="'" + "x" * 30 + "'", meaning="pushed aside"),
    )
    assert [row.index("field") for row in rows] == [32] * 4
    # two columns for each wide character, none for one that combines
    assert [row.index(word) for row, word in zip(rows, ("one", "wide", "combined"), strict=False)] == [92, 90, 93]
    assert rows[3].endswith("x'  pushed aside")


def test_a_group_does_not_repeat_its_path() -> None:
    rows = lines(
        Note(0, 1, b"a", "properties"),
        Note(1, 1, b"b", "properties.topic_alias", depth=1),
        Note(2, 1, b"c", "subscriptions[0].options"),
        Note(2, 1, b"c", "subscriptions[0].qos", depth=1, mask=3),
        Note(3, 1, b"d", "connect_flags"),
        Note(3, 1, b"d", "will.qos", depth=1, mask=3),
    )
    assert [row[32:].rstrip() for row in rows] == [
        "properties", "  topic_alias", "subscriptions[0].options", "  qos", "connect_flags", "  will.qos",
    ]  # fmt: skip


PACKET = (
    Note(0, 1, b"\x36", "first_byte"),
    Note(0, 1, b"\x36", "packet_type", 3, depth=1, mask=0xF0),
    Note(0, 1, b"\x36", "qos", 3, depth=1, mask=0x06),
    Note(0, 1, b"\x36", "retain", 0, depth=1, mask=0x01),
    Note(1, 3, b"\0\1a", "topic", "a"),
    Note(4, 2, b"\0\0", "response", ""),
    Note(6, 2, b"\0\1", "packet_id", 1),
    Note(8, 0, b"", "payload", None),
)


@pytest.mark.parametrize(
    ("found", "row", "mark"),
    [
        (fault(0, "qos"), 2, ".... .11."),
        (fault(0, "flags"), 3, "^^^^ ^^^^"),
        (fault(2, "topic"), 4, "   ^^"),
        (fault(3, "other"), 4, "      ^^"),
        (fault(6, "response"), 5, "^^"),  # where the characters of an empty text would be
        (fault(6, "packet_id"), 6, "^^"),
        (fault(8, "payload"), 7, "^^"),
        (fault(99, "topic"), 4, "^^"),
    ],
)
def test_a_fault_stands_below_its_row_with_a_mark_below_its_byte(found: Fault, row: int, mark: str) -> None:
    rows = lines(*PACKET, fault=found)
    at = next(index for index, line in enumerate(rows) if "it is bad" in line)
    assert at == row + 1
    assert rows[at][7:32].rstrip() == mark.replace(".", " ").replace("1", "^").rstrip()


def test_a_fault_names_its_rule_and_what_is_to_be_done() -> None:
    found = fault(0, "qos", rule="MQTT-3.3.1-4", version=5, answer="close")
    section = Section(title="T", offset=0, size=9, notes=list(PACKET), fault=found)

    def sentence(rule: str, version: int) -> str | None:
        return f"{rule} of {version} says so, " + "and so on " * 10 if version == 5 else None

    said = [line.strip() for line in render([section], rule=sentence) if line.startswith(" " * 32) or "^" in line]
    assert said[0].endswith("MALFORMED PACKET at offset 0: it is bad [MQTT-3.3.1-4]")
    assert said[1].startswith("the rule: MQTT-3.3.1-4 of 5 says so")
    assert said[2].startswith("and so on and so on")
    assert said[-1] == "the answer: close"


def test_titles_tell_the_verdict() -> None:
    good = Section(title="A", offset=0, size=1)
    cut = Section(title="B", offset=1, size=2, missing="1 of 2", remark="before it")
    bad = Section(title="C", offset=3, size=3, notes=[Note(3, 3, b"abc", "f")], fault=fault(3, "f"), certain=False)
    text = list(render([good, cut, bad]))
    assert text[0] == "A, 1 byte at offset 0: valid"
    assert text[1:5] == ["", "before it", "B, 2 bytes at offset 1: unfinished", " " * 32 + "1 of 2"]
    assert text[6] == "C, 3 bytes at offset 3: malformed packet, if it is one"
    assert [one.verdict for one in (good, cut, bad)] == ["valid", "unfinished", "malformed packet"]


def test_colour_changes_nothing_but_colour() -> None:
    section = Section(title="T", offset=0, size=9, notes=list(PACKET), fault=fault(2, "topic"), missing="more")

    def paint(kind: str, text: str) -> str:
        return f"<{kind}>{text}</{kind}>"

    painted = [re.sub(r"</?\w+>", "", line) for line in render([section], paint=paint)]
    assert painted == list(render([section]))
