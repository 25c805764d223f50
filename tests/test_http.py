"""HTTP heads and bounded bodies: what is read, what is refused, and that chunks and secrets change nothing."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.errors import LocalProtocolError
from mqttws.http import BadMessage, HttpClient, HttpServer, Limits, Request, Response, bearer, header, shown

GET = b"GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nX-Two: 2\r\n\r\n"


def read_request(data: bytes, sizes: list[int] | None = None, limits: Limits | None = None) -> Request | str | None:
    """The request, or the text and status of the fault, that these bytes give when they come in such portions."""
    server = HttpServer(limits)
    for chunk in cut(data, sizes or [len(data)]):
        server.receive_data(chunk)
        try:
            request = server.next_request()
        except BadMessage as fault:
            return f"{fault.status} {fault.message}"
        if request is not None:
            return request
    return None


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    """The bytes in portions of these sizes, used in turn."""
    chunks: list[bytes] = []
    position = 0
    for size in itertools.cycle(sizes):
        if position >= len(data):
            return chunks
        chunks.append(data[position : position + size])
        position += size
    return chunks


def test_a_request_is_read_with_its_target_and_headers() -> None:
    request = read_request(GET)
    assert isinstance(request, Request)
    assert (request.method, request.path, request.query, request.version) == ("GET", "/a", "b=c", "1.1")
    assert request.headers == (("host", "x"), ("x-two", "1"), ("x-two", "2"))
    assert header(request.headers, "x-two") == "1, 2"
    assert header(request.headers, "x-three") is None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/a%20b?x=?", "/a%20b", "x=?"),
        ("http://host:80/a?b", "/a", "b"),
        ("http://host", "/", ""),
        ("*", "*", ""),
        ("/x?u=http://y/z", "/x", "u=http://y/z"),
    ],
)
def test_the_target_is_split_in_origin_and_in_absolute_form(target: str, path: str, query: str) -> None:
    request = Request("GET", target)
    assert (request.path, request.query) == (path, query)


def test_a_body_is_read_by_length_and_in_chunks() -> None:
    counted = read_request(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
    chunked = read_request(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", [1]
    )
    assert isinstance(counted, Request)
    assert isinstance(chunked, Request)
    assert counted.body == chunked.body == b"hello"


LIMITS = Limits(head=200, line=80, headers=4, body=10)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        pytest.param(b"\x16\x03\x01\x02\x00", "400 byte 0x16 begins no HTTP message", id="tls hello"),
        pytest.param(b"\x10\x0c\x00\x04MQTT", "400 byte 0x10 begins no HTTP message", id="mqtt over tcp"),
        pytest.param(b"\x7fELF", "400 byte 0x7F begins no HTTP message", id="no letter"),
        pytest.param(b"\r\nGET / HTTP/1.1\r\n", "400 byte 0x0D begins no HTTP message", id="empty line first"),
        pytest.param(b"GET /" + b"a" * 100, "414 the first line is longer than 80 bytes", id="endless line"),
        pytest.param(b"hello\r\n\r\n", "400 illegal request line", id="no request"),
        pytest.param(
            b"GET / HTTP/1.1\r\nx: " + b"a" * 100, "431 a header is longer than 80 bytes", id="endless header"
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\n" + (b"x: " + b"a" * 60 + b"\r\n") * 4,
            "431 the head is longer than 200 bytes",
            id="long",
        ),
        pytest.param(b"GET / HTTP/1.1\r\n" + b"a:b\r\n" * 5, "431 there are more than 4 headers", id="many"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "400 Missing mandatory Host: header", id="no host"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\na b: c\r\n\r\n", "400 illegal header line", id="bad name"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n" + b"a" * 11,
            "413 the body is longer than 10 bytes",
            id="body",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
            "501 Only Transfer-Encoding: chunked is supported",
            id="coding",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "400 illegal chunk header",
            id="chunk",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\n",
            "400 a request for a WebSocket has no body",
            id="upgrade with length",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: a, WebSocket\r\nTransfer-Encoding: chunked\r\n\r\n",
            "400 a request for a WebSocket has no body",
            id="upgrade with chunks",
        ),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_is_no_request_is_refused_alike_in_any_portions(data: bytes, answer: str, size: int) -> None:
    assert read_request(data, [size], LIMITS) == answer


def test_exactly_the_limits_are_allowed() -> None:
    line = b"GET /" + b"a" * (80 - 15) + b" HTTP/1.1\r"
    assert len(line) == 80
    head = line + b"\nHost: x\r\na: b\r\nc: " + b"d" * 40 + b"\r\ne: " + b"f" * 50 + b"\r\n\r\n"
    head = head.replace(b"f\r", b"f" * (201 - len(head)) + b"\r")
    assert len(head) == 200
    request = read_request(head, [1], LIMITS)
    assert isinstance(request, Request)
    assert len(request.headers) == 4
    assert isinstance(read_request(head.replace(b"\r\n", b"\n"), [3], LIMITS), Request)


def test_a_fault_is_raised_again_and_holds_no_bytes() -> None:
    server = HttpServer(LIMITS)
    server.receive_data(b"GET /?access_token=SECRETSECRET bad\r\n\r\n")
    for _ in range(2):
        with pytest.raises(BadMessage) as caught:
            server.next_request()
        assert "SECRET" not in str(caught.value)
        assert "SECRET" not in repr(caught.value)
    assert server.trailing == b""


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_any_portions_give_the_same_request(sizes: list[int]) -> None:
    data = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\nB: c\r\n\r\n" + b"d" * 30
    assert read_request(data, sizes) == read_request(data)


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_any_bytes_give_a_request_or_a_bad_message_in_any_portions(data: bytes, sizes: list[int]) -> None:
    assert read_request(data, sizes, LIMITS) == read_request(data, None, LIMITS)


def test_requests_on_one_connection_follow_one_another() -> None:
    server = HttpServer()
    server.receive_data(GET + GET.replace(b"/a", b"/z"))
    first = server.next_request()
    assert first is not None
    assert server.next_request() is None  # the first has no answer yet
    assert b"HTTP/1.1 200 OK\r\n" in server.send(Response(200, body=b"yes"))
    assert not server.must_close
    second = server.next_request()
    assert second is not None
    assert (first.path, second.path) == ("/a", "/z")


def test_a_flood_of_requests_before_the_first_answer_is_refused() -> None:
    server = HttpServer(LIMITS)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert server.next_request() is not None
    server.receive_data(b"x" * 211)
    with pytest.raises(BadMessage, match="before the request was answered"):
        server.next_request()


def test_a_client_that_leaves_inside_a_request_is_told_apart_from_one_that_leaves_between() -> None:
    between, inside = HttpServer(), HttpServer()
    between.receive_eof()
    assert between.next_request() is None
    inside.receive_data(b"GET / HT")
    assert inside.next_request() is None
    inside.receive_eof()
    with pytest.raises(BadMessage, match="unexpectedly closed"):
        inside.next_request()


def test_an_answer_says_its_length_and_type_and_whether_it_is_the_last() -> None:
    server = HttpServer()
    server.receive_data(GET)
    server.next_request()
    data = server.send(Response(404, (("X-A", "b"), ("content-length", "999")), b"gone"), close=True)
    head, body = data.split(b"\r\n\r\n")
    assert head.splitlines()[0] == b"HTTP/1.1 404 Not Found"
    assert {b"X-A: b", b"Content-Length: 4", b"Content-Type: text/plain; charset=utf-8"} <= set(head.splitlines())
    assert b"connection: close" in head.lower()
    assert body == b"gone"
    assert server.must_close


def test_answers_to_head_and_without_content_have_no_body() -> None:
    server = HttpServer()
    server.receive_data(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    server.next_request()
    data = server.send(Response(200, (("Content-Type", "a/b"),), b"body"))
    assert data.endswith(b"\r\n\r\n")
    assert b"Content-Length: 4\r\n" in data
    server.receive_data(GET)
    server.next_request()
    assert b"Content-Length" not in server.send(Response(204))
    server.receive_data(GET)
    server.next_request()
    empty = server.send(Response(401))
    assert b"Content-Length: 0\r\n" in empty
    assert b"Content-Type" not in empty


def test_a_refusal_before_the_request_is_whole_ends_the_connection() -> None:
    server = HttpServer()
    server.receive_data(b"GET / HT")
    assert server.next_request() is None
    assert server.send(Response(408)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert server.must_close


@pytest.mark.parametrize(
    "response",
    [
        Response(200, (("X", "a\r\nSet-Cookie: secret"),)),
        Response(200, (("X y", "secret"),)),
        Response(200, (("X", "\N{EURO SIGN}secret"),)),
        Response(99),
    ],
)
def test_an_answer_that_http_forbids_is_our_own_fault_and_is_not_sent(response: Response) -> None:
    server = HttpServer()
    server.receive_data(GET)
    server.next_request()
    with pytest.raises(LocalProtocolError) as caught:
        server.send(response)
    assert "secret" not in str(caught.value)
    assert server.send(Response(599)).startswith(b"HTTP/1.1 599 \r\n")


# The client's end


def answered(data: bytes, sizes: list[int] | None = None, *, method: str = "GET", eof: bool = False) -> Response | None:
    """What a client makes of these bytes."""
    client = HttpClient(LIMITS)
    client.send(Request(method, "/", (("Host", "x"),)))
    response = None
    for chunk in cut(data, sizes or [len(data) or 1]):
        client.receive_data(chunk)
        response = response or client.next_response()
    if eof and response is None:
        client.receive_eof()
        response = client.next_response() or client.next_response()
    return response


def test_a_request_goes_out_and_its_answer_comes_in() -> None:
    client, server = HttpClient(), HttpServer()
    for number in range(2):
        server.receive_data(client.send(Request("POST", f"/{number}", (("Host", "x"),), b"ping")))
        request = server.next_request()
        assert request is not None
        assert (request.path, request.body) == (f"/{number}", b"ping")
        assert client.next_response() is None
        client.receive_data(server.send(Response(201, (("A", "b"),), b"pong")))
        response = client.next_response()
        assert response is not None
        assert (response.status, response.reason, response.body) == (201, "Created", b"pong")
        assert not response.truncated
        assert client.next_response() is None
        assert ("a", "b") in response.headers


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_interim_answers_are_passed_over(size: int) -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\na: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    response = answered(data, [size])
    assert response is not None
    assert (response.status, response.body) == (200, b"hi")


def test_a_client_that_has_asked_nothing_reads_no_answer() -> None:
    client = HttpClient()
    client.receive_data(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert client.next_response() is None
    assert client.partial is None


def test_a_long_body_is_cut_at_the_limit() -> None:
    response = answered(b"HTTP/1.1 403 No\r\nContent-Length: 1000\r\n\r\n" + b"a" * 300)
    assert response is not None
    assert (response.status, response.reason, response.body, response.truncated) == (403, "No", b"a" * 10, True)


def test_a_body_may_end_with_the_connection_in_order_or_too_early() -> None:
    whole = answered(b"HTTP/1.1 503 Busy\r\n\r\nlater", eof=True)
    cut_short = answered(b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\nlate", eof=True)
    assert whole is not None
    assert cut_short is not None
    assert (whole.body, whole.truncated) == (b"later", False)
    assert (cut_short.body, cut_short.truncated) == (b"late", True)


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", True),
        (b"HTTP/1.1 204 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi and more", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + b"x" * 11, False),
    ],
)
def test_a_connection_is_good_for_another_request_or_not(data: bytes, reusable: bool) -> None:
    client = HttpClient(LIMITS)
    assert not client.reusable
    client.send(Request("GET", "/", (("Host", "x"),)))
    assert not client.reusable
    client.receive_data(data)
    assert client.next_response() is not None
    assert client.reusable is reusable
    client.receive_eof()
    assert not client.reusable


def test_what_has_arrived_of_an_answer_can_be_had() -> None:
    client = HttpClient()
    client.send(Request("GET", "/", (("Host", "x"),)))
    assert client.partial is None
    client.receive_data(b"HTTP/1.1 401 \r\nContent-Length: 9\r\n\r\nno")
    assert client.next_response() is None
    assert client.partial == Response(401, (("content-length", "9"),), b"no", "", True)


def test_what_follows_a_switch_of_protocols_is_left_alone() -> None:
    client = HttpClient()
    client.expect_upgrade()
    client.receive_data(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x82\x00")
    response = client.next_response()
    assert response is not None
    assert response.status == 101
    assert client.trailing == b"\x82\x00"


def test_an_upgrade_that_nobody_asked_for_is_no_answer() -> None:
    with pytest.raises(BadMessage):
        answered(b"HTTP/1.1 101 x\r\n\r\n")


@pytest.mark.parametrize(
    "data", [b"\x00", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 9, b"HTTP/1.1 " + b"a" * 100]
)
def test_what_is_no_answer_is_refused_again_and_again(data: bytes) -> None:
    client = HttpClient(LIMITS)
    client.send(Request("GET", "/", (("Host", "x"),)))
    client.receive_data(data)
    for _ in range(2):
        with pytest.raises(BadMessage):
            client.next_response()


@given(st.binary(max_size=100), st.lists(st.integers(1, 20), min_size=1, max_size=4))
def test_any_bytes_give_an_answer_or_a_bad_message(data: bytes, sizes: list[int]) -> None:
    def outcome(sizes: list[int]) -> str:
        try:
            return repr(answered(b"HTTP/1.1 2" + data, sizes))
        except BadMessage as fault:
            return str(fault)

    assert outcome(sizes) == outcome([1000])


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/a b?access_token=secret", (("Host", "x"),)),
        Request("GET", "/", (("Host", "x"), ("Authorization", "secret\n"))),
        Request("GET", "/", (("Host", "\N{EURO SIGN}secret"),)),
        Request("GET", "/", ()),
    ],
)
def test_a_request_that_http_forbids_is_our_own_fault(request_: Request) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        HttpClient().send(request_)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([("Host", "x"), ("Authorization", "Bearer a.b.c")], "a.b.c"),
        ([("authorization", "bEARER  a.b.c ")], "a.b.c"),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], "a, Bearer b"),  # which is no token at all
        ([("authorization", "Bearer")], None),
        ([("authorization", "Basic a.b.c")], None),
        ([], None),
    ],
)
def test_a_bearer_token_is_what_follows_its_scheme(headers: list[tuple[str, str]], token: str | None) -> None:
    assert bearer(headers) == token


def test_no_repr_shows_a_secret() -> None:
    headers = (("authorization", "Bearer secret"), ("referer", "/?access_token=secret"), ("host", "x"))
    request = Request("GET", "/hub?access_token=secret", headers, b"secret")
    response = Response(302, (("Set-Cookie", "secret"), ("location", "/a?access_token=secret")), b"secret", "Found")
    assert repr(request) == (
        "Request(GET /hub?[redacted], (('authorization', '[redacted]'), ('referer', '/?access_token=[redacted]'), "
        "('host', 'x')), 6 bytes)"
    )
    assert "secret" not in repr(response)
    assert "Found" in repr(response)
    assert shown(headers)[2] == ("host", "x")
    assert repr(Request("GET", "/")) == "Request(GET /, (), 0 bytes)"
