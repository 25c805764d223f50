"""Faults on the wire that come from data: by statement, by byte vector, by packet type."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import cache
from itertools import count
from typing import Final

from mqttws.codec import Connect, RawPacket, decode, encode
from mqttws.conformance import Vector, vectors
from mqttws.conformance.wrong.proxy import Item, Tamper
from mqttws.errors import RemoteProtocolError
from mqttws.vocabulary import PacketType, ProtocolVersion, Role

__all__ = ["broken_vectors", "emitter", "kind_of", "statement_of", "swallower"]

_NUMBERS: Final = count(1)


def kind_of(item: Item) -> PacketType | None:
    """The type of a packet, whole or broken."""
    return RawPacket.parse(item).packet_type if isinstance(item, bytes) else item.packet_type


def statement_of(packet: RawPacket, version: ProtocolVersion, sender: Role) -> str | None:
    """The statement that a packet breaks by itself, None if the fault has no number."""
    try:
        decode(encode(packet), version, sender=sender)
    except RemoteProtocolError as error:
        return error.statement
    return None


def swallower(
    statements: Collection[str] | None, sender: Role = Role.CLIENT, when: Callable[[RawPacket], bool] | None = None
) -> type[Tamper]:
    """A subject that passes over packets that break one of the statements by themselves; None: whatever they break.

    A CONNECT that is not taken as it is counts as a good one.
    """

    class Swallow(Tamper):
        def from_tester(self, packet: Item) -> Iterable[Item]:
            if not isinstance(packet, RawPacket) or (when is not None and not when(packet)):
                return (packet,)
            if statements is not None and statement_of(packet, self.version, sender) not in statements:
                return (packet,)
            if packet.packet_type is PacketType.CONNECT:
                return (Connect(self.version, f"swallowed{next(_NUMBERS)}"),)
            return ()

        def unreadable(self, error: RemoteProtocolError) -> bool:
            return statements is None or error.statement in statements

    return Swallow


def emitter(data: bytes) -> type[Tamper]:
    """A subject that sends these bytes in the place of its first packet of that type."""
    kind = RawPacket.parse(data).packet_type

    class Emit(Tamper):
        _done = False

        def from_subject(self, packet: Item) -> Iterable[Item]:
            if self._done or kind_of(packet) is not kind:
                return (packet,)
            self._done = True
            return (data,)

    return Emit


@cache
def broken_vectors(version: ProtocolVersion, sender: Role) -> dict[str, Vector]:
    """For each statement that a packet of this sender can break by itself the first vector that does so."""
    found: dict[str, Vector] = {}
    for vector in vectors():
        fits = vector["version"] in (version, "both") and vector["direction"] in (sender.value, "either")
        if not fits or vector["valid"] or vector["kind"] != "packet" or vector.get("ambiguous"):
            continue
        statement = statement_of(RawPacket.parse(bytes.fromhex(vector["hex"])), version, sender)
        if statement is not None:
            found.setdefault(statement, vector)
    return found
