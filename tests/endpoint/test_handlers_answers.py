"""What event handlers answer, read without any wire; rows 32 to 34 and 60."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.endpoint.handlers_answers import AnswerFault, read_connect, read_event, succeeded
from mqttws.endpoint.upstream import Denied, EventAnswer, Granted
from mqttws.http import Response

STATE = (("ce-connectionstate", "e30="),)


def answer(status: int, body: object) -> Response:
    return Response(status, (), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("response", "granted"),
    [
        (Response(204), Granted()),
        (Response(202, STATE), Granted(state="e30=")),
        (Response(200, (), b" \r\n"), Granted()),
        (answer(200, {}), Granted()),
        (answer(200, {"userId": None, "roles": None, "groups": None, "mqtt": None, "x": 1}), Granted()),
        (answer(200, {"userId": ""}), Granted()),
        (answer(200, {"roles": [], "groups": []}), Granted(roles=[], groups=[])),
        (answer(299, {"userId": "a", "roles": ["r"], "groups": ["g"]}), Granted("a", ["r"], ["g"])),
        (answer(200, {"subprotocol": "mqtt"}), Granted(subprotocol="mqtt")),
        (answer(200, {"mqtt": {"userProperties": [{"name": "n", "value": ""}]}}), Granted(user_properties=[("n", "")])),
    ],
)
def test_row_32_a_success_is_read(response: Response, granted: Granted) -> None:
    read = read_connect(response, mqtt=True)
    assert isinstance(read, Granted)
    assert (read.user_id, read.roles, list(read.groups)) == (granted.user_id, granted.roles, list(granted.groups))
    assert (list(read.user_properties), read.state) == (list(granted.user_properties), granted.state)
    assert read.subprotocol == granted.subprotocol


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"null",
        b"[]",
        b"[" * 100_000,
        *(
            json.dumps(wrong).encode()
            for wrong in [
                {"userId": 5},
                {"userId": "\ud800"},
                {"roles": "r"},
                {"roles": [None]},
                {"groups": {"g": 1}},
                {"groups": [5]},
                {"subprotocol": "json.webpubsub.azure.v1"},
                {"subprotocol": 5},
                {"mqtt": [1]},
                {"mqtt": {"userProperties": {"n": "v"}}},
                {"mqtt": {"userProperties": ["n"]}},
                {"mqtt": {"userProperties": [{"name": "n"}]}},
                {"mqtt": {"userProperties": [{"name": 5, "value": "v"}]}},
            ]
        ),
    ],
)
def test_row_33_a_success_that_is_not_as_documented_is_none(body: bytes) -> None:
    with pytest.raises(AnswerFault):
        read_connect(Response(200, (), body), mqtt=True)


@pytest.mark.parametrize(
    ("body", "denied"),
    [
        ({"mqtt": {"code": 138, "reason": "no"}}, Denied(138, "no")),
        ({"mqtt": {"code": 5, "reason": None, "userProperties": None}}, Denied(5)),
        ({"mqtt": {"reason": "no"}}, Denied(None, "no")),
        ({"mqtt": {"code": "138"}}, Denied(-1)),
        ({"mqtt": {"code": True}}, Denied(-1)),
        ({"mqtt": {"code": 138, "reason": 5}}, Denied()),
        ({"mqtt": 5}, Denied()),
        ({"code": 138}, Denied()),
        ([], Denied()),
    ],
)
@pytest.mark.parametrize("status", [100, 199, 300, 302, 400, 500, 999])
def test_rows_33_and_34_a_failure_is_read(status: int, body: Any, denied: Denied) -> None:
    read = read_connect(answer(status, body), mqtt=True)
    assert isinstance(read, Denied)
    assert (read.code, read.reason, list(read.user_properties)) == (denied.code, denied.reason, [])
    assert not succeeded(answer(status, body))


def test_a_client_of_another_protocol_gets_the_status_and_its_own_subprotocol() -> None:
    assert read_connect(Response(401, (), b"no\xff"), mqtt=False) == Denied(401, "no\ufffd")
    granted = read_connect(answer(200, {"subprotocol": "custom"}), mqtt=False)
    assert isinstance(granted, Granted)
    assert granted.subprotocol == "custom"


def test_row_60_an_answer_to_an_event_is_read() -> None:
    headers = (("content-type", "text/plain"), ("mqtt-a", "1"), ("mqtt-a", "%32"), *STATE, ("x", "y"))
    expected = EventAnswer(404, b"body", "text/plain", [("a", "1"), ("a", "2")], "e30=")
    assert read_event(Response(404, headers, b"body")) == expected
    assert read_event(Response(204)) == EventAnswer(204, b"", None, [], None)


@given(st.integers(100, 999), st.binary(max_size=50), st.booleans())
def test_any_answer_grants_denies_or_is_a_fault(status: int, body: bytes, mqtt: bool) -> None:
    try:
        read = read_connect(Response(status, (), body), mqtt=mqtt)
    except AnswerFault:
        assert 200 <= status < 300
    else:
        assert isinstance(read, Granted) == (200 <= status < 300)
