"""Secrets are covered wherever they are, and nothing else is; lengths and forms stay."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Packet, Publish, decode, encode
from mqttws.trace.masking import Masker
from mqttws.trace.splitting import HOLD, Splitter
from mqttws.vocabulary import ReasonCode
from tests.strategies import packets
from tests.trace.wires import DATA, PASSWORD, REQUEST, SECRETS, TARGET, TOKEN, binary, connect, pieces
from tests.websocket.frames import BINARY, CLOSE, CONTINUATION, TEXT, frame, naive_mask

HEAD = (
    f"GET {TARGET}&api-key=0123456789 HTTP/1.1\r\nHost: h\r\n"
    f"Authorization: Bearer abcdefgh12345678\r\nCookie: a=abcdefgh12345678;\r\n b=0123456789\r\nX-Plain: seen\r\n"
    f"Referer: wss://joe:abcdefgh12345678@h/?access_token={TOKEN}\r\nPassword 0123456789\r\n\r\n"
).encode()


def masked(data: bytes, size: int = 1 << 20, **options: Any) -> bytes:
    masker = Masker(**options)
    return b"".join(masker.feed(piece) for piece in pieces(data, size)) + masker.end()


def packet_in(wire: bytes) -> Packet:
    """The packet of a wire's one message, as a reader of the trace has it."""
    units = Splitter(in_frames=True).feed(wire)
    return decode(units[0].data, 5)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_request_keeps_its_form_and_loses_its_secrets(size: int) -> None:
    out = masked(HEAD, size)
    assert len(out) == len(HEAD)
    for secret in SECRETS:
        assert secret.encode() not in out
    lines = out.decode().split("\r\n")
    assert lines[0] == f"GET /clients/mqtt/hubs/chat?access_token={'*' * len(TOKEN)}&x=1&api-key=********** HTTP/1.1"
    assert lines[2] == "Authorization: " + "*" * 23
    assert lines[3:6] == ["Cookie: " + "*" * 19, " " + "*" * 12, "X-Plain: seen"]
    assert lines[6] == f"Referer: wss://{'*' * 20}@h/?access_token={'*' * len(TOKEN)}"
    assert lines[7] == "*" * len("Password 0123456789")


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize("version", [4, 5])
def test_a_connect_keeps_its_form_and_loses_its_secrets(version: int, size: int) -> None:
    wire = encode(connect(version), version)
    data = (
        REQUEST
        + frame(BINARY, wire[:30], masked=True, fin=False, key=b"abcd")
        + frame(CONTINUATION, wire[30:41], masked=True, fin=False, key=b"\1\2\3\4")
        + frame(CONTINUATION, wire[41:], masked=True, key=b"zyxw")
    )
    units = Splitter().feed(masked(data, size))
    seen = next(unit.data for unit in units if unit.data[:1] == b"\x10")
    packet = decode(seen, version)
    assert isinstance(packet, Connect)
    assert (packet.client_id, packet.username, packet.password) == ("me", "joe", b"*" * len(PASSWORD))
    if version == 5:
        assert packet.properties == {
            "authentication_method": "x",
            "authentication_data": b"*" * len(DATA),
            "user_property": [("token", "*" * len(TOKEN))],
        }
    assert len(seen) == len(wire)


SECRET_PACKETS: list[tuple[Packet, Packet]] = [
    (
        Auth(ReasonCode.CONTINUE_AUTHENTICATION, {"authentication_method": "x", "authentication_data": DATA}),
        Auth(
            ReasonCode.CONTINUE_AUTHENTICATION,
            {"authentication_method": "x", "authentication_data": b"*" * len(DATA)},
        ),
    ),
    (
        ConnAck(properties={"authentication_method": "x", "authentication_data": DATA}),
        ConnAck(properties={"authentication_method": "x", "authentication_data": b"*" * len(DATA)}),
    ),
    (
        Publish("a", b"x", properties={"user_property": [("Authorization", "12345"), ("b", "c")]}),
        Publish("a", b"x", properties={"user_property": [("Authorization", "*****"), ("b", "c")]}),
    ),
    (
        Publish("a", f"go to wss://h/?access_token={TOKEN}".encode()),
        Publish("a", b"go to wss://h/?access_token=" + b"*" * len(TOKEN)),
    ),
    (
        Disconnect(ReasonCode.NOT_AUTHORIZED, {"reason_string": f"bad token {TOKEN}"}),
        Disconnect(ReasonCode.NOT_AUTHORIZED, {"reason_string": f"bad token {'*' * len(TOKEN)}"}),
    ),
    (Publish("a", b'{"token": "of a game"}'), Publish("a", b'{"token": "of a game"}')),
]


@pytest.mark.parametrize(("packet", "seen"), SECRET_PACKETS)
def test_secrets_in_other_packets_are_covered_and_nothing_else(packet: Packet, seen: Packet) -> None:
    for size in (1, 1000):
        assert packet_in(masked(REQUEST + binary(packet), size)[len(REQUEST) :]) == seen


