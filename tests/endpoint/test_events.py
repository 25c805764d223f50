"""What is a user event, and how it is answered."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.codec import Publish
from mqttws.endpoint.events import answer, event_fault
from mqttws.endpoint.upstream import EventAnswer
from mqttws.vocabulary import QoS, ReasonCode
from tests.endpoint.bench import Q1

BASE = "$webpubsub/server/events/"


def event(name: str, **properties: Any) -> Publish:
    given: Any = properties
    return Publish(BASE + name, b"", Q1, properties=given)


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json; charset=utf-8", "application/vnd.x+json;a=b", "a/b ;"]
)
def test_a_plain_name_and_a_mime_type_make_an_event(content_type: str | None) -> None:
    assert event_fault(event("echo") if content_type is None else event("echo", content_type=content_type)) is None


@pytest.mark.parametrize("name", ["", "a/b", "/", "echo/failed"])
def test_a_name_is_not_empty_and_holds_no_slash(name: str) -> None:
    fault = event_fault(event(name))
    assert fault is not None
    assert fault[0] is ReasonCode.TOPIC_NAME_INVALID


@pytest.mark.parametrize("content_type", ["", "json", "a/", "/b", "a b/c", "a/b c", "x" * 200 + "/y"])
def test_a_content_type_is_a_mime_type(content_type: str) -> None:
    fault = event_fault(event("echo", content_type=content_type))
    assert fault is not None
    assert fault[0] is ReasonCode.PAYLOAD_FORMAT_INVALID


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "succeeded"), (204, "succeeded"), (404, "failed"), (100, "failed")]
)
def test_the_outcome_stands_in_the_topic_and_the_status_beside_it(status: int, outcome: str) -> None:
    message = answer(event("echo", correlation_data=b"7"), EventAnswer(status, b"text", "text/plain", [("a", "b")]))
    assert message.topic == f"{BASE}echo/{outcome}"
    assert message.qos is QoS.AT_LEAST_ONCE
    assert message.properties["user_property"] == [("a", "b"), ("azure-status-code", str(status))]
    assert message.properties["correlation_data"] == b"7"
    assert message.properties["content_type"] == "text/plain"
    assert message.payload == b"text"


def test_without_correlation_data_none_comes_back() -> None:
    assert answer(event("echo"), EventAnswer(404)).properties == {"user_property": [("azure-status-code", "404")]}
