"""Checks of a Client's quota: a good one passes them, and wrong ones are told what was wrong."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Connect, PubAck, Unsubscribe
from mqttws.conformance.wrong.wire_faults import dropping, editing, offering
from tests.conformance.client.checks.trials import FAILED, INCONCLUSIVE, NOT_APPLICABLE, PASSED, judged, results_of


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


def held(tamper: Any, packet: Any) -> tuple[Any, ...]:
    """UNSUBSCRIBE waits until a message was acknowledged."""
    if isinstance(packet, Unsubscribe):
        tamper.held = packet
        return ()
    return (packet,)


def let_go(tamper: Any, packet: Any) -> tuple[Any, ...]:
    if isinstance(packet, PubAck) and hasattr(tamper, "held"):
        tamper.replies.append(tamper.held)
    return (packet,)


def test_a_client_that_holds_back_more_than_messages_is_told() -> None:
    result = judged("holds_back_more_than_messages", from_subject=held, from_tester=let_go)
    assert result.verdict is FAILED
    assert "UNSUBSCRIBE comes only when there is room" in result.reason


def test_a_client_that_never_unsubscribes_is_not_accused_of_holding_back() -> None:
    assert judged("holds_back_more_than_messages", from_subject=dropping(Unsubscribe)).verdict is INCONCLUSIVE


def test_a_client_without_a_session_has_no_messages_to_send_again() -> None:
    result = judged("forgets_its_quota_of_a_session", from_subject=editing(Connect, properties={}))
    assert result.verdict is NOT_APPLICABLE
    assert "no Session that outlives" in result.reason
