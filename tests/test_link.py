"""A whole wire: the handshake, packets in messages, deadlines; nothing of a token in anything that can be printed."""

from __future__ import annotations

import math
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqttws.codec import ConnAck, Connect, PingReq, Publish, encode
from mqttws.errors import ConnectionLost, HandshakeRefused, LocalProtocolError, RemoteProtocolError, WireTruncated
from mqttws.link import LARGEST_MESSAGE, Link, Opened, Upgrade
from mqttws.session import Closed, Connection, Delivered, KeepAliveExpired, MemoryStore, Session
from mqttws.vocabulary import ProtocolVersion, QoS, Role
from tests.links import VERSIONS, Pair, client_link, end_of, ended, is_closed, only_closed, opened, server_link
from tests.websocket.frames import BINARY, PING, PONG, frame
from tests.websocket.test_fastpath import Make, mixtures
from tests.websocket.test_handshake import answer, request


@VERSIONS
@pytest.mark.parametrize("size", [1, 3, 100, 1 << 20])
@pytest.mark.parametrize("fast_path", [True, False])
def test_messages_travel_both_ways_in_any_portions(version: ProtocolVersion, size: int, fast_path: bool) -> None:
    pair = opened(version, size, fast_path=fast_path)
    for sender, receiver in ((pair.client, pair.server), (pair.server, pair.client)):
        for number in range(10):
            sender.send(Publish("a", b"x" * number, qos=QoS.AT_LEAST_ONCE), pair.now)
        assert sender.bytes_pending > 0
        pair.run()
        events = pair.take(receiver)
        assert [event.payload for event in events if isinstance(event, Publish)] == [b"x" * n for n in range(10)]
        for event in events:
            assert isinstance(event, Publish)
            receiver.acknowledge(event)
        pair.run()
        assert [type(event) for event in pair.take(sender)] == [Delivered] * 10
        assert sender.bytes_pending == 0


def test_the_request_is_an_event_with_everything_that_decides_but_shows_no_token() -> None:
    pair = Pair(client_link(headers=[("Authorization", "Bearer AUTHAUTH")]), server_link())
    pair.run()
    (upgrade,) = pair.take(pair.server)
    assert isinstance(upgrade, Upgrade)
    assert (upgrade.path, upgrade.query) == ("/clients/mqtt/hubs/chat", "access_token=TOKENTOKEN.%2Bsecret")
    assert upgrade.subprotocols == ("mqtt",)
    assert ("authorization", "Bearer AUTHAUTH") in upgrade.headers
    assert "TOKEN" not in repr(upgrade)
    assert "AUTHAUTH" not in repr(upgrade)
    pair.server.accept(pair.now, headers=[("X-Node", "7")])
    assert pair.server.is_open
    pair.run()
    assert pair.take(pair.client) == [Opened((("x-node", "7"),), "mqtt")]
    assert pair.take(pair.server) == [Opened((("x-node", "7"),), "mqtt")]


def test_nothing_leaves_before_start_and_starting_twice_is_our_fault() -> None:
    link = client_link()
    link.send(Connect(client_id="me"), 0.0)
    assert link.data_to_send(0.0) == b""
    assert link.next_deadline() == math.inf
    link.start(0.0)
    with pytest.raises(LocalProtocolError, match="started before"):
        link.start(0.0)
    assert link.data_to_send(0.0).startswith(b"GET /clients/")


def test_connect_waits_for_a_good_answer() -> None:
    link = client_link()
    link.send(Connect(client_id="me"), 0.0)
    link.start(0.0)
    asked = link.data_to_send(0.0)
    assert link.bytes_pending > 0
    assert link.data_to_send(0.0) == b""
    before = link.is_open
    link.receive_data(answer(asked), 1.0)
    assert (before, link.is_open) == (False, True)
    assert link.data_to_send(1.0)[0] == 0x82
    assert link.bytes_pending == 0
    assert link.next_deadline() == 11.0  # CONNACK is awaited since the wire opened


# How packets become messages


def messages(data: bytes) -> list[int]:
    """The payload sizes of unmasked frames."""
    found, position = [], 0
    while position < len(data):
        length, header = data[position + 1], 2
        if length >= 126:
            header = 4 if length == 126 else 10
            length = int.from_bytes(data[position + 2 : position + header], "big")
        found.append(length)
        position += header + length
    return found


