"""Where the choices of a generator come from: a seed, a fuzzer's bytes, or a list made shorter step by step.

:mod:`~mqttws.fuzz.grammar` and the mutations ask a :class:`Source` and do not care which one. So one grammar serves
the plain loop, coverage-guided fuzzers and, by a source in :mod:`~mqttws.fuzz.strategies`, Hypothesis.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from random import Random
from typing import Final, TypeAlias, TypeVar

__all__ = ["BytesSource", "Choice", "RandomSource", "ReplaySource", "Source"]

T = TypeVar("T")

#: One recorded choice: a number, or a block of bytes.
Choice: TypeAlias = int | bytes

#: Characters worth trying, the plainest first: topic syntax, one to four bytes of UTF-8, a byte order mark.
_PLAIN: Final = (
    "ab/$ +#A0.-\N{LATIN SMALL LETTER E WITH ACUTE}\N{EURO SIGN}\u0439\u4e2d\ufeff\ufffd\U0001f600\U00010000"
)
#: Such that the standards say should not be sent; a receiver may refuse them (5.0: 1.5.4, 3.1.1: 1.5.3).
_DISCOURAGED: Final = "\x01\t\x1f\x7f\x9f\ufdd0\ufffe\U0001ffff\U0010ffff"
#: Sizes in bytes around which length fields change their own length or run full.
_EDGE_SIZES: Final = (127, 128, 200, 255, 256, 1_000, 16_383, 16_384, 65_535)
_EDGES: Final = tuple(sorted({2**bits + more for bits in (7, 8, 14, 15, 16, 21, 28, 31, 32) for more in (-1, 0)}))


class Source(ABC):
    """Choices, each of which is simplest at 0.

    With ``plain`` nothing is chosen that a standard leaves to the receiver to refuse, so that other decoders can be
    held to the result.
    """

    def __init__(self, *, plain: bool = False) -> None:
        self.plain = plain
        self._alphabet = _PLAIN if plain else _PLAIN + _DISCOURAGED

    @abstractmethod
    def draw(self, most: int) -> int:
        """A number from 0 to ``most``."""

    @abstractmethod
    def block(self, size: int) -> bytes:
        """So many bytes."""

    def boolean(self) -> bool:
        """False or True."""
        return self.draw(1) == 1

    def rarely(self, odds: int = 32) -> bool:
        """True once in so many times."""
        return self.draw(odds - 1) == odds - 1

    def choice(self, items: Sequence[T]) -> T:
        """One of these, of which there is at least one; the first is the simplest."""
        return items[self.draw(len(items) - 1)]

    def integer(self, least: int, most: int) -> int:
        """A whole number from ``least`` to ``most``; both ends and powers of two come often."""
        match self.draw(7):
            case 0:
                return least
            case 1 | 2:
                return least + self.draw(min(most - least, 9))
            case 3:
                return most
            case 4:
                return min(max(self.choice(_EDGES), least), most)
            case _:
                return least + self.draw(most - least)

    def size(self, least: int, most: int) -> int:
        """How many of something: seldom more than a few."""
        return least + self.draw(min(most - least, 40 if self.draw(7) == 7 else 6))

    def binary(self, *, most: int = 20, longest: int = 65_535) -> bytes:
        """Bytes: usually at most ``most``, rarely as many as an edge of length fields, never above ``longest``."""
        if self.rarely():
            return (self.block(1) * min(self.choice(_EDGE_SIZES), longest))[:longest]
        return self.block(min(self.size(0, most), longest))

    def text(self, *, least: int = 0, most: int = 20, longest: int = 65_535, without: str = "") -> str:
        """Characters that a UTF-8 Encoded String may hold: ``least`` to ``most``, rarely up to ``longest`` bytes."""
        if self.rarely():
            character = self.character(without)
            return character * max(least, min(self.choice(_EDGE_SIZES), longest) // len(character.encode()))
        return self.short_text(least, most, without)

    def short_text(self, least: int, most: int, without: str) -> str:
        """The usual case of :meth:`text`."""
        return "".join([self.character(without) for _ in range(self.size(least, most))])

    def character(self, without: str = "") -> str:
        """Any character but U+0000, surrogates and those of ``without``."""
        alphabet = self._alphabet
        index = self.draw(len(alphabet) + (0 if self.plain else 3))
        character = alphabet[index] if index < len(alphabet) else chr(self.draw(0xD7FE) + 1)
        if self.plain and not character.isprintable() and character != "\ufeff":
            character = "b"
        return "c" if character in without else character

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """These in any order; the simplest is their own."""
        rest = list(items)
        if len(rest) < 2 or not self.boolean():
            return rest
        return [rest.pop(self.draw(len(rest) - 1)) for _ in range(len(rest))]


class RandomSource(Source):
    """Choices from a seed; ``record`` keeps them for a :class:`ReplaySource`."""

    def __init__(self, seed: int | str, *, plain: bool = False, record: bool = False) -> None:
        super().__init__(plain=plain)
        generator = Random(seed)  # noqa: S311 - repeatable, not secret
        self._random = generator.random
        self._bytes = generator.randbytes
        self.choices: list[Choice] | None = [] if record else None

    def draw(self, most: int) -> int:
        """A number from 0 to ``most``, each as likely."""
        value = int(self._random() * (most + 1))
        if self.choices is not None:
            self.choices.append(value)
        return value

    def block(self, size: int) -> bytes:
        """Random bytes."""
        value = self._bytes(size)
        if self.choices is not None:
            self.choices.append(value)
        return value


class BytesSource(Source):
    """Choices from a fuzzer's bytes, so that its mutations become other packets; at their end all is simple."""

    def __init__(self, data: bytes, *, plain: bool = False) -> None:
        super().__init__(plain=plain)
        self._data = data
        self._position = 0

    def draw(self, most: int) -> int:
        """As many bytes as ``most`` needs, reduced to its range."""
        size = (most.bit_length() + 7) // 8
        return int.from_bytes(self.block(size)) % (most + 1)

    def block(self, size: int) -> bytes:
        """The next bytes, and zeros behind the last one."""
        start, self._position = self._position, self._position + size
        return self._data[start : self._position].ljust(size, b"\0")

    def rest(self) -> bytes:
        """What nothing was chosen by."""
        return self._data[self._position :]


class ReplaySource(Source):
    """Recorded choices once more, in range whatever they are; at their end all is simple."""

    def __init__(self, choices: Sequence[Choice], *, plain: bool = False) -> None:
        super().__init__(plain=plain)
        self._choices = choices
        self._position = 0

    def _next(self) -> Choice:
        self._position += 1
        return self._choices[self._position - 1] if self._position <= len(self._choices) else 0

    def draw(self, most: int) -> int:
        """The next number, at most ``most``."""
        value = self._next()
        return min(value, most) if isinstance(value, int) else 0

    def block(self, size: int) -> bytes:
        """The next block, cut or filled up with zeros."""
        value = self._next()
        return (value if isinstance(value, bytes) else b"")[:size].ljust(size, b"\0")
