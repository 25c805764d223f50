"""Making inputs smaller."""

from __future__ import annotations

from mqttws.codec import Publish, decode, encode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.cases import made, replayed
from mqttws.fuzz.minimise import fewer_bytes, fewer_choices
from mqttws.vocabulary import Role


def test_choices_get_fewer_and_simpler() -> None:
    best = fewer_choices([7, 9, b"abcd", 300, 2], lambda choices: 300 in choices or 150 in choices)
    assert best == [150]
    assert fewer_choices([5, b"abc"], lambda choices: len(choices) == 2) == [0, b"\0"]


def test_choices_shrink_to_a_small_packet() -> None:
    wanted = None
    for index in range(2_000):
        case, choices = made(1, index)
        if case.name == "property-twice" and len(case.data) > 60:
            wanted = choices
            break
    assert wanted is not None

    def still(choices: object) -> bool:
        return replayed(choices, (5, 4), tuple(Role)).name == "property-twice"  # type: ignore[arg-type]  # a list of choices

    small = replayed(fewer_choices(wanted, still, attempts=2_000), (5, 4), tuple(Role))
    assert len(small.data) < 20


def test_bytes_get_fewer_with_the_length_set_right() -> None:
    data = encode(Publish("topic", bytes(50) + b"!" + bytes(50)))

    def still(candidate: bytes) -> bool:
        try:
            return b"!" in decode(candidate).payload  # type: ignore[union-attr]  # the next line catches the others
        except (RemoteProtocolError, AttributeError):
            return False

    small = fewer_bytes(data, still)
    assert still(small)
    assert len(small) <= 12


def test_attempts_are_bounded() -> None:
    asked = []

    def never(candidate: object) -> bool:
        asked.append(candidate)
        return False

    assert fewer_bytes(bytes(range(1, 200)), never, attempts=7) == bytes(range(1, 200))
    assert fewer_choices([1, 2, 3], never, attempts=3) == [1, 2, 3]
    assert len(asked) == 10


def test_bytes_that_are_no_packet_are_cut_too() -> None:
    assert fewer_bytes(b"\x30\xff\xff\xff\xff\xffabc", lambda candidate: b"b" in candidate) == b"b"
    assert fewer_bytes(b"", lambda _: True) == b""
