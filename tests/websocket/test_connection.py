"""One WebSocket from end to end: two of them wired back to back, and each against a peer that errs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.errors import LocalProtocolError
from mqttws.websocket import Event, Failed, Lost, Opened, PeerClosed, Piece, Pong, State, Upgrade, WebSocket
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

ROLES = pytest.mark.parametrize("client", [True, False], ids=["client", "server"])


def pair(*, text: bool = False, fast_path: bool = True) -> tuple[WebSocket, WebSocket]:
    """A client and a server behind their handshake."""
    client = WebSocket.client(host="x", target="/", subprotocols=("mqtt",), text=text, fast_path=fast_path)
    server = WebSocket.server(text=text, fast_path=fast_path)
    server.receive_data(client.data_to_send())
    assert isinstance(server.events()[0], Upgrade)
    server.accept(("mqtt",))
    client.receive_data(server.data_to_send())
    assert client.events() == server.events() == [Opened((), "mqtt")]
    return client, server


def one(*, client: bool) -> WebSocket:
    """One end of an open pair; the test plays the other."""
    return pair()[0 if client else 1]


def exchange(sender: WebSocket, receiver: WebSocket) -> list[Event]:
    receiver.receive_data(sender.data_to_send())
    return receiver.events()


@pytest.mark.parametrize("fast_path", [True, False])
def test_messages_travel_both_ways_in_order(fast_path: bool) -> None:
    client, server = pair(text=True, fast_path=fast_path)
    for sender, receiver in ((client, server), (server, client)):
        sender.send_message(b"one")
        sender.send_message("zwölf")
        sender.send_message(b"")
        assert sender.bytes_pending > 0
        assert exchange(sender, receiver) == [b"one", "zwölf", b""]
        assert sender.bytes_pending == 0
        assert sender.data_to_send() == b""


@given(st.lists(st.binary(max_size=300), max_size=6), st.integers(1, 40), st.booleans())
def test_any_portions_give_the_same_payload(messages: list[bytes], size: int, fast_path: bool) -> None:
    client, server = pair(fast_path=fast_path)
    for message in messages:
        client.send_message(message)
    data = client.data_to_send()
    for start in range(0, len(data), size):
        server.receive_data(data[start : start + size])
    events = server.events()
    payload = [event.data if isinstance(event, Piece) else event for event in events]
    assert b"".join(payload) == b"".join(messages)  # type: ignore[arg-type]  # no text was sent
    assert sum(not isinstance(event, Piece) or event.finished for event in events) == len(messages)


def test_a_ping_is_answered_and_a_flood_of_them_once() -> None:
    client, server = pair()
    client.ping(b"hello")
    assert exchange(client, server) == []
    assert exchange(server, client) == [Pong(b"hello")]
    for number in range(5000):
        server.receive_data(frame(PING, str(number).encode(), masked=True))
    answer = server.data_to_send()
    assert len(answer) == 2 + 4
    client.receive_data(answer)
    assert client.events() == [Pong(b"4999")]


def test_a_ping_may_hold_125_bytes() -> None:
    client, server = pair()
    client.ping(b"x" * 125)
    exchange(client, server)
    assert exchange(server, client) == [Pong(b"x" * 125)]
    with pytest.raises(LocalProtocolError, match="125"):
        client.ping(b"x" * 126)
    assert client.data_to_send() == b""


@ROLES
def test_closing_in_order_is_one_frame_each_way(client: bool) -> None:
    ends = pair()
    ours, theirs = ends if client else ends[::-1]
    ours.close(1001, "bye")
    ours.close(1000)
    assert ours.state.name == "CLOSING"
    with pytest.raises(LocalProtocolError, match="closing"):
        ours.send_message(b"late")
    assert exchange(ours, theirs) == [PeerClosed(1001, "bye")]
    assert theirs.state is State.CLOSED
    assert exchange(theirs, ours) == [PeerClosed(1001)]
    assert ours.state is State.CLOSED
    assert ours.data_to_send() == theirs.data_to_send() == b""
    theirs.receive_eof()
    assert theirs.events() == []


def test_both_may_close_at_once() -> None:
    client, server = pair()
    client.close()
    server.close(1001)
    to_server, to_client = client.data_to_send(), server.data_to_send()
    client.receive_data(to_client)
    server.receive_data(to_server)
    assert client.events() == [PeerClosed(1001)]
    assert server.events() == [PeerClosed(1000)]
    assert client.data_to_send() == server.data_to_send() == b""


def test_what_the_peer_still_sends_before_its_close_is_read() -> None:
    client, server = pair()
    client.close()
    server.send_message(b"last words")
    exchange(client, server)
    assert exchange(server, client) == [b"last words", PeerClosed(1000)]


@ROLES
def test_a_close_without_a_code_is_answered_alike(client: bool) -> None:
    ours = one(client=client)
    ours.receive_data(frame(CLOSE, masked=not client))
    assert ours.events() == [PeerClosed(1005)]
    assert ours.data_to_send()[:2] == (b"\x88\x80" if client else b"\x88\x00")


@ROLES
@pytest.mark.parametrize(
    ("opcode", "reserved", "code"), [(TEXT, 0, 1003), (3, 0, 1002), (BINARY, 4, 1002), (PING, 1, 1002)]
)
def test_a_fault_is_told_to_the_peer_and_ends_everything(client: bool, opcode: int, reserved: int, code: int) -> None:
    ours, theirs = pair() if client else pair()[::-1]
    ours.receive_data(frame(opcode, b"x", masked=not client, reserved=reserved))
    (failed,) = ours.events()
    assert isinstance(failed, Failed)
    assert failed.code == code
    assert ours.state is State.CLOSED
    (closed,) = exchange(ours, theirs)
    assert isinstance(closed, PeerClosed)
    assert closed.code == code
    assert closed.reason == failed.message
    ours.receive_data(b"more")
    ours.receive_eof()
    assert ours.events() == []
    with pytest.raises(LocalProtocolError):
        ours.ping()


@ROLES
def test_a_fault_behind_our_own_close_gets_no_second_one(client: bool) -> None:
    ours = one(client=client)
    ours.close()
    ours.data_to_send()
    ours.receive_data(frame(3, masked=not client))
    assert isinstance(ours.events()[0], Failed)
    assert ours.data_to_send() == b""
    assert ours.state is State.CLOSED


@ROLES
def test_bytes_that_end_without_a_close_frame_are_a_loss(client: bool) -> None:
    for closing in (False, True):
        ours = one(client=client)
        if closing:
            ours.close()
        ours.receive_data(frame(BINARY, b"half", masked=not client, length=100))
        ours.receive_eof()
        ours.receive_eof()
        assert ours.events() == [Piece(b"half", False), IN_THE_MIDDLE]


IN_THE_MIDDLE = Lost("the connection ended in the middle of a frame or a message", True)
BETWEEN = Lost("the connection ended without a Close frame", False)


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        (b"", BETWEEN),
        (frame(BINARY, b"whole", masked=False), BETWEEN),
        (frame(BINARY, b"whole", masked=False) + b"\x82", IN_THE_MIDDLE),
        (frame(BINARY, b"", masked=False, length=100), IN_THE_MIDDLE),
        (frame(BINARY, b"first", masked=False, fin=False), IN_THE_MIDDLE),
        (frame(BINARY, b"1", masked=False, fin=False) + frame(CONTINUATION, b"2", masked=False), BETWEEN),
        (frame(PING, b"ping", masked=False), BETWEEN),
        (frame(PING, b"half", masked=False, length=100), IN_THE_MIDDLE),
    ],
)
def test_a_loss_tells_whether_something_was_under_way(sent: bytes, last: Lost) -> None:
    ours = one(client=True)
    ours.receive_data(sent)
    ours.receive_eof()
    assert ours.events()[-1] == last


@pytest.mark.parametrize(
    ("sent", "last"),
    [(frame(BINARY, b"first", masked=False, fin=False), IN_THE_MIDDLE), (frame(BINARY, b"x", masked=False), BETWEEN)],
)
def test_without_the_fast_path_a_message_that_has_begun_counts(sent: bytes, last: Lost) -> None:
    ours = pair(fast_path=False)[0]
    ours.receive_data(sent)
    ours.receive_eof()
    assert ours.events()[-1] == last


def test_no_pong_follows_a_close() -> None:
    client, server = pair()
    server.receive_data(frame(PING, b"?", masked=True) + frame(CLOSE, masked=True))
    assert server.data_to_send() == b"\x88\x00"
    client.close()
    client.data_to_send()
    client.receive_data(frame(PING, b"?", masked=False))
    assert client.data_to_send() == b""


@pytest.mark.parametrize("code", [0, 999, 5000])
def test_what_is_no_close_code_is_our_own_fault(code: int) -> None:
    client, server = pair()
    with pytest.raises(LocalProtocolError, match="no WebSocket close code"):
        client.close(code)
    client.close(1005, "dropped, since it may not stand without a code")
    assert exchange(client, server) == [PeerClosed(1005)]


def test_nothing_can_be_sent_before_the_handshake_is_over() -> None:
    for ours in (WebSocket.client(host="x", target="/"), WebSocket.server()):
        with pytest.raises(LocalProtocolError, match="connecting"):
            ours.send_message(b"x")
        ours.close()
        assert ours.state is State.CONNECTING


def test_what_nobody_takes_can_be_dropped() -> None:
    ours = WebSocket.client(host="x", target="/")
    assert ours.bytes_pending > 0
    ours.drop_pending()
    assert (ours.bytes_pending, ours.data_to_send()) == (0, b"")
