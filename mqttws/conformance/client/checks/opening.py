"""Chapter 6 and RFC 6455, 4: what a Client asks for, and what it takes for an answer, before there is a WebSocket."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final

from mqttws.codec import Connect
from mqttws.conformance.client.convention import Error
from mqttws.conformance.client.leading import KEEP_ALIVE
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.verdict import Failed, Inconclusive, NotApplicable, NotStrict, NotTested
from mqttws.conformance.wire.opening import Head, answer
from mqttws.conformance.wire.peer import Ended, Missing

__all__: list[str] = []

_OPENING: Final = "RFC 6455, 4.1"


@client_check(v5="MQTT-6.0.0-3", v311="MQTT-6.0.0-3")
async def offers_no_mqtt_subprotocol(probe: ClientProbe) -> None:
    """The Client lists "mqtt" among its WebSocket subprotocols."""
    offered = (await _request(probe)).words("sec-websocket-protocol")
    if "mqtt" not in offered:
        raise Failed(f"it offers {', '.join(offered) or 'no subprotocol'}")


@client_check(v5=_OPENING, v311=_OPENING)
async def bad_websocket_request(probe: ClientProbe) -> None:
    """The Client's request asks for a WebSocket as RFC 6455 says, with a key of 16 bytes."""
    head = await _request(probe)
    wrong = []
    if not (head.line.startswith("GET ") and head.line.endswith(" HTTP/1.1")):
        wrong.append(f"the request is {head.line!r}")
    if len(head.all("host")) != 1:
        wrong.append(f"{len(head.all('host'))} headers Host")
    if "websocket" not in [word.lower() for word in head.words("upgrade")]:
        wrong.append("no Upgrade: websocket")
    if "upgrade" not in [word.lower() for word in head.words("connection")]:
        wrong.append("no Connection: Upgrade")
    if head.get("sec-websocket-version") != "13":
        wrong.append("no Sec-WebSocket-Version: 13")
    if _key_length(head) != 16:
        wrong.append("Sec-WebSocket-Key is not 16 bytes in base64")
    if wrong:
        raise Failed("; ".join(wrong))


async def _request(probe: ClientProbe) -> Head:
    """A request of the Client, which is answered well."""
    await probe.task("connect", client_id=probe.name(), clean_start=True, keep_alive=KEEP_ALIVE)
    stream, head = await probe.stream()
    await probe.welcome(stream, head)
    return head


def _key_length(head: Head) -> int:
    try:
        return len(base64.b64decode(head.get("sec-websocket-key"), validate=True))
    except binascii.Error:
        return 0


@client_check(v5=_OPENING, v311=_OPENING)
async def same_key_again(probe: ClientProbe) -> None:
    """Each WebSocket request has a key of its own."""
    first = (await _request(probe)).get("sec-websocket-key")
    await probe.close()
    if (await _request(probe)).get("sec-websocket-key") == first:
        raise Failed("two requests have the same Sec-WebSocket-Key")


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_another_subprotocol(probe: ClientProbe) -> None:
    """An answer with a subprotocol that was not asked for is no WebSocket."""
    await _refuses(probe, lambda head: answer(head, subprotocol="soap"), "to a subprotocol that it has not offered")


@client_check(v5="MQTT-6.0.0-4", v311="MQTT-6.0.0-4")
async def takes_no_subprotocol(probe: ClientProbe) -> None:
    """An answer without the subprotocol had better be none: the Server has to choose "mqtt"."""
    try:
        await _refuses(probe, lambda head: answer(head, subprotocol=None), "to no subprotocol")
    except Failed as problem:  # RFC 6455 leaves the choice of a subprotocol to the Server; MQTT tells only the Server
        raise NotStrict(str(problem)) from None


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_a_wrong_accept(probe: ClientProbe) -> None:
    """An answer to another key is no WebSocket."""
    await _refuses(
        probe, _with_accept("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "to a wrong accept value"
    )


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_no_accept(probe: ClientProbe) -> None:
    """An answer without Sec-WebSocket-Accept is no WebSocket."""
    await _refuses(probe, _with_accept(""), "to no accept value")


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_no_upgrade(probe: ClientProbe) -> None:
    """An answer 101 that does not say to what is no WebSocket."""
    await _refuses(probe, lambda head: answer(head).replace(b"Upgrade: websocket\r\n", b""), "to no Upgrade")


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_an_extension(probe: ClientProbe) -> None:
    """An answer with an extension that was not asked for is no WebSocket."""

    def extended(head: Head) -> bytes:
        if "permessage-deflate" in head.get("sec-websocket-extensions"):
            raise NotApplicable("the Client has asked for the extension")
        return answer(head, headers=[("Sec-WebSocket-Extensions", "permessage-deflate")])

    await _refuses(probe, extended, "to an extension that it has not asked for")


@client_check(v5=_OPENING, v311=_OPENING)
async def takes_an_error_for_a_websocket(probe: ClientProbe) -> None:
    """Behind HTTP 403 or 503 there is no MQTT."""
    for status in ("403 Forbidden", "503 Service Unavailable"):
        await _refuses(probe, _error(status), f"to HTTP {status[:3]}")
        await probe.close()


def _error(status: str) -> Callable[[Head], bytes]:
    return lambda _: f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


def _with_accept(line: str) -> Callable[[Head], bytes]:
    """An answer with another line in the place of Sec-WebSocket-Accept."""

    def make(head: Head) -> bytes:
        lines = answer(head).split(b"\r\n")
        return b"\r\n".join(one for one in lines if not one.startswith(b"Sec-WebSocket-Accept")).replace(
            b"\r\n\r\n", b"\r\n" + line.encode() + b"\r\n"
        )

    return make


async def _refuses(probe: ClientProbe, make: Callable[[Head], bytes], why: str) -> None:
    """The Client ends the connection behind an answer and sends no CONNECT; a program may say so before."""
    await probe.task("connect", client_id=probe.name(), clean_start=True, keep_alive=KEEP_ALIVE)
    stream, head = await probe.stream()
    visit = probe.visit(stream, head)
    await visit.send_wire(make(head))
    try:
        found = await visit.anything("the end of the connection")
    except Ended:
        return
    except Missing:
        await _gives_up(probe, why)
        raise NotStrict(f"it gives up {why}, but does not close the network connection") from None
    kind = "CONNECT" if isinstance(found, Connect) else "more"
    raise Failed(f"it sends {kind} in answer {why}")


async def _gives_up(probe: ClientProbe, why: str) -> None:
    """The program tells that it has not connected."""
    try:
        await probe.event(Error)
    except NotTested:
        raise Inconclusive(f"it sends nothing {why}, and does not end the connection") from None
    except Inconclusive:
        raise Failed(f"it does not end the connection in answer {why}") from None
