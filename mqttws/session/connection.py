"""One MQTT connection without I/O, for either role: bytes in, events out; packets in, bytes out.

The owner feeds :meth:`Connection.receive_data`, drains :meth:`Connection.events`, calls :meth:`Connection.send` and
:meth:`Connection.acknowledge`, writes what :meth:`Connection.data_to_send` gives, and comes back at
:meth:`Connection.next_deadline`. ``now`` is the owner's monotonic clock in seconds; the core has none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from mqttws.codec import Packet, PingReq, Publish
from mqttws.codec.properties import AckProperties
from mqttws.errors import (
    LocalProtocolError,
    MqttError,
    PeerSilent,
    ProtocolError,
    RemoteProtocolError,
    WireEnded,
    WireTruncated,
)
from mqttws.session.events import Event, KeepAliveExpired
from mqttws.session.lifecycle import RECEIVERS, SENDERS, Lifecycle
from mqttws.session.limits import Limits
from mqttws.session.session import Session
from mqttws.session.states import State
from mqttws.session.store import Change
from mqttws.vocabulary import ReasonCode, Role

__all__ = ["Connection"]

#: What a Client may send ahead of CONNACK, beyond one whole packet, before that is held against it; in bytes.
_SLACK = 65_536


class Connection(Lifecycle):
    """One Network Connection's worth of MQTT.

    ``version`` need not be given: CONNECT says it. ``session`` is the Session that a Client holds; without one,
    Session Present 1 is the Server's error [MQTT-3.2.2-4]; it may :meth:`attach` one later. A Server attaches one after
    CONNECT. Packets above
    ``maximum_packet_size`` bytes are refused at their header, in 3.1.1 too; in 5.0 say it to the peer as well. A Server
    gives up when CONNECT, a Client when CONNACK has not come within ``connect_timeout`` seconds; ``ping_timeout`` is
    that of :class:`~mqttws.session.keepalive.KeepAlive`. With ``topic_aliases`` messages get Topic Aliases by
    themselves, as far as the peer takes them; what :meth:`send` returns and ``Delivered`` names has none.

    Nothing the peer sends makes a method raise: its fault becomes the last event, ``Closed(error)``, and
    :meth:`data_to_send` still has our farewell.
    """

    # -- what the owner reads -------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether CONNACK with a code of 0 has passed and nothing has ended the connection since."""
        return self._exchanges is not None and not self.closed

    @property
    def session(self) -> Session:
        """The Session this connection works on."""
        return self._session

    @property
    def authenticating(self) -> bool:
        """Whether an exchange of AUTH is under way: no other may begin now."""
        return self._states.authentication_method is not None and self._authentication.under_way

    @property
    def limits(self) -> Limits:
        """What the peer allows us; the defaults until it has spoken."""
        return self._writer.limits

    @property
    def send_quota(self) -> int:
        """How many QoS 1 and 2 PUBLISH may be sent right now; 0 while old ones wait to be sent again."""
        return self._exchanges.send_quota if self._exchanges is not None and not self.closed else 0

    @property
    def strays(self) -> int:
        """Acknowledgements that came for identifiers not in use."""
        return self._exchanges.strays if self._exchanges is not None else 0

    @property
    def unfinished(self) -> bool:
        """Whether a packet has come in part."""
        return bool(self._framer.pending)

    @property
    def bytes_pending(self) -> int:
        """Bytes queued and not yet taken."""
        return self._outbox.size

    def __repr__(self) -> str:
        states = self._states.states
        return f"<Connection {self.role.value} {states[Role.CLIENT].name}/{states[Role.SERVER].name}>"

    # -- bytes and time -------------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """The wire is open; the time for CONNECT and CONNACK runs."""
        self._now = now
        self._connect_by = now + self._connect_timeout

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in what the peer has sent, in any portions. After the end it is thrown away."""
        if self.closed:
            return
        self._now = now
        self._framer.receive_data(data)
        if self._keep_alive is not None:
            self._keep_alive.heard(now)
        if self._awaits_owner and self._framer.pending > self._maximum_packet_size + _SLACK:
            self._fail(RemoteProtocolError("too much data before CONNACK", reason_code=ReasonCode.QUOTA_EXCEEDED))
        else:
            self._read()

    def receive_eof(self, now: float, error: MqttError | None = None) -> None:
        """The wire has ended; ``error`` says how, if its owner knows more than that.

        While a CONNECT waits for its answer that is not told yet: a Client need not wait for CONNACK, and what it has
        sent before it left counts once it is let in.
        """
        if self.closed:
            return
        self._now = now
        if error is None:
            if self.unfinished:
                error = WireTruncated("the connection ended without a DISCONNECT in the middle of a packet")
            else:
                error = WireEnded("the connection ended without a DISCONNECT")
        if self._awaits_owner:
            self._ended_by = error
        else:
            self._end(error)

    def events(self) -> list[Event]:
        """What has happened since the last call, in order."""
        happened = self._events.copy()
        self._events.clear()
        return happened

    def packets_to_send(self, now: float) -> list[bytes]:
        """All that is due, packet by packet."""
        packets = self._outbox.take()
        if packets and self._keep_alive is not None:
            self._keep_alive.sent(now)
        return packets

    def data_to_send(self, now: float) -> bytes:
        """All that is due as one bytes object; empty when there is nothing, or when it waits for :meth:`committed`."""
        return b"".join(self.packets_to_send(now))

    def changes(self) -> list[Change]:
        """What a durable Session has to store before the bytes that depend on it are given out."""
        return self._session.journal.changes()

    def committed(self) -> None:
        """What :meth:`changes` gave last is stored."""
        self._session.journal.committed()

    def next_deadline(self) -> float:
        """When to call :meth:`handle_deadline`; infinity when there is nothing to wait for."""
        if self.closed:
            return math.inf
        if self._keep_alive is not None:
            return self._keep_alive.deadline()
        # How long the answer to a CONNECT may take is a matter of whoever gives it.
        return math.inf if self._awaits_owner else self._connect_by

    def handle_deadline(self, now: float) -> None:
        """Send the ping, or give up on the peer. Before its time it does nothing."""
        if self.closed or now < self.next_deadline():
            return
        self._now = now
        if self._keep_alive is None:
            awaited = "CONNECT" if self.role is Role.SERVER else "CONNACK"
            self._end(PeerSilent(f"no {awaited} within {self._connect_timeout:g} seconds"))
        elif self._keep_alive.ping_is_due:
            self._ping(PingReq())
        else:
            self._events.append(KeepAliveExpired())
            self._farewell(ReasonCode.KEEP_ALIVE_TIMEOUT, {})
            if self.role is Role.SERVER:
                cause = "No packet has been received for 1.5 times the Keepalive time"
            else:
                cause = "no PINGRESP in time: the Server is gone"
            self._end(PeerSilent(cause))

    # -- what the owner does --------------------------------------------------------------------------------------

    def rest(self) -> None:
        """The owner stops reading the wire: no silence of the peer's ends the connection until :meth:`resume`.

        Pings go out on time all the same. Once the connection is open; before and after it does nothing.
        """
        if self._keep_alive is not None:
            self._keep_alive.rest()

    def resume(self, now: float) -> None:
        """The owner reads again. PINGRESP, if awaited, has its full time from now on."""
        if self._keep_alive is not None:
            self._keep_alive.resume(now)

    def attach(self, session: Session) -> None:
        """The Session to work on: before CONNECT by the Client, between CONNECT and CONNACK by the Server.

        A Server resumes it if its CONNACK says Session Present; a Client says that it holds it.
        """
        turn = State.ANSWERING if self.role is Role.SERVER else State.GREETING
        if self._states.states[self.role] is not turn:
            raise LocalProtocolError(
                "a Session is attached before CONNECT by the Client, between CONNECT and CONNACK by the Server"
            )
        self._session = session
        self._holds_session = True
        self._outbox.journal = session.journal

    def send(self, packet: Packet, now: float) -> Packet:
        """Queue a packet and return it as it was sent, with its Packet Identifier.

        ``packet_id`` None (PUBLISH) or 0 (SUBSCRIBE, UNSUBSCRIBE) asks for a free one. Acknowledgements and PINGRESP
        leave by themselves. Raises :class:`LocalProtocolError` where a rule, a limit of the peer or its Receive Maximum
        (:attr:`send_quota`) forbids it; nothing has changed then.
        """
        self._now = now
        kind = packet.packet_type
        self._states.check(self.role, kind)
        if kind in SENDERS:
            packet = SENDERS[kind](self, packet)
            self._read()  # a CONNACK lets in what the Client has sent ahead of it
            if self._ended_by is not None and self._may_read():
                self._end(self._ended_by)
            return packet
        if self._exchanges is None:
            raise LocalProtocolError(f"{kind.name} before CONNACK, which settles what may be sent")
        return self._exchanges.send(packet)

    def relay(self, publish: Publish, data: bytes, now: float) -> None:
        """Queue a QoS 0 message that goes to many and was encoded once: ``data`` are its bytes in this version.

        It gets no Topic Alias. Raises :class:`LocalProtocolError` where a limit of the peer forbids it, or the
        connection is not open; nothing has changed then.
        """
        self._now = now
        if self._exchanges is None or self.closed:
            raise LocalProtocolError("a message is relayed on an open connection only")
        self._exchanges.relay(publish, data)

    def acknowledge(self, publish: Publish, reason_code: int = 0, properties: Mapping[str, Any] | None = None) -> None:
        """The owner is done with a received message, whatever its QoS; call it once, in any order.

        PUBACK and PUBREC leave in the order of arrival [MQTT-4.6.0-2, -3]. A ``reason_code`` of 0x80 or above refuses
        the message in 5.0; 3.1.1 cannot say so. What belongs to a lost Session is passed over. After the connection's
        end the Session remembers it, so that a message sent again is answered and not delivered again.
        """
        if self._exchanges is None or self.closed:
            self._session.incoming.acknowledge(publish, reason_code, cast("AckProperties", dict(properties or {})))
            return
        try:
            self._exchanges.acknowledge(publish, reason_code, properties)
        except RemoteProtocolError as error:
            self._fail(error)

    def close(self, now: float, reason_code: int = 0, properties: Mapping[str, Any] | None = None) -> None:
        """End the connection: DISCONNECT, or the CONNACK that refuses, where version, role and state know one.

        ``Closed(None)`` is the last event. A ``reason_code`` that this role may not send becomes 0x80.
        """
        self._now = now
        if not self.closed:
            self._farewell(reason_code, dict(properties or {}))
            self._end(None)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _read(self) -> None:
        """Handle the packets that are complete, unless the owner has to answer CONNECT first [MQTT-3.1.4-6]."""
        if not self._may_read():
            return
        peer = self.role.peer
        check = self._states.check
        keep_alive = self._keep_alive
        try:
            for packet in self._framer.packets():
                kind = packet.packet_type
                check(peer, kind)
                if keep_alive is not None:
                    keep_alive.received(self._now)
                    keep_alive = None  # once is enough, all packets of a chunk come at the same time
                if kind in RECEIVERS:
                    RECEIVERS[kind](self, packet)
                    if not self._may_read():
                        return
                else:
                    assert self._exchanges is not None  # the state table lets none of these pass before CONNACK
                    self._exchanges.receive(packet)
        except ProtocolError as error:
            self._fail(error)

    def _may_read(self) -> bool:
        return not self.closed and not self._awaits_owner

    @property
    def _awaits_owner(self) -> bool:
        states = self._states
        return (
            self.role is Role.SERVER
            and states.states[Role.SERVER] is State.ANSWERING
            and states.authentication_method is None
        )
