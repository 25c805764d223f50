"""What a Server does with text, lengths, flags and identifiers: chapters 1.5 and 2."""

from __future__ import annotations

from functools import partial

from mqttws.conformance import Vector
from mqttws.conformance.server.deliveries import nothing_but
from mqttws.conformance.server.hostile import (
    connect_bytes,
    each,
    ends,
    ends_behind_each,
    refuses_each,
    shown,
    text,
)
from mqttws.conformance.server.probe import ServerProbe, server_check
from mqttws.conformance.verdict import Failed, NotApplicable, NotStrict
from mqttws.vocabulary import ReasonCode


@server_check(v5="MQTT-1.5.4-3", v311="MQTT-1.5.3-3")
async def byte_order_mark_stripped(probe: ServerProbe) -> None:
    """U+FEFF in a topic is a character like others: it is kept, and topics with and without it are two."""
    peer = await probe.connect()
    plain = probe.topic()
    for marked in (f"{plain}/\ufeffx", f"{plain}\ufeff"):
        bare = marked.replace("\ufeff", "")
        try:
            await probe.subscribe(peer, marked, 1)
        except Failed as refused:
            raise NotApplicable(f"it wants no topic with U+FEFF: {refused}") from None
        await probe.subscribe(peer, bare, 1)
        await probe.publish(peer, marked, b"marked", 0)
        found = await probe.message(peer)
        if found.topic != marked:
            raise Failed(f"a message to {marked!a} comes on {found.topic!a}")
        await nothing_but(probe, peer, bare, peer, f"a message to {marked!a} comes on the topic without U+FEFF", qos=0)


@server_check(v5="MQTT-1.5.7-1")
async def ill_formed_string_pair(probe: ServerProbe) -> None:
    """A User Property of which the name or the value is no proper text ends the connection."""
    pairs = {
        "a User Property whose name is no UTF-8": text(b"\xff") + text(b"v"),
        "a User Property whose value is no UTF-8": text(b"n") + text(b"\xed\xa0\x80"),
        "a User Property whose value has U+0000": text(b"n") + text(b"\0"),
    }
    wrong = {name: _publish(b"\x26" + pair) for name, pair in pairs.items()}
    await ends_behind_each(probe, wrong, codes=(0x81,))


def _publish(properties: bytes) -> bytes:
    """A PUBLISH at QoS 0 with these properties."""
    body = text(b"a") + bytes((len(properties),)) + properties
    return bytes((0x30, len(body))) + body


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 2.1.4"), v311=("MQTT-4.8.0-1", "MQTT 3.1.1, 2.2.3"))
async def remaining_length_of_five_bytes(probe: ServerProbe) -> None:
    """A Remaining Length of more than four bytes ends the connection."""
    wrong = {"a Remaining Length of five bytes": bytes.fromhex("c0 80 80 80 80 00")}
    await ends_behind_each(probe, wrong, codes=(0x81,))


@server_check(v5=("MQTT-2.1.3-1", "MQTT-4.13.1-1"), v311=("MQTT-2.2.2-1", "MQTT-2.2.2-2"))
async def reserved_flags_set(probe: ServerProbe) -> None:
    """A PUBACK, PUBREC, PUBCOMP or PINGREQ with another first byte than it has to have ends the connection."""
    names = ("puback_flags_0001", "pubrec_flags_0010", "pubcomp_flags_1000", "pingreq_flags_0010")
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5=("MQTT-2.1.3-1", "MQTT-3.1.4-1"), v311=("MQTT-2.2.2-1", "MQTT-2.2.2-2"))
async def reserved_flags_of_connect_set(probe: ServerProbe) -> None:
    """A CONNECT with reserved bits in its first byte is not accepted."""
    good = connect_bytes(probe)
    wrong = {f"CONNECT that begins with 0x{first:02X}": bytes((first,)) + good[1:] for first in (0x12, 0x18)}
    await refuses_each(probe, wrong, judged=False)


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 2.1.2"), v311=("MQTT-4.8.0-1", "MQTT 3.1.1, 2.2.1"))
async def reserved_packet_type(probe: ServerProbe) -> None:
    """A packet of a type that the version does not have ends the connection."""
    wrong = {"a packet of type 0": b"\0\0"}
    if not probe.is_v5:
        wrong["a packet of type 15"] = b"\xf0\0"
    await ends_behind_each(probe, wrong)


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 2.1.2"), v311=("MQTT-4.8.0-1", "MQTT 3.1.1, 2.2.1"))
async def packet_of_a_server_taken(probe: ServerProbe) -> None:
    """A packet that only a Server may send ends the connection of the Client that sends it."""
    wrong = dict(shown(probe, "suback_from_client", "unsuback_from_client", "pingresp_from_client"))
    connack = {"CONNACK from a client": bytes.fromhex("20 03 00 00 00" if probe.is_v5 else "20 02 00 00")}
    await ends_behind_each(probe, {**wrong, **connack})


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 1.2"), v311="MQTT-4.8.0-1")
async def inner_length_beyond_the_packet(probe: ServerProbe) -> None:
    """A packet that ends before its fields do ends the connection."""
    names = ["publish_topic_length_past_packet", "publish_qos1_packet_id_cut", "subscribe_filter_cut"]
    names += ["subscribe_packet_id_cut", "unsubscribe_filter_cut"]
    if probe.is_v5:
        names += ["publish_property_length_past_packet", "publish_property_length_cuts_value"]
    await ends_behind_each(probe, shown(probe, *names))


