"""From the first byte to the reader of the packet, from the packet's class to its writer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, overload

from mqttws.codec.acks import (
    PubAck,
    PubComp,
    PubRec,
    PubRel,
    ack_decoder_v3_1_1,
    ack_decoder_v5,
    encode_ack_v3_1_1,
    encode_ack_v5,
)
from mqttws.codec.auth import Auth, decode_auth, encode_auth_v3_1_1, encode_auth_v5
from mqttws.codec.connack import (
    ConnAck,
    decode_connack_v3_1_1,
    decode_connack_v5,
    encode_connack_v3_1_1,
    encode_connack_v5,
)
from mqttws.codec.connect import Connect, decode_connect, encode_connect
from mqttws.codec.disconnect import (
    Disconnect,
    decode_disconnect_v3_1_1,
    decode_disconnect_v5,
    encode_disconnect_v3_1_1,
    encode_disconnect_v5,
)
from mqttws.codec.faults import Decoder, in_version, settle
from mqttws.codec.ping import PingReq, PingResp, decode_pingreq, decode_pingresp, encode_pingreq, encode_pingresp
from mqttws.codec.primitives import five_bytes, longer_than_needed
from mqttws.codec.publish import (
    DECODERS_V3_1_1,
    DECODERS_V5,
    Publish,
    encode_publish_v3_1_1,
    encode_publish_v5,
)
from mqttws.codec.raw import Checks, RawPacket, encode_raw
from mqttws.codec.suback import (
    SubAck,
    UnsubAck,
    decode_suback_v3_1_1,
    decode_suback_v5,
    decode_unsuback_v3_1_1,
    decode_unsuback_v5,
    encode_suback_v3_1_1,
    encode_suback_v5,
    encode_unsuback_v3_1_1,
    encode_unsuback_v5,
)
from mqttws.codec.subscribe import (
    Subscribe,
    Unsubscribe,
    decode_subscribe_v3_1_1,
    decode_subscribe_v5,
    decode_unsubscribe_v3_1_1,
    decode_unsubscribe_v5,
    encode_subscribe_v3_1_1,
    encode_subscribe_v5,
    encode_unsubscribe_v3_1_1,
    encode_unsubscribe_v5,
)
from mqttws.errors import LocalProtocolError, MalformedPacket, RemoteProtocolError
from mqttws.vocabulary import ProtocolVersion, Role

Packet: TypeAlias = (
    Connect
    | ConnAck
    | Publish
    | PubAck
    | PubRec
    | PubRel
    | PubComp
    | Subscribe
    | SubAck
    | Unsubscribe
    | UnsubAck
    | PingReq
    | PingResp
    | Disconnect
    | Auth
)

_CLIENT: Final = frozenset({Role.CLIENT})
_SERVER: Final = frozenset({Role.SERVER})
_BOTH: Final = _CLIENT | _SERVER


@dataclass(frozen=True, slots=True)
class Row:
    """One packet type in one version: its class, its readers by the four flag bits, its writer, who may send it
    (table 2-1), and the statement that wrong flag bits break in 5.0."""

    packet_class: type[Packet]
    decoders: tuple[Decoder | None, ...]
    encoder: Callable[[Any], bytes]
    senders: frozenset[Role]
    statement: str = "MQTT-2.1.3-1"


def _flags(required: int, decoder: Decoder) -> tuple[Decoder | None, ...]:
    return tuple(decoder if flags == required else None for flags in range(16))


#: The whole dispatch: a row for each packet type, by its number.
V5: Final[tuple[Row | None, ...]] = (
    None,
    Row(Connect, _flags(0, decode_connect), encode_connect, _CLIENT),
    Row(ConnAck, _flags(0, decode_connack_v5), encode_connack_v5, _SERVER),
    Row(Publish, DECODERS_V5, encode_publish_v5, _BOTH, "MQTT-3.3.1-4"),
    Row(PubAck, _flags(0, ack_decoder_v5(PubAck)), encode_ack_v5, _BOTH),
    Row(PubRec, _flags(0, ack_decoder_v5(PubRec)), encode_ack_v5, _BOTH),
    Row(PubRel, _flags(2, ack_decoder_v5(PubRel)), encode_ack_v5, _BOTH, "MQTT-3.6.1-1"),
    Row(PubComp, _flags(0, ack_decoder_v5(PubComp)), encode_ack_v5, _BOTH),
    Row(Subscribe, _flags(2, decode_subscribe_v5), encode_subscribe_v5, _CLIENT, "MQTT-3.8.1-1"),
    Row(SubAck, _flags(0, decode_suback_v5), encode_suback_v5, _SERVER),
    Row(Unsubscribe, _flags(2, decode_unsubscribe_v5), encode_unsubscribe_v5, _CLIENT, "MQTT-3.10.1-1"),
    Row(UnsubAck, _flags(0, decode_unsuback_v5), encode_unsuback_v5, _SERVER),
    Row(PingReq, _flags(0, decode_pingreq), encode_pingreq, _CLIENT),
    Row(PingResp, _flags(0, decode_pingresp), encode_pingresp, _SERVER),
    Row(Disconnect, _flags(0, decode_disconnect_v5), encode_disconnect_v5, _BOTH, "MQTT-3.14.1-1"),
    Row(Auth, _flags(0, decode_auth), encode_auth_v5, _BOTH, "MQTT-3.15.1-1"),
)
V3_1_1: Final[tuple[Row | None, ...]] = (
    None,
    Row(Connect, _flags(0, decode_connect), encode_connect, _CLIENT),
    Row(ConnAck, _flags(0, decode_connack_v3_1_1), encode_connack_v3_1_1, _SERVER),
    Row(Publish, DECODERS_V3_1_1, encode_publish_v3_1_1, _BOTH, "MQTT-3.3.1-4"),
    Row(PubAck, _flags(0, ack_decoder_v3_1_1(PubAck)), encode_ack_v3_1_1, _BOTH),
    Row(PubRec, _flags(0, ack_decoder_v3_1_1(PubRec)), encode_ack_v3_1_1, _BOTH),
    Row(PubRel, _flags(2, ack_decoder_v3_1_1(PubRel)), encode_ack_v3_1_1, _BOTH, "MQTT-3.6.1-1"),
    Row(PubComp, _flags(0, ack_decoder_v3_1_1(PubComp)), encode_ack_v3_1_1, _BOTH),
    Row(Subscribe, _flags(2, decode_subscribe_v3_1_1), encode_subscribe_v3_1_1, _CLIENT, "MQTT-3.8.1-1"),
    Row(SubAck, _flags(0, decode_suback_v3_1_1), encode_suback_v3_1_1, _SERVER),
    Row(Unsubscribe, _flags(2, decode_unsubscribe_v3_1_1), encode_unsubscribe_v3_1_1, _CLIENT, "MQTT-3.10.1-1"),
    Row(UnsubAck, _flags(0, decode_unsuback_v3_1_1), encode_unsuback_v3_1_1, _SERVER),
    Row(PingReq, _flags(0, decode_pingreq), encode_pingreq, _CLIENT),
    Row(PingResp, _flags(0, decode_pingresp), encode_pingresp, _SERVER),
    Row(Disconnect, _flags(0, decode_disconnect_v3_1_1), encode_disconnect_v3_1_1, _CLIENT, "MQTT-3.14.1-1"),
    Row(Auth, (None,) * 16, encode_auth_v3_1_1, frozenset()),
)
_ROWS: Final = {4: V3_1_1, 5: V5}

Decoders: TypeAlias = tuple[Decoder | None, ...]


def _decoders(rows: tuple[Row | None, ...], sender: Role | None) -> Decoders:
    """The readers by the first byte; None where that byte cannot begin a packet from ``sender``."""
    table: list[Decoder | None] = []
    for row in rows:
        if row is not None and (sender is None or sender in row.senders):
            table += row.decoders
        else:
            table += (None,) * 16
    return tuple(table)


#: By version and sender. Flags and direction are thus checked by the same look-up that finds the reader.
DECODERS: Final[dict[int, dict[Role | None, Decoders]]] = {
    version: {sender: _decoders(rows, sender) for sender in (None, Role.CLIENT, Role.SERVER)}
    for version, rows in _ROWS.items()
}
_ANYBODY: Final = {version: by_sender[None] for version, by_sender in DECODERS.items()}

_ENCODERS: Final[dict[int, dict[type, Callable[[Any], bytes]]]] = {
    version: {row.packet_class: row.encoder for row in rows if row is not None} | {RawPacket: encode_raw}
    for version, rows in _ROWS.items()
}


def refusal(first: int, version: int, sender: Role | None, offset: int) -> RemoteProtocolError:
    """Why a first byte for which there is no reader cannot begin a packet."""
    row = _ROWS[version][first >> 4]
    if row is None or not any(row.decoders):
        return MalformedPacket(f"packet type {first >> 4} is reserved", offset=offset, field="packet_type")
    name = row.packet_class.packet_type.name
    if row.decoders[first & 15] is not None:
        assert sender is not None
        return RemoteProtocolError(f"{name} from a {sender.name.title()}", offset=offset, field="packet_type")
    if row.packet_class is Publish and first & 6 != 6:
        return RemoteProtocolError("DUP with QoS 0", statement="MQTT-3.3.1-2", offset=offset, field="dup")
    return MalformedPacket(
        f"{name} with flag bits {first & 15:04b}", statement=row.statement, offset=offset, field="flags"
    )


def read_header(buf: bytes, pos: int) -> tuple[int, int] | None:
    """Remaining Length and position of the body, for a packet that starts at ``pos``; None if there are too few bytes.

    Longer forms than needed pass here; see :func:`refuse_padding`.
    """
    length = 0
    for index, byte in enumerate(buf[pos + 1 : pos + 5]):
        length |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return length, pos + 2 + index
    if len(buf) - pos < 5:
        return None
    raise five_bytes(pos + 1, "remaining_length")


def refuse_padding(buf: bytes, pos: int, body: int, version: int) -> None:
    """Refuse a Remaining Length of more bytes than it needs, if the packet at ``pos`` is one of 5.0.

    5.0 forbids that to the sender [MQTT-1.5.5-1]. 3.1.1 only shows the short forms in a table and forbids nothing;
    there it passes, since small devices write four bytes always. A CONNECT is what it says.
    """
    if buf[body - 1] == 0:
        is_5_0 = buf[body : body + 7] == b"\0\4MQTT\5" if buf[pos] == 0x10 else version == 5
        if is_5_0:
            error = longer_than_needed(pos + 1, "remaining_length")
            in_version(error, ProtocolVersion.V5)
            raise error


_STRICT: Final = Checks.STRICT


@overload
def decode(
    data: bytes | bytearray | memoryview,
    version: int = 5,
    *,
    sender: Role | None = None,
    checks: Literal[Checks.STRICT] = Checks.STRICT,
) -> Packet: ...
@overload
def decode(
    data: bytes | bytearray | memoryview, version: int = 5, *, sender: Role | None = None, checks: Literal[Checks.RAW]
) -> RawPacket: ...
@overload
def decode(
    data: bytes | bytearray | memoryview, version: int = 5, *, sender: Role | None = None, checks: Checks
) -> Packet | RawPacket: ...
def decode(
    data: bytes | bytearray | memoryview, version: int = 5, *, sender: Role | None = None, checks: Checks = _STRICT
) -> Packet | RawPacket:
    """The one packet that ``data`` is, no more and no less.

    A CONNECT decodes as the version it says. With ``sender`` also the rules of direction hold. Raises
    :class:`MalformedPacket` or another :class:`RemoteProtocolError` for any other bytes, and nothing else; a version
    that is neither 4 nor 5 is a :class:`ValueError`. With less than all ``checks`` only bytes that are not exactly one
    packet by their fixed header raise, and what breaks another rule is a :class:`RawPacket`.
    """
    if not isinstance(data, bytes):
        data = bytes(data)
    if checks is not _STRICT:
        return _decode_unchecked(data, version, sender, checks)
    try:
        decoders = _ANYBODY[version] if sender is None else DECODERS[version][sender]
    except KeyError:
        raise _unknown_version(version) from None
    try:
        size = len(data)
        if size < 2:
            raise MalformedPacket("the packet ends inside its fixed header", offset=size, field="remaining_length")
        decoder = decoders[data[0]]
        if decoder is None:
            raise refusal(data[0], version, sender, 0)
        length = data[1]
        body = 2
        if length >= 0x80:
            if size >= 3 and 0 < data[2] < 0x80:  # up to 16 KiB; 256 bytes take 1.4 µs so, else 2.4
                length, body = length & 0x7F | data[2] << 7, 3
            else:
                length, body = _read_longer_header(data)
                refuse_padding(data, 0, body, version)
        if body + length != size:
            raise _other_length(size, body + length)
        packet: Packet = decoder(data, body, size, sender)
        return packet
    except RemoteProtocolError as error:
        raise settle(error, version, 0) from None


def _decode_unchecked(data: bytes, version: int, sender: Role | None, checks: Checks) -> Packet | RawPacket:
    if version not in _ROWS:
        raise _unknown_version(version)
    try:
        claimed = sum(_read_longer_header(data))
        if claimed != len(data):
            raise _other_length(len(data), claimed)
    except MalformedPacket as error:
        raise settle(error, version, 0) from None
    if checks is Checks.LENIENT:
        with suppress(RemoteProtocolError):
            return decode(data, version, sender=sender)
    return RawPacket.parse(data)


def _unknown_version(version: int) -> ValueError:
    return ValueError(f"version is 4 (3.1.1) or 5 (5.0), not {version}")


def _read_longer_header(data: bytes) -> tuple[int, int]:
    header = read_header(data, 0)
    if header is None:
        raise MalformedPacket("the packet ends inside its fixed header", offset=len(data), field="remaining_length")
    return header


def _other_length(size: int, claimed: int) -> MalformedPacket:
    if size > claimed:
        return MalformedPacket(f"{size - claimed} bytes behind the packet", offset=claimed, field="remaining_length")
    return MalformedPacket(
        f"the packet ends {claimed - size} bytes before its Remaining Length", offset=size, field="remaining_length"
    )


def encode(packet: Packet | RawPacket, version: int = 5) -> bytes:
    """The bytes of a packet, all that ``decode`` would refuse refused: with :class:`LocalProtocolError`.

    A CONNECT is written in its own version. Nothing is ever cut off, and nothing left out in silence that ``version``
    cannot say.
    """
    try:
        encoder = _ENCODERS[version].get(type(packet))
    except KeyError:
        raise _unknown_version(version) from None
    if encoder is None:
        raise TypeError(f"{type(packet).__name__} is not the class of a packet")
    try:
        return encoder(packet)
    except LocalProtocolError as error:
        in_version(error, version)
        raise
