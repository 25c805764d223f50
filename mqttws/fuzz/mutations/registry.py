"""What a mutation is, and the list of all of them.

A mutation is a function that spoils the parts of a valid packet in one known way. Its row says which rule that breaks:
in words, by the number of the statement in each version, and which Reason Codes of 5.0 a receiver may answer with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from mqttws.codec.faults import IN_3_1_1
from mqttws.fuzz.anatomy import Anatomy, take_apart
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import PacketType, Role

__all__ = [
    "BROKEN",
    "EITHER",
    "MALFORMED",
    "MUTATIONS",
    "PROTOCOL_ERROR",
    "Breach",
    "Malformed",
    "Mutation",
    "mutation",
    "numbered",
]

#: The codes for bytes that are no packet, for packets that break the protocol, and where the standard names neither.
MALFORMED: Final = frozenset({0x81})
PROTOCOL_ERROR: Final = frozenset({0x82})
EITHER: Final = MALFORMED | PROTOCOL_ERROR


@dataclass(frozen=True, slots=True)
class Breach:
    """What a mutation has broken, where that depends on the packet; None leaves it to the mutation's row."""

    statement: str | None = None
    codes: frozenset[int] | None = None
    debatable: bool = False


#: As the row says.
BROKEN: Final = Breach()

#: Spoils the parts in place; None if this packet cannot be spoiled in this way.
Spoiler: TypeAlias = Callable[[Source, Anatomy], Breach | None]


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that break one rule.

    ``statement`` is the rule's number in ``version``, None where it has none or where more than one would fit.
    ``codes`` are the Reason Codes of 5.0 that a receiver may answer with, if it does not just close; empty in 3.1.1.
    ``sender`` is the end that would have to have sent it, None where that does not matter. Of what is ``debatable`` the
    standard does not say that a receiver has to refuse it.
    """

    data: bytes
    rule: str
    codes: frozenset[int]
    statement: str | None
    mutation: str
    version: int
    sender: Role | None
    debatable: bool = False


@dataclass(frozen=True, slots=True)
class Mutation:
    """One known way to spoil a packet of one of these types in one of these versions."""

    name: str
    rule: str
    codes: frozenset[int]
    statements: dict[int, str | None]
    packets: frozenset[PacketType]
    debatable: bool
    spoil: Spoiler

    def applies_to(self, version: int, packet_type: PacketType) -> bool:
        """Whether it makes sense to try."""
        return version in self.statements and packet_type in self.packets

    def __call__(self, source: Source, data: bytes, version: int = 5, sender: Role | None = None) -> Malformed | None:
        """The valid packet ``data`` spoiled, or None if there is nothing in it that could be spoiled like this."""
        if not self.applies_to(version, PacketType(data[0] >> 4)):
            return None
        anatomy = take_apart(data, version, sender)
        breach = self.spoil(source, anatomy)
        if breach is None:
            return None
        codes = self.codes if breach.codes is None else breach.codes
        return Malformed(
            anatomy.encode(),
            self.rule,
            codes if version == 5 else frozenset(),
            breach.statement or self.statements[version],
            self.name,
            version,
            anatomy.sender,
            self.debatable or breach.debatable,
        )


#: All mutations by their names.
MUTATIONS: Final[dict[str, Mutation]] = {}


def mutation(
    name: str,
    rule: str,
    *,
    codes: frozenset[int] = EITHER,
    v5: str | None = None,
    v3_1_1: str | None = None,
    versions: Iterable[int] = (4, 5),
    packets: Iterable[PacketType] = PacketType,
    debatable: bool = False,
) -> Callable[[Spoiler], Spoiler]:
    """Enter a function in :data:`MUTATIONS`: ``rule`` in words, ``v5`` and ``v3_1_1`` its numbers if it has any."""

    def enter(spoil: Spoiler) -> Spoiler:
        statements = {version: {4: v3_1_1, 5: v5}[version] for version in versions}
        MUTATIONS[name] = Mutation(name, rule, codes, statements, frozenset(packets), debatable, spoil)
        return spoil

    return enter


def numbered(statement: str, version: int) -> str | None:
    """A statement of 5.0 as ``version`` numbers it."""
    return statement if version == 5 else IN_3_1_1.get(statement)