@server_check(v5="MQTT-2.2.1-2", v311="MQTT-2.3.1-5")
async def identifier_in_a_message_at_qos_0(probe: ServerProbe) -> None:
    """A message at QoS 0 arrives without an identifier: its payload begins where its topic or its properties end."""
    peer = await probe.connect()
    topic = probe.topic()
    await probe.subscribe(peer, topic, 0)
    for payload in (b"", b"\0\0", b"\0\x01payload"):
        await probe.publish(peer, topic, payload, 0)
        found = await probe.message(peer, topic)
        if found.payload != payload:
            raise Failed(f"a message at QoS 0 with {payload!r} comes with {bytes(found.payload)!r}")


@server_check(v5=("MQTT-2.2.1-3", "MQTT-4.13.1-1"), v311=("MQTT-2.3.1-1", "MQTT-4.8.0-1"))
async def identifier_zero_taken(probe: ServerProbe) -> None:
    """A packet with the Packet Identifier 0 ends the connection."""
    body = b"\0\0" + (b"\0" if probe.is_v5 else b"") + text(b"a") + b"\0"
    subscribe = {"SUBSCRIBE with the identifier 0": bytes((0x82, len(body))) + body}
    known = shown(probe, "publish_qos1_packet_id_0_from_client", "unsubscribe_packet_id_0")
    await ends_behind_each(probe, {**known, **subscribe})


@server_check(v5=("MQTT-2.2.1-5", "MQTT-4.13.1-1"), v311=("MQTT-2.3.1-6", "MQTT-4.8.0-1"))
async def acknowledgement_of_identifier_zero(probe: ServerProbe) -> None:
    """An acknowledgement of a message with the identifier 0, which there cannot be, ends the connection."""
    wrong = shown(probe, "pubrec_packet_id_0", "pubrel_packet_id_0", "pubcomp_packet_id_0")
    await each(partial(_ends_behind_zero, probe, name, vector) for name, vector in wrong.items())


async def _ends_behind_zero(probe: ServerProbe, name: str, vector: Vector) -> None:
    peer = await probe.connect()
    await peer.send(bytes.fromhex(vector["hex"]))
    try:
        await ends(peer, f"behind {name}", codes=vector.get("accept_codes") or ())
    except Failed as failed:
        # 5.0 has a code for an identifier that is not known, and leaves open which ones that may be said of.
        if any(getattr(packet, "reason_code", 0) == ReasonCode.PACKET_IDENTIFIER_NOT_FOUND for packet in peer.arrived):
            raise NotStrict(f"{failed}; it says that it knows no such identifier") from None
        raise


@server_check(v5="MQTT-2.2.2-1")
async def property_length_left_out(probe: ServerProbe) -> None:
    """A packet without the length of its properties, where it has to be, is malformed."""
    await refuses_each(probe, {"CONNECT without a Property Length": connect_bytes(probe, properties=b"")})
    await ends_behind_each(probe, shown(probe, "publish_qos1_without_property_length"))


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 2.2.2.2"))
async def property_unknown_or_out_of_place(probe: ServerProbe) -> None:
    """A property that does not exist, or not in this packet, ends the connection."""
    places = ["publish_property_not_allowed_will_delay_interval", "subscribe_property_not_allowed_reason_string"]
    places += ["puback_property_not_allowed", "unsubscribe_property_not_allowed_subscription_identifier"]
    unknown = {
        "PUBLISH with the property 0x00": _publish(b"\0\0"),
        "PUBLISH with the property 0x7F": _publish(b"\x7f\0"),
    }
    await ends_behind_each(probe, {**shown(probe, *places), **unknown}, codes=(0x81,))


@server_check(v5=("MQTT-4.13.1-1", "MQTT 5.0, 2.2.2.2"))
async def property_twice(probe: ServerProbe) -> None:
    """A property that may be there once only, and is there twice, ends the connection."""
    await ends_behind_each(probe, shown(probe, "publish_duplicate_content_type", "publish_duplicate_response_topic"))
