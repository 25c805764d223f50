"""What event handlers are told, as CloudEvents over HTTP: headers and body of each POST (documented, unless said).

Header values are ASCII. What HTTP cannot carry in one (other characters, control characters, outer spaces) is
percent-encoded as UTF-8, and so is the percent sign; that is how CloudEvents does it, the service's way is unknown.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from mqttws.codec import Connect
from mqttws.endpoint.members import Ending
from mqttws.endpoint.sessions import Peer
from mqttws.endpoint.upstream import Call, ConnectRequest, MemberConnected, MemberDisconnected, UserEvent
from mqttws.vocabulary import ProtocolVersion

__all__ = ["PROPERTY_PREFIX", "Notice", "event_name", "preflight_headers", "signature", "user_properties"]

#: MQTT user properties travel as headers with this in front of their names, both ways.
PROPERTY_PREFIX: Final = "mqtt-"

_JSON: Final = ("Content-Type", "application/json; charset=utf-8")
#: Outside of these, a header's name needs an escape; letters and digits never do (RFC 9110, 5.6.2).
_NAME_CHARACTERS: Final = "!#$&'*+-.^_`|~"
#: Printable ASCII without the percent sign.
_PLAIN: Final = "".join(chr(code) for code in range(0x20, 0x7F) if code != 0x25)
_OUTER_SPACE: Final = re.compile(r"^ +| +$")


@dataclass(frozen=True, slots=True)
class Notice:
    """One POST without its URL: what :func:`Notice.of` makes of a call."""

    headers: tuple[tuple[str, str], ...]
    body: bytes

    @classmethod
    def of(
        cls, call: Call, *, origin: str, keys: Sequence[str], number: int, moment: datetime, content_type: str
    ) -> Notice:
        """The POST for a call. ``origin`` is the endpoint's host, ``keys`` sign, ``number`` counts the connection's
        events; ``content_type`` is that of a user event which has none.
        """
        body, own = _content(call, content_type)
        headers = (*preflight_headers(origin), own, *_attributes(call, keys, number, moment))
        if isinstance(call, UserEvent):
            headers += tuple(_property_headers(call))
        return cls(headers, body)


def preflight_headers(origin: str) -> tuple[tuple[str, str], ...]:
    """What validation and events have in common. The JavaScript middleware ignores requests without the second."""
    return ("WebHook-Request-Origin", origin), ("ce-awpsversion", "1.0")


def event_name(call: Call) -> str:
    """The event's name without a prefix."""
    match call:
        case ConnectRequest():
            return "connect"
        case MemberConnected():
            return "connected"
        case MemberDisconnected():
            return "disconnected"
    return call.name


def signature(keys: Iterable[str], connection_id: str) -> str:
    """``ce-signature`` (row 79): an HMAC of the connection id with each access key, the primary one first."""
    message = connection_id.encode()
    return ",".join(f"sha256={hmac.new(key.encode(), message, hashlib.sha256).hexdigest()}" for key in keys)


def header_text(text: str) -> str:
    """Any text as a header's value."""
    return _OUTER_SPACE.sub(lambda spaces: "%20" * len(spaces[0]), quote(text, safe=_PLAIN))


# -- headers ----------------------------------------------------------------------------------------------------------


def _attributes(call: Call, keys: Sequence[str], number: int, moment: datetime) -> tuple[tuple[str, str], ...]:
    """The ``ce-`` headers of an event."""
    visitor = call.visitor
    is_mqtt = isinstance(visitor, Peer)
    name = event_name(call)
    kind = "user" if isinstance(call, UserEvent) else "sys"
    if isinstance(call, ConnectRequest):
        client_id, user_id, session_id, state = call.client_id, visitor.admission.user_id, None, None
    else:
        member = call.member
        client_id, user_id, session_id, state = member.client_id, member.user_id, member.session_id, member.state
    physical = f"/{visitor.connection_id}" if is_mqtt else ""
    attributes = {
        "ce-specversion": "1.0",
        "ce-type": f"azure.webpubsub.{kind}.{name}",
        "ce-source": f"/hubs/{call.hub}/client/{client_id}{physical}",
        "ce-id": str(number),
        "ce-time": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "ce-signature": signature(keys, client_id),
        "ce-connectionId": client_id,
        "ce-hub": call.hub,
        "ce-eventName": name,
        "ce-userId": user_id,
        "ce-subprotocol": visitor.subprotocol,
        "ce-connectionState": state,
        "ce-physicalConnectionId": visitor.connection_id if is_mqtt else None,
        "ce-sessionId": session_id if is_mqtt else None,
    }
    return tuple((key, header_text(value)) for key, value in attributes.items() if value)


def _property_headers(event: UserEvent) -> Iterable[tuple[str, str]]:
    for name, value in event.publish.properties.get("user_property", ()):
        yield PROPERTY_PREFIX + quote(name, safe=_NAME_CHARACTERS), header_text(value)


def user_properties(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The MQTT user properties in the headers of an answer; escapes are resolved as ours have to be."""
    start = len(PROPERTY_PREFIX)
    return [
        (unquote(name[start:]), unquote(value))
        for name, value in headers
        if name.lower().startswith(PROPERTY_PREFIX) and len(name) > start
    ]


# -- bodies -----------------------------------------------------------------------------------------------------------


def _content(call: Call, content_type: str) -> tuple[bytes, tuple[str, str]]:
    """Body and Content-Type."""
    match call:
        case UserEvent():
            given = call.publish.properties.get("content_type", content_type)
            # The escapes of a header value, but for the percent sign, which means what it meant.
            return call.publish.payload, ("Content-Type", header_text(given).replace("%25", "%"))
        case ConnectRequest():
            return _json(_connect_body(call)), _JSON
        case MemberDisconnected():
            return _json(_disconnected_body(call.ending, is_mqtt=isinstance(call.visitor, Peer))), _JSON
    return _json({}), _JSON


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _connect_body(request: ConnectRequest) -> dict[str, Any]:
    """``clientCertificates`` is empty: this endpoint asks for none."""
    admission = request.visitor.admission
    body: dict[str, Any] = {
        "claims": {name: _texts(value) for name, value in admission.claims.items()},
        "query": _grouped(admission.query),
        "headers": _grouped(admission.headers),
        "subprotocols": list(admission.subprotocols),
        "clientCertificates": [],
    }
    if request.connect is not None:
        body["mqtt"] = _mqtt(request.connect)
    return body


def _mqtt(connect: Connect) -> dict[str, Any]:
    v5 = connect.version == ProtocolVersion.V5
    password = connect.password
    return {
        "protocolVersion": int(connect.version),
        "cleanStart": connect.clean_start,
        "username": connect.username,
        "password": None if password is None else base64.b64encode(password).decode(),
        "userProperties": _named(connect.properties.get("user_property", ())) if v5 else None,
    }


def _disconnected_body(ending: Ending, *, is_mqtt: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"reason": ending.reason}
    if is_mqtt:
        said = ending.user_properties if ending.by_client else None
        packet = None if ending.code is None else {"code": ending.code, "userProperties": _named(said or ())}
        body["mqtt"] = {"initiatedByClient": ending.by_client, "disconnectPacket": packet}
    return body


def _named(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]] | None:
    return [{"name": name, "value": value} for name, value in pairs] or None


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _texts(claim: object) -> list[str]:
    """The values of a claim as a list of texts, which they all are upstream."""
    values = claim if isinstance(claim, list) else [claim]
    return [value if isinstance(value, str) else json.dumps(value) for value in values]
