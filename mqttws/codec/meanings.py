"""What values mean, in words: units, switches, Reason Codes. For people only; nothing is decided here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from mqttws.errors import name_of
from mqttws.notes import shown
from mqttws.topics import has_wildcard, is_shared
from mqttws.vocabulary import ConnectReturnCode, PacketType, ReasonCode

__all__ = ["MEANINGS", "meaning_of", "reason_name", "text_of"]

#: Words for every value, for each of a few values, or made from the value.
Meaning: TypeAlias = str | Mapping[int, str] | Callable[[Any], str]

_NEVER: Final = 0xFFFF_FFFF
_UNITS: Final = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def _seconds(value: int) -> str:
    for size, unit in _UNITS:
        if value >= size:
            count = round(value / size, 1)
            return f"seconds ({count:g} {unit}{'' if count == 1 else 's'})"
    return "seconds"


def _keep_alive(value: int) -> str:
    return f"{_seconds(value)} at most between two packets" if value else "off"


def _session_expiry(value: int) -> str:
    if value == _NEVER:
        return "the Session never expires"
    return f"{_seconds(value)} after the connection" if value else "the Session ends with the connection"


def _size(data: bytes) -> str:
    """How long a payload is, and whether it is text."""
    count = "1 byte" if len(data) == 1 else f"{len(data)} bytes"
    try:
        data.decode()
    except UnicodeDecodeError:
        return count
    return f"{count} of text" if data else "empty"


def _filter(value: str) -> str:
    kinds = []
    if is_shared(value):
        kinds.append("shared subscription")
    if has_wildcard(value):
        kinds.append("with wildcards")
    return ", ".join(kinds)


def _yes(what: str) -> dict[int, str]:
    return {0: f"no {what}", 1: what}


_QOS: Final = {0: "at most once", 1: "at least once", 2: "exactly once"}
_VERSIONS: Final = {3: "MQTT 3.1", 4: "MQTT 3.1.1", 5: "MQTT 5.0"}

#: By the last part of a field's path. Every property has an entry; a test says so.
MEANINGS: Final[dict[str, Meaning]] = {
    # fixed header
    "dup": {0: "sent for the first time", 1: "may have been sent before"},
    "qos": _QOS,
    "retain": {0: "not retained", 1: "retained"},
    # CONNECT and CONNACK
    "protocol_name": lambda name: "" if name == "MQTT" else "not MQTT",
    "version": lambda level: _VERSIONS.get(level, "unknown"),
    "user_name_flag": _yes("User Name in the payload"),
    "password_flag": _yes("Password in the payload"),
    "will_flag": _yes("Will Message in the payload"),
    "clean_start": {0: "go on with the Session, if there is one", 1: "begin a new Session"},
    "reserved": lambda bits: "must be 0" if bits else "as it must be",
    "keep_alive": _keep_alive,
    "client_id": lambda client_id: "" if client_id else "the Server is to assign one",
    "session_present": {0: "a new Session", 1: "the Session goes on"},
    # PUBLISH and SUBSCRIBE
    "topic": lambda topic: "" if topic else "named by the Topic Alias",
    "payload": _size,
    "topic_filter": _filter,
    "topic_filters": _filter,
    "retain_handling": {
        0: "send retained messages",
        1: "send retained messages if the subscription is new",
        2: "send no retained messages",
    },
    "retain_as_published": {0: "RETAIN is cleared on forwarding", 1: "RETAIN is forwarded as published"},
    "no_local": {0: "own messages come back", 1: "own messages do not come back"},
    # properties
    "properties": lambda length: "bytes of properties" if length else "none",
    "payload_format_indicator": {0: "bytes of any kind", 1: "UTF-8 text"},
    "message_expiry_interval": _seconds,
    "content_type": "",
    "response_topic": "answers go there",
    "correlation_data": "",
    "subscription_identifier": "",
    "session_expiry_interval": _session_expiry,
    "assigned_client_identifier": "chosen by the Server",
    "server_keep_alive": _keep_alive,
    "authentication_method": "",
    "authentication_data": _size,
    "request_problem_information": {0: "reasons in CONNACK and DISCONNECT only", 1: "reasons in any answer"},
    "will_delay_interval": lambda value: f"{_seconds(value)} until the Will is published" if value else "at once",
    "request_response_information": {0: "not wanted", 1: "wanted"},
    "response_information": "",
    "server_reference": "another Server to use",
    "reason_string": "",
    "receive_maximum": "QoS 1 and 2 messages at a time",
    "topic_alias_maximum": lambda value: "aliases at most" if value else "no aliases",
    "topic_alias": "",
    "maximum_qos": _QOS,
    "retain_available": _yes("retained messages"),
    "user_property": "",
    "maximum_packet_size": "bytes",
    "wildcard_subscription_available": _yes("wildcards"),
    "subscription_identifier_available": _yes("Subscription Identifiers"),
    "shared_subscription_available": _yes("shared subscriptions"),
}

_HEXADECIMAL: Final = frozenset(
    ("connect_flags", "acknowledge_flags", "options", "requested_qos", "reason_code", "reason_codes")
)
#: What 0x00 is called where it is not Success.
_ZERO: Final = {
    PacketType.DISCONNECT: "Normal disconnection",
    PacketType.SUBACK: "Granted QoS 0",
}


def meaning_of(name: str, value: Any) -> str:
    """Words for the value of a field, which is named by the last part of its path; empty if there is nothing to say."""
    meaning = MEANINGS.get(name, "")
    if isinstance(meaning, str):
        return meaning
    if isinstance(meaning, Mapping):
        return meaning.get(value, "not allowed")
    return meaning(value)


def reason_name(packet_type: PacketType, version: int, code: int) -> str:
    """A Reason Code in words, by the packet it stands in; in 3.1.1 that is CONNACK or SUBACK."""
    if version == 4:
        return _IN_3_1_1[packet_type].get(code, "unknown")
    if code == 0 and packet_type in _ZERO:
        return _ZERO[packet_type]
    return name_of(code).partition(" ")[2] if code in _REASON_CODES else "unknown"


_IN_3_1_1: Final = {
    PacketType.CONNACK: {int(code): name_of(code, 4).partition(" ")[2] for code in ConnectReturnCode},
    PacketType.SUBACK: {0: "Granted QoS 0", 1: "Granted QoS 1", 2: "Granted QoS 2", 0x80: "Failure"},
}
_REASON_CODES: Final = frozenset(ReasonCode)


def text_of(name: str, value: Any) -> str:
    """A value as people read it: hexadecimal where its bits or its first digit count."""
    if isinstance(value, int) and name in _HEXADECIMAL:
        return f"0x{value:02X}"
    return shown(value)
