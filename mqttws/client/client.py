"""What an application does with an open connection: publish, subscribe, iterate."""

from __future__ import annotations

from mqttws.client.asking import Asking
from mqttws.client.dispatch import Counters
from mqttws.client.state import ClientState, StateChanges
from mqttws.client.window import Window
from mqttws.codec import ConnAck, Disconnect, Publish, encode
from mqttws.codec.properties import DisconnectProperties
from mqttws.errors import LocalProtocolError
from mqttws.session import Limits
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Client"]


class Client(Asking):
    """An open connection to a Server; made by :func:`open_client`.

    All its calls may be cancelled at any point: what was sent stays sent, its exchange goes on by itself.
    """

    @property
    def state(self) -> ClientState:
        """Where the client is; inside the block OPEN, or RECONNECTING while there is no connection."""
        return self._life.state

    async def wait_for(self, *states: ClientState) -> ClientState:
        """Wait until the client is in one of ``states`` and return it; CLOSED as well, since nothing follows it."""
        return await self._life.watch.wait_for(*states)

    def state_changes(self) -> StateChanges:
        """Iterate over the present state and each new one: ``async for state in client.state_changes()``.

        Ends after CLOSED. Whoever is slow gets the newest state and misses those between.
        """
        return StateChanges(self._life.watch)

    @property
    def client_id(self) -> str:
        """The Client Identifier, also where the Server has assigned it."""
        return self._life.connection.client_id

    @property
    def version(self) -> ProtocolVersion:
        """The protocol version spoken."""
        return self._life.options.version

    @property
    def session_present(self) -> bool:
        """Whether the Server resumed a Session: what was subscribed in it still is."""
        return self.connack.session_present

    @property
    def connack(self) -> ConnAck:
        """The Server's answer to CONNECT, with its properties."""
        connack = self._life.connection.connack
        assert connack is not None  # the block is entered after it
        return connack

    @property
    def limits(self) -> Limits:
        """What the Server takes; beyond it calls raise :class:`~mqttws.errors.LocalProtocolError` and send nothing."""
        return self._life.connection.limits

    @property
    def lost(self) -> tuple[Publish, ...]:
        """QoS 2 messages of an earlier process, from the ``store``, of which a lost Session leaves no outcome.

        Whether the Server took them cannot be learned. Those of QoS 1 are sent again as new messages, and so are these
        with ``resend_qos2``. What this process has published is told by its receipts.
        """
        return self._life.outgoing.lost

    @property
    def counters(self) -> Counters:
        """Received messages that are held back or were dropped."""
        return self._life.dispatcher.counters

    @property
    def unfinished(self) -> int:
        """Published messages without an outcome: QoS 1 and 2 until their exchange ends, QoS 0 while they wait."""
        return len(self._life.outgoing)

    @property
    def dropped(self) -> int:
        """QoS 0 messages that were published and made room for others, with ``when_full="drop_oldest_qos0"``."""
        return self._life.outgoing.dropped

    @property
    def window(self) -> Window:
        """How much the Server may still send unacknowledged, and which streams hold it up."""
        life = self._life
        return Window(
            len(life.connection.session.incoming),
            life.options.receive_maximum,
            life.dispatcher.counters.held_bytes,
            life.window_bytes,
            life.dispatcher.holders(),
        )

    @property
    def farewell(self) -> DisconnectProperties:
        """Properties for the DISCONNECT with which the block is left; only 5.0 has any.

        Setting it raises :class:`~mqttws.errors.LocalProtocolError` for what does not belong there, such as a Session
        Expiry Interval for a Session that was to end with the connection.
        """
        return self._life.farewell

    @farewell.setter
    def farewell(self, properties: DisconnectProperties) -> None:
        encode(Disconnect(0, properties))
        if properties.get("session_expiry_interval") and not self._life.options.session_expiry_interval:
            raise LocalProtocolError("a Session whose expiry was 0 at CONNECT cannot be kept by DISCONNECT")
        self._life.farewell = properties

    async def reauthenticate(self) -> None:
        """Authenticate again on the open connection (5.0: 4.12.1); returns when Server and authenticator are content.

        While there is no connection it waits for one, which authenticates by itself. Where the authenticator has
        nothing to begin with, it raises :class:`~mqttws.errors.AuthenticationFailed` and nothing was said; any later
        failure ends the client, and is raised here as everywhere. Cancelled, the exchange goes on by itself.
        """
        life = self._life
        life.check_open()
        conversation = life.wire.conversation
        if conversation is None:
            raise LocalProtocolError("a client without an authenticator has nothing to authenticate again with")
        if life.state is ClientState.RECONNECTING:
            await life.watch.wait_for(ClientState.OPEN)
            life.check_open()
        else:
            await conversation.repeat()

    def __repr__(self) -> str:
        return f"<Client {self.client_id!r} {self.state.value}>"
