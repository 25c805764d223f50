"""A new network connection of a Client: dialled, and about to send its handshake and CONNECT."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from mqttws.client.options import Options
from mqttws.codec import ConnAck, Connect
from mqttws.errors import ConnectionLost, MqttError
from mqttws.link import Link
from mqttws.session import Closed, Connection, Session
from mqttws.transport import Pump
from mqttws.vocabulary import Role
from mqttws.webpubsub import ClientAccessUrl

__all__ = ["connect_wire", "wipe"]


async def connect_wire(
    options: Options,
    address: ClientAccessUrl,
    headers: Sequence[tuple[str, str]],
    connect: Connect,
    session: Session | None,
) -> Pump:
    """Dial, and put a link on the stream that goes as far as CONNACK by itself once its pump runs.

    ``session`` is the one that the Client holds; its changes go to the options' store. Raises
    :class:`~mqttws.errors.ConnectionLost`, and for headers that HTTP forbids
    :class:`~mqttws.errors.LocalProtocolError`. The caller starts the pump's ``write`` without waiting for anything
    before: only that closes the stream.
    """
    deadlines = options.deadlines
    connection = Connection(
        Role.CLIENT,
        session=session,
        maximum_packet_size=options.maximum_packet_size,
        connect_timeout=deadlines.connack,
        ping_timeout=deadlines.ping,
    )
    link = Link.client(
        connection,
        host=address.authority,
        target=address.target,
        headers=headers,
        handshake_timeout=deadlines.handshake,
    )
    try:
        with trio.fail_after(deadlines.dial):
            stream = await options.dial(
                address.host, address.port, secure=address.secure, ssl_context=options.ssl_context
            )
    except trio.TooSlowError:
        raise ConnectionLost(f"no connection to {address.authority} within {deadlines.dial:g} seconds") from None
    now = trio.current_time()
    link.start(now)
    link.send(connect, now)
    return Pump(stream, link, store=options.store if session is not None else None)


async def wipe(
    options: Options, address: ClientAccessUrl, headers: Sequence[tuple[str, str]], connect: Connect
) -> None:
    """End a Session of before: 3.1.1 does that by connecting with CleanSession 1 [3.1.1: MQTT-3.1.2-6]."""
    pump = await connect_wire(options, address, headers, connect, None)
    error: MqttError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.write)
        while events := await pump.receive():
            for event in events:
                if isinstance(event, ConnAck):
                    pump.link.close(trio.current_time())
                    pump.flush()
                elif isinstance(event, Closed):
                    error = event.error
    if error is not None:
        raise error
