"""Frames for native clients (row 81): the mapping of content types, and what surrounds messages."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mqttws.codec import Publish
from mqttws.endpoint.messages import Message
from mqttws.endpoint.native_answers import (
    ack_frame,
    bare_message,
    connected_frame,
    disconnected_frame,
    message_frame,
    pong_frame,
)
from mqttws.vocabulary import QoS

MAPPING = [
    ("application/json", b'{"a": 1.00}', "json", {"a": 1.0}, '{"a": 1.00}'),
    ("Application/JSON; charset=utf-8", b"1", "json", 1, "1"),
    ("text/plain", "hällo".encode(), "text", "hällo", "hällo"),
    ("text/plain;charset=utf-8", b"", "text", "", ""),
    ("application/x-protobuf", b"\x08\x01", "protobuf", "CAE=", b"\x08\x01"),
    ("application/octet-stream", b"\xff", "binary", "/w==", b"\xff"),
    (None, b"text", "binary", "dGV4dA==", b"text"),
    ("image/png", b"\x89PNG", "binary", "iVBORw==", b"\x89PNG"),
    # What is not as it says reaches the client all the same (inferred).
    ("application/json", b"{", "binary", "ew==", "{"),
    ("application/json", b"\xff", "binary", "/w==", b"\xff"),
    ("text/plain", b"\xff", "binary", "/w==", b"\xff"),
]


@pytest.mark.parametrize(("content_type", "payload", "data_type", "data", "bare"), MAPPING)
def test_row_81_content_types_of_mqtt_become_data_types(
    content_type: str | None, payload: bytes, data_type: str, data: object, bare: str | bytes
) -> None:
    properties: Any = {"user_property": [("k", "v")]}
    if content_type is not None:
        properties["content_type"] = content_type
    publish = Publish("g", payload, QoS.EXACTLY_ONCE, retain=True, properties=properties)
    message = Message.from_publish(publish, 0.0, "ann")
    assert json.loads(message_frame(message, 3)) == {
        "type": "message", "sequenceId": 3, "from": "group", "group": "g", "fromUserId": "ann",
        "dataType": data_type, "data": data,
    }  # fmt: skip
    assert bare_message(message) == bare


def test_row_81_a_message_of_the_server_has_no_group_and_json_keeps_its_spelling() -> None:
    message = Message.from_server(b'{"a": 1.00}', 0.0, content_type="application/json")
    assert message_frame(message) == '{"type":"message","from":"server","dataType":"json","data":{"a": 1.00}}'


def test_row_81_what_the_service_says_itself() -> None:
    assert json.loads(pong_frame()) == {"type": "pong"}
    assert json.loads(ack_frame(0)) == {"type": "ack", "ackId": 0, "success": True}
    assert json.loads(ack_frame(1, ("Forbidden", "no"))) == {
        "type": "ack", "ackId": 1, "success": False, "error": {"name": "Forbidden", "message": "no"},
    }  # fmt: skip
    assert json.loads(connected_frame("c", None, None)) == {"type": "system", "event": "connected", "connectionId": "c"}
    said = json.loads(connected_frame("c", "ann", "t"))
    assert (said["userId"], said["reconnectionToken"]) == ("ann", "t")
    assert json.loads(disconnected_frame("why")) == {"type": "system", "event": "disconnected", "message": "why"}


def test_any_octets_come_through_as_base64() -> None:
    payload = bytes(range(256))
    frame = json.loads(message_frame(Message.from_server(payload, 0.0)))
    assert base64.b64decode(frame["data"], validate=True) == payload
