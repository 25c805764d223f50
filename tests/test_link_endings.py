"""How a whole wire ends: in order, by a loss, by a broken rule of MQTT or of WebSocket; each told once, and apart."""

from __future__ import annotations

import math

import pytest

from mqttws.codec import ConnAck, Connect, Disconnect, PingResp, Publish, encode
from mqttws.errors import (
    ConnectionLost,
    ConnectRefused,
    RemoteProtocolError,
    ServerDisconnected,
    WebSocketClosed,
    WireEnded,
    WireReset,
    WireTruncated,
)
from mqttws.link import Link
from mqttws.session import Closed, Connection, Session
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role
from tests.links import ROLES, VERSIONS, Pair, client_link, end_of, ended, is_closed, only_closed, opened, server_link
from tests.websocket.frames import BINARY, CLOSE, PING, TEXT, frame


@VERSIONS
@ROLES
def test_closing_in_order_is_a_disconnect_then_a_close_frame_then_the_server_goes_first(
    version: ProtocolVersion, client: bool
) -> None:
    pair = opened(version)
    ours, theirs = end_of(pair, client)
    ours.close(pair.now)
    assert only_closed(pair.take(ours)) is None
    assert not ours.is_open
    pair.run()
    error = ended(pair.take(theirs))
    if client:
        assert error is None
    elif version == 5:
        assert isinstance(error, ServerDisconnected)
    else:
        assert isinstance(error, ConnectionLost)
        assert error.close_code == 1000
    assert is_closed(pair.server)
    assert not is_closed(pair.client)
    assert pair.client.next_deadline() == pair.now + 1.0
    pair.client.receive_eof(pair.now)
    assert is_closed(pair.client)
    assert pair.client.next_deadline() == math.inf
    assert pair.take(pair.client) == pair.take(pair.server) == []


@ROLES
def test_closing_again_or_aborting_then_says_nothing_more(client: bool) -> None:
    pair = opened()
    ours, _ = end_of(pair, client)
    ours.close(pair.now)
    ours.close(pair.now, ReasonCode.SERVER_BUSY)
    ours.abort(pair.now)
    assert only_closed(ours.events()) is None
    first = ours.data_to_send(pair.now)
    assert first[-2:] == b"\x03\xe8" if not client else first
    assert ours.data_to_send(pair.now) == b""


@ROLES
def test_a_farewell_that_is_not_answered_is_waited_for_only_so_long(client: bool) -> None:
    pair = opened(close_timeout=2.5)
    ours, _ = end_of(pair, client)
    ours.close(pair.now)
    ours.data_to_send(pair.now)
    assert ours.next_deadline() == pair.now + 2.5
    ours.handle_deadline(pair.now + 2.4)
    assert not is_closed(ours)
    ours.handle_deadline(pair.now + 2.5)
    assert is_closed(ours)
    assert ours.next_deadline() == math.inf
    ours.handle_deadline(pair.now + 9)
    assert only_closed(ours.events()) is None


@ROLES
def test_a_farewell_that_nobody_takes_is_dropped_at_the_deadline(client: bool) -> None:
    pair = opened()
    ours, _ = end_of(pair, client)
    ours.close(pair.now)
    assert ours.bytes_pending > 0
    ours.handle_deadline(ours.next_deadline())
    assert is_closed(ours)
    assert ours.data_to_send(pair.now + 1) == b""


@ROLES
def test_a_reply_that_nobody_takes_is_dropped_at_the_deadline(client: bool) -> None:
    pair = opened()
    ours, _ = end_of(pair, client)
    ours.receive_data(frame(CLOSE, masked=not client), pair.now)
    assert not is_closed(ours)
    assert ours.bytes_pending > 0
    ours.handle_deadline(ours.next_deadline())
    assert is_closed(ours)


@ROLES
def test_a_close_frame_instead_of_a_disconnect_is_a_loss_with_its_code(client: bool) -> None:
    pair = opened()
    ours, theirs = end_of(pair, client)
    data = frame(CLOSE, (1001).to_bytes(2, "big") + b"going\x07 away", masked=not client)
    ours.receive_data(data, pair.now)
    error = only_closed(ours.events())
    assert isinstance(error, WebSocketClosed)
    assert error.close_code == 1001
    peer = "server" if client else "client"
    assert str(error) == f"the {peer} has closed the WebSocket: going away (WebSocket close code 1001)"
    theirs.receive_data(ours.data_to_send(pair.now), pair.now)
    lost = only_closed(theirs.events())
    assert isinstance(lost, ConnectionLost)
    assert lost.close_code == 1001
    assert is_closed(ours) == (not client)  # a server goes at once, a client lets it go first


