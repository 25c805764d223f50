"""Vectors as cases, and judgements of answers."""

from __future__ import annotations

from dataclasses import replace

from mqttws.conformance.codec import Answer, Taken
from mqttws.conformance.codec.cases import judge, vector_cases
from mqttws.vocabulary import Role


def test_vectors_may_be_narrowed() -> None:
    assert {(case.version, case.sender) for case in vector_cases([4], [Role.CLIENT])} == {(4, Role.CLIENT)}


def test_judgements() -> None:
    valid = next(case for case in vector_cases() if case.valid)
    invalid = next(case for case in vector_cases() if case.valid is False)
    noise = replace(valid, valid=None)
    accepted, refused = Answer(Taken.ACCEPTED), Answer(Taken.REFUSED)
    assert [judge(valid, accepted), judge(valid, refused)] == [None, "wrong-reject"]
    assert [judge(invalid, accepted), judge(invalid, refused)] == ["wrong-accept", None]
    assert [judge(noise, accepted), judge(noise, refused)] == [None, None]
    assert judge(valid, Answer(Taken.UNSUPPORTED)) is None
    for case in (valid, invalid, noise):
        assert judge(case, Answer(Taken.CRASHED)) == "crash"
        assert judge(case, Answer(Taken.HUNG)) == "hang"
    assert judge(valid, Answer(Taken.ACCEPTED, fields=valid.fields)) is None
    wrong = Answer(Taken.ACCEPTED, fields={"type": "PUBACK"})
    assert judge(valid, wrong) == "wrong-fields"


def test_packets_say_their_type() -> None:
    case = next(iter(vector_cases()))
    assert replace(case, data=b"\0\0").packet_type == "reserved type"
    assert replace(case, data=b"\xc0\0").packet_type == "PINGREQ"
