"""Log lines: one line of printable ASCII, whatever peers have sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqttws.endpoint.log import FIELD_LIMIT, Log


def lines_of(event: str, message: str = "", **fields: object) -> list[str]:
    lines: list[str] = []
    Log(lines.append)(event, message, **fields)
    return lines


def test_a_line_holds_event_message_and_the_fields_that_have_a_value() -> None:
    assert lines_of("Connected", "all well", hub="chat", user_id=None, n=3) == ["Connected: all well hub=chat n=3"]


def test_without_a_message_the_event_stands_alone() -> None:
    assert lines_of("Connected") == ["Connected"]


def test_values_with_spaces_or_quotes_are_quoted() -> None:
    assert lines_of("E", topic='a "b" c') == [r'E topic="a \"b\" c"']


def test_a_line_break_in_a_client_id_begins_no_new_line() -> None:
    assert lines_of("E", "x\ny", client_id="a\r\nConnectionStarted") == [
        r'E: x\ny client_id="a\r\nConnectionStarted"',
    ]


def test_without_a_writer_nothing_happens() -> None:
    log = Log()
    log("E", "m", x=1)
    assert Log(None) is not log


@given(st.text(), st.text())
def test_any_text_makes_one_line_of_printable_ascii(message: str, value: str) -> None:
    (line,) = lines_of("E", message, value=value)
    assert all(" " <= character <= "~" for character in line)


def test_long_text_is_cut() -> None:
    (line,) = lines_of("E", "m" * 10_000, value="v" * 10_000)
    assert len(line) < 2 * FIELD_LIMIT + 30


def test_a_writer_that_raises_loses_its_line_and_nothing_else() -> None:
    lines: list[str] = []

    def write(line: str) -> None:
        if "bad" in line:
            raise OSError("disk full")
        lines.append(line)

    log = Log(write)
    for event in ("bad", "good", "bad"):
        log(event)
    assert lines == ["good"]
    assert log.failures == 2
