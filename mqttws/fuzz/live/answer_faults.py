"""Answers to a WebSocket handshake that no Client should take for a yes, or that are hard to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqttws.fuzz.live.script import END, RESET, Layer, Step
from mqttws.fuzz.sources import Source

__all__ = ["ANSWER", "ANSWER_FAULTS"]

#: A good answer.
ANSWER: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n"
    b"Sec-WebSocket-Protocol: mqtt\r\n"
    b"\r\n"
)
_PROTOCOL: Final = b"Sec-WebSocket-Protocol: mqtt\r\n"


def _with(part: bytes) -> bytes:
    return ANSWER[:-2] + part + b"\r\n"


def _refusal(status: bytes, headers: bytes = b"", body: bytes = b"not today") -> bytes:
    return b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n%b" % (status, headers, len(body), body)


#: Those that RFC 6455, 4.1 tells a Client to fail the connection for.
_DEMANDED: Final[dict[str, bytes]] = {
    "accept-wrong": ANSWER.replace(b"{accept}", b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    "accept-missing": ANSWER.replace(b"Sec-WebSocket-Accept: {accept}\r\n", b""),
    "accept-cut": ANSWER.replace(b"{accept}", b"s3pP"),
    "no-upgrade": ANSWER.replace(b"Upgrade: websocket\r\n", b""),
    "upgrade-other": ANSWER.replace(b"Upgrade: websocket\r\n", b"Upgrade: h2c\r\n"),
    "no-connection": ANSWER.replace(b"Connection: Upgrade\r\n", b""),
    "subprotocol-other": ANSWER.replace(_PROTOCOL, b"Sec-WebSocket-Protocol: amqp\r\n"),
    "extension-unasked": _with(b"Sec-WebSocket-Extensions: x-nobody-asked\r\n"),
}
_OTHERS: Final[dict[str, bytes]] = {
    "subprotocol-missing": ANSWER.replace(_PROTOCOL, b""),
    "status-200": ANSWER.replace(b"101 Switching Protocols", b"200 OK"),
    "status-nonsense": ANSWER.replace(b"101 Switching Protocols", b"abc what"),
    "status-100": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "http-1.0": ANSWER.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "no-reason": ANSWER.replace(b"101 Switching Protocols", b"101"),
    "400": _refusal(b"400 Bad Request"),
    "401": _refusal(b"401 Unauthorized", b"WWW-Authenticate: Bearer\r\n"),
    "404": _refusal(b"404 Not Found", body=b"\xff\xfe\0 \x1b[31m" * 100),
    "429": _refusal(b"429 Too Many Requests", b"Retry-After: 99999999999999999999\r\n"),
    "500": _refusal(b"500 Internal Server Error", b"Retry-After: -1\r\n"),
    "503": _refusal(b"503 Service Unavailable", b"Retry-After: nonsense\r\n", b""),
    "redirect": _refusal(b"302 Found", b"Location: ws://127.0.0.1:1/\r\n", b""),
    "redirect-nowhere": _refusal(b"301 Moved", b"Location: \r\n", b""),
    "long-body": _refusal(b"403 Forbidden", body=b"x" * 500_000),
    "body-lies": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1000000000\r\n\r\nshort",
    "body-negative": b"HTTP/1.1 403 Forbidden\r\nContent-Length: -1\r\n\r\nshort",
    "body-chunked": b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nhello\r\n",
    "long-header": _with(b"X-A: " + b"a" * 70_000 + b"\r\n"),
    "many-headers": _with(b"X-A: a\r\n" * 3_000),
    "null-in-header": _with(b"X-A: a\0b\r\n"),
    "header-without-colon": _with(b"nonsense\r\n"),
    "folded-header": _with(b"X-A: a\r\n b\r\n"),
    "line-feeds-only": ANSWER.replace(b"\r\n", b"\n"),
    "no-head": b"\x20\x03\0\0\0",
    "two-answers": ANSWER + ANSWER,
    "silence": b"",
    "banner": b"SSH-2.0-OpenSSH_9.9\r\n",
}


def _plain(name: str, data: bytes) -> Callable[[Source], Step]:
    demand = f"the answer to the handshake is wrong: {name}, RFC 6455, 4.1" if name in _DEMANDED else ""
    return lambda _source: Step(f"an answer that is wrong: {name}", data, Layer.HTTP, spoiled=True, demand=demand)


def _half(source: Source) -> Step:
    cut = 1 + source.draw(len(ANSWER) - 60)
    return Step("half an answer", ANSWER[:cut], Layer.HTTP, spoiled=True, then=source.choice((END, RESET)))


def _noise(source: Source) -> Step:
    return Step("random bytes in place of an answer", source.block(1 + source.draw(500)), Layer.HTTP, spoiled=True)


def _garbled(source: Source) -> Step:
    garbled = bytearray(ANSWER)
    for _ in range(1 + source.draw(3)):
        garbled[source.draw(len(garbled) - 1)] = source.draw(255)
    return Step("an answer with bytes changed", bytes(garbled), Layer.HTTP, spoiled=True)


def _trickle(_source: Source) -> Step:
    return Step("a good answer, byte by byte", ANSWER, Layer.HTTP, pieces=1, spoiled=True)


#: ``(source) -> step``, in place of the answer.
ANSWER_FAULTS: Final[dict[str, Callable[[Source], Step]]] = {
    **{name: _plain(name, data) for name, data in (_DEMANDED | _OTHERS).items()},
    "half": _half,
    "noise": _noise,
    "garbled": _garbled,
    "trickle": _trickle,
}
