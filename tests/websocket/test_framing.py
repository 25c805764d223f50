"""What frames mean and which are refused; wsproto alone and the fast path must agree on all of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from wsproto.connection import Connection, ConnectionType

from mqttws.websocket import Failed, FrameEvent, Framing, PeerClosed, Piece, Pong
from mqttws.websocket.framing import section_of
from tests.websocket.frames import BINARY, BOTH, CLOSE, CONTINUATION, PING, PONG, TEXT, frame, judge, merged

pytestmark = pytest.mark.parametrize("framing", BOTH)
ROLES = pytest.mark.parametrize("client", [True, False], ids=["client", "server"])


@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1535, 1536, 65535, 65536, 100_001])
def test_binary_messages_of_every_length_are_read(framing: type[Framing], client: bool, size: int) -> None:
    payload = bytes(index & 0xFF for index in range(size))
    assert judge(framing, client=client).receive(frame(BINARY, payload, masked=not client)) == [payload]


@ROLES
def test_a_message_that_comes_in_frames_comes_out_in_pieces(framing: type[Framing], client: bool) -> None:
    masked = not client
    ours = judge(framing, client=client)
    data = (
        frame(BINARY, b"one", masked=masked, fin=False)
        + frame(PING, b"?", masked=masked)
        + frame(CONTINUATION, b"", masked=masked, fin=False)
        + frame(CONTINUATION, b"two", masked=masked)
        + frame(BINARY, b"three", masked=masked)
    )
    assert ours.receive(data) == [Piece(b"one", False), Piece(b"", False), Piece(b"two", True), b"three"]
    assert ours.ping == b"?"


@ROLES
def test_a_large_frame_is_handed_on_as_it_arrives_and_not_held(framing: type[Framing], client: bool) -> None:
    ours = judge(framing, client=client)
    data = frame(BINARY, b"a" * 70_000, masked=not client)
    pieces = [event for start in range(0, len(data), 1000) for event in ours.receive(data[start : start + 1000])]
    assert len(pieces) == 71
    assert merged(pieces) == [b"a" * 70_000]
    assert ours.receive(frame(BINARY, b"next", masked=not client)) == [b"next"]


@ROLES
def test_text_is_a_message_where_it_is_wanted(framing: type[Framing], client: bool) -> None:
    ours = judge(framing, client=client, text=True)
    data = frame(TEXT, "grüße".encode(), masked=not client)
    assert ours.receive(data) == ["grüße"]
    assert merged([event for byte in data for event in ours.receive(bytes((byte,)))]) == ["grüße"]
    (failed,) = ours.receive(frame(TEXT, b"\xff", masked=not client))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.section) == (1007, "8.1")


@ROLES
@pytest.mark.parametrize("payload", [b"hi", b"", b"\xff\xfe", b"\x10\x8c"])
def test_text_closes_with_1003_where_it_is_not(framing: type[Framing], client: bool, payload: bytes) -> None:
    ours = judge(framing, client=client)
    data = frame(BINARY, b"before", masked=not client) + frame(TEXT, payload, masked=not client)
    before, failed = ours.receive(data + frame(BINARY, b"after", masked=not client))
    assert before == b"before"
    assert isinstance(failed, Failed)
    assert failed.code == 1003
    assert ours.over


FAULTS = [
    pytest.param(lambda masked: frame(BINARY, b"x", masked=not masked), "5.1", id="wrong mask bit"),
    pytest.param(lambda masked: frame(BINARY, b"x", masked=masked, reserved=4), "5.2", id="rsv1"),
    pytest.param(lambda masked: frame(BINARY, b"x", masked=masked, reserved=2), "5.2", id="rsv2"),
    pytest.param(lambda masked: frame(PING, b"x", masked=masked, reserved=1), "5.2", id="rsv3"),
    *(
        pytest.param(lambda masked, opcode=opcode: frame(opcode, masked=masked), "5.2", id=f"opcode {opcode}")
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)
    ),
    pytest.param(lambda masked: frame(PING, b"x", masked=masked, fin=False), "5.5", id="fragmented ping"),
    pytest.param(lambda masked: frame(CLOSE, masked=masked, fin=False), "5.5", id="fragmented close"),
    pytest.param(lambda masked: frame(PING, b"x" * 126, masked=masked), "5.5", id="long ping"),
    pytest.param(lambda masked: frame(PONG, b"x" * 70_000, masked=masked), "5.5", id="very long pong"),
    pytest.param(lambda masked: frame(BINARY, b"x", masked=masked, width=2), "5.2", id="length in too many bytes"),
    pytest.param(lambda masked: frame(BINARY, b"x" * 126, masked=masked, width=8), "5.2", id="length in 8 bytes"),
    pytest.param(lambda masked: frame(BINARY, b"x", masked=masked, width=8, length=1 << 63), "5.2", id="top bit"),
    pytest.param(lambda masked: frame(CONTINUATION, b"x", masked=masked), "5.4", id="continuation of nothing"),
    pytest.param(
        lambda masked: frame(BINARY, b"x", masked=masked, fin=False) + frame(BINARY, b"x", masked=masked),
        "5.4",
        id="message inside a message",
    ),
    pytest.param(lambda masked: frame(CLOSE, b"x", masked=masked), "5.5.1", id="close with one byte"),
    *(
        pytest.param(
            lambda masked, code=code: frame(CLOSE, code.to_bytes(2, "big"), masked=masked),
            "7.4",
            id=f"close code {code}",
        )
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    ),
]


@ROLES
@pytest.mark.parametrize(("make", "section"), FAULTS)
def test_a_broken_rule_of_framing_is_1002_and_names_its_section(
    framing: type[Framing], client: bool, make: Callable[[bool], bytes], section: str
) -> None:
    ours = judge(framing, client=client)
    good = frame(BINARY, b"good", masked=not client)
    events = ours.receive(good + make(not client) + good)
    assert events[0] == b"good"
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert (failed.code, failed.section) == (1002, section)
    assert ours.receive(good) == []


@ROLES
def test_a_close_reason_that_is_no_utf8_is_1007(framing: type[Framing], client: bool) -> None:
    (failed,) = judge(framing, client=client).receive(frame(CLOSE, b"\x03\xe8\xff", masked=not client))
    assert isinstance(failed, Failed)
    assert (failed.code, failed.section) == (1007, "5.5.1")


@ROLES
def test_a_close_frame_is_a_farewell_and_nothing_behind_it_is_read(framing: type[Framing], client: bool) -> None:
    for payload, closed in (
        (b"\x03\xe9bye", PeerClosed(1001, "bye")),
        (b"", PeerClosed(1005)),
        (b"\x0f\xa0", PeerClosed(4000)),
    ):
        ours = judge(framing, client=client)
        data = frame(CLOSE, payload, masked=not client) + frame(BINARY, b"x", masked=not client)
        assert ours.receive(data) == [closed]
        assert ours.over
        assert ours.receive(b"anything") == []


@ROLES
@pytest.mark.parametrize("sizes", [(11,), (4, 4, 3), (0, 0, 10, 1), (100_000,)])
def test_a_message_above_the_limit_is_1009(framing: type[Framing], client: bool, sizes: tuple[int, ...]) -> None:
    ours = judge(framing, client=client, maximum_message_size=10)
    whole = frame(BINARY, b"0123456789", masked=not client)
    assert ours.receive(whole + whole) == [b"0123456789"] * 2
    failed: FrameEvent | None = None
    for index, size in enumerate(sizes):
        opcode = CONTINUATION if index else BINARY
        *_, failed = ours.receive(frame(opcode, b"a" * size, masked=not client, fin=False))
    assert isinstance(failed, Failed)
    assert failed.code == 1009


def test_a_claimed_length_holds_only_what_has_come(framing: type[Framing]) -> None:
    ours = judge(framing, client=True)
    assert ours.receive(frame(BINARY, b"abc", masked=False, length=1 << 40, width=8)) == [Piece(b"abc", False)]


@ROLES
def test_only_the_newest_of_many_pings_waits_for_its_pong(framing: type[Framing], client: bool) -> None:
    ours = judge(framing, client=client)
    flood = b"".join(frame(PING, str(number).encode(), masked=not client) for number in range(5000))
    assert ours.receive(flood) == []
    assert ours.ping == b"4999"
    assert ours.receive(frame(PONG, b"unasked", masked=not client)) == [Pong(b"unasked")]


def test_what_is_written_is_read_by_the_other_end(framing: type[Framing]) -> None:
    for client in (True, False):
        ours, theirs = judge(framing, client=client, text=True), judge(framing, client=not client, text=True)
        for message in (b"", b"a", b"b" * 126, b"c" * 70_000, "text"):
            assert theirs.receive(ours.message(message)) == [message]
        theirs.receive(ours.ping_frame(b"ping"))
        assert theirs.ping == b"ping"
        assert theirs.receive(ours.pong_frame(b"pong")) == [Pong(b"pong")]
        assert theirs.receive(ours.close_frame(1000, "x" * 200)) == [PeerClosed(1000, "x" * 123)]


def test_what_wsproto_says_in_words_unknown_here_is_about_the_frame(framing: type[Framing]) -> None:
    assert section_of("something new") == "5.2"
    assert framing(Connection(ConnectionType.CLIENT), text=False, maximum_message_size=1).receive(b"") == []
