"""The head that opens a WebSocket, line by line, without what is nobody's business."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.vocabulary import Role
from mqttws.websocket.dissection import dissect_frames
from mqttws.websocket.http_head import begins_head, dissect_head

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln"
REQUEST = (
    b"GET /hub?access_token=%b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Basic c2VjcmV0\r\n\r\n"
) % JWT.encode()


def test_a_request_is_read_line_by_line_and_judged() -> None:
    notes = dissect_head(REQUEST + b"\x89\x80")
    assert (notes.title, notes.verdict, notes.size) == ("HTTP request from the client", "valid", len(REQUEST))
    assert notes.sender is Role.CLIENT
    assert {note.field: note.value for note in notes.notes} == {
        "request_line": "GET /hub?access_token=[redacted] HTTP/1.1",
        "host": "a",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "sec-websocket-version": "13",
        "authorization": "[redacted]",
        "end_of_head": None,
    }
    line, secret = notes.notes[0], notes.notes[-2]
    assert (line.data, line.secret) == (b"GET /hub?access_token=", True)
    assert (secret.data, secret.secret) == (b"Authorization:", True)
    assert JWT not in repr(notes)
    assert "c2VjcmV0" not in repr(notes)


def test_secrets_are_shown_on_demand() -> None:
    notes = dissect_head(REQUEST, show_secrets=True)
    assert b"".join(note.data for note in notes.notes) == REQUEST
    assert notes.notes[-2].value == "Basic c2VjcmV0"


def test_a_request_for_something_else_is_a_bad_one() -> None:
    notes = dissect_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert notes.fault is not None
    assert (notes.verdict, notes.fault.rule, notes.fault.answer) == ("bad request", "RFC 6455, 4.2.1", "HTTP 400")


def test_a_response_that_refuses_brings_its_body() -> None:
    data = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nnot today"
    (notes,) = dissect_frames(data)
    assert (notes.title, notes.size) == ("HTTP response from the server", len(data))
    assert [(note.field, note.value) for note in notes.notes][-2:] == [("end_of_head", None), ("body", "not today")]
    (notes,) = dissect_frames(data[: -len("not today")])
    assert notes.notes[-1].field == "end_of_head"


def test_a_head_that_is_cut_off_says_so() -> None:
    for data in (REQUEST[:-2], REQUEST[:20], b"HTTP/1.1 101 X\r\n"):
        (notes,) = dissect_frames(data)
        assert (notes.verdict, notes.missing) == ("unfinished", "the head is cut off; still to come: an empty line")
        assert notes.size == len(data)


@pytest.mark.parametrize("line", [b"no colon here", b" folded: secret", b"\x01name: value"])
def test_what_is_no_header_may_go_on_with_a_secret(line: bytes) -> None:
    notes = dissect_head(b"HTTP/1.1 101 X\r\n" + line + b"\r\n\r\n")
    note = notes.notes[1]
    assert (note.field, note.value, note.data, note.size) == ("unread", "[redacted]", b"", len(line) + 2)


def test_no_frame_begins_like_a_head() -> None:
    assert begins_head(b"GET / HTTP/1.1")
    assert begins_head(b"HTTP/1.1 101")
    assert not begins_head(b"")
    for first in (0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A):
        assert not begins_head(bytes((first,)) + b"ET / HTTP/1.1")


@given(st.binary(max_size=60))
def test_any_bytes_behind_a_first_word_are_covered(rest: bytes) -> None:
    data = b"GET " + rest
    position = 0
    for section in dissect_frames(data):
        for note in section.notes:
            if not note.mask:
                assert note.offset == position
                position += note.size
    assert position == len(data)
