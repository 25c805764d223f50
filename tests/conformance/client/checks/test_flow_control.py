"""Checks of a Client's quota: a good one passes them, and wrong ones are told what was wrong."""

from __future__ import annotations

import pytest

from mqttws.codec import PubAck
from mqttws.conformance.wrong.wire_faults import dropping, offering
from tests.conformance.client.checks.trials import FAILED, PASSED, judged, results_of


def test_the_correct_client_passes_all() -> None:
    assert set(results_of("flow_control").values()) == {PASSED}


@pytest.mark.parametrize(
    "name", ["exceeds_receive_maximum", "frees_its_quota_at_pubrec", "forgets_its_quota_of_a_session"]
)
def test_a_client_that_knows_no_receive_maximum_is_told(name: str) -> None:
    result = judged(name, from_tester=offering(receive_maximum=None))
    assert result.verdict is FAILED
    assert "messages open, the Server's Receive Maximum" in result.reason


def test_a_client_that_acknowledges_nothing_is_told() -> None:
    result = judged("holds_back_more_than_messages", from_subject=dropping(PubAck))
    assert result.verdict is FAILED
    assert "PUBACK has not come" in result.reason
