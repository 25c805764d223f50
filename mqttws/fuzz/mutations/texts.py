"""Texts that are no UTF-8, or hold what no text may hold."""

from __future__ import annotations

from typing import Final

from mqttws.codec.faults import ill_formed_statement, null_statement
from mqttws.fuzz.anatomy import Anatomy, Part
from mqttws.fuzz.mutations.registry import MALFORMED, MUTATIONS, Breach, Mutation, mutation, numbered
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType

#: The classes of ill-formed UTF-8, with sequences of each (Unicode 3.9, table 3-7).
ILL_FORMED: Final[dict[str, tuple[bytes, ...]]] = {
    "surrogate-high": (b"\xed\xa0\x80", b"\xed\xaf\xbf"),
    "surrogate-low": (b"\xed\xb0\x80", b"\xed\xbf\xbf"),
    "surrogate-pair": (b"\xed\xa0\xbd\xed\xb8\x80",),
    "overlong-null": (b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80"),
    "overlong-slash": (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf"),
    "overlong-c1": (b"\xc1\xbf", b"\xc1\x80"),
    "overlong-3": (b"\xe0\x9f\xbf",),
    "overlong-4": (b"\xf0\x8f\xbf\xbf",),
    "above-10ffff": (b"\xf4\x90\x80\x80", b"\xf7\xbf\xbf\xbf"),
    "lead-f5": (b"\xf5\x80\x80\x80",),
    "lead-f8": (b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"),
    "byte-fe": (b"\xfe", b"\xff"),
    "lone-continuation": (b"\x80", b"\xbf"),
    "bad-continuation": (b"\xc3\x28", b"\xe2\x82\x28", b"\xf0\x9f\x98\x28"),
    "latin-1": (b"\xe9a", b"\xfc "),
}


def _text(source: Source, anatomy: Anatomy) -> Part | None:
    """A text to spoil, short enough to take more; the protocol name has rules of its own."""
    texts = [part for part in anatomy.texts() if part.name != "protocol_name" and len(part.data) < 65_500]
    return source.choice(texts) if texts else None


def _insert(source: Source, part: Part, piece: bytes) -> None:
    """Put ``piece`` between two characters."""
    text = part.data.decode()
    at = len(text[: source.draw(len(text))].encode())
    part.data = part.data[:at] + piece + part.data[at:]


def _enter(name: str, sequences: tuple[bytes, ...]) -> None:
    def spoil(source: Source, anatomy: Anatomy) -> Breach | None:
        part = _text(source, anatomy)
        if part is None:
            return None
        _insert(source, part, source.choice(sequences))
        return Breach(numbered(ill_formed_statement(part.name), anatomy.version))

    MUTATIONS[name] = Mutation(
        name, "a text is well-formed UTF-8", MALFORMED, {4: None, 5: None}, frozenset(PacketType), False, spoil
    )


for _name, _sequences in ILL_FORMED.items():
    _enter(f"utf8-{_name}", _sequences)


@mutation("utf8-cut-character", "a text is well-formed UTF-8", codes=MALFORMED)
def utf8_cut_character(source: Source, anatomy: Anatomy) -> Breach | None:
    """A text that ends in the middle of a character."""
    part = _text(source, anatomy)
    if part is None:
        return None
    part.data += source.choice((b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"))
    return Breach(numbered(ill_formed_statement(part.name), anatomy.version))


@mutation("text-with-null", "a text holds no U+0000", codes=MALFORMED)
def text_with_null(source: Source, anatomy: Anatomy) -> Breach | None:
    """U+0000 in a text."""
    part = _text(source, anatomy)
    if part is None:
        return None
    _insert(source, part, b"\0")
    return Breach(numbered(null_statement(part.name), anatomy.version))
