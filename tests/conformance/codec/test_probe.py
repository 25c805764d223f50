"""A run against one decoder, and what becomes of one that cannot be asked."""

from __future__ import annotations

import pytest

from mqttws.conformance.codec import Answer, DecoderUnusable, Taken
from mqttws.conformance.codec.probe import CodecProbe, examine
from mqttws.conformance.verdict import Result, Verdict
from mqttws.vocabulary import Role


class Decoder:
    """Refuses as often as it is told to, and is gone then."""

    name = "short-lived"

    def __init__(self, answers: int) -> None:
        self.left = answers

    def decode(self, data: bytes, version: int, sender: Role) -> Answer:
        self.left -= 1
        if self.left < 0:
            raise DecoderUnusable("it is gone")
        return Answer(Taken.REFUSED)

    def close(self) -> None:
        """Nothing is held."""


def test_a_decoder_that_cannot_be_asked_any_more_ends_the_run() -> None:
    decoder = Decoder(100)
    told: list[Result] = []
    with pytest.raises(DecoderUnusable, match="it is gone"):
        examine(CodecProbe(decoder), progress=lambda result, _done, _of: told.append(result))
    assert decoder.left == -1  # asked once in vain, not for each check that is left
    assert {result.verdict for result in told[-50:]} == {Verdict.NOT_TESTED}


def test_a_run_that_takes_too_long_leaves_the_rest_out() -> None:
    found = examine(CodecProbe(Decoder(100_000)), seconds=0.0)
    assert {result.verdict for result in found} == {Verdict.NOT_TESTED}


def test_checks_can_be_chosen_and_answers_are_counted() -> None:
    probe = CodecProbe(Decoder(100_000))
    found = examine(probe, only=["5.0/3.1"], failed={"codec/5.0/connect_valid"})
    assert [result.check for result in found] == ["codec/5.0/connect_valid"]
    assert probe.asked > 10
    assert probe.with_fields == 0
