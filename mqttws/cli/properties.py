"""MQTT 5.0 properties as text: ``name=value`` on the command line, JSON in the output."""

from __future__ import annotations

import base64
import binascii
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mqttws.cli.outcome import UsageError
from mqttws.codec.properties import TABLE, Place, WireType
from mqttws.vocabulary import Role

__all__ = ["jsonable", "names_of", "parse_properties", "text_or_base64"]

#: In front of a value that is not text.
_BASE64: Final = "base64:"


def names_of(place: Place) -> list[str]:
    """The properties that a Client may put there."""
    return [row.name for row in TABLE if Role.CLIENT in row.senders.get(place, ())]


def parse_properties(settings: Iterable[str], place: Place, user_properties: Iterable[str] = ()) -> dict[str, Any]:
    """Properties of one place out of ``name=value`` and user properties out of ``key=value``.

    Names are the specification's, with ``-`` or ``_``. Numbers are decimal; binary values are text as UTF-8, or
    ``base64:…``. Raises :class:`UsageError`; whether a number is in range is the encoder's to say.
    """
    properties: dict[str, Any] = {}
    for setting in (*settings, *(f"user_property={pair}" for pair in user_properties)):
        name, equals, text = setting.partition("=")
        name = name.strip().lower().replace("-", "_")
        if not equals:
            raise UsageError(f"a property reads NAME=VALUE, not {setting!r}")
        row = next((row for row in TABLE if row.name == name and Role.CLIENT in row.senders.get(place, ())), None)
        if row is None:
            raise UsageError(_unknown(name, place))
        value = _value(row.wire_type, name, text)
        if place in row.many:
            properties.setdefault(name, []).append(value)
        elif name in properties:
            raise UsageError(f"the property {name} is given twice")
        else:
            properties[name] = value
    return properties


def _unknown(name: str, place: Place) -> str:
    known = names_of(place)
    where = place if isinstance(place, str) else place.name
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]}?" if close else f"it knows {', '.join(known)}"
    return f"{where} has no property {name!r}; {hint}"


def _value(wire_type: WireType, name: str, text: str) -> Any:
    match wire_type:
        case WireType.U8 | WireType.U16 | WireType.U32 | WireType.VARINT:
            if not text.strip().isdecimal():
                raise UsageError(f"the property {name} is a number, not {text!r}")
            return int(text[:20])
        case WireType.BINARY:
            return _bytes(name, text)
        case WireType.PAIR:
            key, equals, value = text.partition("=")
            if not equals:
                raise UsageError(f"a user property reads KEY=VALUE, not {text!r}")
            return key, value
        case _:
            return text


def _bytes(name: str, text: str) -> bytes:
    if not text.startswith(_BASE64):
        return text.encode("utf-8", "surrogateescape")
    try:
        return base64.b64decode(text.removeprefix(_BASE64), validate=True)
    except binascii.Error as error:
        raise UsageError(f"the property {name}: {error}") from None


def text_or_base64(name: str, data: bytes) -> dict[str, str]:
    """A JSON member for bytes: ``name`` if they are UTF-8, else ``name_base64``."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": base64.b64encode(data).decode("ascii")}


def jsonable(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Properties as JSON has them: bytes as in :func:`text_or_base64`, pairs as arrays of two."""
    members: dict[str, Any] = {}
    for name, value in properties.items():
        members |= text_or_base64(name, value) if isinstance(value, bytes) else {name: value}
    return members
