"""Packets with a verdict that holds for every decoder, and the judgement of what one of them makes of them.

First the byte vectors of both standards, then packets from a seed: valid ones, and such with one known fault. What the
standard leaves open is left out. Some are noise: only crashes and hangs count there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from mqttws.codec import encode
from mqttws.conformance import Vector, statements, vectors
from mqttws.conformance.fields import differences, fields_of
from mqttws.fuzz.adapters import Answer, Verdict
from mqttws.fuzz.findings import Finding, Kind
from mqttws.fuzz.grammar import packet
from mqttws.fuzz.inputs import scramble
from mqttws.fuzz.mutations import spoil
from mqttws.fuzz.sources import Choice, RandomSource, ReplaySource, Source
from mqttws.vocabulary import PACKET_TYPES, ProtocolVersion, Role

__all__ = ["Case", "finding_of", "judge", "made", "replayed", "vector_cases"]

_SENDERS: Final = {"client": (Role.CLIENT,), "server": (Role.SERVER,), "either": (Role.CLIENT, Role.SERVER)}
#: Answers that are wrong for anything.
_ALWAYS: Final[dict[Verdict, Kind]] = {Verdict.CRASHED: "crash", Verdict.HUNG: "hang"}


@dataclass(frozen=True, slots=True)
class Case:
    """One packet from ``sender`` in ``version``; ``valid`` None means that it is not known.

    ``name`` says what it shows: a vector, a mutation, or the packet type; those of one ``group`` show the same. The
    rest is as in :class:`~mqttws.fuzz.mutations.Malformed`.
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
        if vector["kind"] != "packet" or vector.get("ambiguous", False):
            continue
        for version in (4, 5) if vector["version"] == "both" else (vector["version"],):
            for sender in _SENDERS[vector["direction"]]:
                if version in versions and sender in senders:
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


@cache
def _requirements(version: int) -> dict[str, str]:
    return {each["id"]: each["requirement"] for each in statements(ProtocolVersion(version))}


def _rule(vector: Vector, version: int) -> str:
    """The statement that a vector breaks, in words; its name where the rule has no number."""
    return _requirements(version).get(vector["statement"] or "", vector["name"].replace("_", " "))


def made(
    seed: int, index: int, versions: Sequence[int] = (5, 4), senders: Sequence[Role] = tuple(Role)
) -> tuple[Case, list[Choice]]:
    """Case number ``index`` of a seed, and the choices that led to it."""
    source = RandomSource(f"{seed}:{index}", plain=True, record=True)
    case = _build(source, versions, senders)
    assert source.choices is not None
    return case, source.choices


def replayed(choices: Sequence[Choice], versions: Sequence[int], senders: Sequence[Role]) -> Case:
    """The case that other choices lead to."""
    return _build(ReplaySource(choices, plain=True), versions, senders)


def _build(source: Source, versions: Sequence[int], senders: Sequence[Role]) -> Case:
    version, sender = source.choice(versions), source.choice(senders)
    what = source.draw(9)
    built = packet(source, version, sender)
    data = encode(built, version)
    if what < 3:
        return Case(built.packet_type.name.lower(), data, version, sender, True, fields_of(built, version))
    if what < 9:
        for _ in range(8):
            spoiled = spoil(source, data, version, sender)
            if not spoiled.debatable and spoiled.sender in senders:
                return Case(
                    spoiled.mutation,
                    spoiled.data,
                    version,
                    spoiled.sender or sender,
                    False,
                    None,
                    spoiled.rule,
                    spoiled.statement,
                    tuple(sorted(spoiled.codes)),
                )
    return Case("noise", scramble(source, data), version, sender, None)


def judge(case: Case, answer: Answer) -> Kind | None:
    """What is wrong with an answer; None if nothing is."""
    if answer.verdict in _ALWAYS:
        return _ALWAYS[answer.verdict]
    if case.valid is None or answer.verdict is Verdict.UNSUPPORTED:
        return None
    if answer.verdict is Verdict.REFUSED:
        return "wrong-reject" if case.valid else None
    if not case.valid:
        return "wrong-accept"
    return "wrong-fields" if answer.fields is not None and differences(case.fields, answer.fields) else None


def finding_of(case: Case, answer: Answer, kind: Kind, subject: str, original: bytes | None = None) -> Finding:
    """The case as a finding in ``subject``."""
    expected = {True: "accepted", False: "refused", None: "accepted or refused"}[case.valid]
    said = f"{answer.verdict.value} {answer.text}".rstrip()
    if kind == "wrong-fields":
        said += "; ".join(differences(case.fields, answer.fields))
    return Finding(
        kind=kind,
        data=case.data,
        subject=subject,
        expected=expected,
        answer=said,
        version=case.version,
        sender=case.sender,
        rule=case.rule,
        statement=case.statement,
        mutation=case.name,
        codes=case.codes,
        original=original,
        fields=case.fields,
    )
