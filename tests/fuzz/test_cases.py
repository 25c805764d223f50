"""Cases from a seed, each with a verdict."""

from __future__ import annotations

from collections import Counter

from mqttws.codec import decode
from mqttws.conformance.codec import Answer, Taken
from mqttws.conformance.codec.cases import vector_cases
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.cases import finding_of, made, replayed
from mqttws.vocabulary import Role


def test_every_verdict_is_that_of_a_strict_decoder() -> None:
    kinds: Counter[bool | None] = Counter()
    cases = [*vector_cases(), *(made(1, index)[0] for index in range(1_500))]
    for case in cases:
        kinds[case.valid] += 1
        try:
            decode(case.data, case.version, sender=case.sender)
            taken = True
        except RemoteProtocolError:
            taken = False
        assert case.valid in (taken, None), case
        assert bool(case.rule) == (case.valid is False), case
    assert min(kinds.values()) > 80


def test_cases_are_repeatable_and_replayable() -> None:
    for index in range(100):
        case, choices = made(3, index, (5,), (Role.SERVER,))
        assert made(3, index, (5,), (Role.SERVER,))[0] == case
        assert replayed(choices, (5,), (Role.SERVER,)) == case
        assert (case.version, case.sender) == (5, Role.SERVER)


def test_a_finding_says_which_fields_are_wrong() -> None:
    case = next(case for case in vector_cases() if case.valid)
    finding = finding_of(case, Answer(Taken.ACCEPTED, fields={"type": "PUBACK"}), "wrong-fields", "x")
    assert finding.answer.startswith("accepted; type: 'PUBACK', not ")
