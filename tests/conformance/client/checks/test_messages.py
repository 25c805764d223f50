"""Checks of what a Client does with messages: a good one passes them, and wrong ones are told what was wrong."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import Connect, PubAck, PubComp, Publish, PubRec
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import dropping, each, editing, offering
from tests.conformance.client.checks.trials import FAILED, NOT_APPLICABLE, NOT_STRICT, PASSED, judged, results_of


def test_the_correct_client_passes_all() -> None:
    assert set(results_of("messages").values()) == {PASSED}


def doubled(packet: Any) -> tuple[Any, ...]:
    return packet, packet


def other_than_next(said: Publish) -> Publish:
    return replace(said, payload=b"?") if said.payload == b"next" else said


def unaliased(said: Publish) -> Publish:
    properties: Any = {name: value for name, value in said.properties.items() if name != "topic_alias"}
    return replace(said, topic=said.topic or "something else", properties=properties)


def alias_is_topic(said: Publish) -> Publish:
    return replace(said, topic="a") if not said.topic else said


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    ("acknowledges_otherwise", "5.0", {"from_subject": each(PubComp, doubled)}, FAILED, "PUBCOMP with .* nothing"),
    ("acknowledges_otherwise", "3.1.1", {"from_subject": editing(PubComp, packet_id=9)}, FAILED, "PUBCOMP has identif"),
    ("acknowledges_otherwise", "3.1.1", {"from_tester": editing(Publish, payload=b"?")}, FAILED, "payload reaches"),
    ("acknowledges_wanted_messages_only", "5.0", {"from_subject": dropping(PubRec)}, FAILED, "PUBREC has not come"),
    ("sends_pubacks_out_of_order", "5.0", {"from_subject": editing(PubAck, packet_id=9)}, FAILED, "by PUBACKs"),
    ("sends_pubrecs_out_of_order", "5.0", {"from_subject": editing(PubRec, packet_id=9)}, FAILED, "by PUBRECs"),
    ("drops_a_new_message_with_dup", "5.0", {"from_tester": each(Publish, other_than_next)}, FAILED, "application got"),
    ("mixes_up_qos_2_messages", "5.0", {"from_subject": editing(PubComp, packet_id=9)}, FAILED, "PUBCOMP with 9"),
    (
        "gives_up_what_expires_under_way",
        "5.0",
        {"from_subject": editing(PubComp, reason_code=0x92)},
        FAILED,
        "PUBCOMP says 0x92",
    ),
    (
        "refuses_its_own_topic_aliases",
        "5.0",
        {"from_subject": offering(topic_alias_maximum=None)},
        NOT_APPLICABLE,
        "does not take Topic Aliases",
    ),
    ("refuses_its_own_topic_aliases", "5.0", {"from_tester": each(Publish, unaliased)}, FAILED, "topic reaches"),
    (
        "keeps_the_servers_topic_aliases",
        "5.0",
        {"from_tester": each(Publish, alias_is_topic)},
        NOT_STRICT,
        "goes on behind a Topic Alias",
    ),
    (
        "takes_topic_aliases_above_its_maximum",
        "5.0",
        {"from_tester": each(Publish, unaliased)},
        NOT_STRICT,
        "goes on behind Topic Alias 1",
    ),
    (
        "takes_topic_aliases_above_its_maximum",
        "5.0",
        {"from_subject": each(Connect, lambda said: replace(said, properties={"topic_alias_maximum": 0xFFFF}))},
        NOT_APPLICABLE,
        "every Topic Alias",
    ),
    (
        "takes_more_than_its_receive_maximum",
        "5.0",
        {"from_subject": offering(receive_maximum=None)},
        NOT_APPLICABLE,
        "does not bound",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    result = judged(name, version, **wire)
    assert (result.verdict, bool(re.search(why, result.reason))) == (verdict, True), result.reason
