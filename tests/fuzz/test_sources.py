"""Sources of choices: in range, repeatable, and simple where they end."""

from __future__ import annotations

import pytest

from mqttws.fuzz.sources import BytesSource, RandomSource, ReplaySource, Source


def sources() -> list[Source]:
    return [
        RandomSource(7),
        RandomSource(7, plain=True),
        BytesSource(RandomSource(1).block(3_000)),
        ReplaySource([3, b"abc", 70_000, 1] * 300),
    ]


@pytest.mark.parametrize("source", sources())
def test_choices_stay_in_their_range(source: Source) -> None:
    for _ in range(200):
        assert 0 <= source.draw(5) <= 5
        assert 3 <= source.integer(3, 268_435_455) <= 268_435_455
        assert len(source.binary(most=4, longest=300)) <= 300
        text = source.text(least=1, most=4, longest=300, without="#+")
        assert text
        assert len(text.encode()) <= 300
        assert not set(text) & set("#+\0")
        assert sorted(source.shuffled("abc")) == ["a", "b", "c"]


def test_the_same_seed_gives_the_same_choices() -> None:
    assert [RandomSource("x").text() for _ in range(3)] == [RandomSource("x").text() for _ in range(3)]


def test_recorded_choices_replay() -> None:
    recording = RandomSource(5, record=True)
    first = [recording.text(), recording.binary(), recording.integer(0, 9), recording.shuffled(range(5))]
    assert recording.choices is not None
    again = ReplaySource(recording.choices)
    assert [again.text(), again.binary(), again.integer(0, 9), again.shuffled(range(5))] == first


@pytest.mark.parametrize("source", [ReplaySource([]), BytesSource(b"")])
def test_at_its_end_everything_is_simple(source: Source) -> None:
    assert source.integer(1, 9) == 1
    assert source.boolean() is False
    assert source.text() == ""
    assert source.block(2) == b"\0\0"
    assert source.choice("xy") == "x"
    assert source.shuffled("abc") == ["a", "b", "c"]


def test_a_choice_of_the_wrong_kind_is_the_simplest() -> None:
    source = ReplaySource([b"bytes", 7])
    assert source.draw(9) == 0
    assert source.block(1) == b"\0"


def test_plain_texts_hold_nothing_that_a_receiver_may_refuse() -> None:
    source = RandomSource(3, plain=True)
    characters = set("".join(source.text() for _ in range(2_000)))
    assert all(character.isprintable() or character == "\ufeff" for character in characters)
    assert "\ufeff" in characters


def test_what_a_fuzzers_bytes_did_not_choose_is_left() -> None:
    source = BytesSource(b"\x01\x02rest")
    assert source.draw(255) == 1
    assert source.draw(255) == 2
    assert source.rest() == b"rest"


def test_edges_come_often() -> None:
    source = RandomSource(1)
    drawn = [source.integer(1, 65_535) for _ in range(500)]
    assert {1, 65_535, 127, 128, 255, 256} <= set(drawn)
    sizes = {len(source.binary(longest=65_535)) for _ in range(2_000)}
    assert {0, 127, 128, 16_384, 65_535} <= sizes