def test_payloads_are_covered_if_asked_for() -> None:
    publish = Publish("a", b"private", properties={"content_type": "text/plain"})
    out = masked(REQUEST + binary(publish), payloads=False)[len(REQUEST) :]
    assert packet_in(out) == Publish("a", b"*******", properties={"content_type": "text/plain"})
    long = encode(Publish("a", b"x" * (HOLD + 1)))
    covered = masked(REQUEST + frame(BINARY, long, masked=False), 1000, payloads=False)
    assert b"x" not in covered[len(REQUEST) + 10 :]


def test_text_messages_are_of_another_protocol_and_lose_its_tokens() -> None:
    said = b'{"type":"system","reconnectionToken":"abcdefgh12345678","userId":"ann"}'
    out = masked(REQUEST + frame(TEXT, said, masked=False))[len(REQUEST) :]
    assert out.endswith(b'"reconnectionToken":"****************","userId":"ann"}')
    out = masked(REQUEST + frame(TEXT, said, masked=False), payloads=False)[len(REQUEST) :]
    assert out.endswith(b"*" * len(said))


@pytest.mark.parametrize("cut", [1, 5, 15])
def test_a_connect_that_is_cut_off_shows_no_part_of_its_password(cut: int) -> None:
    wire = encode(connect(4), 4)
    out = masked(REQUEST + frame(BINARY, wire[:-cut], masked=False))
    assert PASSWORD[:4].encode() not in out
    assert wire[:12] in out


@pytest.mark.parametrize("lie", [-1, 1])
def test_a_connect_that_cannot_be_read_shows_no_part_of_its_password(lie: int) -> None:
    wire = bytearray(encode(connect(4), 4))
    place = wire.index(PASSWORD.encode()) - 1
    wire[place] += lie
    out = masked(REQUEST + frame(BINARY, bytes(wire), masked=False))
    assert PASSWORD[:4].encode() not in out
    assert PASSWORD[-4:].encode() not in out
    assert b"joe" in out


def test_a_long_connect_is_covered_in_parts_and_a_long_message_where_a_token_is() -> None:
    will = bytes(HOLD)
    wire = b"\x10\xff\xff\x07" + encode(connect(4), 4)[2:] + will
    assert PASSWORD.encode() not in masked(REQUEST + frame(BINARY, wire, masked=False), 500)
    publish = encode(Publish("a", will + b" " + TOKEN.encode() + b" "))
    assert TOKEN.encode() not in masked(REQUEST + frame(BINARY, publish, masked=False), 50_000)


def test_refusals_and_reasons_show_no_token() -> None:
    refusal = f"HTTP/1.1 401 No\r\nLocation: /?access_token={TOKEN}\r\n\r\nnot {TOKEN}, please".encode()
    for size in (1, 1000):
        assert masked(refusal, size) == refusal.replace(TOKEN.encode(), b"*" * len(TOKEN))
    close = frame(CLOSE, b"\3\xe8" + TOKEN.encode(), masked=True)
    out = masked(REQUEST + close, 7)
    assert naive_mask(b"\x12\x34\x56\x78", out[len(REQUEST) + 6 :])[2:] == b"*" * len(TOKEN)


def test_what_needs_no_judgement_is_given_out_at_once() -> None:
    masker = Masker()
    assert masker.feed(REQUEST) == REQUEST
    publish = binary(Publish("a", b"hello"))
    assert masker.feed(publish + publish[:3]) == publish + publish[:3]
    assert masker.feed(publish[3:8]) == publish[3:6]
    assert masker.feed(publish[8:]) == publish[6:]
    assert masker.end() == b""


@given(packets(), st.integers(1, 40))
def test_what_holds_no_secret_passes_as_it_is(packet: Packet, size: int) -> None:
    version = int(packet.version) if isinstance(packet, Connect) else 5
    wire = REQUEST + binary(packet, version=version)
    out = masked(wire, size)
    assert len(out) == len(wire)
    assert out == masked(wire)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_pass_with_their_length(data: bytes, size: int) -> None:
    for start in (b"", REQUEST, b"HTTP/1.1 403 No\r\n\r\n"):
        assert len(masked(start + data, size)) == len(start + data)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("access_token=abc", "access_token=***"),
        ("Bearer abc", "Bearer ***"),
        ("AccessKey=abc", "AccessKey=***"),
        ("ws://a@h", "ws://***"),
        ("wss://a@h", "wss://***"),
        ("eyJabc.def", "**********"),
    ],
)
def test_every_form_of_secret_is_found_in_a_payload(text: str, seen: str) -> None:
    """From the first secret on; a quick look decides whether a packet is read at all, and must not miss any."""
    assert packet_in(masked(REQUEST + binary(Publish("a", text.encode())))[len(REQUEST) :]) == Publish(
        "a", seen.encode()
    )


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "password", "passwd", "secret", "api-key", "access_key"])
def test_every_name_of_a_secret_is_found_in_user_properties(name: str) -> None:
    publish = Publish("a", properties={"user_property": [(name, "abc")]})
    seen = packet_in(masked(REQUEST + binary(publish))[len(REQUEST) :])
    assert seen == Publish("a", properties={"user_property": [(name, "***")]})
