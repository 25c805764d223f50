"""Checks that do nothing: they judge what the subject has sent to all the others.

Each row is a rule that one packet or frame keeps or breaks by itself. It has been kept if there was something to see
and the :class:`~mqttws.conformance.watch.Watch` holds nothing against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from mqttws.conformance.check import Check, Kind, Run, chapter_of
from mqttws.conformance.verdict import Failed, NotTested
from mqttws.conformance.watch import UNNUMBERED, Watch
from mqttws.vocabulary import ProtocolVersion, Role

__all__ = ["ROWS", "Row", "passive_checks"]

_BOTH: Final = frozenset(Role)
_CLIENT: Final = frozenset((Role.CLIENT,))
_SERVER: Final = frozenset((Role.SERVER,))


class _Watching(Protocol):
    """What a passive check needs of a probe."""

    @property
    def watch(self) -> Watch: ...


@dataclass(frozen=True, slots=True)
class Row:
    """A rule by its statement in each version, "" where that has none; who keeps it; what has to have been seen.

    Of several statements the Watch holds faults against the first; the others say the same. ``seen`` is a trait
    (:mod:`mqttws.conformance.traits`), or several with ``|`` between them, any of which will do.
    """

    name: str
    title: str
    v5: str | tuple[str, ...]
    v311: str | tuple[str, ...]
    senders: frozenset[Role]
    seen: str


ROWS: Final = (
    Row("sends_good_text", "It sends text in well-formed UTF-8 only.",
        "MQTT-1.5.4-1", "MQTT-1.5.3-1", _BOTH, "PUBLISH|CONNECT|text"),
    Row("sends_text_without_nul", "The text that it sends has no U+0000.",
        "MQTT-1.5.4-2", "", _SERVER, "text"),
    Row("sends_text_without_nul", "The text that it sends has no U+0000.",
        "MQTT-1.5.4-2", "MQTT-1.5.3-2", _CLIENT, "CONNECT"),
    Row("sends_shortest_lengths", "It writes a Variable Byte Integer with as few bytes as it takes.",
        "MQTT-1.5.5-1", "", _BOTH, "CONNECT|CONNACK"),
    Row("sends_good_user_properties", "Both halves of the User Properties that it sends are good text.",
        "MQTT-1.5.7-1", "", _BOTH, "user_property"),
    Row("sends_fixed_flags", "The flags in the first byte of what it sends are those of the packet's type.",
        "MQTT-2.1.3-1", "MQTT-2.2.2-1", _BOTH, "CONNECT|CONNACK"),
    Row("sends_packet_identifier_above_0", "A PUBLISH of its own above QoS 0 has a Packet Identifier other than 0.",
        "MQTT-2.2.1-4", "MQTT-2.3.1-1", _SERVER, "PUBLISH packet_id"),
    Row("sends_packet_identifier_above_0",
        "Its SUBSCRIBE, UNSUBSCRIBE and PUBLISH above QoS 0 have a Packet Identifier other than 0.",
        "MQTT-2.2.1-3", "MQTT-2.3.1-1", _CLIENT, "SUBSCRIBE|UNSUBSCRIBE|PUBLISH packet_id"),
    Row("sends_property_length", "It says by a Property Length of 0 that a packet has no properties.",
        "MQTT-2.2.2-1", "", _BOTH, "CONNECT|CONNACK"),
    # CONNECT
    Row("sends_connect_first", "The first packet that it sends on a connection is CONNECT.",
        "MQTT-3.1.0-1", "MQTT-3.1.0-1", _CLIENT, "CONNECT"),
    Row("sends_protocol_name", "The protocol name in its CONNECT is MQTT.",
        "MQTT-3.1.2-1", "", _CLIENT, "CONNECT"),
    Row("sends_whole_will", "A Will that it announces is there as a whole.",
        "MQTT-3.1.2-9", "MQTT-3.1.2-9", _CLIENT, "CONNECT will"),
    Row("sends_no_will_qos_without_will", "Without a Will it sends Will QoS 0.",
        "MQTT-3.1.2-11", "MQTT-3.1.2-13", _CLIENT, "CONNECT no will"),
    Row("sends_will_qos_up_to_2", "The QoS of its Will is 0, 1 or 2.",
        "MQTT-3.1.2-12", "MQTT-3.1.2-14", _CLIENT, "CONNECT will"),
    Row("sends_no_will_retain_without_will", "Without a Will it sends Will Retain 0.",
        "MQTT-3.1.2-13", "MQTT-3.1.2-15", _CLIENT, "CONNECT no will"),
    Row("sends_no_username_without_flag", "Without the User Name Flag its CONNECT has no User Name.",
        "MQTT-3.1.2-16", "MQTT-3.1.2-18", _CLIENT, "CONNECT no username"),
    Row("sends_username_with_flag", "With the User Name Flag its CONNECT has a User Name.",
        "MQTT-3.1.2-17", "MQTT-3.1.2-19", _CLIENT, "CONNECT username"),
    Row("sends_no_password_without_flag", "Without the Password Flag its CONNECT has no Password.",
        "MQTT-3.1.2-18", "MQTT-3.1.2-20", _CLIENT, "CONNECT no password"),
    Row("sends_password_with_flag", "With the Password Flag its CONNECT has a Password.",
        "MQTT-3.1.2-19", "MQTT-3.1.2-21", _CLIENT, "CONNECT password"),
    Row("sends_no_password_without_username", "It sets no Password Flag without the User Name Flag.",
        "", "MQTT-3.1.2-22", _CLIENT, "CONNECT no username"),
    Row("sends_client_identifier_first", "The payload of its CONNECT begins with the Client Identifier.",
        "MQTT-3.1.3-3", "MQTT-3.1.3-3", _CLIENT, "CONNECT"),
    Row("sends_good_client_identifier", "Its Client Identifier is good text.",
        "MQTT-3.1.3-4", "MQTT-3.1.3-4", _CLIENT, "CONNECT"),
    Row("sends_empty_client_identifier_with_clean_session_only",
        "With an empty Client Identifier it sets CleanSession.",
        "", ("MQTT-3.1.3-8", "MQTT-3.1.3-7"), _CLIENT, "CONNECT empty client_id"),
    Row("sends_good_will_topic", "The Topic Name of its Will is good text.",
        "MQTT-3.1.3-11", "MQTT-3.1.3-10", _CLIENT, "CONNECT will"),
    Row("sends_good_username", "Its User Name is good text.",
        "MQTT-3.1.3-12", "MQTT-3.1.3-11", _CLIENT, "CONNECT username"),
    # CONNACK
    Row("sends_no_reserved_connack_flags", "In its CONNACK bits 7 to 1 of the flags are 0.",
        "MQTT-3.2.2-1", "", _SERVER, "CONNACK"),
    Row("sends_no_session_present_with_refusal", "A CONNACK that refuses says that no Session is present.",
        "MQTT-3.2.2-6", "MQTT-3.2.2-4", _SERVER, "CONNACK refusal"),
    Row("sends_known_connack_codes", "The code in its CONNACK is one that the standard has for it.",
        "MQTT-3.2.2-8", "MQTT-3.2.2-6", _SERVER, "CONNACK"),
    # PUBLISH
    Row("sends_no_dup_at_qos_0", "It sends DUP 0 at QoS 0.",
        ("MQTT-3.3.1-2", "MQTT-4.3.1-1"), ("MQTT-3.3.1-2", "MQTT-4.3.1-1"), _BOTH, "PUBLISH qos 0"),
    Row("sends_qos_up_to_2", "It never sets both QoS bits of a PUBLISH.",
        "MQTT-3.3.1-4", "MQTT-3.3.1-4", _BOTH, "PUBLISH"),
    Row("sends_topic_first", "Its PUBLISH begins with a Topic Name that is text.",
        "MQTT-3.3.2-1", "MQTT-3.3.2-1", _BOTH, "PUBLISH"),
    Row("sends_topics_without_wildcards", "No Topic Name that it publishes to has a wildcard in it.",
        ("MQTT-3.3.2-2", "MQTT-4.7.0-1"), ("MQTT-3.3.2-2", "MQTT-4.7.1-1"), _SERVER, "PUBLISH"),
    Row("sends_topics_without_wildcards", "No Topic Name that it publishes to has a wildcard in it.",
        "MQTT-3.3.2-2", "MQTT-3.3.2-2", _CLIENT, "PUBLISH"),
    Row("sends_wills_without_wildcards", "The Topic Name of its Will has no wildcard in it.",
        "MQTT-4.7.0-1", "MQTT-4.7.1-1", _CLIENT, "CONNECT will"),
    Row("sends_topic_alias_above_0", "A Topic Alias that it sends is not 0.",
        "MQTT-3.3.2-8", "", _BOTH, "PUBLISH topic_alias"),
    Row("sends_good_response_topic", "A Response Topic that it sends is good text.",
        "MQTT-3.3.2-13", "", _BOTH, "PUBLISH response_topic"),
    Row("sends_response_topic_without_wildcards", "A Response Topic that it sends has no wildcard in it.",
        "MQTT-3.3.2-14", "", _BOTH, "PUBLISH response_topic"),
    Row("sends_good_content_type", "A Content Type that it sends is good text.",
        "MQTT-3.3.2-19", "", _BOTH, "PUBLISH content_type"),
    Row("sends_no_subscription_identifier", "Its PUBLISH to a Server has no Subscription Identifier.",
        "MQTT-3.3.4-6", "", _CLIENT, "PUBLISH"),
    # acknowledgements
    Row("sends_known_puback_codes", "The code in its PUBACK is one that the standard has for it.",
        "MQTT-3.4.2-1", "", _BOTH, "PUBACK"),
    Row("sends_known_pubrec_codes", "The code in its PUBREC is one that the standard has for it.",
        "MQTT-3.5.2-1", "", _BOTH, "PUBREC"),
    Row("sends_pubrel_flags", "The flags of its PUBREL are 0010.",
        "MQTT-3.6.1-1", "MQTT-3.6.1-1", _BOTH, "PUBREL"),
    Row("sends_known_pubrel_codes", "The code in its PUBREL is one that the standard has for it.",
        "MQTT-3.6.2-1", "", _BOTH, "PUBREL"),
    Row("sends_known_pubcomp_codes", "The code in its PUBCOMP is one that the standard has for it.",
        "MQTT-3.7.2-1", "", _BOTH, "PUBCOMP"),
    # SUBSCRIBE and UNSUBSCRIBE, and the answers
    Row("sends_subscribe_flags", "The flags of its SUBSCRIBE are 0010.",
        "MQTT-3.8.1-1", "MQTT-3.8.1-1", _CLIENT, "SUBSCRIBE"),
    Row("sends_good_filters_in_subscribe", "The filters in its SUBSCRIBE are good text.",
        "MQTT-3.8.3-1", "MQTT-3.8.3-1", _CLIENT, "SUBSCRIBE"),
    Row("sends_filters_in_subscribe", "Its SUBSCRIBE has at least one filter and its options.",
        "MQTT-3.8.3-2", "MQTT-3.8.3-3", _CLIENT, "SUBSCRIBE"),
    Row("sends_no_local_without_share", "It asks for No Local in no shared subscription.",
        "MQTT-3.8.3-4", "", _CLIENT, "filter shared"),
    Row("sends_known_suback_codes", "Each code in its SUBACK is one that the standard has for it.",
        "MQTT-3.9.3-2", "MQTT-3.9.3-2", _SERVER, "SUBACK"),
    Row("sends_unsubscribe_flags", "The flags of its UNSUBSCRIBE are 0010.",
        "MQTT-3.10.1-1", "MQTT-3.10.1-1", _CLIENT, "UNSUBSCRIBE"),
    Row("sends_good_filters_in_unsubscribe", "The filters in its UNSUBSCRIBE are good text.",
        "MQTT-3.10.3-1", "MQTT-3.10.3-1", _CLIENT, "UNSUBSCRIBE"),
    Row("sends_filters_in_unsubscribe", "Its UNSUBSCRIBE has at least one filter.",
        "MQTT-3.10.3-2", "MQTT-3.10.3-2", _CLIENT, "UNSUBSCRIBE"),
    Row("sends_known_unsuback_codes", "Each code in its UNSUBACK is one that the standard has for it.",
        "MQTT-3.11.3-2", "", _SERVER, "UNSUBACK"),
    # DISCONNECT and AUTH
    Row("sends_disconnect_flags", "The flags of its DISCONNECT are 0000.",
        "MQTT-3.14.1-1", "", _BOTH, "DISCONNECT"),
    Row("sends_known_disconnect_codes", "The code in its DISCONNECT is one that the standard has for it.",
        "MQTT-3.14.2-1", "", _BOTH, "DISCONNECT"),
    Row("sends_no_session_expiry_in_disconnect", "Its DISCONNECT has no Session Expiry Interval.",
        "MQTT-3.14.2-2", "", _SERVER, "DISCONNECT"),
    Row("sends_auth_flags", "The flags of its AUTH are 0000.",
        "MQTT-3.15.1-1", "", _BOTH, "AUTH"),
    Row("sends_known_auth_codes", "The code in its AUTH is one that the standard has for it.",
        "MQTT-3.15.2-1", "", _BOTH, "AUTH"),
    # topics and filters
    Row("sends_multi_level_wildcard_last", "A # in its filters is the last level, and all of it.",
        "MQTT-4.7.1-1", "MQTT-4.7.1-2", _CLIENT, "filter #"),
    Row("sends_single_level_wildcard_alone", "A + in its filters is all of its level.",
        "MQTT-4.7.1-2", "MQTT-4.7.1-3", _CLIENT, "filter +"),
    Row("sends_no_empty_topic", "No topic or filter that it sends is empty.",
        "MQTT-4.7.3-1", "MQTT-4.7.3-1", _CLIENT, "PUBLISH|SUBSCRIBE|CONNECT will"),
    Row("sends_no_empty_topic", "No Topic Name that it sends is empty.",
        "", "MQTT-4.7.3-1", _SERVER, "PUBLISH"),
    Row("sends_topics_without_nul", "No topic or filter that it sends has a U+0000 in it.",
        "MQTT-4.7.3-2", "MQTT-4.7.3-2", _BOTH, "PUBLISH|SUBSCRIBE"),
    Row("sends_share_name", "A shared subscription that it asks for has a ShareName.",
        "MQTT-4.8.2-1", "", _CLIENT, "filter shared"),
    Row("sends_filter_behind_share_name", "Its ShareNames have no / + # in them, and a filter behind them.",
        "MQTT-4.8.2-2", "", _CLIENT, "filter shared"),
    # WebSocket, and what has no number
    Row("sends_binary_frames", "It sends Control Packets in binary frames.",
        "MQTT-6.0.0-1", "MQTT-6.0.0-1", _BOTH, "frame"),
    Row("sends_frames_masked_as_its_role", "It masks its frames if it is a Client, and does not as a Server.",
        "RFC 6455, 5.1", "RFC 6455, 5.1", _BOTH, "frame"),
    Row("sends_known_frames", "It uses no opcode and no bit of a frame that WebSocket reserves.",
        "RFC 6455, 5.2", "RFC 6455, 5.2", _BOTH, "frame"),
    Row("sends_small_control_frames", "Its control frames are whole, and have 125 bytes at most.",
        "RFC 6455, 5.5", "RFC 6455, 5.5", _BOTH, "frame"),
    Row("sends_no_malformed_packet", "No packet that it sends is malformed in a way that has no number.",
        "MQTT 5.0, 4.13.1", "MQTT 3.1.1, 4.8", _BOTH, "CONNECT|CONNACK"),
)  # fmt: skip

#: What the Watch has no number for.
_UNNUMBERED: Final = frozenset(("MQTT 5.0, 4.13.1", "MQTT 3.1.1, 4.8"))


def passive_checks(kind: Kind) -> list[Check]:
    """The passive checks of Servers or Clients, in both versions."""
    sender = {Kind.SERVER: Role.SERVER, Kind.CLIENT: Role.CLIENT}.get(kind)
    return [
        _check(kind, version, row, (said,) if isinstance(said, str) else said)
        for row in ROWS
        if sender in row.senders
        for version, said in ((ProtocolVersion.V3_1_1, row.v311), (ProtocolVersion.V5, row.v5))
        if said
    ]


def _check(kind: Kind, version: ProtocolVersion, row: Row, statements: tuple[str, ...]) -> Check:
    return Check(
        kind,
        version,
        row.name,
        row.title,
        statements,
        chapter_of(row.name, version, statements),
        needs=frozenset(),
        alone=False,
        run=_judge(version, UNNUMBERED if statements[0] in _UNNUMBERED else statements[0], row.seen),
        passive=True,
    )


def _judge(version: ProtocolVersion, rule: str, seen: str) -> Run:
    traits = seen.split("|")

    async def judge(probe: _Watching) -> None:
        sighting = probe.watch.broken(version, rule)
        if sighting is not None:
            failure = Failed(sighting.message)
            failure.transcript = sighting.transcript
            raise failure
        if not any(probe.watch.traits[version, trait] for trait in traits):
            raise NotTested(f"it has sent no {' and no '.join(traits)}")

    return judge
