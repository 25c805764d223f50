"""One Network Connection of a Client: dialled, about to send its handshake and CONNECT, open, and ended."""

from __future__ import annotations

import trio

from mqttws.client.access import Ticket
from mqttws.client.authentication import Conversation
from mqttws.client.options import Options
from mqttws.codec import ConnAck, Connect
from mqttws.codec.properties import DisconnectProperties
from mqttws.errors import DialFailed, MqttError
from mqttws.link import Link
from mqttws.session import Closed, Connection, Session
from mqttws.transport import Committer, Pump
from mqttws.transport.tap import tap
from mqttws.vocabulary import Role

__all__ = ["Wire", "dial_wire", "wipe"]


class Wire:
    """A pump, and how far its connection has come.

    ``accepted`` is set when the WebSocket is open, ``settled`` when CONNACK has let us in, and both at the latest when
    the connection ends; ``error`` says then why. ``ended`` is set when nothing of it is left, stream and tasks.
    """

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.link = pump.link
        self.connection = pump.link.connection
        self.accepted = trio.Event()
        self.settled = trio.Event()
        self.ended = trio.Event()
        #: Whether the WebSocket was ever open, so that CONNECT may have arrived.
        self.upgraded = False
        #: When CONNACK let us in; None before.
        self.opened_at: float | None = None
        self.error: Exception | None = None
        #: What is said with AUTH, None where the client has no authenticator.
        self.conversation: Conversation | None = None
        #: Whether the queues have been told that this connection is over.
        self.released = False
        #: Shields its two tasks from the caller's cancellation: somebody has to send the farewell.
        self.scope = trio.CancelScope(shield=True)

    def connect(self, packet: Connect, session: Session | None = None) -> None:
        """Send CONNECT, as soon as the handshake lets it; from now on this connection works on the Session."""
        if session is not None:
            self.connection.attach(session)
        self.link.send(packet, trio.current_time())
        self.pump.flush()

    def close(self, reason_code: int = 0, properties: DisconnectProperties | None = None) -> None:
        """Send the farewell, if it has come to anything; the tasks end by themselves then."""
        self.link.close(trio.current_time(), reason_code, properties)
        self.pump.flush()

    def fail(self, error: Exception | None) -> None:
        """The connection has ended, and this is the reason; the first one counts."""
        if self.error is None:
            self.error = error
        self.accepted.set()
        self.settled.set()
        if self.conversation is not None:
            self.conversation.end(self.error)


async def dial_wire(options: Options, ticket: Ticket, committer: Committer | None = None) -> Wire:
    """Dial, and put a link on the stream that goes as far as the WebSocket by itself once its pump runs.

    ``committer`` takes the changes of the Session to the store. Raises :class:`~mqttws.errors.ConnectionLost`, and for
    headers that HTTP forbids :class:`~mqttws.errors.LocalProtocolError`. The caller starts the pump's ``write`` without
    waiting for anything before: only that closes the stream.
    """
    deadlines, address = options.deadlines, ticket.address
    connection = Connection(
        Role.CLIENT,
        maximum_packet_size=options.maximum_packet_size,
        connect_timeout=deadlines.connack,
        ping_timeout=deadlines.ping,
        topic_aliases=options.topic_aliases,
    )
    link = Link.client(
        connection,
        host=address.authority,
        target=address.target,
        headers=(*options.headers, *ticket.headers),
        handshake_timeout=deadlines.handshake,
    )
    try:
        with trio.fail_after(deadlines.dial):
            stream = await options.dial(
                address.host, address.port, secure=address.secure, ssl_context=options.ssl_context
            )
    except trio.TooSlowError:
        raise DialFailed(f"no connection to {address.authority} within {deadlines.dial:g} seconds") from None
    stream = tap(stream, options.recorder, Role.CLIENT, url=str(address))
    link.start(trio.current_time())
    return Wire(Pump(stream, link, committer=committer))


async def wipe(options: Options, ticket: Ticket, connect: Connect) -> None:
    """End a Session of before: 3.1.1 does that by connecting with CleanSession 1 [3.1.1: MQTT-3.1.2-6]."""
    wire = await dial_wire(options, ticket)
    wire.connect(connect)
    pump = wire.pump
    error: MqttError | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.write)
        while events := await pump.receive():
            for event in events:
                if isinstance(event, ConnAck):
                    wire.close()
                elif isinstance(event, Closed):
                    error = event.error
    if error is not None:
        raise error
