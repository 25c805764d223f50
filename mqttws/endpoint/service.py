"""What the local endpoint imitates, as data: every limit and every choice that the documentation leaves open.

The endpoint follows the *documented* behaviour of Azure Web PubSub for MQTT. Nothing here was measured on the service.
Where the documentation is silent the value is a guess, its origin says so, and a keyword changes it; do not take such a
value for what Azure does. ``row`` is the row of the emulation contract that a setting belongs to.

A second profile (a plain MQTT server with wildcards and retained messages) would be a second default in each row.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

from mqttws.webpubsub import limits

__all__ = ["Origin", "Service", "Setting", "settings_of", "unproven"]


class Origin(StrEnum):
    """Where a default comes from."""

    DOCUMENTED = "documented"
    """Microsoft's documentation, schemas or staff say so."""
    INFERRED = "inferred"
    """It follows from the MQTT standard and documented facts; nobody says it of this service."""
    UNKNOWN = "unknown"
    """The sources are silent; some value is needed."""
    OURS = "ours"
    """Protects this process, and has no counterpart to imitate."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    default: Any
    row: str
    origin: Origin
    meaning: str
    value: Any


def _setting(
    default: Any,
    row: str,
    origin: Origin,
    meaning: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[object, ...] = (),
) -> Any:
    about = {"row": row, "origin": origin, "meaning": meaning, "least": least, "most": most, "choices": choices}
    return field(default=default, metadata=about)


_DOC: Final = Origin.DOCUMENTED
_INF: Final = Origin.INFERRED
_UNK: Final = Origin.UNKNOWN
_OUR: Final = Origin.OURS
_SUBACK_OR_DISCONNECT: Final = ("suback", "disconnect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The settings of one endpoint. Raises :class:`ValueError` for a value out of range.

    Times are seconds, sizes bytes, lengths characters.
    """

    # The HTTP handshake.
    anonymous: bool = _setting(False, "4", _DOC, "let clients in without a token; they have no roles")
    lenient_audience: bool = _setting(
        False, "8", _INF, "accept ws(s) audiences and the names of this machine besides the endpoint's own"
    )
    clock_skew: float = _setting(300.0, "9", _UNK, "how long after its expiry a token still counts", least=0)
    lenient_subprotocol: bool = _setting(
        False, "14", _UNK, "let clients in that do not offer the subprotocol mqtt, with a warning in the log"
    )
    origins: frozenset[str] | None = _setting(
        None, "-", _OUR, "values of the Origin header that browsers may come with; None: any"
    )
    connection_limit: int = _setting(10_000, "16", _UNK, "connections at a time; further ones get 429", least=1)
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
    client_id_length: int = _setting(limits.CLIENT_ID_LENGTH, "22", _DOC, "longest client id", least=1, most=65_535)
    keep_alive_maximum: int = _setting(
        limits.KEEP_ALIVE_MAXIMUM, "25, 26", _DOC,
        "longest keep alive; beyond it and at 0 3.1.1 is refused, 5.0 told Server Keep Alive", least=1, most=65_535,
    )  # fmt: skip
    v3_refusal_code: int = _setting(
        3, "25, 27, 28", _UNK, "3.1.1 return code for a refusal that 3.1.1 has no code for", least=1, most=5
    )
    topic_length: int = _setting(limits.TOPIC_LENGTH, "27, 46", _DOC, "longest topic", least=1, most=65_535)
    will_payload_limit: int = _setting(limits.WILL_PAYLOAD_LIMIT, "28", _DOC, "largest will message", least=0)
    will_payload_code: int = _setting(0x97, "28", _UNK, "5.0 code for a larger one", choices=(0x95, 0x97))
    session_expiry_maximum: int = _setting(
        limits.SESSION_EXPIRY_MAXIMUM, "37, 67", _DOC, "how long a session outlives its connection at most", least=0
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
    handler_failure_code: int = _setting(
        0x80, "33", _UNK, "5.0 code when a connect event handler fails without one", least=0x80, most=0x9F
    )
    v3_handler_failure_code: int = _setting(3, "33", _UNK, "the same, 3.1.1 return code", least=1, most=5)
    v3_handler_invalid_code: int = _setting(
        3, "34", _UNK, "3.1.1 return code when it gives one that 3.1.1 does not have", least=1, most=5
    )
    call_limit: int = _setting(
        1_000, "-", _OUR, "calls to event handlers at a time; what is beyond them fails or is not told", least=1
    )
    session_limit: int = _setting(20_000, "-", _OUR, "sessions in one hub, offline ones included", least=1)

    # Traffic.
    wildcard_answer: str = _setting(
        "suback", "44", _UNK, "5.0 answer to a wildcard: 0xA2 in SUBACK or DISCONNECT", choices=_SUBACK_OR_DISCONNECT
    )
    shared_answer: str = _setting(
        "suback", "45", _UNK, "5.0 answer to $share/…: 0x9E in SUBACK or DISCONNECT", choices=_SUBACK_OR_DISCONNECT
    )
    subscription_limit: int = _setting(1000, "-", _OUR, "subscriptions of one session", least=1)
    event_without_handler: str = _setting(
        "failed", "62", _UNK, "publish to …/events/{name} nobody handles: answer on …/failed with 404, or close",
        choices=("failed", "close"),
    )  # fmt: skip
    invalid_event: str = _setting(
        "close", "61", _UNK, "QoS 0 publish that is no event (5.0: 0x90 or 0x99): close or drop it",
        choices=("close", "drop"),
    )  # fmt: skip
    queue_messages: int = _setting(
        1000, "68", _UNK, "QoS 1 and 2 messages that wait for a session; beyond it the session ends with 0x97", least=1
    )
    queue_bytes: int = _setting(16 * 1024 * 1024, "68", _UNK, "the same, as bytes", least=1024)
    send_buffer_bytes: int = _setting(
        1024 * 1024, "68", _OUR, "bytes that wait for a slow reader before QoS 0 is dropped and QoS 1 and 2 are queued",
        least=1024,
    )  # fmt: skip
    patience: float = _setting(
        2.0, "-", _OUR, "how long publishers wait for their acknowledgement while a subscriber's queue is long", least=0
    )
    revoke_unsubscribes: bool = _setting(
        True, "76", _UNK, "whether revoking joinLeaveGroup ends the subscriptions that it had allowed"
    )
    will_permission: bool = _setting(True, "70", _UNK, "whether a will needs the role to publish to its topic")

    def __post_init__(self) -> None:
        for item in fields(self):
            _check(item.name, getattr(self, item.name), item.default, item.metadata)

    @property
    def client_id_rule(self) -> str:
        """The rule for client ids as people read it."""
        return limits.client_id_rule(underscore=self.allow_underscore, length=self.client_id_length)

    def changed(self, **settings: Any) -> Service:
        """The same service with other values; :class:`TypeError` for a name that is no setting."""
        known = [item.name for item in fields(self)]
        for name in settings:
            if name not in known:
                close = difflib.get_close_matches(name, known, 1)
                raise TypeError(f"there is no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        return replace(self, **settings)


def _check(name: str, value: object, default: object, about: Any) -> None:
    """Raise :class:`ValueError` unless ``value`` is of the default's kind and within the row's bounds."""
    if default is None:
        if value is not None and not isinstance(value, frozenset):
            raise ValueError(f"{name} is a frozenset of strings or None")
        return
    kind: Any = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, kind) or isinstance(value, bool) is not isinstance(default, bool):
        raise ValueError(f"{name} is {value!r}, but should be like {default!r}")
    if about["choices"] and value not in about["choices"]:
        raise ValueError(f"{name} is {value!r}, but should be one of {', '.join(map(repr, about['choices']))}")
    if about["least"] is not None and not value >= about["least"]:
        raise ValueError(f"{name} is {value!r}, but should be {about['least']} or more")
    if about["most"] is not None and value > about["most"]:
        raise ValueError(f"{name} is {value!r}, but should be {about['most']} or less")


def settings_of(service: Service) -> Iterator[Setting]:
    """The whole table, in the order in which a connection meets it."""
    for item in fields(service):
        about = item.metadata
        yield Setting(
            item.name, item.default, about["row"], about["origin"], about["meaning"], getattr(service, item.name)
        )


def unproven(service: Service) -> list[Setting]:
    """The rows that nobody can vouch for: what the real service does may differ."""
    return [setting for setting in settings_of(service) if setting.origin in (Origin.INFERRED, Origin.UNKNOWN)]
