"""What an application does with an open connection: publish, subscribe, iterate."""

from __future__ import annotations

from mqttws.client.dispatch import Counters
from mqttws.client.lifetime import Lifetime
from mqttws.client.publishing import Publishing
from mqttws.client.state import ClientState, StateChanges
from mqttws.client.subscribing import Subscribing
from mqttws.client.window import Window
from mqttws.codec import ConnAck, Publish
from mqttws.session import Limits
from mqttws.vocabulary import ProtocolVersion

__all__ = ["Client"]


class Client(Publishing, Subscribing):
    """An open connection to a Server; made by :func:`open_client`.

    All its calls may be cancelled at any point: what was sent stays sent, its exchange goes on by itself.
    """

    def __init__(self, life: Lifetime) -> None:
        Publishing.__init__(self, life)
        Subscribing.__init__(self, life)

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

    def __repr__(self) -> str:
        return f"<Client {self.client_id!r} {self.state.value}>"
