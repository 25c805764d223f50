"""What other people's Servers fail, looked into one by one: why the Server is wrong, and the checks that say so.

Names stand with their version; ``unsteady`` are those of which a Server gets some right by chance. One that ``races``
with itself does so with any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["AEDES", "AMQTT", "MOSQUITTO", "Expected"]


@dataclass(frozen=True, slots=True)
class Expected:
    """Failures by their cause, for one release."""

    release: str
    failures: Mapping[str, str]
    unsteady: Mapping[str, str]
    races: bool = False

    @property
    def tolerated(self) -> int:
        """How many of the certain ones may be missing at a time."""
        return len(self.certain) // 5 if self.races else 0

    @property
    def certain(self) -> set[str]:
        """Ids of the checks that fail each time."""
        return _ids(self.failures)

    @property
    def possible(self) -> set[str]:
        """Ids of those that may fail."""
        return _ids(self.failures) | _ids(self.unsteady)


def _ids(causes: Mapping[str, str]) -> set[str]:
    return {f"server/{name}" for names in causes.values() for name in names.split()}


MOSQUITTO = Expected(
    "2.0.11",
    {
        # Flags of PUBACK, PUBREC, PUBCOMP and PINGREQ are not looked at [3.1.1 MQTT-2.2.2-2, 5.0 MQTT-2.1.3-1].
        "flags": "3.1.1/reserved_flags_set 5.0/reserved_flags_set",
        # SUBACK, UNSUBACK and PINGRESP are taken from a client, as if it were another broker's bridge.
        "direction": "3.1.1/packet_of_a_server_taken 5.0/packet_of_a_server_taken",
        # A broker that ends the connection because of a second CONNECT forgets the will [MQTT-3.1.2-8].
        "will behind an error": "3.1.1/will_not_published_behind_an_error 5.0/will_not_published_behind_an_error",
        # Any DISCONNECT but 0x04 takes the will away; only 0x00 may [5.0 MQTT-3.14.4-3].
        "will behind DISCONNECT": "5.0/will_lost_at_disconnect_with_an_error 5.0/unknown_code_in_disconnect",
        # A will whose delay is longer than its session is lost; it is due when the session ends [5.0 MQTT-3.1.2-8].
        "will with a delay": "5.0/will_outlives_its_session",
        # One copy is sent, at the QoS of the subscription that was found first [3.1.1 MQTT-3.3.5-1].
        "overlap": "3.1.1/lower_qos_of_two",
        # The second copy of a QoS 2 message is answered, the third one ends the connection [3.1.1 MQTT-4.3.3-2].
        "third copy": "3.1.1/further_copies_refused",
        # Behind max_inflight_messages QoS 2 messages, all of them completed, nothing comes any more to a 3.1.1 client.
        "stuck": "3.1.1/disordered_qos2",
        # A message that is too large for the client keeps its place in the window for ever [5.0 MQTT-3.1.2-25].
        "too large": "5.0/delivery_stopped_by_a_large_message",
        # Behind the first PUBACK a whole window more is sent: five are open, three were allowed [5.0 MQTT-3.3.4-9].
        "window": "5.0/receive_maximum_exceeded",
        # A QoS 2 message that was sent and has expired since is dropped at the reconnect [5.0 MQTT-4.3.3-7].
        "expiry": "5.0/expired_after_sending",
        # Authentication Data without a method, a Subscription Identifier from a client, No Local on a shared
        # subscription, shared subscriptions without a proper name: all accepted.
        "5.0's prohibitions": (
            "5.0/connect_with_wrong_properties 5.0/identifier_from_client 5.0/no_local_on_shared "
            "5.0/share_without_name 5.0/share_of_bad_name"
        ),
        # A Response Topic with a wildcard is handed on to the subscribers [5.0 MQTT-3.3.2-14].
        "response topic": "5.0/wildcard_response_topic 5.0/sends_response_topic_without_wildcards",
        # libwebsockets asks for no version, and takes what is not masked; text frames are read like binary ones.
        "WebSocket": (
            "3.1.1/bad_request_accepted 5.0/bad_request_accepted "
            "3.1.1/unknown_websocket_version 5.0/unknown_websocket_version "
            "3.1.1/unmasked_frame_taken 5.0/unmasked_frame_taken 3.1.1/text_frame_taken 5.0/text_frame_taken"
        ),
    },
    {},
)

AEDES = Expected(
    "1.2.0",
    {
        # Text is decoded as it comes, U+FFFD in place of what is wrong [MQTT-1.5.3-1], U+0000 and all [MQTT-1.5.3-2].
        "text": (
            "3.1.1/ill_formed_user_name 3.1.1/ill_formed_client_identifier 3.1.1/ill_formed_will_topic "
            "3.1.1/topic_no_text 3.1.1/topic_with_nul 3.1.1/filter_no_text 3.1.1/unsubscribe_no_text"
        ),
        # The identifier 0 is one like any other [MQTT-2.3.1-1].
        "identifier 0": "3.1.1/identifier_zero_taken 3.1.1/acknowledgement_of_identifier_zero",
        # What is behind the fields that the flags announce is passed over, and Will QoS 3 is taken [MQTT-3.1.4-1].
        "CONNECT": (
            "3.1.1/bytes_behind_connect 3.1.1/user_name_against_its_flag 3.1.1/password_against_its_flag "
            "3.1.1/will_against_its_flag 3.1.1/will_qos_3 3.1.1/password_without_user_name"
        ),
        # An empty client identifier is replaced, also where a session is asked for [MQTT-3.1.3-8].
        "no name": "3.1.1/empty_identifier_with_a_session",
        # Protocol level 0 gets no CONNACK [MQTT-3.1.2-2].
        "level": "3.1.1/unsupported_protocol_level",
        # A session without subscriptions is not kept [MQTT-3.2.2-2].
        "session": "3.1.1/session_without_subscriptions_not_kept",
        # Of subscriptions that overlap, the QoS of the one that was made first counts [MQTT-3.3.5-1].
        "overlap": "3.1.1/lower_qos_of_two 3.1.1/more_copies_than_subscriptions",
        # DUP is handed on as it came [MQTT-3.3.1-3], at QoS 0 too, and clear when a message is sent again [3.3.1-1].
        "DUP": ("3.1.1/dup_passed_on 3.1.1/dup_at_qos0 3.1.1/sends_no_dup_at_qos_0 3.1.1/resent_without_dup"),
        # UNSUBSCRIBE without a filter is answered [MQTT-3.10.3-2].
        "no filter": "3.1.1/unsubscribe_without_filter",
        # The identifier of an acknowledgement is read beyond its packet.
        "too short": "3.1.1/acknowledgement_cut_off",
        # Text frames are read like binary ones [MQTT-6.0.0-1]; ws takes requests of HTTP/1.0.
        "WebSocket": "3.1.1/text_frame_taken 3.1.1/bad_request_accepted",
    },
    {
        # As above; with luck the bytes of the next packet are not there yet.
        "too short": "3.1.1/inner_length_beyond_the_packet",
    },
)

#: Without retained messages and sessions: amqtt mixes up those of several clients, so these checks come and go.
AMQTT = Expected(
    "0.12.1",
    {
        # No text is looked at [MQTT-1.5.3-1, -2].
        "text": (
            "3.1.1/ill_formed_user_name 3.1.1/ill_formed_client_identifier 3.1.1/ill_formed_will_topic "
            "3.1.1/topic_no_text 3.1.1/topic_with_nul 3.1.1/filter_no_text 3.1.1/unsubscribe_no_text"
        ),
        # Nor are flags [MQTT-2.2.2-2].
        "flags": (
            "3.1.1/reserved_flags_set 3.1.1/reserved_flags_of_connect_set 3.1.1/pubrel_flags 3.1.1/subscribe_flags "
            "3.1.1/unsubscribe_flags"
        ),
        # Nor identifiers [MQTT-2.3.1-1].
        "identifier 0": "3.1.1/identifier_zero_taken 3.1.1/acknowledgement_of_identifier_zero",
        # A packet that cannot be read is waited for to the end of time: the connection is neither served nor ended.
        "hangs": (
            "3.1.1/connect_cut_short 3.1.1/user_name_against_its_flag 3.1.1/password_against_its_flag "
            "3.1.1/inner_length_beyond_the_packet 3.1.1/acknowledgement_cut_off 3.1.1/other_packet_before_connect "
            "3.1.1/wildcard_forwarded"
        ),
        # What CONNECT says of a will is taken as it comes, and what is behind its fields passed over [MQTT-3.1.4-1].
        "CONNECT": (
            "3.1.1/bytes_behind_connect 3.1.1/will_against_its_flag 3.1.1/will_qos_or_retain_without_a_will "
            "3.1.1/will_qos_3"
        ),
        # Packet types that no client may send, QoS 3, and filters that are empty or not there.
        "anything goes": (
            "3.1.1/packet_of_a_server_taken 3.1.1/both_qos_bits 3.1.1/subscribe_qos3 "
            "3.1.1/subscribe_reserved_bits 3.1.1/subscribe_without_filter 3.1.1/unsubscribe_without_filter "
            "3.1.1/empty_filter"
        ),
        # Keep Alive ends nothing [MQTT-3.1.2-24].
        "silence": "3.1.1/silent_client_kept 3.1.1/will_of_a_silent_client_lost",
        # The older of two connections with one identifier is kept [MQTT-3.1.4-2].
        "session": "3.1.1/older_connection_goes_on",
        # Messages go out at the QoS of the subscription, not at the lower one of both [MQTT-3.8.4-6].
        "QoS": "3.1.1/delivered_above_granted 3.1.1/qos0_raised 3.1.1/first_copy_marked",
        # A subscription is not replaced by one to the same filter [MQTT-3.8.4-3].
        "replaced": "3.1.1/same_filter_twice 3.1.1/subscription_not_replaced",
        # Text frames are read like binary ones [MQTT-6.0.0-1].
        "WebSocket": "3.1.1/text_frame_taken",
    },
    {
        # A second CONNECT is mostly passed over [MQTT-3.1.0-2].
        "second CONNECT": "3.1.1/second_connect",
        # Whether a packet of an unknown type is passed over, a wrong DISCONNECT is taken for a good one, or a session
        # with CleanSession 1 found again, depends on what it is busy with.
        "by turns": (
            "3.1.1/reserved_packet_type 3.1.1/flags_of_disconnect_unchecked 3.1.1/session_outlives_connection"
        ),
        # The QoS that is granted may come from behind the end of a packet that is too short [MQTT-3.9.3-2].
        "granted": "3.1.1/sends_known_suback_codes",
    },
    races=True,
)
