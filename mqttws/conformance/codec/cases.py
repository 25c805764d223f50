"""Packets with a verdict that holds for every decoder, and the judgement of what one of them makes of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from mqttws.codec import decode
from mqttws.conformance import Vector, rule_of, vectors
from mqttws.conformance.codec.answer import Answer, Taken
from mqttws.conformance.fields import differences
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import PACKET_TYPES, Role

__all__ = ["Case", "Wrong", "cases_of", "depends_on_sender", "judge", "vector_cases"]

_SENDERS: Final = {"client": (Role.CLIENT,), "server": (Role.SERVER,), "either": (Role.CLIENT, Role.SERVER)}

#: Took what it has to refuse, refused what it has to take, read other values than were sent, failed otherwise, or gave
#: no answer in time.
Wrong: TypeAlias = Literal["wrong-accept", "wrong-reject", "wrong-fields", "crash", "hang"]
#: Answers that are wrong for anything.
_ALWAYS: Final[dict[Taken, Wrong]] = {Taken.CRASHED: "crash", Taken.HUNG: "hang"}


@dataclass(frozen=True, slots=True)
class Case:
    """One packet from ``sender`` in ``version``; ``valid`` None means that it is not known.

    ``name`` says what it shows: a vector, a mutation, or the packet type; those of one ``group`` show the same.
    ``rule`` says in words what the bytes break, ``statement`` is its number if it has one, and ``codes`` are the reason
    codes that may answer it.
    """

    name: str
    data: bytes
    version: int
    sender: Role
    valid: bool | None
    fields: dict[str, Any] | None = None
    rule: str = ""
    statement: str | None = None
    codes: tuple[int, ...] = ()
    group: str = ""

    @property
    def packet_type(self) -> str:
        """What the first byte says."""
        packet_type = PACKET_TYPES[self.data[0] >> 4]
        return "reserved type" if packet_type is None else packet_type.name


def vector_cases(versions: Collection[int] = (4, 5), senders: Collection[Role] = tuple(Role)) -> Iterator[Case]:
    """The vectors that are one whole packet and that the standard settles, for each end that may send them."""
    for vector in vectors():
        if vector["kind"] == "packet" and not vector.get("ambiguous", False):
            for case in cases_of(vector):
                if case.version in versions and case.sender in senders:
                    yield case


def cases_of(vector: Vector) -> Iterator[Case]:
    """A vector in each version and from each end that it is for."""
    for version in (4, 5) if vector["version"] == "both" else (vector["version"],):
        for sender in _SENDERS[vector["direction"]]:
            yield Case(
                vector["name"],
                bytes.fromhex(vector["hex"]),
                version,
                sender,
                vector["valid"],
                vector["fields"],
                "" if vector["valid"] else _rule(vector, version),
                vector["statement"],
                tuple(vector.get("accept_codes") or ()),
                f"{vector['category']} {vector['statement']}",
            )


def _rule(vector: Vector, version: int) -> str:
    """The statement that a vector breaks, in words; its name where the rule has no number."""
    return rule_of(vector["statement"] or "", version) or vector["name"].replace("_", " ")


def depends_on_sender(case: Case) -> bool:
    """Whether a packet is wrong only because this end sends it: who is not told that cannot refuse it."""
    return case.valid is False and _is_read(case, None) and not _is_read(case, case.sender)


def _is_read(case: Case, sender: Role | None) -> bool:
    try:
        decode(case.data, case.version, sender=sender)
    except RemoteProtocolError:
        return False
    return True


def judge(case: Case, answer: Answer) -> Wrong | None:
    """What is wrong with an answer; None if nothing is."""
    if answer.taken in _ALWAYS:
        return _ALWAYS[answer.taken]
    if case.valid is None or answer.taken is Taken.UNSUPPORTED:
        return None
    if answer.taken is Taken.REFUSED:
        return "wrong-reject" if case.valid else None
    if not case.valid:
        return "wrong-accept"
    return "wrong-fields" if answer.fields is not None and differences(case.fields, answer.fields) else None
