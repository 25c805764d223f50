"""Filters and topics that a Client had better not send: wrong ones are told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mqttws.codec import Publish, RawPacket, Subscribe, Subscription
from mqttws.conformance.client.convention import Task
from mqttws.conformance.verdict import Verdict
from mqttws.conformance.wrong.wire_faults import each
from tests.conformance.client.trying import is_told

FAILED, NOT_STRICT = Verdict.FAILED, Verdict.NOT_STRICT


def mild(task: Task) -> Task:
    """Whatever is asked for is understood as something that can be sent."""
    values: dict[str, Any] = dict(task.values)
    if task.name == "subscribe":
        values["topic_filter"] = "mild"
    if task.name == "publish" and not task["topic"].startswith("c"):
        values["topic"] = "mild"
        values.pop("response_topic", None)
    return Task(task.name, values)


def local(task: Task) -> Task:
    values = {name: value for name, value in task.values.items() if name != "no_local"}
    return Task(task.name, values)


def unlocal(said: Subscribe) -> RawPacket:
    return RawPacket(0x82, b"\0\1\0\0\x0a$share/a/b\4")


def bare(said: Publish) -> Publish:
    return replace(said, properties={})


def elsewhere(said: Subscribe) -> Subscribe:
    return replace(said, subscriptions=[Subscription("elsewhere", said.subscriptions[0].qos)])


#: What was asked for goes out, whatever it is.
FILTERS: dict[str, Any] = {"task": mild}
TOPICS: dict[str, Any] = {"task": mild}
ANSWERS: dict[str, Any] = {"task": mild}

WRONG: list[tuple[str, str, dict[str, Any], Verdict, str]] = [
    ("subscribes_to_a_wrong_hash", "5.0", FILTERS, FAILED, "sends SUBSCRIBE with .a/#/b."),
    ("subscribes_to_a_wrong_plus", "3.1.1", FILTERS, FAILED, "sends SUBSCRIBE with .a\\+."),
    ("subscribes_to_nothing", "3.1.1", FILTERS, FAILED, "sends SUBSCRIBE with ..$"),
    ("cuts_a_long_filter", "5.0", FILTERS, FAILED, "one of 65,536 bytes"),
    ("subscribes_to_a_nameless_share", "5.0", FILTERS, FAILED, "sends SUBSCRIBE with"),
    (
        "shares_without_itself",
        "5.0",
        {"from_subject": each(Subscribe, unlocal), "task": local},
        FAILED,
        "with No Local",
    ),
    ("publishes_to_wildcards", "5.0", TOPICS, FAILED, "sends PUBLISH with .a/\\+."),
    ("publishes_to_nul", "3.1.1", TOPICS, FAILED, "sends PUBLISH with"),
    ("asks_for_answers_by_wildcard", "5.0", ANSWERS, FAILED, "sends PUBLISH with b/\\+"),
    ("changes_properties", "5.0", {"from_subject": each(Publish, bare)}, FAILED, "its message expiry is None, not 100"),
    ("changes_a_share", "5.0", {"from_subject": each(Subscribe, elsewhere)}, FAILED, "the filter is .elsewhere."),
    ("changes_text", "5.0", {"from_subject": each(Subscribe, elsewhere)}, FAILED, "the filter goes out as"),
    (
        "changes_text",
        "3.1.1",
        {"from_subject": each(Publish, lambda said: replace(said, topic="b"))},
        FAILED,
        "the topic goes out as",
    ),
]


@pytest.mark.parametrize(("name", "version", "wire", "verdict", "why"), WRONG)
def test_a_wrong_client_is_told(name: str, version: str, wire: dict[str, Any], verdict: Verdict, why: str) -> None:
    is_told(name, version, wire, verdict, why)
