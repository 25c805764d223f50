"""One HTTP request over a stream, and its answer."""

from __future__ import annotations

import math
from contextlib import suppress

import trio

from mqttws.errors import ConnectionLost, RemoteProtocolError
from mqttws.http import BadMessage, HttpClient, Request, Response

__all__ = ["exchange"]

CHUNK = 65_536


async def exchange(
    stream: trio.abc.Stream, client: HttpClient, request: Request, *, peer: str, body_seconds: float = math.inf
) -> Response:
    """Send ``request`` and wait for the answer: whole, or cut at the limit of its body or where the connection ends.

    Once the head is here the rest may take ``body_seconds``, then the answer is what has arrived. Otherwise this waits
    without bound, the caller sets the deadline; and it leaves the stream as it is, whatever happens. ``peer`` names the
    other end in errors: :class:`~mqttws.errors.ConnectionLost` when it is cut before a head was whole,
    :class:`~mqttws.errors.RemoteProtocolError` for what is no HTTP or above the limits, and
    :class:`~mqttws.errors.LocalProtocolError` for what HTTP forbids us to send.
    """
    data = client.send(request)
    # Cut while sending, an answer may have come before: a refusal of a body that was too long.
    with suppress(trio.BrokenResourceError):
        await stream.send_all(data)
    deadline = math.inf
    while (response := _next_response(client, peer)) is None:
        if client.partial is not None:
            deadline = min(deadline, trio.current_time() + body_seconds)
        chunk: bytes | None = None
        with trio.CancelScope(deadline=deadline):
            chunk = await _receive_some(stream)
        if chunk:
            client.receive_data(chunk)
        elif chunk is None:
            assert client.partial is not None
            return client.partial
        else:
            client.receive_eof()
            return _last_response(client, peer)
    return response


async def _receive_some(stream: trio.abc.Stream) -> bytes:
    try:
        return bytes(await stream.receive_some(CHUNK))
    except trio.BrokenResourceError:
        return b""


def _next_response(client: HttpClient, peer: str) -> Response | None:
    try:
        return client.next_response()
    except BadMessage as fault:
        raise RemoteProtocolError(f"{peer} did not answer in HTTP: {fault.message}") from fault


def _last_response(client: HttpClient, peer: str) -> Response:
    """What has arrived when the connection ends; less than a head is no answer."""
    try:
        response = client.next_response()
    except BadMessage:
        response = None
    if response is None:
        raise ConnectionLost(f"{peer} has cut the connection without an answer")
    return response