@ROLES
def test_the_end_of_bytes_without_a_close_frame_is_a_loss_without_a_code(client: bool) -> None:
    pair = opened()
    ours, _ = end_of(pair, client)
    ours.receive_eof(pair.now)
    ours.receive_eof(pair.now)
    error = only_closed(ours.events())
    assert isinstance(error, WireEnded)
    assert error.close_code is None
    assert "without a Close frame" in str(error)
    assert is_closed(ours)


RESPONSE = encode(PingResp())


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize(
    ("sent", "kind", "words"),
    [
        (b"", WireEnded, "without a Close frame"),
        (frame(BINARY, RESPONSE, masked=False), WireEnded, "without a Close frame"),
        (frame(BINARY, RESPONSE[:1], masked=False), WireTruncated, "in the middle of a packet"),
        (frame(BINARY, RESPONSE, masked=False)[:-1], WireTruncated, "in the middle of a frame or a message"),
        (frame(BINARY, RESPONSE, masked=False, fin=False), WireTruncated, "in the middle of a frame or a message"),
    ],
)
def test_the_error_tells_where_the_bytes_ended_or_that_the_stream_broke(
    sent: bytes, kind: type[ConnectionLost], words: str, broken: bool
) -> None:
    pair = opened()
    pair.client.receive_data(sent, pair.now)
    pair.client.receive_eof(pair.now, broken=broken)
    *_, closed = pair.client.events()
    assert isinstance(closed, Closed)
    assert type(closed.error) is (WireReset if broken else kind)
    assert ("reset" if broken else words) in str(closed.error)


def test_what_came_before_the_end_is_still_told() -> None:
    pair = opened()
    data = frame(BINARY, encode(Publish("a", b"1")), masked=True) + frame(CLOSE, masked=True)
    pair.server.receive_data(data, pair.now)
    publish, closed = pair.server.events()
    assert publish == Publish("a", b"1")
    assert isinstance(closed, Closed)


def test_a_close_frame_behind_a_disconnect_is_a_farewell() -> None:
    pair = opened()
    data = frame(BINARY, encode(Disconnect()), masked=True) + frame(CLOSE, b"\x03\xe8", masked=True)
    pair.server.receive_data(data, pair.now)
    assert pair.server.events() == [Disconnect(), Closed(None)]
    assert pair.server.data_to_send(pair.now) == b"\x88\x02\x03\xe8"
    assert is_closed(pair.server)


def test_a_client_that_only_disconnects_is_sent_a_close_frame() -> None:
    pair = opened()
    pair.server.receive_data(frame(BINARY, encode(Disconnect()), masked=True), pair.now)
    assert pair.server.data_to_send(pair.now) == b"\x88\x02\x03\xe8"
    assert not is_closed(pair.server)
    pair.server.receive_data(frame(BINARY, b"ignored", masked=True) + frame(3, masked=True), pair.now)
    pair.server.receive_eof(pair.now)
    assert is_closed(pair.server)
    assert pair.server.events() == [Disconnect(), Closed(None)]


def test_a_peer_that_has_shut_down_its_sending_still_gets_our_farewell() -> None:
    pair = opened()
    pair.server.receive_data(frame(BINARY, b"\xf5\x00\x00", masked=True), pair.now)
    pair.server.receive_eof(pair.now)
    assert isinstance(ended(pair.server.events()), RemoteProtocolError)
    assert not is_closed(pair.server)
    data = pair.server.data_to_send(pair.now)
    assert data[2] == 0xE0  # DISCONNECT
    assert data.rfind(b"\x88") > 0
    assert is_closed(pair.server)


