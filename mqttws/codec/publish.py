"""PUBLISH (3.3), both versions.

This packet carries the traffic, so its code is inline; tests compare it with the shared readers and writers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Final

from mqttws.codec.faults import Decoder, in_field, not_in_3_1_1, past_end, too_large, zero_packet_id
from mqttws.codec.primitives import (
    MAXIMUM_VARINT,
    bad_packet_id,
    encode_text,
    ill_formed,
    null_character,
    refuse_topic,
    varint,
)
from mqttws.codec.properties import PublishProperties
from mqttws.codec.property_list import PropertyRules, read_properties, write_properties
from mqttws.errors import LocalProtocolError, RemoteProtocolError
from mqttws.topics import check_topic
from mqttws.vocabulary import QOS, PacketType, QoS, Role

_RULES: Final = PropertyRules(PacketType.PUBLISH)
_pack_header = Struct(">BBH").pack
_pack_longer_header = Struct(">BBBH").pack
_pack_u16 = Struct(">H").pack


@dataclass(slots=True)
class Publish:
    """An Application Message on its way from a Client to a Server, or back.

    ``packet_id`` is present exactly when ``qos`` is above 0 [5.0 MQTT-2.2.1-2, 3.1.1 MQTT-2.3.1-5]. ``topic`` may be
    empty in 5.0 if there is a Topic Alias. What the payload means is nobody's business here.
    """

    packet_type: ClassVar[PacketType] = PacketType.PUBLISH

    topic: str
    payload: bytes = b""
    qos: QoS = QoS.AT_MOST_ONCE
    retain: bool = False
    dup: bool = False
    packet_id: int | None = None
    properties: PublishProperties = field(default_factory=PublishProperties)


def _decoder_v5(qos: QoS, retain: bool, dup: bool) -> Decoder:
    """The reader for one legal combination of flags; a closure spares each packet the look at them."""

    def decode_publish_v5(buf: bytes, pos: int, end: int, sender: Role | None) -> Publish:
        start = pos + 2
        if start > end:
            raise past_end("topic", pos, "MQTT-3.3.2-1")
        stop = start + (buf[pos] << 8 | buf[pos + 1])
        if stop > end:
            raise past_end("topic", pos)
        try:
            topic = buf[start:stop].decode()
        except UnicodeDecodeError as error:
            raise ill_formed(start + error.start, "topic") from None
        if "#" in topic or "+" in topic or "\0" in topic:
            _refuse(topic, buf, start)
        packet_id = None
        if qos:
            pos = stop + 2
            if pos > end:
                raise past_end("packet_id", stop)
            packet_id = buf[stop] << 8 | buf[stop + 1]
            if not packet_id:
                raise zero_packet_id(stop, _packet_id_statement(sender))
            stop = pos
        if stop < end and not buf[stop]:  # no properties: the usual case, not worth a call
            properties: PublishProperties = {}
            stop += 1
        else:
            properties, stop = read_properties(buf, stop, end, _RULES, sender)
        if not topic and "topic_alias" not in properties:
            raise RemoteProtocolError("neither Topic Name nor Topic Alias", offset=start, field="topic")
        return Publish(topic, buf[stop:end], qos, retain, dup, packet_id, properties)

    return decode_publish_v5


def _decoder_v3_1_1(qos: QoS, retain: bool, dup: bool) -> Decoder:
    """As for 5.0, without properties; the Topic Name has at least one character [MQTT-4.7.3-1]."""

    def decode_publish_v3_1_1(buf: bytes, pos: int, end: int, sender: Role | None) -> Publish:
        start = pos + 2
        if start > end:
            raise past_end("topic", pos, "MQTT-3.3.2-1")
        stop = start + (buf[pos] << 8 | buf[pos + 1])
        if stop > end:
            raise past_end("topic", pos)
        try:
            topic = buf[start:stop].decode()
        except UnicodeDecodeError as error:
            raise ill_formed(start + error.start, "topic") from None
        if not topic or "#" in topic or "+" in topic or "\0" in topic:
            _refuse(topic, buf, start)
        packet_id = None
        if qos:
            pos = stop + 2
            if pos > end:
                raise past_end("packet_id", stop)
            packet_id = buf[stop] << 8 | buf[stop + 1]
            if not packet_id:
                raise zero_packet_id(stop, _packet_id_statement(sender))
            stop = pos
        return Publish(topic, buf[stop:end], qos, retain, dup, packet_id, {})

    return decode_publish_v3_1_1


def _refuse(topic: str, buf: bytes, start: int) -> None:
    """Say why a Topic Name that is UTF-8 may not stand in a PUBLISH."""
    if "\0" in topic:
        raise null_character(buf.index(0, start), "topic")
    refuse_topic(topic, start, "topic")


def _packet_id_statement(sender: Role | None) -> str:
    return "MQTT-2.2.1-4" if sender is Role.SERVER else "MQTT-2.2.1-3"


#: By the flag bits of the first byte: DUP, QoS, RETAIN. QoS 3 [MQTT-3.3.1-4] and DUP with QoS 0 [MQTT-3.3.1-2] have no
#: reader.
DECODERS_V5: Final[tuple[Decoder | None, ...]] = tuple(
    _decoder_v5(QOS[flags >> 1 & 3], bool(flags & 1), bool(flags & 8)) if _is_legal else None
    for flags in range(16)
    for _is_legal in [flags & 6 != 6 and flags not in (8, 9)]
)
DECODERS_V3_1_1: Final[tuple[Decoder | None, ...]] = tuple(
    _decoder_v3_1_1(QOS[flags >> 1 & 3], bool(flags & 1), bool(flags & 8)) if reader else None
    for flags, reader in enumerate(DECODERS_V5)
)


def encode_publish_v5(packet: Publish) -> bytes:
    """The whole packet."""
    topic = packet.topic
    if "#" in topic or "+" in topic:
        _refuse_own(topic)
    if not topic and "topic_alias" not in packet.properties:
        raise LocalProtocolError("neither Topic Name nor Topic Alias", field="topic")
    properties = write_properties(packet.properties, _RULES) if packet.properties else b"\0"
    return _assemble(packet, encode_text(topic, "topic"), properties)


def encode_publish_v3_1_1(packet: Publish) -> bytes:
    """The whole packet."""
    topic = packet.topic
    if not topic or "#" in topic or "+" in topic:
        _refuse_own(topic)
    if packet.properties:
        raise not_in_3_1_1("properties", "properties")
    return _assemble(packet, encode_text(topic, "topic"), b"")


def _assemble(packet: Publish, topic: bytes, properties: bytes) -> bytes:
    """Fixed header, topic, Packet Identifier if there is one, properties, payload."""
    payload = packet.payload
    size = len(topic)
    length = 2 + size + len(properties) + len(payload)
    first = 0x31 if packet.retain else 0x30
    qos = packet.qos
    packet_id = packet.packet_id
    if qos:
        if packet_id is None or not 0 < packet_id <= 0xFFFF:
            raise bad_packet_id(packet_id, "MQTT-2.2.1-3")
        length += 2
        properties = _pack_u16(packet_id) + properties
        if qos == 1:
            first += 2
        elif qos == 2:
            first += 4
        else:
            raise LocalProtocolError(f"QoS is 0, 1 or 2, not {qos}", statement="MQTT-3.3.1-4", field="qos")
        if packet.dup:
            first += 8
    elif packet.dup:
        raise LocalProtocolError("DUP with QoS 0", statement="MQTT-3.3.1-2", field="dup")
    elif packet_id is not None:
        raise LocalProtocolError("a Packet Identifier with QoS 0", statement="MQTT-2.2.1-2", field="packet_id")
    if length < 0x80:
        header = _pack_header(first, length, size)
    elif length < 0x4000:
        header = _pack_longer_header(first, length & 0x7F | 0x80, length >> 7, size)
    elif length <= MAXIMUM_VARINT:
        header = b"%c%b%b" % (first, varint(length), _pack_u16(size))
    else:
        raise too_large(f"a packet with {length} bytes behind its fixed header, at most {MAXIMUM_VARINT} are allowed")
    return b"".join((header, topic, properties, payload))


def _refuse_own(topic: str) -> None:
    try:
        check_topic(topic)
    except LocalProtocolError as error:
        raise in_field(error, "topic") from None
