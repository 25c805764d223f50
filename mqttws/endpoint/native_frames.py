"""What clients of Web PubSub's own protocols send: frames of ``json.webpubsub.azure.v1`` and its reliable variant.

:mod:`mqttws.endpoint.native_answers` has the other direction. JSON data is passed on as it was spelled, so that no
number loses a digit. Nothing here keeps a state.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from json import JSONDecoder
from typing import Any, Final, NoReturn, TypeAlias

from mqttws.webpubsub.limits import MESSAGE_LIFETIME_MAXIMUM
from mqttws.webpubsub.server_topics import event_name_fault

__all__ = [
    "CONTENT_TYPES",
    "BadFrame",
    "JoinGroup",
    "LeaveGroup",
    "Ping",
    "Request",
    "SendEvent",
    "SendToGroup",
    "SequenceAck",
    "is_json",
    "read_request",
]

#: Ids are unsigned numbers of 64 bits (documented).
_IDS: Final = 1 << 64

#: §5.3 of the facts, documented: content types of MQTT 5 by data types. Anything else is binary (inferred).
CONTENT_TYPES: Final = {
    "json": "application/json",
    "text": "text/plain",
    "protobuf": "application/x-protobuf",
    "binary": "application/octet-stream",
}


class BadFrame(ValueError):
    """A frame that does not match the documented format; the text tells the client what is wrong."""


@dataclass(slots=True, frozen=True)
class JoinGroup:
    """``joinGroup``. ``ack_id`` is None where no answer is wanted, here and below."""

    group: str
    ack_id: int | None


@dataclass(slots=True, frozen=True)
class LeaveGroup:
    """``leaveGroup``."""

    group: str
    ack_id: int | None


@dataclass(slots=True, frozen=True)
class SendToGroup:
    """``sendToGroup``; with ``no_echo`` the sender does not get it, ``lifetime`` is in seconds."""

    group: str
    payload: bytes
    content_type: str
    ack_id: int | None = None
    no_echo: bool = False
    lifetime: int | None = None


@dataclass(slots=True, frozen=True)
class SendEvent:
    """``event``: a user event for the server."""

    name: str
    payload: bytes
    content_type: str
    ack_id: int | None = None


@dataclass(slots=True, frozen=True)
class SequenceAck:
    """``sequenceAck`` of a reliable client: everything up to here has arrived."""

    sequence_id: int


@dataclass(slots=True, frozen=True)
class Ping:
    """``ping``."""


#: Of each member of a JSON object the value, and how it was spelled.
_Members: TypeAlias = dict[str, tuple[Any, str]]
Request: TypeAlias = JoinGroup | LeaveGroup | SendToGroup | SendEvent | SequenceAck | Ping


# -- reading ----------------------------------------------------------------------------------------------------------


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _integer(digits: str) -> int | float:
    """A number that is no id is none of our business, however long it is."""
    return int(digits) if len(digits) <= 20 else float(digits)


_DECODER: Final = JSONDecoder(parse_constant=_no_constant, parse_int=_integer)
_SPACE: Final = re.compile(r"[ \t\r\n]*")


def _behind_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    assert space is not None  # at least the empty one
    return space.end()


def _members(text: str) -> _Members:
    """The members of one JSON object, each as a value and as it was spelled. The last of equal names counts."""
    at = _behind_space(text, 0)
    if text[at : at + 1] != "{":
        raise BadFrame("a frame is one JSON object")
    members: _Members = {}
    at = _behind_space(text, at + 1)
    if text[at : at + 1] == "}":
        at += 1
    else:
        at = _fill(members, text, at)
    if _behind_space(text, at) != len(text):
        raise BadFrame("something stands behind the JSON object")
    return members


def _fill(members: _Members, text: str, at: int) -> int:
    """Read members up to the closing brace; where it ends."""
    while True:
        if text[at : at + 1] != '"':
            raise BadFrame("a member of the JSON object has no name")
        name, at = _DECODER.raw_decode(text, at)
        at = _behind_space(text, at)
        if text[at : at + 1] != ":":
            raise BadFrame("a member of the JSON object has no value")
        start = _behind_space(text, at + 1)
        value, stop = _DECODER.raw_decode(text, start)
        members[name] = (value, text[start:stop])
        at = _behind_space(text, stop)
        if text[at : at + 1] == "}":
            return at + 1
        if text[at : at + 1] != ",":
            raise BadFrame("the JSON object does not end")
        at = _behind_space(text, at + 1)


def read_request(frame: str | bytes) -> Request:
    """What a client asks for; :class:`BadFrame` if that cannot be told. Members that nobody knows are passed over.

    The bytes of a binary frame are taken as UTF-8 (documented).
    """
    try:
        members = _members(frame if isinstance(frame, str) else frame.decode())
    except BadFrame:
        raise
    except (ValueError, RecursionError):
        raise BadFrame("the frame is no JSON") from None
    match _value(members, "type"):
        case "joinGroup":
            return JoinGroup(_name(members, "group"), _ack_id(members))
        case "leaveGroup":
            return LeaveGroup(_name(members, "group"), _ack_id(members))
        case "sendToGroup":
            return _read_send(members)
        case "event":
            name = _name(members, "event")
            if (fault := event_name_fault(name)) is not None:
                raise BadFrame(fault)
            return SendEvent(name, *_content(members), _ack_id(members))
        case "sequenceAck":
            return SequenceAck(_id(members, "sequenceId"))
        case "ping":
            return Ping()
    raise BadFrame("the 'type' of the frame is none that is known here")


def _read_send(members: _Members) -> SendToGroup:
    no_echo = _value(members, "noEcho")
    if not isinstance(no_echo, bool | None):
        raise BadFrame("'noEcho' is true or false")
    lifetime = None
    if _value(members, "ttlSeconds") is not None:
        lifetime = _id(members, "ttlSeconds")
        if lifetime > MESSAGE_LIFETIME_MAXIMUM:
            raise BadFrame(f"'ttlSeconds' is at most {MESSAGE_LIFETIME_MAXIMUM}")
    payload, content_type = _content(members)
    group = _name(members, "group")
    return SendToGroup(group, payload, content_type, _ack_id(members), bool(no_echo), lifetime or None)


def _value(members: _Members, key: str) -> Any:
    """A member's value; None where it is missing or null."""
    return members.get(key, (None, ""))[0]


