"""Packets that break a rule by themselves: the byte vectors that a Server would send, each on a connection of its own.

3.1.1 has a Client close the connection [MQTT-4.8.0-1]; 5.0 recommends it (4.13.1), and leaves it to the Client how much
it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import trio

from mqttws.codec import Subscribe
from mqttws.conformance import Vector, vectors
from mqttws.conformance.client.probe import ClientProbe, client_check
from mqttws.conformance.client.visit import Visit
from mqttws.conformance.verdict import Failed, NotStrict
from mqttws.vocabulary import PacketType, ProtocolVersion

__all__ = ["GROUPS", "Group", "of_group"]

#: Vectors that a Client is let off with before the rest is left out.
_ENOUGH: Final = 4
#: Seconds after which no more are tried once one was taken: it takes long to tell a silent Client from a slow one.
_SECONDS: Final = 15.0
_AT_ALL: Final = "MQTT 5.0, 4.13.1"


@dataclass(frozen=True, slots=True)
class Group:
    """Vectors that are tried in one check: those of these packet types, of these categories if there are any."""

    name: str
    title: str
    v5: str | tuple[str, ...]
    v311: str | tuple[str, ...]
    types: tuple[int, ...] = ()
    categories: tuple[str, ...] = ()

    def fits(self, vector: Vector) -> bool:
        """Whether a vector belongs here, unless a group before this one has it."""
        packet_type = bytes.fromhex(vector["hex"])[0] >> 4
        return packet_type in (self.types or (packet_type,)) and vector["category"] in (
            self.categories or (vector["category"],)
        )


_ACKS: Final = (PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP)
_TWICE: Final = ("property_duplicate", "property_not_allowed", "property_value")

#: In this order; a vector belongs to the first that it fits.
GROUPS: Final = (
    Group("takes_ill_formed_text", "Text that is no UTF-8 ends the connection.", _AT_ALL,
          ("MQTT-1.5.3-1", "MQTT-1.5.3-2"), categories=("utf8",)),
    Group("takes_properties_of_connack", "A CONNACK with bad properties ends the connection.", _AT_ALL, (),
          (PacketType.CONNACK,), _TWICE),
    Group("takes_a_bad_connack", "A CONNACK that breaks a rule ends the connection.", _AT_ALL, "MQTT-4.8.0-1",
          (PacketType.CONNACK,)),
    Group("takes_reserved_flags", "A packet whose reserved flags are set ends the connection.", _AT_ALL,
          ("MQTT-2.2.2-2", "MQTT-2.2.2-1"), categories=("fixed_header_flags",)),
    Group("takes_properties_of_publish", "A PUBLISH with bad properties ends the connection.", _AT_ALL, (),
          (PacketType.PUBLISH,), (*_TWICE, "property_length")),
    Group("takes_a_bad_publish", "A PUBLISH that breaks a rule ends the connection.", _AT_ALL,
          ("MQTT-4.8.0-1", "MQTT-3.3.1-4"), (PacketType.PUBLISH,)),
    Group("takes_properties_of_acknowledgements", "An acknowledgement with bad properties ends the connection.",
          _AT_ALL, (), _ACKS, (*_TWICE, "property_length")),
    Group("takes_bad_acknowledgements", "An acknowledgement that breaks a rule ends the connection.", _AT_ALL,
          "MQTT-4.8.0-1", _ACKS),
    Group("takes_a_bad_suback", "A SUBACK that breaks a rule ends the connection.", _AT_ALL, "MQTT-4.8.0-1",
          (PacketType.SUBACK,)),
    Group("takes_a_bad_unsuback", "An UNSUBACK that breaks a rule ends the connection.", _AT_ALL, "MQTT-4.8.0-1",
          (PacketType.UNSUBACK,)),
    Group("takes_packets_of_a_client", "A packet that only a Client may send ends the connection.", _AT_ALL,
          "MQTT-4.8.0-1", categories=("direction",)),
    Group("takes_a_bad_disconnect", "A DISCONNECT that breaks a rule ends the connection like any other.", _AT_ALL, (),
          (PacketType.DISCONNECT,)),
    Group("takes_a_bad_auth", "An AUTH that breaks a rule ends the connection.", _AT_ALL, (), (PacketType.AUTH,),
          ("auth_invalid", "property_duplicate", "property_not_allowed", "property_length")),
    Group("takes_a_bad_header", "A packet of no known type, or with an endless length, ends the connection.", _AT_ALL,
          "MQTT-4.8.0-1"),
)  # fmt: skip


def of_group(group: Group, version: ProtocolVersion) -> list[Vector]:
    """The vectors of a group in a version: what a Server must not send, where the standard leaves no doubt."""
    return [
        vector
        for vector in vectors()
        if vector["version"] in (version, "both")
        and vector["direction"] != "client"
        and not vector["valid"]
        and not vector.get("ambiguous")
        and vector["kind"] != "partial"
        and next(one for one in GROUPS if one.fits(vector)) is group
    ]


async def _try(probe: ClientProbe, found: Sequence[Vector]) -> None:
    """Each vector has to end a connection."""
    began = trio.current_time()
    taken: list[str] = []
    crashes: list[str] = []
    for vector in found:
        visit = await _send(probe, vector)
        accusing = not probe.is_v5 and not taken
        goes_on = await probe.goes_on(visit, f"behind {vector['name']}", accusing=accusing)
        if crash := await probe.crash():
            crashes.append(f"{vector['name']}: {crash}")
        await probe.close()
        if goes_on:
            taken.append(vector["name"] if "answered" in goes_on else f"{vector['name']} (and falls silent)")
        if len(taken) == _ENOUGH or (taken and trio.current_time() > began + _SECONDS):
            break
    if taken:
        more = "" if vector is found[-1] else ", and perhaps others"
        raise (NotStrict if probe.is_v5 else Failed)(
            "; ".join([f"it goes on behind {', '.join(taken)}{more}", *crashes])
        )
    if crashes:
        raise NotStrict(f"it ends the connection, but {'; '.join(crashes)}")


async def _send(probe: ClientProbe, vector: Vector) -> Visit:
    """Send a vector where such a packet would be in its place; acknowledgements with the identifier that is open."""
    data = bytes.fromhex(vector["hex"])
    packet_type = data[0] >> 4
    if packet_type == PacketType.CONNACK and not data[0] & 0x0F:
        visit = await probe.open()
        await visit.send(data)
        return visit
    visit = await probe.talk()
    packet_id: int | None = None
    if packet_type == PacketType.SUBACK:
        await probe.task("subscribe", topic_filter=probe.name(), qos=0)
        packet_id = (await probe.sent(visit, Subscribe, "subscribe")).packet_id
    elif packet_type in (PacketType.PUBACK, PacketType.PUBREC):
        packet_id = (await probe.publish(visit, qos=1 if packet_type == PacketType.PUBACK else 2)).packet_id
    if packet_id is not None and data[2:4] == b"\x00\x01":
        data = data[:2] + packet_id.to_bytes(2, "big") + data[4:]
    await visit.send(data)
    return visit


def _register(group: Group) -> None:
    async def check(probe: ClientProbe) -> None:
        await _try(probe, of_group(group, probe.version))

    check.__name__ = group.name
    check.__doc__ = group.title
    client_check(v5=group.v5, v311=group.v311)(check)


for _group in GROUPS:
    _register(_group)
