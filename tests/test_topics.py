"""Topic Names and Topic Filters."""

from __future__ import annotations

import time
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mqttws.errors import LocalProtocolError
from mqttws.topics import check_filter, check_topic, has_wildcard, is_shared, matches, overlap, shared_filter
from mqttws.vocabulary import ReasonCode
from tests.strategies import topic_filters, topic_names


@given(topic_names())
@example("/")
@example("$SYS/x")
@example("a b//c")
def test_a_topic_name_passes_and_matches_itself(topic: str) -> None:
    check_topic(topic)
    check_filter(topic)
    assert matches(topic, topic)
    assert not has_wildcard(topic)


@pytest.mark.parametrize(
    ("topic", "statement"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a/#", "MQTT-4.7.0-1"),
        ("+/b", "MQTT-4.7.0-1"),
        ("a+", "MQTT-4.7.0-1"),
        ("a\0", "MQTT-4.7.3-2"),
    ],
)
def test_what_is_no_topic_name_is_refused(topic: str, statement: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        check_topic(topic)
    assert (caught.value.statement, caught.value.reason_code) == (statement, ReasonCode.TOPIC_NAME_INVALID)


@given(topic_filters(4))
@example("#")
@example("+")
@example("/#")
@example("+/+/#")
@example("/")
@example("$share/x")
def test_a_topic_filter_passes(topic_filter: str) -> None:
    check_filter(topic_filter)
    assert has_wildcard(topic_filter) == (not {"+", "#"}.isdisjoint(topic_filter))


@pytest.mark.parametrize(
    ("topic_filter", "statement"),
    [
        ("", "MQTT-4.7.3-1"),
        ("a\0", "MQTT-4.7.3-2"),
        ("a#", "MQTT-4.7.1-1"),
        ("#/", "MQTT-4.7.1-1"),
        ("##", "MQTT-4.7.1-1"),
        ("a/#/b", "MQTT-4.7.1-1"),
        ("a/#/#", "MQTT-4.7.1-1"),
        ("+#", "MQTT-4.7.1-1"),
        ("a+", "MQTT-4.7.1-2"),
        ("+a/b", "MQTT-4.7.1-2"),
        ("a/++", "MQTT-4.7.1-2"),
        ("+/a+/#", "MQTT-4.7.1-2"),
    ],
)
def test_what_is_no_topic_filter_is_refused(topic_filter: str, statement: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        check_filter(topic_filter)
    assert (caught.value.statement, caught.value.reason_code) == (statement, ReasonCode.TOPIC_FILTER_INVALID)


@pytest.mark.parametrize(
    ("topic_filter", "name", "inner"),
    [("$share/g/a/+", "g", "a/+"), ("$share/a b/#", "a b", "#"), ("$share/g//", "g", "/"), ("$share/$/x", "$", "x")],
)
def test_a_shared_subscription_has_a_name_and_a_filter(topic_filter: str, name: str, inner: str) -> None:
    assert is_shared(topic_filter)
    assert shared_filter(topic_filter) == (name, inner)


@pytest.mark.parametrize("topic_filter", ["$share", "$sharefoo/x", "$SHARE/g/x", "a/$share/g", "share/g/x"])
def test_what_only_looks_like_a_shared_subscription_is_none(topic_filter: str) -> None:
    assert not is_shared(topic_filter)
    check_filter(topic_filter)


@pytest.mark.parametrize(
    ("topic_filter", "statement"),
    [
        ("$share/", "MQTT-4.8.2-1"),
        ("$share//a", "MQTT-4.8.2-1"),
        ("$share/g", "MQTT-4.8.2-2"),
        ("$share/g/", "MQTT-4.8.2-2"),
        ("$share/g+/a", "MQTT-4.8.2-2"),
        ("$share/#/a", "MQTT-4.8.2-2"),
        ("$share/g/a#", "MQTT-4.7.1-1"),
    ],
)
def test_a_shared_subscription_out_of_form_is_refused(topic_filter: str, statement: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        shared_filter(topic_filter)
    assert caught.value.statement == statement


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/#", "sport", True),
        ("#", "a/b", True),
        ("#", "/", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/x", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/+", "$SYS/x", True),
        ("a/#", "b", False),
        ("a/b/#", "a", False),
        ("a/b", "a/c", False),
        ("a", "A", False),
        ("\u00e9", "e\u0301", False),
        ("a/+/c", "a//c", True),
    ],
)
def test_a_topic_belongs_to_a_filter_or_not(topic_filter: str, topic: str, expected: bool) -> None:
    assert matches(topic_filter, topic) is expected


def _model(wanted: list[str], levels: list[str]) -> bool:
    """The rules of 4.7.1, level by level."""
    if not wanted:
        return not levels
    if wanted == ["#"]:
        return True
    return bool(levels) and wanted[0] in ("+", levels[0]) and _model(wanted[1:], levels[1:])


_LEVELS = st.lists(st.sampled_from(["", "a", "b"]), min_size=1, max_size=5)
_WANTED = st.lists(st.sampled_from(["", "a", "b", "+"]), min_size=1, max_size=4)


@given(_WANTED, st.booleans(), _LEVELS)
def test_matching_agrees_with_the_rules_level_by_level(wanted: list[str], rest: bool, levels: list[str]) -> None:
    wanted = wanted + ["#"] * rest
    assert matches("/".join(wanted), "/".join(levels)) == _model(wanted, levels)


#: Every name that two of the filters above could have in common, if they have any.
_NAMES = ["/".join(levels) for size in range(1, 6) for levels in product(("", "a", "b"), repeat=size)]


@given(st.lists(_WANTED, min_size=2, max_size=2), st.lists(st.booleans(), min_size=2, max_size=2))
def test_filters_overlap_exactly_if_some_topic_matches_both(wanted: list[list[str]], rest: list[bool]) -> None:
    one, other = ("/".join(levels + ["#"] * more) for levels, more in zip(wanted, rest, strict=True))
    assert overlap(one, other) == overlap(other, one)
    assert overlap(one, other) == any(matches(one, name) and matches(other, name) for name in _NAMES)


@pytest.mark.parametrize(("one", "other"), [("#", "$SYS/a"), ("+/a", "$SYS/a"), ("$SYS/#", "+/+")])
def test_a_leading_wildcard_does_not_overlap_with_names_that_begin_with_a_dollar(one: str, other: str) -> None:
    assert not overlap(one, other)
    assert not overlap(other, one)
    assert overlap("$SYS/#", "$SYS/+")


def test_long_topics_take_time_in_proportion() -> None:
    """No rule may look at a topic once for each of its levels: 65,535 slashes are a legal topic."""
    topic = "/" * 65_535
    start = time.perf_counter()
    for _ in range(5):
        check_topic(topic)
        check_filter("+" + topic[1:])
        matches("+" + topic[1:-1] + "/#", topic)
    assert time.perf_counter() - start < 5
