"""Topics of the service itself."""

from __future__ import annotations

from typing import Any

import pytest

from mqttws.webpubsub import SERVER_MESSAGES
from mqttws.webpubsub.server_topics import RESERVED, answer_topics, event_name_fault, event_topic, status_of


def test_an_event_and_its_answers_have_topics() -> None:
    assert event_topic("order") == "$webpubsub/server/events/order"
    assert answer_topics("order") == (
        "$webpubsub/server/events/order/succeeded",
        "$webpubsub/server/events/order/failed",
    )
    assert SERVER_MESSAGES == "$webpubsub/server/messages"
    assert all(topic.startswith(RESERVED) for topic in (SERVER_MESSAGES, event_topic("x")))


@pytest.mark.parametrize(("name", "good"), [("order", True), ("a b", True), ("", False), ("a/b", False), ("/", False)])
def test_the_name_of_an_event_is_one_level(name: str, good: bool) -> None:
    assert (event_name_fault(name) is None) is good


@pytest.mark.parametrize(
    ("properties", "status"),
    [
        ({}, None),
        ({"user_property": [("x", "1"), ("azure-status-code", "404")]}, 404),
        ({"user_property": [("azure-status-code", "200")]}, 200),
        ({"user_property": [("azure-status-code", "x")]}, None),
        ({"user_property": [("azure-status-code", "²²²")]}, None),
        ({"user_property": [("azure-status-code", "1" * 5_000)]}, None),
    ],
)
def test_the_status_of_an_answer_is_a_user_property(properties: dict[str, Any], status: int | None) -> None:
    assert status_of(properties) == status
