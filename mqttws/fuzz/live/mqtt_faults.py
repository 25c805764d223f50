"""Faults of MQTT that one packet alone does not show: the wrong packet at this point, too many, too large, too often.

What is wrong with a single packet comes from :mod:`mqttws.fuzz.mutations` and from the byte vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from mqttws.codec import (
    Auth,
    ConnAck,
    Connect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    RawPacket,
    SubAck,
    Subscribe,
    Subscription,
    UnsubAck,
    Unsubscribe,
    encode,
)
from mqttws.conformance import vectors
from mqttws.fuzz.live.conversation import CLIENT_IDS, TOPIC, TOPICS
from mqttws.fuzz.live.script import Step
from mqttws.fuzz.sources import Source
from mqttws.vocabulary import QOS, ProtocolVersion, Role

__all__ = ["CLIENT_FAULTS", "malformed_vectors"]

#: ``(source, version) -> steps``, in place of a packet behind CONNACK.
MqttFault = Callable[[Source, int], list[Step]]
CLIENT_FAULTS: Final[dict[str, MqttFault]] = {}


def _fault(name: str) -> Callable[[MqttFault], MqttFault]:
    def enter(fault: MqttFault) -> MqttFault:
        CLIENT_FAULTS[name] = fault
        return fault

    return enter


def _spoiled(note: str, data: bytes, *, times: int = 1) -> list[Step]:
    return [Step(note, data, times=times, spoiled=True)]


@_fault("second-connect")
def _second_connect(source: Source, version: int) -> list[Step]:
    again = Connect(ProtocolVersion(version), source.choice(CLIENT_IDS), keep_alive=60)
    return _spoiled("a second CONNECT", encode(again, version))


@_fault("packet-of-a-server")
def _packet_of_a_server(source: Source, version: int) -> list[Step]:
    codes = [0] if version == ProtocolVersion.V5 else []
    packets: tuple[Packet, ...] = (ConnAck(), SubAck(1, [0]), UnsubAck(1, codes), PingResp())
    packet = source.choice(packets)
    return _spoiled(f"{packet.packet_type.name} from a Client", encode(packet, version))


@_fault("unknown-identifier")
def _unknown_identifier(source: Source, version: int) -> list[Step]:
    packets: tuple[Packet, ...] = (PubAck(999), PubRec(999), PubRel(999), PubComp(999))
    packet = source.choice(packets)
    return _spoiled(f"{packet.packet_type.name} for an identifier not in use", encode(packet, version))


@_fault("qos-2-again-and-again")
def _qos_2_again_and_again(_source: Source, version: int) -> list[Step]:
    first = encode(Publish(TOPIC, b"once", QOS[2], packet_id=1), version)
    again = encode(Publish(TOPIC, b"once", QOS[2], dup=True, packet_id=1), version)
    return _spoiled("a QoS 2 PUBLISH", first) + _spoiled("the same again and again", again, times=100)


@_fault("many-identifiers")
def _many_identifiers(_source: Source, version: int) -> list[Step]:
    # how many a Server takes is its own choice
    burst = b"".join(encode(Publish(TOPIC, b"", QOS[2], packet_id=1000 + number), version) for number in range(200))
    return _spoiled("QoS 2 exchanges begun and never ended", burst)


@_fault("huge-claim")
def _huge_claim(source: Source, version: int) -> list[Step]:
    first = source.choice((0x30, 0x32, 0x82, 0xA2))
    lie = RawPacket(first, b"\0\1a" + bytes(50), remaining_length=source.choice((268_435_455, 20_000_000, 300_000)))
    return _spoiled("a packet that claims far more than it has", encode(lie, version))


@_fault("many-filters")
def _many_filters(_source: Source, version: int) -> list[Step]:
    wanted = [Subscription(f"mqttwsfuzz/{number % 4}", QOS[0]) for number in range(300)]
    everything = encode(Subscribe(7, wanted), version) + encode(
        Unsubscribe(8, [each.topic_filter for each in wanted]), version
    )
    return _spoiled("a SUBSCRIBE with hundreds of filters", everything)


@_fault("deep-topic")
def _deep_topic(source: Source, version: int) -> list[Step]:
    topic = source.choice(("/" * 5_000, "a/" * 20_000, "$share/a", "$SYS/broker/uptime", "$webpubsub/server/events/a"))
    return _spoiled("a PUBLISH to a topic of many levels, or a special one", encode(Publish(topic, b"x"), version))


@_fault("deep-filter")
def _deep_filter(source: Source, version: int) -> list[Step]:
    wanted = source.choice(("+/" * 5_000 + "#", "/" * 5_000, "$share/g/" + "+/" * 100 + "#"))
    subscribe = encode(Subscribe(7, [Subscription(wanted)]), version)
    return _spoiled("a SUBSCRIBE with many wildcards", subscribe + encode(Unsubscribe(8, [wanted]), version))


@_fault("auth")
def _auth(source: Source, version: int) -> list[Step]:
    if version != ProtocolVersion.V5:
        return _spoiled("packet type 15", b"\xf0\x00")
    said: Any = {"authentication_method": source.choice(("SCRAM-SHA-1", "", "x")), "authentication_data": b"data"}
    return _spoiled("AUTH without a method in CONNECT", encode(Auth(source.choice((0x18, 0x19)), said), version))


@_fault("topic-alias")
def _topic_alias(source: Source, version: int) -> list[Step]:
    if version != ProtocolVersion.V5:
        return _spoiled("a PUBLISH of 5.0", bytes.fromhex("3008 0001 61 0023 0001 68"))
    said: Any = {"topic_alias": source.choice((1, 2, 65_535))}
    topic = source.choice(("", TOPIC))
    return _spoiled(
        "a topic alias that is unknown or too large", encode(Publish(topic, b"x", properties=said), version)
    )


@_fault("many-properties")
def _many_properties(source: Source, version: int) -> list[Step]:
    if version != ProtocolVersion.V5:
        return _spoiled("a large PUBLISH", encode(Publish(TOPIC, bytes(60_000)), version))
    said: Any = {"user_property": [("k", "v")] * source.choice((100, 5_000))}
    return _spoiled(
        "a PUBLISH with thousands of user properties", encode(Publish(TOPIC, b"x", properties=said), version)
    )


@_fault("burst")
def _burst(source: Source, version: int) -> list[Step]:
    topic = source.choice(TOPICS)
    packets = encode(Publish(topic, b"x"), version) + encode(PingReq(), version)
    return _spoiled("many packets in one message", packets * 200)


@cache
def malformed_vectors(version: int, sender: Role) -> tuple[tuple[str, bytes], ...]:
    """Byte vectors of malformed packets that ``sender`` may be thought to have sent: name and bytes."""
    return tuple(
        (vector["name"], bytes.fromhex(vector["hex"]))
        for vector in vectors()
        if not vector["valid"]
        and vector["kind"] in ("packet", "stream")
        and not vector.get("ambiguous")
        and vector["version"] in (version, "both")
        and vector["direction"] in (sender.value, "either")
    )
