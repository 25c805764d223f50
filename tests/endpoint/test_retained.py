"""The retained messages of a hub: the latest of each topic, within bounds."""

from __future__ import annotations

from typing import Any

from mqttws.codec import Publish
from mqttws.endpoint import Service
from mqttws.endpoint.messages import OVERHEAD, Message
from mqttws.endpoint.retained import RetainedMessages
from tests.endpoint.bench import Q1


def message(topic: str, payload: bytes = b"x", expiry: int | None = None) -> Message:
    properties: Any = {} if expiry is None else {"message_expiry_interval": expiry}
    return Message.from_publish(Publish(topic, payload, Q1, True, properties=properties), 100.0)


def held(**settings: Any) -> RetainedMessages[str]:
    return RetainedMessages(Service.of("generic").changed(**settings))


def test_the_latest_takes_the_place_of_the_one_before_and_an_empty_one_of_none() -> None:
    retained = held()
    first, second = message("a", b"1"), message("a", b"22")
    assert retained.keep(first, "me", 100.0)
    assert retained.keep(second, "you", 100.0)
    assert retained.matching("a", 100.0) == [second]
    assert retained.size == OVERHEAD + 3
    assert list(retained.of("me")) == []
    assert list(retained.of("you")) == ["a"]
    assert retained.keep(message("a", b""), "me", 100.0)
    assert retained.keep(message("b", b""), "me", 100.0)
    assert (len(retained), retained.size) == (0, 0)


def test_bounds_hold_in_number_and_bytes_and_the_expired_make_room() -> None:
    retained = held(retained_limit=2, retained_bytes=3 * OVERHEAD)
    assert retained.keep(message("a"), "me", 100.0)
    assert retained.keep(message("b", expiry=5), "me", 100.0)
    assert not retained.keep(message("c"), "me", 104.0)
    assert not retained.keep(message("a", bytes(2 * OVERHEAD)), "me", 104.0)
    assert [found.topic for found in retained.matching("#", 104.0)] == ["a", "b"]
    assert [found.topic for found in retained.matching("#", 105.0)] == ["a"]
    assert retained.matching("b", 105.0) == []
    assert retained.keep(message("c"), "me", 105.0)
    assert [found.topic for found in retained.matching("+", 105.0)] == ["a", "c"]


def test_dropping_what_is_not_there_does_nothing() -> None:
    retained = held()
    retained.drop("a")
    assert retained.size == 0