@VERSIONS
@ROLES
@pytest.mark.parametrize(
    ("packet", "code"),
    [(b"\x36\x06\x00\x01a\x00\x01\x00", 1002), (b"\x30\xff\xff\xff\x7f", 1009)],
    ids=["malformed", "too large"],
)
def test_a_broken_rule_of_mqtt_is_told_in_both_languages(
    version: ProtocolVersion, client: bool, packet: bytes, code: int
) -> None:
    client_end = Link.client(Connection(Role.CLIENT, version, maximum_packet_size=1000), host="x", target="/")
    pair = Pair(client_end, Link.server(Connection(Role.SERVER, maximum_packet_size=1000)))
    client_end.send(Connect(version=version, client_id="me"), pair.now)
    pair.run()
    pair.server.accept(pair.now)
    pair.run()
    pair.server.connection.attach(Session())
    pair.server.send(ConnAck(), pair.now)
    pair.run()
    ours, _ = end_of(pair, client)
    pair.take(ours)
    ours.receive_data(frame(BINARY, packet, masked=not client), pair.now)
    error = only_closed(ours.events())
    assert isinstance(error, RemoteProtocolError)
    assert ours.next_deadline() == pair.now + 1.0
    if not client:
        data = ours.data_to_send(pair.now)
        assert (data[2] == 0xE0) == (version == 5)
        close = data[data.rindex(b"\x88") :]
        assert close[2:4] == code.to_bytes(2, "big")
        assert close[4:].decode() == (error.statement or "")


@ROLES
@pytest.mark.parametrize(
    ("data", "code", "words", "reason_code"),
    [
        ({"opcode": TEXT, "payload": b"hi"}, 1003, "text frame .*RFC 6455, 5.6.*MQTT-6.0.0-1", 0x82),
        ({"opcode": 3}, 1002, "Invalid opcode 0x3 .RFC 6455, 5.2", 0x82),
        ({"opcode": BINARY, "reserved": 4}, 1002, "Reserved bit .*5.2", 0x82),
        ({"opcode": PING, "payload": b"x" * 126}, 1002, "Control frame .*5.5", 0x82),
        ({"opcode": PING, "fin": False}, 1002, "fragment control frame .*5.5", 0x82),
        ({"opcode": CLOSE, "payload": b"\x03\xec"}, 1002, "CLOSE .*7.4", 0x82),
        ({"opcode": BINARY, "payload": b"x" * 20_000}, 1009, "longer than 10000 bytes", 0x95),
        ({"opcode": BINARY, "payload": b"x", "wrong": True}, 1002, "masked frame .*5.1", 0x82),
    ],
)
def test_a_broken_rule_of_framing_cites_rfc_6455(
    client: bool, data: dict[str, object], code: int, words: str, reason_code: int
) -> None:
    pair = opened(maximum_message_size=10_000)
    ours, theirs = end_of(pair, client)
    masked = (not client) ^ bool(data.get("wrong"))
    options = {name: value for name, value in data.items() if name != "wrong"}
    good = frame(BINARY, encode(PingResp() if client else Publish("a")), masked=not client)
    ours.receive_data(good + frame(masked=masked, **options), pair.now)  # type: ignore[arg-type]  # as in the table
    *_, closed = ours.events()
    assert isinstance(closed, Closed)
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        raise closed.error or AssertionError
    assert caught.value.reason_code == reason_code
    theirs.receive_data(ours.data_to_send(pair.now), pair.now)
    lost = only_closed(theirs.events())
    assert isinstance(lost, ConnectionLost)
    assert lost.close_code == code
    assert not is_closed(ours)
    assert ours.next_deadline() == pair.now + 1.0
    ours.receive_eof(pair.now)
    assert is_closed(ours)


@ROLES
def test_aborting_says_no_word_of_mqtt(client: bool) -> None:
    pair = opened()
    ours, theirs = end_of(pair, client)
    ours.send(Publish("a", b"never sent"), pair.now)
    ours.abort(pair.now, 1001)
    lost = only_closed(ours.events())
    assert isinstance(lost, ConnectionLost)
    assert lost.close_code is None
    theirs.receive_data(ours.data_to_send(pair.now), pair.now)
    told = only_closed(theirs.events())
    assert isinstance(told, ConnectionLost)
    assert told.close_code == 1001
    assert ours.bytes_pending == 0
    assert ours.next_deadline() == pair.now + 1.0


@VERSIONS
def test_a_refused_connect_closes_at_once(version: ProtocolVersion) -> None:
    pair = Pair(client_link(version), server_link())
    pair.client.send(Connect(version=version, client_id="me"), pair.now)
    pair.run()
    pair.server.accept(pair.now)
    pair.run()
    pair.take(pair.client)
    pair.server.send(ConnAck(False, ReasonCode.NOT_AUTHORIZED if version == 5 else 5), pair.now)
    pair.run()
    assert ended(pair.take(pair.server)) is None
    assert is_closed(pair.server)
    assert isinstance(ended(pair.take(pair.client)), ConnectRefused)
    pair.client.receive_eof(pair.now)
    assert is_closed(pair.client)


