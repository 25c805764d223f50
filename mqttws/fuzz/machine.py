"""Whole connections: packets of both ends in an order that both may keep, with the identifiers that belong to them.

:func:`conversation` plays both ends by the choices of a source: CONNECT, authentication, CONNACK, then requests,
messages and their acknowledgements within the limits that the two have announced, and perhaps a DISCONNECT.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
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
from mqttws.fuzz import grammar
from mqttws.fuzz.sources import Source
from mqttws.session.limits import Limits
from mqttws.topics import has_wildcard, is_shared
from mqttws.vocabulary import QOS, REASON_CODES, PacketType, QoS, ReasonCode, Role

__all__ = ["Step", "conversation"]

_P = PacketType
#: What a Server may send with a Reason String to a Client that has asked for no problem information [MQTT-3.1.2-29].
_OUTSPOKEN: Final = (ConnAck, Publish, Disconnect)
#: Bytes. A Server need not take more from somebody it does not know yet.
_LARGEST_CONNECT: Final = 65_000


class Step(NamedTuple):
    """One packet of a conversation and the end that sends it."""

    sender: Role
    packet: Packet


@dataclass(slots=True)
class _End:
    """What one end has under way as a sender, and what it owes as a receiver."""

    limits: Limits  # what it allows the other one
    in_use: set[int] = field(default_factory=set)
    under_way: int = 0
    aliases: dict[int, str] = field(default_factory=dict)
    owes: deque[Packet] = field(default_factory=deque)


class _Play:
    def __init__(self, source: Source, version: int) -> None:
        self.source = source
        self.version = version
        self.steps: list[Step] = []
        self.wanted: list[tuple[str, QoS, int | None]] = []  # topic, granted QoS, Subscription Identifier
        self.over = False

    # -- opening

    def open(self) -> None:
        """CONNECT, AUTH where a method is named, CONNACK."""
        source = self.source
        connect = grammar.connect(source, self.version, Role.CLIENT)
        while len(encode(connect)) > _LARGEST_CONNECT:
            connect = grammar.connect(source, self.version, Role.CLIENT)
        said: Any = connect.properties
        method = said.get("authentication_method")
        connack = self._connack(connect, method)
        if len(encode(connack, self.version)) > said.get("maximum_packet_size", 1 << 28):
            del said["maximum_packet_size"]
        self.terse = said.get("request_problem_information") == 0
        self.method = method
        self.expires = bool(said.get("session_expiry_interval"))
        self.ends = {Role.CLIENT: _End(Limits.announced_in(connect)), Role.SERVER: _End(Limits())}
        self._say(Role.CLIENT, connect)
        if method is not None:
            for _ in range(source.draw(2)):
                if self._say(Role.SERVER, self._auth(Role.SERVER, ReasonCode.CONTINUE_AUTHENTICATION)):
                    self._say(Role.CLIENT, self._auth(Role.CLIENT, ReasonCode.CONTINUE_AUTHENTICATION))
        self._say(Role.SERVER, connack)
        self.ends[Role.SERVER].limits = Limits.announced_in(connack)
        self.over = connack.reason_code != 0

    def _connack(self, connect: Connect, method: str | None) -> ConnAck:
        connack = grammar.connack(self.source, self.version, Role.SERVER)
        connack.session_present = False  # a new Session
        if not self.source.rarely(16):
            connack.reason_code = 0
        said: Any = connack.properties
        for name in ("assigned_client_identifier", "authentication_method", "authentication_data"):
            said.pop(name, None)
        if connect.properties.get("request_response_information", 0) == 0:
            said.pop("response_information", None)
        if self.version == 5 and not connect.client_id:
            said["assigned_client_identifier"] = "assigned"
        if method is not None:
            said["authentication_method"] = method
        return connack

    def _auth(self, sender: Role, code: ReasonCode) -> Auth:
        auth = grammar.BUILDERS[_P.AUTH](self.source, 5, sender)
        assert isinstance(auth, Auth)
        auth.reason_code = code
        auth.properties["authentication_method"] = self.method or ""
        return auth

    # -- traffic

    def step(self) -> None:
        """One more packet, or none if the one that was chosen may not be sent now."""
        sender = self.source.choice((Role.CLIENT, Role.SERVER))
        end = self.ends[sender]
        if end.owes and self.source.draw(2):
            self._settle(sender, end.owes.popleft())
        elif sender is Role.SERVER:
            self._publish(sender)
        else:
            match self.source.draw(7):
                case 0:
                    self._ask(PingReq())
                case 1 | 2:
                    self._subscribe()
                case 3:
                    self._unsubscribe()
                case 4 if self.method is not None and not any(
                    isinstance(owed, Auth) for owed in self.ends[Role.SERVER].owes
                ):
                    self._ask(self._auth(Role.CLIENT, ReasonCode.RE_AUTHENTICATE))
                case _:
                    self._publish(sender)

    def close(self) -> None:
        """DISCONNECT from either end, or nothing."""
        sender = self.source.choice((Role.CLIENT, Role.SERVER))
        if self.over or self.source.boolean() or (self.version == 4 and sender is Role.SERVER):
            return
        disconnect = grammar.disconnect(self.source, self.version, sender)
        if sender is Role.CLIENT and not self.expires:
            disconnect.properties.pop("session_expiry_interval", None)
        self._say(sender, disconnect)

    def _say(self, sender: Role, packet: Packet) -> bool:
        """Send a packet unless it is larger than the other end takes."""
        properties: Any = getattr(packet, "properties", {})
        if self.terse and sender is Role.SERVER and not isinstance(packet, _OUTSPOKEN):
            properties.pop("reason_string", None)
            properties.pop("user_property", None)
        if len(encode(packet, self.version)) > self.ends[sender.peer].limits.maximum_packet_size:
            return False
        self.steps.append(Step(sender, packet))
        return True

    def _ask(self, packet: PingReq | Auth | Subscribe | Unsubscribe) -> None:
        """Something that the Server owes an answer to."""
        if self._say(Role.CLIENT, packet):
            self.ends[Role.SERVER].owes.append(packet)

    def _new_id(self, sender: Role) -> int:
        in_use = self.ends[sender].in_use
        packet_id = self.source.integer(1, 65_535)
        while packet_id in in_use:
            packet_id = packet_id % 65_535 + 1
        return packet_id

    def _subscribe(self) -> None:
        packet = grammar.subscribe(self.source, self.version, Role.CLIENT)
        packet.packet_id = self._new_id(Role.CLIENT)
        limits = self.ends[Role.SERVER].limits
        filters = [each.topic_filter for each in packet.subscriptions]
        if (not limits.wildcard_subscription_available and any(map(has_wildcard, filters))) or (
            not limits.shared_subscription_available and any(map(is_shared, filters))
        ):
            return
        if not limits.subscription_identifiers_available:
            packet.properties.pop("subscription_identifier", None)
        self._request(packet)

    def _unsubscribe(self) -> None:
        packet = grammar.unsubscribe(self.source, self.version, Role.CLIENT)
        packet.packet_id = self._new_id(Role.CLIENT)
        self._request(packet)

    def _request(self, packet: Subscribe | Unsubscribe) -> None:
        before = len(self.steps)
        self._ask(packet)
        if len(self.steps) > before:
            self.ends[Role.CLIENT].in_use.add(packet.packet_id)

    def _publish(self, sender: Role) -> None:
        """A message: to any topic from the Client, to one that was subscribed to from the Server."""
        source, end, other = self.source, self.ends[sender], self.ends[sender.peer]
        packet = grammar.publish(source, self.version, sender)
        said: Any = packet.properties
        said.pop("subscription_identifier", None)
        most = other.limits.maximum_qos
        if sender is Role.SERVER:
            if not self.wanted:
                return
            packet.topic, granted, identifier = source.choice(self.wanted)
            most = min(most, granted)
            if identifier is not None:
                said["subscription_identifier"] = [identifier]
        packet.qos = QOS[min(packet.qos, most)]
        packet.dup = False
        packet.retain = packet.retain and self.ends[Role.SERVER].limits.retain_available
        packet.packet_id = self._new_id(sender) if packet.qos else None
        if packet.qos and end.under_way >= other.limits.receive_maximum:
            return
        topic = self._alias(packet, end, other.limits.topic_alias_maximum)
        if self._say(sender, packet):
            if "topic_alias" in said:
                end.aliases[said["topic_alias"]] = topic
            if packet.packet_id is not None:
                end.in_use.add(packet.packet_id)
                end.under_way += 1
                other.owes.append(packet)

    def _alias(self, packet: Publish, end: _End, most: int) -> str:
        """Keep to the aliases that the other end allows and knows; the topic that is meant."""
        alias = packet.properties.get("topic_alias")
        topic = packet.topic
        if alias is None or alias > most:
            packet.properties.pop("topic_alias", None)
        elif not topic and alias in end.aliases:
            return end.aliases[alias]
        elif topic and end.aliases.get(alias) == topic and self.source.boolean():
            packet.topic = ""
        if not topic:
            topic = packet.topic = "a"
        return topic

    # -- answers

    def _settle(self, sender: Role, owed: Packet) -> None:
        """Send what is due for a packet that has come."""
        kind = owed.packet_type
        answer: Any
        if isinstance(owed, Publish):
            answer = self._acknowledgement(sender, _P.PUBACK if owed.qos == 1 else _P.PUBREC, owed.packet_id)
        elif isinstance(owed, PubRec):
            answer = PubRel(owed.packet_id)
        elif isinstance(owed, PubRel):
            answer = PubComp(owed.packet_id)
        elif isinstance(owed, Subscribe):
            answer = self._suback(owed)
        elif isinstance(owed, Unsubscribe):
            answer = grammar.unsuback(self.source, self.version, Role.SERVER)
            answer.packet_id = owed.packet_id
            answer.reason_codes = [ReasonCode.SUCCESS] * len(owed.topic_filters) if self.version == 5 else []
        elif isinstance(owed, Auth):
            answer = self._auth(Role.SERVER, ReasonCode.SUCCESS)
        else:
            answer = PingResp()
        if not self._say(sender, answer):
            if getattr(answer, "properties", None) and kind is not _P.AUTH:
                answer.properties.clear()
            if not self._say(sender, answer):
                self.over = True  # no way to go on: the other end takes nothing of that size
                return
        self._note(sender, answer)

    def _acknowledgement(self, sender: Role, kind: PacketType, packet_id: int | None) -> PubAck | PubRec:
        answer: PubAck | PubRec = grammar.BUILDERS[kind](self.source, self.version, sender)
        assert packet_id is not None
        answer.packet_id = packet_id
        return answer

    def _suback(self, owed: Subscribe) -> SubAck:
        answer = grammar.suback(self.source, self.version, Role.SERVER)
        answer.packet_id = owed.packet_id
        answer.reason_codes = []
        failures = [0x80] if self.version == 4 else [*REASON_CODES[_P.SUBACK][Role.SERVER]][3:]
        for subscription in owed.subscriptions:
            if self.source.draw(3) == 3:
                answer.reason_codes.append(ReasonCode(self.source.choice(failures)))
                continue
            granted = QOS[self.source.draw(subscription.qos)]
            answer.reason_codes.append(ReasonCode(granted))
            inner = subscription.topic_filter
            if self.version == 5 and is_shared(inner):
                inner = inner.split("/", 2)[2]
            topic = inner.replace("+", "a").replace("#", "b")
            self.wanted.append((topic, granted, owed.properties.get("subscription_identifier")))
        return answer

    def _note(self, sender: Role, answer: Packet) -> None:
        """What an answer settles, and what it asks for in its turn."""
        other = self.ends[sender.peer]
        if isinstance(answer, PubRel) or (isinstance(answer, PubRec) and answer.reason_code < 0x80):
            other.owes.append(answer)
        elif isinstance(answer, PubAck | PubRec | PubComp):
            other.in_use.discard(answer.packet_id)
            other.under_way -= 1
        elif isinstance(answer, SubAck | UnsubAck):
            other.in_use.discard(answer.packet_id)


def conversation(source: Source, version: int = 5, *, most: int = 30) -> list[Step]:
    """A connection of about ``most`` packets at most, from CONNECT on, as both ends may send them.

    The Session is a new one and packets arrive in the order in which they are sent. PUBACK, PUBREC, PUBREL and PUBCOMP
    come in the order of what they answer, with any other packets between.
    """
    play = _Play(source, version)
    play.open()
    for _ in range(source.draw(most)):
        if play.over:
            break
        play.step()
    play.close()
    return [Step(sender, _copy(packet)) for sender, packet in play.steps]


def _copy(packet: Packet) -> Packet:
    """A packet that shares no properties with another one."""
    properties: Any = getattr(packet, "properties", None)
    return packet if properties is None else replace(packet, properties=dict(properties))  # type: ignore[arg-type]
