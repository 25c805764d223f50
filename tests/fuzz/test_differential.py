"""Several decoders and one matrix."""

from __future__ import annotations

from typing import Any

from mqttws.conformance.codec import Answer, DecoderUnusable, InProcess, Taken
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import own
from mqttws.fuzz.differential import Matrix, compare, difference_cases
from mqttws.fuzz.matrix import html_page, text_lines
from mqttws.vocabulary import Role

BOTH = tuple(Role)


class Leaving:
    """Answers a few times and then cannot be asked any more."""

    name = "leaving"

    def __init__(self) -> None:
        self.left = 3

    def decode(self, _data: bytes, _version: int, _sender: Role) -> Answer:
        self.left -= 1
        if self.left < 0:
            raise DecoderUnusable("gone")
        return Answer(Taken.HUNG)

    def close(self) -> None:
        self.left = 0


def decoder(name: str, decode: Any) -> InProcess:
    return InProcess(decode, name=name, refusals=[RemoteProtocolError])


def small() -> Matrix:
    decoders = [
        decoder("ours", own.decode),
        decoder("<all>", lambda _: None),
        decoder("none", lambda _: NotImplemented),
    ]
    return compare([*decoders, Leaving()], difference_cases(60, 1, (5, 4), BOTH))


def test_cases_are_vectors_and_then_packets_from_a_seed() -> None:
    cases = list(difference_cases(1_400, 1, (5, 4), BOTH))
    assert len(cases) == 1_400
    assert all(case.valid is not None for case in cases)
    assert cases[-5:] == list(difference_cases(1_400, 1, (5, 4), BOTH))[-5:]


def test_figures_of_each_decoder() -> None:
    matrix = small()
    ours, everything, nothing, leaving = matrix.columns
    assert matrix.cases == 60
    assert not ours.wrong
    assert ours.asked.total() == 60
    assert everything.wrong["wrong-accept from client"] == everything.asked["invalid from client"] > 0
    assert not nothing.asked
    assert leaving.wrong == {"hang": 3}
    assert matrix.absent == {"leaving": "gone"}
    assert all(row.is_disagreement for row in matrix.rows)
    wrong = everything.wrong["wrong-accept from client"] + everything.wrong["wrong-accept from server"]
    assert wrong <= len(matrix.rows) <= wrong + 3


def test_as_plain_values() -> None:
    shown = small().as_json()
    assert shown["cases"] == 60
    assert [each["name"] for each in shown["decoders"]] == ["ours", "<all>", "none", "leaving"]
    first = shown["disagreements"][0]
    assert first["verdicts"]["ours"] == "refused"
    assert bytes.fromhex(first["hex"])


def test_as_text() -> None:
    lines = list(text_lines(small()))
    assert lines[0].startswith("decoder  wrong accepts, client side")
    assert any(line.startswith("<all>") for line in lines)
    assert not any(line.startswith("none ") for line in lines)
    assert "skipped: leaving: gone" in lines
    assert any(" r  A* " in line for line in lines)


def test_many_rows_are_cut_in_text_and_all_there_in_html() -> None:
    decoders = [decoder("ours", own.decode), decoder("all", lambda _: None)]
    matrix = compare(decoders, difference_cases(400, 1, (5, 4), BOTH))
    assert len(matrix.rows) > 100
    assert list(text_lines(matrix))[-1].startswith(f"… and {len(matrix.rows) - 40:,} more")
    assert html_page(matrix).count("<tr>") == len(matrix.rows) + 4


def test_the_page_needs_nothing_else_and_escapes_what_others_say() -> None:
    page = html_page(small())
    assert "&lt;all&gt;" in page
    assert "<all>" not in page
    assert "http" not in page
    assert "<script" not in page
    assert 'class="bad"' in page
    assert 'class="crash"' in page


def test_where_all_agree_there_are_no_rows() -> None:
    matrix = compare([decoder("ours", own.decode)], difference_cases(50, 1, (5,), BOTH))
    assert matrix.rows == []
    assert list(text_lines(matrix))[-1] == "50 cases, 0 with a wrong answer or none that all agree on"


def test_time_bounds_a_comparison() -> None:
    told: list[Matrix] = []
    matrix = compare(
        [decoder("ours", own.decode)], difference_cases(1 << 40, 1, (5,), BOTH), seconds=1.2, progress=told.append
    )
    assert told
    assert matrix.cases > 10
