"""The filter language of the REST operations."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.webpubsub.odata import DEEPEST, LONGEST, MOST_CLAUSES, FilterError, parse_filter


@dataclass
class Connection:
    """What filters look at."""

    connection_id: str = "c1"
    user_id: str | None = "user-ab-de"
    groups: list[str] = field(default_factory=lambda: ["group1", "group2"])


ANNA = Connection()
NOBODY = Connection("c2", None, [])


@pytest.mark.parametrize(
    "text",
    [
        "userId eq 'user-ab-de'",
        "USERID EQ 'user-ab-de'",
        "connectionId ne '123'",
        "'group1' in groups",
        "'group1' in (groups)",
        "not ('group3' in groups)",
        "userId in ('x', 'user-ab-de')",
        "length(userId) le 10 and length(userId) gt 3",
        "length(userId) gt 10 or length(userId) le 10",
        "false and false or true",
        "true or false and false",
        "(true or false) and not false",
        "not not true",
        "not endswith(userId, 'milk')",
        "userId ne null",
        "null ne userId",
        "tolower(userId) eq 'user-ab-de'",
        "toupper(userId) eq 'USER-AB-DE'",
        "trim('  a ') eq 'a'",
        "substring(userId,5,2) eq 'ab'",
        "substring(userId, 8) eq 'de'",
        "substring(userId, -1, -1) eq ''",
        "endswith(userId,'de')",
        "startswith(userId,'user')",
        "contains(userId,'-ab-')",
        "indexof(userId,'-ab-') ge 0",
        "indexof(userId,'zz') eq -1",
        "concat(userId, 'x') eq 'user-ab-dex'",
        "length(groups) gt 1",
        "length(groups) lt +3",
        "3 ge length(groups)",
        "1 in (length(groups), 1)",
        "'it''s' eq concat('it''', 's')",
        "startswith(userId, 'u') eq true",
    ],
)
def test_what_holds_for_a_connection(text: str) -> None:
    assert parse_filter(text)(ANNA)
    assert not parse_filter(f"not ({text})")(ANNA)


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ("userId eq null", True),
        ("null eq userId", True),
        ("userId ne 'x'", True),
        ("length(userId) gt 0", False),
        ("length(userId) le 0", False),
        ("length(null) ge 0", False),
        ("length(userId) lt 0", False),
        ("length(userId) eq null", True),
        ("startswith(userId, 'u')", False),
        ("null in groups", False),
        ("userId in ('a', null)", True),
        ("concat(userId, 'x') eq null", True),
    ],
)
def test_what_null_makes_of_it(text: str, passes: bool) -> None:
    assert parse_filter(text)(NOBODY) is passes


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the filter ends too early (at character 1)"),
        ("userId eq", "the filter ends too early (at character 10)"),
        ("userId", "a boolean expression was expected, not a string"),
        ("userId eq 'x' userId", "an operator was expected, not 'userId' (at character 15)"),
        ("name eq 'x'", "'name' is no name that filters know (at character 1)"),
        ("userId eq 1", "a string cannot be compared with an integer"),
        ("groups eq groups", "a collection cannot be compared with a collection"),
        ("userId in connectionId", "a string cannot be in a string"),
        ("1 in groups", "an integer cannot be in a collection"),
        ("userId in ('a', 1)", "a string cannot be compared with an integer"),
        ("not length(userId) gt 5", "a boolean expression was expected, not an integer"),
        ("userId and true", "a boolean expression was expected, not a string"),
        ("(true", "')' was expected (at character 6)"),
        ("length true", "'(' was expected (at character 8)"),
        ("length(true) eq 1", "length is that of a string or a collection, not of a boolean expression"),
        ("startswith(userId)", "startswith takes 2 arguments"),
        ("substring(userId)", "substring takes 2 or 3 arguments"),
        ("tolower(1) eq 'x'", "tolower takes a string here, not an integer"),
        ("userId eq 'x", "this is neither a name, a literal nor a parenthesis (at character 11)"),
        ("true;", "this is neither a name"),
        ("1234567890 eq 1", "'1234567890' is no name"),
    ],
)
def test_what_cannot_be_understood_says_what_was_expected_and_where(text: str, complaint: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter(text)
    assert complaint in str(caught.value)


def test_a_filter_has_bounds() -> None:
    assert parse_filter(" or ".join(["false"] * MOST_CLAUSES) + " or true")(ANNA)
    deep = "(" * DEEPEST + "true" + ")" * DEEPEST
    assert parse_filter(deep)(ANNA)
    for text, complaint in [
        (" or ".join(["true"] * (MOST_CLAUSES + 2)), "at most 100 operators"),
        ("not " * (MOST_CLAUSES + 1) + "true", "at most 100 operators"),
        (f"({deep})", "within each other 50 times"),
        (f"userId eq '{'x' * LONGEST}'", "at most 16,384 characters"),
        (f"userId in ({', '.join(['connectionId'] * MOST_CLAUSES)})", "at most 100 operators"),
    ]:
        with pytest.raises(FilterError, match=complaint):
            parse_filter(text)


def test_a_list_of_constants_is_looked_up() -> None:
    names = ", ".join(f"'u{number}'" for number in range(1_500))
    passes = parse_filter(f"userId in ({names}, connectionId, tolower('U-X'))")
    for user, connection, is_in in [("u1499", "c", True), ("c", "c", True), ("u-x", "c", True), ("u1500", "c", False)]:
        assert passes(Connection(connection, user)) is is_in


@given(st.text(alphabet="()', 'aeginorstudIlqt019'", max_size=40))
def test_whatever_is_written_is_understood_or_refused(text: str) -> None:
    try:
        passes = parse_filter(text)
    except FilterError:
        return
    assert passes(ANNA) in (True, False)
