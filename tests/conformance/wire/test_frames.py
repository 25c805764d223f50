"""Frames written with faults and read without judgement, compared with wsproto through our own explainer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.conformance.wire.frames import BINARY, CLOSE, PING, Frame, FrameReader, close, frame
from mqttws.vocabulary import Role
from mqttws.websocket.dissection import FrameNotes, dissect_frames


def dissected(data: bytes, sender: Role = Role.CLIENT) -> list[FrameNotes]:
    return [notes for notes in dissect_frames(data, sender=sender) if isinstance(notes, FrameNotes)]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("masked", [True, False])
def test_a_plain_frame_is_right(size: int, masked: bool) -> None:
    (notes,) = dissected(frame(bytes(size), masked=masked), Role.CLIENT if masked else Role.SERVER)
    assert notes.fault is None
    assert notes.payload == bytes(size)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (frame(b"x", masked=False), "unmasked"),
        (frame(b"x", reserved=4), "Reserved bit"),
        (frame(b"x", 3), "opcode"),
        (frame(b"x", PING, fin=False), "fragment"),
        (frame(b"x", width=8), "would have sufficed"),
        (frame(b"x", width=2), "would have sufficed"),
        (close(1005), "CLOSE"),
        (frame(b"\x03", CLOSE), "CLOSE with 1 byte"),
    ],
)
def test_each_fault_is_the_one_that_was_asked_for(data: bytes, words: str) -> None:
    fault = dissected(data)[0].fault
    assert fault is not None
    assert words in fault.message


def test_a_frame_can_claim_more_than_it_has() -> None:
    (notes,) = dissected(frame(b"abc", claimed=1000, width=8))
    assert notes.bytes_missing == 997


@given(st.lists(st.binary(max_size=300), max_size=4), st.booleans(), st.integers(1, 50))
def test_what_is_written_is_read_in_pieces_of_any_size(payloads: list[bytes], masked: bool, size: int) -> None:
    stream = b"".join(frame(payload, masked=masked) for payload in payloads)
    reader = FrameReader()
    found: list[Frame] = []
    for start in range(0, len(stream), size):
        found += reader.receive(stream[start : start + size])
    assert found == [Frame(BINARY, True, payload) for payload in payloads]
    assert not reader.in_message


@pytest.mark.parametrize("size", [65_535, 65_536])
def test_long_frames_are_read(size: int) -> None:
    assert FrameReader().receive(frame(bytes(size))) == [Frame(BINARY, True, bytes(size))]


def test_the_code_of_a_close_frame_is_found_if_there_is_one() -> None:
    reader = FrameReader()
    with_code, without = reader.receive(close(1009) + close(None))
    assert (with_code.close_code, without.close_code) == (1009, None)


def test_a_frame_that_claims_too_much_ends_the_reading() -> None:
    reader = FrameReader()
    assert reader.receive(frame(b"", claimed=1 << 40, width=8)) == []
    assert reader.receive(frame(b"behind")) == []
    assert reader.in_frame


def test_a_message_is_unfinished_until_its_last_frame() -> None:
    reader = FrameReader()
    reader.receive(frame(b"a", fin=False) + frame(b"", PING))
    assert (reader.in_message, reader.in_frame) == (True, False)
    reader.receive(frame(b"b", 0))
    assert not reader.in_message