def sent(pair: Pair, *payloads: bytes) -> list[int]:
    for payload in payloads:
        pair.server.send(Publish("a", payload), pair.now)
    return messages(pair.server.data_to_send(pair.now))


def test_packets_of_one_flush_share_a_message() -> None:
    size = len(encode(Publish("a", b"x")))
    assert sent(opened(), b"x", b"x", b"x") == [3 * size]


def test_a_message_has_one_packet_where_the_peer_is_weak() -> None:
    size = len(encode(Publish("a", b"x")))
    assert sent(opened(one_packet_per_message=True), b"x", b"x", b"x") == [size] * 3


def test_much_data_is_split_between_packets_and_a_large_packet_stays_whole() -> None:
    half, large = b"x" * (LARGEST_MESSAGE // 2), b"y" * 200_000
    size, large_size = len(encode(Publish("a", half))), len(encode(Publish("a", large)))
    assert sent(opened(), half, b"", half, large, half) == [size + len(encode(Publish("a"))), size, large_size, size]


# The handshake


def asked_server(**options: object) -> Link:
    """A server's link with a request that waits."""
    link = server_link(**options)
    link.start(0.0)
    link.receive_data(request(), 0.0)
    (upgrade,) = link.events()
    assert isinstance(upgrade, Upgrade)
    return link


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 503])
def test_a_rejected_client_has_status_headers_and_body(status: int) -> None:
    pair = Pair(client_link(), server_link(), size=5)
    pair.client.send(Connect(client_id="me"), pair.now)
    pair.run()
    pair.take(pair.server)
    pair.server.reject(pair.now, status, [("Retry-After", "7")], b"because")
    assert only_closed(pair.take(pair.server)) is None
    assert not is_closed(pair.server)
    pair.run()
    refused = only_closed(pair.take(pair.client))
    assert isinstance(refused, HandshakeRefused)
    assert (refused.status, refused.body) == (status, b"because")
    assert ("retry-after", "7") in refused.headers
    assert is_closed(pair.client)
    assert is_closed(pair.server)
    assert pair.client.data_to_send(pair.now) == b""
    with pytest.raises(LocalProtocolError):
        pair.client.send(PingReq(), pair.now)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Sec_WebSocket_Accept": "AAAA"}, "Bad accept token"),
        ({"Upgrade": None}, "Upgrade: websocket"),
        ({"Sec_WebSocket_Protocol": None}, "no subprotocol"),
        ({"Sec_WebSocket_Protocol": "mqttv3.1"}, "mqttv3.1"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_no_mqtt_is_sent(
    changes: dict[str, str | None], reason: str
) -> None:
    link = client_link()
    link.send(Connect(client_id="me"), 0.0)
    link.start(0.0)
    link.receive_data(answer(link.data_to_send(0.0), **changes), 0.0)
    refused = only_closed(link.events())
    assert isinstance(refused, HandshakeRefused)
    assert refused.status == 101
    assert reason in str(refused)
    assert link.data_to_send(0.0) == b""
    assert is_closed(link)


def test_a_client_without_the_subprotocol_is_for_the_owner_to_judge() -> None:
    link = server_link()
    link.start(0.0)
    link.receive_data(request(Sec_WebSocket_Protocol="chat"), 0.0)
    (upgrade,) = link.events()
    assert isinstance(upgrade, Upgrade)
    assert upgrade.subprotocols == ("chat",)
    link.accept(0.0)
    assert link.events() == [Opened((), None)]
    assert b"Sec-WebSocket-Protocol" not in link.data_to_send(0.0)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", 400),
        (request(Content_Length="5") + b"hello", 400),
        (request(Sec_WebSocket_Version="8"), 426),
        (request(X="a" * 65536), 431),
        (b"GET /" + b"a" * 2**20, 414),
    ],
)
def test_what_asks_for_no_websocket_is_answered_and_read_on_for_a_while(data: bytes, status: int) -> None:
    link = server_link()
    link.start(0.0)
    link.receive_data(data, 1.0)
    error = only_closed(link.events())
    assert isinstance(error, RemoteProtocolError)
    assert "RFC 6455, 4.2.1" in str(error)
    assert link.data_to_send(1.0).startswith(f"HTTP/1.1 {status} ".encode())
    assert not is_closed(link)  # closing with unread bytes would reset the wire and destroy the answer
    assert link.next_deadline() == 2.0
    link.receive_data(b"more of it", 1.5)
    link.reject(1.5, 403)  # too late, and harmless
    link.handle_deadline(2.0)
    assert is_closed(link)
    assert link.events() == []


