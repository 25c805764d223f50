"""Checks of what a Client sends: a good one passes them, and wrong ones are told what was wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import PubAck, Publish, PubRec, PubRel
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing
from tests.conformance.client.checks.trials import FAILED, NOT_STRICT, PASSED, judged, results_of


def test_the_correct_client_passes_all() -> None:
    assert set(results_of("publish").values()) == {PASSED}


def lower(said: Publish) -> Publish:
    return replace(said, qos=type(said.qos)(1)) if said.qos == 2 else said


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    ("changes_the_message", "3.1.1", {"from_subject": editing(Publish, payload=b"other")}, FAILED, "has the payload"),
    ("changes_the_message", "5.0", {"from_subject": each(Publish, lower)}, FAILED, "has the qos"),
    ("answers_pubrec_otherwise", "5.0", {"from_subject": editing(PubRel, packet_id=9)}, FAILED, "PUBREL has identif"),
    ("answers_pubrec_otherwise", "5.0", {"from_subject": editing(PubRel, reason_code=0x92)}, FAILED, "says 0x92"),
    ("answers_pubrec_otherwise", "3.1.1", {"from_subject": dropping(PubRel)}, FAILED, "PUBREL has not come"),
    (
        "releases_a_refused_message",
        "5.0",
        {"from_tester": editing(PubRec, reason_code=0)},
        NOT_STRICT,
        "PUBREL for a message that PUBREC has refused",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    result = judged(name, version, **wire)
    assert (result.verdict, bool(re.search(why, result.reason))) == (verdict, True), result.reason


def test_a_client_that_takes_a_strange_puback_for_its_own_is_told() -> None:
    open_ids: list[int | None] = []

    def remember(said: Publish) -> Publish:
        open_ids.append(said.packet_id)
        return said

    result = judged(
        "takes_any_puback_for_its_own",
        from_subject=each(Publish, remember),
        from_tester=each(PubAck, lambda said: replace(said, packet_id=open_ids[-1])),
    )
    assert result.verdict is FAILED
    assert "is done, behind PUBACK for" in result.reason
