"""Smaller inputs that show the same: fewer choices where a packet was built, fewer bytes where it was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from mqttws.codec.dispatch import read_header
from mqttws.codec.primitives import varint
from mqttws.errors import MalformedPacket
from mqttws.fuzz.sources import Choice

__all__ = ["fewer_bytes", "fewer_choices"]

S = TypeVar("S", bytes, list[Choice])
#: Choices behind one that is set to 0 which may have followed from it.
_FOLLOWING = 9


class _Attempts:
    """A bound on how often anybody is asked."""

    def __init__(self, most: int) -> None:
        self.left = most

    def limited(self, still: Callable[[S], bool]) -> Callable[[S], bool]:
        """``still``, and False without asking once the bound is reached."""

        def ask(candidate: S) -> bool:
            self.left -= 1
            return self.left >= 0 and still(candidate)

        return ask


def _cut(best: S, ask: Callable[[S], bool]) -> S:
    """Leave out spans: large ones side by side, small ones everywhere."""
    size = max(1, len(best) // 2)
    while size:
        start = 0
        while start + size <= len(best):
            candidate = best[:start] + best[start + size :]
            if ask(candidate):
                best = candidate
            else:
                start += size if size > 4 else 1
        size //= 2
    return best


def fewer_choices(
    choices: Sequence[Choice], still: Callable[[list[Choice]], bool], *, attempts: int = 400
) -> list[Choice]:
    """A list of choices that is shorter or simpler and for which ``still`` is true; it is asked at most so often.

    As Hypothesis does it: what a source draws is shrunk, not what was built from it, so that every attempt is a packet.
    """
    bound = _Attempts(attempts)
    ask = bound.limited(still)
    best = list(choices)
    before: list[Choice] = []
    while best != before and bound.left > 0:
        before = best
        best = _simplify(_cut(best, ask), ask)
    return best


def _simplify(best: list[Choice], ask: Callable[[list[Choice]], bool]) -> list[Choice]:
    """Smaller numbers and blocks, each in its place."""
    index = 0
    while index < len(best):
        for candidate in _simpler(best, index):
            if ask(candidate):
                best = candidate
                break
        else:
            index += 1
    return best


def _simpler(choices: list[Choice], index: int) -> Iterator[list[Choice]]:
    """The list with something simpler at ``index``."""
    choice = choices[index]
    front, behind = choices[:index], choices[index + 1 :]
    if not choice:
        return
    for more in range(1, min(_FOLLOWING, len(behind)) + 1):
        yield [*front, 0, *behind[more:]]  # what this one has led to is not asked for any more
    if isinstance(choice, bytes):
        if len(choice) > 1:
            yield [*front, choice[: len(choice) // 2], *behind]
        if choice.strip(b"\0"):
            yield [*front, bytes(len(choice)), *behind]
    else:
        for smaller in dict.fromkeys((0, choice // 2, choice - 1)):
            yield [*front, smaller, *behind]


def fewer_bytes(data: bytes, still: Callable[[bytes], bool], *, attempts: int = 400, packet: bool = True) -> bytes:
    """Fewer and smaller bytes for which ``still`` is true; it is asked at most so often.

    Of a ``packet`` also the body is cut with the Remaining Length set right again.
    """
    bound = _Attempts(attempts)
    ask = bound.limited(still)
    best, before = data, b""
    while best != before and bound.left > 0:
        before = best
        if packet:
            best = _cut_body(best, ask)
        best = _cut(best, ask)
        for index, byte in enumerate(best):
            candidate = best[:index] + b"\0" + best[index + 1 :]
            if byte and ask(candidate):
                best = candidate
    return best


def _cut_body(data: bytes, ask: Callable[[bytes], bool]) -> bytes:
    """Cut what is behind a fixed header that tells the truth, and let it do so again."""
    try:
        header = read_header(data, 0) if data else None
    except MalformedPacket:
        return data
    if header is None or sum(header) != len(data):
        return data

    def whole(body: bytes) -> bytes:
        return data[:1] + varint(len(body)) + body

    return whole(_cut(data[header[1] :], lambda body: ask(whole(body)))) if header[0] else data
