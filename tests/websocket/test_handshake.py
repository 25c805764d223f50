"""The opening handshake: what each end asks for, and what it takes for an answer."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.errors import LocalProtocolError
from mqttws.websocket import BadRequest, Event, Failed, Lost, Opened, Refused, State, Upgrade, WebSocket
from tests.test_http import cut
from tests.websocket.frames import merged

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUEST = {
    "Host": "example.com",
    "Upgrade": "websocket",
    "Connection": "keep-alive, Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Protocol": "chat, mqtt",
}


def client(**changes: object) -> WebSocket:
    arguments: dict[str, object] = {"host": "example.com:8080", "target": "/hub?x=1", "subprotocols": ("mqtt",)}
    return WebSocket.client(**(arguments | changes))  # type: ignore[arg-type]  # a test passes what it means


def request(line: str = "GET /hub?x=1 HTTP/1.1", **changes: str | None) -> bytes:
    """An upgrade request; keyword ``Sec_WebSocket_Key=None`` leaves that header out."""
    headers: dict[str, str | None] = dict(REQUEST)
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [line, *(f"{name}: {value}" for name, value in headers.items() if value is not None)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def accept_value(asked: bytes) -> str:
    """What RFC 6455, 4.2.2 makes of the key in a request."""
    key = next(line.split(b": ")[1] for line in asked.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key"))
    return base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()).decode()


def answer(asked: bytes, **changes: str | None) -> bytes:
    """The answer that suits a request, with changes."""
    headers: dict[str, str | None] = {
        "Upgrade": "WebSocket",
        "Connection": "upgrade",
        "Sec-WebSocket-Accept": accept_value(asked),
        "Sec-WebSocket-Protocol": "mqtt",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [
        "HTTP/1.1 101 Switching Protocols",
        *(f"{name}: {value}" for name, value in headers.items() if value is not None),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def fed(websocket: WebSocket, data: bytes, sizes: list[int] | None = None) -> list[Event]:
    """What comes of these bytes, in such portions."""
    for chunk in cut(data, sizes or [len(data)]):
        websocket.receive_data(chunk)
    return merged(websocket.events())


# The client's end


def test_the_request_offers_the_subprotocol_and_no_extension() -> None:
    data = client(headers=[("Authorization", "Bearer x")]).data_to_send()
    lines = data.split(b"\r\n")
    assert lines[0] == b"GET /hub?x=1 HTTP/1.1"
    assert {
        b"Host: example.com:8080",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Version: 13",
        b"Sec-WebSocket-Protocol: mqtt",
        b"Authorization: Bearer x",
    } <= set(lines)
    assert b"extensions" not in data.lower()
    assert client().data_to_send() != client().data_to_send()  # a key of its own each time


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_a_fitting_answer_opens_and_frames_behind_it_are_read(size: int) -> None:
    ours = client()
    data = answer(ours.data_to_send(), X_Other="hi") + b"\x82\x02ab"
    assert fed(ours, data, [size]) == [Opened((("x-other", "hi"),), "mqtt"), b"ab"]
    assert ours.state is State.OPEN


def test_connection_may_stand_in_several_headers() -> None:
    ours = client()
    data = answer(ours.data_to_send()).replace(b"Upgrade: WebSocket\r\n", b"Upgrade: websocket\r\nConnection: x\r\n")
    assert isinstance(fed(ours, data)[0], Opened)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Sec_WebSocket_Accept": "AAAAAAAAAAAAAAAAAAAAAAAAAAA="}, "Bad accept token"),
        ({"Sec_WebSocket_Accept": None}, "Bad accept token"),
        ({"Upgrade": None}, "Upgrade: websocket"),
        ({"Upgrade": "h2c"}, "Upgrade: websocket"),
        ({"Connection": None}, "Connection: Upgrade"),
        ({"Connection": "close"}, "Connection: Upgrade"),
        ({"Connection": "upgr\xe4de"}, "not ASCII"),
        ({"Sec_WebSocket_Protocol": None}, "no subprotocol, 'mqtt' was offered"),
        ({"Sec_WebSocket_Protocol": ""}, "no subprotocol, 'mqtt' was offered"),
        ({"Sec_WebSocket_Protocol": "MQTT"}, "subprotocol 'MQTT', 'mqtt' was offered"),
        ({"Sec_WebSocket_Protocol": "mqttv3.1"}, "subprotocol 'mqttv3.1', 'mqtt' was offered"),
        ({"Sec_WebSocket_Protocol": "mqtt, chat"}, "subprotocol 'mqtt, chat', 'mqtt' was offered"),
        ({"Sec_WebSocket_Extensions": "permessage-deflate"}, "unrecognized extension permessage-deflate"),
        ({"SEC_WEBSOCKET_PROTOCOL": "mqtt"}, "header sec-websocket-protocol came twice"),
        ({"SEC_WEBSOCKET_ACCEPT": "x"}, "header sec-websocket-accept came twice"),
        ({"UPGRADE": "websocket"}, "header upgrade came twice"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_a_reason(changes: dict[str, str | None], reason: str) -> None:
    ours = client()
    (refused,) = fed(ours, answer(ours.data_to_send(), **changes) + b"\x82\x00")
    assert isinstance(refused, Refused)
    assert refused.status == 101
    assert reason in refused.reason
    assert ours.state is State.CLOSED
    assert ours.data_to_send() == b""


def test_without_a_subprotocol_offered_none_is_expected() -> None:
    ours = client(subprotocols=())
    asked = ours.data_to_send()
    assert b"sec-websocket-protocol" not in asked.lower()
    assert fed(ours, answer(asked, Sec_WebSocket_Protocol=None)) == [Opened((), None)]
    other = client(subprotocols=())
    (refused,) = fed(other, answer(other.data_to_send()))
    assert isinstance(refused, Refused)


@pytest.mark.parametrize("size", [1, 9, 1000])
@pytest.mark.parametrize("status", ["401 Unauthorized", "403 No", "404 x", "429 x", "503 Busy", "302 Found", "200 OK"])
def test_any_other_status_is_a_refusal_with_headers_and_body(status: str, size: int) -> None:
    ours = client()
    ours.data_to_send()
    data = f"HTTP/1.1 100 \r\n\r\nHTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nwhy?more"
    (refused,) = fed(ours, data.encode(), [size])
    assert refused == Refused(int(status[:3]), (("retry-after", "7"), ("content-length", "4")), b"why?")


def test_the_body_of_a_refusal_is_bounded() -> None:
    ours = client()
    ours.data_to_send()
    (refused,) = fed(ours, b"HTTP/1.1 500 \r\nContent-Length: 999999\r\n\r\n" + b"a" * 100_000)
    assert isinstance(refused, Refused)
    assert refused.body == b"a" * 65536


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (b"HTTP/1.1 403 \r\n\r\nwhole", Refused(403, (), b"whole")),
        (b"HTTP/1.1 403 \r\nContent-Length: 9\r\n\r\npart", Refused(403, (("content-length", "9"),), b"part")),
        (b"HTTP/1.1 403", Lost("the connection ended before the handshake was answered", True)),
        (b"", Lost("the connection ended before the handshake was answered", True)),
    ],
)
def test_an_answer_may_end_with_the_connection(data: bytes, outcome: Event) -> None:
    ours = client()
    ours.receive_data(data)
    ours.receive_eof()
    assert ours.events() == [outcome]
    assert ours.state is State.CLOSED


@pytest.mark.parametrize("data", [b"\x82\x00", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 101 x\r\n" + b"a: b\r\n" * 200])
def test_what_is_no_http_is_a_fault(data: bytes) -> None:
    ours = client()
    (failed,) = fed(ours, data)
    assert isinstance(failed, Failed)
    assert failed.section == "4.1"
    assert ours.state is State.CLOSED


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "a..b-secret"},
        {"host": "x\r\nsecret"},
        {"target": "/a b?access_token=secret"},
        {"target": "/\N{EURO SIGN}secret"},
        {"headers": [("X", "a\r\nsecret")]},
        {"headers": [("X", "\N{EURO SIGN}secret")]},
        {"headers": [("Host", "secret")]},
        {"headers": [("Sec-WebSocket-Key", "secret")]},
        {"headers": [("connection", "secret")]},
        {"subprotocols": ("\N{EURO SIGN}",)},
    ],
)
def test_what_cannot_stand_in_a_request_is_our_own_fault_and_is_not_shown(changes: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        client(**changes)
    assert "secret" not in str(caught.value)


# The server's end


@pytest.mark.parametrize("size", [1, 10, 1000])
def test_a_request_is_seen_before_it_is_answered(size: int) -> None:
    ours = WebSocket.server()
    (asked,) = fed(ours, request(Authorization="Bearer secret"), [size])
    assert isinstance(asked, Upgrade)
    assert (asked.path, asked.query, asked.method) == ("/hub", "x=1", "GET")
    assert asked.subprotocols == ("chat", "mqtt")
    assert ("authorization", "Bearer secret") in asked.headers
    assert ("host", "example.com") in asked.headers
    assert ours.data_to_send() == b""
    ours.accept(("mqtt",), [("X-Served-By", "me")])
    assert ours.events() == [Opened((("x-served-by", "me"),), "mqtt")]
    lines = ours.data_to_send().split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 101 ")
    assert {
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        b"Sec-WebSocket-Protocol: mqtt",
        b"X-Served-By: me",
    } <= set(lines)


def test_accepting_picks_the_first_wanted_subprotocol_or_none() -> None:
    for wanted, chosen in ((("x", "chat", "mqtt"), "chat"), (("MQTT",), None), ((), None)):
        ours = WebSocket.server()
        fed(ours, request())
        ours.accept(wanted)
        assert ours.events() == [Opened((), chosen)]
        assert (b"Sec-WebSocket-Protocol" in ours.data_to_send()) == (chosen is not None)


def test_extensions_are_never_agreed_to() -> None:
    ours = WebSocket.server()
    fed(ours, request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
    ours.accept(("mqtt",))
    assert b"extensions" not in ours.data_to_send().lower()


def test_rejecting_is_an_http_answer_that_ends_the_connection() -> None:
    ours = WebSocket.server()
    fed(ours, request())
    ours.reject(401, [("WWW-Authenticate", "Bearer")], b"token expired")
    data = ours.data_to_send()
    assert data.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
    assert b"WWW-Authenticate: Bearer\r\n" in data
    assert data.endswith(b"\r\n\r\ntoken expired")
    assert b"connection: close" in data.lower()
    assert ours.state is State.CLOSED
    ours.receive_data(b"more")
    assert ours.events() == []


def spaced(spaces: int) -> bytes:
    return request(Sec_WebSocket_Protocol="a" + " " * spaces + "b")


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        pytest.param(request("POST / HTTP/1.1"), 400, "a GET with", id="method"),
        pytest.param(request(Upgrade=None), 400, "a GET with", id="no upgrade"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "a GET with", id="plain request"),
        pytest.param(request(Upgrade="h2c"), 400, "Upgrade: websocket", id="other upgrade"),
        pytest.param(request("GET / HTTP/1.0"), 400, "HTTP/1.1", id="http 1.0"),
        pytest.param(request("GET / HTTP/2.1", Host=None), 400, "HTTP/1.1", id="http 2.1 without host"),
        pytest.param(request(Connection="close"), 400, "Connection: Upgrade", id="connection"),
        pytest.param(request(Connection="\xfcpgrade"), 400, "not ASCII", id="connection no ascii"),
        pytest.param(request(Sec_WebSocket_Protocol="\xfc"), 400, "not ASCII", id="subprotocol no ascii"),
        pytest.param(request(Host="\xfc"), 400, "not ASCII", id="host no ascii"),
        pytest.param(request(Host=None), 400, "Host", id="no host"),
        pytest.param(request(Sec_WebSocket_Key=None), 400, "Sec-WebSocket-Key", id="no key"),
        pytest.param(request(Sec_WebSocket_Key="short"), 400, "16 bytes", id="key no base64"),
        pytest.param(request(Sec_WebSocket_Key="AAAA"), 400, "16 bytes", id="short key"),
        pytest.param(request(Sec_WebSocket_Key="\xfc"), 400, "16 bytes", id="key no ascii"),
        pytest.param(request(SEC_WEBSOCKET_KEY=KEY), 400, "came twice", id="two keys"),
        pytest.param(request(Sec_WebSocket_Version=None), 400, "Sec-WebSocket-Version", id="no version"),
        pytest.param(request(Sec_WebSocket_Version="8"), 426, "Sec-WebSocket-Version", id="old version"),
        pytest.param(request(Content_Length="3") + b"abc", 400, "no body", id="body"),
        pytest.param(request(Transfer_Encoding="chunked") + b"0\r\n\r\n", 400, "no body", id="chunked body"),
        pytest.param(request(X="a" * 65536), 431, "longer", id="header of 64 KiB"),
        pytest.param(spaced(9000), 431, "longer", id="thousands of spaces"),
        pytest.param(request(**{f"X{number}": "a" for number in range(5000)}), 431, "more than 100", id="5000 headers"),
        pytest.param(b"GET /" + b"a" * 2**20, 414, "first line", id="line of 1 MiB"),
        pytest.param(b"\x16\x03\x01\x00\xa5", 400, "byte 0x16", id="tls"),
        pytest.param(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c", 400, "byte 0x10", id="mqtt without websocket"),
    ],
)
def test_what_asks_for_no_websocket_gets_a_readable_answer(data: bytes, status: int, words: str) -> None:
    for size in (len(data), 1000 if len(data) > 5000 else 1):
        ours = WebSocket.server()
        (bad,) = fed(ours, data, [size])
        assert isinstance(bad, BadRequest)
        assert bad.status == status
        assert words in bad.message
        reply = ours.data_to_send()
        assert reply.startswith(f"HTTP/1.1 {status} ".encode())
        assert words.encode() in reply
        assert (b"sec-websocket-version: 13" in reply) == (words == "Sec-WebSocket-Version")
        assert ours.state is State.CLOSED
        ours.receive_data(data)
        assert ours.events() == []
        assert ours.data_to_send() == b""


def test_eight_kilobytes_of_spaces_between_subprotocols_are_read_in_linear_time() -> None:
    ours = WebSocket.server()
    (asked,) = fed(ours, spaced(8000))
    assert isinstance(asked, Upgrade)


def test_a_client_in_a_hurry_is_heard_after_the_answer_within_a_bound() -> None:
    eager = WebSocket.server()
    masked = b"\x82\x82\x00\x00\x00\x00ab"
    assert isinstance(fed(eager, request() + masked)[0], Upgrade)
    assert fed(eager, masked) == []
    eager.accept(("mqtt",))
    assert eager.events() == [Opened((), "mqtt"), b"ab", b"ab"]
    patient = WebSocket.server()
    assert len(fed(patient, request() + masked * 8192, [1000])) == 1
    patient.accept()
    assert len(patient.events()) == 8193
    flood = WebSocket.server()
    asked, bad = fed(flood, request() + b"a" * 70_000, [1000])
    assert isinstance(asked, Upgrade)
    assert isinstance(bad, BadRequest)
    assert flood.data_to_send().startswith(b"HTTP/1.1 400 ")
    flood.accept(("mqtt",))
    flood.reject(403)
    assert flood.events() == []
    assert flood.data_to_send() == b""


def test_a_client_that_leaves_before_the_answer_is_lost() -> None:
    for data in (b"", b"GET / HT", request()):
        ours = WebSocket.server()
        ours.receive_data(data)
        ours.receive_eof()
        assert ours.events()[-1] == Lost("the connection ended before the handshake was over", True)
        ours.accept()
        ours.reject(400)
        assert ours.data_to_send() == b""


@pytest.mark.parametrize(
    "call",
    [
        lambda ours: ours.accept(("mqtt",), [("X", "a\r\nsecret")]),
        lambda ours: ours.accept(("mqtt",), [("Upgrade", "secret")]),
        lambda ours: ours.reject(401, [("X", "a\r\nsecret")]),
        lambda ours: ours.reject(101),
    ],
)
def test_an_answer_that_http_forbids_changes_nothing(call: Callable[[WebSocket], None]) -> None:
    ours = WebSocket.server()
    fed(ours, request())
    with pytest.raises(LocalProtocolError) as caught:
        call(ours)
    assert "secret" not in str(caught.value)
    assert ours.data_to_send() == b""
    ours.accept(("mqtt",))
    assert ours.data_to_send().startswith(b"HTTP/1.1 101 ")


def test_nothing_can_be_accepted_or_rejected_where_nothing_was_asked() -> None:
    waiting = WebSocket.server()
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        waiting.accept()
    with pytest.raises(LocalProtocolError, match="only a server"):
        client().reject(400)
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        client().accept()
    fed(waiting, request())
    waiting.accept()
    with pytest.raises(LocalProtocolError, match="no WebSocket request"):
        waiting.accept()
    with pytest.raises(LocalProtocolError, match="only a server"):
        waiting.reject(400)


def test_a_server_may_refuse_before_the_request_is_whole() -> None:
    ours = WebSocket.server()
    ours.receive_data(b"GET / HTT")
    ours.reject(408, (), b"too slow")
    assert ours.data_to_send().startswith(b"HTTP/1.1 408 ")


@given(st.binary(max_size=300), st.lists(st.integers(1, 50), min_size=1, max_size=4), st.booleans())
def test_any_bytes_lead_to_the_same_outcome_in_any_portions(data: bytes, sizes: list[int], opened: bool) -> None:
    if opened:
        data = request() + data

    def outcome(sizes: list[int]) -> tuple[str, bytes]:
        ours = WebSocket.server()
        return repr(fed(ours, data, sizes)), ours.data_to_send()

    assert outcome(sizes) == outcome([len(data) or 1])


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), min_size=1, max_size=4))
def test_any_answer_leads_to_the_same_outcome_in_any_portions(data: bytes, sizes: list[int]) -> None:
    def outcome(sizes: list[int]) -> str:
        ours = client()
        ours.data_to_send()
        events = fed(ours, b"HTTP/1.1 " + data, sizes)
        ours.receive_eof()
        return repr(events + ours.events())

    assert outcome(sizes) == outcome([1000])
