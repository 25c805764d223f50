"""Packets from a seed with a verdict that holds for every decoder, and findings out of them.

Valid ones, and such with one known fault. What the standard leaves open is left out. Some are noise: only crashes and
hangs count there.
"""

from __future__ import annotations

from collections.abc import Sequence

from mqttws.codec import encode
from mqttws.conformance.codec.answer import Answer
from mqttws.conformance.codec.cases import Case, Wrong
from mqttws.conformance.fields import differences, fields_of
from mqttws.fuzz.findings import Finding
from mqttws.fuzz.grammar import packet
from mqttws.fuzz.inputs import scramble
from mqttws.fuzz.mutations import spoil
from mqttws.fuzz.sources import Choice, RandomSource, ReplaySource, Source
from mqttws.vocabulary import Role

__all__ = ["finding_of", "made", "replayed"]


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


def finding_of(case: Case, answer: Answer, kind: Wrong, subject: str, original: bytes | None = None) -> Finding:
    """The case as a finding in ``subject``."""
    expected = {True: "accepted", False: "refused", None: "accepted or refused"}[case.valid]
    said = f"{answer.taken.value} {answer.text}".rstrip()
    if kind == "wrong-fields":
        said = "; ".join((said, *differences(case.fields, answer.fields)))
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
