"""Every row of the emulation contract has a test that bears its number, and a place in the table of settings if it is
not documented.
"""

from __future__ import annotations

import re
from pathlib import Path

from mqttws.endpoint.service import FIXED, Service, settings_of

ROWS = range(1, 82)

#: What the contract marks as inferred or unknown, in whole or in part, so that it is no fact about the service.
NOT_DOCUMENTED = (
    *(1, 2, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18),
    *(19, 21, 22, 24, 25, 26, 27, 28, 29, 31, 32, 33, 34, 37, 38, 39, 41),
    *(43, 44, 45, 46, 47, 48, 50, 51, 52, 53, 54, 55, 61, 62, 63, 64, 65, 68, 69, 70),
    *(72, 75, 81),
)

#: Rows that are built elsewhere and have no test yet; a row is taken out of here with its test.
TO_COME: tuple[int, ...] = ()


def rows_with_tests() -> set[int]:
    """The numbers in the names of the tests of this folder."""
    text = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    return {int(number) for number in re.findall(r"^(?:async )?def test_row_(\d+)_", text, re.MULTILINE)}


def rows_of(text: str) -> set[int]:
    """The numbers in the column of rows."""
    return {int(number) for number in re.findall(r"\d+", text)}


def test_every_row_has_a_test_named_after_it() -> None:
    missing = set(ROWS) - rows_with_tests()
    assert sorted(missing) == sorted(set(TO_COME) - rows_with_tests())


def test_every_row_that_is_not_documented_is_a_setting_or_leaves_no_choice() -> None:
    settable = set().union(*(rows_of(setting.row) for setting in settings_of(Service())))
    fixed = set().union(*(rows_of(row.row) for row in FIXED))
    assert set(NOT_DOCUMENTED) - settable - fixed == set()
    assert settable | fixed <= set(ROWS)
