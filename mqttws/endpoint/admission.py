"""What a CONNECT must say to be accepted (rows 19 to 31 and 37 of the emulation contract), and what CONNACK answers."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from mqttws.codec import Connect, Will
from mqttws.endpoint.service import Service
from mqttws.vocabulary import REASON_CODES, ConnectReturnCode, PacketType, ProtocolVersion, ReasonCode, Role

__all__ = ["Accepted", "Refused", "denial", "judge_connect", "new_client_id"]

_ALPHABET: Final = string.ascii_letters + string.digits
_ASSIGNED_LENGTH: Final = 20


@dataclass(slots=True, frozen=True)
class Refused:
    """The CONNACK code that says no, and why in words. ``reason_code`` is a return code in 3.1.1."""

    reason_code: int
    message: str


@dataclass(slots=True, frozen=True)
class Accepted:
    """What was settled: the client id, how many seconds the session outlives its connection, CONNACK's properties."""

    client_id: str
    expiry: int
    properties: dict[str, Any]


def new_client_id() -> str:
    """A client id for a 5.0 Client that has none (row 23); it obeys the rule for client ids and cannot be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_ASSIGNED_LENGTH))


def denial(code: int | None, reason: str, connect: Connect, service: Service) -> Refused:
    """What CONNACK says when an event handler has refused a client, with or without a code that is valid for it."""
    v5 = connect.version == ProtocolVersion.V5
    if code is None:
        return Refused(service.handler_failure_code if v5 else service.v3_handler_failure_code, reason)
    known = REASON_CODES[PacketType.CONNACK][Role.SERVER] if v5 else frozenset(ConnectReturnCode)
    if code in known and code >= (0x80 if v5 else 1):
        return Refused(code, reason)
    return Refused(ReasonCode.UNSPECIFIED_ERROR if v5 else service.v3_handler_invalid_code, reason)


def judge_connect(connect: Connect, service: Service, assigned_id: str) -> Accepted | Refused:
    """Hold a well-formed CONNECT against the service's limits.

    ``assigned_id`` is used if the Client may be given an id and wants one. User name and password are not looked at:
    only a connect event handler ever sees them (documented).
    """
    v5 = connect.version == ProtocolVersion.V5
    refused = _judge_identity(connect, service, v5) or _judge_keep_alive(connect, service, v5)
    if refused is None and connect.will is not None:
        refused = _judge_will(connect.will, service, v5)
    if refused is not None:
        return refused
    client_id = connect.client_id or assigned_id
    if not v5:
        return Accepted(client_id, 0 if connect.clean_start else service.session_expiry_maximum, {})
    asked = connect.properties.get("session_expiry_interval", 0)
    expiry = min(asked, service.session_expiry_maximum)
    properties = _announced(service)
    if expiry != asked and service.announce_expiry:
        properties["session_expiry_interval"] = expiry
    if not connect.client_id:
        properties["assigned_client_identifier"] = client_id
    if not _keep_alive_fits(connect, service):
        properties["server_keep_alive"] = service.keep_alive_maximum
    return Accepted(client_id, expiry, properties)


def _announced(service: Service) -> dict[str, Any]:
    """What CONNACK says about the server itself (row 38)."""
    properties: dict[str, Any] = {
        "receive_maximum": service.receive_maximum,
        "maximum_packet_size": service.maximum_packet_size,
    }
    if service.topic_alias_maximum:
        properties["topic_alias_maximum"] = service.topic_alias_maximum
    if not service.announce_missing:
        return properties
    # A client that is told that nothing is retained must not retain, and is not to be told where that is delivered.
    if not service.retained_limit and service.retain_answer == "disconnect":
        properties["retain_available"] = 0
    if not service.wildcards:
        properties["wildcard_subscription_available"] = 0
    if not service.shared_subscriptions:
        properties["shared_subscription_available"] = 0
    return properties


def _keep_alive_fits(connect: Connect, service: Service) -> bool:
    return (0 if service.keep_alive_off else 1) <= connect.keep_alive <= service.keep_alive_maximum


def _judge_identity(connect: Connect, service: Service, v5: bool) -> Refused | None:
    """The client id (rows 22 to 24) and the Authentication Method (row 31)."""
    if v5 and "authentication_method" in connect.properties:
        return Refused(service.authentication_code, "the service knows no authentication method of MQTT's own")
    if not connect.client_id and (v5 or service.v3_assigned_id):
        return None
    if _rule(service).fullmatch(connect.client_id):
        return None
    shown = connect.client_id[:140]
    message = f"client id '{shown}' is not {service.client_id_rule}, the service's documented rule"
    if not service.allow_underscore and _rule(service.changed(allow_underscore=True)).fullmatch(connect.client_id):
        message += "; the setting allow_underscore admits '_' (mqttws serve --set allow_underscore=true)"
    return Refused(service.client_id_code if v5 else service.v3_client_id_code, message)


@lru_cache(maxsize=16)
def _rule(service: Service) -> re.Pattern[str]:
    return re.compile(service.client_id_rule)  # of a few forms, each with a bound, so that matching is linear


def _judge_keep_alive(connect: Connect, service: Service, v5: bool) -> Refused | None:
    """Row 25; in 5.0 (row 26) Server Keep Alive takes the place of a refusal."""
    if (v5 and service.v5_keep_alive == "tell") or _keep_alive_fits(connect, service):
        return None
    # The first words are the service's own in its log (documented).
    return Refused(
        ReasonCode.IMPLEMENTATION_SPECIFIC_ERROR if v5 else service.v3_refusal_code,
        f"invalid keep alive interval: {connect.keep_alive}, but clients say 1 to {service.keep_alive_maximum}",
    )


def _judge_will(will: Will, service: Service, v5: bool) -> Refused | None:
    """Rows 27 to 29."""
    fault = service.topic_fault(will.topic)
    if fault is not None:
        return Refused(service.will_topic_code if v5 else service.v3_refusal_code, f"will topic: {fault}")
    if len(will.payload) > service.will_payload_limit:
        return Refused(
            service.will_payload_code if v5 else service.v3_refusal_code,
            f"the will message has {len(will.payload)} bytes; {service.will_payload_limit} is the limit",
        )
    if will.retain and v5 and not service.retained_limit:
        return Refused(service.will_retain_code, "the service has no retained messages, for a will neither")
    return None
