"""HTTP requests that no Server should answer with ``101``, or that are hard to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from mqttws.codec import Connect, encode
from mqttws.fuzz.live.conversation import REQUEST
from mqttws.fuzz.live.script import END, RESET, Layer, Step
from mqttws.fuzz.sources import Source

__all__ = ["REQUEST_FAULTS"]

_KEY: Final = b"Sec-WebSocket-Key: bXF0dHdzLWZ1enouLi4uLg==\r\n"
_PROTOCOL: Final = b"Sec-WebSocket-Protocol: mqtt\r\n"
_LAST: Final = b"{headers}\r\n"
#: A TLS 1.2 record that begins a handshake.
_HELLO: Final = bytes.fromhex("16 0301 002f 01 00002b 0303") + bytes(32) + bytes.fromhex("00 0004 1301 1302 01 00")


def _without(part: bytes) -> bytes:
    return REQUEST.replace(part, b"")


def _with(part: bytes) -> bytes:
    return REQUEST.replace(_LAST, part + _LAST)


#: Requests that are wrong in one way.
_REQUESTS: Final[dict[str, bytes]] = {
    "method-post": REQUEST.replace(b"GET ", b"POST ", 1),
    "method-lower-case": REQUEST.replace(b"GET ", b"get ", 1),
    "http-1.0": REQUEST.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "http-3.7": REQUEST.replace(b"HTTP/1.1", b"HTTP/3.7"),
    "no-host": _without(b"Host: {host}\r\n"),
    "two-hosts": _with(b"Host: elsewhere\r\n"),
    "no-upgrade": _without(b"Upgrade: websocket\r\n"),
    "upgrade-other": REQUEST.replace(b"Upgrade: websocket", b"Upgrade: h2c"),
    "no-connection": _without(b"Connection: Upgrade\r\n"),
    "connection-close": REQUEST.replace(b"Connection: Upgrade", b"Connection: close"),
    "no-key": _without(_KEY),
    "two-keys": _with(_KEY),
    "short-key": REQUEST.replace(b"bXF0dHdzLWZ1enouLi4uLg==", b"c2hvcnQ="),
    "key-no-base64": REQUEST.replace(b"bXF0dHdzLWZ1enouLi4uLg==", b"!!!!!!!!!!!!!!!!!!!!!!=="),
    "version-8": REQUEST.replace(b"Version: 13", b"Version: 8"),
    "no-version": _without(b"Sec-WebSocket-Version: 13\r\n"),
    "no-subprotocol": _without(_PROTOCOL),
    "subprotocol-other": REQUEST.replace(_PROTOCOL, b"Sec-WebSocket-Protocol: chat, amqp\r\n"),
    "subprotocol-spaces": REQUEST.replace(_PROTOCOL, b"Sec-WebSocket-Protocol: a" + b" " * 4_000 + b"b, mqtt\r\n"),
    "extension-garbage": _with(b"Sec-WebSocket-Extensions: permessage-deflate; =;;,,,\r\n"),
    "body-with-length": _with(b"Content-Length: 5\r\n") + b"hello",
    "body-length-lies": _with(b"Content-Length: 99999999999999999999\r\n"),
    "body-chunked": _with(b"Transfer-Encoding: chunked\r\n") + b"5\r\nhello\r\n0\r\n\r\n",
    "body-both": _with(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "null-in-header": _with(b"X-A: a\0b\r\n"),
    "bare-cr": _with(b"X-A: a\rb\r\n"),
    "folded-header": _with(b"X-A: a\r\n b\r\n"),
    "header-without-colon": _with(b"nonsense\r\n"),
    "space-before-colon": _with(b"X-A : a\r\n"),
    "empty-header-name": _with(b": a\r\n"),
    "line-feeds-only": REQUEST.replace(b"\r\n", b"\n"),
    "long-header": _with(b"X-A: " + b"a" * 70_000 + b"\r\n"),
    "many-headers": _with(b"X-A: a\r\n" * 3_000),
    "long-target": REQUEST.replace(b"{target}", b"{target}&a=" + b"a" * 70_000),
    "target-encoded-badly": REQUEST.replace(b"{target}", b"/%zz%00%ff/../../etc"),
    "target-absolute": REQUEST.replace(b"{target}", b"http://elsewhere/{target}"),
    "no-target": REQUEST.replace(b" {target} ", b" "),
    "unicode": _with("X-A: \N{SNOWMAN}\r\n".encode()),
    "tls-hello": _HELLO,
    "bare-mqtt": encode(Connect(client_id="mqttwsfuzz0", keep_alive=60)),
    "empty-lines": b"\r\n" * 1_000,
    "http-2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}


#: Those that RFC 6455, 4.2.1 tells a Server to refuse. Of the others a lenient one may make something.
_DEMANDED: Final = frozenset(
    (
        "method-post",
        "http-1.0",
        "no-upgrade",
        "upgrade-other",
        "no-connection",
        "connection-close",
        "no-key",
        "short-key",
        "version-8",
        "no-version",
    )
)


def _plain(name: str, data: bytes) -> Callable[[Source], Step]:
    debatable = name not in _DEMANDED
    return lambda _source: Step("a request that is wrong", data, Layer.HTTP, spoiled=True, debatable=debatable)


def _half(source: Source) -> Step:
    cut = 1 + source.draw(len(REQUEST) - 60)
    return Step("half a request", REQUEST[:cut], Layer.HTTP, spoiled=True, then=source.choice((END, RESET)))


def _noise(source: Source) -> Step:
    return Step(
        "random bytes in place of a request",
        source.block(1 + source.draw(500)),
        Layer.HTTP,
        spoiled=True,
        debatable=True,
    )


def _garbled(source: Source) -> Step:
    garbled = bytearray(REQUEST)
    for _ in range(1 + source.draw(3)):
        at = source.draw(len(garbled) - 1)
        garbled[at] = source.draw(255)
    return Step("a request with bytes changed", bytes(garbled), Layer.HTTP, spoiled=True, debatable=True)


def _trickle(_source: Source) -> Step:
    return Step("a good request, byte by byte", REQUEST, Layer.HTTP, pieces=1, spoiled=True, awaits="101")


#: ``(source) -> step``, in place of the handshake.
REQUEST_FAULTS: Final[dict[str, Callable[[Source], Step]]] = {
    **{name: _plain(name, data) for name, data in _REQUESTS.items()},
    "half": _half,
    "noise": _noise,
    "garbled": _garbled,
    "trickle": _trickle,
}
