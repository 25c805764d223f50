"""A small Server that follows both standards, in process: the subject that has to pass every check.

Built on the core alone, so it shares no line with the endpoint. :class:`ReferenceServer` serves byte streams; each rule
that the core leaves to its owner is a small method here, in :class:`Visit` or in the Broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import trio

from mqttws.codec import Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe
from mqttws.codec.properties import AuthProperties
from mqttws.conformance.wrong.broker import Broker
from mqttws.conformance.wrong.member import Member, Message
from mqttws.conformance.wrong.scram import METHOD, Scram
from mqttws.link import Link, LinkEvent, Upgrade
from mqttws.session import Closed, Connection, Delivered
from mqttws.topics import has_wildcard, is_shared
from mqttws.transport import Pump
from mqttws.vocabulary import QOS, ConnectReturnCode, ProtocolVersion, ReasonCode, Role

__all__ = ["LIMITED", "Offer", "ReferenceServer", "Visit"]

#: Bytes of a packet in 3.1.1, which cannot say a limit.
_LARGEST: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Offer:
    """What a Server lets its Clients have.

    ``limits`` are properties of CONNACK. Without ``accounts`` everybody is let in; with them, one gets in
    by name and password, or by SCRAM-SHA-256. A Keep Alive above ``keep_alive``
    seconds, or none, is replaced by that, and so is a longer Session Expiry Interval by ``session_expiry``.
    """

    limits: Mapping[str, Any] = field(
        default_factory=lambda: {"receive_maximum": 20, "topic_alias_maximum": 10, "maximum_packet_size": 262_144}
    )
    accounts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    keep_alive: int | None = None
    session_expiry: int = 86_400


#: A Server that lets its Clients have little.
LIMITED: Final = Offer(
    {
        "receive_maximum": 3, "maximum_qos": 1, "retain_available": 0, "maximum_packet_size": 65_536,
        "wildcard_subscription_available": 0, "subscription_identifier_available": 0,
        "shared_subscription_available": 0,
    },
    keep_alive=30,
    session_expiry=0,
)  # fmt: skip


class ReferenceServer:
    """Serves any number of byte streams; :meth:`Broker.tend` of its Broker has to run meanwhile."""

    def __init__(self, offer: Offer | None = None) -> None:
        self.offer = offer or Offer()
        self.broker = Broker()
        #: What handles a connection.
        self.visit_type: type[Visit] = Visit
        self._numbers = count(1)

    async def serve(self, stream: trio.abc.Stream) -> None:
        """One connection, to its end."""
        connection = Connection(Role.SERVER, maximum_packet_size=_LARGEST, topic_aliases=True)
        pump = Pump(stream, Link.server(connection), send_timeout=30.0)
        visit = self.visit_type(self, pump)
        pump.link.start(trio.current_time())
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pump.write)
            try:
                while events := await pump.receive():
                    for event in events:
                        visit.handle(event)
                    pump.flush()
            finally:
                visit.leave()

    def new_client_id(self) -> str:
        """For a Client that has none."""
        return f"assigned{next(self._numbers)}"


class Visit:
    """One connection at the Server."""

    def __init__(self, server: ReferenceServer, pump: Pump) -> None:
        self.server = server
        self.broker = server.broker
        self.pump = pump
        self.link = pump.link
        self.connection = pump.link.connection
        self.member: Member | None = None
        self.scram = Scram(server.offer.accounts, server.new_client_id())
        self._with_will = True

    @property
    def is_v5(self) -> bool:
        """Whether 5.0 is spoken."""
        return self.connection.version == ProtocolVersion.V5

    def handle(self, event: LinkEvent) -> None:
        """Do what follows from an event."""
        match event:
            case Upgrade():
                self.knock(event)
            case Connect():
                self.connect(event)
            case Auth():
                self.prove(event)
            case Closed():
                self.leave()
            case Disconnect():
                self._with_will = self.keeps_will(event)
        if self.member is None:
            return
        match event:
            case Publish():
                self.publish(event, self.member)
            case Subscribe():
                self.subscribe(event, self.member)
            case Unsubscribe():
                self.unsubscribe(event, self.member)
            case Delivered():
                self.member.flush()

    # -- coming -----------------------------------------------------------------------------------------------------

    def knock(self, upgrade: Upgrade) -> None:
        """Let a WebSocket in that is for MQTT [MQTT-6.0.0-3, -4]."""
        now = trio.current_time()
        if "mqtt" in upgrade.subprotocols:
            self.link.accept(now)
        else:
            self.link.reject(now, 400, (), b"the WebSocket subprotocol has to be mqtt\n")

    def connect(self, packet: Connect) -> None:
        """Answer a CONNECT."""
        reason_code = self.judge(packet)
        if reason_code:
            self.send(ConnAck(False, reason_code))
        elif "authentication_method" in packet.properties and self.server.offer.accounts:
            challenge = self.scram.challenge(packet.properties.get("authentication_data", b""))
            self.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, proof(challenge)))
        else:
            self.welcome(packet)

    def prove(self, packet: Auth) -> None:
        """Judge the answer to a challenge, at first or later on [MQTT-4.12.0-4, MQTT-4.12.1-2]."""
        data = packet.properties.get("authentication_data", b"")
        if packet.reason_code == ReasonCode.RE_AUTHENTICATE:
            self.scram = Scram(self.server.offer.accounts, self.server.new_client_id())
            self.send(Auth(ReasonCode.CONTINUE_AUTHENTICATION, proof(self.scram.challenge(data))))
            return
        said = self.scram.verify(data)
        if self.member is not None:
            failed = Disconnect(ReasonCode.NOT_AUTHORIZED)
            self.send(failed if said is None else Auth(ReasonCode.SUCCESS, proof(said)))
        elif said is None:
            self.send(ConnAck(False, ReasonCode.NOT_AUTHORIZED))
        else:
            connect = self.connection.connect
            assert connect is not None  # there is no AUTH before it
            self.welcome(connect, proof(said))

    def welcome(self, packet: Connect, said: AuthProperties | None = None) -> None:
        """Let a Client in; ``said`` is what it is told in the end of an authentication."""
        if self.connection.closed:
            return  # by what came behind the last AUTH
        key = self.key_of(packet)
        self.take_over(key)
        member, present = self.broker.join(key, packet.version, clean=packet.clean_start)
        self.connection.attach(member.session)
        self.member = member
        member.attach(self.pump)
        if packet.will is not None:
            member.will, member.will_delay = self.broker.will_of(packet.will, key)
        self.send(ConnAck(present, 0, self.properties_for(packet, key) | (said or {})))
        member.flush()

    def send(self, packet: Packet) -> None:
        """Answer, unless the connection has ended behind the question."""
        if not self.connection.closed:
            self.link.send(packet, trio.current_time())

    def key_of(self, packet: Connect) -> str:
        """The Client Identifier: its own, or a new one that nobody else has [MQTT-3.1.3-2, -6]."""
        return packet.client_id or self.server.new_client_id()

    def judge(self, packet: Connect) -> int:
        """The reason not to let a Client in, 0 for none; in 3.1.1 the return code."""
        accounts = self.server.offer.accounts
        if "authentication_method" in packet.properties:
            known = accounts and packet.properties["authentication_method"] == METHOD
            return 0 if known else ReasonCode.BAD_AUTHENTICATION_METHOD  # MQTT-4.12.0-1
        if accounts and (packet.username is None or accounts.get(packet.username) != packet.password):
            if packet.version == ProtocolVersion.V5:
                return ReasonCode.BAD_USER_NAME_OR_PASSWORD
            return ConnectReturnCode.BAD_USER_NAME_OR_PASSWORD
        will, limits = packet.will, self.server.offer.limits
        if will is not None and packet.version == ProtocolVersion.V5:
            if will.qos > limits.get("maximum_qos", 2):
                return ReasonCode.QOS_NOT_SUPPORTED  # MQTT-3.2.2-12
            if will.retain and not limits.get("retain_available", 1):
                return ReasonCode.RETAIN_NOT_SUPPORTED  # MQTT-3.2.2-13
        return 0

    def take_over(self, key: str) -> None:
        """End the connection that the same Client has elsewhere [MQTT-3.1.4-3; 3.1.1: -2]."""
        known = self.broker.members.get(key)
        if known is not None and known.link is not None:
            other = known.link
            other.close(trio.current_time(), ReasonCode.SESSION_TAKEN_OVER)
            known.flush()
            self.broker.leave(known, other.connection.session_expiry_interval, with_will=True)

    def properties_for(self, packet: Connect, key: str) -> Any:
        """Those of the CONNACK that lets a Client in."""
        if packet.version == ProtocolVersion.V3_1_1:
            return {}
        offer = self.server.offer
        said: dict[str, Any] = dict(offer.limits)
        if not packet.client_id:
            said["assigned_client_identifier"] = key
        if offer.keep_alive is not None and not 0 < packet.keep_alive <= offer.keep_alive:
            said["server_keep_alive"] = offer.keep_alive
        if packet.properties.get("session_expiry_interval", 0) > offer.session_expiry:
            said["session_expiry_interval"] = offer.session_expiry
        if packet.properties.get("request_response_information"):
            said["response_information"] = f"replies/{key}"
        return said

    # -- messages ---------------------------------------------------------------------------------------------------

    def publish(self, packet: Publish, member: Member) -> None:
        """Pass a message on, then acknowledge it."""
        self.broker.publish(Message.of(packet, member.key, trio.current_time()))
        self.link.acknowledge(packet)

    def subscribe(self, packet: Subscribe, member: Member) -> None:
        """Take subscriptions in, answer, and send what is retained for them."""
        identifier = packet.properties.get("subscription_identifier")
        codes, made = [], []
        for options in packet.subscriptions:
            code = self.grant(options.topic_filter, options.qos, identified=identifier is not None)
            codes.append(code)
            if code < 0x80:
                options.qos = QOS[code]
                made.append((options, self.broker.subscribe(member, options, identifier)))
        self.send(SubAck(packet.packet_id, codes))
        for options, is_new in made:
            self.broker.send_retained(member, options, is_new=is_new)

    def grant(self, topic_filter: str, qos: int, *, identified: bool) -> int:
        """The code for one subscription: the QoS that it gets, or why it gets none [MQTT-3.8.4-7]."""
        limits = self.server.offer.limits
        refused: int = 0
        if has_wildcard(topic_filter) and not limits.get("wildcard_subscription_available", 1):
            refused = ReasonCode.WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED
        elif is_shared(topic_filter) and not limits.get("shared_subscription_available", 1):
            refused = ReasonCode.SHARED_SUBSCRIPTIONS_NOT_SUPPORTED
        elif identified and not limits.get("subscription_identifier_available", 1):
            refused = ReasonCode.SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED
        if refused:
            return refused if self.is_v5 else 0x80
        return min(qos, int(limits.get("maximum_qos", 2)))

    def unsubscribe(self, packet: Unsubscribe, member: Member) -> None:
        """Drop subscriptions and answer [MQTT-3.10.4-4, -5, -6]."""
        known = [self.broker.unsubscribe(member, topic_filter) for topic_filter in packet.topic_filters]
        codes = [0 if one else int(ReasonCode.NO_SUBSCRIPTION_EXISTED) for one in known]
        self.send(UnsubAck(packet.packet_id, codes if self.is_v5 else []))

    # -- going ------------------------------------------------------------------------------------------------------

    def keeps_will(self, packet: Disconnect) -> bool:
        """Whether the Will is still to be published behind a DISCONNECT [MQTT-3.14.4-3; 3.1.1: MQTT-3.1.2-10]."""
        return packet.reason_code != ReasonCode.NORMAL_DISCONNECTION

    def leave(self) -> None:
        """The connection is over, in whatever way, unless it was taken over before."""
        member, self.member = self.member, None
        if member is not None and member.link is self.link:
            self.broker.leave(member, self.connection.session_expiry_interval, with_will=self._with_will)


def proof(data: bytes) -> AuthProperties:
    """What an AUTH, or the CONNACK that ends an authentication, says."""
    return AuthProperties(authentication_method=METHOD, authentication_data=data)
