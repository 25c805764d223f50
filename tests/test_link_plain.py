"""Plain HTTP on the port of a WebSocket: requests handed to the owner, and a WebSocket handed to another one."""

from __future__ import annotations

import pytest

from mqttws.errors import ConnectionLost, LocalProtocolError, MqttError
from mqttws.http import Limits, Request
from mqttws.link import Link, Upgrade
from mqttws.session import Closed
from mqttws.websocket import Opened, State
from tests.links import client_link, only_closed, server_link

LIMITS = Limits(body=1000)
POST = b"POST /api/hubs/chat/:send?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
HEAD = b"HEAD /api/health HTTP/1.1\r\nHost: x\r\n\r\n"


def plain_link() -> Link:
    link = server_link(plain=LIMITS)
    link.start(0.0)
    return link


def the_request(link: Link) -> Request:
    (event,) = link.events()
    assert isinstance(event, Request)
    return event


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_a_request_is_handed_out_whole_and_answered(size: int) -> None:
    link = plain_link()
    for start in range(0, len(POST), size):
        link.receive_data(POST[start : start + size], 1.0)
    request = the_request(link)
    assert (request.method, request.path, request.query, request.body) == (
        "POST",
        "/api/hubs/chat/:send",
        "x=1",
        b"hello",
    )
    link.respond(2.0, 202, (("x-a", "b"),), b"ok")
    answer = link.data_to_send(2.0)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert answer.endswith(b"\r\n\r\nok")
    assert not link.closed
    assert link.next_deadline() == 12.0


def test_requests_follow_each_other_on_one_connection_and_the_next_waits_for_its_turn() -> None:
    link = plain_link()
    link.receive_data(POST + HEAD, 1.0)
    assert the_request(link).method == "POST"
    link.respond(1.0, 200)
    assert the_request(link).method == "HEAD"
    link.respond(1.0, 200, (), b"not sent")
    assert b"not sent" not in link.data_to_send(1.0)


def test_a_websocket_may_follow_plain_requests() -> None:
    link = plain_link()
    link.receive_data(HEAD, 1.0)
    the_request(link)
    link.respond(1.0, 200)
    client = client_link()
    client.start(1.0)
    link.receive_data(client.data_to_send(1.0), 1.0)
    (upgrade,) = link.events()
    assert isinstance(upgrade, Upgrade)
    link.accept(1.0)
    assert isinstance(link.events()[0], Opened)


def test_an_upgrade_to_something_else_is_a_plain_request() -> None:
    link = plain_link()
    link.receive_data(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 1.0)
    assert the_request(link).path == "/a"
    link.respond(1.0, 404)
    assert not link.closed
    link.receive_data(HEAD, 1.0)
    assert the_request(link).path == "/api/health"


@pytest.mark.parametrize("lines", [b"Connection: close\r\n", b""])
def test_where_http_ends_with_the_answer_the_link_closes_in_order(lines: bytes) -> None:
    link = plain_link()
    version = b"HTTP/1.1" if lines else b"HTTP/1.0"
    link.receive_data(b"GET / " + version + b"\r\nHost: x\r\n" + lines + b"\r\n", 1.0)
    the_request(link)
    link.respond(1.0, 200, (), b"bye")
    assert link.data_to_send(1.0).endswith(b"bye")
    assert only_closed(link.events()) is None
    assert link.closed


def end_of(link: Link) -> MqttError | None:
    closed = link.events()[-1]
    assert isinstance(closed, Closed)
    return closed.error


def test_an_idle_connection_ends_without_a_word_and_an_unanswered_request_with_503() -> None:
    idle = plain_link()
    idle.receive_data(HEAD, 1.0)
    the_request(idle)
    idle.respond(1.0, 200)
    idle.data_to_send(1.0)
    idle.handle_deadline(11.0)
    assert only_closed(idle.events()) is None
    assert idle.data_to_send(11.0) == b""
    slow = plain_link()
    slow.receive_data(HEAD, 1.0)
    the_request(slow)
    slow.handle_deadline(11.0)
    assert slow.data_to_send(11.0).startswith(b"HTTP/1.1 503 ")
    assert isinstance(end_of(slow), ConnectionLost)
    slow.respond(12.0, 200)
    assert slow.data_to_send(12.0) == b""


def test_the_end_of_the_bytes_is_orderly_between_requests_only() -> None:
    served = plain_link()
    served.receive_data(HEAD, 1.0)
    the_request(served)
    served.respond(1.0, 200)
    served.receive_eof(2.0)
    assert only_closed(served.events()) is None
    asking = plain_link()
    asking.receive_data(HEAD, 1.0)
    the_request(asking)
    asking.receive_eof(2.0)
    assert isinstance(end_of(asking), ConnectionLost)
    asking.respond(2.0, 200)
    assert asking.closed


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + bytes(1001), b"413"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 9000, b"431"),
    ],
)
def test_what_breaks_the_limits_is_refused_before_and_after_good_requests(data: bytes, status: bytes) -> None:
    for before in (b"", HEAD):
        link = plain_link()
        if before:
            link.receive_data(before, 1.0)
            the_request(link)
            link.respond(1.0, 200)
            link.data_to_send(1.0)
        link.receive_data(data, 1.0)
        assert link.data_to_send(1.0).startswith(b"HTTP/1.1 " + status)
        assert end_of(link) is not None


def test_who_floods_an_unanswered_request_is_cut_off() -> None:
    link = plain_link()
    link.receive_data(HEAD, 1.0)
    the_request(link)
    link.receive_data(bytes(LIMITS.head + LIMITS.body + 1), 1.0)
    assert end_of(link) is not None


def test_only_what_waits_can_be_answered_and_only_as_http_allows() -> None:
    link = plain_link()
    with pytest.raises(LocalProtocolError, match="no HTTP request"):
        link.respond(1.0, 200)
    with pytest.raises(LocalProtocolError, match="hand over"):
        link.hand_over()
    link.receive_data(HEAD, 1.0)
    the_request(link)
    with pytest.raises(LocalProtocolError, match="forbids"):
        link.respond(1.0, 200, (("a", "b\r\nc"),))
    with pytest.raises(LocalProtocolError, match="to accept"):
        link.accept(1.0)
    link.respond(1.0, 200)
    assert link.data_to_send(1.0).startswith(b"HTTP/1.1 200 ")


def test_a_plain_request_may_be_rejected_which_ends_the_connection() -> None:
    link = plain_link()
    link.receive_data(HEAD, 1.0)
    the_request(link)
    link.reject(1.0, 403)
    assert link.data_to_send(1.0).startswith(b"HTTP/1.1 403 ")
    assert only_closed(link.events()) is None


def test_without_limits_a_plain_request_is_refused_as_before() -> None:
    link = server_link()
    link.start(0.0)
    link.receive_data(HEAD, 1.0)
    assert link.data_to_send(1.0).startswith(b"HTTP/1.1 400 ")
    assert end_of(link) is not None


def test_a_websocket_is_handed_over_with_its_request_unanswered() -> None:
    link = plain_link()
    client = client_link()
    client.start(1.0)
    link.receive_data(client.data_to_send(1.0), 1.0)
    (upgrade,) = link.events()
    assert isinstance(upgrade, Upgrade)
    websocket = link.hand_over()
    websocket.accept(("mqtt",), text=True)
    client.receive_data(websocket.data_to_send(), 1.0)
    assert isinstance(client.events()[0], Opened)
    assert websocket.state is State.OPEN
    websocket.receive_data(b"\x81\x82\0\0\0\0hi")
    assert websocket.events()[-1] == "hi"
    assert link.closed
