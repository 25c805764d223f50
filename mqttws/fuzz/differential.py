"""The same bytes to several decoders, and where they disagree with the standard or among themselves."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Final

from mqttws.conformance.codec import Answer, Decoder, DecoderUnusable, Taken
from mqttws.conformance.codec.cases import Case, judge, vector_cases
from mqttws.fuzz.cases import made
from mqttws.vocabulary import Role

__all__ = ["Column", "Matrix", "Row", "compare", "difference_cases"]

#: One letter for each verdict, as tables show it.
LETTERS: Final = {
    Taken.ACCEPTED: "A",
    Taken.REFUSED: "r",
    Taken.CRASHED: "X",
    Taken.HUNG: "H",
    Taken.UNSUPPORTED: "-",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One case and what each decoder made of it, in the order of the columns."""

    case: Case
    answers: tuple[Answer, ...]

    @property
    def is_disagreement(self) -> bool:
        """Whether one of them is wrong, or two of those that read such packets say different things."""
        said = {answer.taken for answer in self.answers} - {Taken.UNSUPPORTED}
        return len(said) > 1 or any(judge(self.case, answer) for answer in self.answers)


@dataclass(slots=True)
class Column:
    """The figures of one decoder: cases it reads, and wrong answers by kind and by who sends the packet."""

    name: str
    asked: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Matrix:
    """All decoders, the rows on which something is wrong, how many cases there were, and which decoders are absent."""

    columns: list[Column]
    rows: list[Row] = field(default_factory=list)
    cases: int = 0
    absent: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "cases": self.cases,
            "absent": self.absent,
            "decoders": [
                {"name": each.name, "asked": dict(each.asked), "wrong": dict(each.wrong)} for each in self.columns
            ],
            "disagreements": [
                {
                    "name": row.case.name,
                    "hex": row.case.data.hex(),
                    "version": row.case.version,
                    "sender": row.case.sender.value,
                    "valid": row.case.valid,
                    "rule": row.case.rule,
                    "statement": row.case.statement,
                    "verdicts": {
                        column.name: answer.taken.value
                        for column, answer in zip(self.columns, row.answers, strict=True)
                    },
                }
                for row in self.rows
            ],
        }


def difference_cases(count: int, seed: int, versions: Sequence[int], senders: Sequence[Role]) -> Iterator[Case]:
    """All vectors, and as many made packets as are left of ``count``; none of which nobody knows the verdict."""
    generated = (made(seed, index, versions, senders)[0] for index in range(1 << 60))
    known = chain(vector_cases(versions, senders), (case for case in generated if case.valid is not None))
    return islice(known, count)


def compare(
    decoders: Sequence[Decoder],
    cases: Iterable[Case],
    *,
    seconds: float | None = None,
    progress: Callable[[Matrix], None] | None = None,
) -> Matrix:
    """Ask all decoders about all cases; a decoder that cannot be asked any more drops out and is named as absent."""
    matrix = Matrix([Column(decoder.name) for decoder in decoders])
    started = told = time.monotonic()
    for case in cases:
        now = time.monotonic()
        if seconds is not None and now - started >= seconds:
            break
        row = Row(case, tuple(_ask(decoder, case, matrix) for decoder in decoders))
        matrix.cases += 1
        for column, answer in zip(matrix.columns, row.answers, strict=True):
            _count(column, case, answer)
        if row.is_disagreement:
            matrix.rows.append(row)
        if progress is not None and now - told >= 1:
            told = now
            progress(matrix)
    return matrix


def _ask(decoder: Decoder, case: Case, matrix: Matrix) -> Answer:
    if decoder.name in matrix.absent:
        return Answer(Taken.UNSUPPORTED)
    try:
        return decoder.decode(case.data, case.version, case.sender)
    except DecoderUnusable as error:
        matrix.absent[decoder.name] = str(error)
        return Answer(Taken.UNSUPPORTED)


def _count(column: Column, case: Case, answer: Answer) -> None:
    if answer.taken is Taken.UNSUPPORTED:
        return
    column.asked["valid" if case.valid else f"invalid from {case.sender.value}"] += 1
    kind = judge(case, answer)
    if kind is not None:
        column.wrong[f"{kind} from {case.sender.value}" if kind == "wrong-accept" else kind] += 1
