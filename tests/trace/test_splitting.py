"""Bytes of a direction in any portions, and the units and places that come out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import PingReq, Publish, encode
from mqttws.trace.splitting import HOLD, Splitter
from mqttws.trace.units import Kind, Unit
from mqttws.vocabulary import ProtocolVersion
from mqttws.websocket import mask
from tests.trace.wires import REQUEST, SWITCH, binary, connect, pieces
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

HELLO = encode(Publish("a", b"hello"))
MIXED = (
    REQUEST
    + binary(connect(4))
    + frame(BINARY, HELLO[:3], masked=True, fin=False)
    + frame(PING, b"there?", masked=True, key=b"wxyz")
    + frame(CONTINUATION, HELLO[3:] + encode(PingReq()) * 3, masked=True, key=b"\0\1\2\3")
    + frame(TEXT, b"what is this", masked=True)
    + frame(BINARY, b"", masked=True)
    + frame(CLOSE, b"\3\xe8bye", masked=True)
)
CONTENT = [
    (Kind.HEAD, REQUEST),
    (Kind.PACKET, encode(connect(4), 4)),
    (Kind.CONTROL, b"there?"),
    (Kind.PACKET, HELLO),
    *[(Kind.PACKET, encode(PingReq()))] * 3,
    (Kind.TEXT, b"what is this"),
    (Kind.CONTROL, b"\3\xe8bye"),
]


def content(units: list[Unit]) -> list[tuple[Kind, bytes]]:
    """Kinds and bytes, the parts of a text joined, without the frames."""
    joined: list[tuple[Kind, bytes]] = []
    for unit in units:
        if joined and unit.kind is joined[-1][0] and unit.kind in (Kind.TEXT, Kind.UNKNOWN, Kind.BODY, Kind.PART):
            joined[-1] = (unit.kind, joined[-1][1] + unit.data)
        elif unit.kind is not Kind.FRAME:
            joined.append((unit.kind, unit.data))
    return joined


def fed(splitter: Splitter, portions: list[bytes]) -> list[Unit]:
    return [unit for portion in portions for unit in splitter.feed(portion)] + splitter.end()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
def test_portions_change_nothing(size: int) -> None:
    splitter = Splitter()
    assert content(fed(splitter, pieces(MIXED, size))) == CONTENT
    assert (splitter.offset, splitter.version) == (len(MIXED), ProtocolVersion.V3_1_1)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_every_unit_knows_where_it_was(size: int) -> None:
    for unit in fed(Splitter(), pieces(MIXED, size)):
        if unit.kind is not Kind.FRAME:
            wire = b"".join(
                mask(span.key, part) if span.key else part
                for span in unit.spans
                for part in [MIXED[span.start : span.start + span.size]]
            )
            assert wire == unit.data
            assert unit.first == unit.data[0] or unit.kind is Kind.CONTROL


def test_frames_cover_everything_behind_the_head() -> None:
    frames = [unit for unit in Splitter().feed(MIXED) if unit.kind is Kind.FRAME]
    assert [unit.start for unit in frames] == [len(REQUEST), *(unit.stop for unit in frames[:-1])]
    assert frames[-1].stop == len(MIXED)


def test_settled_stays_in_front_of_what_is_held() -> None:
    splitter = Splitter()
    splitter.feed(REQUEST[:-1])
    assert splitter.settled == 0
    splitter.feed(REQUEST[-1:])
    assert splitter.settled == len(REQUEST)
    splitter.feed(frame(BINARY, HELLO[:4], masked=False, fin=False))
    held = len(REQUEST) + 2
    assert splitter.settled == held
    splitter.feed(frame(PING, b"12", masked=False)[:3])
    assert splitter.settled == held
    splitter.feed(b"2" + frame(CONTINUATION, HELLO[4:], masked=False))
    assert splitter.settled == splitter.offset
    splitter.feed(frame(PING, b"12", masked=False)[:3])
    assert splitter.settled == splitter.offset - 1


def test_reading_may_begin_between_messages_that_end_with_a_packet() -> None:
    splitter = Splitter()
    steps = []
    for data in (
        b"",
        REQUEST,
        frame(BINARY, HELLO[:4], masked=True),
        frame(BINARY, HELLO[4:], masked=True, fin=False),
        frame(CONTINUATION, HELLO, masked=True) + b"\x82",
    ):
        splitter.feed(data)
        steps.append((splitter.in_step, splitter.step and splitter.step - splitter.offset))
    assert steps == [(False, None), (True, None), (False, None), (False, None), (False, -1)]
    again = Splitter(in_frames=True, version=4, start=500)
    assert content(again.feed(binary(HELLO))) == [(Kind.PACKET, HELLO)]
    assert (again.offset, again.version) == (500 + len(binary(HELLO)), 4)


def test_a_packet_that_is_too_long_to_hold_comes_in_parts() -> None:
    packet = encode(Publish("long", bytes(HOLD)))
    units = fed(Splitter(in_frames=True), pieces(binary(packet, HELLO), 1000))
    assert content(units) == [(Kind.PART, packet), (Kind.PACKET, HELLO)]
    assert {unit.first for unit in units if unit.kind is Kind.PART} == {0x30}
    whole = fed(Splitter(in_frames=True, hold=1_000_000), pieces(binary(packet, HELLO), 1000))
    assert content(whole) == [(Kind.PACKET, packet), (Kind.PACKET, HELLO)]


def test_where_no_packet_can_begin_nothing_is_one_any_more() -> None:
    units = fed(Splitter(in_frames=True), [binary(HELLO, b"\x30\xff\xff\xff\xff\x01"), binary(HELLO)])
    assert content(units) == [(Kind.PACKET, HELLO), (Kind.UNKNOWN, b"\x30\xff\xff\xff\xff\x01" + HELLO)]


@pytest.mark.parametrize("start", [b"\x16\x03\x01", b"G" * 70_000])
def test_what_is_no_http_is_unknown(start: bytes) -> None:
    assert content(fed(Splitter(), [start, b"more"])) == [(Kind.UNKNOWN, start + b"more")]


def test_a_refusal_has_a_body_and_an_interim_answer_another_head_behind_it() -> None:
    interim, refusal = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 401 No\r\n\r\n"
    units = fed(Splitter(), [interim + refusal, b"no ", b"entry"])
    assert content(units) == [(Kind.HEAD, interim), (Kind.HEAD, refusal), (Kind.BODY, b"no entry")]
    long = fed(Splitter(), [refusal, bytes(HOLD + 1), b"x"])
    assert content(long) == [(Kind.HEAD, refusal), (Kind.BODY, bytes(HOLD + 1) + b"x")]
    switched = fed(Splitter(), [interim + SWITCH + binary(HELLO, masked=False)])
    assert content(switched)[-1] == (Kind.PACKET, HELLO)


@pytest.mark.parametrize(
    ("data", "kind", "held"),
    [
        (REQUEST[:-2], Kind.HEAD, REQUEST[:-2]),
        (REQUEST + frame(PING, b"1234", masked=True)[:-1], Kind.CONTROL, b"123"),
        (REQUEST + binary(HELLO[:-1]), Kind.PACKET, HELLO[:-1]),
    ],
)
def test_the_end_gives_out_what_is_cut_off(data: bytes, kind: Kind, held: bytes) -> None:
    splitter = Splitter()
    splitter.feed(data)
    (unit,) = splitter.end()
    assert (unit.kind, unit.data, unit.finished) == (kind, held, False)
    assert splitter.end() == []


def test_a_control_frame_without_end_is_not_held_for_ever() -> None:
    header = frame(PING, masked=True, length=1_000_000)
    units = Splitter(in_frames=True).feed(header + bytes(HOLD + 1))
    assert [unit.kind for unit in units] == [Kind.UNKNOWN]


def test_a_length_of_eight_bytes_is_read() -> None:
    data = frame(BINARY, HELLO, masked=True, width=8)
    assert content(Splitter(in_frames=True).feed(data)) == [(Kind.PACKET, HELLO)]


@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes_pass_and_portions_change_nothing(data: bytes, size: int) -> None:
    for start in (b"", REQUEST):
        whole, portioned = Splitter(), Splitter()
        assert content(fed(whole, [start + data])) == content(fed(portioned, pieces(start + data, size)))
        assert whole.offset == portioned.offset