def test_too_many_bytes_before_the_answer_are_a_bad_request() -> None:
    link = asked_server()
    link.receive_data(b"x" * 100_000, 1.0)
    assert isinstance(only_closed(link.events()), RemoteProtocolError)
    link.accept(1.0)
    assert link.data_to_send(1.0).startswith(b"HTTP/1.1 400 ")
    link.receive_eof(1.0)
    assert is_closed(link)


def test_connect_may_ride_right_behind_a_request() -> None:
    link = server_link()
    link.start(0.0)
    link.receive_data(request() + frame(BINARY, encode(Connect(client_id="me")), masked=True), 0.0)
    assert isinstance(link.events()[0], Upgrade)
    link.accept(0.0)
    assert [type(event) for event in link.events()] == [Opened, Connect]


def test_an_answer_that_is_no_http_is_the_servers_fault() -> None:
    link = client_link()
    link.start(0.0)
    link.data_to_send(0.0)
    link.receive_data(b"SSH-2.0-OpenSSH_9\r\n\r\n", 0.0)
    error = only_closed(link.events())
    assert isinstance(error, RemoteProtocolError)
    assert "no HTTP" in str(error)
    assert is_closed(link)


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 1"])
def test_a_server_that_leaves_before_its_answer_is_lost(data: bytes) -> None:
    link = client_link()
    link.start(0.0)
    link.data_to_send(0.0)
    link.receive_data(data, 0.0)
    link.receive_eof(0.0)
    assert isinstance(only_closed(link.events()), WireTruncated)
    assert is_closed(link)


def test_a_refusal_may_end_with_the_connection() -> None:
    link = client_link()
    link.start(0.0)
    link.receive_data(b"HTTP/1.1 503 \r\nContent-Length: 99\r\n\r\nbusy", 0.0)
    assert link.events() == []
    link.receive_eof(0.0)
    refused = only_closed(link.events())
    assert isinstance(refused, HandshakeRefused)
    assert (refused.status, refused.body) == (503, b"busy")


def test_a_client_that_leaves_before_its_answer_is_lost_and_answering_is_harmless() -> None:
    link = asked_server()
    link.receive_eof(0.0)
    assert isinstance(only_closed(link.events()), ConnectionLost)
    link.accept(0.0)
    link.reject(0.0, 401)
    assert link.events() == []
    assert link.data_to_send(0.0) == b""
    assert is_closed(link)


def test_only_a_request_that_waits_can_be_answered() -> None:
    waiting = server_link()
    waiting.start(0.0)
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        waiting.reject(0.0, 401)
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        waiting.accept(0.0)
    link = asked_server()
    with pytest.raises(LocalProtocolError):
        link.reject(0.0, 401, [("X", "a\nb")])
    link.accept(0.0)
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        link.reject(0.0, 401)


# Deadlines


def test_a_request_that_trickles_in_is_given_up() -> None:
    link = server_link(handshake_timeout=10.0)
    link.start(0.0)
    for second in range(10):
        link.receive_data(request()[second : second + 1], float(second))
        link.handle_deadline(float(second))
    assert link.next_deadline() == 10.0
    link.handle_deadline(10.0)
    error = only_closed(link.events())
    assert isinstance(error, ConnectionLost)
    assert str(error) == "the WebSocket request did not come within 10 seconds"
    assert link.data_to_send(10.0).startswith(b"HTTP/1.1 408 ")
    assert is_closed(link)


def test_an_owner_that_does_not_answer_costs_the_client_a_503() -> None:
    link = asked_server(handshake_timeout=3.0)
    link.handle_deadline(3.0)
    assert "was not answered within 3 seconds" in str(only_closed(link.events()))
    assert link.data_to_send(3.0).startswith(b"HTTP/1.1 503 ")
    link.accept(4.0)
    assert link.events() == []


def test_a_server_that_does_not_answer_is_given_up() -> None:
    for data, error_type in (
        (b"", ConnectionLost),
        (b"HTTP/1.1 401 \r\nContent-Length: 9\r\n\r\nno", HandshakeRefused),
    ):
        link = client_link(handshake_timeout=4.0)
        link.start(1.0)
        link.data_to_send(1.0)
        link.receive_data(data, 2.0)
        assert link.next_deadline() == 5.0
        link.handle_deadline(5.0)
        error = only_closed(link.events())
        assert isinstance(error, error_type)
        assert isinstance(error, HandshakeRefused) or "was not answered within 4 seconds" in str(error)
        assert is_closed(link)


