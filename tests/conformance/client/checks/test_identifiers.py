"""Packet Identifiers of a Client: wrong ones are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import Subscribe, Subscription, Unsubscribe
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import each, editing
from mqttws.vocabulary import QoS
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT


def at_0(said: Subscribe) -> Subscribe:
    return replace(said, subscriptions=[replace(one, qos=QoS.AT_MOST_ONCE) for one in said.subscriptions])


def plain(said: Subscribe) -> Subscribe:
    return replace(said, subscriptions=[Subscription(one.topic_filter, one.qos) for one in said.subscriptions])


WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    (
        "uses_an_identifier_twice",
        "5.0",
        {"from_subject": editing(Subscribe, packet_id=1)},
        FAILED,
        "SUBSCRIBE has the identifier 1, which PUBLISH",
    ),
    (
        "unsubscribes_from_something_else",
        "3.1.1",
        {"from_subject": editing(Unsubscribe, topic_filters=["x"])},
        FAILED,
        "unsubscribes from",
    ),
    (
        "subscribes_otherwise",
        "5.0",
        {"from_subject": editing(Subscribe, subscriptions=[Subscription("x")])},
        FAILED,
        "the filter is .x.",
    ),
    ("subscribes_otherwise", "5.0", {"from_subject": each(Subscribe, at_0)}, FAILED, "the QoS is 0, not 1"),
    ("subscribes_otherwise", "5.0", {"from_subject": each(Subscribe, plain)}, FAILED, "no_local is False, not True"),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
