"""Checks of what a Client sends again: a good one passes them, and wrong ones are told what was wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import ConnAck, Connect, PubComp, Publish, PubRel
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing, offering
from tests.conformance.client.checks.trials import (
    FAILED,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    PASSED,
    judged,
    results_of,
)


def test_the_correct_client_passes_all() -> None:
    assert set(results_of("resume").values()) == {PASSED}


NONE_AGAIN = dropping(Publish, lambda said: said.dup)
EXPIRING = dropping(Publish, lambda said: said.dup and "message_expiry_interval" in said.properties)
LAST_ONE = dropping(Publish, lambda said: said.dup and said.payload == b"5")


def nothing_again(tamper: Any, packet: Any) -> tuple[Any, ...]:
    """Neither PUBLISH nor PUBREL of an earlier connection."""
    if isinstance(packet, Publish) and not packet.dup:
        tamper.is_first = True
    is_again = isinstance(packet, PubRel) and not getattr(tamper, "is_first", False)
    return () if is_again or (isinstance(packet, Publish) and packet.dup) else (packet,)


def again(**fields: Any) -> Any:
    return each(Publish, lambda said: replace(said, **fields) if said.dup else said)


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    ("sends_nothing_again", "5.0", {"from_subject": NONE_AGAIN}, FAILED, "is not sent again"),
    ("sends_nothing_again", "5.0", {"from_subject": nothing_again}, FAILED, "PUBREL is sent again for nothing"),
    ("sends_nothing_again", "3.1.1", {"from_subject": again(packet_id=60_000)}, FAILED, "is not sent again"),
    ("sends_nothing_again", "5.0", {"from_subject": again(payload=b"other")}, FAILED, "has another payload"),
    ("sends_nothing_again", "5.0", {"from_subject": editing(PubRel, packet_id=9)}, FAILED, "PUBREL is sent again for"),
    ("sends_again_without_dup", "3.1.1", {"from_subject": editing(Publish, dup=False)}, FAILED, "again with DUP 0"),
    ("sends_again_out_of_order", "5.0", {"from_subject": again(payload=b"other")}, FAILED, "come again as"),
    ("drops_what_expires_under_way", "5.0", {"from_subject": EXPIRING}, FAILED, "not the one whose time is over"),
    ("drops_what_expires_under_way", "5.0", {"from_subject": NONE_AGAIN}, INCONCLUSIVE, "no message again"),
    ("sends_again_without_dup", "5.0", {"from_subject": NONE_AGAIN}, INCONCLUSIVE, "no message again"),
    ("publishes_again_behind_pubrel", "3.1.1", {"from_subject": nothing_again}, INCONCLUSIVE, "sends neither"),
    ("sends_again_out_of_order", "5.0", {"from_subject": LAST_ONE}, INCONCLUSIVE, "only 5 of 6 messages"),
    ("sends_acknowledged_messages_again", "5.0", {"from_subject": NONE_AGAIN}, INCONCLUSIVE, "sends nothing again"),
    ("answers_no_late_pubrel", "5.0", {"from_subject": editing(PubComp, packet_id=9)}, FAILED, "PUBCOMP has identif"),
    (
        "sends_nothing_again",
        "5.0",
        {"from_subject": offering(session_expiry_interval=None)},
        NOT_APPLICABLE,
        "has no Session",
    ),
    ("sends_nothing_again", "3.1.1", {"from_subject": editing(Connect, clean_start=True)}, NOT_APPLICABLE, "no S"),
    (
        "sends_nothing_again",
        "5.0",
        {"from_subject": editing(Connect, clean_start=True)},
        NOT_APPLICABLE,
        "asks for a new Session",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    result = judged(name, version, **wire)
    assert (result.verdict, bool(re.search(why, result.reason))) == (verdict, True), result.reason


def test_one_whose_session_has_ended_and_which_ends_the_connection_is_not_accused() -> None:
    def told(said: ConnAck) -> ConnAck:
        return said if said.session_present else replace(said, properties={"session_expiry_interval": 0})

    result = judged("sends_nothing_again", from_tester=each(ConnAck, told))
    assert result.verdict is INCONCLUSIVE, result.reason
    assert "disconnected" in result.reason