def test_a_request_that_nobody_takes_is_not_waited_for() -> None:
    link = client_link()
    link.start(0.0)
    link.handle_deadline(10.0)
    assert isinstance(only_closed(link.events()), ConnectionLost)
    assert is_closed(link)


def test_connect_is_awaited_ten_seconds_from_the_answer() -> None:
    link = asked_server()
    link.accept(5.0)
    assert link.events() == [Opened((), "mqtt")]
    assert link.next_deadline() == 15.0
    link.handle_deadline(15.0)
    assert "no CONNECT within 10 seconds" in str(only_closed(link.events()))
    assert link.data_to_send(15.0).endswith(b"\x88\x02\x03\xe8")


def test_while_open_the_deadline_is_that_of_keep_alive() -> None:
    pair = opened(keep_alive=60)
    due = pair.client.next_deadline()
    assert due == pair.client.connection.next_deadline() <= pair.now + 60
    pair.client.handle_deadline(due)
    assert pair.client.data_to_send(due)[0] == 0x82  # PINGREQ
    silent = pair.server.next_deadline()
    assert silent == pair.now + 90
    pair.server.handle_deadline(silent)
    expired, closed = pair.server.events()
    assert isinstance(expired, KeepAliveExpired)
    assert isinstance(closed, Closed)
    assert pair.server.next_deadline() == silent + 1.0


# Pings, journals, leaving early


def test_pings_are_answered_once_and_pongs_are_nothing_to_mqtt() -> None:
    pair = opened()
    flood = b"".join(frame(PING, str(number).encode(), masked=True) for number in range(3000))
    pair.server.receive_data(flood + frame(PONG, b"x", masked=True), pair.now)
    assert pair.server.events() == []
    assert pair.server.data_to_send(pair.now) == frame(PONG, b"2999", masked=False)


def test_empty_messages_are_no_sign_of_life() -> None:
    pair = opened(keep_alive=60)
    silent = pair.server.next_deadline()
    pair.server.receive_data(frame(BINARY, masked=True) * 3, pair.now + 50)
    assert pair.server.next_deadline() == silent


def test_bytes_wait_for_the_journal_of_a_durable_session() -> None:
    pair = Pair(client_link(), server_link())
    pair.client.send(Connect(client_id="me", clean_start=True, properties={"session_expiry_interval": 9}), pair.now)
    pair.run()
    pair.server.accept(pair.now)
    pair.run()
    store, session = MemoryStore(), Session(durable=True)
    pair.server.connection.attach(session)
    pair.server.send(ConnAck(), pair.now)
    store.commit(pair.server.changes())
    pair.server.committed()
    pair.run()
    pair.server.send(Publish("a", b"kept", qos=QoS.AT_LEAST_ONCE), pair.now)
    assert pair.server.data_to_send(pair.now) == b""
    assert pair.server.bytes_pending > 0
    pair.server.close(pair.now)
    assert pair.server.data_to_send(pair.now) == b""  # neither the PUBLISH nor a Close frame before it
    store.commit(pair.server.changes())
    pair.server.committed()
    data = pair.server.data_to_send(pair.now)
    assert b"kept" in data
    assert data.endswith(b"\x88\x02\x03\xe8")


def test_the_connection_inside_may_be_used_directly() -> None:
    pair = opened()
    pair.client.connection.close(pair.now)
    assert not pair.client.is_open
    assert only_closed(pair.client.events()) is None
    pair.run()
    assert ended(pair.take(pair.server)) is None
    assert is_closed(pair.server)


def test_leaving_before_the_handshake_is_over_just_ends() -> None:
    idle, started = client_link(), client_link()
    started.start(0.0)
    for link in (idle, started):
        link.send(Connect(client_id="me"), 0.0)
        link.close(0.0)
        assert only_closed(link.events()) is None
        assert is_closed(link)
        assert link.bytes_pending == 0
        assert link.data_to_send(0.0) == b""
    silent, asked = server_link(), asked_server()
    silent.start(0.0)
    for link, first in ((silent, b""), (asked, b"HTTP/1.1 503 ")):
        link.close(0.0)
        assert only_closed(link.events()) is None
        assert link.data_to_send(0.0)[:13] == first
        assert is_closed(link)
    aborted = asked_server()
    aborted.abort(0.0)
    assert isinstance(only_closed(aborted.events()), ConnectionLost)
    assert aborted.data_to_send(0.0).startswith(b"HTTP/1.1 503 ")


