"""Frames of native clients, read (row 81)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.endpoint.native_frames import (
    BadFrame,
    JoinGroup,
    LeaveGroup,
    Ping,
    Request,
    SendEvent,
    SendToGroup,
    SequenceAck,
    is_json,
    read_request,
)

GOOD = [
    pytest.param({"type": "joinGroup", "group": "g"}, JoinGroup("g", None), id="join"),
    pytest.param({"type": "joinGroup", "group": "g", "ackId": 2**64 - 1}, JoinGroup("g", 2**64 - 1), id="largest-ack"),
    pytest.param({"type": "leaveGroup", "group": "g", "ackId": None}, LeaveGroup("g", None), id="null-is-missing"),
    pytest.param(
        {"type": "sendToGroup", "group": "g", "dataType": "text", "data": "ö", "ackId": 1, "noEcho": True},
        SendToGroup("g", "ö".encode(), "text/plain", 1, no_echo=True),
        id="text",
    ),
    pytest.param(
        {"type": "sendToGroup", "group": "g", "dataType": "json", "data": None, "noEcho": False, "ttlSeconds": 300},
        SendToGroup("g", b"null", "application/json", lifetime=300),
        id="json-null",
    ),
    pytest.param(
        {"type": "sendToGroup", "group": "g", "data": 1, "ttlSeconds": 0},
        SendToGroup("g", b"1", "application/json"),
        id="json-by-default",
    ),
    pytest.param(
        {"type": "event", "event": "e", "dataType": "binary", "data": "AP8=", "ackId": 0},
        SendEvent("e", b"\x00\xff", "application/octet-stream", 0),
        id="binary",
    ),
    pytest.param(
        {"type": "event", "event": "e", "dataType": "protobuf", "data": "", "more": {"x": [1]}},
        SendEvent("e", b"", "application/x-protobuf"),
        id="protobuf-and-unknown-members",
    ),
    pytest.param({"type": "sequenceAck", "sequenceId": 7}, SequenceAck(7), id="sequence-ack"),
    pytest.param({"type": "ping"}, Ping(), id="ping"),
]

SEND: dict[str, Any] = {"type": "sendToGroup", "group": "g", "data": 1}
BAD = [
    "", " ", "x", "[]", "1", "{", "{}", '{"type"}', '{"type":"ping"', '{"type":"ping",}', '{"type":"ping" "a":1}',
    '{1:2}', '{"type":"ping"} {}', '{"type":NaN}', '{"type":["ping"]}', '{"type":"invoke"}', '{"a":' + "[" * 100_000,
    '{"type":"ping","a":1', '{"type":"joinGroup","group":"\\ud800"}',
    '{"type":"sendToGroup","group":"g","dataType":"text","data":"\\udc00"}',
    *map(json.dumps, (
        {"type": "joinGroup"}, {"type": "joinGroup", "group": ""}, {"type": "joinGroup", "group": 5},
        {"type": "joinGroup", "group": "g", "ackId": True}, {"type": "joinGroup", "group": "g", "ackId": -1},
        {"type": "joinGroup", "group": "g", "ackId": 2**64}, {"type": "joinGroup", "group": "g", "ackId": "1"},
        {"type": "joinGroup", "group": "g", "ackId": 1.0}, {"type": "sequenceAck"},
        {"type": "event", "event": "a/b", "data": 1}, {"type": "event", "data": 1},
        SEND | {"noEcho": 1}, SEND | {"ttlSeconds": 301}, SEND | {"dataType": "xml"}, SEND | {"dataType": 1},
        SEND | {"dataType": "text"}, SEND | {"dataType": "binary", "data": "A"},
        SEND | {"dataType": "binary", "data": "ö"}, {"type": "sendToGroup", "group": "g"},
    )),
]  # fmt: skip


@pytest.mark.parametrize(("members", "request_"), GOOD)
def test_row_81_requests_are_read_as_documented(members: dict[str, Any], request_: Request) -> None:
    assert read_request(json.dumps(members)) == request_
    assert read_request(json.dumps(members, indent=2).replace("\n  ", "\t\r\n ").encode()) == request_


@pytest.mark.parametrize("frame", BAD)
def test_row_81_a_frame_that_is_none_is_a_fault_with_words_for_the_client(frame: str) -> None:
    with pytest.raises(BadFrame, match=r"[a-z]"):
        read_request(frame)


def test_bytes_that_are_no_utf_8_are_no_frame() -> None:
    with pytest.raises(BadFrame, match="no JSON"):
        read_request(b"\xff")


@pytest.mark.parametrize("spelled", ["1.00", "1e400", "9" * 5000, '{"b": 1, "a":[ ]}', '"\\ud800"', "-0"])
def test_row_81_json_passes_as_it_was_spelled(spelled: str) -> None:
    request = read_request(f'{{"data": {spelled} , "type":"sendToGroup","group":"g"}}')
    assert isinstance(request, SendToGroup)
    assert request.payload == spelled.encode()
    assert is_json(request.payload)


@pytest.mark.parametrize("payload", [b"", b"{", b"1 2", b"NaN", b"\xff", b"[" * 100_000, b"\xef\xbb\xbf1"])
def test_what_is_no_json_is_told_from_it(payload: bytes) -> None:
    assert not is_json(payload)
    assert is_json(b' {"a": [1]}\n')


@given(st.text() | st.binary() | st.dictionaries(st.sampled_from(["type", "group", "data"]), st.text()).map(json.dumps))
def test_any_frame_is_a_request_or_a_bad_frame(frame: str | bytes) -> None:
    try:
        request = read_request(frame)
    except BadFrame:
        return
    assert isinstance(request, SendToGroup | JoinGroup | LeaveGroup | SendEvent | SequenceAck | Ping)