def test_a_first_packet_that_is_no_connect_closes_without_a_word_of_mqtt() -> None:
    pair = Pair(client_link(), server_link())
    pair.run()
    pair.server.accept(pair.now)
    pair.server.data_to_send(pair.now)
    pair.server.receive_data(frame(BINARY, encode(Publish("a")), masked=True), pair.now)
    assert isinstance(ended(pair.server.events()), RemoteProtocolError)
    assert pair.server.data_to_send(pair.now)[:1] == b"\x88"


def test_both_ends_may_close_at_once() -> None:
    pair = opened()
    pair.client.close(pair.now)
    pair.server.close(pair.now)
    to_server, to_client = pair.client.data_to_send(pair.now), pair.server.data_to_send(pair.now)
    pair.server.receive_data(to_server, pair.now)
    pair.client.receive_data(to_client, pair.now)
    assert only_closed(pair.server.events()) is None
    assert only_closed(pair.client.events()) is None
    assert is_closed(pair.server)
    assert not is_closed(pair.client)


def waiting(version: ProtocolVersion, behind: bytes) -> Pair:
    """A pair whose Connect waits for the server's owner, with bytes of the client behind it."""
    pair = Pair(client_link(version), server_link())
    pair.client.send(Connect(version=version, client_id="me"), pair.now)
    pair.run()
    pair.server.accept(pair.now)
    pair.run()
    pair.take(pair.server)
    pair.server.receive_data(behind, pair.now)
    return pair


LEAVING = [
    pytest.param(b"", True, None, id="no close frame"),
    pytest.param(frame(CLOSE, b"\x03\xe9", masked=True), False, 1001, id="close frame"),
    pytest.param(frame(CLOSE, b"\x03\xe9", masked=True), True, 1001, id="close frame and end"),
]


@VERSIONS
@pytest.mark.parametrize(("farewell", "eof", "code"), LEAVING)
def test_what_a_client_sent_before_it_left_counts_once_its_connect_is_answered(
    version: ProtocolVersion, farewell: bytes, eof: bool, code: int | None
) -> None:
    pair = waiting(version, frame(BINARY, encode(Publish("a", b"1"), version), masked=True) + farewell)
    if eof:
        pair.server.receive_eof(pair.now)
    assert pair.server.events() == []
    pair.server.data_to_send(pair.now)
    assert not is_closed(pair.server)
    assert pair.server.is_open == (not farewell and not eof)
    pair.server.connection.attach(Session())
    pair.server.send(ConnAck(), pair.now)
    publish, closed = pair.server.events()
    assert publish == Publish("a", b"1")
    assert isinstance(closed, Closed)
    assert isinstance(closed.error, ConnectionLost)
    assert closed.error.close_code == code
    assert pair.server.data_to_send(pair.now) == b""
    assert is_closed(pair.server)


def test_a_fault_behind_a_connect_that_waits_is_told_after_its_answer() -> None:
    pair = waiting(ProtocolVersion.V5, frame(TEXT, b"hi", masked=True))
    assert pair.server.events() == []
    assert pair.server.data_to_send(pair.now)[:4] == b"\x88\x30\x03\xeb"
    pair.server.send(ConnAck(False, ReasonCode.NOT_AUTHORIZED), pair.now)
    assert only_closed(pair.server.events()) is None
    assert pair.server.data_to_send(pair.now) == b""
    assert pair.server.next_deadline() == pair.now + 1.0
    pair.server.handle_deadline(pair.now + 1.0)
    assert is_closed(pair.server)


def test_a_client_that_left_is_forgotten_even_if_nobody_answers_its_connect() -> None:
    pair = waiting(ProtocolVersion.V5, b"")
    pair.server.receive_eof(pair.now)
    pair.server.handle_deadline(pair.server.next_deadline())
    assert isinstance(only_closed(pair.server.events()), ConnectionLost)
    assert is_closed(pair.server)


def test_whoever_has_not_answered_a_connect_may_abort() -> None:
    pair = waiting(ProtocolVersion.V5, b"")
    pair.server.abort(pair.now, 1001)
    assert only_closed(pair.server.events()) is None
    assert pair.server.data_to_send(pair.now) == b"\x88\x02\x03\xe9"
    pair.server.receive_data(frame(CLOSE, b"\x03\xe9", masked=True), pair.now)
    assert is_closed(pair.server)
