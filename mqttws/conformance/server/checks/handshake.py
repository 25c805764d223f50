"""Chapter 6 and RFC 6455, chapter 4: how a WebSocket is agreed on."""

from __future__ import annotations

from collections.abc import Callable

import trio

from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.conformance.wire.opening import KEY, Head
from mqttws.websocket import accept_token


async def _ask(probe: ServerProbe, change: Callable[[bytes], bytes] = bytes) -> Head | None:
    """The answer to a request, after which the connection is closed."""
    stream, head = await probe.handshake(change=change)
    await trio.aclose_forcefully(stream)
    return head


def _offering(names: bytes) -> Callable[[bytes], bytes]:
    return lambda request: request.replace(b"Protocol: mqtt\r\n", b"Protocol: " + names + b"\r\n")


def _with_key(key: bytes) -> Callable[[bytes], bytes]:
    return lambda request: request.replace(KEY.encode(), key)


@server_check(v5="MQTT-6.0.0-4", v311="MQTT-6.0.0-4")
async def subprotocol_not_named(probe: ServerProbe) -> None:
    """A Server that is offered the subprotocol mqtt names it in its answer, first or last in the list."""
    for offered in (b"mqtt", b"chat, mqtt", b"mqtt, chat"):
        head = await _ask(probe, _offering(offered))
        if head is None or head.status != 101:
            if offered == b"mqtt":
                raise Failed("it answers a good WebSocket request by " + (head.line if head else "nothing"))
            raise NotStrict(f"it refuses a Client that offers {offered.decode()}")
        if head.all("sec-websocket-protocol") != ["mqtt"]:
            raise Failed(f"where {offered.decode()} is offered it names {head.all('sec-websocket-protocol')}")


@server_check(v5=("MQTT-6.0.0-4", "RFC 6455, 4.2.2"), v311=("MQTT-6.0.0-4", "RFC 6455, 4.2.2"))
async def subprotocol_not_offered(probe: ServerProbe) -> None:
    """A Server names no subprotocol that the Client has not offered, nor another one than mqtt."""
    without = await _ask(probe, lambda request: request.replace(b"Sec-WebSocket-Protocol: mqtt\r\n", b""))
    other = await _ask(probe, _offering(b"chat"))
    accepted = []
    for offered, head in (("none", without), ("chat", other)):
        if head is None or head.status != 101:
            continue
        accepted.append(offered)
        if named := head.get("sec-websocket-protocol"):
            raise Failed(f"it names the subprotocol {named!r} where the Client has offered {offered}")
    if accepted:
        raise NotStrict(f"it lets Clients in that do not offer mqtt: {', '.join(accepted)}")


@server_check(v5="RFC 6455, 4.2.2", v311="RFC 6455, 4.2.2")
async def wrong_accept_value(probe: ServerProbe) -> None:
    """The answer to a request has what RFC 6455 asks for, the right Sec-WebSocket-Accept first of all."""
    head = await _ask(probe)
    if head is None or head.status != 101:
        raise Failed("it answers a good WebSocket request by " + (head.line if head else "nothing"))
    accept = accept_token(KEY.encode()).decode()
    if head.get("sec-websocket-accept") != accept:
        raise Failed(f"Sec-WebSocket-Accept is {head.get('sec-websocket-accept')!r}, {accept!r} was owed")
    if head.get("upgrade").lower() != "websocket":
        raise Failed(f"Upgrade is {head.get('upgrade')!r}")
    if "upgrade" not in head.get("connection").lower():
        raise Failed(f"Connection is {head.get('connection')!r}")
    if head.all("sec-websocket-extensions"):
        raise Failed(f"it agrees to extensions that nobody has offered: {head.get('sec-websocket-extensions')}")


@server_check(v5="RFC 6455, 4.2.1", v311="RFC 6455, 4.2.1")
async def bad_request_accepted(probe: ServerProbe) -> None:
    """A request that is no proper one for a WebSocket does not get a 101."""
    key = f"Sec-WebSocket-Key: {KEY}\r\n".encode()
    changes: dict[str, Callable[[bytes], bytes]] = {
        "without Sec-WebSocket-Key": lambda request: request.replace(key, b""),
        "without Upgrade": lambda request: request.replace(b"Upgrade: websocket\r\n", b""),
        "without Sec-WebSocket-Version": lambda request: request.replace(b"Sec-WebSocket-Version: 13\r\n", b""),
        "by POST": lambda request: request.replace(b"GET ", b"POST ", 1),
        "of HTTP/1.0": lambda request: request.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1),
    }
    for name, change in changes.items():
        try:
            head = await _ask(probe, change)
        except Failed:  # it waits for more, or says nothing: no 101 either
            continue
        if head is not None and head.status == 101:
            raise Failed(f"a request {name} gets a 101")


@server_check(v5="RFC 6455, 4.4", v311="RFC 6455, 4.4")
async def unknown_websocket_version(probe: ServerProbe) -> None:
    """A request for a version of WebSocket that there is not is refused, with a header that says which there is."""
    head = await _ask(probe, lambda request: request.replace(b"Version: 13", b"Version: 99"))
    if head is None:
        raise NotStrict("it ends the connection without an answer")
    if head.status == 101:
        raise Failed("a request for version 99 of WebSocket gets a 101")
    if "13" not in head.words("sec-websocket-version"):
        raise NotStrict(f"{head.line} does not say which version is supported")


@server_check(v5="RFC 6455, 4.2.1", v311="RFC 6455, 4.2.1")
async def bad_key_accepted(probe: ServerProbe) -> None:
    """A Sec-WebSocket-Key that is not 16 bytes in base64 is refused."""
    for key in (b"c2hvcnQ=", b"not base64 at all!!!!!=="):
        head = await _ask(probe, _with_key(key))
        if head is not None and head.status == 101:
            raise NotStrict(f"the Sec-WebSocket-Key {key.decode()} gets a 101")
