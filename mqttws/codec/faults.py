"""Whose fault it is, and in whose numbering.

Rules that both ends share raise :class:`LocalProtocolError` and cite the numbers of 5.0, since whoever checks a string
or a topic knows neither the direction nor the version. ``decode`` and ``encode`` know both: on the way out of the
codec each error passes :func:`in_version`, and in ``decode`` :func:`as_remote`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from mqttws.errors import LocalProtocolError, MalformedPacket, ProtocolError, RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, ReasonCode, Role

#: Reads the body of one packet: ``(buf, pos, end, sender) -> packet``.
Decoder: TypeAlias = Callable[[bytes, int, int, Role | None], Any]

#: The statements of 5.0 that this room cites and that hold in 3.1.1 too, with their number there. What is missing here
#: has no number in 3.1.1; the same number may even mean something else (MQTT-3.8.3-4), so nothing is cited then.
IN_3_1_1: Final[dict[str, str]] = {
    "MQTT-1.5.4-1": "MQTT-1.5.3-1",
    "MQTT-1.5.4-2": "MQTT-1.5.3-2",
    "MQTT-2.1.3-1": "MQTT-2.2.2-1",
    "MQTT-2.2.1-2": "MQTT-2.3.1-5",
    "MQTT-2.2.1-3": "MQTT-2.3.1-1",
    "MQTT-2.2.1-4": "MQTT-2.3.1-1",
    "MQTT-2.2.1-5": "MQTT-2.3.1-6",
    "MQTT-2.2.1-6": "MQTT-2.3.1-7",
    "MQTT-3.1.0-1": "MQTT-3.1.0-1",
    "MQTT-3.1.2-1": "MQTT-3.1.2-1",
    "MQTT-3.1.2-2": "MQTT-3.1.2-2",
    "MQTT-3.1.2-3": "MQTT-3.1.2-3",
    "MQTT-3.1.2-9": "MQTT-3.1.2-9",
    "MQTT-3.1.2-11": "MQTT-3.1.2-13",
    "MQTT-3.1.2-12": "MQTT-3.1.2-14",
    "MQTT-3.1.2-13": "MQTT-3.1.2-15",
    "MQTT-3.1.2-16": "MQTT-3.1.2-18",
    "MQTT-3.1.2-17": "MQTT-3.1.2-19",
    "MQTT-3.1.2-18": "MQTT-3.1.2-20",
    "MQTT-3.1.2-19": "MQTT-3.1.2-21",
    "MQTT-3.1.3-3": "MQTT-3.1.3-3",
    "MQTT-3.1.3-4": "MQTT-3.1.3-4",
    "MQTT-3.1.3-11": "MQTT-3.1.3-10",
    "MQTT-3.1.3-12": "MQTT-3.1.3-11",
    "MQTT-3.1.4-1": "MQTT-3.1.4-1",
    "MQTT-3.2.2-6": "MQTT-3.2.2-4",
    "MQTT-3.2.2-8": "MQTT-3.2.2-6",
    "MQTT-3.3.1-2": "MQTT-3.3.1-2",
    "MQTT-3.3.1-4": "MQTT-3.3.1-4",
    "MQTT-3.3.2-1": "MQTT-3.3.2-1",
    "MQTT-3.3.2-2": "MQTT-3.3.2-2",
    "MQTT-3.6.1-1": "MQTT-3.6.1-1",
    "MQTT-3.8.1-1": "MQTT-3.8.1-1",
    "MQTT-3.8.3-1": "MQTT-3.8.3-1",
    "MQTT-3.8.3-2": "MQTT-3.8.3-3",
    "MQTT-3.8.3-5": "MQTT-3.8.3-4",
    "MQTT-3.8.4-6": "MQTT-3.8.4-5",
    "MQTT-3.9.3-2": "MQTT-3.9.3-2",
    "MQTT-3.10.1-1": "MQTT-3.10.1-1",
    "MQTT-3.10.3-1": "MQTT-3.10.3-1",
    "MQTT-3.10.3-2": "MQTT-3.10.3-2",
    "MQTT-3.14.1-1": "MQTT-3.14.1-1",
    "MQTT-4.7.0-1": "MQTT-4.7.1-1",
    "MQTT-4.7.1-1": "MQTT-4.7.1-2",
    "MQTT-4.7.1-2": "MQTT-4.7.1-3",
    "MQTT-4.7.3-1": "MQTT-4.7.3-1",
    "MQTT-4.7.3-2": "MQTT-4.7.3-2",
    "MQTT-4.7.3-3": "MQTT-4.7.3-3",
}

#: Which statement asks that a text field be well-formed UTF-8, where it has one of its own beside MQTT-1.5.4-1.
_ILL_FORMED: Final[dict[str, str]] = {
    "client_id": "MQTT-3.1.3-4",
    "content_type": "MQTT-3.3.2-19",
    "response_topic": "MQTT-3.3.2-13",
    "topic_filter": "MQTT-3.8.3-1",
    "topic_filters": "MQTT-3.10.3-1",
    "user_property": "MQTT-1.5.7-1",
    "username": "MQTT-3.1.3-12",
    "will.topic": "MQTT-3.1.3-11",
}

#: The same for U+0000, where it is not MQTT-1.5.4-2.
_NULL_CHARACTER: Final[dict[str, str]] = {
    "topic": "MQTT-4.7.3-2",
    "topic_filter": "MQTT-4.7.3-2",
    "topic_filters": "MQTT-4.7.3-2",
    "user_property": "MQTT-1.5.7-1",
    "will.topic": "MQTT-4.7.3-2",
}


#: The same for a wildcard in a Topic Name, where it is not MQTT-4.7.0-1.
_WILDCARD: Final[dict[str, str]] = {"topic": "MQTT-3.3.2-2", "response_topic": "MQTT-3.3.2-14"}


def ill_formed_statement(field: str) -> str:
    """The statement broken by ill-formed UTF-8 in this field."""
    return _ILL_FORMED.get(field, "MQTT-1.5.4-1")


def null_statement(field: str) -> str:
    """The statement broken by U+0000 in this field."""
    return _NULL_CHARACTER.get(field, "MQTT-1.5.4-2")


def past_end(field: str, offset: int, statement: str | None = None) -> MalformedPacket:
    """A field that starts at ``offset`` and runs past the end of what holds it."""
    return MalformedPacket(f"{field} runs past the end", statement=statement, offset=offset, field=field)


def trailing(count: int, offset: int) -> MalformedPacket:
    """Bytes inside a packet that belong to no field."""
    counted = "1 byte" if count == 1 else f"{count} bytes"
    return MalformedPacket(f"{counted} behind the last field", offset=offset, field="remaining_length")


def zero_packet_id(offset: int, statement: str) -> RemoteProtocolError:
    """A Packet Identifier of 0."""
    return RemoteProtocolError("a Packet Identifier is not zero", statement=statement, offset=offset, field="packet_id")


def in_field(error: LocalProtocolError, field: str) -> LocalProtocolError:
    """A broken rule of topics, as it is found in one field."""
    error.field = field
    if error.statement == "MQTT-4.7.0-1":
        error.statement = _WILDCARD.get(field, error.statement)
    return error


def peers_fault(error: LocalProtocolError, offset: int, field: str) -> RemoteProtocolError:
    """A broken rule that both ends share, found in the peer's bytes at ``offset``."""
    in_field(error, field)
    return RemoteProtocolError(
        error.message, reason_code=error.reason_code, statement=error.statement, offset=offset, field=field
    )


def in_version(error: ProtocolError, version: int | None) -> None:
    """Cite the statement as ``version`` numbers it, unless that is already done."""
    if error.version is None and version is not None:
        error.version = ProtocolVersion(version)
        if version == ProtocolVersion.V3_1_1 and error.statement is not None:
            error.statement = IN_3_1_1.get(error.statement)


def settle(error: RemoteProtocolError, version: int | None, start: int) -> RemoteProtocolError:
    """Name the version, and count the offset from the packet's first byte, which was ``start``."""
    in_version(error, version)
    assert error.offset is not None, "every reader tells the place"
    error.offset -= start
    return error


def not_in_3_1_1(what: str, field: str) -> LocalProtocolError:
    """Something only 5.0 can say, asked for in 3.1.1. Leaving it out in silence would change its meaning."""
    return LocalProtocolError(f"MQTT 3.1.1 has no {what}", version=ProtocolVersion.V3_1_1, field=field)


def too_large(message: str, field: str | None = None, statement: str | None = None) -> LocalProtocolError:
    """More bytes than a length field can tell; nothing is ever cut off to fit."""
    return LocalProtocolError(message, reason_code=ReasonCode.PACKET_TOO_LARGE, statement=statement, field=field)
