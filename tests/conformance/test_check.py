"""Checks, and how they are registered."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.conformance.check import Check, Kind, chapter_of, checker, checks, numbered
from mqttws.vocabulary import ProtocolVersion

V5, V311 = ProtocolVersion.V5, ProtocolVersion.V3_1_1


async def documented(_probe: Any) -> None:
    """It has a title.

    And more to say.
    """


async def untitled(_probe: Any) -> None: ...  # fmt: skip


@pytest.mark.parametrize(
    ("function", "statements", "words"),
    [
        (untitled, {"v5": "MQTT-3.1.0-1"}, "has no title"),
        (documented, {}, "decides nothing"),
        (documented, {"v5": "MQTT-9.9.9-9"}, "names MQTT-9.9.9-9, which version 5 does not have"),
        (documented, {"v311": ("MQTT-3.1.0-1", "MQTT-4.12.0-1")}, "MQTT-4.12.0-1, which version 4 does not have"),
        (documented, {"v5": "RFC 6455"}, "names RFC 6455"),
    ],
)
def test_what_no_check_may_be(function: Any, statements: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checker(Kind.SERVER)(**statements)(function)
    assert not [check for check in checks(Kind.SERVER) if check.name == function.__name__]


def test_two_checks_of_one_name_in_one_version_are_one_too_many() -> None:
    taken = next(check for check in checks(Kind.SERVER) if not check.passive and check.version == V5)

    async def another(_probe: Any) -> None:
        """It has a title."""

    another.__name__ = taken.name
    with pytest.raises(ValueError, match=f"there are two checks {taken.id}"):
        checker(Kind.SERVER)(v5="MQTT-3.1.0-1")(another)


@pytest.mark.parametrize(
    ("statements", "chapter"),
    [
        (("MQTT-3.3.1-4", "MQTT-2.1.3-1"), "3.3"),
        (("RFC 6455, 5.1",), "6"),
        (("MQTT 5.0, 4.13.1", "MQTT-3.3.1-4"), "4.13"),
        (("MQTT-6.0.0-1",), "6"),
    ],
)
def test_a_check_stands_in_the_chapter_of_its_first_statement(statements: tuple[str, ...], chapter: str) -> None:
    assert chapter_of("one", V5, statements) == chapter


def test_each_version_numbers_in_its_own_way() -> None:
    assert numbered(V5)["MQTT-3.1.2-22"] == numbered(V311)["MQTT-3.1.2-22"] == "3.1"
    assert len(numbered(V5)) == 251
    assert "MQTT-4.12.0-1" not in numbered(V311)


@pytest.mark.parametrize("kind", Kind)
def test_checks_are_in_the_order_of_versions_and_chapters_and_say_what_they_are(kind: Kind) -> None:
    found = checks(kind)
    order = [(check.version, [int(part) for part in check.chapter.split(".")]) for check in found]
    assert order == sorted(order)
    assert len({check.id for check in found}) == len(found) > 200
    for check in found:
        assert check.title
        assert check.id == f"{kind.value}/{'5.0' if check.version == V5 else '3.1.1'}/{check.name}"


def test_nothing_is_left_of_a_check_that_was_not_registered() -> None:
    assert all(isinstance(check, Check) for check in checks(Kind.SERVER))
    assert not [check for check in checks(Kind.SERVER) if check.name in ("documented", "another")]
