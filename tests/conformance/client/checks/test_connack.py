"""What a Client does with CONNACK: wrong ones are told."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import ConnAck, Publish, SubAck
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import each, editing, without
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT


def with_aliases(_: ConnAck) -> ConnAck:
    return ConnAck(properties={"topic_alias_maximum": 10})


def first_connack(tamper: Any, packet: Any) -> tuple[Any, ...]:
    """The first one on a connection passes, others never come."""
    if isinstance(packet, ConnAck):
        if getattr(tamper, "seen", False):
            return ()
        tamper.seen = True
    return (packet,)


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    (
        "keeps_a_session_it_does_not_have",
        "5.0",
        {"from_tester": editing(ConnAck, session_present=False)},
        FAILED,
        "goes on told of a Session",
    ),
    (
        "goes_on_though_refused",
        "5.0",
        {"from_tester": editing(ConnAck, reason_code=0)},
        FAILED,
        "tells that it is connected",
    ),
    ("takes_a_second_connack", "5.0", {"from_tester": first_connack}, NOT_STRICT, "behind a second CONNACK"),
    ("takes_a_second_connack", "3.1.1", {"from_tester": first_connack}, NOT_STRICT, "behind a second CONNACK"),
    (
        "takes_something_before_connack",
        "3.1.1",
        {"from_tester": each(SubAck, lambda _: ConnAck())},
        FAILED,
        "in the place of CONNACK",
    ),
    (
        "takes_something_before_connack",
        "5.0",
        {"from_tester": each(SubAck, lambda _: ConnAck())},
        NOT_STRICT,
        "in the place of CONNACK",
    ),
    (
        "publishes_above_maximum_qos",
        "5.0",
        {"from_tester": without(ConnAck, "maximum_qos")},
        FAILED,
        "publishes at QoS 2, told a Maximum QoS of 1",
    ),
    ("retains_where_it_cannot", "5.0", {"from_tester": without(ConnAck, "retain_available")}, FAILED, "sets RETAIN"),
    (
        "sends_too_large_packets",
        "5.0",
        {"from_tester": without(ConnAck, "maximum_packet_size")},
        FAILED,
        "a packet of 10.. bytes",
    ),
    (
        "uses_topic_aliases_unasked",
        "5.0",
        {"from_tester": each(ConnAck, with_aliases)},
        FAILED,
        "Topic Alias 1, with a Topic Alias Maximum of 0",
    ),
    (
        "uses_too_high_topic_aliases",
        "5.0",
        {"from_tester": each(ConnAck, with_aliases)},
        FAILED,
        "Topic Alias 4, with a Topic Alias Maximum of 3",
    ),
    (
        "keeps_topic_aliases_after_a_reconnect",
        "5.0",
        {"from_subject": editing(Publish, topic="")},
        FAILED,
        "leaves the Topic Name out",
    ),
    (
        "subscribes_as_it_cannot",
        "5.0",
        {"from_tester": each(ConnAck, lambda _: ConnAck())},
        NOT_STRICT,
        "asks for a wildcard, told that there is none",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
