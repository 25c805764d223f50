"""3.4 to 3.11 Acknowledgements that stay within what the Client has asked for: its packet size, and no explanations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from mqttws.codec import (
    ConnAck,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscription,
    UnsubAck,
    encode,
)
from mqttws.conformance.server.deliveries import answer_to, subscribe_answer, unsubscribe
from mqttws.conformance.server.probe import Connected, ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotTested
from mqttws.conformance.wire.peer import Ended, Missing
from mqttws.vocabulary import QOS

#: Bytes of an empty PUBLISH of QoS 2, besides its topic.
_PUBLISH: Final = 8
_NOWHERE: Final = 0x4321
_EXPLANATIONS: Final = frozenset(("reason_string", "user_property"))

#: Has the Server send a kind of packet, in good cases and in bad ones; the latter may be the end of the connection.
_Occasion: TypeAlias = Callable[[ServerProbe, Connected], Awaitable[None]]


async def _pubacks(probe: ServerProbe, peer: Connected) -> None:
    for topic in (probe.topic(), "$SYS/mqttws"):
        await answer_to(peer, Publish(topic, b"x", QOS[1], packet_id=peer.packet_id()))


async def _pubrecs(probe: ServerProbe, peer: Connected) -> None:
    for topic in (probe.topic(), "$SYS/mqttws"):
        await answer_to(peer, Publish(topic, b"x", QOS[2], packet_id=peer.packet_id()))


async def _pubrels(probe: ServerProbe, peer: Connected) -> None:
    topic = probe.topic()
    await probe.subscribe(peer, topic, 2)
    await probe.publish(peer, topic, b"", 2)
    await probe.message(peer, topic)
    await peer.send(PubRec(_NOWHERE))
    await _until(peer, PubRel)


async def _pubcomps(probe: ServerProbe, peer: Connected) -> None:
    await probe.publish(peer, probe.topic(), b"x", 2)
    await peer.send(PubRel(_NOWHERE))
    await _until(peer, PubComp)


async def _subacks(probe: ServerProbe, peer: Connected) -> None:
    await probe.subscribe(peer, probe.topic())
    for topic_filter in ("$SYS/#", f"{probe.topic()}/+", f"$share/g/{probe.topic()}"):
        await subscribe_answer(peer, Subscription(topic_filter, QOS[0]))


async def _unsubacks(probe: ServerProbe, peer: Connected) -> None:
    topic = probe.topic()
    await probe.subscribe(peer, topic)
    for topic_filter in (topic, topic, "$SYS/#"):
        await unsubscribe(peer, topic_filter)


async def _until(peer: Connected, kind: type[Packet]) -> None:
    """Wait for an answer to something wrong. It need not come."""
    with suppress(Ended, Missing):
        await peer.expect(kind, within=peer.patience / 4)


_OCCASIONS: Final[Mapping[type[Packet], _Occasion]] = {
    PubAck: _pubacks,
    PubRec: _pubrecs,
    PubRel: _pubrels,
    PubComp: _pubcomps,
    SubAck: _subacks,
    UnsubAck: _unsubacks,
}


async def _answers(probe: ServerProbe, kind: type[Packet], **connect: Any) -> list[Any]:
    """Packets of this kind that the Server sends to a Client that has connected so."""
    peer = await probe.connect(**connect)
    with suppress(Failed):  # what else may be wrong with it is for other checks
        await _OCCASIONS[kind](probe, peer)
    return [packet for packet in peer.arrived if isinstance(packet, kind)]


async def _size(probe: ServerProbe) -> int:
    """A Maximum Packet Size that leaves room for CONNACK and an empty PUBLISH, and for no long sentence."""
    connack = (await probe.connect(client_id=probe.name())).connack
    bare: Any = {
        name: said for name, said in connack.properties.items() if name not in ("reason_string", "user_property")
    }
    return max(len(probe.topic()) + _PUBLISH, len(encode(ConnAck(connack.session_present, connack.reason_code, bare))))


async def _fits(probe: ServerProbe, kind: type[Packet]) -> None:
    size = await _size(probe)
    found = await _answers(probe, kind, maximum_packet_size=size)
    if not found:
        raise NotTested("it sends none of them")
    for packet in found:
        if (length := len(encode(packet))) > size:
            raise Failed(f"it has {length} bytes, the Client takes {size}")


@server_check(v5=("MQTT-3.4.2-2", "MQTT-3.4.2-3"), needs="qos1")
async def puback_too_long(probe: ServerProbe) -> None:
    """PUBACK does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, PubAck)


@server_check(v5=("MQTT-3.5.2-2", "MQTT-3.5.2-3"), needs="qos2")
async def pubrec_too_long(probe: ServerProbe) -> None:
    """PUBREC does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, PubRec)


@server_check(v5=("MQTT-3.6.2-2", "MQTT-3.6.2-3"), needs="qos2")
async def pubrel_too_long(probe: ServerProbe) -> None:
    """PUBREL does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, PubRel)


@server_check(v5=("MQTT-3.7.2-2", "MQTT-3.7.2-3"), needs="qos2")
async def pubcomp_too_long(probe: ServerProbe) -> None:
    """PUBCOMP does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, PubComp)


@server_check(v5=("MQTT-3.9.2-1", "MQTT-3.9.2-2"))
async def suback_too_long(probe: ServerProbe) -> None:
    """SUBACK does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, SubAck)


@server_check(v5=("MQTT-3.11.2-1", "MQTT-3.11.2-2"))
async def unsuback_too_long(probe: ServerProbe) -> None:
    """UNSUBACK does without Reason String and User Property where the Client's Maximum Packet Size leaves no room."""
    await _fits(probe, UnsubAck)


@server_check(v5="MQTT-3.1.2-29")
async def explained_unasked(probe: ServerProbe) -> None:
    """After Request Problem Information 0 no acknowledgement has a Reason String or a User Property."""
    levels = {PubAck: "qos1", PubRec: "qos2", PubRel: "qos2", PubComp: "qos2"}
    seen = 0
    for kind in _OCCASIONS:
        if kind not in levels or levels[kind] in probe.capabilities:
            found = await _answers(probe, kind, request_problem_information=0)
            seen += len(found)
            for packet in found:
                if said := sorted(_EXPLANATIONS.intersection(packet.properties)):
                    raise Failed(f"{packet.packet_type.name} has {' and '.join(said)}")
    if not seen:
        raise NotTested("it sends none of them")
