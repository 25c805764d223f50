"""Cases with a verdict, and judgements."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from mqttws.codec import decode
from mqttws.errors import RemoteProtocolError
from mqttws.fuzz.adapters import Answer, Verdict
from mqttws.fuzz.cases import finding_of, judge, made, replayed, vector_cases
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


def test_vectors_may_be_narrowed() -> None:
    assert {(case.version, case.sender) for case in vector_cases([4], [Role.CLIENT])} == {(4, Role.CLIENT)}


def test_judgements() -> None:
    valid = next(case for case in vector_cases() if case.valid)
    invalid = next(case for case in vector_cases() if case.valid is False)
    noise = replace(valid, valid=None)
    accepted, refused = Answer(Verdict.ACCEPTED), Answer(Verdict.REFUSED)
    assert [judge(valid, accepted), judge(valid, refused)] == [None, "wrong-reject"]
    assert [judge(invalid, accepted), judge(invalid, refused)] == ["wrong-accept", None]
    assert [judge(noise, accepted), judge(noise, refused)] == [None, None]
    assert judge(valid, Answer(Verdict.UNSUPPORTED)) is None
    for case in (valid, invalid, noise):
        assert judge(case, Answer(Verdict.CRASHED)) == "crash"
        assert judge(case, Answer(Verdict.HUNG)) == "hang"
    assert judge(valid, Answer(Verdict.ACCEPTED, fields=valid.fields)) is None
    wrong = Answer(Verdict.ACCEPTED, fields={"type": "PUBACK"})
    assert judge(valid, wrong) == "wrong-fields"
    finding = finding_of(valid, wrong, "wrong-fields", "x")
    assert "type: 'PUBACK', not" in finding.answer


def test_packets_say_their_type() -> None:
    case = next(iter(vector_cases()))
    assert replace(case, data=b"\0\0").packet_type == "reserved type"
    assert replace(case, data=b"\xc0\0").packet_type == "PINGREQ"
