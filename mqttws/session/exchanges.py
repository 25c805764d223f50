"""What an open connection exchanges: messages at QoS 0, 1 and 2, and requests with their answers.

:class:`Exchanges` exists from CONNACK to the end of one connection and works on the Session that was attached to it. It
raises :class:`LocalProtocolError` for what we may not send, :class:`RemoteProtocolError` for what the peer may not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from mqttws.codec import (
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    encode,
)
from mqttws.codec.properties import AckProperties
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.session.aliases import GivenAliases, TopicAliases
from mqttws.session.events import Delivered, Event
from mqttws.session.flows import AWAITED
from mqttws.session.limits import Limits
from mqttws.session.session import Session
from mqttws.session.writer import PacketWriter
from mqttws.vocabulary import REASON_CODES, PacketType, ProtocolVersion, QoS, ReasonCode, Role

__all__ = ["Exchanges"]

_P = PacketType
_ANSWERS = {_P.SUBSCRIBE: _P.SUBACK, _P.UNSUBSCRIBE: _P.UNSUBACK}


class Exchanges:
    """The traffic of one open connection. ``own`` is what we announced, ``writer.limits`` what the peer did.

    With ``gives_aliases`` new messages get Topic Aliases as far as the peer takes them. Not those that are sent again:
    they may be on their way to a peer that never saw the packet which set the alias.
    """

    __slots__ = (
        "_announced",
        "_events",
        "_inbound",
        "_outbound",
        "_own",
        "_peer",
        "_requests",
        "_session",
        "_writer",
        "receivers",
        "strays",
    )

    def __init__(
        self,
        session: Session,
        writer: PacketWriter,
        own: Limits,
        events: list[Event],
        *,
        gives_aliases: bool,
    ) -> None:
        self._session = session
        self._writer = writer
        self._own = own
        self._peer = writer.role.peer
        self._events = events
        self._outbound = GivenAliases(writer.limits.topic_alias_maximum if gives_aliases else 0)
        self._inbound = TopicAliases()
        #: Requests of the Client that we have to answer: what with, and with how many codes.
        self._requests: dict[int, tuple[PacketType, int]] = {}
        #: Acknowledgements for identifiers that are not in use: passed over and counted.
        self.strays = 0

    # -- what we send ---------------------------------------------------------------------------------------------

    @property
    def send_quota(self) -> int:
        """How many QoS 1 and 2 messages may be sent now [MQTT-4.9.0-2].

        None before the old ones were sent again: as long as such wait, those that were sent fill the quota.
        """
        return max(0, self._writer.limits.receive_maximum - self._session.outgoing.sent)

    def send(self, packet: Packet) -> Packet:
        """Send a message, a request or its answer; the packet as it was sent."""
        sender = _SENDERS.get(packet.packet_type)
        if sender is None:
            raise LocalProtocolError(
                f"{packet.packet_type.name} leaves by itself; messages are answered through acknowledge()"
            )
        return sender(self, packet)

    def send_publish(self, packet: Publish) -> Publish:
        """Send a message; the packet as it was sent, with its Packet Identifier."""
        writer, outgoing = self._writer, self._session.outgoing
        writer.limits.check_publish(packet, writer.role, writer.version)
        topic = packet.topic or self._outbound.topic_of(packet)
        if not packet.qos:
            writer.outbox.append(self._encoded(packet))
            return packet
        if self.send_quota == 0:
            raise LocalProtocolError(
                f"{outgoing.sent} messages are under way; Receive Maximum is {writer.limits.receive_maximum}",
                reason_code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                statement="MQTT-3.3.4-7" if writer.role is Role.CLIENT else "MQTT-3.3.4-9",
            )
        packet_id = outgoing.new_id(packet.packet_id)
        sent = Publish(packet.topic, packet.payload, packet.qos, packet.retain, False, packet_id, packet.properties)
        data = self._encoded(sent)
        awaits = _P.PUBACK if packet.qos == QoS.AT_LEAST_ONCE else _P.PUBREC
        outgoing.begin(packet_id, awaits, self._without_alias(sent, topic))
        writer.outbox.append(data)
        return sent

    def relay(self, publish: Publish, data: bytes) -> None:
        """Send a QoS 0 message whose bytes are known."""
        writer = self._writer
        writer.limits.check_publish(publish, writer.role, writer.version)
        writer.limits.check_size(len(data), publish.packet_type.name, writer.role)
        writer.outbox.append(data)

    def _encoded(self, publish: Publish) -> bytes:
        """The bytes of a new message, with a Topic Alias of ours where that helps; what aliases it sets is known then.

        A message sent again carries its name, on this connection or the next: one that would be too large with it must
        not leave without it. Near the limit no alias is given, and the peer's limit is held against the whole name.
        """
        writer, outbound = self._writer, self._outbound
        short = outbound.shortened(publish)
        if short is not publish:
            data = encode(short, writer.version)
            if len(data) + 4 * len(publish.topic) + 8 <= writer.limits.maximum_packet_size:
                outbound.used(publish.topic)
                return data
        data = writer.encode(publish)
        if publish.properties:
            outbound.learn(publish)
        return data

    @staticmethod
    def _without_alias(publish: Publish, topic: str) -> Publish:
        """The message as it outlives the connection, which its Topic Alias does not [MQTT-3.3.2-7]."""
        if "topic_alias" not in publish.properties:
            return publish
        kept = publish.properties.copy()
        del kept["topic_alias"]
        return Publish(topic, publish.payload, publish.qos, publish.retain, publish.dup, publish.packet_id, kept)

    def send_request(self, packet: Subscribe | Unsubscribe) -> Subscribe | Unsubscribe:
        """Send SUBSCRIBE or UNSUBSCRIBE; ``packet_id`` 0 asks for a free identifier."""
        packet_id = self._session.outgoing.new_id(packet.packet_id or None)
        sent: Subscribe | Unsubscribe
        if isinstance(packet, Subscribe):
            self._writer.limits.check_subscribe(packet)
            sent = Subscribe(packet_id, packet.subscriptions, packet.properties)
            filters = len(sent.subscriptions)
        else:
            sent = Unsubscribe(packet_id, packet.topic_filters, packet.properties)
            filters = len(sent.topic_filters)
        self._writer.queue(sent)
        self._session.outgoing.begin(packet_id, _ANSWERS[packet.packet_type], None, filters)
        return sent

    def send_answer(self, packet: SubAck | UnsubAck) -> SubAck | UnsubAck:
        """Send the SUBACK or UNSUBACK to a request that came in [MQTT-3.8.4-2, MQTT-3.10.4-5]."""
        wanted, filters = self._requests.get(packet.packet_id, (None, 0))
        if wanted is not packet.packet_type:
            raise LocalProtocolError(
                f"{packet.packet_type.name} for packet identifier {packet.packet_id}, which asks for none",
                statement="MQTT-2.2.1-6",
            )
        if len(packet.reason_codes) != filters and not self._codeless(packet.packet_type):
            raise LocalProtocolError(
                f"{len(packet.reason_codes)} reason codes for {filters} Topic Filters",
                statement="MQTT-3.8.4-6" if packet.packet_type is _P.SUBACK else "MQTT-3.11.3-1",
            )
        self._writer.queue(packet)
        del self._requests[packet.packet_id]
        return packet

    def _codeless(self, kind: PacketType) -> bool:
        """UNSUBACK has no payload in 3.1.1."""
        return kind is _P.UNSUBACK and self._writer.version is ProtocolVersion.V3_1_1

    # -- acknowledgements we owe ----------------------------------------------------------------------------------

    def acknowledge(self, publish: Publish, reason_code: int, properties: Mapping[str, Any] | None) -> None:
        """The owner is done with a message: PUBACK or PUBREC leaves when those of earlier messages have left."""
        if publish.qos == QoS.AT_MOST_ONCE:
            return
        said = cast("AckProperties", dict(properties)) if properties else None
        if reason_code and reason_code not in REASON_CODES[_P.PUBACK][self._writer.role]:
            raise LocalProtocolError(f"PUBACK and PUBREC have no reason code 0x{reason_code:02X}")
        if said:
            encode(PubAck(1, reason_code, said))  # checked before anything changes
        self._session.incoming.acknowledge(publish, reason_code, said)
        self.flush_acknowledgements()

    def flush_acknowledgements(self) -> None:
        """Queue every PUBACK and PUBREC whose turn it is [MQTT-4.6.0-2, -3]."""
        while (exchange := self._session.incoming.due()) is not None:
            # 3.1.1 cannot say that a message was refused: it is acknowledged all the same [3.1.1: MQTT-3.3.5-2].
            mute = self._writer.version is ProtocolVersion.V3_1_1
            answer = PubAck if exchange.qos == QoS.AT_LEAST_ONCE else PubRec
            if mute:
                self._writer.answer(answer(exchange.packet_id))
            else:
                self._writer.answer(answer(exchange.packet_id, exchange.reason_code, exchange.properties or {}))

    # -- resuming -------------------------------------------------------------------------------------------------

    def resume(self) -> int:
        """Go on with the exchanges of the Session [MQTT-4.4.0-1]: PUBREL at once, PUBLISH as the quota allows."""
        released = self._session.resume()
        for packet_id in released:
            self._writer.answer(PubRel(packet_id))
        resent = len(self._session.outgoing)
        self._resend()
        return resent

    def _resend(self) -> None:
        outgoing, writer = self._session.outgoing, self._writer
        while outgoing.resending and outgoing.sent < writer.limits.receive_maximum:
            kept = outgoing.next_resend()
            assert kept.packet_id is not None  # it was stored with its identifier
            again = Publish(kept.topic, kept.payload, kept.qos, kept.retain, True, kept.packet_id, kept.properties)
            try:
                writer.limits.check_publish(again, writer.role, writer.version)
                writer.queue(again)
            except LocalProtocolError as error:
                # The peer's limits have shrunk since; what may not be sent is given up and reported [MQTT-3.1.2-25].
                outgoing.end(kept.packet_id)
                self._events.append(Delivered(kept.packet_id, error.reason_code, {}, kept))

    # -- what the peer sends --------------------------------------------------------------------------------------

    def receive(self, packet: Packet) -> None:
        """Take in a packet that the state table has let pass."""
        _RECEIVERS[packet.packet_type](self, packet)

    def on_publish(self, packet: Publish) -> None:
        """A message comes in; a new one becomes an event."""
        self._own.check_publish(packet, self._peer, self._writer.version)
        if "topic_alias" in packet.properties:
            topic = self._inbound.topic_of(packet)
            self._inbound.learn(packet)
            packet = self._without_alias(packet, topic)
        if not packet.qos:
            self._events.append(packet)
            return
        incoming = self._session.incoming
        is_new = incoming.receive(packet)
        if len(incoming) > self._own.receive_maximum:
            raise RemoteProtocolError(
                f"more than {self._own.receive_maximum} QoS 1 and 2 messages under way",
                reason_code=ReasonCode.RECEIVE_MAXIMUM_EXCEEDED,
                statement="MQTT-3.3.4-9" if self._peer is Role.SERVER else "MQTT-3.3.4-7",
                version=self._writer.version,
            )
        if is_new:
            self._events.append(packet)
        else:
            self.flush_acknowledgements()

    def on_acknowledgement(self, packet: PubAck | PubRec | PubComp) -> None:
        """PUBACK, PUBREC or PUBCOMP for a message of ours."""
        kind, packet_id = packet.packet_type, packet.packet_id
        outgoing = self._session.outgoing
        exchange = outgoing.get(packet_id)
        if exchange is None:
            self._on_stray(kind, packet_id)
            return
        awaited = AWAITED[exchange.awaits]
        if kind not in awaited or exchange.publish is None or outgoing.waits_for_resend(packet_id):
            raise RemoteProtocolError(
                f"{kind.name} for packet identifier {packet_id}, which waits for {exchange.awaits.name}",
                statement="MQTT-2.2.1-5",
                version=self._writer.version,
            )
        if kind is not _P.PUBCOMP:
            exchange.reason_code, exchange.properties = packet.reason_code, packet.properties
        if awaited[kind] is None or packet.reason_code >= 0x80:
            outgoing.end(packet_id)
            self._events.append(Delivered(packet_id, exchange.reason_code, exchange.properties, exchange.publish))
            self._resend()
        else:
            outgoing.release(packet_id)
            self._writer.answer(PubRel(packet_id))

    def _on_stray(self, kind: PacketType, packet_id: int) -> None:
        self.strays += 1
        if kind is _P.PUBREC:
            # The peer remembers what we do not: PUBREL lets it forget (5.0: 3.6.2.1).
            unknown = ReasonCode.PACKET_IDENTIFIER_NOT_FOUND if self._writer.version is ProtocolVersion.V5 else 0
            self._writer.answer(PubRel(packet_id, unknown))

    def on_pubrel(self, packet: PubRel) -> None:
        """The peer has our PUBREC; its identifier is free again."""
        known = self._session.incoming.release(packet.packet_id)
        unknown = (
            0 if known or self._writer.version is ProtocolVersion.V3_1_1 else ReasonCode.PACKET_IDENTIFIER_NOT_FOUND
        )
        self._writer.answer(PubComp(packet.packet_id, unknown))

    def on_request(self, packet: Subscribe | Unsubscribe) -> None:
        """SUBSCRIBE or UNSUBSCRIBE from the Client: the owner answers."""
        if packet.packet_id in self._requests:
            raise RemoteProtocolError(
                f"{packet.packet_type.name} with packet identifier {packet.packet_id}, which is in use",
                statement="MQTT-2.2.1-3",
                version=self._writer.version,
            )
        filters = packet.subscriptions if isinstance(packet, Subscribe) else packet.topic_filters
        self._requests[packet.packet_id] = (_ANSWERS[packet.packet_type], len(filters))
        self._events.append(packet)

    def on_answer(self, packet: SubAck | UnsubAck) -> None:
        """SUBACK or UNSUBACK from the Server."""
        exchange = self._session.outgoing.get(packet.packet_id)
        if exchange is None or exchange.awaits is not packet.packet_type:
            raise RemoteProtocolError(
                f"{packet.packet_type.name} for packet identifier {packet.packet_id}, which waits for none",
                statement="MQTT-2.2.1-6",
                version=self._writer.version,
            )
        if len(packet.reason_codes) != exchange.filters and not self._codeless(packet.packet_type):
            raise RemoteProtocolError(
                f"{len(packet.reason_codes)} reason codes for {exchange.filters} Topic Filters",
                statement="MQTT-3.8.4-6" if packet.packet_type is _P.SUBACK else "MQTT-3.11.3-1",
                version=self._writer.version,
            )
        self._session.outgoing.end(packet.packet_id)
        self._events.append(packet)


_SENDERS: dict[PacketType, Callable[[Exchanges, Any], Packet]] = {
    _P.PUBLISH: Exchanges.send_publish,
    _P.SUBSCRIBE: Exchanges.send_request,
    _P.UNSUBSCRIBE: Exchanges.send_request,
    _P.SUBACK: Exchanges.send_answer,
    _P.UNSUBACK: Exchanges.send_answer,
}

_RECEIVERS: dict[PacketType, Callable[[Exchanges, Any], None]] = {
    _P.PUBLISH: Exchanges.on_publish,
    _P.PUBACK: Exchanges.on_acknowledgement,
    _P.PUBREC: Exchanges.on_acknowledgement,
    _P.PUBCOMP: Exchanges.on_acknowledgement,
    _P.PUBREL: Exchanges.on_pubrel,
    _P.SUBSCRIBE: Exchanges.on_request,
    _P.UNSUBSCRIBE: Exchanges.on_request,
    _P.SUBACK: Exchanges.on_answer,
    _P.UNSUBACK: Exchanges.on_answer,
}
