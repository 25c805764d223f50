"""Packets become bytes here, within the limits of the peer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mqttws.codec import Packet, encode
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.session.limits import Limits
from mqttws.session.outbox import Outbox
from mqttws.vocabulary import PacketType, ProtocolVersion, ReasonCode, Role

__all__ = ["PacketWriter"]

#: Where Reason String and User Property may stand although the Client asked for no problem information [MQTT-3.1.2-29].
_ALWAYS_WORDY = frozenset((PacketType.CONNACK, PacketType.DISCONNECT, PacketType.PUBLISH))
#: What is left out of a packet that would be too large for its receiver, in this order [MQTT-3.4.2-2, -3 and the like].
_OPTIONAL = ("user_property", "reason_string")
#: Where a User Property is the application's own and not an explanation that can be spared.
_NEVER_SHORTENED = frozenset((PacketType.CONNECT, PacketType.PUBLISH, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE))


class PacketWriter:
    """Encodes for one connection and queues in its outbox.

    ``version`` and ``limits`` (what the peer allows) are set as CONNECT and CONNACK settle them; ``terse`` says that
    the Client wants no problem information.
    """

    __slots__ = ("limits", "outbox", "role", "terse", "version")

    def __init__(self, role: Role, outbox: Outbox) -> None:
        self.role = role
        self.outbox = outbox
        self.version: ProtocolVersion = ProtocolVersion.V5
        self.limits = Limits()
        self.terse = False

    def queue(self, packet: Packet) -> None:
        """Encode and queue, or raise :class:`LocalProtocolError` and queue nothing."""
        self.outbox.append(self.encode(packet))

    def answer(self, packet: Packet) -> None:
        """Queue what MQTT makes us send. A peer whose limits leave no room for it is at fault, not our caller."""
        try:
            self.queue(packet)
        except LocalProtocolError as error:
            if error.reason_code is not ReasonCode.PACKET_TOO_LARGE:
                raise
            raise RemoteProtocolError(
                f"Maximum Packet Size {self.limits.maximum_packet_size} leaves no room for {packet.packet_type.name}",
                reason_code=ReasonCode.PACKET_TOO_LARGE,
                version=self.version,
            ) from None

    def encode(self, packet: Packet) -> bytes:
        """The bytes of a packet that this peer takes: where it must be, without Reason String and User Property."""
        data = encode(packet, self.version)
        if self.terse or len(data) > self.limits.maximum_packet_size:
            data = self._shortened(packet, data)
            self.limits.check_size(len(data), packet.packet_type.name, self.role)
        return data

    def _shortened(self, packet: Packet, data: bytes) -> bytes:
        kind = packet.packet_type
        if kind in _NEVER_SHORTENED:
            return data
        forbidden = self.terse and kind not in _ALWAYS_WORDY
        for name in _OPTIONAL:
            said = getattr(packet, "properties", {})
            if name in said and (forbidden or len(data) > self.limits.maximum_packet_size):
                changed: Any = {"properties": {key: value for key, value in said.items() if key != name}}
                packet = replace(packet, **changed)
                data = encode(packet, self.version)
        return data
