"""Frames as rows: any bytes are covered once, the judge's fault stands where it belongs, tokens are masked."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mqttws.notes import Section
from mqttws.vocabulary import Role
from mqttws.websocket import Failed, Framing
from mqttws.websocket.dissection import FrameNotes, HeadNotes, dissect_frames
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, KEY, PING, PONG, TEXT, frame, judge

JWT = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln"


def cover(sections: Sequence[Section], size: int) -> None:
    """Each byte has one row, and each bit of a byte that is divided one part."""
    position = 0
    for section in sections:
        assert section.offset == position
        for note in section.notes:
            if not note.mask:
                assert note.offset == position
                position += note.size
        assert position == section.offset + section.size
        for offset in {note.offset for note in section.notes if note.mask}:
            assert sum(note.mask for note in section.notes if note.mask and note.offset == offset) == 0xFF
    assert position == size


def frames_of(data: bytes, *, sender: Role | None = None, text: bool = False) -> list[FrameNotes]:
    """The frames of bytes without a head; they cover them."""
    sections = [one for one in dissect_frames(data, sender=sender, text=text) if isinstance(one, FrameNotes)]
    cover(sections, len(data))
    return sections


def value_of(section: Section, field: str) -> object:
    (note,) = [note for note in section.notes if note.field == field]
    return note.value


def test_a_message_in_frames_with_a_ping_between_them() -> None:
    data = (
        frame(BINARY, b"ab", masked=True, fin=False)
        + frame(PING, b"hi", masked=True)
        + frame(CONTINUATION, b"cd", masked=True)
        + frame(CLOSE, b"\x03\xe8bye", masked=True)
    )
    first, ping, second, close = frames_of(data)
    assert [one.verdict for one in (first, ping, second, close)] == ["valid"] * 4
    assert [one.title for one in (first, ping)] == [
        "WebSocket binary frame from the client",
        "WebSocket ping frame from the client",
    ]
    assert [(one.opcode, one.fin, one.payload, one.binary) for one in (first, ping, second)] == [
        (BINARY, False, b"ab", b"ab"),
        (PING, True, b"hi", b""),
        (CONTINUATION, True, b"cd", b"cd"),
    ]
    assert value_of(ping, "payload") == "hi"
    assert value_of(first, "masking_key") == int.from_bytes(KEY, "big")
    assert (value_of(close, "close_code"), value_of(close, "close_reason")) == (1000, "bye")
    assert [note.text for note in first.notes if note.field == "payload"] == ["2 bytes"]
    assert first.notes[-1].data == b""  # the next reader shows it


@pytest.mark.parametrize(("size", "width"), [(125, 0), (126, 2), (65_535, 2), (65_536, 8)])
def test_lengths_of_all_widths(size: int, width: int) -> None:
    (section,) = frames_of(frame(BINARY, bytes(size), masked=False))
    assert (section.verdict, len(section.payload)) == ("valid", size)
    extended = [note.size for note in section.notes if note.field == "extended_payload_length"]
    assert extended == [width] * bool(width)


@pytest.mark.parametrize(
    ("data", "sender", "field", "rule"),
    [
        (frame(BINARY, b"a", masked=False), Role.CLIENT, "masked", "5.1"),
        (frame(BINARY, b"a", masked=True), Role.SERVER, "masked", "5.1"),
        (frame(BINARY, b"a", masked=False, reserved=4), Role.SERVER, "reserved", "5.2"),
        (frame(5, b"a", masked=False), Role.SERVER, "opcode", "5.2"),
        (frame(PING, b"a", masked=False, fin=False), Role.SERVER, "fin", "5.5"),
        (frame(PING, bytes(126), masked=False), Role.SERVER, "payload_length", "5.5"),
        (frame(BINARY, b"a", masked=False, width=2), Role.SERVER, "extended_payload_length", "5.2"),
        (frame(BINARY, b"a", masked=False, width=8), Role.SERVER, "extended_payload_length", "5.2"),
        (frame(BINARY, masked=False, length=1 << 63, width=8), Role.SERVER, "extended_payload_length", "5.2"),
        (frame(CONTINUATION, b"a", masked=False), Role.SERVER, "opcode", "5.4"),
        (frame(TEXT, b"a", masked=False), Role.SERVER, "opcode", "5.6"),
        (frame(CLOSE, b"a", masked=False), Role.SERVER, "close_code", "5.5.1"),
        (frame(CLOSE, b"\x03\xed", masked=False), Role.SERVER, "close_code", "7.4"),
        (frame(CLOSE, b"\x03\xe8\xff", masked=False), Role.SERVER, "close_reason", "5.5.1"),
    ],
)
def test_a_fault_is_the_judges_and_stands_at_its_field(data: bytes, sender: Role, field: str, rule: str) -> None:
    (event,) = judge(Framing, client=sender is Role.SERVER).receive(data)
    assert isinstance(event, Failed)
    section = frames_of(data, sender=sender)[0]
    assert section.fault is not None
    assert (section.fault.rule, section.fault.message) == (f"RFC 6455, {rule}", event.message)
    assert (section.fault.field, section.verdict) == (field, "faulty frame")
    assert section.fault.answer.startswith(f"a Close frame with {event.code} (")
    places = [note.offset for note in section.notes if note.field == field]
    assert section.fault.offset == (places[0] if places else 0)


def test_a_fault_inside_a_message_stands_at_the_payload() -> None:
    data = frame(TEXT, b"a\xff", masked=False)
    (section,) = frames_of(data, text=True)
    assert section.fault is not None
    assert (section.fault.rule, section.fault.field) == ("RFC 6455, 8.1", "payload")


def test_behind_a_close_frame_or_a_fault_nothing_is_certain() -> None:
    ping = frame(PING, masked=False)
    for end, remark in ((frame(CLOSE, masked=False), "Behind a Close"), (frame(7, masked=False), "Behind a faulty")):
        first, last, second, third = frames_of(ping + end + ping + ping)
        assert [one.certain for one in (first, last, second, third)] == [True, True, False, False]
        assert second.remark.startswith(remark)
        assert (second.verdict, third.remark) == ("valid", "")


@pytest.mark.parametrize(
    ("data", "missing"),
    [
        (frame(BINARY, bytes(300), masked=True)[:1], "the frame is cut off in its header, before the payload length"),
        (frame(BINARY, bytes(300), masked=True)[:3], "the frame is cut off in its header, before the end of "),
        (frame(BINARY, bytes(300), masked=True)[:4], "the frame is cut off in its header, before the end of "),
        (frame(BINARY, bytes(300), masked=True)[:6], "the frame is cut off in its header, before the end of "),
        (frame(BINARY, bytes(300), masked=True)[:8], "0 of 300 bytes of payload are here"),
        (frame(BINARY, bytes(300), masked=True)[:9], "1 of 300 bytes of payload are here"),
        (frame(PING, b"abc", masked=True)[:8], "2 of 3 bytes of payload are here"),
    ],
)
def test_a_frame_that_is_cut_off_says_where(data: bytes, missing: str) -> None:
    (section,) = frames_of(data, sender=Role.CLIENT)
    assert section.missing.startswith(missing)
    assert (section.verdict, section.fault) == ("unfinished", None)
    assert section.bytes_missing > 0


def test_the_mask_of_the_first_frame_tells_who_sends() -> None:
    assert frames_of(frame(PING, masked=True))[0].title.endswith("from the client")
    assert frames_of(frame(PING, masked=False))[0].title.endswith("from the server")
    assert frames_of(b"\x89")[0].title.endswith("from the server")


def test_a_head_in_front_tells_it_too() -> None:
    head, section = dissect_frames(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + frame(PING, masked=True))
    assert isinstance(head, HeadNotes)
    assert (section.offset, section.verdict) == (head.size, "faulty frame")
    cover([head, section], head.size + section.size)


@pytest.mark.parametrize(
    ("opcode", "payload", "shown"),
    [
        (TEXT, f"a {JWT} b".encode(), "a [redacted] b"),
        (PING, f"\xff {JWT}".encode("latin-1"), "\xff [redacted]"),
        (CLOSE, b"\x03\xe8" + f"Bearer {JWT}".encode(), "Bearer [redacted]"),
    ],
)
def test_tokens_are_masked_and_so_are_their_bytes(opcode: int, payload: bytes, shown: str) -> None:
    data = frame(opcode, payload, masked=True)
    (section,) = frames_of(data, text=True)
    note = section.notes[-1]
    assert (note.value, note.data, note.secret, note.meaning) == (shown, b"", True, "masked")
    assert JWT not in repr(section)
    (section,) = (one for one in dissect_frames(data, text=True, show_secrets=True) if isinstance(one, FrameNotes))
    assert not section.notes[-1].secret
    assert section.notes[-1].data == data[-len(section.notes[-1].data) :]


def test_with_secrets_the_bytes_of_binary_messages_are_shown() -> None:
    data = frame(BINARY, b"abc", masked=False)
    (section,) = dissect_frames(data, show_secrets=True)
    assert section.notes[-1].data == b"abc"


def test_bytes_that_are_no_text_stay_bytes() -> None:
    (section,) = frames_of(frame(PONG, b"\xff\0", masked=True))
    assert value_of(section, "payload") == b"\xff\0"


@pytest.mark.parametrize(
    ("code", "name"),
    [(1000, "normal closure"), (1002, "protocol error"), (3000, "of the applic"), (2000, "not d")],
)
def test_close_codes_have_names(code: int, name: str) -> None:
    (section,) = frames_of(frame(CLOSE, code.to_bytes(2, "big"), masked=False))
    (note,) = [note for note in section.notes if note.field == "close_code"]
    assert note.meaning.startswith(name)


frames = st.builds(
    lambda opcode, payload, masked, fin, reserved: frame(opcode, payload, masked=masked, fin=fin, reserved=reserved),
    st.sampled_from([0, 1, 2, 3, 8, 9, 10, 11]),
    st.binary(max_size=20),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 0, 0, 1]),
)


@given(st.lists(frames, max_size=4).map(b"".join), st.binary(max_size=12), st.sampled_from([None, *Role]))
@settings(max_examples=60)
@example(b"", b"", None)
@example(b"", b"\x82\x7e", None)
def test_any_bytes_are_covered(good: bytes, rest: bytes, sender: Role | None) -> None:
    data = good + rest
    sections = list(dissect_frames(data, sender=sender))
    cover(sections, len(data))
    assert sum(section.size for section in sections) == len(data)