def _name(members: _Members, key: str) -> str:
    value = _value(members, key)
    if not isinstance(value, str) or not value or not _has_utf_8(value):
        raise BadFrame(f"'{key}' is a text that is not empty")
    return value


def _id(members: _Members, key: str) -> int:
    value = _value(members, key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _IDS:
        raise BadFrame(f"'{key}' is a whole number of at most 64 bits")
    return value


def _ack_id(members: _Members) -> int | None:
    return None if _value(members, "ackId") is None else _id(members, "ackId")


def _content(members: _Members) -> tuple[bytes, str]:
    """Payload and content type (§5.3): ``json`` as it was spelled and ``text`` as UTF-8, the others from base64."""
    data_type = _value(members, "dataType")
    if data_type is None:
        data_type = "json"  # documented
    if not isinstance(data_type, str) or data_type not in CONTENT_TYPES:
        raise BadFrame(f"'dataType' is one of {', '.join(CONTENT_TYPES)}")
    if "data" not in members:
        raise BadFrame("'data' is missing")
    value, spelled = members["data"]
    content_type = CONTENT_TYPES[data_type]
    if data_type == "json":
        return spelled.encode(), content_type
    if not isinstance(value, str):
        raise BadFrame(f"'data' of the type {data_type} is a string")
    if data_type == "text":
        if not _has_utf_8(value):
            raise BadFrame("'data' holds half a character")
        return value.encode(), content_type
    try:
        return base64.b64decode(value, validate=True), content_type
    except (binascii.Error, ValueError):
        raise BadFrame(f"'data' of the type {data_type} is base64") from None


def is_json(payload: bytes) -> bool:
    """Whether a payload is one JSON text in UTF-8."""
    try:
        text = payload.decode()
        start = _behind_space(text, 0)
        return _behind_space(text, _DECODER.raw_decode(text, start)[1]) == len(text)
    except (ValueError, RecursionError):
        return False


def _has_utf_8(text: str) -> bool:
    """Whether it holds no half of a surrogate pair, which JSON can spell."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