# Secrets


def test_what_an_answer_repeats_of_the_token_is_starred_out() -> None:
    echo = "you asked for TOKENTOKEN.%2Bsecret = TOKENTOKEN.+secret with Bearer AUTHAUTH"
    link = client_link(headers=[("Authorization", "Bearer AUTHAUTH"), ("Accept", "everything")])
    link.start(0.0)
    link.data_to_send(0.0)
    head = (
        f"HTTP/1.1 302 \r\nLocation: wss://y/?access_token=TOKENTOKEN.%2Bsecret\r\nContent-Length: {len(echo)}\r\n\r\n"
    )
    link.receive_data((head + echo).encode(), 0.0)
    error = only_closed(link.events())
    assert isinstance(error, HandshakeRefused)
    printed = f"{error} {error!r} {error.headers} {error.body!r} {''.join(traceback.format_exception(error))}"
    assert "TOKEN" not in printed
    assert "AUTH" not in printed
    assert error.body == b"you asked for [redacted] = [redacted] with [redacted]"
    assert ("location", "wss://y/?access_token=[redacted]") in error.headers


def test_a_close_reason_that_repeats_the_token_is_starred_out() -> None:
    pair = opened()
    data = frame(8, b"\x0f\xa0bad TOKENTOKEN.%2Bsecret", masked=False)
    pair.client.receive_data(data, pair.now)
    assert (
        str(only_closed(pair.client.events()))
        == "the server has closed the WebSocket: bad [redacted] (WebSocket close code 4000)"
    )


def test_short_values_are_not_hunted_for() -> None:
    link = client_link(target="/?access_token=a", headers=[("Cookie", "b")])
    link.start(0.0)
    link.receive_data(b"HTTP/1.1 404 \r\nContent-Length: 7\r\n\r\na bad b", 0.0)
    error = only_closed(link.events())
    assert isinstance(error, HandshakeRefused)
    assert error.body == b"a bad b"


@pytest.mark.parametrize(
    "options", [{"target": "/a b?access_token=TOKEN"}, {"headers": [("Authorization", "TOKEN\n")]}, {"host": "TOKEN\n"}]
)
def test_what_cannot_be_sent_is_not_shown(options: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        client_link(**options)
    assert "TOKEN" not in "".join(traceback.format_exception(caught.value))


# Any bytes at all


@given(st.binary(max_size=120), st.integers(1, 30), st.sampled_from(["request", "open", "connected"]))
def test_any_bytes_lead_to_the_same_end_in_any_portions(data: bytes, size: int, stage: str) -> None:
    def outcome(size: int) -> str:
        link = Link.server(Connection(Role.SERVER))
        link.start(0.0)
        if stage != "request":
            link.receive_data(request(), 0.0)
            link.accept(0.0)
        if stage == "connected":
            link.receive_data(frame(BINARY, encode(Connect(client_id="me")), masked=True), 0.0)
            link.connection.attach(Session())
            link.send(ConnAck(), 0.0)
        for start in range(0, len(data), size):
            link.receive_data(data[start : start + size], 0.0)
        link.receive_eof(0.0)
        return repr(link.events())

    assert outcome(size) == outcome(1000)


@settings(max_examples=40)
@given(mixtures, st.integers(1, 400), st.booleans())
def test_any_frames_lead_to_one_closed_in_any_portions(mixture: list[Make], size: int, client: bool) -> None:
    def outcome(size: int) -> str:
        pair = opened()
        ours, _ = end_of(pair, client)
        data = b"".join(make(not client) for make in mixture)
        size = max(size, len(data) // 100)
        for start in range(0, len(data), size):
            ours.receive_data(data[start : start + size], pair.now)
        ours.receive_eof(pair.now)
        events = ours.events()
        ended(events)
        return repr(events)

    assert outcome(size) == outcome(1 << 20)


@given(st.binary(max_size=60), st.integers(1, 30))
def test_any_payload_leads_to_the_same_end_in_any_frames(data: bytes, size: int) -> None:
    def outcome(size: int) -> str:
        pair = opened()
        for start in range(0, len(data), size):
            pair.server.receive_data(frame(BINARY, data[start : start + size], masked=True), pair.now)
        pair.server.receive_eof(pair.now)
        return repr(pair.server.events())

    assert outcome(size) == outcome(1000)
