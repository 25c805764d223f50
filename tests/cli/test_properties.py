"""Properties as people type them and as programs read them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.cli.outcome import UsageError
from mqttws.cli.properties import jsonable, names_of, parse_properties, text_or_base64
from mqttws.codec.properties import TABLE, WILL, Place
from mqttws.vocabulary import PacketType


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("message-expiry-interval=60", {"message_expiry_interval": 60}),
        ("Payload_Format_Indicator = 1", {"payload_format_indicator": 1}),
        ("content-type=text/plain; a=b", {"content_type": "text/plain; a=b"}),
        ("response-topic=", {"response_topic": ""}),
        ("correlation-data=ä=", {"correlation_data": "ä=".encode()}),
        ("correlation-data=base64:AAH/", {"correlation_data": b"\0\x01\xff"}),
        ("user-property=k=v=w", {"user_property": [("k", "v=w")]}),
    ],
)
def test_a_property_is_typed_as_name_and_value(setting: str, value: dict[str, Any]) -> None:
    assert parse_properties([setting], PacketType.PUBLISH) == value


def test_user_properties_gather_in_order_from_both_options() -> None:
    parsed = parse_properties(["user-property=a=1", "content-type=x"], PacketType.PUBLISH, ["b=2", "a=1"])
    assert parsed == {"user_property": [("a", "1"), ("b", "2"), ("a", "1")], "content_type": "x"}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        (["content-type"], "NAME=VALUE"),
        (["contentype=x"], "did you mean content_type"),
        (["zzz=x"], "it knows payload_format_indicator"),
        (["session-expiry-interval=1"], "PUBLISH has no property 'session_expiry_interval'"),
        (["message-expiry-interval=soon"], "is a number, not 'soon'"),
        (["message-expiry-interval=-1"], "is a number"),
        (["message-expiry-interval="], "is a number"),
        (["content-type=a", "content_type=b"], "given twice"),
        (["correlation-data=base64:?"], "correlation_data"),
        (["user-property=a"], "KEY=VALUE"),
    ],
)
def test_a_property_that_makes_no_sense_is_a_usage_error(settings: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse_properties(settings, PacketType.PUBLISH)


def test_the_will_has_properties_of_its_own() -> None:
    assert parse_properties(["will-delay-interval=5"], WILL) == {"will_delay_interval": 5}
    with pytest.raises(UsageError, match="WILL has no property 'topic_alias'"):
        parse_properties(["topic-alias=5"], WILL)


@pytest.mark.parametrize("place", [PacketType.CONNECT, PacketType.PUBLISH, PacketType.SUBSCRIBE, WILL])
def test_every_property_a_client_may_send_can_be_typed(place: Place) -> None:
    rows = [row for row in TABLE if row.name in names_of(place)]
    assert rows
    for row in rows:
        texts = [f"{row.name}={text}" for text in ("1", "k=v")]
        parsed = [name for text in texts for name in _parsed_or_nothing(text, place)]
        assert row.name in parsed


def _parsed_or_nothing(text: str, place: Place) -> dict[str, Any]:
    try:
        return parse_properties([text], place)
    except UsageError:
        return {}


@given(st.binary(max_size=20))
def test_bytes_become_json_without_loss(data: bytes) -> None:
    ((name, text),) = text_or_base64("x", data).items()
    assert (
        (text.encode() == data)
        if name == "x"
        else parse_properties([f"correlation-data=base64:{text}"], PacketType.PUBLISH) == {"correlation_data": data}
    )


def test_properties_become_json() -> None:
    properties = {"correlation_data": b"\xff", "user_property": [("a", "b")], "message_expiry_interval": 1}
    assert json.loads(json.dumps(jsonable(properties))) == {
        "correlation_data_base64": "/w==",
        "user_property": [["a", "b"]],
        "message_expiry_interval": 1,
    }
    assert jsonable({"correlation_data": b"id"}) == {"correlation_data": "id"}
