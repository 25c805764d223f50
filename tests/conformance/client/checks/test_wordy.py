"""Checks of packets that grow too large by their words."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Disconnect, PubAck, PubComp, PubRec, PubRel
from mqttws.conformance.wrong.wire_faults import adding, without
from tests.conformance.client.checks.trials import FAILED, NOT_TESTED, PASSED, judged, results_of

KINDS = {"puback": PubAck, "pubrec": PubRec, "pubrel": PubRel, "pubcomp": PubComp, "disconnect": Disconnect}
each_kind = pytest.mark.parametrize(("name", "kind"), KINDS.items())


def test_the_correct_client_is_not_accused() -> None:
    assert set(results_of("wordy").values()) == {PASSED, NOT_TESTED}


@each_kind
@pytest.mark.parametrize("words", [{"reason_string": "why " * 20}, {"user_property": [("who", "what " * 20)]}])
def test_a_client_that_explains_itself_at_any_length_is_told(name: str, kind: Any, words: dict[str, Any]) -> None:
    result = judged(f"explains_{name}_at_any_length", from_subject=adding(kind, **words))
    assert result.verdict is FAILED
    assert "told a Maximum Packet Size of 32" in result.reason


@each_kind
def test_short_words_are_fine_and_none_are_not_tested(name: str, kind: Any) -> None:
    check = f"explains_{name}_at_any_length"
    assert judged(check, from_subject=adding(kind, reason_string="why")).verdict is PASSED
    assert judged(check, from_subject=without(kind, "reason_string")).verdict is NOT_TESTED
