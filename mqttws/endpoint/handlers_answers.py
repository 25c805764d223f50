"""What event handlers answer over HTTP, read: whatever is not as documented is a failure, never a leave.

Unknown members of a JSON body are passed over.
"""

from __future__ import annotations

import json
from typing import Any, Final

from mqttws.endpoint.handlers_cloudevents import user_properties
from mqttws.endpoint.handshake import SUBPROTOCOL
from mqttws.endpoint.upstream import Denied, EventAnswer, Granted
from mqttws.http import Response, header

__all__ = ["STATE", "AnswerFault", "read_connect", "read_event", "succeeded"]

#: The header with the connection's state, both ways.
STATE: Final = "ce-connectionstate"


class AnswerFault(ValueError):
    """An answer that cannot be understood."""


def succeeded(response: Response) -> bool:
    """Whether the status is a 2xx. A redirect is none: requests go to configured URLs only."""
    return 200 <= response.status < 300


def read_connect(response: Response, *, mqtt: bool) -> Granted | Denied:
    """The answer to ``connect`` of a client that speaks MQTT or not; :class:`AnswerFault` if it is none.

    A success without a body leaves everything as the token has it. A failure that does not tell a code in ``mqtt`` has
    the code None.
    """
    if not succeeded(response):
        return _denied(response) if mqtt else Denied(response.status, _plain(response.body))
    body = _object(_parsed(response.body), "the body") if response.body.strip() else {}
    subprotocol = _optional_text(body, "subprotocol")
    if mqtt and subprotocol not in (None, SUBPROTOCOL):
        raise AnswerFault(f"subprotocol is {SUBPROTOCOL} or null")
    of_mqtt = _object(body.get("mqtt") or {}, "mqtt")
    return Granted(
        _optional_text(body, "userId") or None,
        _texts(body, "roles"),
        _texts(body, "groups") or (),
        _properties(of_mqtt),
        header(response.headers, STATE),
        subprotocol,
    )


def _denied(response: Response) -> Denied:
    """A refusal. It stays one, whatever is wrong with its body."""
    try:
        said = _object(_object(_parsed(response.body), "the body").get("mqtt"), "mqtt")
        code = said.get("code")
        valid = isinstance(code, int) and not isinstance(code, bool)
        # A code of another kind is an invalid one, and to none of them a setting applies: -1 is no code anywhere.
        return Denied(code if valid or code is None else -1, _optional_text(said, "reason") or "", _properties(said))
    except AnswerFault:
        return Denied()


def read_event(response: Response) -> EventAnswer:
    """The answer to a user event, whatever its status is."""
    return EventAnswer(
        response.status,
        response.body,
        header(response.headers, "content-type"),
        user_properties(response.headers),
        header(response.headers, STATE),
    )


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise AnswerFault("the body is no JSON") from None


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AnswerFault(f"{what} is no JSON object")
    return value


def _text(value: object, what: str) -> str:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell
            pass
        else:
            return value
    raise AnswerFault(f"{what} is no text")


def _optional_text(table: dict[str, Any], key: str) -> str | None:
    value = table.get(key)
    return None if value is None else _text(value, key)


def _texts(table: dict[str, Any], key: str) -> list[str] | None:
    values = table.get(key)
    if values is None:
        return None
    if not isinstance(values, list):
        raise AnswerFault(f"{key} is no list")
    return [_text(value, key) for value in values]


def _properties(table: dict[str, Any]) -> list[tuple[str, str]]:
    key = "userProperties"
    values = table.get(key)
    if not isinstance(values, list | None):
        raise AnswerFault(f"{key} is no list")
    pairs = [_object(value, key) for value in values or ()]
    return [(_text(pair.get("name"), key), _text(pair.get("value"), key)) for pair in pairs]


def _plain(body: bytes) -> str:
    return body.decode("utf-8", "replace")
