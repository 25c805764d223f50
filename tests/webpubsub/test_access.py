"""Roles: what each form allows, what is skipped, and a pattern language without traps."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.webpubsub import Grants, Pattern, Permission, Roles, check_group
from mqttws.webpubsub.access import GROUP_NAME_LIMIT, LITERALS_LIMIT, PATTERN_LENGTH_LIMIT, PATTERNS_LIMIT


def test_without_roles_nothing_is_allowed() -> None:
    grants = Grants.from_roles(())
    assert not grants.may_publish("group1")
    assert not grants.may_subscribe("group1")
    assert grants.ignored == ()


def test_bare_roles_allow_every_topic() -> None:
    assert Roles.everything() == ("webpubsub.sendToGroup", "webpubsub.joinLeaveGroup")
    grants = Grants.from_roles(Roles.everything())
    assert grants.may_publish("a/b.c")
    assert grants.may_subscribe("a/b.c")


def test_publish_and_subscribe_are_separate_rights() -> None:
    publisher = Grants.from_roles(Roles.publish_anywhere())
    assert (publisher.may_publish("a"), publisher.may_subscribe("a")) == (True, False)
    subscriber = Grants.from_roles(Roles.subscribe_anywhere())
    assert (subscriber.may_publish("a"), subscriber.may_subscribe("a")) == (False, True)


def test_a_literal_role_is_for_its_topic_only_dots_and_slashes_included() -> None:
    grants = Grants.from_roles(Roles.publish("room.1/a", "b") + Roles.subscribe("*"))
    assert grants.may_publish("room.1/a")
    assert grants.may_publish("b")
    assert not grants.may_publish("room.1/A")
    assert not grants.may_publish("room.1")
    assert grants.may_subscribe("*")
    assert not grants.may_subscribe("anything")


def test_a_pattern_role_is_for_what_matches() -> None:
    grants = Grants.from_roles(Roles.publish_matching("room/*") + Roles.subscribe_matching("tenant.**", "x?"))
    assert grants.may_publish("room/a/b")
    assert not grants.may_publish("room/a.b")
    assert grants.may_subscribe("tenant.a.b")
    assert grants.may_subscribe("x1")
    assert not grants.may_subscribe("x.")


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("chat-*", ["chat-1", "chat-room", "chat-"], ["chat.1", "xchat-1", "chat-a.b"]),
        ("clientA.*", ["clientA.alpha", "clientA.1"], ["clientA.alpha.room1", "clientB.alpha"]),
        ("clientA.**", ["clientA.alpha", "clientA.alpha.room1", "clientA."], ["clientB.anything", "clientA"]),
        ("clientA.rooms.?1", ["clientA.rooms.a1", "clientA.rooms.11"], ["clientA.rooms.1", "clientA.rooms.a.1"]),
        (r"literal\*star", ["literal*star"], ["literalXstar", r"literal\*star"]),
        (r"a\\\?", [r"a\?"], [r"a\b"]),
        ("*.b.*c", ["a.b.c", ".b.xxc"], ["a.x.b.c", "a.b.c.d"]),
        ("**.b.*", ["a.x.b.c", ".b."], ["a.b", "a.b.c.d"]),
        ("***", ["", "a.b"], []),
    ],
)
def test_the_pattern_language(pattern: str, matching: list[str], others: list[str]) -> None:
    compiled = Pattern(pattern)
    assert [name for name in matching + others if compiled.matches(name)] == matching
    assert repr(compiled) == f"Pattern({pattern!r})"


def as_regex(pattern: str) -> str:
    """The pattern as the slow but obvious regular expression; stars come in the order they are read."""
    translated = {"**": "(?s:.)*", "*": "[^.]*", "?": "[^.]"}
    parts = re.findall(r"\\.|\*\*|.", pattern, re.DOTALL)
    return "".join(translated.get(part) or re.escape(part[-1]) for part in parts)


@given(
    st.lists(st.sampled_from(["a", "b", ".", "?", "*", "**", r"\*", r"\\"]), min_size=1, max_size=7),
    st.text(alphabet="ab.*\\", max_size=10),
)
def test_matching_agrees_with_a_regular_expression(parts: list[str], name: str) -> None:
    text = "".join(parts)
    stars = re.sub(r"\\.", "", text).count("*")
    if stars > 5:
        with pytest.raises(ValueError, match=f"this one has {stars}"):
            Pattern(text)
    else:
        assert Pattern(text).matches(name) == bool(re.fullmatch(as_regex(text), name))


@given(st.text(min_size=1, max_size=50), st.text(max_size=50))
def test_escaped_text_matches_itself_and_nothing_else(text: str, other: str) -> None:
    pattern = Pattern(Roles.escape(text))
    assert pattern.matches(text)
    assert pattern.matches(other) == (other == text)


def test_the_worst_pattern_on_the_longest_name_is_no_trouble() -> None:
    text = "a" * 200 + "**" + "a" * 400 + "*" + "a" * 400 + "**" + "b"
    assert not Pattern(text).matches("a" * GROUP_NAME_LIMIT)
    assert Pattern("*a*a*a*a*").matches("a" * GROUP_NAME_LIMIT)
    assert not Pattern("*").matches("a" * (GROUP_NAME_LIMIT + 1))


@pytest.mark.parametrize("pattern", ["", "a\\", r"a\b", "a" * (PATTERN_LENGTH_LIMIT + 1), "*" * 6, "a*a*a*a**a*"])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Roles.publish_matching(pattern)


@pytest.mark.parametrize("name", ["", " \t\n", "g" * (GROUP_NAME_LIMIT + 1)])
def test_a_name_that_is_blank_or_too_long_names_no_group(name: str) -> None:
    for make in (check_group, Roles.publish, Roles.subscribe):
        with pytest.raises(ValueError, match="group"):
            make(name)
    check_group("g" * GROUP_NAME_LIMIT)


@pytest.mark.parametrize(
    "role",
    [
        "webpubsub.sendtogroup",
        "webpubsub.sendToGroup.",
        "webpubsub.sendToGroup. ",
        "webpubsub.sendToGroups",
        "webpubsub.sendToGroups.",
        "webpubsub.sendToGroups.a\\",
        "admin",
        "",
    ],
)
def test_a_role_that_counts_for_nothing_is_skipped_and_named(role: str) -> None:
    grants = Grants.from_roles([role, *Roles.subscribe("a")])
    assert not grants.may_publish("a")
    assert grants.may_subscribe("a")
    assert len(grants.ignored) == 1
    assert repr(role) in grants.ignored[0]


def test_roles_beyond_the_limits_are_skipped_and_repetitions_are_free() -> None:
    literals = Roles.publish(*(f"t{number}" for number in range(LITERALS_LIMIT + 1)))
    patterns = Roles.publish_matching(*(f"{number}p*" for number in range(PATTERNS_LIMIT + 1)))
    grants = Grants.from_roles(literals + literals[:3] + patterns + patterns[:3])
    assert grants.may_publish(f"t{LITERALS_LIMIT - 1}")
    assert not grants.may_publish(f"t{LITERALS_LIMIT}")
    assert grants.may_publish(f"{PATTERNS_LIMIT - 1}px")
    assert not grants.may_publish(f"{PATTERNS_LIMIT}px")
    assert len(grants.ignored) == 2


def test_ignored_roles_are_shown_escaped_and_short() -> None:
    (line,) = Grants.from_roles(["evil\r\nline" + "x" * 5000]).ignored
    assert line.isprintable()
    assert len(line) < 250


def test_a_permission_is_granted_and_revoked_for_one_topic_or_for_all() -> None:
    grants = Grants.from_roles(())
    one = grants.granted(Permission.PUBLISH, "a")
    assert (one.may_publish("a"), one.may_publish("b"), one.may_subscribe("a")) == (True, False, False)
    everything = one.granted(Permission.SUBSCRIBE)
    assert everything.allows(Permission.SUBSCRIBE)
    assert everything.allows(Permission.SUBSCRIBE, "anything")
    assert not everything.allows(Permission.PUBLISH)
    assert not one.revoked(Permission.PUBLISH, "a").may_publish("a")
    assert not everything.revoked(Permission.SUBSCRIBE).may_subscribe("a")
    assert everything.revoked(Permission.SUBSCRIBE, "a").may_subscribe("a")
    assert not grants.may_publish("a")


def test_run_time_permissions_have_names_and_a_limit() -> None:
    with pytest.raises(ValueError, match="white space"):
        Grants.from_roles(()).granted(Permission.PUBLISH, " ")
    full = Grants.from_roles(Roles.publish(*(f"t{number}" for number in range(LITERALS_LIMIT))))
    assert full.granted(Permission.PUBLISH, "t0").may_publish("t0")
    with pytest.raises(ValueError, match="more than 1000"):
        full.granted(Permission.PUBLISH, "one more")


def test_two_sets_of_roles_add_up() -> None:
    one = Grants.from_roles((*Roles.publish("a"), *Roles.subscribe_matching("x.*")))
    both = one.extended(Grants.from_roles((*Roles.publish("b"), *Roles.subscribe_matching("y.*"))))
    assert [both.may_publish(topic) for topic in "abc"] == [True, True, False]
    assert [both.may_subscribe(topic) for topic in ("x.1", "y.1", "z.1")] == [True, True, False]
    assert not both.may_subscribe("x.1", literally=True)
