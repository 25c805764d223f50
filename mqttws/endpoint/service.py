"""What the local endpoint imitates, as data: every limit and every choice that the documentation leaves open.

The endpoint follows the *documented* behaviour of Azure Web PubSub for MQTT. Nothing here was measured on the service.
Where the documentation is silent the value is a guess, its origin says so, and a keyword changes it; do not take such a
value for what Azure does. ``row`` is the row of the emulation contract that a setting belongs to.

A second profile, ``generic``, is the second column: a plain MQTT server with all that the standard has, for people who
test clients against the whole of it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Final

from mqttws.endpoint.settings import PROFILES, Fixed, Origin, Setting, check, row
from mqttws.endpoint.settings import setting as _setting
from mqttws.vocabulary import REASON_CODES, PacketType, Role
from mqttws.webpubsub import limits

__all__ = ["FIXED", "Origin", "Service", "Setting", "settings_of", "unproven"]

_DOC: Final = Origin.DOCUMENTED
_INF: Final = Origin.INFERRED
_UNK: Final = Origin.UNKNOWN
_OUR: Final = Origin.OURS
_P = PacketType
_SUBACK_OR_DISCONNECT: Final = ("suback", "disconnect")
#: HTTP statuses that refuse, and 3.1.1 return codes that do.
_status = partial(_setting, least=400, most=599)
_v3_code = partial(_setting, least=1, most=5)

#: Codes of a Close frame by which a server ends a connection (RFC 6455, 7.4).
_close_code = partial(_setting, choices=(1000, 1001, 1002, 1003, 1007, 1008, 1011, 1013))


def _v5_code(default: int, row: str, origin: Origin, meaning: str, *packets: PacketType) -> Any:
    """A 5.0 reason code that refuses, and that a server may send in each of these packets."""
    codes = frozenset.intersection(*(frozenset(REASON_CODES[packet][Role.SERVER]) for packet in packets))
    return _setting(default, row, origin, meaning, choices=sorted(int(code) for code in codes if code >= 0x80))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The settings of one endpoint. Raises :class:`ValueError` for a value out of range.

    Times are seconds, sizes bytes, lengths characters.
    """

    banner: str = _setting(
        "", "-", _OUR, "what the first line of `mqttws serve` says; empty: there is no such line",
        generic="profile: generic, a plain MQTT server (not how Azure Web PubSub behaves)",
    )  # fmt: skip

    # The HTTP handshake.
    subprotocol_echo: bool = _setting(True, "1", _INF, "name the subprotocol mqtt in the answer to who offers it")
    access_from: str = _setting(
        "query", "2", _UNK, "where the token is looked for first, if it is in both places", choices=("query", "header")
    )
    anonymous: bool = _setting(False, "3, 4", _DOC, "let clients in without a token", generic=True)
    anonymous_roles: str = _setting(
        "none", "4", _DOC, "what they may do", choices=("none", "everything"), generic="everything"
    )
    bad_token_status: int = _status(
        401, "5, 10", _INF, "status for a token that does not count: signature, algorithm, expiry or none at all"
    )  # fmt: skip
    secondary_key: bool = _setting(True, "6", _INF, "whether tokens signed with the secondary key count")
    lenient_audience: bool = _setting(
        False, "8", _INF, "accept ws(s) audiences and the names of this machine besides the endpoint's own"
    )
    clock_skew: float = _setting(300.0, "9", _UNK, "how long after its expiry a token still counts", least=0)
    other_paths: str = _setting(
        "", "12", _INF, "the hub that paths lead to which are none of the service's; empty: to none", generic="chat"
    )
    unknown_path_status: int = _status(404, "12", _INF, "status for a path that leads nowhere")
    no_upgrade_status: int = _status(400, "13", _UNK, "status for plain HTTP where a WebSocket is expected")
    lenient_subprotocol: bool = _setting(
        False, "14", _UNK, "let clients in that do not offer the subprotocol mqtt, with a warning in the log"
    )
    origins: frozenset[str] | None = _setting(
        None, "-", _OUR, "values of the Origin header that browsers may come with; None: any"
    )
    connection_limit: int = _setting(10_000, "16", _UNK, "connections at a time", least=1)
    connection_limit_status: int = _status(429, "16", _UNK, "status for further ones")
    group_name_status: int = _status(400, "17", _UNK, "status for a token whose group is no group name")
    short_group_claim: bool = _setting(
        True, "18", _UNK, "take a token's claim 'group' for 'webpubsub.group', with a warning in the log"
    )
    unfinished_limit: int = _setting(
        2_000, "-", _OUR, "sockets beyond connection_limit, whose request has not been read yet", least=1
    )
    handshake_timeout: float = _setting(10.0, "-", _OUR, "how long the HTTP handshake may take", least=0.01)
    connect_timeout: float = _setting(10.0, "-", _OUR, "how long CONNECT may take after it", least=0.01)
    send_timeout: float = _setting(
        60.0, "-", _OUR, "how long a client may take no byte before its connection ends", least=0.01
    )
    close_timeout: float = _setting(1.0, "-", _OUR, "how long the peer has to answer a WebSocket Close", least=0)
    shutdown_timeout: float = _setting(2.0, "-", _OUR, "how long leaving the endpoint may take", least=0)

    # CONNECT.
    allow_underscore: bool = _setting(False, "22", _DOC, "admit '_' in client ids besides [0-9A-Za-z]")
    any_client_id: bool = _setting(False, "22", _DOC, "admit any characters in client ids", generic=True)
    client_id_length: int = _setting(
        limits.CLIENT_ID_LENGTH, "22", _DOC, "longest client id", least=1, most=65_535, generic=65_535
    )
    client_id_code: int = _v5_code(0x85, "22", _INF, "5.0 code for another client id", _P.CONNACK)
    v3_client_id_code: int = _v3_code(2, "22, 24", _INF, "3.1.1 return code for it and for an empty one")
    v3_assigned_id: bool = _setting(
        False, "24", _INF, "give 3.1.1 clients an id as well, which they are not told", generic=True
    )
    keep_alive_maximum: int = _setting(
        limits.KEEP_ALIVE_MAXIMUM, "25, 26", _DOC, "longest keep alive; beyond it 3.1.1 is refused", least=1,
        most=65_535, generic=65_535,
    )  # fmt: skip
    keep_alive_off: bool = _setting(False, "25, 26", _DOC, "whether a keep alive of 0 (none) is taken", generic=True)
    v5_keep_alive: str = _setting(
        "tell", "26", _INF, "what 5.0 clients with another keep alive get: Server Keep Alive, or a refusal (0x83)",
        choices=("tell", "refuse"),
    )  # fmt: skip
    v3_refusal_code: int = _setting(
        3, "25, 27, 28", _UNK, "3.1.1 return code for a refusal that 3.1.1 has no code for", least=1, most=5
    )
    topic_length: int = _setting(
        limits.TOPIC_LENGTH, "27, 46", _DOC, "longest topic", least=1, most=65_535, generic=65_535
    )
    blank_topics: bool = _setting(False, "27, 46", _DOC, "whether a topic may be nothing but white space", generic=True)
    will_topic_code: int = _v5_code(0x90, "27", _INF, "5.0 code for a will topic that is too long or blank", _P.CONNACK)
    will_payload_limit: int = _setting(
        limits.WILL_PAYLOAD_LIMIT, "28", _DOC, "largest will message", least=0, generic=65_535
    )
    will_payload_code: int = _setting(0x97, "28", _UNK, "5.0 code for a larger one", choices=(0x95, 0x97))
    will_retain_code: int = _v5_code(
        0x9A, "29", _INF, "5.0 code for a retained will where nothing is retained", _P.CONNACK
    )
    authentication_code: int = _v5_code(0x8C, "31", _INF, "5.0 code for an Authentication Method", _P.CONNACK)
    session_expiry_maximum: int = _setting(
        limits.SESSION_EXPIRY_MAXIMUM, "37, 67", _DOC, "how long a session outlives its connection at most", least=0,
        most=0xFFFF_FFFF, generic=0xFFFF_FFFF,
    )  # fmt: skip
    announce_expiry: bool = _setting(True, "37", _INF, "whether CONNACK says that a session is kept less long")
    announce_missing: bool = _setting(
        True, "38", _INF, "whether CONNACK says that wildcards, shared subscriptions, retained messages are missing"
    )
    takeover_code: int = _v5_code(
        0x8E, "39", _INF, "5.0 code for a connection whose client id has come again", _P.DISCONNECT
    )
    maximum_packet_size: int = _setting(
        limits.MAXIMUM_PACKET_SIZE, "38, 54", _DOC, "largest packet and WebSocket message from a client", least=64
    )
    # 65,535 is what a silent CONNACK means. A modest number lets the endpoint slow a publisher down by MQTT's own means
    # when it outruns a subscriber (see backlog.py), instead of ending the subscriber's session.
    receive_maximum: int = _setting(
        100, "38", _UNK, "unacknowledged QoS 1 and 2 messages that a 5.0 client may have on its way to us", least=1,
        most=65_535,
    )  # fmt: skip
    group_qos: int = _setting(0, "41", _UNK, "QoS of the subscriptions that a token's groups become", choices=(0, 1, 2))
    event_timeout: float = _setting(
        30.0, "32", _UNK, "how long an event handler may take; after it the client is refused, its event has failed",
        least=0.01,
    )  # fmt: skip
    handler_roles: str = _setting(
        "replace", "32", _UNK, "what roles given by a connect event handler do to those of the token",
        choices=("replace", "extend"),
    )  # fmt: skip
    handler_failure_code: int = _v5_code(
        0x80, "33", _UNK, "5.0 code when a connect event handler fails without one", _P.CONNACK
    )
    v3_handler_failure_code: int = _setting(3, "33", _UNK, "the same, 3.1.1 return code", least=1, most=5)
    v3_handler_invalid_code: int = _setting(
        3, "34", _UNK, "3.1.1 return code when it gives one that 3.1.1 does not have", least=1, most=5
    )
    call_limit: int = _setting(
        1_000, "-", _OUR, "calls to event handlers at a time; what is beyond them fails or is not told", least=1
    )
    handler_connections: int = _setting(
        64, "-", _OUR, "connections to one server of event handlers; further calls wait for their turn", least=1
    )
    missing_connection_status: int = _status(
        404, "73, 76", _UNK, "REST: status for adding to a group, or granting to, a connection that there is not"
    )
    session_limit: int = _setting(20_000, "-", _OUR, "sessions in one hub, offline ones included", least=1)

    expired_access: str = _setting(
        "ignore", "69", _INF, "what becomes of a connection whose token expires", choices=("ignore", "close")
    )
    topic_alias_maximum: int = _setting(
        0, "38, 53", _INF, "topic aliases that a 5.0 client may use; more end its connection with 0x94", least=0,
        most=65_535, generic=100,
    )  # fmt: skip

    # Traffic.
    denied_code: int = _v5_code(
        0x87,
        "43, 48, 50, 51, 63",
        _INF,
        "5.0 code where a role is missing",
        _P.SUBACK,
        _P.UNSUBACK,
        _P.PUBACK,
        _P.DISCONNECT,
    )
    wildcards: bool = _setting(False, "44", _DOC, "whether '+' and '#' are wildcards in subscriptions", generic=True)
    wildcard_answer: str = _setting(
        "suback", "44", _UNK, "5.0 answer to a wildcard: 0xA2 in SUBACK or DISCONNECT", choices=_SUBACK_OR_DISCONNECT
    )
    shared_subscriptions: bool = _setting(
        False, "45", _DOC, "whether 5.0 clients may share subscriptions by $share/…", generic=True
    )
    shared_answer: str = _setting(
        "suback", "45", _UNK, "5.0 answer to $share/…: 0x9E in SUBACK or DISCONNECT", choices=_SUBACK_OR_DISCONNECT
    )
    filter_code: int = _v5_code(0x8F, "46", _INF, "5.0 code for a filter that is too long or blank", _P.SUBACK)
    filter_levels: int = _setting(200, "-", _OUR, "levels of a filter with wildcards", least=1)
    unsubscribe_role: bool = _setting(True, "48", _INF, "whether UNSUBSCRIBE needs the role that SUBSCRIBE does")
    v3_denied: str = _setting(
        "acknowledge", "51", _INF, "a 3.1.1 publish at QoS 1 or 2 without the role: acknowledge and drop it, or close",
        choices=("acknowledge", "close"),
    )  # fmt: skip
    retained_limit: int = _setting(0, "52", _DOC, "retained messages of a hub", least=0, generic=1_000)
    retained_bytes: int = _setting(16 * 1024 * 1024, "-", _OUR, "the same, as bytes", least=0)
    retain_answer: str = _setting(
        "disconnect", "52", _INF, "5.0 publish with RETAIN where nothing is retained: DISCONNECT 0x9A, or deliver it",
        choices=("disconnect", "deliver"),
    )  # fmt: skip
    own_messages: bool = _setting(True, "55", _INF, "whether a subscriber gets what it has published itself")
    service_topics: bool = _setting(
        True, "60", _DOC, "whether topics below $webpubsub/ are the service's, for events and answers", generic=False
    )
    other_service_topics: str = _setting(
        "deny", "63", _UNK, "publish to one of them that is no event: deny it, or deliver as to any topic",
        choices=("deny", "deliver"),
    )  # fmt: skip
    subscription_limit: int = _setting(1000, "-", _OUR, "subscriptions of one session", least=1)
    event_content_type: str = _setting(
        "application/octet-stream", "60", _INF, "Content-Type of an event at its handler if the client gave none"
    )
    event_without_handler: str = _setting(
        "failed", "62", _UNK, "publish to …/events/{name} nobody handles: answer on …/failed with 404, or close",
        choices=("failed", "close"),
    )  # fmt: skip
    invalid_event: str = _setting(
        "close", "61", _UNK, "QoS 0 publish that is no event (5.0: 0x90 or 0x99): close or drop it",
        choices=("close", "drop"),
    )  # fmt: skip
    queue_messages: int = _setting(
        1000, "68", _UNK, "QoS 1 and 2 messages that wait for a session; beyond it the session ends", least=1
    )
    overflow_code: int = _v5_code(0x97, "68", _UNK, "5.0 code of that end", _P.DISCONNECT)
    queue_bytes: int = _setting(16 * 1024 * 1024, "68", _UNK, "the same, as bytes", least=1024)
    send_buffer_bytes: int = _setting(
        1024 * 1024, "68", _OUR, "bytes that wait for a slow reader before QoS 0 is dropped and QoS 1 and 2 are queued",
        least=1024,
    )  # fmt: skip
    patience: float = _setting(
        2.0, "-", _OUR, "how long publishers wait for their acknowledgement while a subscriber's queue is long", least=0
    )
    server_message_qos: int = _setting(
        1, "72", _INF, "QoS of what is sent to all, a user or a connection", choices=(0, 1)
    )
    close_code: int = _v5_code(0x98, "75", _INF, "5.0 code when a server closes a connection", _P.DISCONNECT)
    revoke_unsubscribes: bool = _setting(
        True, "76", _UNK, "whether revoking joinLeaveGroup ends the subscriptions that it had allowed"
    )

    # Clients of Web PubSub's own JSON protocols.
    native_clients: bool = _setting(
        True, "81", _DOC, "let clients of Web PubSub's own JSON protocols in at /client/hubs/{hub}", generic=False
    )
    native_recovery: int = _setting(
        30, "81", _DOC, "how long a reliable one may come back after its connection has ended", least=0
    )
    native_farewell: bool = _setting(
        True, "81", _INF, "whether one that has closed its WebSocket in order is not let back"
    )
    native_bad_frame_code: int = _close_code(
        1008, "81", _UNK, "WebSocket close code for a frame that is not as documented; the client is not let back"
    )
    native_close_code: int = _close_code(1000, "81", _UNK, "the same when a server closes a connection")
    native_overflow_code: int = _close_code(1008, "81", _UNK, "the same when too many messages wait for a client")
    native_failed_event: str = _setting(
        "close", "81", _UNK, "an event without ackId that nobody handles or that has failed: close, or drop it",
        choices=("close", "drop"),
    )  # fmt: skip
    native_event_code: int = _close_code(1011, "81", _UNK, "WebSocket close code of that end")
    native_error_name: str = _setting(
        "BadRequest", "81", _UNK, "error name in the answer to what cannot be done, besides the documented ones"
    )
    native_handler_status: int = _status(
        500, "81", _UNK, "status of the handshake when a connect event handler fails without one"
    )
    native_ack_memory: int = _setting(
        1000, "81", _UNK, "how many ackIds of a connection are remembered to tell duplicates", least=1
    )
    native_silence: float = _setting(
        120.0, "-", _OUR, "how long a connection may be silent; after half of it the endpoint sends a WebSocket ping",
        least=0.01,
    )  # fmt: skip
    will_permission: bool = _setting(True, "70", _UNK, "whether a will needs the role to publish to its topic")

    def __post_init__(self) -> None:
        for item in fields(self):
            check(item, getattr(self, item.name))

    @classmethod
    def of(cls, profile: str = "webpubsub") -> Service:
        """The defaults of a profile; :class:`ValueError` if there is none of that name."""
        if profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}, only {' and '.join(PROFILES)}")
        return cls(**{item.name: item.metadata[profile] for item in fields(cls)})

    @property
    def client_id_rule(self) -> str:
        """The rule for client ids as people read it."""
        if self.any_client_id:
            return f"[^\\0]{{1,{self.client_id_length}}}"
        return limits.client_id_rule(underscore=self.allow_underscore, length=self.client_id_length)

    def topic_fault(self, topic: str) -> str | None:
        """What is wrong with a topic: blank, or too long. None if nothing is."""
        if self.blank_topics and topic and not topic.strip() and len(topic) <= self.topic_length:
            return None
        return limits.topic_fault(topic, self.topic_length)

    def changed(self, **settings: Any) -> Service:
        """The same service with other values; :class:`TypeError` for a name that is no setting."""
        known = [item.name for item in fields(self)]
        for name in settings:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                raise TypeError(f"there is no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return replace(self, **settings)


#: What the contract infers and no setting changes, since MQTT leaves no other answer.
FIXED: Final = (
    Fixed("19", "a first packet that is no CONNECT, a text frame and malformed bytes end the connection"),
    Fixed("21", "other protocol levels are refused in words that they know: 0x01 below 5, 0x84 above"),
    Fixed("47", "each filter of a SUBSCRIBE is judged on its own"),
    Fixed("54", "a packet above maximum_packet_size ends the connection: 0x95, WebSocket 1009"),
    Fixed("64", "PINGREQ is answered by PINGRESP"),
    Fixed("65", "silence over 1.5 times the keep alive ends the connection: 0x8D"),
)


def settings_of(service: Service) -> Iterator[Setting]:
    """The whole table, in the order in which a connection meets it."""
    for item in fields(service):
        yield row(item, getattr(service, item.name))


def unproven(service: Service) -> list[Setting]:
    """The rows that nobody can vouch for: what the real service does may differ."""
    return [setting for setting in settings_of(service) if setting.origin in (Origin.INFERRED, Origin.UNKNOWN)]
